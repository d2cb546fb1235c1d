/* accept.h - our own accept(): limits are judged before a byte of TLS is spent.
 *
 * Debian's libwebsockets has no limits by address, spins at full speed without descriptors and
 * cannot share a listener (measured); it is only given sockets that may stay. */
#ifndef VIGIE_WS_ACCEPT_H
#define VIGIE_WS_ACCEPT_H

#include "base/err.h"
#include "base/loop.h"
#include "base/metrics.h"

#include <stdbool.h>
#include <uthash.h>

/* All connections of one address. */
struct address {
    UT_hash_handle hh;
    unsigned count;
    char text[64];
};

/* One accepted socket, until it is closed. */
struct peer {
    struct acceptor *acceptor;
    struct address *address; /* counted under */
    struct peer *prev;       /* in acceptor->waiting, while it is not settled */
    struct peer *next;
    bool settled;
    int64_t since_ms;
    void *socket; /* the transport's handle on it, for acceptor->drop */
    void *guest;  /* what the gate leaves for the connection: freed by whoever takes it */
    void (*drop_guest)(void *guest);
    struct exchange *exchange;    /* the HTTP request under way, or NULL */
    const struct conn_kind *kind; /* of the WebSocket that it becomes */
    bool served;                  /* a request was answered, and the connection stayed */
    bool idle;                    /* between two requests */
    int64_t read_bytes;           /* up to when that was */
    int64_t paid_ms;              /* up to when its requests with a token are paid for */
    bool authenticated;
    char text[64]; /* the address, for log lines */
};

struct accept_limits {
    unsigned max_total;       /* 0: none of these is applied */
    unsigned max_per_address; /* IPv6: per /64 */
    unsigned max_unauthenticated;
};

struct acceptor {
    int fd;
    int port;
    int spare_fd; /* given up to refuse politely when there is no descriptor left */
    struct loop_fd *watch;
    struct loop *loop;
    struct accept_limits limits;
    struct address *addresses;
    struct peer *waiting; /* still in TLS or in their headers, or idle; who began first leads */
    struct loop_timer *clock;
    int64_t patience_ms; /* how long that may last */
    unsigned count;
    unsigned unauthenticated;
    double *accepted;
    double *rejected; /* by enum accept_refusal */
    void *arg;
    /* Takes over a socket and its peer (peer_free() when it is gone). False: it could not be had;
     * the descriptor is closed then, the peer is freed here. */
    bool (*take)(void *arg, int fd, struct peer *peer);
    /* Ends a socket whose patience is over; it goes the way of all others. */
    void (*drop)(void *arg, struct peer *peer);
    double *late;
};

enum accept_refusal {
    ACCEPT_MAX_SESSIONS,
    ACCEPT_ADDRESS_LIMIT,
    ACCEPT_UNAUTHENTICATED_LIMIT,
    ACCEPT_NO_DESCRIPTOR,
    ACCEPT_REFUSAL_COUNT
};
extern const char *const accept_refusal_names[ACCEPT_REFUSAL_COUNT];

/* Binds and listens, without accepting. False with `err`. */
bool acceptor_open(struct acceptor *acceptor, struct loop *loop, const char *address, int port,
                   struct err *err);
void acceptor_start(struct acceptor *acceptor);
/* Closes the listening socket; peers stay. */
void acceptor_close(struct acceptor *acceptor);
/* And stops its clock. */
void acceptor_free(struct acceptor *acceptor);

/* Its headers are complete: it no longer has to hurry. */
void peer_settled(struct peer *peer);
/* It owes us something anew: the next request, a body, the reading of an answer. */
void peer_waits_again(struct peer *peer);
/* The peer said who it is: it counts no longer as unauthenticated. */
void peer_authenticated(struct peer *peer);
/* It asks with a token once more, which has the price of a signature, and for rooms, which have the
 * price of a question to the database: `price` of these. False when it has asked for more than may
 * be saved up; that is counted all the same. */
bool peer_may_ask(struct peer *peer, unsigned price);
/* NULL is allowed. */
void peer_free(struct peer *peer);

#endif
