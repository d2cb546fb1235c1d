/* Packets as they come: <type>[<n>-][/<namespace>,][<ack id>][json] */
#include "proto/socketio.h"

#include <jansson.h>
#include <string.h>

/* Ids that a JavaScript number holds exactly. */
enum { ID_DIGITS_MAX = 15 };

struct reader {
    const char *at;
    const char *end;
};

static bool is_digit(const struct reader *in)
{
    return in->at < in->end && *in->at >= '0' && *in->at <= '9';
}

/* Takes at most `max` digits; below 0 when there is none. One more is no packet: neither '-' nor
 * JSON, of an array, begins so. */
static int64_t take_number(struct reader *in, int max)
{
    int64_t number = is_digit(in) ? 0 : -1;
    for (int i = 0; i < max && is_digit(in); i++)
        number = number * 10 + (*in->at++ - '0');
    return number;
}

static enum socketio_type take_type(struct reader *in)
{
    if (!is_digit(in) || *in->at > '6')
        return SOCKETIO_BAD;
    return (enum socketio_type)(*in->at++ - '0');
}

static bool has_attachments(enum socketio_type type)
{
    return type == SOCKETIO_BINARY_EVENT || type == SOCKETIO_BINARY_ACK;
}

static bool take_attachments(struct reader *in, struct socketio_packet *packet)
{
    int64_t count = take_number(in, 2);
    if (count < 0 || count > SOCKETIO_ATTACHMENTS_MAX || in->at == in->end || *in->at++ != '-')
        return false;
    packet->attachments = (unsigned)count;
    return true;
}

/* Printable ASCII: one that is not known is told back as it came. */
static bool is_namespace(const char *text, size_t len)
{
    if (len > SOCKETIO_NAMESPACE_BYTES_MAX)
        return false;
    for (size_t i = 0; i < len; i++)
        if (text[i] <= ' ' || text[i] > '~')
            return false;
    return true;
}

static bool take_namespace(struct reader *in, struct socketio_packet *packet)
{
    if (in->at == in->end || *in->at != '/')
        return true;
    const char *name = in->at;
    const char *comma = memchr(name, ',', (size_t)(in->end - name));
    const char *end = comma ? comma : in->end;
    const char *query = memchr(name, '?', (size_t)(end - name));
    size_t len = (size_t)((query ? query : end) - name);
    in->at = comma ? comma + 1 : end;
    if (!is_namespace(name, len))
        return false;
    memcpy(packet->nsp, name, len);
    packet->nsp[len] = '\0';
    return true;
}

static void take_id(struct reader *in, struct socketio_packet *packet)
{
    packet->id = take_number(in, ID_DIGITS_MAX);
}

/* A number of JavaScript may be larger than jansson's integers, and means nothing to us. */
static json_t *load(const struct reader *in)
{
    json_error_t error;
    size_t len = (size_t)(in->end - in->at);
    json_t *json = json_loadb(in->at, len, JSON_REJECT_DUPLICATES, &error);
    if (!json && json_error_code(&error) == json_error_numeric_overflow)
        json = json_loadb(in->at, len, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, NULL);
    return json;
}

static bool is_event(const json_t *json)
{
    const json_t *name = json_array_get(json, 0);
    return json_is_number(name) ||
           (json_is_string(name) && !socketio_is_reserved(json_string_value(name)));
}

static bool take_json(const struct reader *in, enum socketio_type type,
                      struct socketio_packet *packet)
{
    bool none = in->at == in->end;
    if (!none)
        packet->json = load(in);
    switch (type) {
    case SOCKETIO_CONNECT:
        return packet->id < 0 && (none || json_is_object((json_t *)packet->json));
    case SOCKETIO_DISCONNECT:
        return packet->id < 0 && none;
    case SOCKETIO_EVENT:
    case SOCKETIO_BINARY_EVENT:
        return is_event(packet->json);
    case SOCKETIO_ACK:
    case SOCKETIO_BINARY_ACK:
        return packet->id >= 0 && json_is_array((json_t *)packet->json);
    case SOCKETIO_CONNECT_ERROR:
        return true; /* whatever it says, no client may say it */
    case SOCKETIO_BAD:
        break;
    }
    return false;
}

void socketio_parse(const char *text, size_t len, struct socketio_packet *packet)
{
    struct reader in = {text, text + len};
    *packet = (struct socketio_packet){.type = SOCKETIO_BAD, .nsp = "/", .id = -1};
    enum socketio_type type = take_type(&in);
    if (has_attachments(type) && !take_attachments(&in, packet))
        return;
    if (!take_namespace(&in, packet))
        return;
    take_id(&in, packet);
    if (take_json(&in, type, packet))
        packet->type = type;
}

void socketio_packet_free(struct socketio_packet *packet)
{
    json_decref(packet->json);
    packet->json = NULL;
}

bool socketio_is_reserved(const char *name)
{
    static const char *const names[] = {"connect",       "connect_error", "disconnect",
                                        "disconnecting", "newListener",   "removeListener"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}
