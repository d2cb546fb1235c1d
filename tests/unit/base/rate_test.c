#include "unit.h"

#include "base/rate.h"

enum { PRICE_MS = 100, SAVED_MS = 300 };

static void a_full_account_pays_for_what_was_saved_up(void **state)
{
    (void)state;
    int64_t paid_ms = 0;
    for (int i = 0; i < 3; i++)
        assert_true(rate_spend(&paid_ms, 5000, PRICE_MS, SAVED_MS));
    assert_false(rate_spend(&paid_ms, 5000, PRICE_MS, SAVED_MS));
}

static void what_is_refused_empties_the_account_and_no_more(void **state)
{
    (void)state;
    int64_t paid_ms = 0;
    for (int i = 0; i < 100; i++)
        (void)rate_spend(&paid_ms, 5000, PRICE_MS, SAVED_MS);
    assert_false(rate_spend(&paid_ms, 5099, PRICE_MS, SAVED_MS));
    assert_true(rate_spend(&paid_ms, 5199, PRICE_MS, SAVED_MS));
}

static void a_dear_thing_is_paid_at_once(void **state)
{
    (void)state;
    int64_t paid_ms = 0;
    assert_false(rate_spend(&paid_ms, 5000, SAVED_MS + 1, SAVED_MS));
    paid_ms = 0;
    assert_true(rate_spend(&paid_ms, 5000, SAVED_MS, SAVED_MS));
    assert_false(rate_spend(&paid_ms, 5000, 1, SAVED_MS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_account_pays_for_what_was_saved_up),
        cmocka_unit_test(what_is_refused_empties_the_account_and_no_more),
        cmocka_unit_test(a_dear_thing_is_paid_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
