#include "proto/sse.h"

#include "proto/native.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

/* A payload of nothing but line ends, each become "\ndata: ", and all that stands around it. */
enum { BLOCK_MAX = 8 * EVENT_PAYLOAD_BYTES_MAX + 4096 };

static struct frame *say(struct buf *text)
{
    assert(!text->overflow); /* every part of a block has a ceiling below BLOCK_MAX */
    struct frame *frame = frame_copy(text->bytes, text->len);
    buf_free(text);
    return frame;
}

/* Without a cursor the client's Last-Event-ID stays what it was. */
static struct buf begin(const char *cursor, const char *event)
{
    struct buf text;
    buf_init(&text, BLOCK_MAX);
    if (cursor)
        buf_fmt(&text, "id: %s\n", cursor);
    buf_fmt(&text, "event: %s\n", event);
    return text;
}

/* A line end in a payload would end its field, and two of them the block: what follows could then
 * pretend to be an event. The append to the log has replaced them already; this door does not
 * depend on it. Between the values of a JSON text, the only place for them, they mean nothing. */
static void put_data(struct buf *text, const char *data, size_t len)
{
    const char *end = data + len;
    buf_str(text, "data: ");
    for (const char *line = data; line < end;) {
        const char *stop = line;
        while (stop < end && *stop != '\n' && *stop != '\r')
            stop++;
        buf_add(text, line, (size_t)(stop - line));
        if (stop < end)
            buf_str(text, "\ndata: ");
        line = stop + 1;
    }
    buf_str(text, "\n\n");
}

static struct frame *say_event(const struct event *event, const char *room, const char *cursor)
{
    (void)room; /* the payload alone: an EventSource has no place for more */
    struct buf text = begin(cursor, event->name);
    put_data(&text, event->payload, event->payload_len);
    return say(&text);
}

static struct frame *say_ready(const struct session *session, const char *cursor, bool resumed,
                               int64_t expires_in_s, int64_t heartbeat_s)
{
    (void)expires_in_s; /* a stream cannot take a new token */
    struct buf text = begin(cursor, "vigie:ready");
    buf_str(&text, "data: {");
    native_put_session(&text, session, cursor, resumed);
    buf_fmt(&text, ",\"heartbeat\":%" PRId64 "}\n\n", heartbeat_s);
    return say(&text);
}

static struct frame *say_gap(enum gap_reason reason, const char *cursor)
{
    struct buf text = begin(cursor, "vigie:gap");
    buf_fmt(&text, "data: {\"reason\":\"%s\",\"cursor\":\"%s\"}\n\n", gap_reason_names[reason],
            cursor);
    return say(&text);
}

/* No data: nothing is dispatched, and yet Last-Event-ID moves on (WHATWG HTML, 9.2.6). */
static struct frame *say_heartbeat(const char *cursor)
{
    struct buf text;
    buf_init(&text, BLOCK_MAX);
    buf_fmt(&text, ": heartbeat\nid: %s\n\n", cursor);
    return say(&text);
}

static struct frame *say_number(const char *event, const char *name, int64_t value)
{
    struct buf text = begin(NULL, event);
    buf_fmt(&text, "data: {\"%s\":%" PRId64 "}\n\n", name, value);
    return say(&text);
}

static struct frame *say_expiring(int64_t in_s)
{
    return say_number("vigie:expiring", "in", in_s);
}

static struct frame *say_text(const char *cursor, const char *event, const char *name,
                              const char *value)
{
    struct buf text = begin(cursor, event);
    buf_fmt(&text, "data: {\"%s\":", name);
    buf_json(&text, value, strlen(value));
    buf_str(&text, "}\n\n");
    return say(&text);
}

/* A stream cannot ask, so the four that follow are answers that it never hears as things are. */
static struct frame *say_renewed(int64_t expires_in_s)
{
    return say_number("vigie:renewed", "expires_in", expires_in_s);
}

static struct frame *say_joined(const char *room, int64_t id, const char *cursor)
{
    (void)id;
    return say_text(cursor, "vigie:joined", "room", room);
}

static struct frame *say_left(const char *room, int64_t id)
{
    (void)id;
    return say_text(NULL, "vigie:left", "room", room);
}

static struct frame *say_error(const char *code, int64_t id)
{
    (void)id;
    return say_text(NULL, "vigie:error", "code", code);
}

/* `retry:` makes an EventSource come back at that moment, and not all of them at once; the next
 * stream's preamble sets it right again. */
static struct frame *say_drain(int64_t retry_after_ms)
{
    struct buf text;
    buf_init(&text, BLOCK_MAX);
    buf_fmt(&text,
            "retry: %" PRId64 "\nevent: vigie:drain\ndata: {\"retry_after_ms\":%" PRId64 "}\n\n",
            retry_after_ms, retry_after_ms);
    return say(&text);
}

const struct protocol sse_protocol = {
    .index = PROTOCOL_SSE,
    .name = "sse",
    .event = say_event,
    .ready = say_ready,
    .gap = say_gap,
    .heartbeat = say_heartbeat,
    .expiring = say_expiring,
    .renewed = say_renewed,
    .joined = say_joined,
    .left = say_left,
    .error = say_error,
    .drain = say_drain,
};

struct frame *sse_preamble(int64_t retry_ms)
{
    struct buf text;
    buf_init(&text, BLOCK_MAX);
    buf_fmt(&text, "retry: %" PRId64 "\n: vigie\n\n", retry_ms);
    return say(&text);
}

struct frame *sse_goodbye(enum close_reason reason)
{
    struct buf text = begin(NULL, "vigie:close");
    buf_fmt(&text, "data: {\"code\":%d,\"reason\":\"%s\"}\n\n", close_codes[reason],
            close_names[reason]);
    return say(&text);
}
