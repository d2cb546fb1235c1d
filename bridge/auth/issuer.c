#include "auth/issuer.h"

#include "auth/claims.h"
#include "auth/jwks.h"

#include <stdlib.h>
#include <string.h>

static bool is_given(const char *text)
{
    return text && *text;
}

static bool names_are_given(const struct issuer_options *options, struct err *err)
{
    if (!is_given(options->name) || strlen(options->name) >= sizeof((struct claims *)0)->issuer)
        return err_set(err, "name: expected 1 to %zu bytes",
                       sizeof((struct claims *)0)->issuer - 1);
    if (!is_given(options->iss))
        return err_set(err, "iss: expected the exact text of the claim");
    if (!is_given(options->audience))
        return err_set(err, "aud: expected the exact text of the claim");
    return true;
}

static bool times_are_sane(const struct issuer_options *options, struct err *err)
{
    if (options->leeway_s < 0 || options->leeway_s > ISSUER_LEEWAY_MAX_S)
        return err_set(err, "leeway: expected 0 to %d seconds", ISSUER_LEEWAY_MAX_S);
    if (options->max_ttl_s < 1 || options->max_ttl_s > ISSUER_TTL_MAX_S)
        return err_set(err, "max_ttl: expected 1 to %d seconds", ISSUER_TTL_MAX_S);
    return true;
}

/* libjwt 1.10 refuses any typ but JWT, even rightly signed; a setting that lets no token in would
 * be found out at the first login only. */
static bool typ_is_served(const char *typ, struct err *err)
{
    return !is_given(typ) || strcmp(typ, "JWT") == 0 ||
           err_set(err,
                   "typ: expected JWT, found \"%s\": libjwt 1.10 refuses other types (at+jwt "
                   "of RFC 9068 too)",
                   typ);
}

/* Only the keys of a set may name their own. */
static bool read_algorithm(const struct issuer_options *options, enum algorithm *algorithm)
{
    *algorithm = ALGORITHM_COUNT;
    if (is_given(options->jwks_file) && !is_given(options->algorithm))
        return true;
    return algorithm_find(options->algorithm, algorithm);
}

static bool load_keys(struct issuer *issuer, const struct issuer_options *options, struct err *err)
{
    enum algorithm algorithm;
    if (!read_algorithm(options, &algorithm))
        return err_set(err, "algorithm: expected HS256 to HS512, RS256 to RS512 or ES256 to ES512");
    if (is_given(options->key_file) == is_given(options->jwks_file))
        return err_set(err, "expected one of key_file and jwks_file");
    if (is_given(options->key_file))
        return keyring_load_file(&issuer->keyring, algorithm, options->kid, options->key_file, err);
    if (is_given(options->kid))
        return err_set(err, "kid: expected with key_file only, a key set names its own");
    if (is_given(options->algorithm) && algorithm_info(algorithm)->family == FAMILY_HMAC)
        return err_set(err, "algorithm: expected RS or ES with jwks_file, a secret is never in a "
                            "published set");
    return jwks_load_file(&issuer->keyring, algorithm, options->jwks_file, err);
}

static int compare_companies(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void copy_companies(struct issuer *issuer, const struct issuer_options *options)
{
    issuer->companies = mem_resize(NULL, options->company_count, sizeof *issuer->companies);
    for (size_t i = 0; i < options->company_count; i++)
        issuer->companies[issuer->company_count++] = mem_strdup(options->companies[i]);
    qsort(issuer->companies, issuer->company_count, sizeof *issuer->companies, compare_companies);
}

/* A second issuer without a list would be a master key to every company. */
static bool load_companies(struct issuer *issuer, const struct issuer_options *options, bool first,
                           struct err *err)
{
    size_t count = options->company_count;
    if (count == 0 && !first)
        return err_set(err, "companies: expected the companies that this issuer may speak for");
    if (count > ISSUER_COMPANIES_MAX)
        return err_set(err, "companies: expected at most %d", ISSUER_COMPANIES_MAX);
    if (count == 0 || (count == 1 && is_given(options->companies[0]) &&
                       strcmp(options->companies[0], "*") == 0)) {
        issuer->any_company = true;
        return true;
    }
    for (size_t i = 0; i < count; i++)
        if (!claims_name_fits(options->companies[i], TOKEN_COMPANY_MAX))
            return err_set(err,
                           "companies: expected \"*\" alone, or ids of 1 to %d bytes without "
                           "control characters, found \"%s\"",
                           TOKEN_COMPANY_MAX, options->companies[i] ? options->companies[i] : "");
    copy_companies(issuer, options);
    return true;
}

static char *claim_or(const char *name, const char *fallback)
{
    return mem_strdup(is_given(name) ? name : fallback);
}

static void copy_texts(struct issuer *issuer, const struct issuer_options *options)
{
    issuer->name = mem_strdup(options->name);
    issuer->iss = mem_strdup(options->iss);
    issuer->audience = mem_strdup(options->audience);
    issuer->company_claim = claim_or(options->company_claim, "company");
    issuer->user_claim = claim_or(options->user_claim, "sub");
    issuer->role_claim = claim_or(options->role_claim, "role");
    issuer->leeway_us = options->leeway_s * CLAIMS_US_PER_S;
    issuer->max_ttl_us = options->max_ttl_s * CLAIMS_US_PER_S;
}

bool issuer_init(struct issuer *issuer, const struct issuer_options *options, bool first,
                 struct err *err)
{
    if (names_are_given(options, err) && times_are_sane(options, err) &&
        typ_is_served(options->typ, err) && load_companies(issuer, options, first, err) &&
        load_keys(issuer, options, err)) {
        copy_texts(issuer, options);
        return true;
    }
    return err_wrap(err, "issuer %s", is_given(options->name) ? options->name : "without name");
}

void issuer_clear(struct issuer *issuer)
{
    for (size_t i = 0; i < issuer->company_count; i++)
        free(issuer->companies[i]);
    free(issuer->companies);
    free(issuer->name);
    free(issuer->iss);
    free(issuer->audience);
    free(issuer->company_claim);
    free(issuer->user_claim);
    free(issuer->role_claim);
    keyring_clear(&issuer->keyring);
    *issuer = (struct issuer){0};
}

bool issuer_speaks_for(const struct issuer *issuer, const char *company)
{
    return issuer->any_company ||
           (issuer->company_count && bsearch(&company, issuer->companies, issuer->company_count,
                                             sizeof *issuer->companies, compare_companies));
}
