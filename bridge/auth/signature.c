#include "auth/signature.h"

#include <assert.h>
#include <jwt.h>
#include <limits.h>
#include <openssl/err.h>

/* libjwt renumbers its enum between versions: it stays in this file. */
static jwt_alg_t libjwt_name(enum algorithm algorithm)
{
    static const jwt_alg_t names[ALGORITHM_COUNT] = {
        [HS256] = JWT_ALG_HS256, [HS384] = JWT_ALG_HS384, [HS512] = JWT_ALG_HS512,
        [RS256] = JWT_ALG_RS256, [RS384] = JWT_ALG_RS384, [RS512] = JWT_ALG_RS512,
        [ES256] = JWT_ALG_ES256, [ES384] = JWT_ALG_ES384, [ES512] = JWT_ALG_ES512,
    };
    return names[algorithm];
}

bool signature_holds(const struct key *key, const char *token)
{
    /* With an empty key libjwt takes every token. */
    assert(key->material && key->material_len > 0 && key->material_len <= INT_MAX);
    jwt_t *jwt = NULL;
    int failed =
        jwt_decode(&jwt, token, (const unsigned char *)key->material, (int)key->material_len);
    bool holds = !failed && jwt && jwt_get_alg(jwt) == libjwt_name(key->algorithm);
    jwt_free(jwt);
    ERR_clear_error();
    return holds;
}

char *signature_make(enum algorithm algorithm, const char *material, size_t len, const char *kid,
                     const char *claims)
{
    assert(len > 0 && len <= INT_MAX);
    jwt_t *jwt = NULL;
    char *token = NULL;
    if (jwt_new(&jwt) != 0)
        return NULL;
    if (jwt_add_grants_json(jwt, claims) == 0 &&
        (!kid || !*kid || jwt_add_header(jwt, "kid", kid) == 0) &&
        jwt_set_alg(jwt, libjwt_name(algorithm), (const unsigned char *)material, (int)len) == 0)
        token = jwt_encode_str(jwt);
    jwt_free(jwt);
    ERR_clear_error();
    return token;
}
