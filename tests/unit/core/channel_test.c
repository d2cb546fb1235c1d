#include "unit.h"

#include "core/channel.h"

/* The rooms that `patterns` make of `rooms`, joined by commas; "(none)" when nothing is left. */
static const char *mapped(const char *rooms, const char *const *patterns, size_t count)
{
    static char text[8192];
    const struct channel_rule rule = {"vigie_devis", patterns, count};
    const struct channel_map map = {&rule, 1};
    const struct event_row row = {3,     "acme", "vigie_devis", "devis:made",
                                  rooms, "{}",   "2026-11-21T"};
    struct event *event = event_new(&row, NULL);
    struct event *made = channel_apply(&map, event);
    text[0] = '\0';
    for (size_t i = 0; made && i < made->room_count; i++) {
        strcat(text, i ? "," : "");
        strcat(text, made->rooms[i]);
    }
    event_unref(made);
    event_unref(event);
    return made ? text : "(none)";
}

#define MAPPED(rooms, ...)                                                                         \
    mapped(rooms, (const char *const[]){__VA_ARGS__},                                              \
           sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static void without_patterns_an_event_stays_as_it_is(void **state)
{
    (void)state;
    const struct channel_rule rule = {"vigie_devis", NULL, 0};
    const struct channel_map map = {&rule, 1};
    const struct event_row row = {3, "acme", "vigie_devis", "x", "a:1", "{}", "2026"};
    struct event *event = event_new(&row, NULL);
    struct event *same = channel_apply(&map, event);
    assert_ptr_equal(same, event);
    assert_int_equal(event->refs, 2);
    event_unref(same);
    event_unref(event);
    assert_string_equal(MAPPED("a:1\nb:2", "*"), "a:1,b:2");
}

static void a_channel_that_is_not_served_is_dropped(void **state)
{
    (void)state;
    const struct channel_rule rule = {"vigie_devi", NULL, 0};
    const struct channel_map map = {&rule, 1};
    const struct event_row row = {3, "acme", "vigie_devis", "x", "a:1", "{}", "2026"};
    struct event *event = event_new(&row, NULL);
    assert_null(channel_apply(&map, event));
    const struct channel_rule longer = {"vigie_devis2", NULL, 0};
    const struct channel_map other = {&longer, 1};
    assert_null(channel_apply(&other, event));
    event_unref(event);
}

static void a_kind_keeps_its_rooms_only(void **state)
{
    (void)state;
    assert_string_equal(MAPPED("company:acme\nuser:u7\nuser:u8", "user:*"), "user:u7,user:u8");
    assert_string_equal(MAPPED("users:u7\nuser", "user:*"), "(none)");
    assert_string_equal(MAPPED("a:1\nb:2\nc:3", "c:*", "a:*"), "a:1,c:3");
}

static void a_room_can_be_added_in_the_name_of_the_company(void **state)
{
    (void)state;
    assert_string_equal(MAPPED("a:1", "*", "wall:{company}"), "a:1,wall:acme");
    assert_string_equal(MAPPED("a:1", "wall:{company}:left"), "wall:acme:left");
    assert_string_equal(MAPPED("a:1", "board:9"), "board:9");
}

static void a_room_is_not_added_twice(void **state)
{
    (void)state;
    assert_string_equal(MAPPED("a:1\nwall:acme", "*", "wall:{company}", "wall:acme"),
                        "a:1,wall:acme");
}

/* More rooms than an event may have: those of the rule come first, and the event is not lost. */
static void an_added_room_without_a_place_does_not_cost_the_event(void **state)
{
    (void)state;
    assert_string_equal(
        MAPPED("1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n14\n15\n16", "*", "wall:{company}"),
        "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16");
}

static void a_copy_carries_everything_else(void **state)
{
    (void)state;
    static const char *const patterns[] = {"a:*"};
    const struct channel_rule rule = {"vigie_devis", patterns, 1};
    const struct channel_map map = {&rule, 1};
    const struct event_row row = {3, "acme", "vigie_devis", "x:y", "a:1\nb:2", "{\"k\":1}", "2026"};
    struct event *event = event_new(&row, NULL);
    struct event *made = channel_apply(&map, event);
    assert_int_equal(made->seq, 3);
    assert_string_equal(made->company, "acme");
    assert_string_equal(made->name, "x:y");
    assert_string_equal(made->payload, "{\"k\":1}");
    assert_string_equal(made->at, "2026");
    assert_int_equal(event->room_count, 2); /* the first is not touched */
    event_unref(made);
    event_unref(event);
}

static void patterns_have_three_forms(void **state)
{
    (void)state;
    static const char *const good[] = {"*",      "company:*",       "a:*",
                                       "wall:1", "wall:{company}",  "wall:{company}:x",
                                       "a:b:*",  "{company}:boards"};
    static const char *const bad[] = {"",
                                      "wall",
                                      ":*",
                                      "*:*",
                                      "a:*b",
                                      "a:**",
                                      "wall:{user}",
                                      "wall:{",
                                      "wall:}",
                                      "a:\n",
                                      "wall:{company}{company}",
                                      "{company}:*",
                                      "wall:{company}*",
                                      "w}:{company}"};
    for (size_t i = 0; i < COUNT(good); i++)
        assert_true(channel_pattern_ok(good[i]));
    for (size_t i = 0; i < COUNT(bad); i++) {
        if (channel_pattern_ok(bad[i]))
            print_error("taken: %s\n", bad[i]);
        assert_false(channel_pattern_ok(bad[i]));
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_patterns_an_event_stays_as_it_is),
        cmocka_unit_test(a_channel_that_is_not_served_is_dropped),
        cmocka_unit_test(a_kind_keeps_its_rooms_only),
        cmocka_unit_test(a_room_can_be_added_in_the_name_of_the_company),
        cmocka_unit_test(a_room_is_not_added_twice),
        cmocka_unit_test(an_added_room_without_a_place_does_not_cost_the_event),
        cmocka_unit_test(a_copy_carries_everything_else),
        cmocka_unit_test(patterns_have_three_forms),
    };
    return RUN(tests);
}
