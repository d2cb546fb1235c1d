#include "base/loop.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

enum { SETTLE_TURNS = 100 };

struct loop {
    uv_loop_t uv;
    uv_prepare_t turn;
    void (*turn_fn)(void *arg);
    void *turn_arg;
};

struct loop_timer {
    uv_timer_t uv;
    void (*fn)(void *arg);
    void *arg;
};

struct loop_fd {
    uv_poll_t uv;
    void (*fn)(void *arg, int io);
    void *arg;
};

struct loop_signal {
    uv_signal_t uv;
    void (*fn)(void *arg);
    void *arg;
};

static void must(int rc, const char *what)
{
    if (rc == 0)
        return;
    fprintf(stderr, "level=error event=loop_failed what=%s error=\"%s\"\n", what, uv_strerror(rc));
    abort();
}

static void free_handle(uv_handle_t *handle)
{
    free(handle->data); /* each of our handles points to the struct that holds it */
}

struct loop *loop_new(void)
{
    struct loop *loop = mem_new(sizeof *loop);
    must(uv_loop_init(&loop->uv), "uv_loop_init");
    must(uv_prepare_init(&loop->uv, &loop->turn), "uv_prepare_init");
    uv_unref((uv_handle_t *)&loop->turn);
    return loop;
}

static void close_left(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

void loop_settle(struct loop *loop)
{
    for (int turn = 0; turn < SETTLE_TURNS && uv_run(&loop->uv, UV_RUN_NOWAIT); turn++)
        ;
}

/* libwebsockets closes its handles in steps, each from the callback of the one before: they get the
 * turns for that before what is left is closed, since to close a handle twice aborts. */
void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    uv_prepare_stop(&loop->turn);
    loop_settle(loop);
    uv_walk(&loop->uv, close_left, NULL);
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    must(uv_loop_close(&loop->uv), "uv_loop_close");
    free(loop);
}

void loop_run(struct loop *loop)
{
    uv_run(&loop->uv, UV_RUN_DEFAULT);
}

void loop_stop(struct loop *loop)
{
    uv_stop(&loop->uv);
}

void *loop_native(struct loop *loop)
{
    return &loop->uv;
}

static void on_timer(uv_timer_t *uv)
{
    struct loop_timer *timer = uv->data;
    timer->fn(timer->arg);
}

struct loop_timer *loop_timer_new(struct loop *loop, void (*fn)(void *arg), void *arg)
{
    struct loop_timer *timer = mem_new(sizeof *timer);
    timer->fn = fn;
    timer->arg = arg;
    must(uv_timer_init(&loop->uv, &timer->uv), "uv_timer_init");
    timer->uv.data = timer;
    return timer;
}

void loop_timer_start(struct loop_timer *timer, int64_t first_ms, int64_t repeat_ms)
{
    uint64_t first = first_ms > 0 ? (uint64_t)first_ms : 0;
    /* libuv counts from the loop's cached time: a long turn would make it fire early */
    uv_update_time(timer->uv.loop);
    must(uv_timer_start(&timer->uv, on_timer, first, (uint64_t)repeat_ms), "uv_timer_start");
}

void loop_timer_stop(struct loop_timer *timer)
{
    uv_timer_stop(&timer->uv);
}

bool loop_timer_active(const struct loop_timer *timer)
{
    return uv_is_active((const uv_handle_t *)&timer->uv);
}

void loop_timer_free(struct loop_timer *timer)
{
    if (timer)
        uv_close((uv_handle_t *)&timer->uv, free_handle);
}

static void on_fd(uv_poll_t *uv, int status, int events)
{
    struct loop_fd *watch = uv->data;
    int io = 0;
    if (status < 0 || (events & (UV_READABLE | UV_DISCONNECT)))
        io |= LOOP_READ;
    if (status < 0 || (events & UV_WRITABLE))
        io |= LOOP_WRITE;
    watch->fn(watch->arg, io);
}

struct loop_fd *loop_fd_new(struct loop *loop, int fd, void (*fn)(void *arg, int io), void *arg)
{
    struct loop_fd *watch = mem_new(sizeof *watch);
    watch->fn = fn;
    watch->arg = arg;
    must(uv_poll_init(&loop->uv, &watch->uv, fd), "uv_poll_init");
    watch->uv.data = watch;
    return watch;
}

void loop_fd_want(struct loop_fd *watch, int io)
{
    int events = ((io & LOOP_READ) ? UV_READABLE : 0) | ((io & LOOP_WRITE) ? UV_WRITABLE : 0);
    if (events)
        must(uv_poll_start(&watch->uv, events, on_fd), "uv_poll_start");
    else
        uv_poll_stop(&watch->uv);
}

void loop_fd_free(struct loop_fd *watch)
{
    if (!watch)
        return;
    uv_poll_stop(&watch->uv);
    uv_close((uv_handle_t *)&watch->uv, free_handle);
}

static void on_signal(uv_signal_t *uv, int signum)
{
    (void)signum;
    struct loop_signal *watch = uv->data;
    watch->fn(watch->arg);
}

struct loop_signal *loop_signal_new(struct loop *loop, int signum, void (*fn)(void *arg), void *arg)
{
    struct loop_signal *watch = mem_new(sizeof *watch);
    watch->fn = fn;
    watch->arg = arg;
    must(uv_signal_init(&loop->uv, &watch->uv), "uv_signal_init");
    watch->uv.data = watch;
    must(uv_signal_start(&watch->uv, on_signal, signum), "uv_signal_start");
    return watch;
}

void loop_signal_free(struct loop_signal *watch)
{
    if (watch)
        uv_close((uv_handle_t *)&watch->uv, free_handle);
}

static void on_turn(uv_prepare_t *uv)
{
    struct loop *loop = uv->data;
    loop->turn_fn(loop->turn_arg);
}

void loop_at_turn_end(struct loop *loop, void (*fn)(void *arg), void *arg)
{
    loop->turn_fn = fn;
    loop->turn_arg = arg;
    loop->turn.data = loop;
    must(uv_prepare_start(&loop->turn, on_turn), "uv_prepare_start");
}
