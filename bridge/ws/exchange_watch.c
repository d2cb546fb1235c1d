/* The set of watched sockets: what libwebsockets does not look at while an answer is held. */
#include "ws/exchange_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { EVENTS_A_TURN = 64 };

struct watchers {
    int fd;
    struct loop_fd *watch;
};

void exchange_unwatch(struct exchange *exchange)
{
    if (!exchange->watched)
        return;
    exchange->watched = false;
    epoll_ctl(exchange->server->watchers->fd, EPOLL_CTL_DEL, exchange->fd, NULL);
}

/* Nothing is freed while the events of one turn are gone through: exchanges end in callbacks of
 * libwebsockets, later. */
static void on_events(void *arg, int io)
{
    (void)io;
    struct watchers *watchers = arg;
    struct epoll_event events[EVENTS_A_TURN];
    int count = epoll_wait(watchers->fd, events, EVENTS_A_TURN, 0);
    for (int i = 0; i < count; i++) {
        struct exchange *exchange = events[i].data.ptr;
        if (exchange->watched)
            exchange_kill(exchange);
    }
}

void exchange_watch(struct exchange *exchange, uint32_t what)
{
    struct epoll_event event = {.events = what | EPOLLRDHUP | EPOLLET, .data.ptr = exchange};
    if (exchange->watched)
        return;
    exchange->watched =
        epoll_ctl(exchange->server->watchers->fd, EPOLL_CTL_ADD, exchange->fd, &event) == 0;
    if (!exchange->watched)
        exchange_kill(exchange); /* there is no memory for it in the kernel */
}

struct watchers *watchers_new(struct loop *loop, struct err *err)
{
    int fd = epoll_create1(EPOLL_CLOEXEC);
    if (fd < 0) {
        err_set(err, "epoll_create1: %s", strerror(errno));
        return NULL;
    }
    struct watchers *watchers = mem_new(sizeof *watchers);
    watchers->fd = fd;
    watchers->watch = loop_fd_new(loop, fd, on_events, watchers);
    loop_fd_want(watchers->watch, LOOP_READ);
    return watchers;
}

void watchers_free(struct watchers *watchers)
{
    if (!watchers)
        return;
    loop_fd_free(watchers->watch);
    close(watchers->fd);
    free(watchers);
}
