#include "auth/jwks.h"
#include "signer.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static struct {
    EVP_PKEY *rsa;
    EVP_PKEY *p256;
    EVP_PKEY *p384;
    EVP_PKEY *p521;
} keys;

static int make_keys(void **state)
{
    (void)state;
    keys.rsa = rsa_of_bits(2048);
    keys.p256 = ec_on("P-256");
    keys.p384 = ec_on("P-384");
    keys.p521 = ec_on("P-521");
    return 0;
}

static int drop_keys(void **state)
{
    (void)state;
    EVP_PKEY_free(keys.rsa);
    EVP_PKEY_free(keys.p256);
    EVP_PKEY_free(keys.p384);
    EVP_PKEY_free(keys.p521);
    return 0;
}

/* A number of the key as base64url, `bytes` long (0: as short as it is). One buffer per call site
 * is enough for a JWK: n and e, or x and y. */
static const char *number(EVP_PKEY *pkey, const char *name, size_t bytes)
{
    static char texts[2][2048];
    static unsigned turn;
    char *text = texts[turn++ % 2];
    uint8_t raw[1024];
    BIGNUM *value = NULL;
    int got = EVP_PKEY_get_bn_param(pkey, name, &value);
    assert(got == 1);
    int len = bytes ? BN_bn2binpad(value, raw, (int)bytes) : BN_bn2bin(value, raw);
    assert(len > 0);
    base64url_encode(raw, (size_t)len, text);
    BN_free(value);
    return text;
}

static char *rsa_jwk(EVP_PKEY *pkey, const char *more)
{
    char *text = NULL;
    const char *n = number(pkey, OSSL_PKEY_PARAM_RSA_N, 0);
    const char *e = number(pkey, OSSL_PKEY_PARAM_RSA_E, 0);
    int len = asprintf(&text, "{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"%s}", n, e, more);
    assert(len > 0);
    return text;
}

static char *ec_jwk(EVP_PKEY *pkey, const char *crv, const char *more)
{
    char *text = NULL;
    size_t field = (size_t)(EVP_PKEY_get_bits(pkey) + 7) / 8;
    const char *x = number(pkey, OSSL_PKEY_PARAM_EC_PUB_X, field);
    const char *y = number(pkey, OSSL_PKEY_PARAM_EC_PUB_Y, field);
    int len = asprintf(&text, "{\"kty\":\"EC\",\"crv\":\"%s\",\"x\":\"%s\",\"y\":\"%s\"%s}", crv, x,
                       y, more);
    assert(len > 0);
    return text;
}

static struct keyring ring;
static struct err err;

static bool parse(enum algorithm algorithm, const char *text)
{
    keyring_clear(&ring);
    err.text[0] = '\0';
    bool ok = jwks_parse(&ring, algorithm, text, strlen(text), &err);
    assert_true(ERR_peek_error() == 0);
    assert_true(ok == (ring.count > 0)); /* all of it, or nothing */
    return ok;
}

/* A set of up to two keys, which are freed here. */
static bool parse_keys(enum algorithm algorithm, char *one, char *two)
{
    char *set = NULL;
    int len = asprintf(&set, "{\"keys\":[%s%s%s]}", one, two ? "," : "", two ? two : "");
    assert(len > 0);
    bool ok = parse(algorithm, set);
    free(set);
    free(one);
    free(two);
    return ok;
}

static void assert_refused(bool ok, const char *why)
{
    if (ok || !strstr(err.text, why))
        fail_msg("expected \"%s\" in: %s", why, ok ? "success" : err.text);
    assert_int_equal(ring.count, 0);
}

static void assert_key(size_t i, enum algorithm algorithm, const char *kid, EVP_PKEY *pkey)
{
    char *pem = public_text(pkey);
    assert_int_equal(ring.keys[i].algorithm, algorithm);
    assert_string_equal(ring.keys[i].kid, kid);
    assert_string_equal(ring.keys[i].material, pem);
    free(pem);
}

