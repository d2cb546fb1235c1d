/* argv -> configuration -> app -> exit code */
#include "app/app.h"
#include "app/conf.h"
#include "app/token.h"
#include "app/version.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int say(void (*what)(struct buf *out))
{
    struct buf out;
    buf_init(&out, 1024 * 1024);
    what(&out);
    int rc = fputs(out.bytes, stdout) < 0 || fflush(stdout) ? APP_RUNTIME : APP_OK;
    buf_free(&out);
    return rc;
}

static int print_config(const struct args *args)
{
    int code = APP_CONFIG;
    struct buf text;
    buf_init(&text, 1024 * 1024);
    struct conf *conf = conf_load(args->config, environ, &text, &code);
    if (conf) {
        buf_clear(&text);
        conf_print(conf, &text);
        code = APP_OK;
    }
    if (text.len)
        fputs(text.bytes, conf ? stdout : stderr);
    buf_free(&text);
    conf_free(conf);
    return code;
}

int main(int argc, char **argv)
{
    struct args args;
    struct err err = {""};
    if (!args_parse(argc, argv, &args, &err)) {
        fprintf(stderr, "vigie: %s\n", err.text);
        return APP_USAGE;
    }
    switch (args.command) {
    case ARGS_RUN:
        return app_run(&args, environ);
    case ARGS_CHECK_CONFIG:
        return app_check(&args, environ);
    case ARGS_PRINT_CONFIG:
        return print_config(&args);
    case ARGS_PRINT_OPTIONS:
        return say(conf_print_reference);
    case ARGS_VERSION:
        return say(version_print);
    case ARGS_HELP:
        return say(args_usage);
    case ARGS_TOKEN:
        return token_command(&args.token);
    }
    return APP_USAGE;
}
