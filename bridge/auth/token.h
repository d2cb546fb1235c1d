/* token.h - from the text of a token to who is speaking, or to the reason why not.
 *
 * libjwt checks the signature and nothing else. It sits behind a gate of ours, since alone it lets
 * the token choose the algorithm and takes forged tokens for an empty key. Order of the checks:
 * size, segments, strict base64url, header, exact algorithm pinned to the key, no crit, kid in this
 * issuer's keyring, key strength (at load), signature, then claims parsed from the very bytes that
 * were signed: iss, aud, exp, nbf, iat, jti, user, company, role, companies of the issuer.
 *
 * Which issuer it is follows from the key that verifies; the signed `iss` must then name it. At
 * most eight keys may answer to one algorithm and kid, so a forged token costs at most eight
 * attempts. */
#ifndef VIGIE_AUTH_TOKEN_H
#define VIGIE_AUTH_TOKEN_H

#include "base/err.h"
#include "base/mem.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TOKEN_BYTES_MAX = 8192,
    TOKEN_COMPANY_MAX = 64,
    TOKEN_USER_MAX = 128,
    TOKEN_ROLE_MAX = 64,
    TOKEN_ROLES_MAX = 16,
    TOKEN_ID_MAX = 128,
};

/* Stable: the names are metric labels and appear in logs and docs/operations.md. */
enum token_reason {
    TOKEN_OK,
    TOKEN_SIZE,            /* "size": empty or over TOKEN_BYTES_MAX */
    TOKEN_MALFORMED,       /* "malformed": segments, base64url */
    TOKEN_HEADER,          /* "header": not an object, duplicates, crit, b64, typ */
    TOKEN_ALGORITHM,       /* "algorithm": unknown, or not the one pinned to the key */
    TOKEN_KEY,             /* "key": no key of that kid in the issuer's keyring */
    TOKEN_SIGNATURE,       /* "signature": also a payload that is no JSON, libjwt reads it first */
    TOKEN_CLAIMS,          /* "claims": payload not an object, duplicates, jti */
    TOKEN_ISSUER,          /* "issuer": not the iss of the issuer whose key signed */
    TOKEN_AUDIENCE,        /* "audience" */
    TOKEN_EXPIRED,         /* "expired" */
    TOKEN_NOT_YET,         /* "not_yet": nbf or iat ahead of the clock, or no date */
    TOKEN_LIFETIME,        /* "lifetime": no exp, not a number, or further away than max_ttl */
    TOKEN_USER,            /* "user" */
    TOKEN_COMPANY,         /* "company" */
    TOKEN_ROLE,            /* "role" */
    TOKEN_COMPANY_REFUSED, /* "company_refused": this issuer may not speak for that company */
    TOKEN_REASON_COUNT
};
const char *token_reason_name(enum token_reason reason);
extern const char *const token_reason_names[TOKEN_REASON_COUNT];

struct claims {
    char issuer[64]; /* the name in our configuration */
    char company[TOKEN_COMPANY_MAX + 1];
    char user[TOKEN_USER_MAX + 1];
    char roles[TOKEN_ROLES_MAX][TOKEN_ROLE_MAX + 1];
    size_t role_count;
    char token_id[TOKEN_ID_MAX + 1]; /* jti, or empty */
    int64_t expires_at_us;           /* wall clock, leeway not added */
    int64_t leeway_us;
};

struct issuer_options {
    const char *name;      /* of the configuration: log lines, metric label */
    const char *iss;       /* exact */
    const char *audience;  /* exact */
    const char *algorithm; /* HS256 … ES512: of key_file, and of JWKS keys without "alg" */
    const char *key_file;  /* HS: secret; RS/ES: PEM of the public key. One of these two */
    const char *jwks_file;
    const char *kid; /* of key_file; NULL or "": the token must carry none */
    const char *typ; /* "JWT" (also NULL, ""): a token may leave it out. libjwt serves no other */
    const char *company_claim;
    const char *user_claim;
    const char *role_claim;       /* string or array of strings; absent: no role */
    const char *const *companies; /* "*" alone or exact ids; none: "*" for the first issuer only */
    size_t company_count;
    int64_t leeway_s;
    int64_t max_ttl_s;
};

struct verifier;

/* Loads every key. NULL with `err` (which file, what was expected) for an unreadable, empty, weak
 * (HMAC shorter than its hash, RSA under 2048 bits), private or mismatched key, a hostile JWKS
 * (oct, private members, duplicate kid, over 64 KiB or 32 keys), two issuers of one iss or of one
 * HMAC secret, more than eight keys of one algorithm and kid, or a second issuer that may speak for
 * any company without saying so. The options are copied. */
struct verifier *verifier_new(const struct issuer_options *issuers, size_t count,
                              struct err *err) MUST_USE;
/* NULL is allowed. */
void verifier_free(struct verifier *verifier);
size_t verifier_key_count(const struct verifier *verifier);
/* Keys of the sets that were left out: encryption keys, unknown kinds, algorithms not ours. */
size_t verifier_skipped_count(const struct verifier *verifier);

/* Verifies `len` bytes of `token` at `now_us` (wall clock). TOKEN_OK fills `claims`; any other
 * reason leaves it zeroed. Constant memory, no I/O; leaves OpenSSL's error queue empty. */
enum token_reason verifier_check(const struct verifier *verifier, const char *token, size_t len,
                                 int64_t now_us, struct claims *claims);

/* Mints a development token with an HMAC secret or a private PEM of the key file: `vigie token`. A
 * lifetime below zero makes one that has expired, for tests. The text is the caller's (free()).
 * NULL with `err`. */
struct mint_options {
    const char *key_file;
    const char *algorithm;
    const char *kid; /* NULL: none */
    const char *iss;
    const char *audience;
    const char *company;
    const char *user;
    const char *role;          /* NULL: none */
    const char *company_claim; /* NULL: "company" */
    const char *user_claim;    /* NULL: "sub" */
    const char *role_claim;    /* NULL: "role" */
    int64_t ttl_s;
    int64_t now_us;
};
char *token_mint(const struct mint_options *options, struct err *err) MUST_USE;

#endif
