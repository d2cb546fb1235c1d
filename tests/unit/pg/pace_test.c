#include "pg/pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { BUSY_MS = 4, SAFETY_MS = 500, START_MS = 1000000 };

/* A pace and the time that it is told. */
struct story {
    struct pace pace;
    int64_t now_ms;
};

static struct story begin(void)
{
    struct story story = {.now_ms = START_MS};
    pace_start(&story.pace, BUSY_MS, SAFETY_MS, story.now_ms);
    return story;
}

static void expect(struct story *story, enum pace_step step)
{
    int64_t wait_ms;
    assert_int_equal(pace_next(&story->pace, story->now_ms, &wait_ms), step);
}

static void expect_wait(struct story *story, int64_t ms)
{
    int64_t wait_ms;
    assert_int_equal(pace_next(&story->pace, story->now_ms, &wait_ms), PACE_WAIT);
    assert_int_equal(wait_ms, ms);
}

/* Waits as long as it is told, then looks and finds `rows`. */
static bool look(struct story *story, size_t rows)
{
    int64_t wait_ms;
    if (pace_next(&story->pace, story->now_ms, &wait_ms) == PACE_WAIT) {
        story->now_ms += wait_ms;
        expect(story, PACE_LOOK);
    }
    return pace_looked(&story->pace, rows, false, story->now_ms);
}

static void try_sleep(struct story *story, enum pace_slept answer)
{
    expect(story, PACE_SLEEP);
    pace_slept(&story->pace, answer, story->now_ms);
}

static struct story asleep(void)
{
    struct story story = begin();
    look(&story, 0);
    try_sleep(&story, PACE_SLEPT_ASLEEP);
    look(&story, 0);
    expect_wait(&story, SAFETY_MS);
    return story;
}

static struct story other(void)
{
    struct story story = begin();
    look(&story, 0);
    try_sleep(&story, PACE_SLEPT_OTHER);
    look(&story, 0);
    expect_wait(&story, SAFETY_MS);
    return story;
}

/* Bells with an event each, `gap_ms` apart, until the lock is given back or `bells` rang. */
static int ring_until_wake(struct story *story, int64_t gap_ms, int bells)
{
    int64_t wait_ms;
    for (int i = 1; i <= bells; i++) {
        story->now_ms += gap_ms;
        pace_ring(&story->pace, PACE_BELL_TABLE, story->now_ms);
        look(story, 1);
        if (pace_next(&story->pace, story->now_ms, &wait_ms) == PACE_WAKE)
            return i;
    }
    return 0;
}

static struct story awake(void)
{
    struct story story = asleep();
    assert_true(ring_until_wake(&story, 5, 10) > 0);
    pace_woke(&story.pace, story.now_ms);
    assert_int_equal(story.pace.mode, PACE_AWAKE);
    return story;
}

static void a_new_connection_looks_until_nothing_is_left_then_sleeps(void **state)
{
    (void)state;
    struct story story = begin();
    expect(&story, PACE_LOOK);
    pace_looked(&story.pace, 500, true, story.now_ms);
    expect(&story, PACE_LOOK); /* a full batch: more at once */
    pace_looked(&story.pace, 3, false, story.now_ms);
    look(&story, 0);
    for (int i = 1; i < PACE_EMPTY_LOOKS; i++)
        look(&story, 0);
    expect(&story, PACE_SLEEP);
}

static void whoever_fell_asleep_looks_once_more(void **state)
{
    (void)state;
    struct story story = begin();
    look(&story, 0);
    try_sleep(&story, PACE_SLEPT_ASLEEP);
    expect(&story, PACE_LOOK);
    pace_looked(&story.pace, 0, false, story.now_ms);
    expect_wait(&story, SAFETY_MS);
}

static void a_bell_is_answered_at_once(void **state)
{
    (void)state;
    struct story story = asleep();
    story.now_ms += 100;
    pace_ring(&story.pace, PACE_BELL_TABLE, story.now_ms);
    expect(&story, PACE_LOOK);
    assert_false(pace_looked(&story.pace, 1, false, story.now_ms));
    expect_wait(&story, SAFETY_MS);
}

static void a_bell_during_a_look_asks_for_one_more_however_often_it_rings(void **state)
{
    (void)state;
    struct story story = asleep();
    pace_ring(&story.pace, PACE_BELL_TABLE, story.now_ms);
    expect(&story, PACE_LOOK);
    for (int i = 0; i < 1000; i++)
        pace_ring(&story.pace, PACE_BELL_TABLE, story.now_ms);
    pace_looked(&story.pace, 1, false, story.now_ms);
    expect(&story, PACE_LOOK);
    assert_true(pace_looked(&story.pace, 0, false, story.now_ms));
    expect_wait(&story, SAFETY_MS);
}

