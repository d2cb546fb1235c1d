#include "auth/gate.h"
#include "signer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static const char good_header[] = "{\"alg\":\"HS256\"}";

static enum token_reason open_text(const char *text)
{
    struct gate_token token;
    return gate_open(&token, text, strlen(text));
}

static enum token_reason open_header(const char *header)
{
    char *text = token_by_secret(HS256, header, "{}");
    enum token_reason reason = open_text(text);
    free(text);
    return reason;
}

static void a_good_token_comes_apart_into_its_parts(void **state)
{
    (void)state;
    struct gate_token token;
    char *text = token_by_secret(HS384, "{\"alg\":\"HS384\",\"kid\":\"k1\"}", "{\"a\":1}");
    assert_reason(gate_open(&token, text, strlen(text)), TOKEN_OK);
    assert_string_equal(token.text, text);
    assert_int_equal(token.algorithm, HS384);
    assert_string_equal(token.kid, "k1");
    assert_int_equal(token.signature_bytes, 48);
    json_t *payload = gate_payload(&token);
    assert_int_equal(json_integer_value(json_object_get(payload, "a")), 1);
    json_decref(payload);
    free(text);
}

static void a_token_is_three_segments_and_none_is_empty(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "e30",
        ".",
        "..",
        "...",
        "e30.e30",
        "e30.e30.",
        ".e30.e30",
        "e30..e30",
        "e30.e30.e30.",
        ".e30.e30.e30",
        "e30.e30.e30.e30",
        "e30.e30.e30.e30.e30",
        "e30..",
        ".e30.",
        "..e30",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_reason(open_text(texts[i]), TOKEN_MALFORMED);
}

/* Puts `what` at `at` of a good token's text, over `over` of its bytes. */
static enum token_reason open_damaged(size_t at, size_t over, const char *what, size_t what_len)
{
    struct gate_token token;
    char *text = token_by_secret(HS256, good_header, "{}");
    size_t len = strlen(text);
    char damaged[512];
    at = at > len ? len : at;
    memcpy(damaged, text, at);
    memcpy(damaged + at, what, what_len);
    memcpy(damaged + at + what_len, text + at + over, len - at - over);
    enum token_reason reason = gate_open(&token, damaged, len - over + what_len);
    free(text);
    return reason;
}

static void each_segment_is_strict_base64url(void **state)
{
    (void)state;
    static const char *const foreign[] = {"=", "+", "/", " ", "\n", "\r", "\t", "%", "\x80", "*"};
    /* in the header (0 to 19), in the payload (21 to 23), on a dot, in the signature */
    static const size_t places[] = {0, 5, 21, 24, 30, 60};
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
        for (size_t p = 0; p < sizeof places / sizeof *places; p++)
            assert_reason(open_damaged(places[p], 1, foreign[i], 1), TOKEN_MALFORMED);
    assert_reason(open_damaged(30, 1, "", 1), TOKEN_MALFORMED);        /* a NUL */
    assert_reason(open_damaged(SIZE_MAX, 0, "=", 1), TOKEN_MALFORMED); /* padding that is right */
    assert_reason(open_damaged(SIZE_MAX, 0, "====", 4), TOKEN_MALFORMED);
    assert_reason(open_damaged(SIZE_MAX, 0, "\n", 1), TOKEN_MALFORMED);
}

static void a_spelling_with_set_trailing_bits_is_refused(void **state)
{
    (void)state;
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    char *text = token_by_secret(HS256, good_header, "{}");
    char *last = text + strlen(text) - 1; /* 32 bytes leave two bits over */
    assert_reason(open_text(text), TOKEN_OK);
    *last = alphabet[(strchr(alphabet, *last) - alphabet) + 1];
    assert_reason(open_text(text), TOKEN_MALFORMED);
    free(text);
}

static enum token_reason open_of_length(size_t len)
{
    static const char head[] = "eyJhbGciOiJIUzI1NiJ9.e30."; /* {"alg":"HS256"} and {} */
    struct gate_token token;
    char *text = mem_new(len + sizeof head);
    memset(text, 'A', len + sizeof head);
    memcpy(text, head, sizeof head - 1);
    enum token_reason reason = gate_open(&token, text, len);
    free(text);
    return reason;
}

