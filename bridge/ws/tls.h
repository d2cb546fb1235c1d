/* tls.h - the certificate in service, replaceable while sessions live.
 *
 * libwebsockets' own way to renew answers "ok" when it has just broken every new handshake, and
 * keeps an old EC certificate when the new one is RSA (both measured on 4.1.6). Here each handshake
 * is given the pair by a callback, and a new pair is looked at as a whole before it takes the old
 * one's place. */
#ifndef VIGIE_WS_TLS_H
#define VIGIE_WS_TLS_H

#include "base/err.h"
#include "base/mem.h"

#include <stdbool.h>
#include <stdint.h>

struct tls;

/* Mozilla's intermediate configuration 5.8, as far as OpenSSL 3.0 knows it. */
#define TLS_CIPHERS_1_2                                                                            \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"     \
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
#define TLS_CIPHERS_1_3 "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"

/* Loads a chain and its key: readable, belonging together, not expired. NULL with `err`. */
struct tls *tls_new(const char *certificate, const char *private_key, struct err *err) MUST_USE;
/* NULL is allowed. */
void tls_free(struct tls *tls);
/* Loads anew; the old pair stays when that fails. */
bool tls_load(struct tls *tls, const char *certificate, const char *private_key, struct err *err);
/* Sets up an SSL_CTX to serve it: versions, ciphers, no tickets, no renegotiation. */
void tls_attach(struct tls *tls, void *ssl_ctx);
/* When the certificate expires, in seconds since 1970. */
int64_t tls_expires_at(const struct tls *tls);

#endif
