#include "unit.h"

#include "proto/stream.h"

#define TICKET "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA"

static struct stream_request request;

static int empty(void **state)
{
    (void)state;
    request = (struct stream_request){0};
    return 0;
}

static bool takes(const char *argument)
{
    return stream_take(&request, argument, strlen(argument));
}

static void each_argument_finds_its_place(void **state)
{
    (void)state;
    assert_true(takes("cursor=abc"));
    assert_true(takes("ticket=" TICKET));
    assert_true(takes("room=conversation:9"));
    assert_true(takes("room=a=b&c, d"));
    assert_string_equal(request.cursor, "abc");
    assert_string_equal(request.ticket, TICKET);
    assert_int_equal(request.room_count, 2);
    assert_string_equal(request.rooms[0], "conversation:9");
    assert_string_equal(request.rooms[1], "a=b&c, d");
}

static void what_is_unknown_is_ignored(void **state)
{
    (void)state;
    static const char *const texts[] = {"",       "=",         "x",        "x=1",
                                        "cursor", "cursors=a", "Cursor=a", "roomy=a",
                                        "ticket", "tokens=a",  "t=x",      "room"};
    for (size_t i = 0; i < COUNT(texts); i++)
        assert_true(takes(texts[i]));
    assert_null(request.cursor);
    assert_null(request.ticket);
    assert_int_equal(request.room_count, 0);
}

static void a_token_in_the_url_is_refused_however_it_is_written(void **state)
{
    (void)state;
    static const char *const texts[] = {"token=x",        "token=",  "token", "Token=x",
                                        "access_token=x", "jwt=a.b", "JWT"};
    for (size_t i = 0; i < COUNT(texts); i++)
        assert_false(takes(texts[i]));
}

static void last_event_id_is_a_cursor(void **state)
{
    (void)state;
    assert_true(takes("last_event_id=abc"));
    assert_string_equal(request.cursor, "abc");
    assert_false(takes("last_event_id=abc"));
    assert_false(takes("cursor=abc"));
}

static void an_empty_cursor_is_none(void **state)
{
    (void)state;
    assert_true(takes("cursor="));
    assert_null(request.cursor);
    assert_true(takes("last_event_id="));
    assert_true(takes("cursor=abc"));
    assert_string_equal(request.cursor, "abc");
}

static void the_header_wins_where_there_is_one(void **state)
{
    (void)state;
    assert_true(takes("cursor=old"));
    stream_take_header(&request, NULL);
    stream_take_header(&request, "");
    assert_string_equal(request.cursor, "old");
    stream_take_header(&request, "new");
    assert_string_equal(request.cursor, "new");
}

static void a_ticket_is_43_characters_and_comes_once(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "ticket=",
        "ticket=AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHy",  /* 42 */
        "ticket=" TICKET "A",                                 /* 44 */
        "ticket=" TICKET "=",                                 /* padded */
        "ticket=AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyB", /* trailing bits */
        "ticket=AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eH+A", /* another alphabet */
        "ticket=AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eH A"};
    for (size_t i = 0; i < COUNT(texts); i++)
        assert_false(takes(texts[i]));
    assert_true(takes("ticket=" TICKET));
    assert_false(takes("ticket=" TICKET));
}

static void rooms_have_a_ceiling_and_a_name(void **state)
{
    (void)state;
    assert_false(takes("room="));
    for (int i = 0; i < STREAM_ROOMS_MAX; i++)
        assert_true(takes("room=a:1"));
    assert_false(takes("room=a:1"));
    assert_int_equal(request.room_count, STREAM_ROOMS_MAX);
}

static void a_nul_inside_is_refused(void **state)
{
    (void)state;
    assert_false(stream_take(&request, "cursor=a\0b", 10));
    assert_false(stream_take(&request, "x\0", 2));
    assert_null(request.cursor);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_argument_finds_its_place, empty),
        cmocka_unit_test_setup(what_is_unknown_is_ignored, empty),
        cmocka_unit_test_setup(a_token_in_the_url_is_refused_however_it_is_written, empty),
        cmocka_unit_test_setup(last_event_id_is_a_cursor, empty),
        cmocka_unit_test_setup(an_empty_cursor_is_none, empty),
        cmocka_unit_test_setup(the_header_wins_where_there_is_one, empty),
        cmocka_unit_test_setup(a_ticket_is_43_characters_and_comes_once, empty),
        cmocka_unit_test_setup(rooms_have_a_ceiling_and_a_name, empty),
        cmocka_unit_test_setup(a_nul_inside_is_refused, empty),
    };
    return RUN(tests);
}
