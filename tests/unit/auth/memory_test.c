/* Each allocation of a verification fails once, ours and those of libjwt, jansson and OpenSSL. With
 * libjwt alone a forged token passes when the copy of the key fails. Not under AddressSanitizer,
 * whose allocator cannot be replaced: the other builds run it. */
#include "auth/token.h"
#include "signer.h"

#include <openssl/err.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#ifdef __SANITIZE_ADDRESS__
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

static long seen;
static long failing = -1; /* the allocation that fails, counted from 0; -1: none */

#ifndef SANITIZED
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);

static bool fails(void)
{
    return seen++ == failing;
}

__attribute__((visibility("default"))) void *malloc(size_t size)
{
    return fails() ? NULL : __libc_malloc(size);
}

__attribute__((visibility("default"))) void *calloc(size_t count, size_t size)
{
    return fails() ? NULL : __libc_calloc(count, size);
}

__attribute__((visibility("default"))) void *realloc(void *memory, size_t size)
{
    return fails() ? NULL : __libc_realloc(memory, size);
}
#endif

static enum token_reason check_failing_at(const struct verifier *verifier, const char *token,
                                          long at, struct claims *claims)
{
    size_t len = strlen(token);
    seen = 0;
    failing = at;
    enum token_reason reason = verifier_check(verifier, token, len, NOW_US, claims);
    failing = -1;
    return reason;
}

/* The verdict may only change from yes to no, and no claim may change. */
static void fail_each(const struct verifier *verifier, const char *token, bool is_good)
{
    struct claims full;
    struct claims claims;
    enum token_reason usual = TOKEN_OK;
    for (int warm = 0; warm < 2; warm++) /* the first run also fills caches */
        usual = check_failing_at(verifier, token, -1, &full);
    long total = seen;
    assert_reason(usual, is_good ? TOKEN_OK : TOKEN_SIGNATURE);
    assert_true(total > 10);
    for (long at = 0; at < total; at++) {
        enum token_reason reason = check_failing_at(verifier, token, at, &claims);
        assert_true(ERR_peek_error() == 0);
        assert_true(reason != TOKEN_OK || is_good);
        if (reason == TOKEN_OK)
            assert_memory_equal(&claims, &full, sizeof full);
    }
}

static void try_key(enum algorithm algorithm, EVP_PKEY *pkey)
{
    struct err err = {0};
    struct given_file file = pkey ? given_public(pkey) : given_text(signer_secret);
    struct issuer_options options = issuer_of(algorithm_info(algorithm)->name, file.path);
    struct verifier *verifier = verifier_new(&options, 1, &err);
    assert_non_null(verifier);
    const char *header = header_of(algorithm);
    char *token = pkey ? token_by_key(algorithm, pkey, header, payload_with(""))
                       : token_by_secret(algorithm, header, payload_with(""));
    fail_each(verifier, token, true);
    char *spot = strrchr(token, '.') + 5;
    *spot = *spot == 'A' ? 'B' : 'A';
    fail_each(verifier, token, false);
    free(token);
    verifier_free(verifier);
    given_close(&file);
    EVP_PKEY_free(pkey);
}

static void no_failed_allocation_makes_a_forged_token_pass(void **state)
{
    (void)state;
#ifdef SANITIZED
    skip();
#endif
    try_key(HS256, NULL);
    try_key(RS256, rsa_of_bits(2048));
    try_key(ES256, ec_on("P-256"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_failed_allocation_makes_a_forged_token_pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
