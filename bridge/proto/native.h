/* native.h - vigie.v1: one JSON object a WebSocket text frame (docs/protocol.md). */
#ifndef VIGIE_PROTO_NATIVE_H
#define VIGIE_PROTO_NATIVE_H

#include "base/buf.h"
#include "core/session.h"

extern const struct protocol native_protocol;

/* What `ready` says of a session, as members of an object, for the doors that say it too: session,
 * user, company, rooms, cursor, resumed. Fits NATIVE_READY_MAX with much to spare. */
enum { NATIVE_READY_MAX = 256 * 1024 };
void native_put_session(struct buf *text, const struct session *session, const char *cursor,
                        bool resumed);

/* What a client may say. */
enum native_type {
    NATIVE_AUTH,
    NATIVE_JOIN,
    NATIVE_LEAVE,
    NATIVE_PING,    /* {"type":"ping"}: a client's own sign of life; nothing is answered */
    NATIVE_UNKNOWN, /* a type from the future */
    NATIVE_BAD      /* not an object, a member of the wrong kind, a member missing */
};

enum { NATIVE_ROOMS_MAX = 64 };

/* One message; its text lives in `json` until native_message_free(). */
struct native_message {
    enum native_type type;
    void *json;
    const char *token;
    size_t token_len;
    const char *cursor; /* NULL: none */
    const char *room;
    const char *rooms[NATIVE_ROOMS_MAX];
    size_t room_count;
    int64_t id; /* below 0: none */
};

/* Never fails: what cannot be understood is NATIVE_BAD. Duplicate members, trailing bytes, NUL and
 * nesting beyond jansson's limit are refused. */
void native_parse(const char *bytes, size_t len, struct native_message *message);
void native_message_free(struct native_message *message);

/* One whole text message from the session's client: understood and acted on. */
void native_receive(struct session *session, const char *bytes, size_t len);

#endif
