/* signature.h - is a token signed by this key? The only module that knows libjwt.
 *
 * libjwt 1.10 is a signature primitive here and nothing more. Alone it lets the token choose the
 * algorithm, takes any forged token when the key is empty or when a certain allocation fails, and
 * writes past its heap on empty segments. So what comes in went through gate_open() and was matched
 * to a key of exactly its algorithm and signature size; what comes out is believed only when libjwt
 * also says which algorithm it verified. It reads the payload as JSON before the signature: one
 * that is no JSON is no valid signature here. Another libjwt can only make this stricter. */
#ifndef VIGIE_AUTH_SIGNATURE_H
#define VIGIE_AUTH_SIGNATURE_H

#include "auth/key.h"

#include <stdbool.h>

/* `token` is NUL-terminated, canonical, its header names the key's algorithm. OpenSSL's error queue
 * is empty afterwards. libjwt parses the PEM at each call: some 300 us for RS256. */
bool signature_holds(const struct key *key, const char *token) MUST_USE;

/* A signed token of a JSON object of claims; `kid` NULL or "" for none. `material` is the secret or
 * a private PEM without passphrase. The text is the caller's (free()); NULL when libjwt refuses. */
char *signature_make(enum algorithm algorithm, const char *material, size_t len, const char *kid,
                     const char *claims) MUST_USE;

#endif