static void rare_bells_leave_it_asleep(void **state)
{
    (void)state;
    struct story story = asleep();
    assert_int_equal(ring_until_wake(&story, PACE_BRISK_MS, 100), 0);
    assert_int_equal(story.pace.mode, PACE_ASLEEP);
}

static void brisk_bells_wake_it(void **state)
{
    (void)state;
    struct story story = asleep();
    story.now_ms += 100;
    assert_int_equal(ring_until_wake(&story, PACE_BRISK_MS - 1, 100), PACE_BRISK_BELLS + 1);
}

static void awake_it_looks_at_every_beat(void **state)
{
    (void)state;
    struct story story = awake();
    expect(&story, PACE_LOOK);
    pace_looked(&story.pace, 2, false, story.now_ms);
    expect_wait(&story, BUSY_MS);
    pace_ring(&story.pace, PACE_BELL_FEED, story.now_ms);
    expect_wait(&story, BUSY_MS); /* a bell does not hasten it */
}

static void awake_it_sleeps_after_a_few_empty_looks(void **state)
{
    (void)state;
    struct story story = awake();
    look(&story, 1);
    for (int i = 0; i < PACE_EMPTY_LOOKS; i++) {
        expect_wait(&story, BUSY_MS);
        look(&story, 0);
    }
    try_sleep(&story, PACE_SLEPT_ASLEEP);
    expect(&story, PACE_LOOK);
}

static void a_writer_in_flight_keeps_it_awake_and_the_looks_space_out(void **state)
{
    (void)state;
    struct story story = awake();
    int64_t wait_ms = 0;
    int tries = 0;
    for (int i = 0; i < 1000; i++) {
        look(&story, 0);
        if (pace_next(&story.pace, story.now_ms, &wait_ms) == PACE_SLEEP) {
            tries++;
            pace_slept(&story.pace, PACE_SLEPT_BUSY, story.now_ms);
        }
        assert_int_equal(story.pace.mode, PACE_AWAKE);
    }
    assert_int_equal(tries, 1000 / PACE_EMPTY_LOOKS);
    expect_wait(&story, (int64_t)BUSY_MS * PACE_IDLE_LOOK_FACTOR);
    look(&story, 1);
    expect_wait(&story, BUSY_MS);
}

static void the_safety_look_comes_whatever_rings(void **state)
{
    (void)state;
    struct story story = asleep();
    story.now_ms += SAFETY_MS;
    expect(&story, PACE_LOOK);
    assert_false(pace_looked(&story.pace, 0, false, story.now_ms)); /* no bell was in vain */
    expect_wait(&story, SAFETY_MS);
}

static void forged_bells_cost_a_bounded_number_of_looks(void **state)
{
    (void)state;
    struct story story = asleep();
    int looks = 0;
    int64_t wait_ms;
    for (int ms = 0; ms < 10000; ms++, story.now_ms++) {
        pace_ring(&story.pace, PACE_BELL_TABLE, story.now_ms);
        pace_ring(&story.pace, PACE_BELL_FEED, story.now_ms);
        while (pace_next(&story.pace, story.now_ms, &wait_ms) == PACE_LOOK) {
            looks++;
            pace_looked(&story.pace, 0, false, story.now_ms);
            pace_ring(&story.pace, PACE_BELL_TABLE, story.now_ms);
        }
    }
    int bound = PACE_EMPTY_BELL_BURST + 10000 / PACE_EMPTY_BELL_REFILL_MS;
    assert_in_range(looks, bound / 2, bound + 1);
}

static void bells_are_answered_at_once_again_after_the_flood(void **state)
{
    (void)state;
    struct story story = asleep();
    for (int i = 0; i < 3 * PACE_EMPTY_BELL_BURST; i++) {
        pace_ring(&story.pace, PACE_BELL_TABLE, story.now_ms);
        look(&story, 0);
    }
    story.now_ms += PACE_EMPTY_BELL_BURST * PACE_EMPTY_BELL_REFILL_MS + PACE_EMPTY_BELL_REFILL_MS;
    pace_ring(&story.pace, PACE_BELL_TABLE, story.now_ms);
    expect(&story, PACE_LOOK);
}

