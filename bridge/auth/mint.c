/* mint.c - development tokens for `vigie token`: the daemon itself never signs. */
#include "auth/algorithm.h"
#include "auth/claims.h"
#include "auth/key.h"
#include "auth/keyfile.h"
#include "auth/signature.h"
#include "auth/token.h"

#include <jansson.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

static const char *or_default(const char *text, const char *fallback)
{
    return text && *text ? text : fallback;
}

static bool options_are_given(const struct mint_options *options, struct err *err)
{
    if (!options->key_file)
        return err_set(err, "expected a key file: tokens are made with a development key only");
    if (!options->iss || !options->audience)
        return err_set(err, "expected an issuer and an audience");
    if (!claims_name_fits(options->company, TOKEN_COMPANY_MAX))
        return err_set(err, "expected a company of 1 to %d bytes", TOKEN_COMPANY_MAX);
    if (!claims_name_fits(options->user, TOKEN_USER_MAX))
        return err_set(err, "expected a user of 1 to %d bytes", TOKEN_USER_MAX);
    if (options->role && !claims_name_fits(options->role, TOKEN_ROLE_MAX))
        return err_set(err, "expected a role of 1 to %d bytes", TOKEN_ROLE_MAX);
    if (options->kid && strlen(options->kid) > KEY_ID_MAX)
        return err_set(err, "expected a kid of at most %d bytes", KEY_ID_MAX);
    if (options->ttl_s < -ISSUER_TTL_MAX_S || options->ttl_s > ISSUER_TTL_MAX_S)
        return err_set(err, "expected a lifetime of at most %d seconds", ISSUER_TTL_MAX_S);
    return true;
}

static char *claims_text(const struct mint_options *options)
{
    json_int_t now_s = options->now_us / CLAIMS_US_PER_S;
    json_int_t end_s = now_s + options->ttl_s;
    json_t *claims =
        json_pack("{s:s, s:s, s:I, s:I, s:s, s:s}", "iss", options->iss, "aud", options->audience,
                  "iat", now_s, "exp", end_s, or_default(options->company_claim, "company"),
                  options->company, or_default(options->user_claim, "sub"), options->user);
    if (claims && options->role &&
        json_object_set_new(claims, or_default(options->role_claim, "role"),
                            json_string(options->role)) != 0) {
        json_decref(claims);
        claims = NULL;
    }
    char *text = claims ? json_dumps(claims, JSON_COMPACT) : NULL;
    json_decref(claims);
    return text;
}

/* Handing libjwt the file as it is would let it ask the terminal for a passphrase. */
static bool to_plain_pem(struct keyfile *file, enum algorithm algorithm, struct err *err)
{
    EVP_PKEY *pkey = keyfile_private(file, err);
    BIO *bio = BIO_new(BIO_s_secmem());
    bool ok = pkey && key_check(algorithm, pkey, err);
    if (ok) {
        ok = bio && PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL) == 1;
        int len = ok ? BIO_read(bio, file->bytes, KEYFILE_BYTES_MAX) : 0;
        ok = len > 0 || err_set(err, "expected a key that can be written as PEM");
        file->len = ok ? (size_t)len : 0;
    }
    BIO_free(bio);
    EVP_PKEY_free(pkey);
    ERR_clear_error();
    return ok;
}

static bool secret_is_strong(struct keyfile *file, enum algorithm algorithm, struct err *err)
{
    struct key key = {0};
    bool ok = keyfile_to_secret(file, err) &&
              key_init_secret(&key, algorithm, NULL, file->bytes, file->len, err);
    key_clear(&key);
    return ok;
}

static char *sign(const struct mint_options *options, enum algorithm algorithm,
                  const struct keyfile *file, struct err *err)
{
    char *claims = claims_text(options);
    char *token =
        claims ? signature_make(algorithm, file->bytes, file->len, options->kid, claims) : NULL;
    free(claims);
    if (!token)
        err_set(err, "expected claims in UTF-8 and a key that signs with %s",
                algorithm_info(algorithm)->name);
    return token;
}

char *token_mint(const struct mint_options *options, struct err *err)
{
    enum algorithm algorithm;
    struct keyfile file = {0};
    char *token = NULL;
    if (!options_are_given(options, err))
        return NULL;
    if (!algorithm_find(options->algorithm, &algorithm)) {
        err_set(err, "expected an algorithm: HS256 to HS512, RS256 to RS512 or ES256 to ES512");
        return NULL;
    }
    bool hmac = algorithm_info(algorithm)->family == FAMILY_HMAC;
    if (keyfile_read(&file, options->key_file, err) &&
        (hmac ? secret_is_strong(&file, algorithm, err) : to_plain_pem(&file, algorithm, err)))
        token = sign(options, algorithm, &file, err);
    else
        err_wrap(err, "key file %s", options->key_file);
    keyfile_clear(&file);
    return token;
}
