#include "app/args.h"

#include <getopt.h>
#include <string.h>

enum {
    TTL_DEFAULT_S = 900,
    TTL_MAX_S = 24 * 60 * 60,
    OPTION_NONE = 1, /* values of struct option: above ':' and '?' would be letters */
};

enum main_option {
    MAIN_CONFIG = OPTION_NONE,
    MAIN_CHECK_CONFIG,
    MAIN_PRINT_CONFIG,
    MAIN_PRINT_OPTIONS,
    MAIN_VERSION,
    MAIN_HELP,
    MAIN_END
};

static const struct option main_options[] = {
    {"config", required_argument, NULL, MAIN_CONFIG},
    {"check-config", no_argument, NULL, MAIN_CHECK_CONFIG},
    {"print-config", no_argument, NULL, MAIN_PRINT_CONFIG},
    {"print-options", no_argument, NULL, MAIN_PRINT_OPTIONS},
    {"version", no_argument, NULL, MAIN_VERSION},
    {"help", no_argument, NULL, MAIN_HELP},
    {NULL, 0, NULL, 0},
};

enum token_option {
    TOKEN_KEY_FILE = OPTION_NONE,
    TOKEN_ALG,
    TOKEN_ISS,
    TOKEN_AUD,
    TOKEN_FOR_COMPANY,
    TOKEN_FOR_USER,
    TOKEN_WITH_ROLE,
    TOKEN_TTL,
    TOKEN_KID,
    TOKEN_HELP,
    TOKEN_END
};

static const struct option token_options[] = {
    {"key-file", required_argument, NULL, TOKEN_KEY_FILE},
    {"alg", required_argument, NULL, TOKEN_ALG},
    {"iss", required_argument, NULL, TOKEN_ISS},
    {"aud", required_argument, NULL, TOKEN_AUD},
    {"company", required_argument, NULL, TOKEN_FOR_COMPANY},
    {"user", required_argument, NULL, TOKEN_FOR_USER},
    {"role", required_argument, NULL, TOKEN_WITH_ROLE},
    {"ttl", required_argument, NULL, TOKEN_TTL},
    {"kid", required_argument, NULL, TOKEN_KID},
    {"help", no_argument, NULL, TOKEN_HELP},
    {NULL, 0, NULL, 0},
};

void args_usage(struct buf *out)
{
    buf_str(out,
            "usage: vigie --config FILE                  run in the foreground, log on stderr\n"
            "       vigie --check-config --config FILE   say everything that is wrong with it\n"
            "       vigie --print-config --config FILE   print what would be in effect\n"
            "       vigie --version | --help\n"
            "       vigie token --key-file FILE --iss ISS --aud AUD --company ID --user ID\n"
            "                   [--alg HS256] [--role ROLE] [--ttl SECONDS] [--kid KID]\n"
            "                                            print a token signed with a\n"
            "                                            development key\n"
            "\n"
            "Signals: HUP reads the configuration again; TERM drains, a second TERM or INT\n"
            "stops at once. Exit codes: 0 done, 1 failed, 64 usage, 66 no such file,\n"
            "71 system error, 77 not permitted, 78 configuration.\n");
}

/* Why getopt_long() said '?' or ':' about the argument it was just looking at. */
static bool explain(int code, const char *argument, struct err *err)
{
    if (code == ':')
        return err_set(err, "%s needs a value", argument);
    if (optopt != 0 && strncmp(argument, "--", 2) == 0)
        return err_set(err, "%.*s takes no value", (int)strcspn(argument, "="), argument);
    return err_set(err, "unknown option %s (vigie --help lists them)", argument);
}

/* getopt_long() would take --conf for --config: scripts that rely on it break with the next option.
 */
static bool is_whole(const char *argument, const struct option *option)
{
    return strncmp(argument, "--", 2) == 0 && strcspn(argument + 2, "=") == strlen(option->name);
}

/* Collects the value of each option at the index of its `val`; an option without one gets its name.
 */
