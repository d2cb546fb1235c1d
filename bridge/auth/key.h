/* key.h - one verification key: its bytes, the one algorithm it serves, and the kid it answers to.
 *
 * A key that exists was found strong enough: nothing past loading asks again. */
#ifndef VIGIE_AUTH_KEY_H
#define VIGIE_AUTH_KEY_H

#include "auth/algorithm.h"
#include "base/err.h"

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>

enum {
    KEY_ID_MAX = 127,
    KEY_RSA_BITS_MIN = 2048,
    KEY_RSA_BITS_MAX = 8192,
    KEY_SECRET_BYTES_MAX = 1024,
    KEY_SIGNATURE_BYTES_MAX = KEY_RSA_BITS_MAX / 8,
};

struct key {
    char *kid; /* "": answers to tokens without kid */
    enum algorithm algorithm;
    char *material;      /* HMAC: the secret. RSA, EC: PEM of the public key, as libjwt wants it */
    size_t material_len; /* never 0 */
    size_t signature_bytes; /* what every signature under this key measures */
};

/* Each fills `key` or leaves it untouched and says in `err` what was expected. `kid` NULL: none. */
bool key_init_secret(struct key *key, enum algorithm algorithm, const char *kid, const char *secret,
                     size_t len, struct err *err) MUST_USE;
bool key_init_public(struct key *key, enum algorithm algorithm, const char *kid, EVP_PKEY *pkey,
                     struct err *err) MUST_USE;

/* The strength and the kind that `algorithm` asks of an RSA or EC key, private or public. */
bool key_check(enum algorithm algorithm, EVP_PKEY *pkey, struct err *err) MUST_USE;

/* Wipes the material; harmless on a zeroed key. */
void key_clear(struct key *key);

bool key_same(const struct key *a, const struct key *b) MUST_USE;

#endif
