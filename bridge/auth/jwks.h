/* jwks.h - a JSON Web Key Set (RFC 7517) into a keyring, or nothing of it.
 *
 * A set is refused as a whole for what its issuer must never publish (a secret, a private part) and
 * for what leaves doubt (a kid twice, a weak or broken key). What is merely not for us (encryption
 * keys, unknown kinds, PS256, EdDSA) is skipped and counted. */
#ifndef VIGIE_AUTH_JWKS_H
#define VIGIE_AUTH_JWKS_H

#include "auth/keyring.h"

enum { JWKS_BYTES_MAX = 65536 };

/* `algorithm` is the configuration's: of the keys that name none, which are skipped when it is
 * ALGORITHM_COUNT (none configured). `ring` comes empty and stays so
 * on failure. At least one usable key is asked for. */
bool jwks_parse(struct keyring *ring, enum algorithm algorithm, const char *text, size_t len,
                struct err *err) MUST_USE;

bool jwks_load_file(struct keyring *ring, enum algorithm algorithm, const char *path,
                    struct err *err) MUST_USE;

#endif