static void the_size_limit_is_exact(void **state)
{
    (void)state;
    assert_reason(open_of_length(0), TOKEN_SIZE);
    assert_reason(open_of_length(TOKEN_BYTES_MAX), TOKEN_OK);
    assert_reason(open_of_length(TOKEN_BYTES_MAX + 1), TOKEN_SIZE);
    assert_reason(open_of_length(1 << 20), TOKEN_SIZE);
    assert_reason(open_of_length(9 << 20), TOKEN_SIZE);
}

static void only_the_nine_algorithms_pass_in_their_exact_spelling(void **state)
{
    (void)state;
    static const char *const refused[] = {
        "none", "None", "NONE",   "nOnE",  "",      " none", "hs256",  "Hs256", "HS256 ", " HS256",
        "HS1",  "HS",   "HS2567", "PS256", "PS512", "EdDSA", "ES256K", "RS1",   "A128KW", "dir",
    };
    char header[64];
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        snprintf(header, sizeof header, "{\"alg\":\"%s\"}", refused[i]);
        assert_reason(open_header(header), TOKEN_ALGORITHM);
    }
    for (unsigned i = 0; i < ALGORITHM_COUNT; i++)
        assert_reason(open_header(header_of((enum algorithm)i)), TOKEN_OK);
}

static void an_algorithm_that_is_missing_or_no_string_is_refused(void **state)
{
    (void)state;
    static const char *const headers[] = {
        "{}",           "{\"alg\":null}", "{\"alg\":1}",         "{\"alg\":[\"HS256\"]}",
        "{\"alg\":{}}", "{\"alg\":true}", "{\"Alg\":\"HS256\"}", "{\"typ\":\"JWT\"}",
    };
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        assert_reason(open_header(headers[i]), TOKEN_ALGORITHM);
}

static void a_header_is_one_json_object_without_duplicates(void **state)
{
    (void)state;
    static const char *const headers[] = {
        "[]",
        "\"x\"",
        "1",
        "null",
        "{",
        "{\"alg\":\"HS256\"",
        "{\"alg\":\"HS256\"}x",
        "{\"alg\":\"HS256\"}{}",
        "{\"alg\":\"none\",\"alg\":\"HS256\"}",
        "{\"alg\":\"HS256\",\"alg\":\"HS256\"}",
        "{\"alg\":\"HS256\",\"a\":1,\"a\":1}",
        "{\"alg\":\"HS256\",\"a\":\"\\u0000\"}",
        "{\"alg\":\"HS256\",\"a\":\"\xff\"}",
        "{\"alg\":\"HS256\",\"a\":1e999}",
        "{\"alg\":\"HS256\",}",
        "{alg:\"HS256\"}",
        "\xef\xbb\xbf{\"alg\":\"HS256\"}",
    };
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        assert_reason(open_header(headers[i]), TOKEN_HEADER);
}

static void a_header_nested_too_deep_is_refused(void **state)
{
    (void)state;
    enum { DEPTH = 2900 };
    char header[2 * DEPTH + 64];
    int at = snprintf(header, sizeof header, "{\"alg\":\"HS256\",\"a\":");
    memset(header + at, '[', DEPTH);
    memset(header + at + DEPTH, ']', DEPTH);
    header[at + 2 * DEPTH] = '}';
    header[at + 2 * DEPTH + 1] = '\0';
    assert_reason(open_header(header), TOKEN_HEADER);
}

static void extensions_that_must_be_understood_are_refused(void **state)
{
    (void)state;
    assert_reason(open_header("{\"alg\":\"HS256\",\"crit\":[\"exp\"]}"), TOKEN_HEADER);
    assert_reason(open_header("{\"alg\":\"HS256\",\"crit\":[]}"), TOKEN_HEADER);
    assert_reason(open_header("{\"alg\":\"HS256\",\"crit\":null}"), TOKEN_HEADER);
    assert_reason(open_header("{\"alg\":\"HS256\",\"b64\":false}"), TOKEN_HEADER);
    assert_reason(open_header("{\"alg\":\"HS256\",\"b64\":true}"), TOKEN_HEADER);
}

