/* server.h - the sockets' side of the bridge: two listeners, TLS, WebSocket, a little HTTP.
 *
 * Only this layer includes libwebsockets.h. It runs on our loop as a guest; we accept, it speaks.
 */
#ifndef VIGIE_WS_SERVER_H
#define VIGIE_WS_SERVER_H

#include "base/err.h"
#include "base/loop.h"
#include "core/session.h"
#include "proto/engineio.h"

struct server_list {
    const char *const *items;
    size_t count;
};

struct server_options {
    struct loop *loop;
    struct hub *hub;
    struct metrics *metrics;
    const char *address; /* numeric */
    int port;            /* 0: any free one */
    bool tls;
    const char *certificate;    /* PEM chain */
    const char *private_key;    /* PEM */
    struct server_list origins; /* exact; a browser of another one is refused */
    struct server_list hosts;   /* empty: any */
    const char *site;           /* folder served at / and /demo, or NULL */
    const char *admin_address;
    int admin_port;
    unsigned max_sessions;
    unsigned max_per_address; /* an IPv6 address counts by its /64 */
    unsigned max_unauthenticated;
    size_t max_message_bytes;
    int64_t header_timeout_ms;

    bool streams; /* /events, /poll, /ticket */
    int64_t retry_ms;
    int64_t poll_hold_ms;
    int64_t ticket_ttl_ms;
    size_t tickets; /* that may wait to be used */

    /* Engine.IO: times, packets_per_second, upper and upper_arg count, the rest is filled in here.
     * Without `upper` there is no such door. */
    struct engine_options engine;
    const char *engine_path; /* "/socket.io"; a slash may follow in requests */
    const char *client_file; /* served below that path, or NULL */

    void *arg;
    /* The identity behind a token of an Authorization header; false: refused with 401. */
    bool (*verify)(void *arg, const char *token, size_t len, const char *address,
                   struct identity *identity);
    /* Whether an engine may begin now; NULL: always. */
    bool (*available)(void *arg);
    /* Appends why the bridge is not ready, as JSON members; true when it is. */
    bool (*ready)(void *arg, struct buf *why);
    /* Brings the gauges up to date, before metrics are printed. */
    void (*refresh)(void *arg);
};

struct server;

/* Binds both listeners and loads the certificate; nothing is accepted yet. NULL with `err`. */
struct server *server_new(const struct server_options *options, struct err *err) MUST_USE;
/* Whether the pair could be served; `err` says why not. */
bool server_check_tls(const char *certificate, const char *private_key, struct err *err);
/* Accepts from now on. */
void server_start(struct server *server);
/* To be called at the end of each turn, after hub_flush(): writes what engines have to say. True
 * when there is more to do, in another turn. */
bool server_flush(struct server *server);
/* No new engine, and connections that are open are not used again for another request. The public
 * listener is closed as soon as no engine polls: a client whose requests are connections of their
 * own could not even be told to go. What else comes in until then is refused by its door. */
void server_drain(struct server *server);
/* Whether all have gone, after server_drain(). */
bool server_is_drained(struct server *server);
/* The same at once, whoever polls; the admin listener stays. */
void server_stop_accepting(struct server *server);
/* Reads certificate and key anew. The old pair stays in service, with `err` set, when the new one
 * cannot be used; sessions are not touched. */
bool server_reload_tls(struct server *server, struct err *err);
/* The lists and limits that a reload may change; the texts stay borrowed. */
void server_reconfigure(struct server *server, const struct server_options *options);
/* Which libwebsockets runs here. */
const char *server_library(void);
int server_port(const struct server *server);
int server_admin_port(const struct server *server);
/* How many sockets of the public listener are open. */
unsigned server_connections(const struct server *server);
/* Closes what is left. No session is told anything any more. NULL is allowed. */
void server_free(struct server *server);

#endif
