/* session.h - one client from its acceptance to its reaping. */
#ifndef VIGIE_CORE_SESSION_H
#define VIGIE_CORE_SESSION_H

#include "core/hub.h"
#include "core/outq.h"

enum session_state {
    SESSION_ACCEPTED, /* nobody yet: only `auth` is understood, and only for a while */
    SESSION_ADMITTED, /* known; the rooms it asked for and the reach of its cursor being looked up
                       */
    SESSION_CATCHING_UP, /* `ready` was said; older events are on their way, in order */
    SESSION_LIVE,        /* each event as it comes */
    SESSION_CLOSED,      /* left every room, queue dropped; waits to be reaped */
    SESSION_STATE_COUNT
};

/* What the socket's side does for a session. */
struct transport {
    /* Writes what session_peek() gives until it is empty or the socket takes no more; then calls
     * session_drained() whenever the socket has room again. */
    void (*flush)(void *conn);
    /* Says goodbye and closes; session_gone() follows, not from inside this call. */
    void (*close)(void *conn, enum close_reason reason);
};

/* A room asked for whose permission is being looked up. It keeps its place, and its tag, until the
 * answer has come, also when nobody waits for it any more: a tag that is given anew too early would
 * lend the answer to another room. */
struct pending_join {
    char *room; /* NULL: no longer wanted */
    int64_t id;
    uint8_t tag; /* in the ticket */
};

/* A room asked for with the token and not given, to be told after `ready`. */
struct refusal {
    struct refusal *next;
    const char *code; /* static */
    char room[];
};

struct session {
    struct hub *hub;
    const struct protocol *protocol;
    const struct transport *transport;
    void *conn;
    struct company *company; /* set once, with the first token; never changed */
    struct user *user;
    struct session *prev; /* in user->sessions */
    struct session *next;
    struct session *next_closed;
    char *issuer;
    char *roles;   /* joined by '\n' */
    char *address; /* of the peer, for log lines */
    struct seat *seats;
    struct pending_join *pending;
    struct refusal *refusals;
    struct outq outq;
    uint64_t id; /* random, for logs and `ready` */
    int64_t pos; /* the last position queued; nothing at or before it is queued again */
    int64_t opened_ms;
    int64_t heard_ms;
    int64_t beat_ms;     /* when the last heartbeat was queued */
    int64_t pinged_ms;   /* when the first ping since the last sign of life was; 0: none */
    int64_t progress_ms; /* when the queue was last empty or last gave a frame away */
    int64_t choked_ms;   /* since when the socket takes nothing; 0: it does */
    unsigned asked_era;  /* of the hub, at that question */
    int64_t retry_ms;    /* ask the database again then; 0: no */
    int64_t admitted_ms;
    int64_t expires_us; /* wall clock: what the token says */
    int64_t leeway_us;  /* and how much longer it may stay */
    int64_t expires_ms; /* the end of both, on the clock that does not jump */
    int64_t warn_us;    /* wall clock: when `expiring` is due */
    int64_t leave_ms;   /* drain: when its turn to go comes; 0: stays */
    uint64_t delivered;
    uint32_t slot;
    uint32_t generation;
    uint16_t seat_count;
    uint16_t replay_rows; /* how many to ask for: as many as the queue took the last times */
    uint8_t pending_count;
    uint8_t next_tag;
    uint8_t state; /* enum session_state */
    uint8_t close_reason;
    bool dirty;
    bool asking;    /* a replay question is out */
    bool resumed;   /* `ready` will say, or said, that the cursor was honoured */
    bool warned;    /* `expiring` was said for this token */
    bool doomed;    /* broke the isolation gate inside a room's walk: closed at the next flush */
    int8_t gap;     /* enum gap_reason to tell after `ready`, or -1 */
    int16_t speech; /* messages it may still send before it must wait */
    int64_t speech_ms;
    int64_t renewals_ms; /* up to when the renewals so far are paid for; see may_renew() */
};

/* A session for a socket that passed the gate. NULL when draining. `address` is copied. */
struct session *session_new(struct hub *hub, const struct protocol *protocol,
                            const struct transport *transport, void *conn, const char *address);

/* The first token, or a fresh one in band. `cursor` (NULL: none) and `rooms` (asked for again after
 * a reconnection, so that the replay covers them) count only the first time. */
void session_auth(struct session *session, const char *token, size_t token_len, const char *cursor,
                  const char *const *rooms, size_t room_count);
/* The token was verified by the door itself (Authorization header). */
void session_admit(struct session *session, const struct identity *identity, const char *cursor,
                   const char *const *rooms, size_t room_count);
/* `id` is the client's, below 0 when it gave none. */
void session_join(struct session *session, const char *room, int64_t id);
void session_leave(struct session *session, const char *room, int64_t id);

/* The peer gave a sign of life. */
void session_heard(struct session *session);
/* The peer sent a message, a part of one or an unasked sign of life: false, and the session is
 * closing, when it talks too much. */
bool session_spoke(struct session *session);
/* Queues a frame for this session alone and gives up the reference. */
void session_send(struct session *session, struct frame *frame);
/* Ends it from our side: leaves every room and drops its work first, so that nothing can follow the
 * close frame. Does nothing the second time. */
void session_close(struct session *session, enum close_reason reason);
/* The socket is gone. The session is reaped at the end of the turn. */
void session_gone(struct session *session);

/* Where to go on after all that was queued so far, for a door whose answers stand alone. As long as
 * a gap is still to be told, that is nowhere: whoever comes back with it is told one. False: nobody
 * is known, or it is closed. */
bool session_cursor(const struct session *session, char text[CURSOR_TEXT_MAX]);

/* For the transport: the next frame that may go out, borrowed, or NULL. The last isolation gate
 * stands here. */
struct frame *session_peek(struct session *session);
void session_pop(struct session *session);
/* Moves whole frames into `bytes`, as many as fit and may go out; returns their length. */
size_t session_fill(struct session *session, unsigned char *bytes, size_t size);
/* The socket takes nothing more for now, though the queue may be empty: the rest lies in the
 * transport; or it takes again. One that stays choked is a slow consumer. */
void session_choked(struct session *session, bool choked);
/* The socket has room again. */
void session_drained(struct session *session);

/* For the router: queues an event of the session's company. False when the queue is full: the
 * session then catches up by itself, once it is read from again. */
bool session_deliver(struct session *session, struct event *event, unsigned room_index);
/* Queues what `event` holds for this session, whichever of its rooms it came to; true also when it
 * holds nothing. */
bool session_deliver_any(struct session *session, struct event *event);
/* Goes on from session->pos: memory, else the database. */
void session_catch_up(struct session *session);
void session_replayed(struct session *session, const struct replay *replay);
void session_join_answered(struct session *session, uint8_t tag, enum permission permission);
/* Whether the answer to that question would still change anything. */
bool session_awaits(const struct session *session, uint8_t tag);
/* Tells a gap and goes on from the present. */
void session_gap(struct session *session, enum gap_reason reason);
/* Its deadlines, once a second. */
void session_tick(struct session *session, int64_t now_ms, int64_t wall_us);

/* What a question to the database is known by: slot, generation, and which question. */
enum { TICKET_REPLAY = 255 };
uint64_t session_ticket(const struct session *session, uint8_t tag);

#endif