static bool collect(int argc, char *const *argv, const struct option *options, const char **values,
                    struct err *err)
{
    optind = 0; /* GNU: begin anew */
    opterr = 0;
    for (;;) {
        int index = -1;
        int at = optind ? optind : 1;
        int code = getopt_long(argc, argv, "+:", options, &index);
        if (code == -1)
            break;
        if (code == '?' || code == ':')
            return explain(code, argv[at], err);
        if (!is_whole(argv[at], &options[index]))
            return err_set(err, "unknown option %s (vigie --help lists them)", argv[at]);
        if (values[code])
            return err_set(err, "--%s was given twice", options[index].name);
        values[code] = optarg ? optarg : options[index].name;
    }
    if (optind < argc)
        return err_set(err, "unexpected argument %s (vigie --help shows the usage)", argv[optind]);
    return true;
}

static bool seconds(const char *text, int64_t *out)
{
    int64_t value = 0;
    if (*text == '\0' || *text == '0')
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9' || value > TTL_MAX_S)
            return false;
        value = value * 10 + (*text - '0');
    }
    *out = value;
    return value <= TTL_MAX_S;
}

/* The options without which a token says nothing. */
static bool token_complete(const char *const *values, struct err *err)
{
    static const int needed[] = {TOKEN_KEY_FILE, TOKEN_ISS, TOKEN_AUD, TOKEN_FOR_COMPANY,
                                 TOKEN_FOR_USER};
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
        if (!values[needed[i]])
            return err_set(err, "token needs --%s", token_options[needed[i] - 1].name);
    for (int i = OPTION_NONE; i < TOKEN_END; i++)
        if (values[i] && *values[i] == '\0')
            return err_set(err, "--%s is empty", token_options[i - 1].name);
    return true;
}

static bool parse_token(int argc, char *const *argv, struct args *args, struct err *err)
{
    const char *values[TOKEN_END] = {NULL};
    if (!collect(argc, argv, token_options, values, err))
        return false;
    if (values[TOKEN_HELP]) {
        *args = (struct args){.command = ARGS_HELP};
        return true;
    }
    if (!token_complete(values, err))
        return false;
    int64_t ttl_s = TTL_DEFAULT_S;
    if (values[TOKEN_TTL] && !seconds(values[TOKEN_TTL], &ttl_s))
        return err_set(err, "--ttl needs seconds from 1 to %d, not %s", TTL_MAX_S,
                       values[TOKEN_TTL]);
    *args = (struct args){
        .command = ARGS_TOKEN,
        .token = {.key_file = values[TOKEN_KEY_FILE],
                  .algorithm = values[TOKEN_ALG] ? values[TOKEN_ALG] : "HS256",
                  .iss = values[TOKEN_ISS],
                  .audience = values[TOKEN_AUD],
                  .company = values[TOKEN_FOR_COMPANY],
                  .user = values[TOKEN_FOR_USER],
                  .role = values[TOKEN_WITH_ROLE],
                  .kid = values[TOKEN_KID],
                  .ttl_s = ttl_s},
    };
    return true;
}

static const struct {
    enum main_option option;
    enum args_command command;
    bool needs_config;
} commands[] = {
    {MAIN_CHECK_CONFIG, ARGS_CHECK_CONFIG, true},
    {MAIN_PRINT_CONFIG, ARGS_PRINT_CONFIG, true},
    {MAIN_PRINT_OPTIONS, ARGS_PRINT_OPTIONS, false},
    {MAIN_VERSION, ARGS_VERSION, false},
    {MAIN_HELP, ARGS_HELP, false},
};

static bool parse_main(int argc, char *const *argv, struct args *args, struct err *err)
{
    const char *values[MAIN_END] = {NULL};
    if (!collect(argc, argv, main_options, values, err))
        return false;
    enum args_command command = ARGS_RUN;
    const char *chosen = NULL;
    bool needs_config = true;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        const char *name = values[commands[i].option];
        if (!name)
            continue;
        if (chosen)
            return err_set(err, "--%s and --%s exclude each other", chosen, name);
        chosen = name;
        command = commands[i].command;
        needs_config = commands[i].needs_config;
    }
    const char *config = values[MAIN_CONFIG];
    if (needs_config && (!config || *config == '\0'))
        return err_set(err, "%s%s needs --config FILE", chosen ? "--" : "",
                       chosen ? chosen : "vigie");
    *args = (struct args){.command = command, .config = config};
    return true;
}

bool args_parse(int argc, char *const *argv, struct args *args, struct err *err)
{
    if (argc > 1 && strcmp(argv[1], "token") == 0)
        return parse_token(argc - 1, argv + 1, args, err);
    return parse_main(argc, argv, args, err);
}
