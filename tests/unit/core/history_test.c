#include "unit.h"

#include "core/history.h"

/* A history with two companies that sessions keep alive. */
struct past {
    struct company *companies;
    struct company *acme;
    struct company *rival;
    struct history history;
};

static struct past past;

static int open_past(void **state)
{
    (void)state;
    past = (struct past){0};
    past.acme = company_get(&past.companies, "acme");
    past.rival = company_get(&past.companies, "rival");
    past.acme->session_count = past.rival->session_count = 1;
    history_init(&past.history, &past.companies, 1 << 20, 1000);
    return 0;
}

static int close_past(void **state)
{
    (void)state;
    history_free(&past.history);
    past.acme->session_count = past.rival->session_count = 0;
    company_release(&past.companies, past.acme);
    company_release(&past.companies, past.rival);
    assert_null(past.companies);
    return 0;
}

static struct event *event_at(int64_t seq, const char *company)
{
    const struct event_row row = {seq, company, "c", "n", "a:1", "{}", "2026"};
    return event_new(&row, NULL);
}

static void remember(int64_t seq, struct company *company, int64_t now_ms)
{
    struct event *event = event_at(seq, company->id);
    history_add(&past.history, company, event, now_ms);
    event_unref(event);
}

static int64_t first_after(const struct company *company, int64_t seq)
{
    unsigned index = history_after(company, seq);
    return index < company->event_count ? history_at(company, index)->seq : -1;
}

static void each_company_finds_its_own_events(void **state)
{
    (void)state;
    remember(1, past.acme, 0);
    remember(2, past.rival, 0);
    remember(5, past.acme, 0);
    assert_int_equal(first_after(past.acme, 0), 1);
    assert_int_equal(first_after(past.acme, 1), 5);
    assert_int_equal(first_after(past.acme, 4), 5);
    assert_int_equal(first_after(past.acme, 5), -1);
    assert_int_equal(first_after(past.rival, 0), 2);
    assert_int_equal(first_after(past.rival, 2), -1);
}

static void the_search_holds_in_a_ring_that_went_round(void **state)
{
    (void)state;
    past.history.age_ms = 60;
    for (int64_t seq = 1; seq <= 1000; seq++) {
        remember(seq * 2, seq % 3 ? past.acme : past.rival, seq);
        history_expire(&past.history, seq);
    }
    for (int64_t seq = 1900; seq < 2000; seq++) {
        int64_t next = seq + 1 + (seq + 1) % 2;
        int64_t ours = next / 2 % 3 ? next : next + 2;
        assert_int_equal(first_after(past.acme, seq), ours > 2000 ? -1 : ours);
    }
}

static void the_oldest_goes_first_when_bytes_are_short(void **state)
{
    (void)state;
    remember(1, past.acme, 0);
    past.history.budget_bytes = past.history.used_bytes * 3;
    for (int64_t seq = 2; seq <= 5; seq++)
        remember(seq, past.acme, 0);
    assert_int_equal(past.history.count, 3);
    assert_int_equal(past.history.floor_seq, 2);
    assert_int_equal(first_after(past.acme, 0), 3);
    assert_true(past.history.used_bytes <= past.history.budget_bytes);
}

static void what_is_over_the_age_is_forgotten(void **state)
{
    (void)state;
    remember(1, past.acme, 0);
    remember(2, past.rival, 500);
    history_expire(&past.history, 1000);
    assert_int_equal(past.history.count, 2);
    history_expire(&past.history, 1001);
    assert_int_equal(past.history.count, 1);
    assert_int_equal(past.history.floor_seq, 1);
    history_expire(&past.history, 5000);
    assert_int_equal(past.history.count, 0);
    assert_int_equal(past.history.floor_seq, 2);
    assert_int_equal(past.history.used_bytes, 0);
}

static void nothing_fits_a_budget_of_nothing(void **state)
{
    (void)state;
    past.history.budget_bytes = 0;
    remember(7, past.acme, 0);
    assert_int_equal(past.history.count, 0);
    assert_int_equal(past.history.floor_seq, 7);
}

static void a_company_lives_as_long_as_its_last_event(void **state)
{
    (void)state;
    struct company *quiet = company_get(&past.companies, "quiet");
    remember(1, quiet, 0);
    remember(2, past.acme, 0);
    assert_ptr_equal(company_find(past.companies, "quiet"), quiet);
    history_expire(&past.history, 5000);
    assert_null(company_find(past.companies, "quiet"));
    assert_non_null(company_find(past.companies, "acme"));
}

static void a_reset_forgets_all_and_sets_the_floor(void **state)
{
    (void)state;
    for (int64_t seq = 1; seq <= 100; seq++)
        remember(seq, past.acme, 0);
    history_reset(&past.history, 40);
    assert_int_equal(past.history.count, 0);
    assert_int_equal(past.history.floor_seq, 40);
    remember(41, past.acme, 0);
    assert_int_equal(first_after(past.acme, 0), 41);
}

static void an_event_is_held_by_one_reference(void **state)
{
    (void)state;
    struct event *event = event_at(1, "acme");
    history_add(&past.history, past.acme, event, 0);
    assert_int_equal(event->refs, 2);
    history_reset(&past.history, 1);
    assert_int_equal(event->refs, 1);
    event_unref(event);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_past, close_past)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(each_company_finds_its_own_events),
        TEST(the_search_holds_in_a_ring_that_went_round),
        TEST(the_oldest_goes_first_when_bytes_are_short),
        TEST(what_is_over_the_age_is_forgotten),
        TEST(nothing_fits_a_budget_of_nothing),
        TEST(a_company_lives_as_long_as_its_last_event),
        TEST(a_reset_forgets_all_and_sets_the_floor),
        TEST(an_event_is_held_by_one_reference),
    };
    return RUN(tests);
}
