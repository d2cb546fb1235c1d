#include "app/args.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ARGC_MAX = 24 };

/* The words of `line`, as a shell would hand them over; '' is an empty one. */
struct line {
    char text[512];
    char *argv[ARGC_MAX + 1];
    int argc;
};

static void split(struct line *line, const char *text)
{
    *line = (struct line){.argc = 0};
    assert_true(strlen(text) < sizeof line->text);
    strcpy(line->text, text);
    for (char *word = strtok(line->text, " "); word; word = strtok(NULL, " ")) {
        assert_true(line->argc < ARGC_MAX);
        line->argv[line->argc++] = strcmp(word, "''") == 0 ? word + 2 : word;
    }
}

static void taken(struct line *line, const char *text, struct args *args)
{
    struct err err = {""};
    split(line, text);
    if (!args_parse(line->argc, line->argv, args, &err))
        fail_msg("%s: %s", text, err.text);
}

static void refused(const char *text, const char *why)
{
    struct line line;
    struct err err = {""};
    struct args args = {.command = ARGS_HELP, .config = "untouched"};
    split(&line, text);
    if (args_parse(line.argc, line.argv, &args, &err))
        fail_msg("taken: %s", text);
    assert_string_equal(err.text, why);
    assert_string_equal(args.config, "untouched");
    assert_null(strchr(err.text, '\n'));
}

#define MINT "vigie token --key-file k.pem --iss i --aud a --company 42 --user u7"

static void a_configuration_runs(void **state)
{
    (void)state;
    struct line line;
    struct args args;
    taken(&line, "vigie --config vigie.yaml", &args);
    assert_int_equal(args.command, ARGS_RUN);
    assert_string_equal(args.config, "vigie.yaml");
    taken(&line, "vigie --config=a=b", &args);
    assert_string_equal(args.config, "a=b");
}

static void each_command_is_told_by_its_option(void **state)
{
    (void)state;
    struct line line;
    struct args args;
    taken(&line, "vigie --check-config --config f", &args);
    assert_int_equal(args.command, ARGS_CHECK_CONFIG);
    assert_string_equal(args.config, "f");
    taken(&line, "vigie --config f --print-config", &args);
    assert_int_equal(args.command, ARGS_PRINT_CONFIG);
    taken(&line, "vigie --version", &args);
    assert_int_equal(args.command, ARGS_VERSION);
    taken(&line, "vigie --help", &args);
    assert_int_equal(args.command, ARGS_HELP);
    taken(&line, "vigie --print-options", &args);
    assert_int_equal(args.command, ARGS_PRINT_OPTIONS);
}

static void a_command_line_that_says_too_little_is_refused(void **state)
{
    (void)state;
    refused("vigie", "vigie needs --config FILE");
    refused("vigie --check-config", "--check-config needs --config FILE");
    refused("vigie --print-config", "--print-config needs --config FILE");
    refused("vigie --config", "--config needs a value");
    refused("vigie --config ''", "vigie needs --config FILE");
}

static void what_is_not_known_is_refused(void **state)
{
    (void)state;
    refused("vigie --cofnig f", "unknown option --cofnig (vigie --help lists them)");
    refused("vigie -c f", "unknown option -c (vigie --help lists them)");
    refused("vigie -x=1", "unknown option -x=1 (vigie --help lists them)");
    refused("vigie --config f run", "unexpected argument run (vigie --help shows the usage)");
    refused("vigie run --config f", "unexpected argument run (vigie --help shows the usage)");
    refused("vigie --config f -- x", "unexpected argument x (vigie --help shows the usage)");
}

static void an_abbreviation_is_refused(void **state)
{
    (void)state;
    refused("vigie --conf f", "unknown option --conf (vigie --help lists them)");
    refused("vigie --conf=f", "unknown option --conf=f (vigie --help lists them)");
    refused("vigie --vers", "unknown option --vers (vigie --help lists them)");
    refused("vigie --print --config f", "unknown option --print (vigie --help lists them)");
}

static void an_option_comes_once_and_commands_exclude_each_other(void **state)
{
    (void)state;
    refused("vigie --config a --config b", "--config was given twice");
    refused("vigie --help --help", "--help was given twice");
    refused("vigie --check-config --print-config --config f",
            "--check-config and --print-config exclude each other");
    refused("vigie --version=2", "--version takes no value");
}

