/* keyring.h - the keys of one issuer. A key is never looked up across issuers: that would let one
 * issuer's key speak in another's name. */
#ifndef VIGIE_AUTH_KEYRING_H
#define VIGIE_AUTH_KEYRING_H

#include "auth/key.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

enum { KEYRING_KEYS_MAX = 32 };

struct keyring {
    struct key keys[KEYRING_KEYS_MAX];
    size_t count;
    size_t skipped; /* of a key set: encryption keys, unknown kinds, algorithms that are not ours */
};

/* Takes the key's memory over in any case. False when full, or when its kid is there already. */
bool keyring_add_take(struct keyring *ring, struct key *key, struct err *err) MUST_USE;

/* The one key of a file: a secret for HMAC, else PEM of a public key. */
bool keyring_load_file(struct keyring *ring, enum algorithm algorithm, const char *kid,
                       const char *path, struct err *err) MUST_USE;

void keyring_clear(struct keyring *ring);

#endif
