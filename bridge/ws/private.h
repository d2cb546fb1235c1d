/* private.h - what the files of this layer share. */
#ifndef VIGIE_WS_PRIVATE_H
#define VIGIE_WS_PRIVATE_H

#include "core/ticket.h"
#include "ws/accept.h"
#include "ws/exchange.h"
#include "ws/gate.h"
#include "ws/server.h"
#include "ws/site.h"
#include "ws/tls.h"

/* One write holds at most this much: what many frames are gathered into. */
enum { WRITE_BYTES = 65536 };

/* What a page may load; empty: nothing. */
struct client_file {
    char *bytes;
    size_t len;
};

struct server {
    struct server_options options;
    struct lws_context *context;
    struct lws_vhost *door;  /* public: WebSocket and the demo site */
    struct lws_vhost *admin; /* health and metrics */
    struct acceptor acceptor;
    struct acceptor admin_acceptor;
    struct tls *tls;
    struct site *site;
    struct watchers *watchers;    /* of requests that are held */
    struct ticket_store *tickets; /* NULL: no streams here */
    struct exchange *polls;       /* held ones, in the order of coming */
    struct engines *engines;      /* NULL: no Engine.IO here */
    struct conn *woken;           /* engines with something to write */
    struct client_file client_file;
    struct loop_timer *tick;
    unsigned ticks;
    bool leaving;    /* no connection is used again */
    double *refused; /* handshakes, by enum gate_verdict */
    double *tls_expiry;
    double *tls_reloads;
    unsigned char scratch[LWS_PRE + ENGINE_FILL_BYTES];
};

/* Lets the library see the deadline that was just set from outside its callbacks: as a guest of a
 * libuv loop, 4.1.6 looks at its timers only after an event of a socket of its own. */
void server_kick(struct lws *wsi);

/* The server behind a connection. */
struct server *server_of(struct lws *wsi);

/* A whole small HTTP answer from memory, then the connection closes: keep-alive is not offered, it
 * would only widen what a stranger can reach. Returns what the callback returns. */
int http_answer(struct lws *wsi, unsigned status, const char *type, const char *body, size_t len);
/* Refuses an opening handshake: the library's own answers are pages of HTML. `body` is short.
 * Returns what the callback returns. */
int http_refuse_upgrade(struct lws *wsi, unsigned status, const char *type, const char *body);
/* The next part of that answer, in HTTP_WRITEABLE. */
int http_continue(struct lws *wsi);

int admin_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                   size_t len);

#endif
