/* exchange.h - one HTTP request on a public connection, and its answer: at once, late, or a stream.
 *
 *     headers --> (body) --> held --> answered --> the next request, or the end
 *                              \----> streaming --------------------> the end
 *
 * What a request is about is for its door, a table of functions; what HTTP, browsers and
 * libwebsockets 4.1.6 ask for is here: ceilings, CORS on every answer, keep-alive, patience.
 *
 * While an answer is held, libwebsockets neither reads nor notices that the client went, and its
 * loop spins (measured; it has no state for that). So the socket is watched by an epoll set of our
 * own, edge-triggered, and what comes from a client that should be waiting, be it bytes or the end,
 * ends the connection. Requests that were sent in one go (pipelined) are answered in their turn;
 * the connection ends before one that has a body, which the library would get wrong. */
#ifndef VIGIE_WS_EXCHANGE_H
#define VIGIE_WS_EXCHANGE_H

#include "base/buf.h"
#include "proto/engineio.h"
#include "ws/accept.h"
#include "ws/server.h"

#include <libwebsockets.h>

struct door;

enum exchange_method {
    EXCHANGE_GET,
    EXCHANGE_HEAD,
    EXCHANGE_POST,
    EXCHANGE_OPTIONS,
    EXCHANGE_OTHER
};

/* What the headers say; the texts are borrowed until the door's open() returns. */
struct exchange_request {
    enum exchange_method method;
    const char *path;
    const char *arguments; /* "name=value", decoded, each with its NUL, one behind the other */
    size_t arguments_len;
    const char *token; /* of Authorization: Bearer; NULL: none */
    size_t token_len;
    bool bad_authorization;    /* that header, and no bearer token in it */
    bool token_in_query;       /* where logs and proxies would see it */
    const char *content_type;  /* "": none */
    const char *last_event_id; /* NULL: none */
};

enum exchange_state {
    EXCHANGE_HELD,    /* nothing was said yet */
    EXCHANGE_READING, /* its body is being read */
    EXCHANGE_STREAMING,
    EXCHANGE_ANSWERED, /* all is said, if not all written */
};

struct exchange {
    struct lws *wsi;
    struct server *server;
    struct peer *peer;
    const struct door *door;
    char *origin;         /* listed, or NULL: none was named */
    struct buf body;      /* of the request */
    struct buf out;       /* of the answer */
    const char *borrowed; /* a body that outlives the answer, sent from where it lies */
    size_t borrowed_len;
    size_t sent;
    int64_t length; /* of the body, as announced */
    int fd;
    uint16_t ends; /* of the body, as told by the library */
    uint8_t state; /* enum exchange_state */
    bool head_only;
    bool keep_alive;
    bool posted;    /* with a body, or where one is expected */
    bool body_left; /* not all of it was read */
    bool lingering;
    bool watched;
    bool choked;
    bool dying;

    /* the doors' own */
    struct engine_http http;
    struct session *session;
    struct exchange *prev; /* held polls, oldest first */
    struct exchange *next;
    bool slow;      /* this client asks too often: its answer waits */
    int64_t due_ms; /* when a held poll is answered, whatever it has; 0: it is in no list */
};

struct door {
    const char *methods; /* for a preflight, and where another one was used */
    bool echoes_headers; /* a preflight allows the headers that it asks for */
    /* The request is complete but for its body: answers, streams, asks for the body, or leaves it
     * held. */
    void (*open)(struct exchange *exchange, const struct exchange_request *request);
    /* The origin is not listed: NULL for the plain answer. */
    void (*forbid)(struct exchange *exchange);
    /* The whole body that was asked for; or it is longer than its ceiling. */
    void (*body)(struct exchange *exchange, const char *bytes, size_t len);
    void (*too_long)(struct exchange *exchange);
    /* A stream that was choked takes bytes again. */
    void (*writable)(struct exchange *exchange);
    /* It is over, answered or not; called once, whatever happened. NULL: nothing to give back. */
    void (*end)(struct exchange *exchange);
};

struct exchange_answer {
    unsigned status;
    const char *type; /* NULL: text/plain; charset=UTF-8 */
    const char *body;
    size_t len;
    unsigned retry_after_s; /* 0: not said */
    bool challenge;         /* WWW-Authenticate: Bearer */
    bool borrowed;          /* the body outlives every answer: not copied */
};

/* ---- for doors ---- */

/* The value of an argument, or NULL. */
const char *exchange_argument(const struct exchange_request *request, const char *name);
/* Reads the body, at most `ceiling_bytes`. */
void exchange_read(struct exchange *exchange, size_t ceiling_bytes);
/* The whole answer; copied unless borrowed. Does nothing the second time. */
void exchange_answer(struct exchange *exchange, const struct exchange_answer *answer);
/* {"error":CODE}. */
void exchange_refuse(struct exchange *exchange, unsigned status, const char *code);
/* The head of an answer that goes on until exchange_finish(). */
void exchange_stream(struct exchange *exchange, const char *type);
/* False when it takes no more for now (writable() follows) or is gone; all of it was taken. */
bool exchange_write(struct exchange *exchange, const void *bytes, size_t len);
void exchange_finish(struct exchange *exchange);
/* Ends the connection without a word; end() follows, not from inside this call. */
void exchange_kill(struct exchange *exchange);

/* ---- for the connection: libwebsockets' callbacks, and what they return ---- */

int exchange_open(struct lws *wsi, const struct door *door, const char *path);
int exchange_on_body(struct lws *wsi, const char *bytes, size_t len);
int exchange_on_body_end(struct lws *wsi);
int exchange_on_writeable(struct lws *wsi);
/* The connection is gone; may be called more than once. */
void exchange_gone(struct peer *peer);
static inline bool exchange_is_open(const struct peer *peer)
{
    return peer && peer->exchange;
}

/* ---- the set of watched sockets ---- */

struct watchers;
/* NULL with `err`. */
struct watchers *watchers_new(struct loop *loop, struct err *err) MUST_USE;
/* NULL is allowed. */
void watchers_free(struct watchers *watchers);

#endif
