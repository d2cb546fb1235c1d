#include "auth/token.h"
#include "signer.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static struct {
    EVP_PKEY *rsa;
    EVP_PKEY *other_rsa;
    EVP_PKEY *p256;
    EVP_PKEY *p384;
    EVP_PKEY *p521;
} keys;

static int make_keys(void **state)
{
    (void)state;
    keys.rsa = rsa_of_bits(2048);
    keys.other_rsa = rsa_of_bits(2048);
    keys.p256 = ec_on("P-256");
    keys.p384 = ec_on("P-384");
    keys.p521 = ec_on("P-521");
    return 0;
}

static int drop_keys(void **state)
{
    (void)state;
    EVP_PKEY_free(keys.rsa);
    EVP_PKEY_free(keys.other_rsa);
    EVP_PKEY_free(keys.p256);
    EVP_PKEY_free(keys.p384);
    EVP_PKEY_free(keys.p521);
    return 0;
}

static EVP_PKEY *pkey_of(enum algorithm algorithm)
{
    switch (algorithm) {
    case RS256:
    case RS384:
    case RS512:
        return keys.rsa;
    case ES256:
        return keys.p256;
    case ES384:
        return keys.p384;
    case ES512:
        return keys.p521;
    case HS256:
    case HS384:
    case HS512:
    case ALGORITHM_COUNT:
        break;
    }
    return NULL;
}

/* Issuers being put together; the files live until rig_try(). */
struct rig {
    struct issuer_options options[16];
    struct given_file files[16];
    size_t count;
};

static struct issuer_options *rig_add(struct rig *rig, const char *algorithm, EVP_PKEY *pkey,
                                      const char *secret)
{
    struct given_file *file = &rig->files[rig->count];
    *file = pkey ? given_public(pkey) : given_text(secret);
    struct issuer_options *options = &rig->options[rig->count++];
    *options = issuer_of(algorithm, file->path);
    return options;
}

static struct verifier *rig_try(struct rig *rig, struct err *err)
{
    struct verifier *verifier = verifier_new(rig->options, rig->count, err);
    for (size_t i = 0; i < rig->count; i++)
        given_close(&rig->files[i]);
    rig->count = 0;
    return verifier;
}

static struct verifier *rig_open(struct rig *rig)
{
    struct err err = {0};
    struct verifier *verifier = rig_try(rig, &err);
    if (!verifier)
        fail_msg("%s", err.text);
    return verifier;
}

static struct verifier *verifier_for(enum algorithm algorithm)
{
    struct rig rig = {0};
    rig_add(&rig, algorithm_info(algorithm)->name, pkey_of(algorithm), signer_secret);
    return rig_open(&rig);
}

/* Takes the token's memory. Whatever the verdict: no error is left in OpenSSL's queue, and claims
 * are there on success only. */
static enum token_reason check_take(const struct verifier *verifier, char *token,
                                    struct claims *claims)
{
    static const struct claims zeroed;
    memset(claims, 0x55, sizeof *claims);
    enum token_reason reason = verifier_check(verifier, token, strlen(token), NOW_US, claims);
    assert_true(ERR_peek_error() == 0);
    if (reason != TOKEN_OK)
        assert_memory_equal(claims, &zeroed, sizeof zeroed);
    else
        assert_true(claims->company[0] != '\0');
    free(token);
    return reason;
}

static enum token_reason verdict_take(const struct verifier *verifier, char *token)
{
    struct claims claims;
    return check_take(verifier, token, &claims);
}

static char *good_token(enum algorithm algorithm)
{
    EVP_PKEY *pkey = pkey_of(algorithm);
    return pkey ? token_by_key(algorithm, pkey, header_of(algorithm), payload_with(""))
                : token_by_secret(algorithm, header_of(algorithm), payload_with(""));
}

