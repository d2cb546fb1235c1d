/* algorithm.h - the nine JWS algorithms of RFC 7518 that a key can be pinned to.
 *
 * "none", the RSA-PSS ones and EdDSA are not here: libjwt 1.10 has no code for them, and a name
 * that is not in this table is refused before any key is looked at. */
#ifndef VIGIE_AUTH_ALGORITHM_H
#define VIGIE_AUTH_ALGORITHM_H

#include "base/mem.h"

#include <stdbool.h>
#include <stddef.h>

enum algorithm { HS256, HS384, HS512, RS256, RS384, RS512, ES256, ES384, ES512, ALGORITHM_COUNT };

enum family { FAMILY_HMAC, FAMILY_RSA, FAMILY_EC };

struct algorithm_info {
    const char *name;
    enum family family;
    size_t hash_bytes;
    const char *jwk_curve; /* EC: the name in a JWK … */
    const char *group;     /* … and OpenSSL's */
    size_t field_bytes;    /* EC: of one coordinate, and of r and of s in a signature */
};

const struct algorithm_info *algorithm_info(enum algorithm algorithm);

/* The exact name only: RFC 7515 compares it case-sensitively. NULL is no name. */
bool algorithm_find(const char *name, enum algorithm *algorithm) MUST_USE;

#endif
