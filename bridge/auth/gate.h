/* gate.h - a token's form and header, before any key or cryptography sees it.
 *
 * What passes has one possible spelling: three segments of strict base64url that are not empty, a
 * header that is one JSON object without duplicate members, a known algorithm, no extension that we
 * would have to understand. jku, jwk, x5u and x5c are never read. */
#ifndef VIGIE_AUTH_GATE_H
#define VIGIE_AUTH_GATE_H

#include "auth/algorithm.h"
#include "auth/key.h"
#include "auth/token.h"

#include <jansson.h>

struct gate_token {
    char text[TOKEN_BYTES_MAX + 1]; /* NUL-terminated: what libjwt reads and claims come from */
    const char *payload;            /* its second segment */
    size_t payload_len;
    size_t signature_bytes; /* of the third one, decoded */
    enum algorithm algorithm;
    char kid[KEY_ID_MAX + 1]; /* "": none */
};

/* TOKEN_OK, or the first of TOKEN_SIZE, TOKEN_MALFORMED, TOKEN_ALGORITHM, TOKEN_HEADER, TOKEN_KEY
 * that applies; `token` is then not to be used. */
enum token_reason gate_open(struct gate_token *token, const char *text, size_t len) MUST_USE;

/* The payload, to be called only once the signature holds: the very bytes that were signed. NULL
 * unless it is one JSON object without duplicate members. The caller drops it (json_decref()). */
json_t *gate_payload(const struct gate_token *token) MUST_USE;

#endif