static void each_kind_of_key_is_read(void **state)
{
    (void)state;
    assert_true(parse_keys(RS256, rsa_jwk(keys.rsa, ",\"kid\":\"r\",\"alg\":\"RS512\""),
                           ec_jwk(keys.p256, "P-256", ",\"kid\":\"e\",\"alg\":\"ES256\"")));
    assert_key(0, RS512, "r", keys.rsa);
    assert_int_equal(ring.keys[0].signature_bytes, 256);
    assert_key(1, ES256, "e", keys.p256);
    assert_int_equal(ring.keys[1].signature_bytes, 64);
    assert_true(parse_keys(RS256, ec_jwk(keys.p384, "P-384", ",\"kid\":\"3\",\"alg\":\"ES384\""),
                           ec_jwk(keys.p521, "P-521", ",\"kid\":\"5\",\"alg\":\"ES512\"")));
    assert_key(0, ES384, "3", keys.p384);
    assert_int_equal(ring.keys[0].signature_bytes, 96);
    assert_key(1, ES512, "5", keys.p521);
    assert_int_equal(ring.keys[1].signature_bytes, 132);
}

static void a_key_without_alg_has_the_one_of_the_configuration(void **state)
{
    (void)state;
    assert_true(parse_keys(RS384, rsa_jwk(keys.rsa, ",\"use\":\"sig\""), NULL));
    assert_key(0, RS384, "", keys.rsa);
    assert_true(parse_keys(ES384, ec_jwk(keys.p384, "P-384", ""), rsa_jwk(keys.rsa, "")));
    assert_key(0, ES384, "", keys.p384);
    assert_int_equal(ring.skipped, 1); /* RSA cannot be the ES384 of the configuration */
}

static void without_a_configured_algorithm_a_key_names_its_own(void **state)
{
    (void)state;
    assert_true(parse_keys(ALGORITHM_COUNT, rsa_jwk(keys.rsa, ",\"alg\":\"RS256\""),
                           ec_jwk(keys.p384, "P-384", "")));
    assert_key(0, RS256, "", keys.rsa);
    assert_int_equal(ring.count, 1);
    assert_int_equal(ring.skipped, 1);
    assert_refused(parse_keys(ALGORITHM_COUNT, rsa_jwk(keys.rsa, ""), NULL), "");
}

static void keys_that_are_not_for_us_are_skipped_and_counted(void **state)
{
    (void)state;
    static const char *const others[] = {
        "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAA\",\"kid\":\"k\"}",
        "{\"kty\":\"new\"}",
        "{}",
        "{\"kty\":1}",
        "{\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"AA\",\"y\":\"AA\",\"alg\":\"ES256K\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"AA\",\"y\":\"AA\",\"alg\":\"ES256\"}",
        "{\"kty\":\"RSA\",\"use\":\"enc\"}",
        "{\"kty\":\"RSA\",\"use\":1}",
        "{\"kty\":\"RSA\",\"key_ops\":[\"encrypt\"]}",
        "{\"kty\":\"RSA\",\"key_ops\":\"verify\"}",
        "{\"kty\":\"RSA\",\"alg\":\"PS256\"}",
        "{\"kty\":\"RSA\",\"alg\":\"RSA-OAEP\"}",
        "{\"kty\":\"RSA\",\"alg\":\"HS256\"}",
        "{\"kty\":\"RSA\",\"alg\":\"ES256\"}",
        "{\"kty\":\"RSA\",\"alg\":\"none\"}",
        "{\"kty\":\"RSA\",\"alg\":null}",
        "{\"kty\":\"RSA\",\"alg\":\"\"}",
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        char *good = rsa_jwk(keys.rsa, ",\"kid\":\"k\",\"key_ops\":[\"verify\"]");
        if (!parse_keys(RS256, mem_strdup(others[i]), good))
            fail_msg("%s: %s", others[i], err.text);
        assert_int_equal(ring.count, 1);
        assert_int_equal(ring.skipped, 1);
        assert_refused(parse_keys(RS256, mem_strdup(others[i]), NULL), "at least one key");
    }
}

