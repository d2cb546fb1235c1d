#include "auth/signature.h"
#include "signer.h"

#include <openssl/err.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static struct key secret_key(enum algorithm algorithm)
{
    struct key key = {0};
    struct err err = {0};
    assert_true(key_init_secret(&key, algorithm, NULL, signer_secret, strlen(signer_secret), &err));
    return key;
}

static bool holds_take(const struct key *key, char *token)
{
    bool holds = signature_holds(key, token);
    free(token);
    return holds;
}

static void a_signature_holds_under_its_own_secret_only(void **state)
{
    (void)state;
    struct key key = secret_key(HS256);
    assert_true(holds_take(&key, token_by_secret(HS256, header_of(HS256), "{}")));
    assert_false(holds_take(&key, token_by_secret_bytes(HS256, "another", 7, header_of(HS256),
                                                        strlen(header_of(HS256)), "{}", 2)));
    key_clear(&key);
}

/* libjwt takes the algorithm from the token: this is what it said it verified. */
static void what_libjwt_verified_is_the_algorithm_of_the_key(void **state)
{
    (void)state;
    struct key key = secret_key(HS256);
    assert_false(holds_take(&key, token_by_secret(HS512, header_of(HS512), "{}")));
    assert_false(holds_take(&key, token_by_secret(HS384, header_of(HS384), "{}")));
    key_clear(&key);
}

static void a_failed_verification_leaves_no_error_behind(void **state)
{
    (void)state;
    struct key key = {0};
    struct err err = {0};
    EVP_PKEY *mine = ec_on("P-256");
    EVP_PKEY *other = ec_on("P-256");
    assert_true(key_init_public(&key, ES256, NULL, mine, &err));
    ERR_raise(ERR_LIB_USER, 1);
    assert_false(holds_take(&key, token_by_key(ES256, other, header_of(ES256), "{}")));
    assert_true(ERR_peek_error() == 0);
    assert_true(holds_take(&key, token_by_key(ES256, mine, header_of(ES256), "{}")));
    key_clear(&key);
    EVP_PKEY_free(mine);
    EVP_PKEY_free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signature_holds_under_its_own_secret_only),
        cmocka_unit_test(what_libjwt_verified_is_the_algorithm_of_the_key),
        cmocka_unit_test(a_failed_verification_leaves_no_error_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
