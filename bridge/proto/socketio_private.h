/* socketio_private.h - what the sources of this door share. */
#ifndef VIGIE_PROTO_SOCKETIO_PRIVATE_H
#define VIGIE_PROTO_SOCKETIO_PRIVATE_H

#include "proto/socketio.h"
#include "proto/socketio_pid.h"

enum socketio_connect {
    SOCKETIO_FRESH,
    SOCKETIO_RECOVERED,
    SOCKETIO_REFUSED,
    SOCKETIO_GAP,
    SOCKETIO_CONNECT_COUNT
};

struct socketio {
    struct socketio_options options; /* but for the namespaces */
    char *namespaces[SOCKETIO_NAMESPACES_MAX];
    struct socket *by_pid; /* those that have one, also while it is only claimed */
    struct socket *closed; /* by the core: to be told session_gone() */
    struct client *due;    /* their engines are to be woken, or closed */
    unsigned client_count;
    double *connects;    /* by result */
    double *refused;     /* packets that broke a rule */
    double *unsupported; /* events that nobody here understands */
    double *renamed;     /* events that went out under another name */
};

/* One namespace that a client has joined, or is joining. */
struct socket {
    UT_hash_handle hh;
    struct socketio *door;
    struct client *client; /* NULL: left; only session_gone() is still to come */
    struct session *session;
    struct socket *prev; /* in client->sockets */
    struct socket *next;
    struct socket *next_closed;
    unsigned nsp;                      /* index of its namespace: 0 is "/" */
    bool answered;                     /* CONNECT was, as far as the transport has taken it */
    char pid[SOCKETIO_PID_LEN + 1];    /* claimed, then given; empty: none */
    bool offered;                      /* an offset came with the pid */
    char offset[CURSOR_TEXT_MAX];      /* that, if it may be a cursor */
    char last_cursor[CURSOR_TEXT_MAX]; /* that went out */
};

/* One engine's. */
struct client {
    struct socketio *door;
    struct engine *engine;
    struct socket *sockets; /* the next to be read from comes first */
    struct socket *peeked;  /* whose frame peek() gave, or NULL */
    struct outq replies;    /* what belongs to no session; goes first */
    bool peeked_reply;
    struct buf own;                /* an event of ours, completed for peek() */
    struct socketio_packet packet; /* waits for its attachments */
    struct socketio_bytes attachments[SOCKETIO_ATTACHMENTS_MAX]; /* kept for hooks only */
    unsigned attachment_count;
    size_t attachment_bytes;
    uint32_t dismissed;  /* namespaces we took away: what was under way to them is no mistake */
    int64_t connects_ms; /* up to when the CONNECTs so far are paid for */
    bool ending;         /* for `reason` */
    enum close_reason reason;
    bool due;
    struct client *prev_due;
    struct client *next_due;
};

const char *socketio_name_of(const struct socketio *door, unsigned nsp);

/* Queues what belongs to no session: a packet with its namespace, without the engine's digit. It
 * goes out at the end of the turn. */
void socketio_reply(struct client *client, const struct buf *text);
/* Its engine is closed at the end of the turn; until then it hears and says nothing. */
void socketio_end(struct client *client, enum close_reason reason);
/* Ends a socket from the client's side, or the engine's, and frees it. */
void socketio_drop(struct socket *socket, enum close_reason reason);
/* Makes that pid its own, in the table too. Empty: none. */
void socketio_set_pid(struct socket *socket, const char *pid);
struct socketio_owner socketio_owner_of(const struct socket *socket);

/* One text, and one binary message of a client (socketio_hear.c). */
bool socketio_hear_text(void *state, const char *text, size_t len);
bool socketio_hear_binary(void *state, const void *bytes, size_t len);
void socketio_forget_packet(struct client *client);

/* {"message":NAME,"data":{"code":NAME}} behind 4 and the namespace; and a 1. */
void socketio_refuse(struct client *client, unsigned nsp, const char *code);
void socketio_dismiss(struct client *client, unsigned nsp);
void socketio_refuse_namespace(struct client *client, const char *nsp);
/* An event of ours is open at its end when it lacks the cursor. */
bool socketio_is_open(const struct frame *frame);
bool socketio_was_renamed(const struct frame *frame);

/* 3<id>[{"expires_in":…}], after the token was renewed. */
struct frame *socketio_renewal_ack(const struct session *session, int64_t id);

extern const struct transport socketio_transport;

#endif
