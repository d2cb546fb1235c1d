#include "proto/socketio_private.h"

#include "base/buf.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

enum { MESSAGE_MAX = EVENT_PAYLOAD_BYTES_MAX + 4096 };

#define RENAMED "2[\"vigie:renamed:"

static struct frame *say(struct buf *text)
{
    assert(!text->overflow); /* every part of a packet has a ceiling below MESSAGE_MAX */
    struct frame *frame = frame_copy(text->bytes, text->len);
    buf_free(text);
    return frame;
}

static struct buf begin(const char *text)
{
    struct buf out;
    buf_init(&out, MESSAGE_MAX);
    buf_str(&out, text);
    return out;
}

static void put(struct buf *out, const char *text)
{
    buf_json(out, text, strlen(text));
}

/* Cursors are base64url: nothing in them needs an escape. */
static struct frame *end_with(struct buf *out, const char *cursor)
{
    buf_fmt(out, ",\"%s\"]", cursor);
    return say(out);
}

/* ---- events of the database ---- */

static struct frame *say_event(const struct event *event, const char *room, const char *cursor)
{
    (void)room; /* a listener is told the name and the data, as it always was */
    struct buf out = begin("2[");
    if (socketio_is_reserved(event->name)) {
        buf_clear(&out);
        buf_fmt(&out, RENAMED "%s\"", event->name); /* none of them needs an escape */
    } else {
        put(&out, event->name);
    }
    buf_char(&out, ',');
    buf_add(&out, event->payload, event->payload_len);
    return end_with(&out, cursor);
}

bool socketio_was_renamed(const struct frame *frame)
{
    size_t len = sizeof RENAMED - 1;
    return frame->len > len && memcmp(frame->bytes, RENAMED, len) == 0;
}

/* ---- CONNECT ---- */

/* From where on an offset proves that the gap was heard. What it came back with may be where the
 * gap ends, or ahead of that if a bridge that had read more gave it; and behind a text that the
 * page has put in its place (auth.offset) such a one may hide. Then only what lies behind it proves
 * anything. */
static int64_t heard_from(const struct socket *socket)
{
    const struct session *session = socket->session;
    int64_t offset = 0;
    if (!socket->offered)
        return session->pos;
    switch (cursor_read(session->hub->codec, session->company->id, socket->offset, &offset)) {
    case CURSOR_OK:
        return offset >= session->pos ? offset + 1 : session->pos;
    case CURSOR_UNREADABLE:
        return session->pos + 1;
    case CURSOR_EPOCH:
        break;
    }
    return session->pos;
}

static void give_pid(struct socket *socket)
{
    const struct session *session = socket->session;
    const struct socketio_owner owner = socketio_owner_of(socket);
    bool gap = session->gap >= 0;
    uint8_t dice[SOCKETIO_PID_RANDOM];
    char pid[SOCKETIO_PID_LEN + 1];
    session->hub->options.random(dice, sizeof dice);
    socketio_pid_write(session->hub->codec, &owner, gap ? SOCKETIO_START_GAP : SOCKETIO_START_SURE,
                       gap ? heard_from(socket) : session->pos, dice, pid);
    socketio_set_pid(socket, pid);
}

static struct frame *say_ready(const struct session *session, const char *cursor, bool resumed,
                               int64_t expires_in_s, int64_t heartbeat_s)
{
    (void)expires_in_s; /* a stock client hands on nothing but sid and pid */
    (void)heartbeat_s;
    struct socket *socket = session->conn;
    struct socketio *door = socket->door;
    char sid[SOCKETIO_SID_LEN + 1];
    /* a page looks at `recovered` only: without a room that it had, it has not everything back */
    resumed = resumed && !session->refusals;
    enum socketio_connect result = session->gap >= 0 ? SOCKETIO_GAP
                                   : resumed         ? SOCKETIO_RECOVERED
                                                     : SOCKETIO_FRESH;
    if (!resumed)
        give_pid(socket);
    socketio_sid(socket->pid, sid);
    strcpy(socket->last_cursor, cursor);
    door->connects[result]++;
    struct buf out = begin("0{\"sid\":");
    put(&out, sid);
    if (!door->options.no_recovery)
        buf_fmt(&out, ",\"pid\":\"%s\"", socket->pid);
    buf_char(&out, '}');
    return say(&out);
}

/* ---- events of ours ---- */

static struct frame *say_gap(enum gap_reason reason, const char *cursor)
{
    struct buf out = begin("2[\"vigie:gap\",{\"reason\":");
    put(&out, gap_reason_names[reason]);
    buf_char(&out, '}');
    return end_with(&out, cursor);
}

/* Those without a cursor are left open at their end: the socket closes them with the last that
 * went out before. */
