#include "pg/backoff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>

enum { MIN_MS = 200, MAX_MS = 30000 };

static void assert_ceiling(unsigned attempt, int64_t ceiling_ms)
{
    /* the remainder of a division by ceiling + 1: its greatest value is the ceiling */
    assert_int_equal(backoff_ms(attempt, MIN_MS, MAX_MS, (uint64_t)ceiling_ms), ceiling_ms);
    assert_int_equal(backoff_ms(attempt, MIN_MS, MAX_MS, (uint64_t)ceiling_ms + 1), 0);
}

static void the_ceiling_doubles_up_to_the_greatest(void **state)
{
    (void)state;
    assert_ceiling(0, 200);
    assert_ceiling(1, 400);
    assert_ceiling(5, 6400);
    assert_ceiling(7, 25600);
    assert_ceiling(8, MAX_MS);
    assert_ceiling(4000000000U, MAX_MS);
}

static void the_jitter_is_full(void **state)
{
    (void)state;
    bool low = false;
    bool high = false;
    for (uint64_t i = 0; i < 1000; i++) {
        int64_t ms = backoff_ms(3, MIN_MS, MAX_MS, i * 0x9e3779b97f4a7c15U);
        assert_in_range(ms, 0, 1600);
        low = low || ms < 160;
        high = high || ms > 1440;
    }
    assert_true(low && high);
}

static void a_smallest_wait_above_the_greatest_is_cut(void **state)
{
    (void)state;
    assert_int_equal(backoff_ms(0, 500, 100, 100), 100);
    assert_int_equal(backoff_ms(3, 0, 100, UINT64_MAX) <= 100, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_ceiling_doubles_up_to_the_greatest),
        cmocka_unit_test(the_jitter_is_full),
        cmocka_unit_test(a_smallest_wait_above_the_greatest_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