static void a_good_token_of_each_algorithm_passes(void **state)
{
    (void)state;
    struct claims claims;
    for (unsigned i = 0; i < ALGORITHM_COUNT; i++) {
        enum algorithm algorithm = (enum algorithm)i;
        struct verifier *verifier = verifier_for(algorithm);
        assert_int_equal(verifier_key_count(verifier), 1);
        for (int turn = 0; turn < 8; turn++) { /* ECDSA numbers vary in length */
            assert_reason(check_take(verifier, good_token(algorithm), &claims), TOKEN_OK);
            assert_string_equal(claims.company, "42");
            assert_string_equal(claims.issuer, "main");
        }
        verifier_free(verifier);
    }
}

static void a_token_of_another_algorithm_than_its_key_is_refused(void **state)
{
    (void)state;
    for (unsigned pinned = 0; pinned < ALGORITHM_COUNT; pinned++) {
        struct verifier *verifier = verifier_for((enum algorithm)pinned);
        for (unsigned i = 0; i < ALGORITHM_COUNT; i++)
            if (i != pinned)
                assert_reason(verdict_take(verifier, good_token((enum algorithm)i)),
                              TOKEN_ALGORITHM);
        verifier_free(verifier);
    }
}

static char *hmac_token(enum algorithm algorithm, const char *secret, size_t len)
{
    const char *header = header_of(algorithm);
    const char *payload = payload_with("");
    return token_by_secret_bytes(algorithm, secret, len, header, strlen(header), payload,
                                 strlen(payload));
}

static void a_public_key_is_no_hmac_secret(void **state)
{
    (void)state;
    static const enum algorithm pinned[] = {RS256, RS512, ES256, ES512};
    for (size_t i = 0; i < sizeof pinned / sizeof *pinned; i++) {
        struct verifier *verifier = verifier_for(pinned[i]);
        char *pem = public_text(pkey_of(pinned[i]));
        unsigned char *der = NULL;
        int der_len = i2d_PUBKEY(pkey_of(pinned[i]), &der);
        for (unsigned hmac = HS256; hmac <= HS512; hmac++) {
            assert_reason(
                verdict_take(verifier, hmac_token((enum algorithm)hmac, pem, strlen(pem))),
                TOKEN_ALGORITHM);
            assert_reason(verdict_take(verifier, hmac_token((enum algorithm)hmac, (const char *)der,
                                                            (size_t)der_len)),
                          TOKEN_ALGORITHM);
        }
        OPENSSL_free(der);
        free(pem);
        verifier_free(verifier);
    }
}

static void a_token_without_signature_is_refused_by_every_key(void **state)
{
    (void)state;
    static const char *const names[] = {"none", "None", "NONE", "nOnE", "", " none"};
    char header[64];
    for (unsigned i = 0; i < ALGORITHM_COUNT; i++) {
        struct verifier *verifier = verifier_for((enum algorithm)i);
        for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
            snprintf(header, sizeof header, "{\"alg\":\"%s\"}", names[n]);
            char *bare =
                unsigned_token(header, strlen(header), payload_with(""), strlen(payload_with("")));
            char *dotted = mem_dup(bare, strlen(bare) + 1);
            dotted[strlen(bare)] = '.';
            assert_reason(verdict_take(verifier, bare), TOKEN_MALFORMED);
            assert_reason(verdict_take(verifier, dotted), TOKEN_MALFORMED);
            assert_reason(verdict_take(verifier, token_by_secret(HS256, header, payload_with(""))),
                          TOKEN_ALGORITHM);
        }
        verifier_free(verifier);
    }
}

static void each_flipped_bit_of_a_signature_is_seen(void **state)
{
    (void)state;
    static const enum algorithm tried[] = {HS256, HS512, RS256, ES256, ES512};
    for (size_t i = 0; i < sizeof tried / sizeof *tried; i++) {
        struct verifier *verifier = verifier_for(tried[i]);
        char *token = good_token(tried[i]);
        char *signature = strrchr(token, '.') + 1;
        size_t step = 1 + strlen(signature) / 16;
        for (size_t at = 0; at + 1 < strlen(signature); at += step) {
            char *forged = mem_strdup(token);
            char *spot = forged + (signature - token) + at;
            *spot = *spot == 'A' ? 'B' : 'A';
            assert_reason(verdict_take(verifier, forged), TOKEN_SIGNATURE);
        }
        free(token);
        verifier_free(verifier);
    }
}

