#include "proto/stream.h"

#include "base/base64url.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

enum { TICKET_BYTES_IN = 32 };

_Static_assert(BASE64URL_LEN(TICKET_BYTES_IN) == STREAM_TICKET_LEN, "a ticket is 32 bytes");

/* The value when the argument has that name, else NULL. */
static const char *value_of(const char *argument, const char *name)
{
    size_t len = strlen(name);
    return strncmp(argument, name, len) == 0 && argument[len] == '=' ? argument + len + 1 : NULL;
}

/* However it is written: a token in a URL is in logs and histories already. */
static bool is_token(const char *argument)
{
    static const char *const names[] = {"token", "access_token", "jwt"};
    size_t len = strcspn(argument, "=");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i]) == len && strncasecmp(argument, names[i], len) == 0)
            return true;
    return false;
}

/* The only spelling of some 32 bytes. */
static bool can_be_ticket(const char *text)
{
    uint8_t bytes[TICKET_BYTES_IN];
    size_t len = 0;
    return strlen(text) == STREAM_TICKET_LEN &&
           base64url_decode(text, STREAM_TICKET_LEN, bytes, sizeof bytes, &len);
}

/* An empty one is none: clients write `cursor=` before they have one. */
static bool take_cursor(struct stream_request *request, const char *value)
{
    if (*value == '\0')
        return true;
    if (request->cursor)
        return false;
    request->cursor = value;
    return true;
}

static bool take_ticket(struct stream_request *request, const char *value)
{
    if (request->ticket || !can_be_ticket(value))
        return false;
    request->ticket = value;
    return true;
}

static bool take_room(struct stream_request *request, const char *value)
{
    if (*value == '\0' || request->room_count == STREAM_ROOMS_MAX)
        return false;
    request->rooms[request->room_count++] = value;
    return true;
}

bool stream_take(struct stream_request *request, const char *argument, size_t len)
{
    const char *value;
    if (strlen(argument) != len || is_token(argument))
        return false;
    if ((value = value_of(argument, "cursor")) || (value = value_of(argument, "last_event_id")))
        return take_cursor(request, value);
    if ((value = value_of(argument, "ticket")))
        return take_ticket(request, value);
    if ((value = value_of(argument, "room")))
        return take_room(request, value);
    return true;
}

void stream_take_header(struct stream_request *request, const char *last_event_id)
{
    if (last_event_id && *last_event_id)
        request->cursor = last_event_id;
}
