#include "auth/jwks.h"

#include "auth/keyfile.h"
#include "base/base64url.h"

#include <jansson.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <stdint.h>
#include <string.h>

enum {
    MODULUS_BYTES_MAX = KEY_RSA_BITS_MAX / 8,
    EXPONENT_BYTES_MAX = 8,
    FIELD_BYTES_MAX = 66,
};

/* What became of one member of the set. */
enum verdict { VERDICT_TAKEN, VERDICT_SKIPPED, VERDICT_REFUSED };

static const char *text_of(const json_t *jwk, const char *name)
{
    return json_string_value(json_object_get(jwk, name));
}

/* Strict base64url of 1 to `capacity` bytes. */
static bool bytes_of(const json_t *jwk, const char *name, uint8_t *bytes, size_t capacity,
                     size_t *len)
{
    const json_t *value = json_object_get(jwk, name);
    return json_is_string(value) &&
           base64url_decode(json_string_value(value), json_string_length(value), bytes, capacity,
                            len) &&
           *len > 0;
}

static EVP_PKEY *pkey_from(const char *type, OSSL_PARAM_BLD *builder)
{
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(builder);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *pkey = NULL;
    if (!params || !ctx || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
        pkey = NULL;
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    return pkey;
}

static EVP_PKEY *rsa_from_numbers(const BIGNUM *n, const BIGNUM *e)
{
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    EVP_PKEY *pkey = NULL;
    if (builder && n && e && OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e) == 1)
        pkey = pkey_from("RSA", builder);
    OSSL_PARAM_BLD_free(builder);
    return pkey;
}

static EVP_PKEY *rsa_pkey(const json_t *jwk)
{
    uint8_t modulus[MODULUS_BYTES_MAX];
    uint8_t exponent[EXPONENT_BYTES_MAX];
    size_t modulus_len = 0;
    size_t exponent_len = 0;
    if (!bytes_of(jwk, "n", modulus, sizeof modulus, &modulus_len) ||
        !bytes_of(jwk, "e", exponent, sizeof exponent, &exponent_len))
        return NULL;
    BIGNUM *n = BN_bin2bn(modulus, (int)modulus_len, NULL);
    BIGNUM *e = BN_bin2bn(exponent, (int)exponent_len, NULL);
    EVP_PKEY *pkey = rsa_from_numbers(n, e);
    BN_free(n);
    BN_free(e);
    return pkey;
}

/* RFC 7518, 6.2.1.2: each coordinate has the full size of the field, leading zeros included. */
static EVP_PKEY *ec_pkey(const json_t *jwk, const struct algorithm_info *info)
{
    uint8_t point[1 + 2 * FIELD_BYTES_MAX] = {4 /* uncompressed */};
    size_t field = info->field_bytes;
    size_t x_len = 0;
    size_t y_len = 0;
    if (!bytes_of(jwk, "x", point + 1, field, &x_len) || x_len != field ||
        !bytes_of(jwk, "y", point + 1 + field, field, &y_len) || y_len != field)
        return NULL;
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    EVP_PKEY *pkey = NULL;
    if (builder &&
        OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, info->group, 0) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * field) ==
            1)
        pkey = pkey_from("EC", builder);
    OSSL_PARAM_BLD_free(builder);
    return pkey;
}

/* Even in a key that we would skip: the issuer must hear of it. */
static bool publishes_a_secret(const json_t *jwk)
{
    static const char *const members[] = {"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"};
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        if (json_object_get(jwk, members[i]))
            return true;
    const char *kty = text_of(jwk, "kty");
    return kty && strcmp(kty, "oct") == 0;
}

static bool is_for_verifying(const json_t *jwk)
{
    const json_t *use = json_object_get(jwk, "use");
    if (use && (!json_is_string(use) || strcmp(json_string_value(use), "sig") != 0))
        return false;
    const json_t *operations = json_object_get(jwk, "key_ops");
    if (!operations)
        return true;
    size_t i = 0;
    const json_t *operation = NULL;
    json_array_foreach(operations, i, operation)
    {
        const char *name = json_string_value(operation);
        if (name && strcmp(name, "verify") == 0)
            return true;
    }
    return false;
}

/* The key's own "alg", else the configuration's; never the token's. */
static bool algorithm_of(const json_t *jwk, enum algorithm configured, enum algorithm *algorithm)
{
    const json_t *alg = json_object_get(jwk, "alg");
    *algorithm = configured;
    return alg ? algorithm_find(json_string_value(alg), algorithm) : configured != ALGORITHM_COUNT;
}

