/* args.h - what the command line asks for. Texts are borrowed from argv. */
#ifndef VIGIE_APP_ARGS_H
#define VIGIE_APP_ARGS_H

#include "base/buf.h"
#include "base/err.h"

#include <stdint.h>

enum args_command {
    ARGS_RUN,
    ARGS_CHECK_CONFIG,
    ARGS_PRINT_CONFIG,
    ARGS_PRINT_OPTIONS, /* hidden: the option reference that docs/configuration.md carries */
    ARGS_VERSION,
    ARGS_HELP,
    ARGS_TOKEN,
};

struct args_token {
    const char *key_file;
    const char *algorithm;
    const char *iss;
    const char *audience;
    const char *company;
    const char *user;
    const char *role; /* NULL: none */
    const char *kid;  /* NULL: none */
    int64_t ttl_s;
};

struct args {
    enum args_command command;
    const char *config;      /* set for run, check and print */
    struct args_token token; /* filled for ARGS_TOKEN */
};

/* False with one line in `err` for anything that is not in args_usage(): exit 64 (EX_USAGE).
 * Untouched on failure. Option names are never abbreviated, and none may come twice. */
MUST_USE bool args_parse(int argc, char *const *argv, struct args *args, struct err *err);

/* The text of --help. */
void args_usage(struct buf *out);

#endif
