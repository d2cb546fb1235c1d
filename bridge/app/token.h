/* token.h - `vigie token`: a development token on standard output. */
#ifndef VIGIE_APP_TOKEN_H
#define VIGIE_APP_TOKEN_H

#include "app/args.h"

/* Mints and prints; an exit code. Refuses without a key file that was named. */
int token_command(const struct args_token *args);

#endif
