#include "unit.h"

#include "core/ticket.h"

static int64_t now_ms;
static int64_t now_us;
static uint64_t dice;

static int64_t mono(void)
{
    return now_ms;
}

static int64_t wall(void)
{
    return now_us;
}

static void roll(void *bytes, size_t len)
{
    memset(bytes, 0, len);
    dice++;
    memcpy(bytes, &dice, sizeof dice);
}

struct office {
    struct metrics *metrics;
    struct ticket_store *store;
};

static struct office office;

static int open_office(void **state)
{
    (void)state;
    now_ms = 1000;
    now_us = 1000000;
    dice = 0;
    office.metrics = metrics_new();
    const struct ticket_options options = {.ttl_ms = 30000,
                                           .max = 40,
                                           .metrics = office.metrics,
                                           .mono_ms = mono,
                                           .wall_us = wall,
                                           .random = roll};
    office.store = ticket_store_new(&options);
    return 0;
}

static int close_office(void **state)
{
    (void)state;
    ticket_store_free(office.store);
    metrics_free(office.metrics);
    return 0;
}

static struct identity somebody(const char *company, const char *user)
{
    static const char *const roles[] = {"chef"};
    return (struct identity){"main", company, user, roles, 1, INT64_C(900000000), 0};
}

static void issue(const char *company, const char *user, char text[TICKET_TEXT_MAX])
{
    struct identity identity = somebody(company, user);
    assert_true(ticket_issue(office.store, &identity, text));
}

static bool refused(const char *company, const char *user)
{
    char text[TICKET_TEXT_MAX];
    struct identity identity = somebody(company, user);
    return !ticket_issue(office.store, &identity, text);
}

/* "company/user" of who is behind it, or "". */
static const char *taken(const char *text)
{
    static char name[64];
    struct identity *identity = ticket_take(office.store, text);
    name[0] = '\0';
    if (identity)
        snprintf(name, sizeof name, "%s/%s", identity->company, identity->user);
    identity_free(identity);
    return name;
}

static void assert_metric(const char *result, int count)
{
    struct buf out;
    char line[80];
    buf_init(&out, 65536);
    metrics_print(office.metrics, &out);
    snprintf(line, sizeof line, "vigie_tickets_total{result=\"%s\"} %d\n", result, count);
    if (!strstr(out.bytes, line))
        fail_msg("%s is not in %s", line, out.bytes);
    buf_free(&out);
}