static void typ_is_jwt_or_absent(void **state)
{
    (void)state;
    static const char *const refused[] = {"\"at+jwt\"", "\"jwt\"", "\"JWS\"", "\"\"", "1", "null"};
    char header[64];
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        snprintf(header, sizeof header, "{\"alg\":\"HS256\",\"typ\":%s}", refused[i]);
        assert_reason(open_header(header), TOKEN_HEADER);
    }
    assert_reason(open_header("{\"alg\":\"HS256\",\"typ\":\"JWT\"}"), TOKEN_OK);
    assert_reason(open_header("{\"alg\":\"HS256\"}"), TOKEN_OK);
}

static enum token_reason open_kid_of(size_t len)
{
    char kid[512];
    char header[600];
    memset(kid, 'k', len);
    kid[len] = '\0';
    snprintf(header, sizeof header, "{\"alg\":\"HS256\",\"kid\":\"%s\"}", kid);
    return open_header(header);
}

static void a_kid_is_a_string_of_1_to_127_bytes(void **state)
{
    (void)state;
    assert_reason(open_kid_of(1), TOKEN_OK);
    assert_reason(open_kid_of(127), TOKEN_OK);
    assert_reason(open_kid_of(128), TOKEN_KEY);
    assert_reason(open_kid_of(300), TOKEN_KEY);
    assert_reason(open_kid_of(0), TOKEN_KEY);
    assert_reason(open_header("{\"alg\":\"HS256\",\"kid\":1}"), TOKEN_KEY);
    assert_reason(open_header("{\"alg\":\"HS256\",\"kid\":null}"), TOKEN_KEY);
    assert_reason(open_header("{\"alg\":\"HS256\",\"kid\":[\"k\"]}"), TOKEN_KEY);
}

static void keys_that_the_token_brings_along_are_not_read(void **state)
{
    (void)state;
    assert_reason(open_header("{\"alg\":\"HS256\",\"jku\":\"http://127.0.0.1:1/\",\"x5u\":1,"
                              "\"jwk\":{\"kty\":\"oct\",\"k\":\"AAAA\"},\"x5c\":[]}"),
                  TOKEN_OK);
}

static void a_payload_is_one_object_without_duplicates(void **state)
{
    (void)state;
    static const char *const payloads[] = {"[]",  "1", "null", "\"{}\"", "{\"a\":1,\"a\":2}",
                                           "{}{}"};
    for (size_t i = 0; i < sizeof payloads / sizeof *payloads; i++) {
        struct gate_token token;
        char *text = token_by_secret(HS256, good_header, payloads[i]);
        assert_reason(gate_open(&token, text, strlen(text)), TOKEN_OK);
        assert_null(gate_payload(&token));
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_token_comes_apart_into_its_parts),
        cmocka_unit_test(a_token_is_three_segments_and_none_is_empty),
        cmocka_unit_test(each_segment_is_strict_base64url),
        cmocka_unit_test(a_spelling_with_set_trailing_bits_is_refused),
        cmocka_unit_test(the_size_limit_is_exact),
        cmocka_unit_test(only_the_nine_algorithms_pass_in_their_exact_spelling),
        cmocka_unit_test(an_algorithm_that_is_missing_or_no_string_is_refused),
        cmocka_unit_test(a_header_is_one_json_object_without_duplicates),
        cmocka_unit_test(a_header_nested_too_deep_is_refused),
        cmocka_unit_test(extensions_that_must_be_understood_are_refused),
        cmocka_unit_test(typ_is_jwt_or_absent),
        cmocka_unit_test(a_kid_is_a_string_of_1_to_127_bytes),
        cmocka_unit_test(keys_that_the_token_brings_along_are_not_read),
        cmocka_unit_test(a_payload_is_one_object_without_duplicates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
