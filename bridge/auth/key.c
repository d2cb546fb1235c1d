#include "auth/key.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

enum { RSA_EXPONENT_MIN = 65537, RSA_EXPONENT_BITS_MAX = 64 };

static bool kid_fits(const char *kid, struct err *err)
{
    if (kid && strlen(kid) > KEY_ID_MAX)
        return err_set(err, "expected a kid of at most %d bytes", KEY_ID_MAX);
    return true;
}

/* RFC 7518, 3.2: as long as the hash at least. A PEM here is a public key taken for a secret, the
 * classic way to let anybody sign. */
static bool secret_is_strong(enum algorithm algorithm, const char *secret, size_t len,
                             struct err *err)
{
    const struct algorithm_info *info = algorithm_info(algorithm);
    if (len < info->hash_bytes || len > KEY_SECRET_BYTES_MAX)
        return err_set(err, "expected a secret of %zu to %d bytes for %s, found %zu",
                       info->hash_bytes, KEY_SECRET_BYTES_MAX, info->name, len);
    if (memmem(secret, len, "-----BEGIN", 10))
        return err_set(err, "expected a secret for %s, found PEM text", info->name);
    return true;
}

bool key_init_secret(struct key *key, enum algorithm algorithm, const char *kid, const char *secret,
                     size_t len, struct err *err)
{
    const struct algorithm_info *info = algorithm_info(algorithm);
    if (info->family != FAMILY_HMAC)
        return err_set(err, "%s does not take a secret", info->name);
    if (!kid_fits(kid, err) || !secret_is_strong(algorithm, secret, len, err))
        return false;
    *key = (struct key){
        .kid = mem_strdup(kid ? kid : ""),
        .algorithm = algorithm,
        .material = mem_dup(secret, len),
        .material_len = len,
        .signature_bytes = info->hash_bytes,
    };
    return true;
}

static bool exponent_is_sane(EVP_PKEY *pkey)
{
    BIGNUM *e = NULL;
    if (EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &e) != 1)
        return false;
    bool sane = BN_is_odd(e) && BN_num_bits(e) <= RSA_EXPONENT_BITS_MAX &&
                BN_get_word(e) >= RSA_EXPONENT_MIN;
    BN_free(e);
    return sane;
}

static bool rsa_is_strong(EVP_PKEY *pkey, struct err *err)
{
    if (!EVP_PKEY_is_a(pkey, "RSA"))
        return err_set(err, "expected an RSA key");
    int bits = EVP_PKEY_get_bits(pkey);
    if (bits < KEY_RSA_BITS_MIN || bits > KEY_RSA_BITS_MAX)
        return err_set(err, "expected an RSA key of %d to %d bits, found %d", KEY_RSA_BITS_MIN,
                       KEY_RSA_BITS_MAX, bits);
    if (!exponent_is_sane(pkey))
        return err_set(err, "expected an odd RSA exponent from 65537 to 64 bits");
    return true;
}

static bool ec_is_of(EVP_PKEY *pkey, const struct algorithm_info *info, struct err *err)
{
    char group[64] = "";
    if (!EVP_PKEY_is_a(pkey, "EC") ||
        EVP_PKEY_get_group_name(pkey, group, sizeof group, NULL) != 1 ||
        strcmp(group, info->group) != 0)
        return err_set(err, "expected an EC key on curve %s for %s", info->jwk_curve, info->name);
    return true;
}

/* A point on its curve; a modulus that is odd, composite and without small factors. */
static bool public_part_is_sound(EVP_PKEY *pkey, struct err *err)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    bool sound = ctx && EVP_PKEY_public_check(ctx) == 1;
    EVP_PKEY_CTX_free(ctx);
    return sound || err_set(err, "expected a valid public key");
}

bool key_check(enum algorithm algorithm, EVP_PKEY *pkey, struct err *err)
{
    const struct algorithm_info *info = algorithm_info(algorithm);
    switch (info->family) {
    case FAMILY_HMAC:
        return err_set(err, "%s takes a secret, not a key pair", info->name);
    case FAMILY_RSA:
        return rsa_is_strong(pkey, err) && public_part_is_sound(pkey, err);
    case FAMILY_EC:
        return ec_is_of(pkey, info, err) && public_part_is_sound(pkey, err);
    }
    return false;
}

static char *public_pem(EVP_PKEY *pkey, size_t *len)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    char *copy = NULL;
    if (bio && PEM_write_bio_PUBKEY(bio, pkey) == 1) {
        long size = BIO_get_mem_data(bio, &text);
        if (size > 0) {
            *len = (size_t)size;
            copy = mem_dup(text, *len);
        }
    }
    BIO_free(bio);
    return copy;
}

bool key_init_public(struct key *key, enum algorithm algorithm, const char *kid, EVP_PKEY *pkey,
                     struct err *err)
{
    const struct algorithm_info *info = algorithm_info(algorithm);
    if (!kid_fits(kid, err) || !key_check(algorithm, pkey, err))
        return false;
    size_t len = 0;
    char *pem = public_pem(pkey, &len);
    if (!pem)
        return err_set(err, "expected a key that can be written as PEM");
    *key = (struct key){
        .kid = mem_strdup(kid ? kid : ""),
        .algorithm = algorithm,
        .material = pem,
        .material_len = len,
        .signature_bytes =
            info->family == FAMILY_EC ? 2 * info->field_bytes : (size_t)EVP_PKEY_get_size(pkey),
    };
    return true;
}

void key_clear(struct key *key)
{
    if (key->material)
        OPENSSL_cleanse(key->material, key->material_len);
    free(key->material);
    free(key->kid);
    *key = (struct key){0};
}

bool key_same(const struct key *a, const struct key *b)
{
    return a->material_len == b->material_len &&
           CRYPTO_memcmp(a->material, b->material, a->material_len) == 0;
}
