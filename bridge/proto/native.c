#include "proto/native.h"

#include "base/buf.h"
#include "proto/wsframe.h"

#include <assert.h>
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

enum { MESSAGE_MAX = EVENT_PAYLOAD_BYTES_MAX + 4096 };

/* ---- saying ---- */

static struct frame *say(struct buf *text)
{
    assert(!text->overflow); /* every part of a message has a ceiling below MESSAGE_MAX */
    struct frame *frame = wsframe_new(WSFRAME_TEXT, text->bytes, text->len);
    buf_free(text);
    return frame;
}

static struct buf begin(const char *type)
{
    struct buf text;
    buf_init(&text, MESSAGE_MAX);
    buf_fmt(&text, "{\"type\":\"%s\"", type);
    return text;
}

static void member(struct buf *text, const char *name, const char *value)
{
    buf_fmt(text, ",\"%s\":", name);
    buf_json(text, value, strlen(value));
}

static void number(struct buf *text, const char *name, int64_t value)
{
    buf_fmt(text, ",\"%s\":%" PRId64, name, value);
}

static struct frame *finish(struct buf *text)
{
    buf_char(text, '}');
    return say(text);
}

static struct frame *say_event(const struct event *event, const char *room, const char *cursor)
{
    struct buf text = begin("event");
    member(&text, "event", event->name);
    member(&text, "room", room);
    member(&text, "cursor", cursor);
    member(&text, "at", event->at);
    buf_str(&text, ",\"data\":");
    buf_add(&text, event->payload, event->payload_len);
    return finish(&text);
}

static void put_rooms(struct buf *text, const struct session *session)
{
    buf_str(text, ",\"rooms\":[");
    for (unsigned i = 0; i < session->seat_count; i++) {
        const char *name = session->seats[i].room->name;
        if (i)
            buf_char(text, ',');
        buf_json(text, name, strlen(name));
    }
    buf_char(text, ']');
}

void native_put_session(struct buf *text, const struct session *session, const char *cursor,
                        bool resumed)
{
    buf_fmt(text, "\"session\":\"%016" PRIx64 "\"", session->id);
    member(text, "user", session->user->name);
    member(text, "company", session->company->id);
    put_rooms(text, session);
    member(text, "cursor", cursor);
    buf_str(text, resumed ? ",\"resumed\":true" : ",\"resumed\":false");
}

static struct frame *say_ready(const struct session *session, const char *cursor, bool resumed,
                               int64_t expires_in_s, int64_t heartbeat_s)
{
    struct buf text = begin("ready");
    text.ceiling_bytes = NATIVE_READY_MAX;
    buf_char(&text, ',');
    native_put_session(&text, session, cursor, resumed);
    number(&text, "expires_in", expires_in_s);
    number(&text, "heartbeat", heartbeat_s);
    return finish(&text);
}

static struct frame *say_gap(enum gap_reason reason, const char *cursor)
{
    struct buf text = begin("gap");
    member(&text, "reason", gap_reason_names[reason]);
    member(&text, "cursor", cursor);
    return finish(&text);
}

static struct frame *say_heartbeat(const char *cursor)
{
    struct buf text = begin("heartbeat");
    member(&text, "cursor", cursor);
    return finish(&text);
}

static struct frame *say_ping(void)
{
    /* with a payload: libwebsockets 4.1.6 tells nobody of an empty pong */
    return wsframe_new(WSFRAME_PING, "vigie", 5);
}

static struct frame *say_expiring(int64_t in_s)
{
    struct buf text = begin("expiring");
    number(&text, "in", in_s);
    return finish(&text);
}

static struct frame *say_renewed(int64_t expires_in_s)
{
    struct buf text = begin("renewed");
    number(&text, "expires_in", expires_in_s);
    return finish(&text);
}

static struct frame *say_joined(const char *room, int64_t id, const char *cursor)
{
    struct buf text = begin("joined");
    member(&text, "room", room);
    if (id >= 0)
        number(&text, "id", id);
    member(&text, "cursor", cursor);
    return finish(&text);
}

static struct frame *say_left(const char *room, int64_t id)
{
    struct buf text = begin("left");
    member(&text, "room", room);
    if (id >= 0)
        number(&text, "id", id);
    return finish(&text);
}

static struct frame *say_error(const char *code, int64_t id)
{
    struct buf text = begin("error");
    member(&text, "code", code);
    if (id >= 0)
        number(&text, "id", id);
    return finish(&text);
}

static struct frame *say_drain(int64_t retry_after_ms)
{
    struct buf text = begin("drain");
    number(&text, "retry_after_ms", retry_after_ms);
    return finish(&text);
}

