#include "auth/token.h"

#include "auth/claims.h"
#include "auth/gate.h"
#include "auth/issuer.h"
#include "auth/signature.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* How many keys may answer to one algorithm and kid, over all issuers: each costs a verification
 * for every forged token, so the ceiling is one of the work that a stranger can ask for. */
enum { CANDIDATES_MAX = 8, ISSUERS_MAX = 64 };

struct verifier {
    struct issuer *issuers;
    size_t count;
};

const char *const token_reason_names[TOKEN_REASON_COUNT] = {
    [TOKEN_OK] = "ok",
    [TOKEN_SIZE] = "size",
    [TOKEN_MALFORMED] = "malformed",
    [TOKEN_HEADER] = "header",
    [TOKEN_ALGORITHM] = "algorithm",
    [TOKEN_KEY] = "key",
    [TOKEN_SIGNATURE] = "signature",
    [TOKEN_CLAIMS] = "claims",
    [TOKEN_ISSUER] = "issuer",
    [TOKEN_AUDIENCE] = "audience",
    [TOKEN_EXPIRED] = "expired",
    [TOKEN_NOT_YET] = "not_yet",
    [TOKEN_LIFETIME] = "lifetime",
    [TOKEN_USER] = "user",
    [TOKEN_COMPANY] = "company",
    [TOKEN_ROLE] = "role",
    [TOKEN_COMPANY_REFUSED] = "company_refused",
};

const char *token_reason_name(enum token_reason reason)
{
    return token_reason_names[reason];
}

/* ---- loading ---- */

static bool answers_alike(const struct key *a, const struct key *b)
{
    return a->algorithm == b->algorithm && strcmp(a->kid, b->kid) == 0;
}

static size_t candidates_like(const struct verifier *verifier, const struct key *key)
{
    size_t count = 0;
    for (size_t i = 0; i < verifier->count; i++)
        for (size_t k = 0; k < verifier->issuers[i].keyring.count; k++)
            count += answers_alike(key, &verifier->issuers[i].keyring.keys[k]);
    return count;
}

static bool candidates_are_few(const struct verifier *verifier, const struct issuer *issuer,
                               struct err *err)
{
    for (size_t k = 0; k < issuer->keyring.count; k++) {
        const struct key *key = &issuer->keyring.keys[k];
        if (candidates_like(verifier, key) > CANDIDATES_MAX)
            return err_set(err,
                           "issuer %s: expected at most %d issuers with a key of algorithm %s and "
                           "kid \"%s\": give the keys a kid of their own",
                           issuer->name, CANDIDATES_MAX, algorithm_info(key->algorithm)->name,
                           key->kid);
    }
    return true;
}

/* Who holds a secret can sign for every issuer that has it. Public keys may be shared: one service
 * often signs for several `iss`. */
static bool secrets_differ(const struct issuer *a, const struct issuer *b, struct err *err)
{
    const struct key *one = a->keyring.keys; /* a secret is always alone in its keyring */
    const struct key *other = b->keyring.keys;
    if (algorithm_info(one->algorithm)->family == FAMILY_HMAC && key_same(one, other))
        return err_set(err, "issuers %s and %s: expected two secrets, found the same one", a->name,
                       b->name);
    return true;
}

static bool issuers_differ(const struct issuer *a, const struct issuer *b, struct err *err)
{
    if (strcmp(a->iss, b->iss) == 0)
        return err_set(err, "issuers %s and %s: expected two iss, found the same one", a->name,
                       b->name);
    if (strcmp(a->name, b->name) == 0)
        return err_set(err, "issuer %s: expected each name once", a->name);
    return secrets_differ(a, b, err);
}

static bool load_issuer(struct verifier *verifier, const struct issuer_options *options,
                        struct err *err)
{
    struct issuer *issuer = &verifier->issuers[verifier->count];
    bool first = verifier->count++ == 0;
    if (!issuer_init(issuer, options, first, err))
        return false;
    for (const struct issuer *other = verifier->issuers; other < issuer; other++)
        if (!issuers_differ(other, issuer, err))
            return false;
    return candidates_are_few(verifier, issuer, err);
}

