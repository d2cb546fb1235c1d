/* The arguments of a URL, decoded, one a NUL apart. What is taken holds what was said, in the order
 * it was said; a ticket has one spelling; and no token gets through. */
#include "base/base64url.h"
#include "base/mem.h"
#include "proto/stream.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whether it is the value of the argument just given. */
static bool is_value_of(const char *argument, const char *value)
{
    const char *equals = strchr(argument, '=');
    return equals && value == equals + 1;
}

static void check_ticket(const char *ticket)
{
    uint8_t bytes[32];
    char again[STREAM_TICKET_LEN + 1];
    size_t len = 0;
    assert(base64url_decode(ticket, strlen(ticket), bytes, sizeof bytes, &len) && len == 32);
    base64url_encode(bytes, len, again);
    assert(strcmp(again, ticket) == 0);
}

static void check(const struct stream_request *before, const struct stream_request *now,
                  const char *argument, bool taken)
{
    assert(taken || memcmp(before, now, sizeof *now) == 0);
    assert(!taken || strncasecmp(argument, "token=", 6) != 0);
    assert(now->room_count <= STREAM_ROOMS_MAX && now->room_count - before->room_count <= 1);
    if (now->cursor != before->cursor)
        assert(!before->cursor && is_value_of(argument, now->cursor) && *now->cursor);
    if (now->ticket != before->ticket)
        check_ticket(now->ticket);
    if (now->room_count != before->room_count)
        assert(is_value_of(argument, now->rooms[before->room_count]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct stream_request request = {0};
    char *text = mem_dup((const char *)data, size);
    for (const char *at = text; at < text + size; at += strlen(at) + 1) {
        struct stream_request before = request;
        bool taken = stream_take(&request, at, strlen(at));
        check(&before, &request, at, taken);
    }
    stream_take_header(&request, text);
    assert(!*text || request.cursor == text);
    free(text);
    return 0;
}
