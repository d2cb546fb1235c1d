#include "auth/key.h"
#include "auth/keyring.h"
#include "signer.h"

#include <openssl/err.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/stat.h>

#include <cmocka.h>

/* Loads one key file; on failure the text must hold `expected`. */
static bool loads(const char *algorithm, const char *path, const char *expected)
{
    struct keyring ring = {0};
    struct err err = {0};
    enum algorithm found;
    assert_true(algorithm_find(algorithm, &found));
    bool ok = keyring_load_file(&ring, found, "k", path, &err);
    assert_int_equal(ring.count, ok ? 1 : 0);
    assert_true(ERR_peek_error() == 0);
    if (!ok && (!expected || !strstr(err.text, expected)))
        fail_msg("expected \"%s\" in: %s", expected ? expected : "success", err.text);
    keyring_clear(&ring);
    return ok;
}

static bool loads_bytes(const char *algorithm, const void *bytes, size_t len, const char *expected)
{
    struct given_file file = given_bytes(bytes, len);
    bool ok = loads(algorithm, file.path, expected);
    given_close(&file);
    return ok;
}

static bool loads_text(const char *algorithm, const char *text, const char *expected)
{
    return loads_bytes(algorithm, text, strlen(text), expected);
}

static bool loads_pkey(const char *algorithm, EVP_PKEY *pkey, const char *expected)
{
    char *text = public_text(pkey);
    bool ok = loads_text(algorithm, text, expected);
    free(text);
    EVP_PKEY_free(pkey);
    return ok;
}

static void a_secret_is_as_long_as_its_hash_at_least(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t bytes;
    } cases[] = {{"HS256", 32}, {"HS384", 48}, {"HS512", 64}};
    for (size_t i = 0; i < 3; i++) {
        assert_true(loads_bytes(cases[i].name, signer_secret, cases[i].bytes, NULL));
        assert_false(loads_bytes(cases[i].name, signer_secret, cases[i].bytes - 1, "secret of"));
    }
    assert_false(loads_text("HS256", "x", "secret of 32"));
}

static void a_secret_longer_than_1024_bytes_is_refused(void **state)
{
    (void)state;
    char bytes[1025];
    memset(bytes, 'x', sizeof bytes);
    assert_true(loads_bytes("HS256", bytes, 1024, NULL));
    assert_false(loads_bytes("HS256", bytes, 1025, "1024 bytes"));
}

static void an_empty_file_is_no_key(void **state)
{
    (void)state;
    assert_false(loads_text("HS256", "", "empty"));
    assert_false(loads_text("RS256", "", "empty"));
    assert_false(loads_text("ES256", "", "empty"));
    assert_false(loads_text("HS256", "\n", "empty"));
    assert_false(loads_text("RS256", "\n", "found none"));
}

static void a_file_that_cannot_be_read_is_named(void **state)
{
    (void)state;
    assert_false(
        loads("HS256", "/nowhere/secret", "key_file /nowhere/secret: expected a readable"));
    assert_false(loads("RS256", "/proc/self", "regular file"));
    assert_false(loads("HS256", "/dev/zero", "regular file"));
}

static void a_pipe_in_the_place_of_a_key_does_not_block(void **state)
{
    (void)state;
    char path[] = "/tmp/key_test_XXXXXX";
    assert_non_null(mkdtemp(path));
    char fifo[64];
    snprintf(fifo, sizeof fifo, "%s/fifo", path);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_false(loads("HS256", fifo, "regular file"));
    unlink(fifo);
    rmdir(path);
}

static void a_file_over_64_kib_is_refused(void **state)
{
    (void)state;
    char *bytes = mem_new(65537);
    memset(bytes, '\n', 65537);
    EVP_PKEY *pkey = ec_on("P-256");
    char *pem = public_text(pkey);
    memcpy(bytes, pem, strlen(pem));
    assert_true(loads_bytes("ES256", bytes, 65536, NULL));
    assert_false(loads_bytes("ES256", bytes, 65537, "at most 65536"));
    free(pem);
    free(bytes);
    EVP_PKEY_free(pkey);
}