static bool kind_fits(const json_t *jwk, const struct algorithm_info *info)
{
    const char *kty = text_of(jwk, "kty");
    const char *crv = text_of(jwk, "crv");
    switch (info->family) {
    case FAMILY_HMAC:
        return false;
    case FAMILY_RSA:
        return kty && strcmp(kty, "RSA") == 0;
    case FAMILY_EC:
        return kty && crv && strcmp(kty, "EC") == 0 && strcmp(crv, info->jwk_curve) == 0;
    }
    return false;
}

static bool kid_of(const json_t *jwk, const char **kid, struct err *err)
{
    const json_t *value = json_object_get(jwk, "kid");
    *kid = json_string_value(value);
    if (!value || (*kid && **kid))
        return true;
    return err_set(err, "expected kid to be a string that is not empty");
}

static enum verdict take(struct keyring *ring, const json_t *jwk, enum algorithm algorithm,
                         struct err *err)
{
    const struct algorithm_info *info = algorithm_info(algorithm);
    const char *kid = NULL;
    if (!kid_of(jwk, &kid, err))
        return VERDICT_REFUSED;
    EVP_PKEY *pkey = info->family == FAMILY_RSA ? rsa_pkey(jwk) : ec_pkey(jwk, info);
    if (!pkey) {
        err_set(err, "expected a public key for %s", info->name);
        return VERDICT_REFUSED;
    }
    struct key key = {0};
    bool ok = key_init_public(&key, algorithm, kid, pkey, err) && keyring_add_take(ring, &key, err);
    EVP_PKEY_free(pkey);
    return ok ? VERDICT_TAKEN : VERDICT_REFUSED;
}

static enum verdict judge(struct keyring *ring, const json_t *jwk, enum algorithm configured,
                          struct err *err)
{
    if (!json_is_object(jwk)) {
        err_set(err, "expected an object");
        return VERDICT_REFUSED;
    }
    if (publishes_a_secret(jwk)) {
        err_set(err, "expected public keys only, found a secret one: replace it at its issuer");
        return VERDICT_REFUSED;
    }
    enum algorithm algorithm = configured;
    if (!is_for_verifying(jwk) || !algorithm_of(jwk, configured, &algorithm) ||
        !kind_fits(jwk, algorithm_info(algorithm)))
        return VERDICT_SKIPPED;
    return take(ring, jwk, algorithm, err);
}

static bool judge_all(struct keyring *ring, const json_t *keys, enum algorithm configured,
                      struct err *err)
{
    size_t i = 0;
    const json_t *jwk = NULL;
    json_array_foreach(keys, i, jwk)
    {
        switch (judge(ring, jwk, configured, err)) {
        case VERDICT_TAKEN:
            break;
        case VERDICT_SKIPPED:
            ring->skipped++;
            break;
        case VERDICT_REFUSED:
            return err_wrap(err, "key %zu of the set", i + 1);
        }
    }
    return ring->count > 0 || err_set(err, "expected at least one key to verify signatures with");
}

static bool parse_set(struct keyring *ring, enum algorithm configured, const json_t *set,
                      struct err *err)
{
    const json_t *keys = json_object_get(set, "keys");
    if (!json_is_array(keys))
        return err_set(err, "expected a JSON object with an array \"keys\"");
    if (json_array_size(keys) > KEYRING_KEYS_MAX)
        return err_set(err, "expected at most %d keys, found %zu", KEYRING_KEYS_MAX,
                       json_array_size(keys));
    return judge_all(ring, keys, configured, err);
}

bool jwks_parse(struct keyring *ring, enum algorithm algorithm, const char *text, size_t len,
                struct err *err)
{
    if (len > JWKS_BYTES_MAX)
        return err_set(err, "expected at most %d bytes", JWKS_BYTES_MAX);
    json_error_t where; /* its text would quote the document: only the line is handed on */
    json_t *set = json_loadb(text, len, JSON_REJECT_DUPLICATES, &where);
    bool ok = set ? parse_set(ring, algorithm, set, err)
                  : err_set(err, "line %d: expected JSON without duplicate members", where.line);
    json_decref(set);
    ERR_clear_error();
    if (!ok)
        keyring_clear(ring);
    return ok;
}

bool jwks_load_file(struct keyring *ring, enum algorithm algorithm, const char *path,
                    struct err *err)
{
    struct keyfile file = {0};
    bool ok =
        keyfile_read(&file, path, err) && jwks_parse(ring, algorithm, file.bytes, file.len, err);
    keyfile_clear(&file);
    return ok || err_wrap(err, "jwks_file %s", path);
}