static void a_token_has_defaults_for_what_may_be_left_out(void **state)
{
    (void)state;
    struct line line;
    struct args args;
    taken(&line, MINT, &args);
    assert_int_equal(args.command, ARGS_TOKEN);
    assert_string_equal(args.token.key_file, "k.pem");
    assert_string_equal(args.token.algorithm, "HS256");
    assert_string_equal(args.token.iss, "i");
    assert_string_equal(args.token.audience, "a");
    assert_string_equal(args.token.company, "42");
    assert_string_equal(args.token.user, "u7");
    assert_null(args.token.role);
    assert_null(args.token.kid);
    assert_int_equal(args.token.ttl_s, 900);
}

static void a_token_can_be_told_everything(void **state)
{
    (void)state;
    struct line line;
    struct args args;
    taken(&line, MINT " --alg ES256 --role admin --ttl 60 --kid k1", &args);
    assert_string_equal(args.token.algorithm, "ES256");
    assert_string_equal(args.token.role, "admin");
    assert_string_equal(args.token.kid, "k1");
    assert_int_equal(args.token.ttl_s, 60);
    taken(&line, "vigie token --help", &args);
    assert_int_equal(args.command, ARGS_HELP);
}

static void a_token_that_says_nothing_is_refused(void **state)
{
    (void)state;
    refused("vigie token", "token needs --key-file");
    refused("vigie token --iss i --aud a --company 1 --user u", "token needs --key-file");
    refused("vigie token --key-file k --aud a --company 1 --user u", "token needs --iss");
    refused("vigie token --key-file k --iss i --company 1 --user u", "token needs --aud");
    refused("vigie token --key-file k --iss i --aud a --user u", "token needs --company");
    refused("vigie token --key-file k --iss i --aud a --company 1", "token needs --user");
    refused("vigie token --key-file k --iss i --aud a --company '' --user u", "--company is empty");
    refused(MINT " --config f", "unknown option --config (vigie --help lists them)");
    refused("vigie --config f token", "unexpected argument token (vigie --help shows the usage)");
}

static void a_token_lives_for_whole_seconds_of_at_most_a_day(void **state)
{
    (void)state;
    struct line line;
    struct args args;
    taken(&line, MINT " --ttl 86400", &args);
    assert_int_equal(args.token.ttl_s, 86400);
    refused(MINT " --ttl 86401", "--ttl needs seconds from 1 to 86400, not 86401");
    refused(MINT " --ttl 0", "--ttl needs seconds from 1 to 86400, not 0");
    refused(MINT " --ttl 15m", "--ttl needs seconds from 1 to 86400, not 15m");
    refused(MINT " --ttl -5", "--ttl needs seconds from 1 to 86400, not -5");
    refused(MINT " --ttl 99999999999999999999999",
            "--ttl needs seconds from 1 to 86400, not 99999999999999999999999");
}

static void the_usage_names_every_option_but_the_hidden_one(void **state)
{
    (void)state;
    struct buf usage;
    buf_init(&usage, 8192);
    args_usage(&usage);
    static const char *const names[] = {"--config", "--check-config", "--print-config", "--version",
                                        "--help",   "--key-file",     "--alg",          "--iss",
                                        "--aud",    "--company",      "--user",         "--role",
                                        "--ttl",    "--kid"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_non_null(strstr(usage.bytes, names[i]));
    assert_null(strstr(usage.bytes, "--print-options"));
    buf_free(&usage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_configuration_runs),
        cmocka_unit_test(each_command_is_told_by_its_option),
        cmocka_unit_test(a_command_line_that_says_too_little_is_refused),
        cmocka_unit_test(what_is_not_known_is_refused),
        cmocka_unit_test(an_abbreviation_is_refused),
        cmocka_unit_test(an_option_comes_once_and_commands_exclude_each_other),
        cmocka_unit_test(a_token_has_defaults_for_what_may_be_left_out),
        cmocka_unit_test(a_token_can_be_told_everything),
        cmocka_unit_test(a_token_that_says_nothing_is_refused),
        cmocka_unit_test(a_token_lives_for_whole_seconds_of_at_most_a_day),
        cmocka_unit_test(the_usage_names_every_option_but_the_hidden_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