struct verifier *verifier_new(const struct issuer_options *issuers, size_t count, struct err *err)
{
    if (count == 0 || count > ISSUERS_MAX) {
        err_set(err, "issuers: expected 1 to %d", ISSUERS_MAX);
        return NULL;
    }
    json_object_seed(0); /* before a second thread could race for it */
    struct verifier *verifier = mem_new(sizeof *verifier);
    verifier->issuers = mem_new(count * sizeof *verifier->issuers);
    for (size_t i = 0; i < count; i++)
        if (!load_issuer(verifier, &issuers[i], err)) {
            verifier_free(verifier);
            return NULL;
        }
    return verifier;
}

void verifier_free(struct verifier *verifier)
{
    if (!verifier)
        return;
    for (size_t i = 0; i < verifier->count; i++)
        issuer_clear(&verifier->issuers[i]);
    free(verifier->issuers);
    free(verifier);
}

size_t verifier_key_count(const struct verifier *verifier)
{
    size_t count = 0;
    for (size_t i = 0; i < verifier->count; i++)
        count += verifier->issuers[i].keyring.count;
    return count;
}

size_t verifier_skipped_count(const struct verifier *verifier)
{
    size_t count = 0;
    for (size_t i = 0; i < verifier->count; i++)
        count += verifier->issuers[i].keyring.skipped;
    return count;
}

/* ---- checking ---- */

/* Up to the point where the payload may be looked at. */
static enum token_reason check_key(const struct key *key, const struct gate_token *token)
{
    if (strcmp(key->kid, token->kid) != 0)
        return TOKEN_KEY;
    if (key->algorithm != token->algorithm)
        return TOKEN_ALGORITHM;
    if (key->signature_bytes != token->signature_bytes || !signature_holds(key, token->text))
        return TOKEN_SIGNATURE;
    return TOKEN_OK;
}

/* TOKEN_ISSUER here says: signed by a key of this issuer, yet in another's name. */
static enum token_reason check_payload(const struct issuer *issuer, const struct gate_token *token,
                                       int64_t now_us, struct claims *claims)
{
    enum token_reason reason = TOKEN_CLAIMS;
    json_t *payload = gate_payload(token);
    if (payload)
        reason = claims_name_issuer(issuer, payload) ? claims_read(issuer, payload, now_us, claims)
                                                     : TOKEN_ISSUER;
    json_decref(payload);
    return reason;
}

/* Of the reasons that let the next key have its turn, the one that came furthest is reported. */
static unsigned progress(enum token_reason reason)
{
    static const unsigned char order[TOKEN_REASON_COUNT] = {
        [TOKEN_KEY] = 1, [TOKEN_ALGORITHM] = 2, [TOKEN_SIGNATURE] = 3, [TOKEN_ISSUER] = 4};
    return order[reason];
}

/* Which issuer speaks is decided by the key that verifies, never by an `iss` nobody has signed.
 * Issuers may share a kid, or a public key, so every key that answers to the header is tried, and
 * the token passes only when the owner of the key is the issuer that the payload names. */
static enum token_reason check_issuers(const struct verifier *verifier,
                                       const struct gate_token *token, int64_t now_us,
                                       struct claims *claims)
{
    enum token_reason furthest = TOKEN_KEY;
    for (size_t i = 0; i < verifier->count; i++) {
        const struct issuer *issuer = &verifier->issuers[i];
        for (size_t k = 0; k < issuer->keyring.count; k++) {
            enum token_reason reason = check_key(&issuer->keyring.keys[k], token);
            if (reason == TOKEN_OK)
                reason = check_payload(issuer, token, now_us, claims);
            if (!progress(reason))
                return reason;
            if (progress(reason) > progress(furthest))
                furthest = reason;
        }
    }
    return furthest;
}

enum token_reason verifier_check(const struct verifier *verifier, const char *token, size_t len,
                                 int64_t now_us, struct claims *claims)
{
    struct gate_token opened;
    struct claims found = {0};
    enum token_reason reason = gate_open(&opened, token, len);
    if (reason == TOKEN_OK)
        reason = check_issuers(verifier, &opened, now_us, &found);
    *claims = reason == TOKEN_OK ? found : (struct claims){0};
    return reason;
}