static void a_signature_does_not_carry_over_to_another_payload(void **state)
{
    (void)state;
    struct verifier *verifier = verifier_for(RS256);
    char *mine = good_token(RS256);
    char *forged = unsigned_token(header_of(RS256), strlen(header_of(RS256)),
                                  payload_with(",\"role\":\"admin\""),
                                  strlen(payload_with(",\"role\":\"admin\"")));
    char *joined = NULL;
    assert_true(asprintf(&joined, "%s%s", forged, strrchr(mine, '.')) > 0);
    assert_reason(verdict_take(verifier, joined), TOKEN_SIGNATURE);
    free(forged);
    free(mine);
    verifier_free(verifier);
}

/* A good header and payload with `len` bytes of value `byte` for a signature. */
static char *token_signed_with(enum algorithm algorithm, int byte, size_t len)
{
    uint8_t signature[1200];
    memset(signature, byte, sizeof signature);
    char *text = unsigned_token(header_of(algorithm), strlen(header_of(algorithm)),
                                payload_with(""), strlen(payload_with("")));
    add_segment(&text, signature, len);
    return text;
}

static void a_signature_of_any_size_but_the_right_one_is_refused(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ALGORITHM_COUNT; i++) {
        struct verifier *verifier = verifier_for((enum algorithm)i);
        for (size_t len = 1; len < 1200; len += len < 140 ? 1 : 53)
            assert_reason(verdict_take(verifier, token_signed_with((enum algorithm)i, 0x5a, len)),
                          TOKEN_SIGNATURE);
        assert_reason(verdict_take(verifier, token_signed_with((enum algorithm)i, 0, 0)),
                      TOKEN_MALFORMED);
        verifier_free(verifier);
    }
}

static void an_ecdsa_signature_of_zeros_or_ones_is_refused(void **state)
{
    (void)state;
    for (unsigned i = ES256; i <= ES512; i++) {
        struct verifier *verifier = verifier_for((enum algorithm)i);
        size_t len = 2 * algorithm_info((enum algorithm)i)->field_bytes;
        assert_reason(verdict_take(verifier, token_signed_with((enum algorithm)i, 0, len)),
                      TOKEN_SIGNATURE);
        assert_reason(verdict_take(verifier, token_signed_with((enum algorithm)i, 0xff, len)),
                      TOKEN_SIGNATURE);
        verifier_free(verifier);
    }
}

static void a_der_signature_is_refused_where_jws_wants_raw_numbers(void **state)
{
    (void)state;
    struct verifier *verifier = verifier_for(ES256);
    const char *header = header_of(ES256);
    char *text = unsigned_token(header, strlen(header), payload_with(""), strlen(payload_with("")));
    uint8_t der[128];
    size_t len = sizeof der;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, keys.p256), 1);
    assert_int_equal(EVP_DigestSign(ctx, der, &len, (const uint8_t *)text, strlen(text)), 1);
    EVP_MD_CTX_free(ctx);
    add_segment(&text, der, len);
    assert_reason(verdict_take(verifier, text), TOKEN_SIGNATURE);
    verifier_free(verifier);
}

static void a_token_has_one_spelling(void **state)
{
    (void)state;
    static const char *const tails[] = {"=", "==", "====", "\n", " ", ".", ".x", "A", "!!!!"};
    struct verifier *verifier = verifier_for(RS256);
    for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
        char *token = good_token(RS256);
        char *longer = NULL;
        assert_true(asprintf(&longer, "%s%s", token, tails[i]) > 0);
        enum token_reason reason = verdict_take(verifier, longer);
        assert_true(reason == TOKEN_MALFORMED || (i == 7 && reason == TOKEN_SIGNATURE));
        char *split = mem_dup(token, strlen(token) + 1);
        char *inside = strrchr(split, '.') + 20;
        memmove(inside + 1, inside, strlen(inside));
        *inside = '\n';
        assert_reason(verdict_take(verifier, split), TOKEN_MALFORMED);
        free(token);
    }
    verifier_free(verifier);
}