/* What the loader keeps of a secret file. */
static void assert_secret(const char *text, size_t len, const char *expected, size_t expected_len)
{
    struct keyring ring = {0};
    struct err err = {0};
    struct given_file file = given_bytes(text, len);
    assert_true(keyring_load_file(&ring, HS256, NULL, file.path, &err));
    assert_int_equal(ring.keys[0].material_len, expected_len);
    assert_memory_equal(ring.keys[0].material, expected, expected_len);
    keyring_clear(&ring);
    given_close(&file);
}

static void one_final_newline_is_not_part_of_a_secret(void **state)
{
    (void)state;
    static const char text[] = "0123456789abcdef0123456789abcdef\n\n";
    assert_secret(text, 32, text, 32);
    assert_secret(text, 33, text, 32);
    assert_secret(text, 34, text, 33);
}

static void a_newline_does_not_count_for_the_length(void **state)
{
    (void)state;
    assert_false(loads_text("HS256", "0123456789abcdef0123456789abcde\n", "found 31"));
}

static void a_secret_may_be_base64_of_either_alphabet(void **state)
{
    (void)state;
    char bytes[34];
    memset(bytes, 0xfb, sizeof bytes); /* + and / in one alphabet, - and _ in the other */
    static const char standard[] = "base64:+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+w==\n";
    static const char url[] = "base64:-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-w";
    static const char wrapped[] = "base64:+/v7+/v7+/v7+/v7+/v7+/v7\r\n+/v7+/v7+/v7+/v7+/v7+w==\r\n";
    assert_secret(standard, sizeof standard - 1, bytes, 34);
    assert_secret(url, sizeof url - 1, bytes, 34);
    assert_secret(wrapped, sizeof wrapped - 1, bytes, 34);
    assert_false(loads_text("HS256", "base64:", "base64 after"));
    assert_false(loads_text("HS256", "base64:!!!!", "base64 after"));
    assert_false(loads_text("HS256", "base64:+/v7+/v7+/v7+/v7+w==", "found 13"));
}

static void pem_text_is_no_secret(void **state)
{
    (void)state;
    EVP_PKEY *rsa = rsa_of_bits(2048);
    char *pem = public_text(rsa);
    assert_false(loads_text("HS256", pem, "found PEM"));
    free(pem);
    EVP_PKEY_free(rsa);
}

static void an_rsa_key_has_2048_bits_at_least(void **state)
{
    (void)state;
    assert_false(loads_pkey("RS256", rsa_of_bits(512), "found 512"));
    assert_false(loads_pkey("RS256", rsa_of_bits(1024), "found 1024"));
    assert_false(loads_pkey("RS512", rsa_of_bits(2047), "found 2047"));
    assert_true(loads_pkey("RS256", rsa_of_bits(2048), NULL));
}

static void an_rsa_exponent_of_3_is_refused(void **state)
{
    (void)state;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_RSA, NULL);
    BIGNUM *three = BN_new();
    EVP_PKEY *pkey = NULL;
    BN_set_word(three, 3);
    assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, 2048), 1);
    assert_int_equal(EVP_PKEY_CTX_set1_rsa_keygen_pubexp(ctx, three), 1);
    assert_int_equal(EVP_PKEY_keygen(ctx, &pkey), 1);
    assert_false(loads_pkey("RS256", pkey, "exponent"));
    BN_free(three);
    EVP_PKEY_CTX_free(ctx);
}

static EVP_PKEY *rsa_pss(void)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA-PSS", NULL);
    EVP_PKEY *pkey = NULL;
    assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, 2048), 1);
    assert_int_equal(EVP_PKEY_keygen(ctx, &pkey), 1);
    EVP_PKEY_CTX_free(ctx);
    return pkey;
}

static void a_key_of_another_kind_or_curve_is_refused(void **state)
{
    (void)state;
    assert_false(loads_pkey("ES256", rsa_of_bits(2048), "curve P-256"));
    assert_false(loads_pkey("RS256", ec_on("P-256"), "an RSA key"));
    assert_false(loads_pkey("ES256", ec_on("P-384"), "curve P-256"));
    assert_false(loads_pkey("ES384", ec_on("P-521"), "curve P-384"));
    assert_false(loads_pkey("ES512", ec_on("P-256"), "curve P-521"));
    assert_false(loads_pkey("ES256", ec_on("secp256k1"), "curve P-256"));
    assert_false(loads_pkey("ES256", EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), "curve P-256"));
    assert_false(loads_pkey("RS256", EVP_PKEY_Q_keygen(NULL, NULL, "X25519"), "an RSA key"));
    assert_false(loads_pkey("RS256", rsa_pss(), "an RSA key"));
}

