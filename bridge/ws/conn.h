/* conn.h - one WebSocket: libwebsockets' callbacks on one side, a session or an engine on the
 * other.
 *
 * What is the same for both is in conn.c: assembling messages, writing, choking, our own close
 * frame; what is not, in a table of functions for each. */
#ifndef VIGIE_WS_CONN_H
#define VIGIE_WS_CONN_H

#include "proto/engineio.h"
#include "ws/accept.h"
#include "ws/gate.h"
#include "ws/server.h"

#include <libwebsockets.h>

/* Per connection, in the memory that libwebsockets gives with it. */
struct conn {
    struct lws *wsi;
    struct server *server;
    const struct conn_kind *kind;
    struct session *session;     /* native */
    struct engine_socket socket; /* engine */
    struct conn *prev;           /* engines that have something to write, in server->woken */
    struct conn *next;
    struct buf message; /* the fragments of the message being received */
    bool woken;
    bool choked;       /* libwebsockets holds bytes that the socket did not take */
    bool said_goodbye; /* our close frame was written */
    bool closing;      /* nothing is written any more, whatever is asked */
    bool peer_closing; /* the client sent a close frame first */
    uint8_t reason;    /* enum close_reason, once closing */
    uint16_t frames;   /* of the message being received */
};

struct conn_kind {
    /* The opening handshake: 0, or what the callback returns when it was refused. */
    int (*handshake)(struct lws *wsi, struct server *server, struct peer *peer);
    void (*open)(struct conn *conn, struct peer *peer);
    /* Writes what waits with conn_write(), until that is false. */
    void (*flush)(struct conn *conn);
    void (*choked)(struct conn *conn, bool choked);
    /* A part of a message came; false: it is not wanted, and the connection is closing. */
    bool (*hear)(struct conn *conn, bool binary);
    /* The end of a frame that is not the message's last. */
    void (*frame)(struct conn *conn);
    /* A whole one, in conn->message. */
    void (*message)(struct conn *conn, bool binary);
    void (*broken)(struct conn *conn, enum close_reason reason);
    void (*pong)(struct conn *conn);
    bool (*is_known)(const struct conn *conn);
    /* It closed. */
    void (*gone)(struct conn *conn);
};

extern const struct conn_kind conn_native; /* our own protocol, at /ws */
extern const struct conn_kind conn_engine; /* Engine.IO */

/* False: the socket takes no more for now, or the connection is dying; the bytes were taken. */
bool conn_write(struct conn *conn, unsigned char *bytes, size_t len);
/* Writes what waits, if the socket takes it. */
void conn_flush(struct conn *conn);
/* Says goodbye and closes. */
void conn_close(struct conn *conn, enum close_reason reason);

/* Counts and logs a handshake that is refused; and answers it with a plain status. Returns what the
 * callback returns. */
void conn_note_refusal(struct lws *wsi, enum gate_verdict verdict);
int conn_refuse(struct lws *wsi, enum gate_verdict verdict);

/* Callback of the protocols on the public listener's vhost. */
int conn_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                  size_t len);

#endif