static void a_set_with_a_secret_is_refused(void **state)
{
    (void)state;
    static const char *const secret[] = {
        "{\"kty\":\"oct\",\"k\":\"AAAA\"}",
        "{\"kty\":\"oct\"}",
        "{\"kty\":\"oct\",\"alg\":\"HS256\",\"k\":\"\"}",
        "{\"kty\":\"new\",\"k\":1}",
        "{\"kty\":\"OKP\",\"d\":\"AA\"}",
        "{\"use\":\"enc\",\"d\":null}",
        "{\"priv\":\"AA\"}",
    };
    static const char *const members[] = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"};
    for (size_t i = 0; i < sizeof secret / sizeof *secret; i++)
        assert_refused(parse_keys(RS256, rsa_jwk(keys.rsa, ""), mem_strdup(secret[i])),
                       "key 2 of the set: expected public keys only");
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        char more[32];
        snprintf(more, sizeof more, ",\"%s\":\"AAAA\"", members[i]);
        assert_refused(parse_keys(RS256, rsa_jwk(keys.rsa, more), NULL), "public keys only");
    }
}

static void a_kid_appears_once_in_a_set(void **state)
{
    (void)state;
    assert_refused(parse_keys(RS256, rsa_jwk(keys.rsa, ",\"kid\":\"1\""),
                              ec_jwk(keys.p256, "P-256", ",\"kid\":\"1\",\"alg\":\"ES256\"")),
                   "kid once");
    assert_refused(parse_keys(RS256, rsa_jwk(keys.rsa, ""), rsa_jwk(keys.rsa, "")), "kid once");
}

static void a_kid_in_a_set_is_a_string_with_something_in_it(void **state)
{
    (void)state;
    char more[200] = ",\"kid\":\"";
    assert_refused(parse_keys(RS256, rsa_jwk(keys.rsa, ",\"kid\":1"), NULL), "kid");
    assert_refused(parse_keys(RS256, rsa_jwk(keys.rsa, ",\"kid\":\"\""), NULL), "kid");
    assert_refused(parse_keys(RS256, rsa_jwk(keys.rsa, ",\"kid\":null"), NULL), "kid");
    memset(more + 8, 'k', 128);
    strcpy(more + 8 + 128, "\"");
    assert_refused(parse_keys(RS256, rsa_jwk(keys.rsa, more), NULL), "kid");
}

static void a_weak_rsa_key_in_a_set_is_refused(void **state)
{
    (void)state;
    EVP_PKEY *weak = rsa_of_bits(1024);
    assert_refused(parse_keys(RS256, rsa_jwk(weak, ""), NULL), "found 1024");
    EVP_PKEY_free(weak);
}

/* The key of the test with other base64url for n or e. */
static bool parse_rsa(const char *n, const char *e)
{
    char *jwk = NULL;
    int len = asprintf(&jwk, "{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"}", n, e);
    assert(len > 0);
    return parse_keys(RS256, jwk, NULL);
}

static void an_rsa_exponent_is_odd_and_between_65537_and_64_bits(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "AQ", "Aw", "AA", "AQAA", "AQAC", "", "AQAAAAAAAAAB", "AQAAAAAAAAAAAQ", "AQAB=", "AQ AB"};
    const char *n = number(keys.rsa, OSSL_PKEY_PARAM_RSA_N, 0);
    assert_true(parse_rsa(n, "AQAB"));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_refused(parse_rsa(n, wrong[i]), "key 1 of the set: expected");
}

static void an_rsa_modulus_that_is_even_or_has_small_factors_is_refused(void **state)
{
    (void)state;
    static const uint8_t endings[] = {0x00, 0xfe};
    uint8_t bytes[256];
    char text[512];
    for (size_t i = 0; i < sizeof endings; i++) {
        memset(bytes, 0xff, sizeof bytes);
        bytes[255] = endings[i];
        base64url_encode(bytes, sizeof bytes, text);
        assert_refused(parse_rsa(text, "AQAB"), "valid public key");
    }
    memset(bytes, 0xff, sizeof bytes); /* 2^2048 - 1 is a multiple of 3 */
    base64url_encode(bytes, sizeof bytes, text);
    assert_refused(parse_rsa(text, "AQAB"), "valid public key");
}