const struct protocol native_protocol = {
    .index = PROTOCOL_NATIVE,
    .name = "vigie.v1",
    .event = say_event,
    .ready = say_ready,
    .gap = say_gap,
    .heartbeat = say_heartbeat,
    .ping = say_ping,
    .expiring = say_expiring,
    .renewed = say_renewed,
    .joined = say_joined,
    .left = say_left,
    .error = say_error,
    .drain = say_drain,
};

/* ---- hearing ---- */

/* An optional string member: true when it is absent or a string. */
static bool take_string(const json_t *object, const char *name, const char **value, size_t *len)
{
    const json_t *member_value = json_object_get(object, name);
    if (!member_value)
        return true;
    *value = json_string_value(member_value);
    if (len)
        *len = json_string_length(member_value);
    return *value != NULL;
}

static bool take_id(const json_t *object, int64_t *id)
{
    const json_t *value = json_object_get(object, "id");
    if (!value)
        return true;
    *id = json_integer_value(value);
    return json_is_integer(value) && *id >= 0;
}

static bool take_rooms(const json_t *object, struct native_message *message)
{
    const json_t *rooms = json_object_get(object, "rooms");
    if (!rooms)
        return true;
    if (!json_is_array(rooms) || json_array_size(rooms) > NATIVE_ROOMS_MAX)
        return false;
    for (size_t i = 0; i < json_array_size(rooms); i++) {
        const char *room = json_string_value(json_array_get(rooms, i));
        if (!room)
            return false;
        message->rooms[message->room_count++] = room;
    }
    return true;
}

static enum native_type type_of(const json_t *object)
{
    static const char *const names[] = {"auth", "join", "leave", "ping"};
    const char *type = json_string_value(json_object_get(object, "type"));
    if (!type)
        return NATIVE_BAD;
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(type, names[i]) == 0)
            return (enum native_type)i;
    return NATIVE_UNKNOWN;
}

static bool is_complete(const json_t *object, struct native_message *message)
{
    bool typed = take_string(object, "token", &message->token, &message->token_len) &&
                 take_string(object, "cursor", &message->cursor, NULL) &&
                 take_string(object, "room", &message->room, NULL) &&
                 take_id(object, &message->id) && take_rooms(object, message);
    if (!typed)
        return false;
    if (message->type == NATIVE_AUTH)
        return message->token != NULL;
    if (message->type == NATIVE_JOIN || message->type == NATIVE_LEAVE)
        return message->room != NULL;
    return true;
}

void native_parse(const char *bytes, size_t len, struct native_message *message)
{
    *message = (struct native_message){.type = NATIVE_BAD, .id = -1};
    json_t *object = json_loadb(bytes, len, JSON_REJECT_DUPLICATES, NULL);
    message->json = object;
    if (!json_is_object(object))
        return;
    message->type = type_of(object);
    bool known = message->type != NATIVE_BAD && message->type != NATIVE_UNKNOWN;
    if (known && !is_complete(object, message))
        message->type = NATIVE_BAD;
    if (message->type == NATIVE_UNKNOWN && !take_id(object, &message->id))
        message->id = -1;
}

void native_message_free(struct native_message *message)
{
    json_decref(message->json);
    message->json = NULL;
}

static void act(struct session *session, const struct native_message *message)
{
    switch (message->type) {
    case NATIVE_AUTH:
        session_auth(session, message->token, message->token_len, message->cursor, message->rooms,
                     message->room_count);
        return;
    case NATIVE_JOIN:
        session_join(session, message->room, message->id);
        return;
    case NATIVE_LEAVE:
        session_leave(session, message->room, message->id);
        return;
    case NATIVE_PING:
        return;
    case NATIVE_UNKNOWN:
        if (session->state == SESSION_ADMITTED)
            session_close(session, CLOSE_BAD_REQUEST); /* nothing is answered before `ready` */
        else
            session_send(session, say_error("unknown_type", message->id));
        return;
    case NATIVE_BAD:
        session_close(session, CLOSE_BAD_REQUEST);
    }
}

void native_receive(struct session *session, const char *bytes, size_t len)
{
    if (!session_spoke(session))
        return;
    struct native_message message;
    native_parse(bytes, len, &message);
    /* Before it is known who speaks, a token is all that is listened to. */
    if (session->state == SESSION_ACCEPTED && message.type != NATIVE_AUTH &&
        message.type != NATIVE_BAD)
        session_close(session, CLOSE_UNAUTHORIZED);
    else
        act(session, &message);
    native_message_free(&message);
}