static void nothing_behind_the_length_is_read(void **state)
{
    (void)state;
    struct verifier *verifier = verifier_for(HS256);
    char *token = good_token(HS256);
    size_t len = strlen(token);
    char *exact = malloc(len); /* no NUL: a reader past the end is seen by the sanitizer */
    struct claims claims;
    memcpy(exact, token, len);
    assert_reason(verifier_check(verifier, exact, len, NOW_US, &claims), TOKEN_OK);
    assert_reason(verifier_check(verifier, exact, len - 1, NOW_US, &claims), TOKEN_MALFORMED);
    free(exact);
    free(token);
    verifier_free(verifier);
}

static char *token_with_kid(const char *kid_json)
{
    char header[512];
    snprintf(header, sizeof header, "{\"alg\":\"HS256\",\"kid\":%s}", kid_json);
    return token_by_secret(HS256, header, payload_with(""));
}

static void a_key_answers_to_its_own_kid_only(void **state)
{
    (void)state;
    static const char *const wrong[] = {"\"b\"",
                                        "\"A\"",
                                        "\"a \"",
                                        "\"aa\"",
                                        "1",
                                        "\"\"",
                                        "null",
                                        "\"../../../../dev/null\"",
                                        "\"' OR 1=1 --\""};
    struct rig rig = {0};
    rig_add(&rig, "HS256", NULL, signer_secret)->kid = "a";
    struct verifier *verifier = rig_open(&rig);
    assert_reason(verdict_take(verifier, token_with_kid("\"a\"")), TOKEN_OK);
    assert_reason(verdict_take(verifier, good_token(HS256)), TOKEN_KEY);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_reason(verdict_take(verifier, token_with_kid(wrong[i])), TOKEN_KEY);
    verifier_free(verifier);
}

static void a_key_without_kid_does_not_answer_to_one(void **state)
{
    (void)state;
    struct verifier *verifier = verifier_for(HS256);
    assert_reason(verdict_take(verifier, token_with_kid("\"a\"")), TOKEN_KEY);
    verifier_free(verifier);
}

/* ---- several issuers ---- */

static const char *payload_of(const char *iss, const char *company)
{
    static char text[512];
    snprintf(text, sizeof text,
             "{\"iss\":\"%s\",\"aud\":\"vigie\",\"exp\":%lld,\"sub\":\"u\",\"company\":\"%s\"}",
             iss, (long long)NOW_S + 60, company);
    return text;
}

static const char *const only_acme[] = {"acme"};

/* `main` speaks for everybody with keys.rsa, `acme` for one company with keys.other_rsa; both keys
 * have kid "1". */
static struct verifier *two_issuers(void)
{
    struct rig rig = {0};
    struct issuer_options *first = rig_add(&rig, "RS256", keys.rsa, NULL);
    struct issuer_options *second = rig_add(&rig, "RS256", keys.other_rsa, NULL);
    first->kid = second->kid = "1";
    first->iss = "https://main/";
    second->iss = "https://acme/";
    second->name = "acme";
    second->companies = only_acme;
    second->company_count = 1;
    return rig_open(&rig);
}

static char *rsa_token(EVP_PKEY *pkey, const char *iss, const char *company)
{
    return token_by_key(RS256, pkey, "{\"alg\":\"RS256\",\"kid\":\"1\"}", payload_of(iss, company));
}

