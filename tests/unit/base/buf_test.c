#include "unit.h"

#include "base/buf.h"

static void an_empty_buffer_holds_nothing(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 10);
    assert_null(buf.bytes);
    assert_int_equal(buf.len, 0);
    buf_free(&buf);
}

static void what_is_added_follows_what_was_there(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 100);
    buf_str(&buf, "one");
    buf_char(&buf, ' ');
    buf_add(&buf, "two-", 3);
    buf_fmt(&buf, " %d%s", 3, "!");
    assert_string_equal(buf.bytes, "one two 3!");
    assert_int_equal(buf.len, 10);
    buf_free(&buf);
}

static void it_grows_up_to_its_ceiling_and_no_further(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 1000);
    for (int i = 0; i < 1000; i++)
        buf_char(&buf, 'x');
    assert_false(buf.overflow);
    buf_char(&buf, 'y');
    assert_true(buf.overflow);
    assert_int_equal(buf.len, 1000);
    assert_int_equal(strspn(buf.bytes, "x"), 1000);
    buf_free(&buf);
}

static void what_does_not_fit_is_not_written_in_part(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 5);
    buf_str(&buf, "abc");
    buf_str(&buf, "def");
    assert_true(buf.overflow);
    assert_string_equal(buf.bytes, "abc");
    buf_free(&buf);
}

static void formatting_past_the_ceiling_overflows(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 5);
    buf_fmt(&buf, "%d", 12345);
    assert_false(buf.overflow);
    buf_fmt(&buf, "%d", 6);
    assert_true(buf.overflow);
    assert_string_equal(buf.bytes, "12345");
    buf_free(&buf);
}

static void overflow_stays_until_it_is_cleared(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 3);
    buf_str(&buf, "long");
    buf_str(&buf, "ab");
    assert_true(buf.overflow);
    assert_int_equal(buf.len, 0);
    buf_clear(&buf);
    buf_str(&buf, "ab");
    assert_false(buf.overflow);
    assert_string_equal(buf.bytes, "ab");
    buf_free(&buf);
}

static void clearing_keeps_the_memory_and_freeing_keeps_the_ceiling(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 300);
    buf_str(&buf, "something");
    char *bytes = buf.bytes;
    buf_clear(&buf);
    assert_ptr_equal(buf.bytes, bytes);
    assert_string_equal(buf.bytes, "");
    buf_free(&buf);
    assert_null(buf.bytes);
    assert_int_equal(buf.ceiling_bytes, 300);
    buf_free(&buf);
}

static void an_enormous_length_overflows_and_does_not_wrap(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 10);
    buf_str(&buf, "abc");
    buf_add(&buf, "x", SIZE_MAX - 1);
    assert_true(buf.overflow);
    assert_string_equal(buf.bytes, "abc");
    buf_free(&buf);
}

static void json_text_is_escaped(void **state)
{
    (void)state;
    static const char text[] = "a\"b\\c\nd\te\x01"
                               "f\x7fg\0h\xc3\xa9";
    struct buf buf;
    buf_init(&buf, 200);
    buf_json(&buf, text, sizeof text - 1);
    assert_string_equal(buf.bytes, "\"a\\\"b\\\\c\\nd\\u0009e\\u0001f\\u007fg\\u0000h\xc3\xa9\"");
    buf_free(&buf);
}

static void empty_json_text_is_two_quotes(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 2);
    buf_json(&buf, "", 0);
    assert_string_equal(buf.bytes, "\"\"");
    assert_false(buf.overflow);
    buf_free(&buf);
}

static void what_is_taken_belongs_to_the_caller(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 20);
    buf_str(&buf, "mine");
    char *bytes = buf_take(&buf);
    assert_string_equal(bytes, "mine");
    assert_null(buf.bytes);
    free(bytes);
    bytes = buf_take(&buf);
    assert_string_equal(bytes, "");
    free(bytes);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_buffer_holds_nothing),
        cmocka_unit_test(what_is_added_follows_what_was_there),
        cmocka_unit_test(it_grows_up_to_its_ceiling_and_no_further),
        cmocka_unit_test(what_does_not_fit_is_not_written_in_part),
        cmocka_unit_test(formatting_past_the_ceiling_overflows),
        cmocka_unit_test(overflow_stays_until_it_is_cleared),
        cmocka_unit_test(clearing_keeps_the_memory_and_freeing_keeps_the_ceiling),
        cmocka_unit_test(an_enormous_length_overflows_and_does_not_wrap),
        cmocka_unit_test(json_text_is_escaped),
        cmocka_unit_test(empty_json_text_is_two_quotes),
        cmocka_unit_test(what_is_taken_belongs_to_the_caller),
    };
    return RUN(tests);
}
