#include "ws/accept.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rate.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

enum {
    ACCEPTS_A_TURN = 64,
    BACKLOG = 4096,
    /* A stalled reader is noticed after this much, not after the megabytes that the kernel would
     * take by itself (measured: up to 4 MB). */
    SEND_BUFFER_BYTES = 128 * 1024,
    CLOCK_MS = 250,
    ASK_EVERY_MS = 100, /* requests with a token: so often, */
    ASK_BURST = 50,     /* but for so many that were saved up */
};

const char *const accept_refusal_names[ACCEPT_REFUSAL_COUNT] = {
    "max_sessions", "address_limit", "unauthenticated_limit", "no_descriptor"};

union endpoint {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static bool parse_endpoint(const char *address, int port, union endpoint *at, socklen_t *len)
{
    memset(at, 0, sizeof *at);
    if (inet_pton(AF_INET, address, &at->v4.sin_addr) == 1) {
        at->v4.sin_family = AF_INET;
        at->v4.sin_port = htons((uint16_t)port);
        *len = sizeof at->v4;
        return true;
    }
    if (inet_pton(AF_INET6, address, &at->v6.sin6_addr) != 1)
        return false;
    at->v6.sin6_family = AF_INET6;
    at->v6.sin6_port = htons((uint16_t)port);
    *len = sizeof at->v6;
    return true;
}

static int port_of(const union endpoint *at)
{
    return ntohs(at->any.sa_family == AF_INET ? at->v4.sin_port : at->v6.sin6_port);
}

static bool bind_and_listen(int fd, union endpoint *at, socklen_t len)
{
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    return bind(fd, &at->any, len) == 0 && listen(fd, BACKLOG) == 0 &&
           getsockname(fd, &at->any, &len) == 0;
}

bool acceptor_open(struct acceptor *acceptor, struct loop *loop, const char *address, int port,
                   struct err *err)
{
    union endpoint at;
    socklen_t len;
    acceptor->loop = loop;
    acceptor->fd = acceptor->spare_fd = -1;
    if (!parse_endpoint(address, port, &at, &len))
        return err_set(err, "%s is not a numeric address", address);
    acceptor->fd = socket(at.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (acceptor->fd < 0 || !bind_and_listen(acceptor->fd, &at, len)) {
        err_set(err, "cannot listen on %s port %d: %s", address, port, strerror(errno));
        acceptor_close(acceptor);
        return false;
    }
    acceptor->port = port_of(&at);
    acceptor->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return true;
}

void acceptor_close(struct acceptor *acceptor)
{
    loop_fd_free(acceptor->watch);
    acceptor->watch = NULL;
    if (acceptor->fd >= 0)
        close(acceptor->fd);
    if (acceptor->spare_fd >= 0)
        close(acceptor->spare_fd);
    acceptor->fd = acceptor->spare_fd = -1;
}

void acceptor_free(struct acceptor *acceptor)
{
    acceptor_close(acceptor);
    loop_timer_free(acceptor->clock);
    acceptor->clock = NULL;
}

/* A reset instead of a farewell: no TIME_WAIT, and the client knows at once. */
static void refuse(int fd)
{
    struct linger hard = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close(fd);
}

/* For people, and for counting: an IPv6 client owns a /64, so that is what counts. */
static void name_endpoint(const union endpoint *at, char text[64], char counted[64])
{
    if (at->any.sa_family == AF_INET) {
        inet_ntop(AF_INET, &at->v4.sin_addr, text, 64);
        memcpy(counted, text, 64);
        return;
    }
    struct in6_addr network = at->v6.sin6_addr;
    inet_ntop(AF_INET6, &network, text, 64);
    if (IN6_IS_ADDR_V4MAPPED(&network)) {
        memcpy(counted, text, 64);
        return;
    }
    memset(network.s6_addr + 8, 0, 8);
    inet_ntop(AF_INET6, &network, counted, 64);
}

static struct address *address_get(struct acceptor *acceptor, const char *text)
{
    struct address *address = NULL;
    HASH_FIND_STR(acceptor->addresses, text, address);
    if (address)
        return address;
    address = mem_new(sizeof *address);
    snprintf(address->text, sizeof address->text, "%s", text);
    HASH_ADD_STR(acceptor->addresses, text, address);
    return address;
}

static void address_release(struct acceptor *acceptor, struct address *address)
{
    if (address->count)
        return;
    HASH_DEL(acceptor->addresses, address);
    free(address);
}

/* Why this address may not come in now, or ACCEPT_REFUSAL_COUNT. */
static enum accept_refusal judge(const struct acceptor *acceptor, const struct address *address)
{
    const struct accept_limits *limits = &acceptor->limits;
    if (limits->max_total == 0)
        return ACCEPT_REFUSAL_COUNT;
    if (acceptor->count >= limits->max_total)
        return ACCEPT_MAX_SESSIONS;
    if (address->count >= limits->max_per_address)
        return ACCEPT_ADDRESS_LIMIT;
    if (acceptor->unauthenticated >= limits->max_unauthenticated)
        return ACCEPT_UNAUTHENTICATED_LIMIT;
    return ACCEPT_REFUSAL_COUNT;
}

static struct peer *peer_new(struct acceptor *acceptor, struct address *address, const char *text)
{
    struct peer *peer = mem_new(sizeof *peer);
    peer->acceptor = acceptor;
    peer->address = address;
    snprintf(peer->text, sizeof peer->text, "%s", text);
    address->count++;
    acceptor->count++;
    acceptor->unauthenticated++;
    peer->since_ms = clock_mono_ms();
    DL_APPEND(acceptor->waiting, peer);
    return peer;
}

void peer_settled(struct peer *peer)
{
    if (peer->settled)
        return;
    peer->settled = true;
    DL_DELETE(peer->acceptor->waiting, peer);
}

void peer_waits_again(struct peer *peer)
{
    peer_settled(peer);
    peer->settled = false;
    peer->since_ms = clock_mono_ms();
    DL_APPEND(peer->acceptor->waiting, peer);
}

void peer_authenticated(struct peer *peer)
{
    if (peer->authenticated)
        return;
    peer->authenticated = true;
    peer->acceptor->unauthenticated--;
}

bool peer_may_ask(struct peer *peer, unsigned price)
{
    return rate_spend(&peer->paid_ms, clock_mono_ms(), (int64_t)price * ASK_EVERY_MS,
                      ASK_EVERY_MS * ASK_BURST);
}

void peer_free(struct peer *peer)
{
    if (!peer)
        return;
    struct acceptor *acceptor = peer->acceptor;
    peer_authenticated(peer);
    if (peer->guest)
        peer->drop_guest(peer->guest);
    peer->address->count--;
    address_release(acceptor, peer->address);
    acceptor->count--;
    peer_settled(peer);
    free(peer);
}

static void tune(int fd)
{
    int on = 1;
    int bytes = SEND_BUFFER_BYTES;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
}

static void welcome(struct acceptor *acceptor, int fd, const union endpoint *at)
{
    char text[64];
    char counted[64];
    name_endpoint(at, text, counted);
    struct address *address = address_get(acceptor, counted);
    enum accept_refusal refusal = judge(acceptor, address);
    if (refusal != ACCEPT_REFUSAL_COUNT) {
        acceptor->rejected[refusal]++;
        address_release(acceptor, address);
        refuse(fd);
        return;
    }
    tune(fd);
    struct peer *peer = peer_new(acceptor, address, text);
    acceptor->accepted[0]++;
    if (acceptor->take(acceptor->arg, fd, peer))
        return;
    peer_free(peer);
}

/* Without a descriptor the queue of the kernel would wake us for ever: one is given up to take the
 * next client in, only to send it away. False when there was none: the kernel looks for a
 * descriptor before it looks for a client, so that its complaint does not mean that anybody knocks.
 */
static bool refuse_one(struct acceptor *acceptor)
{
    if (acceptor->spare_fd >= 0)
        close(acceptor->spare_fd);
    int fd = accept4(acceptor->fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0) {
        acceptor->rejected[ACCEPT_NO_DESCRIPTOR]++;
        refuse(fd);
    }
    acceptor->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return fd >= 0;
}

/* After a failed accept(): whether another try in this turn makes sense. */
static bool may_go_on(struct acceptor *acceptor, int why)
{
    if (why == EMFILE || why == ENFILE)
        return refuse_one(acceptor);
    return why == ECONNABORTED || why == EINTR;
}

static void on_readable(void *arg, int io)
{
    (void)io;
    struct acceptor *acceptor = arg;
    for (int i = 0; i < ACCEPTS_A_TURN && acceptor->fd >= 0; i++) {
        union endpoint at = {0};
        socklen_t len = sizeof at;
        int fd = accept4(acceptor->fd, &at.any, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0)
            welcome(acceptor, fd, &at);
        else if (!may_go_on(acceptor, errno))
            return;
    }
}

/* One deadline for TLS and headers together, and one for each request that follows, the time before
 * it included. The library has timeouts of its own for each step, but each drop of a dripping
 * client starts them anew. */
static void on_clock(void *arg)
{
    struct acceptor *acceptor = arg;
    int64_t latest_ms = clock_mono_ms() - acceptor->patience_ms;
    while (acceptor->waiting && acceptor->waiting->since_ms <= latest_ms) {
        struct peer *peer = acceptor->waiting;
        peer_settled(peer);
        if (!peer->idle)
            acceptor->late[0]++;
        acceptor->drop(acceptor->arg, peer);
    }
}

void acceptor_start(struct acceptor *acceptor)
{
    acceptor->clock = loop_timer_new(acceptor->loop, on_clock, acceptor);
    loop_timer_start(acceptor->clock, CLOCK_MS, CLOCK_MS);
    acceptor->watch = loop_fd_new(acceptor->loop, acceptor->fd, on_readable, acceptor);
    loop_fd_want(acceptor->watch, LOOP_READ);
}
