#include "unit.h"

#include "base/log.h"

#include <fcntl.h>
#include <unistd.h>

/* What one call writes on stderr, in `text`; stderr is a pipe meanwhile. */
struct capture {
    int saved;
    int pipe[2];
    char text[65536];
};

static struct capture capture;

static void begin(void)
{
    assert_int_equal(pipe2(capture.pipe, O_NONBLOCK), 0);
    capture.saved = dup(STDERR_FILENO);
    dup2(capture.pipe[1], STDERR_FILENO);
    close(capture.pipe[1]);
}

static const char *written(void)
{
    ssize_t len = read(capture.pipe[0], capture.text, sizeof capture.text - 1);
    capture.text[len > 0 ? len : 0] = '\0';
    return capture.text;
}

static const char *end(void)
{
    written();
    dup2(capture.saved, STDERR_FILENO);
    close(capture.saved);
    close(capture.pipe[0]);
    return capture.text;
}

/* The line after its time stamp. */
static const char *after_stamp(const char *line, const char *mark)
{
    const char *at = strstr(line, mark);
    assert_non_null(at);
    return at;
}

static void a_line_in_logfmt_has_time_level_event_and_fields(void **state)
{
    (void)state;
    log_setup(LOG_INFO, LOG_LOGFMT);
    begin();
    log_info("listening", LOG_S("address", "127.0.0.1"), LOG_N("port", 8443));
    const char *line = end();
    assert_memory_equal(line, "ts=2", 4);
    assert_string_equal(after_stamp(line, " level="),
                        " level=info event=listening address=127.0.0.1 port=8443\n");
}

static void a_line_in_json_is_one_object(void **state)
{
    (void)state;
    log_setup(LOG_INFO, LOG_JSON);
    begin();
    log_warn("odd", LOG_S("msg", "a \"b\"\nc"), LOG_N("n", -5));
    const char *line = end();
    assert_memory_equal(line, "{\"ts\":\"2", 8);
    assert_string_equal(
        after_stamp(line, ",\"level\""),
        ",\"level\":\"warn\",\"event\":\"odd\",\"msg\":\"a \\\"b\\\"\\nc\",\"n\":-5}\n");
}

static void a_foreign_text_cannot_forge_a_line_or_a_field(void **state)
{
    (void)state;
    log_setup(LOG_INFO, LOG_LOGFMT);
    begin();
    log_info("x", LOG_S("user", "u\nts=1 level=error"), LOG_S("room", "a b=c"), LOG_S("none", ""),
             LOG_S("esc", "\x1b[2J"));
    const char *line = end();
    assert_string_equal(after_stamp(line, "user="),
                        "user=\"u\\nts=1 level=error\" room=\"a b=c\" none=\"\" "
                        "esc=\"\\u001b[2J\"\n");
}

static void a_missing_text_is_an_empty_one(void **state)
{
    (void)state;
    log_setup(LOG_INFO, LOG_LOGFMT);
    const char *nothing = NULL;
    begin();
    log_info("x", LOG_S("user", nothing));
    assert_string_equal(after_stamp(end(), "user="), "user=\"\"\n");
}

static void a_long_text_is_cut(void **state)
{
    (void)state;
    char text[LOG_VALUE_MAX * 2];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    log_setup(LOG_INFO, LOG_LOGFMT);
    begin();
    log_info("x", LOG_S("t", text), LOG_N("after", 1));
    const char *value = after_stamp(end(), " t=") + 3;
    assert_int_equal(strspn(value, "a"), LOG_VALUE_MAX);
    assert_string_equal(value + LOG_VALUE_MAX, " after=1\n");
}

static void a_long_text_is_not_cut_inside_a_character(void **state)
{
    (void)state;
    char text[LOG_VALUE_MAX + 8];
    memset(text, 'a', LOG_VALUE_MAX - 1);
    strcpy(text + LOG_VALUE_MAX - 1, "\xc3\xa9");
    log_setup(LOG_INFO, LOG_JSON);
    begin();
    log_info("x", LOG_S("t", text));
    const char *value = after_stamp(end(), "\"t\":\"") + 5;
    assert_int_equal(strspn(value, "a"), LOG_VALUE_MAX - 1);
    assert_string_equal(value + LOG_VALUE_MAX - 1, "\"}\n");
}

static void lines_below_the_level_are_not_written(void **state)
{
    (void)state;
    log_setup(LOG_WARN, LOG_LOGFMT);
    assert_true(log_enabled(LOG_ERROR));
    assert_true(log_enabled(LOG_WARN));
    assert_false(log_enabled(LOG_INFO));
    begin();
    log_info("quiet", LOG_N("n", 1));
    log_debug("quieter", LOG_N("n", 1));
    assert_string_equal(end(), "");
}

static void fill_stderr(void)
{
    static const char stuff[4096];
    while (write(STDERR_FILENO, stuff, sizeof stuff) > 0)
        ;
}

static void empty_stderr(void)
{
    while (read(capture.pipe[0], capture.text, sizeof capture.text) > 0)
        ;
}

static void lines_that_stderr_did_not_take_are_counted_in_the_next_one(void **state)
{
    (void)state;
    log_setup(LOG_INFO, LOG_LOGFMT);
    begin();
    fill_stderr();
    log_info("lost", LOG_N("n", 1));
    log_info("lost", LOG_N("n", 2));
    empty_stderr();
    log_info("kept", LOG_N("n", 3));
    assert_string_equal(after_stamp(written(), "event="), "event=kept n=3 log_lines_lost=2\n");
    log_info("after", LOG_N("n", 4));
    assert_string_equal(after_stamp(end(), "event="), "event=after n=4\n");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_in_logfmt_has_time_level_event_and_fields),
        cmocka_unit_test(a_line_in_json_is_one_object),
        cmocka_unit_test(a_foreign_text_cannot_forge_a_line_or_a_field),
        cmocka_unit_test(a_missing_text_is_an_empty_one),
        cmocka_unit_test(a_long_text_is_cut),
        cmocka_unit_test(a_long_text_is_not_cut_inside_a_character),
        cmocka_unit_test(lines_below_the_level_are_not_written),
        cmocka_unit_test(lines_that_stderr_did_not_take_are_counted_in_the_next_one),
    };
    return RUN(tests);
}