static struct frame *say_number(const char *name, const char *member, int64_t value)
{
    struct buf out = begin("2[");
    put(&out, name);
    buf_fmt(&out, ",{\"%s\":%" PRId64 "}", member, value);
    return say(&out);
}

bool socketio_is_open(const struct frame *frame)
{
    return frame->bytes[0] == '2' && frame->bytes[frame->len - 1] == '}';
}

static struct frame *say_expiring(int64_t in_s)
{
    return say_number("vigie:expiring", "in", in_s);
}

static struct frame *say_renewed(int64_t expires_in_s)
{
    return say_number("vigie:renewed", "expires_in", expires_in_s);
}

struct frame *socketio_renewal_ack(const struct session *session, int64_t id)
{
    int64_t left_us = session->expires_us - session->hub->options.wall_us();
    struct buf out = begin("3");
    buf_fmt(&out, "%" PRId64 "[{\"expires_in\":%" PRId64 "}]", id,
            left_us > 0 ? left_us / 1000000 : 0);
    return say(&out);
}

static struct frame *say_drain(int64_t retry_after_ms)
{
    return say_number("vigie:drain", "retry_after_ms", retry_after_ms);
}

/* 3<id>[{"room":…}] when an acknowledgement was asked for, else an event, open at its end. */
static struct buf answer(const char *event, int64_t id, const char *member, const char *value)
{
    struct buf out = begin(id < 0 ? "2[" : "3");
    if (id < 0) {
        put(&out, event);
        buf_char(&out, ',');
    } else {
        buf_fmt(&out, "%" PRId64 "[", id);
    }
    buf_fmt(&out, "{\"%s\":", member);
    put(&out, value);
    buf_char(&out, '}');
    return out;
}

static struct frame *say_joined(const char *room, int64_t id, const char *cursor)
{
    struct buf out = answer("vigie:joined", id, "room", room);
    if (id < 0)
        return end_with(&out, cursor);
    buf_char(&out, ']');
    return say(&out);
}

static struct frame *say_left(const char *room, int64_t id)
{
    struct buf out = answer("vigie:left", id, "room", room);
    if (id >= 0)
        buf_char(&out, ']');
    return say(&out);
}

static struct frame *say_error(const char *code, int64_t id)
{
    if (id < 0) {
        struct buf event = answer("vigie:error", id, "code", code);
        return say(&event);
    }
    struct buf out = begin("3");
    buf_fmt(&out, "%" PRId64 "[{\"error\":{\"code\":\"%s\"}}]", id, code);
    return say(&out);
}

static struct frame *say_refused(const char *room, const char *code)
{
    struct buf out = begin("2[\"vigie:error\",{\"code\":");
    put(&out, code);
    buf_str(&out, ",\"room\":");
    put(&out, room);
    buf_char(&out, '}');
    return say(&out);
}

const struct protocol socketio_protocol = {
    .index = PROTOCOL_SOCKETIO,
    .name = "socket.io",
    .event = say_event,
    .ready = say_ready,
    .gap = say_gap,
    .heartbeat = NULL, /* the engine's ping is the sign of life */
    .ping = NULL,
    .expiring = say_expiring,
    .renewed = say_renewed,
    .joined = say_joined,
    .left = say_left,
    .error = say_error,
    .refused = say_refused,
    .drain = say_drain,
};

/* ---- what belongs to no session ---- */

/* The type, and the namespace unless it is "/". */
static struct buf begin_reply(char type, const char *nsp)
{
    struct buf out;
    buf_init(&out, MESSAGE_MAX);
    buf_char(&out, type);
    if (strcmp(nsp, "/") != 0)
        buf_fmt(&out, "%s,", nsp);
    return out;
}

static void reply(struct client *client, struct buf *out)
{
    socketio_reply(client, out);
    buf_free(out);
}

void socketio_refuse(struct client *client, unsigned nsp, const char *code)
{
    struct buf out = begin_reply('4', socketio_name_of(client->door, nsp));
    buf_fmt(&out, "{\"message\":\"%s\",\"data\":{\"code\":\"%s\"}}", code, code);
    client->door->connects[SOCKETIO_REFUSED]++;
    reply(client, &out);
}

void socketio_refuse_namespace(struct client *client, const char *nsp)
{
    struct buf out = begin_reply('4', nsp);
    buf_str(&out, "{\"message\":\"Invalid namespace\"}");
    client->door->connects[SOCKETIO_REFUSED]++;
    reply(client, &out);
}

void socketio_dismiss(struct client *client, unsigned nsp)
{
    struct buf out = begin_reply('1', socketio_name_of(client->door, nsp));
    client->dismissed |= UINT32_C(1) << nsp;
    reply(client, &out);
}
