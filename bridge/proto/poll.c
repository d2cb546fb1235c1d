#include "proto/poll.h"

#include "proto/native.h"
#include "proto/wsframe.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A queue holds events as WebSocket frames, whose first byte is 0x81, and notes to ourselves. */
enum note {
    NOTE_NOTHING = 'n',
    NOTE_REFUSED = 'r', /* and the code */
    NOTE_GAP = 'g',     /* and the reason */
    NOTE_DRAIN = 'd'    /* and the milliseconds */
};

/* ---- what the core says ---- */

static struct frame *note(enum note kind, const char *text)
{
    size_t size = strlen(text) + 1;
    struct frame *frame = frame_new(1 + size);
    frame->bytes[0] = (unsigned char)kind;
    memcpy(frame->bytes + 1, text, size);
    return frame;
}

/* The very frames of the native door: who comes first encodes for both. */
static struct frame *say_event(const struct event *event, const char *room, const char *cursor)
{
    return native_protocol.event(event, room, cursor);
}

static struct frame *say_ready(const struct session *session, const char *cursor, bool resumed,
                               int64_t expires_in_s, int64_t heartbeat_s)
{
    (void)session, (void)cursor, (void)resumed, (void)expires_in_s, (void)heartbeat_s;
    return note(NOTE_NOTHING, "");
}

static struct frame *say_gap(enum gap_reason reason, const char *cursor)
{
    (void)cursor; /* the answer ends with one */
    return note(NOTE_GAP, gap_reason_names[reason]);
}

static struct frame *say_no_number(int64_t number)
{
    (void)number;
    return note(NOTE_NOTHING, "");
}

static struct frame *say_no_room(const char *room, int64_t id, const char *cursor)
{
    (void)room, (void)id, (void)cursor;
    return note(NOTE_NOTHING, "");
}

static struct frame *say_no_text(const char *text, int64_t id)
{
    (void)text, (void)id;
    return note(NOTE_NOTHING, "");
}

static struct frame *say_refused(const char *room, const char *code)
{
    (void)room;
    return note(NOTE_REFUSED, code);
}

static struct frame *say_drain(int64_t retry_after_ms)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, retry_after_ms);
    return note(NOTE_DRAIN, text);
}

/* No heartbeat: the answer is one. */
const struct protocol poll_protocol = {
    .index = PROTOCOL_NATIVE,
    .name = "poll",
    .brief = true,
    .event = say_event,
    .ready = say_ready,
    .gap = say_gap,
    .expiring = say_no_number,
    .renewed = say_no_number,
    .joined = say_no_room,
    .left = say_no_text,
    .error = say_no_text,
    .refused = say_refused,
    .drain = say_drain,
};

/* ---- the answer ---- */

static enum note kind_of(const struct frame *frame)
{
    return (enum note)frame->bytes[0];
}

/* What says nothing must not wait: a queue that nobody reads is a slow consumer, and one that is
 * not empty takes no event larger than itself. */
static struct frame *first_word(struct session *session)
{
    struct frame *frame;
    while ((frame = session_peek(session)) && kind_of(frame) == NOTE_NOTHING)
        session_pop(session);
    return frame;
}

/* The core goes on with older events when the queue is empty, which may close the session. */
static struct frame *settle(struct session *session)
{
    struct frame *frame = first_word(session);
    if (frame)
        return frame;
    session_drained(session);
    return first_word(session);
}

/* More of the past is on its way; as long as the core asks for it, there is room for it. */
static bool is_coming(const struct session *session)
{
    return session->state == SESSION_CATCHING_UP && session->asking;
}

bool poll_is_due(struct session *session)
{
    const struct frame *frame = settle(session);
    if (session->state != SESSION_LIVE && session->state != SESSION_CATCHING_UP)
        return false;
    if (!session->resumed || session->leave_ms)
        return true;
    return frame && !is_coming(session);
}

const char *poll_refusal(struct session *session)
{
    const struct frame *frame = first_word(session);
    return frame && kind_of(frame) == NOTE_REFUSED ? (const char *)frame->bytes + 1 : NULL;
}

struct answer {
    struct buf *body;
    size_t events;
    char gap[16]; /* the last one; empty: none */
    char drain[24];
};

static void take(struct answer *answer, const struct frame *frame)
{
    const char *text = (const char *)frame->bytes + 1;
    switch (kind_of(frame)) {
    case NOTE_NOTHING:
    case NOTE_REFUSED:
        return;
    case NOTE_GAP:
        snprintf(answer->gap, sizeof answer->gap, "%s", text);
        return;
    case NOTE_DRAIN:
        snprintf(answer->drain, sizeof answer->drain, "%s", text);
        return;
    }
    size_t len;
    const void *event = wsframe_payload(frame, &len);
    if (answer->events++)
        buf_char(answer->body, ',');
    buf_add(answer->body, event, len);
}

void poll_body(struct session *session, struct buf *body)
{
    struct answer answer = {.body = body};
    char cursor[CURSOR_TEXT_MAX];
    struct frame *frame;
    buf_str(body, "{\"events\":[");
    while ((frame = session_peek(session))) {
        take(&answer, frame);
        session_pop(session);
    }
    buf_char(body, ']');
    if (*answer.gap)
        buf_fmt(body, ",\"gap\":\"%s\"", answer.gap);
    if (session_cursor(session, cursor))
        buf_fmt(body, ",\"cursor\":\"%s\"", cursor);
    if (*answer.drain)
        buf_fmt(body, ",\"retry_after_ms\":%s", answer.drain);
    buf_char(body, '}');
}
