/* keyfile.h - what an operator's key file holds: a secret, a public key, or a key set's text. */
#ifndef VIGIE_AUTH_KEYFILE_H
#define VIGIE_AUTH_KEYFILE_H

#include "base/err.h"
#include "base/mem.h"

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>

enum { KEYFILE_BYTES_MAX = 65536 };

struct keyfile {
    char *bytes; /* NUL-terminated */
    size_t len;  /* never 0 */
};

/* Reads a regular file of 1 to KEYFILE_BYTES_MAX bytes. False with `err`. */
bool keyfile_read(struct keyfile *file, const char *path, struct err *err) MUST_USE;

/* Wipes and frees; harmless on a zeroed file. */
void keyfile_clear(struct keyfile *file);

/* Turns the file into the secret that it holds: one final newline is not part of it, and what
 * follows "base64:" is decoded (either alphabet, padded or not, wrapped or not). */
bool keyfile_to_secret(struct keyfile *file, struct err *err) MUST_USE;

/* The one key of the file, owned by the caller. NULL with `err`: another kind of block, a second
 * block, or, for the private one, a passphrase (nobody is asked: there may be no terminal). */
EVP_PKEY *keyfile_public(const struct keyfile *file, struct err *err) MUST_USE;
EVP_PKEY *keyfile_private(const struct keyfile *file, struct err *err) MUST_USE;

#endif
