#include "ws/tls.h"

#include <assert.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct pair {
    X509 *leaf;
    STACK_OF(X509) * chain;
    EVP_PKEY *key;
};

struct tls {
    struct pair pair;
};

static void pair_free(struct pair *pair)
{
    X509_free(pair->leaf);
    sk_X509_pop_free(pair->chain, X509_free);
    EVP_PKEY_free(pair->key);
    *pair = (struct pair){0};
}

static bool openssl_said(struct err *err, const char *path, const char *what)
{
    const char *why = ERR_reason_error_string(ERR_get_error());
    ERR_clear_error();
    return err_set(err, "%s: %s: %s", path, what, why ? why : "cannot be read");
}

/* An encrypted key would otherwise ask for its passphrase on standard input. */
static int no_passphrase(char *text, int size, int writing, void *arg)
{
    (void)text, (void)size, (void)writing, (void)arg;
    return -1;
}

/* The end of the file is an error to the reader, as is a damaged certificate in the chain: served
 * without it, the leaf would convince nobody. */
static bool is_at_end(void)
{
    unsigned long code = ERR_peek_last_error();
    return ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
}

static bool read_chain(struct pair *pair, const char *path, struct err *err)
{
    BIO *file = BIO_new_file(path, "r");
    if (!file)
        return openssl_said(err, path, "expected a PEM certificate");
    pair->leaf = PEM_read_bio_X509(file, NULL, no_passphrase, NULL);
    pair->chain = sk_X509_new_null();
    X509 *next;
    while (pair->leaf && (next = PEM_read_bio_X509(file, NULL, no_passphrase, NULL)))
        sk_X509_push(pair->chain, next);
    BIO_free(file);
    if (!pair->leaf || !is_at_end())
        return openssl_said(err, path, "expected a PEM certificate");
    ERR_clear_error();
    return true;
}

static bool read_key(struct pair *pair, const char *path, struct err *err)
{
    BIO *file = BIO_new_file(path, "r");
    if (file)
        pair->key = PEM_read_bio_PrivateKey(file, NULL, no_passphrase, NULL);
    BIO_free(file);
    return pair->key || openssl_said(err, path, "expected an unencrypted PEM private key");
}

static bool belongs_together(const struct pair *pair, const char *certificate, const char *key,
                             struct err *err)
{
    if (X509_check_private_key(pair->leaf, pair->key) != 1) {
        ERR_clear_error();
        return err_set(err, "%s is not the private key of %s", key, certificate);
    }
    if (X509_cmp_current_time(X509_get0_notAfter(pair->leaf)) <= 0)
        return err_set(err, "%s: the certificate has expired", certificate);
    return true;
}

bool tls_load(struct tls *tls, const char *certificate, const char *private_key, struct err *err)
{
    struct pair pair = {0};
    if (!read_chain(&pair, certificate, err) || !read_key(&pair, private_key, err) ||
        !belongs_together(&pair, certificate, private_key, err)) {
        pair_free(&pair);
        return false;
    }
    pair_free(&tls->pair);
    tls->pair = pair;
    return true;
}

struct tls *tls_new(const char *certificate, const char *private_key, struct err *err)
{
    struct tls *tls = mem_new(sizeof *tls);
    if (tls_load(tls, certificate, private_key, err))
        return tls;
    free(tls);
    return NULL;
}

void tls_free(struct tls *tls)
{
    if (!tls)
        return;
    pair_free(&tls->pair);
    free(tls);
}

/* Before each handshake: drop whatever this SSL inherited, so that a change from EC to RSA counts.
 */
static int give_pair(SSL *ssl, void *arg)
{
    struct tls *tls = arg;
    SSL_certs_clear(ssl);
    return SSL_use_cert_and_key(ssl, tls->pair.leaf, tls->pair.key, tls->pair.chain, 1);
}

void tls_attach(struct tls *tls, void *ssl_ctx)
{
    SSL_CTX *ctx = ssl_ctx;
    int ok = SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) &&
             SSL_CTX_set_cipher_list(ctx, TLS_CIPHERS_1_2) &&
             SSL_CTX_set_ciphersuites(ctx, TLS_CIPHERS_1_3) &&
             SSL_CTX_set1_groups_list(ctx, "X25519:P-256:P-384");
    assert(ok == 1);
    SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_num_tickets(ctx, 0);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_cert_cb(ctx, give_pair, tls);
}

int64_t tls_expires_at(const struct tls *tls)
{
    struct tm utc;
    if (!ASN1_TIME_to_tm(X509_get0_notAfter(tls->pair.leaf), &utc))
        return 0;
    return (int64_t)timegm(&utc);
}