static void an_rsa_modulus_over_8192_bits_is_refused(void **state)
{
    (void)state;
    uint8_t bytes[1025];
    char text[2048];
    memset(bytes, 0xff, sizeof bytes);
    base64url_encode(bytes, sizeof bytes, text);
    assert_refused(parse_rsa(text, "AQAB"), "public key for RS256");
}

static bool parse_point(const uint8_t *x, size_t x_len, const uint8_t *y, size_t y_len)
{
    char x_text[128];
    char y_text[128];
    char *jwk = NULL;
    base64url_encode(x, x_len, x_text);
    base64url_encode(y, y_len, y_text);
    int len = asprintf(&jwk, "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"%s\",\"y\":\"%s\"}", x_text,
                       y_text);
    assert(len > 0);
    return parse_keys(ES256, jwk, NULL);
}

static void get_point(EVP_PKEY *pkey, uint8_t x[33], uint8_t y[33])
{
    BIGNUM *number_x = NULL;
    BIGNUM *number_y = NULL;
    assert_int_equal(EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_EC_PUB_X, &number_x), 1);
    assert_int_equal(EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_EC_PUB_Y, &number_y), 1);
    BN_bn2binpad(number_x, x, 33);
    BN_bn2binpad(number_y, y, 33);
    BN_free(number_x);
    BN_free(number_y);
}

static void a_point_off_its_curve_is_refused(void **state)
{
    (void)state;
    uint8_t x[33];
    uint8_t y[33];
    uint8_t zero[32] = {0};
    get_point(keys.p256, x, y);
    assert_true(parse_point(x + 1, 32, y + 1, 32));
    y[32] ^= 1;
    assert_refused(parse_point(x + 1, 32, y + 1, 32), "public key");
    assert_refused(parse_point(zero, 32, zero, 32), "public key");
}

static void coordinates_have_the_exact_size_of_the_field(void **state)
{
    (void)state;
    uint8_t x[33];
    uint8_t y[33];
    get_point(keys.p256, x, y);
    assert_refused(parse_point(x, 33, y + 1, 32), "public key");
    assert_refused(parse_point(x + 1, 32, y, 33), "public key");
    assert_refused(parse_point(x + 1, 31, y + 1, 32), "public key");
    assert_refused(parse_point(x + 1, 32, y + 1, 31), "public key");
    assert_refused(parse_point(x + 1, 0, y + 1, 32), "public key");
}

/* One key in 256: what its coordinate lacks is what a zeroed buffer would put there. */
static void a_coordinate_without_its_last_zero_is_refused(void **state)
{
    (void)state;
    bool x_done = false;
    bool y_done = false;
    while (!x_done || !y_done) {
        uint8_t x[33];
        uint8_t y[33];
        EVP_PKEY *pkey = ec_on("P-256");
        get_point(pkey, x, y);
        EVP_PKEY_free(pkey);
        if (x[32] == 0)
            assert_refused(parse_point(x + 1, 31, y + 1, 32), "public key");
        if (y[32] == 0)
            assert_refused(parse_point(x + 1, 32, y + 1, 31), "public key");
        x_done = x_done || x[32] == 0;
        y_done = y_done || y[32] == 0;
    }
}

static void a_key_on_another_curve_than_it_says_is_refused(void **state)
{
    (void)state;
    assert_refused(parse_keys(ES256, ec_jwk(keys.p384, "P-256", ""), NULL), "public key");
    assert_refused(parse_keys(ES384, ec_jwk(keys.p256, "P-384", ""), NULL), "public key");
}

static void a_document_that_is_no_key_set_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "x",
        "[]",
        "null",
        "{}",
        "{\"keys\":{}}",
        "{\"keys\":null}",
        "{\"keys\":[]}",
        "{\"keys\":[1]}",
        "{\"keys\":[[]]}",
        "{\"keys\":[]}x",
        "{\"keys\":[],\"keys\":[]}",
        "{\"keys\":[{\"kty\":\"RSA\",\"kty\":\"RSA\"}]}",
        "{\"KEYS\":[]}",
        "\xff",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_refused(parse(RS256, wrong[i]), "expected");
    assert_refused(parse_keys(RS256, rsa_jwk(keys.rsa, ",\"kid\":\"1\",\"kid\":\"2\""), NULL),
                   "duplicate members");
}