static void each_curve_serves_its_algorithm(void **state)
{
    (void)state;
    assert_true(loads_pkey("ES256", ec_on("P-256"), NULL));
    assert_true(loads_pkey("ES384", ec_on("P-384"), NULL));
    assert_true(loads_pkey("ES512", ec_on("P-521"), NULL));
}

static void a_private_key_is_refused(void **state)
{
    (void)state;
    EVP_PKEY *pkey = ec_on("P-256");
    char *text = private_text(pkey);
    assert_false(loads_text("ES256", text, "found PRIVATE KEY"));
    free(text);
    EVP_PKEY_free(pkey);
}

static void a_private_key_behind_a_public_one_is_refused(void **state)
{
    (void)state;
    EVP_PKEY *pkey = ec_on("P-256");
    char *one = public_text(pkey);
    char *two = private_text(pkey);
    char both[2048];
    snprintf(both, sizeof both, "%s%s", one, two);
    assert_false(loads_text("ES256", both, "several blocks"));
    free(one);
    free(two);
    EVP_PKEY_free(pkey);
}

static void text_that_is_no_public_key_is_refused(void **state)
{
    (void)state;
    assert_false(loads_text("RS256", "not a key", "found none"));
    assert_false(loads_text("RS256", "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n",
                            "found none"));
    assert_false(loads_text("RS256", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
                            "OpenSSL can read"));
    assert_false(loads_text("RS256",
                            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                            "found CERTIFICATE"));
    assert_false(loads_text("RS256", "-----BEGIN PUBLIC KEY-----\nAAAA\n", "found none"));
}

static void a_keyring_takes_each_kid_once(void **state)
{
    (void)state;
    struct keyring ring = {0};
    struct err err = {0};
    struct given_file file = given_text(signer_secret);
    assert_true(keyring_load_file(&ring, HS256, "a", file.path, &err));
    assert_true(keyring_load_file(&ring, HS256, "b", file.path, &err));
    assert_false(keyring_load_file(&ring, HS512, "a", file.path, &err));
    assert_non_null(strstr(err.text, "kid once"));
    assert_int_equal(ring.count, 2);
    keyring_clear(&ring);
    given_close(&file);
}

static void a_kid_has_127_bytes_at_most(void **state)
{
    (void)state;
    char kid[130];
    struct keyring ring = {0};
    struct err err = {0};
    struct given_file file = given_text(signer_secret);
    memset(kid, 'k', sizeof kid);
    kid[128] = '\0';
    assert_false(keyring_load_file(&ring, HS256, kid, file.path, &err));
    kid[127] = '\0';
    assert_true(keyring_load_file(&ring, HS256, kid, file.path, &err));
    keyring_clear(&ring);
    given_close(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_secret_is_as_long_as_its_hash_at_least),
        cmocka_unit_test(a_secret_longer_than_1024_bytes_is_refused),
        cmocka_unit_test(an_empty_file_is_no_key),
        cmocka_unit_test(a_file_that_cannot_be_read_is_named),
        cmocka_unit_test(a_pipe_in_the_place_of_a_key_does_not_block),
        cmocka_unit_test(a_file_over_64_kib_is_refused),
        cmocka_unit_test(one_final_newline_is_not_part_of_a_secret),
        cmocka_unit_test(a_newline_does_not_count_for_the_length),
        cmocka_unit_test(a_secret_may_be_base64_of_either_alphabet),
        cmocka_unit_test(pem_text_is_no_secret),
        cmocka_unit_test(an_rsa_key_has_2048_bits_at_least),
        cmocka_unit_test(an_rsa_exponent_of_3_is_refused),
        cmocka_unit_test(a_key_of_another_kind_or_curve_is_refused),
        cmocka_unit_test(each_curve_serves_its_algorithm),
        cmocka_unit_test(a_private_key_is_refused),
        cmocka_unit_test(a_private_key_behind_a_public_one_is_refused),
        cmocka_unit_test(text_that_is_no_public_key_is_refused),
        cmocka_unit_test(a_keyring_takes_each_kid_once),
        cmocka_unit_test(a_kid_has_127_bytes_at_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
