/* loop.h - the one loop: descriptors, timers and signals over libuv.
 *
 * libwebsockets runs on the same loop as a guest (info.foreign_loops); an internal one would take
 * SIGTERM and SIGSEGV for itself (measured on 4.1.6). */
#ifndef VIGIE_BASE_LOOP_H
#define VIGIE_BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct loop_timer;
struct loop_fd;
struct loop_signal;

enum loop_io { LOOP_READ = 1, LOOP_WRITE = 2 };

/* Never NULL: a loop that cannot be made ends the process. */
struct loop *loop_new(void);
/* Closes what is left of it (guests must be gone) and frees it. NULL is allowed. */
void loop_free(struct loop *loop);
/* Runs until loop_stop(). */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);
/* Lets what is closing close, without waiting: a bounded number of turns after loop_run(). */
void loop_settle(struct loop *loop);
/* The uv_loop_t, for the guest. */
void *loop_native(struct loop *loop);

/* A timer that calls `fn(arg)`; made stopped. */
struct loop_timer *loop_timer_new(struct loop *loop, void (*fn)(void *arg), void *arg);
/* Starts it anew: first after `first_ms`, then every `repeat_ms` (0: once). */
void loop_timer_start(struct loop_timer *timer, int64_t first_ms, int64_t repeat_ms);
void loop_timer_stop(struct loop_timer *timer);
bool loop_timer_active(const struct loop_timer *timer);
/* Stops and frees it, also from inside its own call. NULL is allowed. */
void loop_timer_free(struct loop_timer *timer);

/* Watches a descriptor that the caller owns; `fn(arg, io)` says what it is ready for (both on an
 * error of the descriptor: a read or write will tell). Made without interest. */
struct loop_fd *loop_fd_new(struct loop *loop, int fd, void (*fn)(void *arg, int io), void *arg);
/* What to wait for, of enum loop_io; 0 for nothing. */
void loop_fd_want(struct loop_fd *watch, int io);
/* Stops watching; must come before the descriptor is closed. NULL is allowed. */
void loop_fd_free(struct loop_fd *watch);

/* Calls `fn(arg)` in the loop when the process gets `signum`. */
struct loop_signal *loop_signal_new(struct loop *loop, int signum, void (*fn)(void *arg),
                                    void *arg);
void loop_signal_free(struct loop_signal *watch);

/* A call at the end of each turn, before the loop waits: where closed things are reaped and dirty
 * ones flushed. Only one. */
void loop_at_turn_end(struct loop *loop, void (*fn)(void *arg), void *arg);

#endif
