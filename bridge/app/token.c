#include "app/token.h"

#include "app/app.h"
#include "auth/token.h"
#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>

int token_command(const struct args_token *args)
{
    struct mint_options options = {
        .key_file = args->key_file,
        .algorithm = args->algorithm,
        .kid = args->kid,
        .iss = args->iss,
        .audience = args->audience,
        .company = args->company,
        .user = args->user,
        .role = args->role,
        .ttl_s = args->ttl_s,
        .now_us = clock_wall_us(),
    };
    struct err err = {""};
    char *token = token_mint(&options, &err);
    if (!token) {
        fprintf(stderr, "vigie token: %s\n", err.text);
        return APP_CONFIG;
    }
    int rc = puts(token) < 0 || fflush(stdout) ? APP_RUNTIME : APP_OK;
    free(token);
    return rc;
}
