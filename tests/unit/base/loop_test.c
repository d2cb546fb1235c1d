#include "unit.h"

#include "base/clock.h"
#include "base/loop.h"

#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

/* What the callbacks of one test saw. */
struct seen {
    struct loop *loop;
    struct loop_timer *timer;
    struct loop_fd *watch;
    int fired;
    int turns;
    int io;
    int enough;
};

static void on_fire(void *arg)
{
    struct seen *seen = arg;
    if (++seen->fired >= seen->enough)
        loop_stop(seen->loop);
}

static void a_timer_fires_once_and_not_early(void **state)
{
    (void)state;
    struct seen seen = {.loop = loop_new(), .enough = 1};
    seen.timer = loop_timer_new(seen.loop, on_fire, &seen);
    assert_false(loop_timer_active(seen.timer));
    int64_t began_ms = clock_mono_ms();
    loop_timer_start(seen.timer, 20, 0);
    assert_true(loop_timer_active(seen.timer));
    loop_run(seen.loop);
    assert_true(clock_mono_ms() - began_ms >= 19);
    assert_int_equal(seen.fired, 1);
    assert_false(loop_timer_active(seen.timer));
    loop_timer_free(seen.timer);
    loop_free(seen.loop);
}

static void a_timer_can_repeat(void **state)
{
    (void)state;
    struct seen seen = {.loop = loop_new(), .enough = 3};
    seen.timer = loop_timer_new(seen.loop, on_fire, &seen);
    loop_timer_start(seen.timer, 0, 1);
    loop_run(seen.loop);
    assert_int_equal(seen.fired, 3);
    loop_timer_free(seen.timer);
    loop_free(seen.loop);
}

static void a_stopped_timer_does_not_fire(void **state)
{
    (void)state;
    struct seen seen = {.loop = loop_new(), .enough = 1};
    seen.timer = loop_timer_new(seen.loop, on_fire, &seen);
    loop_timer_start(seen.timer, 1, 0);
    loop_timer_stop(seen.timer);
    loop_run(seen.loop); /* nothing is left to wait for */
    assert_int_equal(seen.fired, 0);
    loop_timer_free(seen.timer);
    loop_free(seen.loop);
}

static void a_negative_delay_fires_at_once(void **state)
{
    (void)state;
    struct seen seen = {.loop = loop_new(), .enough = 1};
    seen.timer = loop_timer_new(seen.loop, on_fire, &seen);
    loop_timer_start(seen.timer, -5, 0);
    loop_run(seen.loop);
    assert_int_equal(seen.fired, 1);
    loop_timer_free(seen.timer);
    loop_free(seen.loop);
}

static void free_yourself(void *arg)
{
    struct seen *seen = arg;
    seen->fired++;
    loop_timer_free(seen->timer);
}

static void a_timer_may_be_freed_in_its_own_call(void **state)
{
    (void)state;
    struct seen seen = {.loop = loop_new()};
    seen.timer = loop_timer_new(seen.loop, free_yourself, &seen);
    loop_timer_start(seen.timer, 0, 1);
    loop_run(seen.loop);
    assert_int_equal(seen.fired, 1);
    loop_free(seen.loop);
}

static void on_io(void *arg, int io)
{
    struct seen *seen = arg;
    seen->io |= io;
    seen->fired++;
    loop_fd_want(seen->watch, 0);
    loop_stop(seen->loop);
}

static int wait_for(struct seen *seen, int io)
{
    seen->io = 0;
    loop_fd_want(seen->watch, io);
    loop_run(seen->loop);
    return seen->io;
}

static void a_descriptor_tells_what_it_is_ready_for(void **state)
{
    (void)state;
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    struct seen seen = {.loop = loop_new()};
    seen.watch = loop_fd_new(seen.loop, pair[0], on_io, &seen);
    assert_int_equal(wait_for(&seen, LOOP_WRITE), LOOP_WRITE);
    assert_int_equal(write(pair[1], "x", 1), 1);
    assert_int_equal(wait_for(&seen, LOOP_READ), LOOP_READ);
    assert_int_equal(wait_for(&seen, LOOP_READ | LOOP_WRITE), LOOP_READ | LOOP_WRITE);
    loop_fd_free(seen.watch);
    loop_free(seen.loop);
    close(pair[0]);
    close(pair[1]);
}

