/* signer.h - the other side of the table: keys made at test time and tokens signed with OpenSSL
 * alone, so that neither libjwt nor our own code judges itself. Any header, any payload. */
#ifndef VIGIE_TEST_AUTH_SIGNER_H
#define VIGIE_TEST_AUTH_SIGNER_H

#include "auth/algorithm.h"
#include "auth/token.h"
#include "base/base64url.h"
#include "base/mem.h"

#include <assert.h>
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define NOW_S INT64_C(1790000000)
#define NOW_US (NOW_S * 1000000)

static const char signer_secret[] =
    "a secret of sixty-four bytes is long enough for each HMAC hash!!";

/* A file that only this process sees: its descriptor's path. */
struct given_file {
    int fd;
    char path[32];
};

static inline struct given_file given_bytes(const void *bytes, size_t len)
{
    struct given_file file = {.fd = memfd_create("key", MFD_CLOEXEC)};
    ssize_t wrote = write(file.fd, bytes, len);
    assert(file.fd >= 0 && wrote == (ssize_t)len);
    snprintf(file.path, sizeof file.path, "/proc/self/fd/%d", file.fd);
    return file;
}

static inline struct given_file given_text(const char *text)
{
    return given_bytes(text, strlen(text));
}

static inline void given_close(struct given_file *file)
{
    close(file->fd);
}

static inline EVP_PKEY *rsa_of_bits(unsigned bits)
{
    EVP_PKEY *pkey = EVP_RSA_gen(bits);
    assert(pkey);
    return pkey;
}

static inline EVP_PKEY *ec_on(const char *curve)
{
    EVP_PKEY *pkey = EVP_EC_gen(curve);
    assert(pkey);
    return pkey;
}

static inline char *bio_text(BIO *bio)
{
    char *bytes = NULL;
    long len = BIO_get_mem_data(bio, &bytes);
    char *text = mem_dup(bytes, (size_t)len);
    BIO_free(bio);
    return text;
}

static inline char *public_text(EVP_PKEY *pkey)
{
    BIO *bio = BIO_new(BIO_s_mem());
    int ok = PEM_write_bio_PUBKEY(bio, pkey);
    assert(ok == 1);
    return bio_text(bio);
}

static inline char *private_text(EVP_PKEY *pkey)
{
    BIO *bio = BIO_new(BIO_s_mem());
    int ok = PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL);
    assert(ok == 1);
    return bio_text(bio);
}

static inline struct given_file given_public(EVP_PKEY *pkey)
{
    char *text = public_text(pkey);
    struct given_file file = given_text(text);
    free(text);
    return file;
}

static inline const EVP_MD *hash_of(enum algorithm algorithm)
{
    size_t bytes = algorithm_info(algorithm)->hash_bytes;
    return bytes == 32 ? EVP_sha256() : bytes == 48 ? EVP_sha384() : EVP_sha512();
}

/* DER becomes r||s of the curve's size (RFC 7518, 3.4). */
static inline size_t raw_ecdsa(const uint8_t *der, size_t len, size_t field, uint8_t *raw)
{
    ECDSA_SIG *parsed = d2i_ECDSA_SIG(NULL, &der, (long)len);
    assert(parsed);
    BN_bn2binpad(ECDSA_SIG_get0_r(parsed), raw, (int)field);
    BN_bn2binpad(ECDSA_SIG_get0_s(parsed), raw + field, (int)field);
    ECDSA_SIG_free(parsed);
    return 2 * field;
}

static inline size_t sign_pkey(enum algorithm algorithm, EVP_PKEY *pkey, const char *input,
                               uint8_t *signature)
{
    uint8_t made[1024];
    size_t len = sizeof made;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    int ok = EVP_DigestSignInit(ctx, NULL, hash_of(algorithm), NULL, pkey) == 1 &&
             EVP_DigestSign(ctx, made, &len, (const uint8_t *)input, strlen(input)) == 1;
    assert(ok);
    EVP_MD_CTX_free(ctx);
    if (EVP_PKEY_is_a(pkey, "EC"))
        return raw_ecdsa(made, len, (size_t)(EVP_PKEY_get_bits(pkey) + 7) / 8, signature);
    memcpy(signature, made, len);
    return len;
}

static inline size_t sign_secret(enum algorithm algorithm, const char *secret, size_t secret_len,
                                 const char *input, uint8_t *signature)
{
    unsigned len = 0;
    HMAC(hash_of(algorithm), secret, (int)secret_len, (const uint8_t *)input, strlen(input),
         signature, &len);
    return len;
}

static inline void add_segment(char **text, const void *bytes, size_t len)
{
    size_t used = *text ? strlen(*text) : 0;
    *text = mem_resize(*text, used + BASE64URL_LEN(len) + 2, 1);
    if (used)
        (*text)[used++] = '.';
    base64url_encode(bytes, len, *text + used);
}

/* header.payload, both as given, not signed yet. */
static inline char *unsigned_token(const void *header, size_t header_len, const void *payload,
                                   size_t payload_len)
{
    char *text = NULL;
    add_segment(&text, header, header_len);
    add_segment(&text, payload, payload_len);
    return text;
}

static inline char *token_by_key(enum algorithm algorithm, EVP_PKEY *pkey, const char *header,
                                 const char *payload)
{
    uint8_t signature[1024];
    char *text = unsigned_token(header, strlen(header), payload, strlen(payload));
    size_t len = sign_pkey(algorithm, pkey, text, signature);
    add_segment(&text, signature, len);
    return text;
}

static inline char *token_by_secret_bytes(enum algorithm algorithm, const char *secret,
                                          size_t secret_len, const char *header, size_t header_len,
                                          const char *payload, size_t payload_len)
{
    uint8_t signature[64];
    char *text = unsigned_token(header, header_len, payload, payload_len);
    size_t len = sign_secret(algorithm, secret, secret_len, text, signature);
    add_segment(&text, signature, len);
    return text;
}

static inline char *token_by_secret(enum algorithm algorithm, const char *header,
                                    const char *payload)
{
    return token_by_secret_bytes(algorithm, signer_secret, strlen(signer_secret), header,
                                 strlen(header), payload, strlen(payload));
}

/* Exactly what the issuer of issuer_of() wants to read; `more` is put behind it. */
static inline const char *payload_with(const char *more)
{
    static char text[8192];
    snprintf(text, sizeof text,
             "{\"iss\":\"https://id.example/\",\"aud\":\"vigie\",\"exp\":%lld,\"sub\":\"u7\","
             "\"company\":\"42\"%s}",
             (long long)NOW_S + 600, more);
    return text;
}

static inline const char *header_of(enum algorithm algorithm)
{
    static char text[64];
    snprintf(text, sizeof text, "{\"alg\":\"%s\",\"typ\":\"JWT\"}",
             algorithm_info(algorithm)->name);
    return text;
}

static inline struct issuer_options issuer_of(const char *algorithm, const char *key_file)
{
    return (struct issuer_options){
        .name = "main",
        .iss = "https://id.example/",
        .audience = "vigie",
        .algorithm = algorithm,
        .key_file = key_file,
        .leeway_s = 30,
        .max_ttl_s = 3600,
    };
}

/* For cmocka: the reasons by name, so that a failure reads well. */
#define assert_reason(got, expected)                                                               \
    assert_string_equal(token_reason_name(got), token_reason_name(expected))

#endif
