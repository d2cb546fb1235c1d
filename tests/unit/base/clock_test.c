#include "unit.h"

#include "base/clock.h"

static void a_stamp_reads_as_utc_with_milliseconds(void **state)
{
    (void)state;
    char stamp[CLOCK_STAMP_MAX];
    clock_stamp(stamp, 0);
    assert_string_equal(stamp, "1970-01-01T00:00:00.000Z");
    clock_stamp(stamp, INT64_C(1795241527123456));
    assert_string_equal(stamp, "2026-11-21T06:12:07.123Z");
}

static void a_stamp_of_postgresql_is_read_to_the_microsecond(void **state)
{
    (void)state;
    assert_int_equal(clock_parse("2026-11-21T06:12:07.123456Z"), INT64_C(1795241527123456));
    assert_int_equal(clock_parse("1970-01-01T00:00:01Z"), 1000000);
    assert_int_equal(clock_parse("2024-02-29T23:59:59.5Z"), INT64_C(1709251199500000));
}

static void the_local_time_zone_changes_nothing(void **state)
{
    (void)state;
    char stamp[CLOCK_STAMP_MAX];
    setenv("TZ", "America/New_York", 1);
    assert_int_equal(clock_parse("2026-07-01T12:00:00.000001Z"), INT64_C(1782907200000001));
    clock_stamp(stamp, INT64_C(1782907200000001));
    assert_string_equal(stamp, "2026-07-01T12:00:00.000Z");
    unsetenv("TZ");
}

static void what_is_no_stamp_is_minus_one(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "Z",
                                        "2026-11-21",
                                        "2026-11-21T06:12:07",
                                        "2026-11-21T06:12:07+00",
                                        "2026-11-21T06:12:07.1234567Z",
                                        "2026-11-21T06:12:07.12345xZ",
                                        "2026-11-21T06:12:07ZZ",
                                        "2026-13-21T06:12:07Z",
                                        "2026-11-21T25:12:07Z",
                                        "not a stamp at all"};
    for (size_t i = 0; i < COUNT(texts); i++)
        assert_int_equal(clock_parse(texts[i]), -1);
}

static void a_stamp_that_was_written_is_read_back(void **state)
{
    (void)state;
    char stamp[CLOCK_STAMP_MAX];
    int64_t now_us = clock_wall_us();
    clock_stamp(stamp, now_us);
    assert_int_equal(clock_parse(stamp), now_us - now_us % 1000);
}

static void the_clock_of_deadlines_never_goes_back(void **state)
{
    (void)state;
    int64_t last_ms = clock_mono_ms();
    for (int i = 0; i < 10000; i++) {
        int64_t now_ms = clock_mono_ms();
        assert_true(now_ms >= last_ms);
        last_ms = now_ms;
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stamp_reads_as_utc_with_milliseconds),
        cmocka_unit_test(a_stamp_of_postgresql_is_read_to_the_microsecond),
        cmocka_unit_test(the_local_time_zone_changes_nothing),
        cmocka_unit_test(what_is_no_stamp_is_minus_one),
        cmocka_unit_test(a_stamp_that_was_written_is_read_back),
        cmocka_unit_test(the_clock_of_deadlines_never_goes_back),
    };
    return RUN(tests);
}