static void a_descriptor_that_nobody_wants_is_silent(void **state)
{
    (void)state;
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    struct seen seen = {.loop = loop_new()};
    assert_int_equal(write(pair[1], "x", 1), 1);
    seen.watch = loop_fd_new(seen.loop, pair[0], on_io, &seen);
    loop_fd_want(seen.watch, LOOP_READ);
    loop_fd_want(seen.watch, 0);
    loop_run(seen.loop);
    assert_int_equal(seen.fired, 0);
    loop_fd_free(seen.watch);
    loop_free(seen.loop);
    close(pair[0]);
    close(pair[1]);
}

static void a_closed_peer_is_told_as_readable(void **state)
{
    (void)state;
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    struct seen seen = {.loop = loop_new()};
    seen.watch = loop_fd_new(seen.loop, pair[0], on_io, &seen);
    close(pair[1]);
    assert_true(wait_for(&seen, LOOP_READ) & LOOP_READ);
    loop_fd_free(seen.watch);
    loop_free(seen.loop);
    close(pair[0]);
}

static void a_signal_calls_in_the_loop(void **state)
{
    (void)state;
    struct seen seen = {.loop = loop_new(), .enough = 1};
    struct loop_signal *watch = loop_signal_new(seen.loop, SIGUSR1, on_fire, &seen);
    kill(getpid(), SIGUSR1);
    assert_int_equal(seen.fired, 0);
    loop_run(seen.loop);
    assert_int_equal(seen.fired, 1);
    loop_signal_free(watch);
    loop_free(seen.loop);
}

static void count_turn(void *arg)
{
    ((struct seen *)arg)->turns++;
}

static void the_end_of_each_turn_calls(void **state)
{
    (void)state;
    struct seen seen = {.loop = loop_new(), .enough = 5};
    loop_at_turn_end(seen.loop, count_turn, &seen);
    seen.timer = loop_timer_new(seen.loop, on_fire, &seen);
    loop_timer_start(seen.timer, 1, 1);
    loop_run(seen.loop);
    assert_true(seen.turns >= 5);
    loop_timer_free(seen.timer);
    loop_free(seen.loop);
}

/* Alone it does not keep the loop running. */
static void the_end_of_a_turn_is_nothing_to_wait_for(void **state)
{
    (void)state;
    struct seen seen = {.loop = loop_new()};
    loop_at_turn_end(seen.loop, count_turn, &seen);
    loop_run(seen.loop);
    loop_free(seen.loop);
}

static void a_loop_frees_what_was_given_back_before(void **state)
{
    (void)state;
    struct seen seen = {.loop = loop_new()};
    seen.timer = loop_timer_new(seen.loop, on_fire, &seen);
    loop_stop(seen.loop); /* must not keep loop_free() from closing */
    loop_timer_free(seen.timer);
    loop_free(seen.loop);
    loop_free(NULL);
    loop_timer_free(NULL);
    loop_fd_free(NULL);
    loop_signal_free(NULL);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_timer_fires_once_and_not_early),
        cmocka_unit_test(a_timer_can_repeat),
        cmocka_unit_test(a_stopped_timer_does_not_fire),
        cmocka_unit_test(a_negative_delay_fires_at_once),
        cmocka_unit_test(a_timer_may_be_freed_in_its_own_call),
        cmocka_unit_test(a_descriptor_tells_what_it_is_ready_for),
        cmocka_unit_test(a_descriptor_that_nobody_wants_is_silent),
        cmocka_unit_test(a_closed_peer_is_told_as_readable),
        cmocka_unit_test(a_signal_calls_in_the_loop),
        cmocka_unit_test(the_end_of_each_turn_calls),
        cmocka_unit_test(the_end_of_a_turn_is_nothing_to_wait_for),
        cmocka_unit_test(a_loop_frees_what_was_given_back_before),
    };
    return RUN(tests);
}
