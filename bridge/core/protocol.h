/* protocol.h - what a door must be able to say; proto/ fills one table per protocol.
 *
 * The core decides what is said and to whom; only a protocol knows how it looks on the wire. Each
 * function returns a frame that the caller owns. */
#ifndef VIGIE_CORE_PROTOCOL_H
#define VIGIE_CORE_PROTOCOL_H

#include "core/frame.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event;
struct session;

/* Doors that encode events; each has its own cached frame per event and room. */
enum protocol_index { PROTOCOL_NATIVE, PROTOCOL_SSE, PROTOCOL_SOCKETIO, PROTOCOL_COUNT };

enum gap_reason { GAP_RETENTION, GAP_OVERFLOW, GAP_EPOCH, GAP_CURSOR, GAP_REASON_COUNT };
extern const char *const gap_reason_names[GAP_REASON_COUNT];

/* Why a session ends; the table of docs/protocol.md in code. */
enum close_reason {
    CLOSE_GOING_AWAY,
    CLOSE_RESTART,
    CLOSE_PROTOCOL,
    CLOSE_BINARY,
    CLOSE_UTF8,
    CLOSE_TOO_BIG,
    CLOSE_OVERLOADED,
    CLOSE_BAD_REQUEST,
    CLOSE_UNAUTHORIZED,
    CLOSE_FORBIDDEN,
    CLOSE_AUTH_TIMEOUT,
    CLOSE_REPLACED,
    CLOSE_RATE_LIMITED,
    CLOSE_TOKEN_EXPIRED,
    CLOSE_SLOW_CONSUMER,
    CLOSE_INTERNAL,
    CLOSE_DEAD,   /* no answer to a ping: nothing can be said */
    CLOSE_CLIENT, /* the client went first */
    CLOSE_REASON_COUNT
};
extern const unsigned short close_codes[CLOSE_REASON_COUNT];
/* The whole reason text on the wire, and the metric's label. */
extern const char *const close_names[CLOSE_REASON_COUNT];

struct protocol {
    enum protocol_index index;
    const char *name;
    bool brief; /* its sessions last a moment: they are logged for debugging only */
    struct frame *(*event)(const struct event *event, const char *room, const char *cursor);
    struct frame *(*ready)(const struct session *session, const char *cursor, bool resumed,
                           int64_t expires_in_s, int64_t heartbeat_s);
    struct frame *(*gap)(enum gap_reason reason, const char *cursor);
    struct frame *(*heartbeat)(const char *cursor); /* NULL: the door keeps itself alive */
    struct frame *(*ping)(void); /* a transport's own liveness probe, or NULL where it has none */
    struct frame *(*expiring)(int64_t in_s);
    struct frame *(*renewed)(int64_t expires_in_s);
    struct frame *(*joined)(const char *room, int64_t id, const char *cursor);
    struct frame *(*left)(const char *room, int64_t id);
    struct frame *(*error)(const char *code, int64_t id); /* id below 0: none was given */
    /* A room asked for with the token that is not among its rooms, said right after `ready`; NULL
     * where `ready` lists the rooms. */
    struct frame *(*refused)(const char *room, const char *code);
    struct frame *(*drain)(int64_t retry_after_ms);
};

#endif