static void an_error_names_the_line_and_quotes_nothing(void **state)
{
    (void)state;
    assert_refused(parse(RS256, "{\n\"keys\": [\n{\"d\": \"hush\" hush}]}"), "line 3");
    assert_null(strstr(err.text, "hush"));
}

/* `count` keys, the first `good` of them usable. */
static char *set_of(size_t count, size_t good)
{
    char *set = mem_strdup("{\"keys\":[");
    for (size_t i = 0; i < count; i++) {
        char more[32];
        char *next = NULL;
        snprintf(more, sizeof more, ",\"kid\":\"%zu\"", i);
        char *jwk = i < good ? rsa_jwk(keys.rsa, more) : mem_strdup("{\"kty\":\"new\"}");
        int len = asprintf(&next, "%s%s%s", set, i ? "," : "", jwk);
        assert(len > 0);
        free(jwk);
        free(set);
        set = next;
    }
    size_t used = strlen(set);
    set = mem_resize(set, used + 3, 1);
    memcpy(set + used, "]}", 3);
    return set;
}

static void a_set_has_32_keys_at_most(void **state)
{
    (void)state;
    char *set = set_of(32, 32);
    assert_true(parse(RS256, set));
    assert_int_equal(ring.count, 32);
    free(set);
    set = set_of(33, 1);
    assert_refused(parse(RS256, set), "at most 32");
    free(set);
}

static void a_set_has_64_kib_at_most(void **state)
{
    (void)state;
    char *set = set_of(1, 1);
    size_t used = strlen(set);
    char *padded = mem_new(65538);
    memset(padded, ' ', 65537);
    memcpy(padded, set, used);
    padded[65536] = '\0';
    assert_true(parse(RS256, padded));
    padded[65536] = ' ';
    assert_refused(parse(RS256, padded), "at most 65536");
    free(padded);
    free(set);
}

static void a_key_set_file_is_named_in_what_went_wrong(void **state)
{
    (void)state;
    struct given_file file = given_text("{\"keys\":[]}");
    assert_false(jwks_load_file(&ring, RS256, file.path, &err));
    assert_non_null(strstr(err.text, file.path));
    assert_false(jwks_load_file(&ring, RS256, "/nowhere/set", &err));
    assert_non_null(strstr(err.text, "jwks_file /nowhere/set: expected a readable file"));
    given_close(&file);
}

static int clear(void **state)
{
    (void)state;
    keyring_clear(&ring);
    return 0;
}

#define TEST(name) cmocka_unit_test_teardown(name, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_kind_of_key_is_read),
        TEST(a_key_without_alg_has_the_one_of_the_configuration),
        TEST(without_a_configured_algorithm_a_key_names_its_own),
        TEST(keys_that_are_not_for_us_are_skipped_and_counted),
        TEST(a_set_with_a_secret_is_refused),
        TEST(a_kid_appears_once_in_a_set),
        TEST(a_kid_in_a_set_is_a_string_with_something_in_it),
        TEST(a_weak_rsa_key_in_a_set_is_refused),
        TEST(an_rsa_exponent_is_odd_and_between_65537_and_64_bits),
        TEST(an_rsa_modulus_that_is_even_or_has_small_factors_is_refused),
        TEST(an_rsa_modulus_over_8192_bits_is_refused),
        TEST(a_point_off_its_curve_is_refused),
        TEST(coordinates_have_the_exact_size_of_the_field),
        TEST(a_coordinate_without_its_last_zero_is_refused),
        TEST(a_key_on_another_curve_than_it_says_is_refused),
        TEST(a_document_that_is_no_key_set_is_refused),
        TEST(an_error_names_the_line_and_quotes_nothing),
        TEST(a_set_has_32_keys_at_most),
        TEST(a_set_has_64_kib_at_most),
        TEST(a_key_set_file_is_named_in_what_went_wrong),
    };
    return cmocka_run_group_tests(tests, make_keys, drop_keys);
}