static void two_issuers_may_publish_the_same_kid(void **state)
{
    (void)state;
    struct claims claims;
    struct verifier *verifier = two_issuers();
    assert_reason(check_take(verifier, rsa_token(keys.rsa, "https://main/", "globex"), &claims),
                  TOKEN_OK);
    assert_string_equal(claims.issuer, "main");
    assert_string_equal(claims.company, "globex");
    assert_reason(check_take(verifier, rsa_token(keys.other_rsa, "https://acme/", "acme"), &claims),
                  TOKEN_OK);
    assert_string_equal(claims.issuer, "acme");
    verifier_free(verifier);
}

static void a_key_does_not_speak_in_the_name_of_another_issuer(void **state)
{
    (void)state;
    struct verifier *verifier = two_issuers();
    assert_reason(verdict_take(verifier, rsa_token(keys.other_rsa, "https://main/", "acme")),
                  TOKEN_ISSUER);
    assert_reason(verdict_take(verifier, rsa_token(keys.rsa, "https://acme/", "acme")),
                  TOKEN_ISSUER);
    assert_reason(verdict_take(verifier, rsa_token(keys.rsa, "https://nobody/", "acme")),
                  TOKEN_ISSUER);
    verifier_free(verifier);
}

static void an_issuer_speaks_for_its_companies_only(void **state)
{
    (void)state;
    struct verifier *verifier = two_issuers();
    static const char *const others[] = {"globex", "Acme", "acme2", "acm"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_reason(verdict_take(verifier, rsa_token(keys.other_rsa, "https://acme/", others[i])),
                      TOKEN_COMPANY_REFUSED);
    verifier_free(verifier);
}

static void each_company_of_a_list_is_found(void **state)
{
    (void)state;
    static const char *const companies[] = {"z", "b", "a", "42", "m"};
    struct rig rig = {0};
    struct issuer_options *options = rig_add(&rig, "HS256", NULL, signer_secret);
    options->companies = companies;
    options->company_count = 5;
    struct verifier *verifier = rig_open(&rig);
    for (size_t i = 0; i < 5; i++)
        assert_reason(verdict_take(verifier, token_by_secret(
                                                 HS256, header_of(HS256),
                                                 payload_of("https://id.example/", companies[i]))),
                      TOKEN_OK);
    assert_reason(verdict_take(verifier, token_by_secret(HS256, header_of(HS256),
                                                         payload_of("https://id.example/", "c"))),
                  TOKEN_COMPANY_REFUSED);
    verifier_free(verifier);
}

/* One service often signs for several `iss` with one key. */
static void issuers_that_share_a_public_key_are_told_apart_by_iss(void **state)
{
    (void)state;
    struct claims claims;
    struct rig rig = {0};
    rig_add(&rig, "RS256", keys.rsa, NULL)->iss = "https://main/";
    struct issuer_options *second = rig_add(&rig, "RS256", keys.rsa, NULL);
    second->name = "acme";
    second->iss = "https://acme/";
    second->companies = only_acme;
    second->company_count = 1;
    struct verifier *verifier = rig_open(&rig);
    char *token =
        token_by_key(RS256, keys.rsa, header_of(RS256), payload_of("https://acme/", "acme"));
    assert_reason(check_take(verifier, token, &claims), TOKEN_OK);
    assert_string_equal(claims.issuer, "acme");
    token = token_by_key(RS256, keys.rsa, header_of(RS256), payload_of("https://acme/", "globex"));
    assert_reason(verdict_take(verifier, token), TOKEN_COMPANY_REFUSED);
    verifier_free(verifier);
}

static void the_reason_is_that_of_the_key_that_came_furthest(void **state)
{
    (void)state;
    struct rig rig = {0};
    struct issuer_options *first = rig_add(&rig, "ES256", keys.p256, NULL);
    struct issuer_options *second = rig_add(&rig, "RS256", keys.rsa, NULL);
    first->kid = "e";
    second->kid = "1";
    second->name = "second";
    second->iss = "https://second/";
    second->companies = only_acme;
    second->company_count = 1;
    struct verifier *verifier = rig_open(&rig);
    const char *payload = payload_of("https://second/", "acme");
    assert_reason(
        verdict_take(verifier,
                     token_by_key(RS256, keys.rsa, "{\"alg\":\"RS256\",\"kid\":\"e\"}", payload)),
        TOKEN_ALGORITHM);
    assert_reason(
        verdict_take(verifier, token_by_key(RS256, keys.other_rsa,
                                            "{\"alg\":\"RS256\",\"kid\":\"1\"}", payload)),
        TOKEN_SIGNATURE);
    assert_reason(
        verdict_take(verifier,
                     token_by_key(RS256, keys.rsa, "{\"alg\":\"RS256\",\"kid\":\"2\"}", payload)),
        TOKEN_KEY);
    assert_reason(verdict_take(verifier, rsa_token(keys.rsa, "https://second/", "acme")), TOKEN_OK);
    verifier_free(verifier);
}

static void a_key_set_serves_each_of_its_keys(void **state)
{
    (void)state;
    static const char set[] =
        "{\"keys\":[{\"kty\":\"new\"},{\"kty\":\"RSA\",\"kid\":\"1\",\"n\":\"%s\","
        "\"e\":\"AQAB\"}]}";
    uint8_t modulus[256];
    char n[512];
    char *text = NULL;
    struct err err = {0};
    BIGNUM *number = NULL;
    assert_int_equal(EVP_PKEY_get_bn_param(keys.rsa, "n", &number), 1);
    assert_int_equal(BN_bn2binpad(number, modulus, sizeof modulus), sizeof modulus);
    BN_free(number);
    base64url_encode(modulus, sizeof modulus, n);
    assert_true(asprintf(&text, set, n) > 0);
    struct given_file file = given_text(text);
    struct issuer_options options = issuer_of("RS256", NULL);
    options.jwks_file = file.path;
    struct verifier *verifier = verifier_new(&options, 1, &err);
    assert_non_null(verifier);
    assert_int_equal(verifier_key_count(verifier), 1);
    assert_int_equal(verifier_skipped_count(verifier), 1);
    assert_reason(verdict_take(verifier, rsa_token(keys.rsa, "https://id.example/", "a")),
                  TOKEN_OK);
    assert_reason(verdict_take(verifier, rsa_token(keys.other_rsa, "https://id.example/", "a")),
                  TOKEN_SIGNATURE);
    verifier_free(verifier);
    free(text);
    given_close(&file);
}

/* ---- what verifier_new() refuses ---- */

static void assert_not_loaded(struct rig *rig, const char *why)
{
    struct err err = {0};
    struct verifier *verifier = rig_try(rig, &err);
    if (verifier || !strstr(err.text, why))
        fail_msg("expected \"%s\" in: %s", why, verifier ? "success" : err.text);
}

/* One issuer with one option changed by `change`. */
static void assert_option_refused(void (*change)(struct issuer_options *), const char *why)
{
    struct rig rig = {0};
    change(rig_add(&rig, "HS256", NULL, signer_secret));
    assert_not_loaded(&rig, why);
}

#define OPTION(name, field, value)                                                                 \
    static void name(struct issuer_options *options)                                               \
    {                                                                                              \
        options->field = value;                                                                    \
    }
OPTION(without_name, name, "")
OPTION(with_long_name, name, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx")
OPTION(without_iss, iss, NULL)
OPTION(without_audience, audience, "")
OPTION(without_algorithm, algorithm, NULL)
OPTION(with_algorithm_none, algorithm, "none")
OPTION(with_algorithm_lower, algorithm, "hs256")
OPTION(with_algorithm_pss, algorithm, "PS256")
OPTION(without_file, key_file, NULL)
OPTION(with_both_files, jwks_file, "set")
OPTION(with_access_token_typ, typ, "at+jwt")
OPTION(with_lower_typ, typ, "jwt")
OPTION(with_negative_leeway, leeway_s, -1)
OPTION(with_long_leeway, leeway_s, 601)
OPTION(without_lifetime, max_ttl_s, 0)
OPTION(with_endless_lifetime, max_ttl_s, INT64_MAX)

static void with_secret_set(struct issuer_options *options)
{
    options->key_file = NULL;
    options->jwks_file = "set";
}

static void with_set_and_kid(struct issuer_options *options)
{
    with_secret_set(options);
    options->algorithm = "RS256";
    options->kid = "1";
}

static void an_option_that_cannot_work_is_refused_at_load(void **state)
{
    (void)state;
    assert_option_refused(without_name, "name:");
    assert_option_refused(with_long_name, "name:");
    assert_option_refused(without_iss, "issuer main: iss:");
    assert_option_refused(without_audience, "aud:");
    assert_option_refused(without_algorithm, "algorithm:");
    assert_option_refused(with_algorithm_none, "algorithm:");
    assert_option_refused(with_algorithm_lower, "algorithm:");
    assert_option_refused(with_algorithm_pss, "algorithm:");
    assert_option_refused(without_file, "one of key_file and jwks_file");
    assert_option_refused(with_both_files, "one of key_file and jwks_file");
    assert_option_refused(with_access_token_typ, "typ: expected JWT");
    assert_option_refused(with_lower_typ, "typ: expected JWT");
    assert_option_refused(with_negative_leeway, "leeway:");
    assert_option_refused(with_long_leeway, "leeway:");
    assert_option_refused(without_lifetime, "max_ttl:");
    assert_option_refused(with_endless_lifetime, "max_ttl:");
    assert_option_refused(with_secret_set, "algorithm: expected RS or ES");
    assert_option_refused(with_set_and_kid, "kid:");
}

static void a_verifier_has_an_issuer_at_least(void **state)
{
    (void)state;
    struct rig rig = {0};
    assert_not_loaded(&rig, "issuers: expected 1 to");
}

static void a_second_issuer_says_for_whom_it_speaks(void **state)
{
    (void)state;
    static const char *const all[] = {"*"};
    struct rig rig = {0};
    rig_add(&rig, "RS256", keys.rsa, NULL);
    struct issuer_options *second = rig_add(&rig, "RS256", keys.other_rsa, NULL);
    second->name = "second";
    second->iss = "https://second/";
    assert_not_loaded(&rig, "issuer second: companies:");
    rig_add(&rig, "RS256", keys.rsa, NULL);
    second = rig_add(&rig, "RS256", keys.other_rsa, NULL);
    second->name = "second";
    second->iss = "https://second/";
    second->companies = all;
    second->company_count = 1;
    verifier_free(rig_open(&rig));
}

static void a_list_of_companies_holds_plain_names(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {{"*", "a"},   {"a", "*"},  {"a", ""},
                                           {"a", "b\n"}, {"a", " b"}, {"a", NULL}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct rig rig = {0};
        struct issuer_options *options = rig_add(&rig, "HS256", NULL, signer_secret);
        options->companies = wrong[i];
        options->company_count = 2;
        assert_not_loaded(&rig, "companies:");
    }
}

static void two_issuers_differ_in_iss_name_and_secret(void **state)
{
    (void)state;
    struct rig rig = {0};
    rig_add(&rig, "RS256", keys.rsa, NULL);
    struct issuer_options *second = rig_add(&rig, "RS256", keys.other_rsa, NULL);
    second->name = "second";
    second->companies = only_acme;
    second->company_count = 1;
    assert_not_loaded(&rig, "expected two iss");

    rig_add(&rig, "RS256", keys.rsa, NULL);
    second = rig_add(&rig, "RS256", keys.other_rsa, NULL);
    second->iss = "https://second/";
    second->companies = only_acme;
    second->company_count = 1;
    assert_not_loaded(&rig, "each name once");

    rig_add(&rig, "HS256", NULL, signer_secret)->kid = "1";
    second = rig_add(&rig, "HS512", NULL, signer_secret);
    second->kid = "2";
    second->name = "second";
    second->iss = "https://second/";
    second->companies = only_acme;
    second->company_count = 1;
    assert_not_loaded(&rig, "expected two secrets");
}

static void at_most_eight_keys_answer_to_one_header(void **state)
{
    (void)state;
    static const char *const names[] = {"1", "2", "3", "4", "5", "6", "7", "8", "9"};
    for (size_t count = 8; count <= 9; count++) {
        struct rig rig = {0};
        for (size_t i = 0; i < count; i++) {
            struct issuer_options *options = rig_add(&rig, "RS256", keys.rsa, NULL);
            options->name = options->iss = names[i];
            options->companies = only_acme;
            options->company_count = 1;
        }
        if (count == 8)
            verifier_free(rig_open(&rig));
        else
            assert_not_loaded(&rig, "at most 8");
    }
}

static void a_verifier_keeps_nothing_of_what_it_was_given(void **state)
{
    (void)state;
    char iss[] = "https://id.example/";
    char company[] = "42";
    const char *companies[] = {company};
    struct rig rig = {0};
    struct issuer_options *options = rig_add(&rig, "HS256", NULL, signer_secret);
    options->iss = iss;
    options->companies = companies;
    options->company_count = 1;
    struct verifier *verifier = rig_open(&rig);
    memset(iss, 'x', sizeof iss - 1);
    memset(company, 'x', sizeof company - 1);
    companies[0] = NULL;
    assert_reason(verdict_take(verifier, good_token(HS256)), TOKEN_OK);
    verifier_free(verifier);
    verifier_free(NULL);
}

static void each_reason_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (unsigned i = 0; i < TOKEN_REASON_COUNT; i++) {
        assert_non_null(token_reason_names[i]);
        for (unsigned k = 0; k < i; k++)
            assert_string_not_equal(token_reason_names[i], token_reason_names[k]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_token_of_each_algorithm_passes),
        cmocka_unit_test(a_token_of_another_algorithm_than_its_key_is_refused),
        cmocka_unit_test(a_public_key_is_no_hmac_secret),
        cmocka_unit_test(a_token_without_signature_is_refused_by_every_key),
        cmocka_unit_test(each_flipped_bit_of_a_signature_is_seen),
        cmocka_unit_test(a_signature_does_not_carry_over_to_another_payload),
        cmocka_unit_test(a_signature_of_any_size_but_the_right_one_is_refused),
        cmocka_unit_test(an_ecdsa_signature_of_zeros_or_ones_is_refused),
        cmocka_unit_test(a_der_signature_is_refused_where_jws_wants_raw_numbers),
        cmocka_unit_test(a_token_has_one_spelling),
        cmocka_unit_test(nothing_behind_the_length_is_read),
        cmocka_unit_test(a_key_answers_to_its_own_kid_only),
        cmocka_unit_test(a_key_without_kid_does_not_answer_to_one),
        cmocka_unit_test(two_issuers_may_publish_the_same_kid),
        cmocka_unit_test(a_key_does_not_speak_in_the_name_of_another_issuer),
        cmocka_unit_test(an_issuer_speaks_for_its_companies_only),
        cmocka_unit_test(each_company_of_a_list_is_found),
        cmocka_unit_test(issuers_that_share_a_public_key_are_told_apart_by_iss),
        cmocka_unit_test(the_reason_is_that_of_the_key_that_came_furthest),
        cmocka_unit_test(a_key_set_serves_each_of_its_keys),
        cmocka_unit_test(an_option_that_cannot_work_is_refused_at_load),
        cmocka_unit_test(a_verifier_has_an_issuer_at_least),
        cmocka_unit_test(a_second_issuer_says_for_whom_it_speaks),
        cmocka_unit_test(a_list_of_companies_holds_plain_names),
        cmocka_unit_test(two_issuers_differ_in_iss_name_and_secret),
        cmocka_unit_test(at_most_eight_keys_answer_to_one_header),
        cmocka_unit_test(a_verifier_keeps_nothing_of_what_it_was_given),
        cmocka_unit_test(each_reason_has_a_name_of_its_own),
    };
    return cmocka_run_group_tests(tests, make_keys, drop_keys);
}