static void a_ticket_is_32_random_bytes_in_base64url(void **state)
{
    (void)state;
    char text[TICKET_TEXT_MAX];
    char other[TICKET_TEXT_MAX];
    issue("42", "u7", text);
    issue("42", "u7", other);
    assert_string_equal(text, "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    assert_string_not_equal(text, other);
}

static void a_ticket_names_who_asked_for_it(void **state)
{
    (void)state;
    char text[TICKET_TEXT_MAX];
    issue("42", "u7", text);
    struct identity *identity = ticket_take(office.store, text);
    assert_non_null(identity);
    assert_string_equal(identity->company, "42");
    assert_string_equal(identity->user, "u7");
    assert_string_equal(identity->issuer, "main");
    assert_string_equal(identity->roles[0], "chef");
    assert_int_equal(identity->expires_at_us, 900000000);
    identity_free(identity);
    assert_metric("issued", 1);
    assert_metric("taken", 1);
}

static void a_ticket_is_worth_one_use(void **state)
{
    (void)state;
    char text[TICKET_TEXT_MAX];
    issue("42", "u7", text);
    assert_string_equal(taken(text), "42/u7");
    assert_string_equal(taken(text), "");
    assert_int_equal(ticket_count(office.store), 0);
    assert_metric("unknown", 1);
}

static void what_was_never_given_is_unknown(void **state)
{
    (void)state;
    char text[TICKET_TEXT_MAX];
    issue("42", "u7", text);
    assert_string_equal(taken(""), "");
    assert_string_equal(taken("AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), "");
    assert_string_equal(taken("AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB"), "");
    assert_string_equal(taken(text), "42/u7");
    assert_metric("unknown", 3);
}

static void a_ticket_is_over_after_its_time(void **state)
{
    (void)state;
    char texts[2][TICKET_TEXT_MAX];
    issue("42", "u7", texts[0]);
    issue("42", "u7", texts[1]);
    now_ms += 29999;
    assert_string_equal(taken(texts[0]), "42/u7");
    now_ms += 1;
    assert_string_equal(taken(texts[1]), "");
    assert_int_equal(ticket_count(office.store), 0);
    assert_metric("expired", 1);
}

static void a_ticket_does_not_outlive_its_token(void **state)
{
    (void)state;
    char texts[2][TICKET_TEXT_MAX];
    struct identity identity = somebody("42", "u7");
    identity.expires_at_us = now_us + 5000;
    identity.leeway_us = 1000;
    assert_true(ticket_issue(office.store, &identity, texts[0]));
    assert_true(ticket_issue(office.store, &identity, texts[1]));
    now_us += 5999;
    assert_string_equal(taken(texts[0]), "42/u7");
    now_us += 1;
    assert_string_equal(taken(texts[1]), "");
}

static void time_forgets_what_nobody_used(void **state)
{
    (void)state;
    char text[TICKET_TEXT_MAX];
    issue("42", "u7", text);
    issue("42", "u8", text);
    now_ms += 20000;
    issue("42", "u9", text);
    ticket_tick(office.store);
    assert_int_equal(ticket_count(office.store), 3);
    now_ms += 10000;
    ticket_tick(office.store);
    assert_int_equal(ticket_count(office.store), 1);
    assert_metric("expired", 2);
    assert_string_equal(taken(text), "42/u9");
}

static void one_too_many_makes_the_oldest_of_that_user_void(void **state)
{
    (void)state;
    char texts[TICKETS_PER_USER + 1][TICKET_TEXT_MAX];
    char other[TICKET_TEXT_MAX];
    issue("42", "other", other);
    for (int i = 0; i < TICKETS_PER_USER + 1; i++)
        issue("42", "u7", texts[i]);
    assert_int_equal(ticket_count(office.store), TICKETS_PER_USER + 1);
    assert_string_equal(taken(texts[0]), "");
    assert_string_equal(taken(texts[1]), "42/u7");
    assert_string_equal(taken(texts[TICKETS_PER_USER]), "42/u7");
    assert_string_equal(taken(other), "42/other");
    assert_metric("expired", 1);
}

/* Two companies may each have a user of that name, and no name can pretend to be another's. */
static void users_of_a_name_are_told_apart_by_company(void **state)
{
    (void)state;
    char text[TICKET_TEXT_MAX];
    char first[TICKET_TEXT_MAX];
    issue("42", "u7", first);
    for (int i = 0; i < TICKETS_PER_USER; i++)
        issue("4", "2u7", text);
    assert_string_equal(taken(first), "42/u7");
}

static void users_of_a_name_are_told_apart_by_issuer(void **state)
{
    (void)state;
    char text[TICKET_TEXT_MAX];
    char first[TICKET_TEXT_MAX];
    struct identity identity = somebody("42", "u7");
    identity.issuer = "niam"; /* as long as the other */
    assert_true(ticket_issue(office.store, &identity, first));
    for (int i = 0; i < TICKETS_PER_USER; i++)
        issue("42", "u7", text);
    assert_string_equal(taken(first), "42/u7");
}

static void when_too_many_wait_nobody_loses_one_to_another(void **state)
{
    (void)state;
    char texts[40][TICKET_TEXT_MAX];
    char user[16];
    for (int i = 0; i < 40; i++) {
        snprintf(user, sizeof user, "u%d", i / TICKETS_PER_USER);
        issue("42", user, texts[i]);
    }
    assert_true(refused("42", "new"));
    assert_true(refused("42", "newer")); /* and nothing is kept of it */
    assert_true(refused("42", "u2"));    /* it has eight */
    assert_metric("refused", 3);
    issue("42", "u0", texts[0]); /* in the place of its own oldest */
    assert_int_equal(ticket_count(office.store), 40);
    assert_string_equal(taken(texts[1]), "42/u0");
    assert_false(refused("42", "new"));
}

static void a_reload_counts_for_what_comes_after_it(void **state)
{
    (void)state;
    char texts[2][TICKET_TEXT_MAX];
    issue("42", "u7", texts[0]);
    ticket_store_limit(office.store, 1000, 2);
    issue("42", "u7", texts[1]);
    assert_true(refused("42", "u7"));
    now_ms += 1000;
    assert_string_equal(taken(texts[1]), "");
    assert_string_equal(taken(texts[0]), "42/u7");
}

#define T(name) cmocka_unit_test_setup_teardown(name, open_office, close_office)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        T(a_ticket_is_32_random_bytes_in_base64url),
        T(a_ticket_names_who_asked_for_it),
        T(a_ticket_is_worth_one_use),
        T(what_was_never_given_is_unknown),
        T(a_ticket_is_over_after_its_time),
        T(a_ticket_does_not_outlive_its_token),
        T(time_forgets_what_nobody_used),
        T(one_too_many_makes_the_oldest_of_that_user_void),
        T(users_of_a_name_are_told_apart_by_company),
        T(users_of_a_name_are_told_apart_by_issuer),
        T(when_too_many_wait_nobody_loses_one_to_another),
        T(a_reload_counts_for_what_comes_after_it),
    };
    return RUN(tests);
}
