#include "auth/token.h"
#include "signer.h"

#include <openssl/err.h>
#include <openssl/ui.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static struct mint_options usual(const char *algorithm, const char *key_file)
{
    return (struct mint_options){
        .key_file = key_file,
        .algorithm = algorithm,
        .iss = "https://id.example/",
        .audience = "vigie",
        .company = "42",
        .user = "u7",
        .ttl_s = 900,
        .now_us = NOW_US,
    };
}

/* Mints with `signing` and asks a verifier that has `verifying`. */
static enum token_reason mint_and_check(const struct mint_options *options, const char *verifying,
                                        struct claims *claims)
{
    struct err err = {0};
    struct issuer_options issuer = issuer_of(options->algorithm, verifying);
    issuer.kid = options->kid;
    struct verifier *verifier = verifier_new(&issuer, 1, &err);
    assert_non_null(verifier);
    char *token = token_mint(options, &err);
    if (!token)
        fail_msg("%s: %s", options->algorithm, err.text);
    enum token_reason reason = verifier_check(verifier, token, strlen(token), NOW_US, claims);
    free(token);
    verifier_free(verifier);
    return reason;
}

static void a_minted_token_of_each_algorithm_is_verified(void **state)
{
    (void)state;
    static const char *const names[] = {"RS256", "RS384", "RS512", "ES256", "ES384", "ES512"};
    static const char *const curves[] = {"P-256", "P-384", "P-521"};
    EVP_PKEY *rsa = rsa_of_bits(2048);
    struct claims claims;
    for (size_t i = 0; i < 6; i++) {
        EVP_PKEY *pkey = i < 3 ? rsa : ec_on(curves[i - 3]);
        char *text = private_text(pkey);
        struct given_file hidden = given_text(text);
        struct given_file open = given_public(pkey);
        struct mint_options options = usual(names[i], hidden.path);
        for (int turn = 0; turn < 16; turn++) /* ECDSA numbers vary in length */
            assert_reason(mint_and_check(&options, open.path, &claims), TOKEN_OK);
        given_close(&hidden);
        given_close(&open);
        free(text);
        if (i >= 3)
            EVP_PKEY_free(pkey);
    }
    EVP_PKEY_free(rsa);
}

static void a_minted_token_says_what_was_asked(void **state)
{
    (void)state;
    static const char *const names[] = {"HS256", "HS384", "HS512"};
    struct given_file file = given_text(signer_secret);
    struct claims claims;
    for (size_t i = 0; i < 3; i++) {
        struct mint_options options = usual(names[i], file.path);
        options.kid = "k1";
        options.role = "clerk";
        assert_reason(mint_and_check(&options, file.path, &claims), TOKEN_OK);
        assert_string_equal(claims.company, "42");
        assert_string_equal(claims.user, "u7");
        assert_int_equal(claims.role_count, 1);
        assert_string_equal(claims.roles[0], "clerk");
        assert_true(claims.expires_at_us == NOW_US + INT64_C(900000000));
    }
    given_close(&file);
}

static void a_lifetime_below_zero_mints_an_expired_token(void **state)
{
    (void)state;
    struct given_file file = given_text(signer_secret);
    struct mint_options options = usual("HS256", file.path);
    struct claims claims;
    options.ttl_s = -31;
    assert_reason(mint_and_check(&options, file.path, &claims), TOKEN_EXPIRED);
    given_close(&file);
}

static void assert_not_minted(const struct mint_options *options, const char *why)
{
    struct err err = {0};
    char *token = token_mint(options, &err);
    if (token || !strstr(err.text, why))
        fail_msg("expected \"%s\" in: %s", why, token ? "success" : err.text);
    assert_true(ERR_peek_error() == 0);
}

static void a_token_needs_a_key_file_and_plain_names(void **state)
{
    (void)state;
    struct given_file file = given_text(signer_secret);
    struct mint_options options = usual("HS256", NULL);
    assert_not_minted(&options, "expected a key file");
    options = usual("HS256", "/nowhere/key");
    assert_not_minted(&options, "/nowhere/key: expected a readable file");
    options = usual("none", file.path);
    assert_not_minted(&options, "algorithm");
    options = usual("HS256", file.path);
    options.company = "";
    assert_not_minted(&options, "company");
    options = usual("HS256", file.path);
    options.user = NULL;
    assert_not_minted(&options, "user");
    options = usual("HS256", file.path);
    options.role = "a\n";
    assert_not_minted(&options, "role");
    options = usual("HS256", file.path);
    options.iss = NULL;
    assert_not_minted(&options, "issuer");
    options = usual("HS256", file.path);
    options.ttl_s = INT64_MAX;
    assert_not_minted(&options, "lifetime");
    given_close(&file);
}

static void a_weak_or_wrong_key_does_not_sign(void **state)
{
    (void)state;
    EVP_PKEY *weak = rsa_of_bits(1024);
    EVP_PKEY *curve = ec_on("P-384");
    char *weak_text = private_text(weak);
    char *curve_text = private_text(curve);
    struct given_file files[] = {given_text("short"), given_text(weak_text), given_text(curve_text),
                                 given_public(curve)};
    struct mint_options options = usual("HS256", files[0].path);
    assert_not_minted(&options, "secret of 32");
    options = usual("RS256", files[1].path);
    assert_not_minted(&options, "found 1024");
    options = usual("ES256", files[2].path);
    assert_not_minted(&options, "curve P-256");
    options = usual("ES384", files[3].path);
    assert_not_minted(&options, "PRIVATE KEY");
    for (size_t i = 0; i < 4; i++)
        given_close(&files[i]);
    free(weak_text);
    free(curve_text);
    EVP_PKEY_free(weak);
    EVP_PKEY_free(curve);
}

static bool asked;

static int note_the_question(UI *ui)
{
    (void)ui;
    asked = true;
    return 0;
}

/* The terminal of this test is a method that remembers whether it was opened. */
static void nobody_is_asked_for_a_passphrase(void **state)
{
    (void)state;
    EVP_PKEY *pkey = ec_on("P-256");
    BIO *bio = BIO_new(BIO_s_mem());
    unsigned char word[] = "passphrase";
    assert_int_equal(PEM_write_bio_PrivateKey(bio, pkey, EVP_aes_128_cbc(), word, 10, NULL, NULL),
                     1);
    char *text = bio_text(bio);
    struct given_file file = given_text(text);
    struct mint_options options = usual("ES256", file.path);
    UI_METHOD *terminal = UI_create_method("terminal");
    UI_method_set_opener(terminal, note_the_question);
    UI_set_default_method(terminal);
    assert_not_minted(&options, "without passphrase");
    assert_false(asked);
    UI_set_default_method(UI_OpenSSL());
    UI_destroy_method(terminal);
    given_close(&file);
    free(text);
    EVP_PKEY_free(pkey);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_minted_token_of_each_algorithm_is_verified),
        cmocka_unit_test(a_minted_token_says_what_was_asked),
        cmocka_unit_test(a_lifetime_below_zero_mints_an_expired_token),
        cmocka_unit_test(a_token_needs_a_key_file_and_plain_names),
        cmocka_unit_test(a_weak_or_wrong_key_does_not_sign),
        cmocka_unit_test(nobody_is_asked_for_a_passphrase),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
