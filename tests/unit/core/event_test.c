#include "unit.h"

#include "core/event.h"
#include "core/frame.h"

static const struct event_row good = {
    .seq = 7,
    .company = "acme",
    .channel = "vigie_devis",
    .name = "devis:signed",
    .rooms = "company:acme\nuser:u7",
    .payload = "{\"id\":7}",
    .at = "2026-11-21T06:12:07.123456Z",
};

static bool is_refused(const struct event_row *row)
{
    struct err err = {0};
    struct event *event = event_new(row, &err);
    bool refused = event == NULL;
    assert_true(refused == (err.text[0] != '\0'));
    event_unref(event);
    return refused;
}

/* A text of `len` times 'x', in turn in one of a few places. */
static const char *text_of(size_t len)
{
    static char texts[4][EVENT_PAYLOAD_BYTES_MAX + 10];
    static unsigned turn;
    char *text = texts[turn++ % 4];
    memset(text, 'x', len);
    text[len] = '\0';
    return text;
}

static void an_event_keeps_what_the_row_said(void **state)
{
    (void)state;
    struct event *event = event_new(&good, NULL);
    assert_non_null(event);
    assert_int_equal(event->seq, 7);
    assert_string_equal(event->company, "acme");
    assert_string_equal(event->channel, "vigie_devis");
    assert_string_equal(event->name, "devis:signed");
    assert_string_equal(event->payload, "{\"id\":7}");
    assert_int_equal(event->payload_len, 8);
    assert_string_equal(event->at, good.at);
    assert_int_equal(event->room_count, 2);
    assert_string_equal(event->rooms[0], "company:acme");
    assert_string_equal(event->rooms[1], "user:u7");
    assert_null(event->frames[0]);
    event_unref(event);
}

static void the_texts_are_copies(void **state)
{
    (void)state;
    char company[] = "acme";
    struct event_row row = good;
    row.company = company;
    struct event *event = event_new(&row, NULL);
    company[0] = 'X';
    assert_string_equal(event->company, "acme");
    event_unref(event);
}

static void a_position_begins_at_one(void **state)
{
    (void)state;
    struct event_row row = good;
    row.seq = 1;
    assert_false(is_refused(&row));
    row.seq = 0;
    assert_true(is_refused(&row));
    row.seq = INT64_MIN;
    assert_true(is_refused(&row));
}

static void names_have_lengths_and_no_control_characters(void **state)
{
    (void)state;
    struct event_row row = good;
    row.company = text_of(EVENT_COMPANY_BYTES_MAX);
    row.name = text_of(EVENT_NAME_BYTES_MAX);
    assert_false(is_refused(&row));
    row.company = text_of(EVENT_COMPANY_BYTES_MAX + 1);
    assert_true(is_refused(&row));
    row = good;
    row.name = text_of(EVENT_NAME_BYTES_MAX + 1);
    assert_true(is_refused(&row));
    static const char *const bad[] = {"", "a\tb", "a\nb", "\x01", "a\x7f"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        row = good;
        row.company = bad[i];
        assert_true(is_refused(&row));
        row = good;
        row.name = bad[i];
        assert_true(is_refused(&row));
    }
}

static void rooms_are_one_to_sixteen_names(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "\n", "a:1\n", "\na:1", "a:1\n\nb:2", "a:\r"};
    struct event_row row = good;
    for (size_t i = 0; i < COUNT(bad); i++) {
        row.rooms = bad[i];
        assert_true(is_refused(&row));
    }
    row.rooms = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n14\n15\n16";
    assert_false(is_refused(&row));
    row.rooms = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n14\n15\n16\n17";
    assert_true(is_refused(&row));
    row.rooms = text_of(EVENT_ROOM_BYTES_MAX);
    assert_false(is_refused(&row));
    row.rooms = text_of(EVENT_ROOM_BYTES_MAX + 1);
    assert_true(is_refused(&row));
}

static void a_payload_has_a_ceiling_and_is_not_empty(void **state)
{
    (void)state;
    struct event_row row = good;
    row.payload = "";
    assert_true(is_refused(&row));
    row.payload = text_of(EVENT_PAYLOAD_BYTES_MAX);
    assert_false(is_refused(&row));
    row.payload = text_of(EVENT_PAYLOAD_BYTES_MAX + 1);
    assert_true(is_refused(&row));
}

/* It goes into every frame, whose length is bounded by an assertion. */
static void a_time_that_is_no_stamp_is_refused(void **state)
{
    (void)state;
    struct event_row row = good;
    row.at = "";
    assert_true(is_refused(&row));
    row.at = text_of(6000);
    assert_true(is_refused(&row));
    row.at = "2026-11-21T06:12:07\n";
    assert_true(is_refused(&row));
}

static void the_last_reference_frees_it_with_its_frames(void **state)
{
    (void)state;
    struct event *event = event_new(&good, NULL);
    struct frame *frame = frame_new(3);
    event->frames[1] = frame_ref(frame);
    event_ref(event);
    event_unref(event);
    assert_int_equal(frame->refs, 2);
    event_unref(event);
    assert_int_equal(frame->refs, 1);
    frame_unref(frame);
    event_unref(NULL);
    frame_unref(NULL);
}

static void its_size_covers_all_of_it(void **state)
{
    (void)state;
    struct event_row row = good;
    struct event *small = event_new(&row, NULL);
    row.payload = text_of(1000);
    struct event *large = event_new(&row, NULL);
    assert_int_equal(large->bytes - small->bytes, 1000 - strlen(good.payload));
    assert_true(small->bytes >= sizeof *small + strlen(good.rooms) + strlen(good.payload));
    event_unref(small);
    event_unref(large);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_keeps_what_the_row_said),
        cmocka_unit_test(the_texts_are_copies),
        cmocka_unit_test(a_position_begins_at_one),
        cmocka_unit_test(names_have_lengths_and_no_control_characters),
        cmocka_unit_test(rooms_are_one_to_sixteen_names),
        cmocka_unit_test(a_payload_has_a_ceiling_and_is_not_empty),
        cmocka_unit_test(a_time_that_is_no_stamp_is_refused),
        cmocka_unit_test(the_last_reference_frees_it_with_its_frames),
        cmocka_unit_test(its_size_covers_all_of_it),
    };
    return RUN(tests);
}
