#include "pg/reason.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void sqlstates_have_their_meaning(void **state)
{
    (void)state;
    assert_int_equal(reason_of_sqlstate("3F000", REASON_QUERY), REASON_SCHEMA_MISSING);
    assert_int_equal(reason_of_sqlstate("42883", REASON_QUERY), REASON_SCHEMA_MISSING);
    assert_int_equal(reason_of_sqlstate("42P01", REASON_QUERY), REASON_SCHEMA_MISSING);
    assert_int_equal(reason_of_sqlstate("42703", REASON_QUERY), REASON_SCHEMA_VERSION);
    assert_int_equal(reason_of_sqlstate("42501", REASON_QUERY), REASON_RIGHTS);
    assert_int_equal(reason_of_sqlstate("28P01", REASON_QUERY), REASON_AUTH);
    assert_int_equal(reason_of_sqlstate("25006", REASON_QUERY), REASON_STANDBY);
    assert_int_equal(reason_of_sqlstate("57014", REASON_QUERY), REASON_TIMEOUT);
    assert_int_equal(reason_of_sqlstate("22012", REASON_QUERY), REASON_QUERY);
    assert_int_equal(reason_of_sqlstate("", REASON_QUERY), REASON_QUERY);
    assert_int_equal(reason_of_sqlstate(NULL, REASON_CONNECT), REASON_CONNECT);
}

static void a_failed_connection_says_why(void **state)
{
    (void)state;
    assert_int_equal(
        reason_of_connect_text("connection to server at \"10.0.0.1\", port 5432 failed: "
                               "FATAL:  28P01: password authentication failed for "
                               "user \"vigie_bridge\"\n"),
        REASON_AUTH);
    assert_int_equal(reason_of_connect_text("connection to server on socket \"/run/x\" failed: "
                                            "fe_sendauth: no password supplied\n"),
                     REASON_AUTH);
    assert_int_equal(reason_of_connect_text("failed: FATAL:  08P01: unsupported startup parameter: "
                                            "options\n"),
                     REASON_POOLER);
    assert_int_equal(reason_of_connect_text("failed: server is in hot standby mode\n"),
                     REASON_STANDBY);
    assert_int_equal(reason_of_connect_text("failed: FATAL:  42501: permission denied for database "
                                            "\"app\"\n"),
                     REASON_RIGHTS);
    assert_int_equal(reason_of_connect_text("failed: Connection refused\n\tIs the server running?"),
                     REASON_CONNECT);
    assert_int_equal(reason_of_connect_text("failed: FATAL:  57P03: the database system is "
                                            "starting up\n"),
                     REASON_CONNECT);
    assert_int_equal(reason_of_connect_text(""), REASON_CONNECT);
    assert_int_equal(reason_of_connect_text(":  "), REASON_CONNECT);
}

static void many_lines_become_one_without_places_in_the_source(void **state)
{
    (void)state;
    char line[REASON_TEXT_MAX];
    reason_line(line, sizeof line, "FATAL:  28P01: no\nDETAIL:  never\nLOCATION:  auth.c:326\n");
    assert_string_equal(line, "FATAL:  28P01: no; DETAIL:  never");
    reason_line(line, sizeof line, "refused\n\tIs the server running?\n\t");
    assert_string_equal(line, "refused; Is the server running?");
    reason_line(line, sizeof line, "");
    assert_string_equal(line, "");
}

static void a_line_is_cut_never_overrun(void **state)
{
    (void)state;
    char line[6];
    reason_line(line, sizeof line, "abc\ndefghi");
    assert_string_equal(line, "abc; ");
    reason_unquoted(line, sizeof line, "abcdefghi");
    assert_string_equal(line, "abcde");
}

static void what_is_quoted_is_left_out(void **state)
{
    (void)state;
    char line[REASON_TEXT_MAX];
    reason_unquoted(line, sizeof line, "missing \"=\" after \"s3cret\" in connection string\n");
    assert_string_equal(line, "missing \"\" after \"\" in connection string");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sqlstates_have_their_meaning),
        cmocka_unit_test(a_failed_connection_says_why),
        cmocka_unit_test(many_lines_become_one_without_places_in_the_source),
        cmocka_unit_test(a_line_is_cut_never_overrun),
        cmocka_unit_test(what_is_quoted_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
