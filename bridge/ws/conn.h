/* conn.h - one WebSocket: libwebsockets' callbacks on one side, a session on the other. */
#ifndef VIGIE_WS_CONN_H
#define VIGIE_WS_CONN_H

#include "ws/accept.h"
#include "ws/server.h"

#include <libwebsockets.h>

/* Per connection, in the memory that libwebsockets gives with it. */
struct conn {
    struct lws *wsi;
    struct server *server;
    struct session *session;
    struct buf message; /* the fragments of the message being received */
    bool choked;        /* libwebsockets holds bytes that the socket did not take */
    bool said_goodbye;  /* our close frame was written */
    bool closing;       /* nothing is written any more, whatever is asked */
    bool peer_closing;  /* the client sent a close frame first */
    uint8_t reason;     /* enum close_reason, once closing */
};

/* Callback of the protocols on the public listener's vhost. */
int conn_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                  size_t len);

#endif