static void behind_another_bridge_the_feeds_bell_is_answered_at_once(void **state)
{
    (void)state;
    struct story story = other();
    pace_ring(&story.pace, PACE_BELL_FEED, story.now_ms);
    expect(&story, PACE_LOOK);
}

static void behind_another_bridge_a_tables_bell_leaves_it_time(void **state)
{
    (void)state;
    struct story story = other();
    pace_ring(&story.pace, PACE_BELL_TABLE, story.now_ms);
    expect_wait(&story, PACE_OTHER_GRACE_MS);
    pace_ring(&story.pace, PACE_BELL_FEED, story.now_ms);
    look(&story, 1);
    expect_wait(&story, SAFETY_MS); /* the feed's bell stood for both */
}

static void behind_a_silent_bridge_it_tries_for_the_lock_and_takes_over(void **state)
{
    (void)state;
    struct story story = other();
    look(&story, 0);
    try_sleep(&story, PACE_SLEPT_OTHER);
    expect_wait(&story, SAFETY_MS); /* still held: no look for that */
    look(&story, 1);
    try_sleep(&story, PACE_SLEPT_ASLEEP);
    expect(&story, PACE_LOOK);
    assert_int_equal(story.pace.mode, PACE_ASLEEP);
}

static void behind_a_bridge_that_serves_it_leaves_the_lock_alone(void **state)
{
    (void)state;
    struct story story = other();
    int64_t wait_ms;
    for (int ms = 0; ms < 10 * SAFETY_MS; ms += 5, story.now_ms += 5) {
        pace_ring(&story.pace, PACE_BELL_FEED, story.now_ms);
        assert_int_equal(pace_next(&story.pace, story.now_ms, &wait_ms), PACE_LOOK);
        pace_looked(&story.pace, 1, false, story.now_ms);
        assert_int_equal(pace_next(&story.pace, story.now_ms, &wait_ms), PACE_WAIT);
    }
}

static void forged_bells_do_not_keep_it_from_taking_over(void **state)
{
    (void)state;
    struct story story = other();
    int64_t wait_ms;
    enum pace_step step = PACE_WAIT;
    for (int ms = 0; ms < 2 * SAFETY_MS && step != PACE_SLEEP; ms++, story.now_ms++) {
        pace_ring(&story.pace, PACE_BELL_FEED, story.now_ms);
        step = pace_next(&story.pace, story.now_ms, &wait_ms);
        if (step == PACE_LOOK)
            pace_looked(&story.pace, 0, false, story.now_ms);
    }
    assert_int_equal(step, PACE_SLEEP);
}

static void after_a_failure_it_waits_before_it_looks_again(void **state)
{
    (void)state;
    struct story story = asleep();
    pace_ring(&story.pace, PACE_BELL_TABLE, story.now_ms);
    expect(&story, PACE_LOOK);
    pace_failed(&story.pace, story.now_ms);
    expect_wait(&story, SAFETY_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_connection_looks_until_nothing_is_left_then_sleeps),
        cmocka_unit_test(whoever_fell_asleep_looks_once_more),
        cmocka_unit_test(a_bell_is_answered_at_once),
        cmocka_unit_test(a_bell_during_a_look_asks_for_one_more_however_often_it_rings),
        cmocka_unit_test(rare_bells_leave_it_asleep),
        cmocka_unit_test(brisk_bells_wake_it),
        cmocka_unit_test(awake_it_looks_at_every_beat),
        cmocka_unit_test(awake_it_sleeps_after_a_few_empty_looks),
        cmocka_unit_test(a_writer_in_flight_keeps_it_awake_and_the_looks_space_out),
        cmocka_unit_test(the_safety_look_comes_whatever_rings),
        cmocka_unit_test(forged_bells_cost_a_bounded_number_of_looks),
        cmocka_unit_test(bells_are_answered_at_once_again_after_the_flood),
        cmocka_unit_test(behind_another_bridge_the_feeds_bell_is_answered_at_once),
        cmocka_unit_test(behind_another_bridge_a_tables_bell_leaves_it_time),
        cmocka_unit_test(behind_a_silent_bridge_it_tries_for_the_lock_and_takes_over),
        cmocka_unit_test(behind_a_bridge_that_serves_it_leaves_the_lock_alone),
        cmocka_unit_test(forged_bells_do_not_keep_it_from_taking_over),
        cmocka_unit_test(after_a_failure_it_waits_before_it_looks_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
