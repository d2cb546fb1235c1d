/* claims.h - what a signed payload must say before its speaker is believed. */
#ifndef VIGIE_AUTH_CLAIMS_H
#define VIGIE_AUTH_CLAIMS_H

#include "auth/issuer.h"
#include "auth/token.h"

#include <jansson.h>

#define CLAIMS_US_PER_S INT64_C(1000000)

/* The issuer whose key signed this must be the one that the payload names. */
bool claims_name_issuer(const struct issuer *issuer, const json_t *payload) MUST_USE;

/* Everything after the issuer. TOKEN_OK fills `claims`; it may be half filled otherwise. */
enum token_reason claims_read(const struct issuer *issuer, const json_t *payload, int64_t now_us,
                              struct claims *claims) MUST_USE;

/* 1 to `max` bytes, no control character, no blank at either end, and not "*", which would read as
 * a pattern elsewhere: what may name a company, a user or a role. NULL is none. */
bool claims_name_fits(const char *text, size_t max) MUST_USE;

#endif
