#include "auth/token.h"
#include "signer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#define BASE "\"iss\":\"https://id.example/\",\"aud\":\"vigie\",\"exp\":1790000600"
#define WHO ",\"sub\":\"u7\",\"company\":\"42\""

static struct verifier *verifier;

static int load(void **state)
{
    (void)state;
    struct err err = {0};
    struct given_file file = given_text(signer_secret);
    struct issuer_options options = issuer_of("HS256", file.path);
    verifier = verifier_new(&options, 1, &err);
    given_close(&file);
    return verifier ? 0 : -1;
}

static int unload(void **state)
{
    (void)state;
    verifier_free(verifier);
    return 0;
}

static enum token_reason check_at(const char *payload, int64_t now_us, struct claims *claims)
{
    char *token = token_by_secret(HS256, header_of(HS256), payload);
    memset(claims, 0x55, sizeof *claims);
    enum token_reason reason = verifier_check(verifier, token, strlen(token), now_us, claims);
    static const struct claims zeroed;
    if (reason != TOKEN_OK)
        assert_memory_equal(claims, &zeroed, sizeof zeroed);
    free(token);
    return reason;
}

static enum token_reason check(const char *payload)
{
    struct claims claims;
    return check_at(payload, NOW_US, &claims);
}

/* The payload is BASE and WHO, with the claim `name` (if any) as `value`. */
static enum token_reason check_with(const char *name, const char *value)
{
    static const struct {
        const char *name;
        const char *value;
    } usual[] = {{"iss", "\"https://id.example/\""},
                 {"aud", "\"vigie\""},
                 {"exp", "1790000600"},
                 {"sub", "\"u7\""},
                 {"company", "\"42\""}};
    char payload[4096];
    size_t at = (size_t)snprintf(payload, sizeof payload, "{\"other\":1");
    bool known = false;
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) {
        bool same = strcmp(usual[i].name, name) == 0;
        const char *text = same ? value : usual[i].value;
        known = known || same;
        if (text)
            at += (size_t)snprintf(payload + at, sizeof payload - at, ",\"%s\":%s", usual[i].name,
                                   text);
    }
    if (!known)
        at += (size_t)snprintf(payload + at, sizeof payload - at, ",\"%s\":%s", name, value);
    snprintf(payload + at, sizeof payload - at, "}");
    return check(payload);
}

#define assert_each(name, values, expected)                                                        \
    for (size_t i_ = 0; i_ < sizeof(values) / sizeof *(values); i_++) {                            \
        enum token_reason got_ = check_with(name, (values)[i_]);                                   \
        if (got_ != (expected))                                                                    \
            fail_msg("%s: %s gives %s, not %s", name, (values)[i_] ? (values)[i_] : "(absent)",    \
                     token_reason_name(got_), token_reason_name(expected));                        \
    }

static void a_good_payload_tells_who_speaks(void **state)
{
    (void)state;
    struct claims claims;
    assert_reason(check_at("{" BASE WHO ",\"role\":\"clerk\",\"jti\":\"j1\"}", NOW_US, &claims),
                  TOKEN_OK);
    assert_string_equal(claims.issuer, "main");
    assert_string_equal(claims.company, "42");
    assert_string_equal(claims.user, "u7");
    assert_int_equal(claims.role_count, 1);
    assert_string_equal(claims.roles[0], "clerk");
    assert_string_equal(claims.token_id, "j1");
    assert_true(claims.expires_at_us == INT64_C(1790000600000000));
    assert_true(claims.leeway_us == 30000000);
}

static void the_issuer_is_exact(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        NULL,
        "null",
        "1",
        "\"\"",
        "[\"https://id.example/\"]",
        "\"https://id.example\"",
        "\"https://id.example//\"",
        "\"https://ID.example/\"",
        "\"https://id.example/x\"",
        "\" https://id.example/\"",
        "\"https://id.example/ \"",
        "\"ttps://id.example/\"",
        "\"main\"",
        "true",
    };
    assert_each("iss", wrong, TOKEN_ISSUER);
}

static void the_audience_is_there_and_ours(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        NULL,
        "null",
        "\"\"",
        "[]",
        "1",
        "{}",
        "true",
        "\"Vigie\"",
        "\"vigie \"",
        "\"vigi\"",
        "\"vigiee\"",
        "[\"other\"]",
        "[1,\"vigie\"]",
        "[\"vigie\",null]",
        "[[\"vigie\"]]",
        "[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\",\"10\",\"11\",\"12\",\"13\","
        "\"14\",\"15\",\"16\",\"vigie\"]",
    };
    static const char *const right[] = {
        "\"vigie\"",
        "[\"vigie\"]",
        "[\"other\",\"vigie\"]",
        "[\"vigie\",\"vigie\"]",
        "[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\",\"10\",\"11\",\"12\",\"13\","
        "\"14\",\"15\",\"vigie\"]",
    };
    assert_each("aud", wrong, TOKEN_AUDIENCE);
    assert_each("aud", right, TOKEN_OK);
}

static void an_expiry_is_a_number_of_sane_size(void **state)
{
    (void)state;
    static const char *const unusable[] = {
        NULL,
        "\"1790000600\"",
        "null",
        "true",
        "[]",
        "{}",
        "\"\"",
        "-1",
        "-1.5",
        "1e300",
        "9223372036854775807",
        "-9223372036854775808",
        "253402300800",
        "253402300799.5",
        "1790003631",
        "2105360000",
    };
    static const char *const expired[] = {"0", "0.0", "-0.0", "1", "1789999969.5", "1e9"};
    static const char *const right[] = {"1790000600", "1790000600.0", "1790000600.75", "1.79e9",
                                        "1789999970.5"};
    assert_each("exp", unusable, TOKEN_LIFETIME);
    assert_each("exp", expired, TOKEN_EXPIRED);
    assert_each("exp", right, TOKEN_OK);
}

static void numbers_that_json_cannot_hold_never_pass(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "9223372036854775808", "1e999", "NaN", "Infinity", "0x10", "01", "+1"};
    assert_each("exp", wrong, TOKEN_SIGNATURE); /* libjwt reads the payload first */
}

static void an_expiry_ends_with_its_leeway_to_the_microsecond(void **state)
{
    (void)state;
    struct claims claims;
    const char *payload = "{" BASE WHO "}";
    int64_t end_us = INT64_C(1790000630000000);
    assert_reason(check_at(payload, end_us - 1, &claims), TOKEN_OK);
    assert_reason(check_at(payload, end_us, &claims), TOKEN_EXPIRED);
    assert_reason(check_at(payload, end_us + 1, &claims), TOKEN_EXPIRED);
}

static void a_token_is_not_used_before_its_time(void **state)
{
    (void)state;
    static const char *const early[] = {"1790000031", "1790000030.01", "1790000500",
                                        "253402300799"};
    static const char *const unusable[] = {"\"1\"", "null", "-1", "1e300", "true", "[]"};
    static const char *const right[] = {"0", "1790000030", "1790000030.0", "1789999999",
                                        "1790000000.5"};
    assert_each("nbf", early, TOKEN_NOT_YET);
    assert_each("iat", early, TOKEN_NOT_YET);
    assert_each("nbf", unusable, TOKEN_NOT_YET);
    assert_each("iat", unusable, TOKEN_NOT_YET);
    assert_each("nbf", right, TOKEN_OK);
}

static void a_lifetime_counts_from_iat(void **state)
{
    (void)state;
    assert_reason(check_with("iat", "1789997000"), TOKEN_OK); /* 3600 s before exp */
    assert_reason(check_with("iat", "1789996999"), TOKEN_LIFETIME);
    assert_reason(check_with("iat", "0"), TOKEN_LIFETIME);
}

static void a_lifetime_without_iat_counts_from_now(void **state)
{
    (void)state;
    assert_reason(check_with("exp", "1790003630"), TOKEN_OK); /* 3600 s and the leeway */
    assert_reason(check_with("exp", "1790003631"), TOKEN_LIFETIME);
}

static void a_company_is_a_plain_name(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        NULL,
        "\"\"",
        "-42",
        "42.0",
        "9007199254740992",
        "4.2",
        "null",
        "true",
        "[]",
        "[\"42\"]",
        "{}",
        "\" \"",
        "\"42 \"",
        "\" 42\"",
        "\"4\\n2\"",
        "\"4\\t2\"",
        "\"4\\u001f2\"",
        "\"4\\u007f2\"",
        "\"4\\u00852\"",
        "\"4\\u009f2\"",
        "\"*\"",
        "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"", /* 65 */
    };
    static const char *const right[] = {
        "\"42\"",
        "42", /* a serial key, as services sign it */
        "9007199254740991",
        "\"a b\"",
        "\"soci\\u00e9t\\u00e9\"",
        "\"\\u00a0x\"",
        "\"a*\"",
        "\"3f2504e0-4f89-11d3-9a0c-0305e82c3301\"",
        "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"", /* 64 */
    };
    assert_each("company", wrong, TOKEN_COMPANY);
    assert_each("company", right, TOKEN_OK);
}

static void a_user_is_a_plain_name(void **state)
{
    (void)state;
    static const char *const wrong[] = {NULL,       "\"\"",          "-7",       "7.5",    "null",
                                        "[\"u7\"]", "\"u\\u00007\"", "\"u\\r\"", "\"u \"", "\"*\""};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        bool is_nul = wrong[i] && strstr(wrong[i], "u0000"); /* jansson refuses it, in libjwt too */
        assert_reason(check_with("sub", wrong[i]), is_nul ? TOKEN_SIGNATURE : TOKEN_USER);
    }
    char longest[TOKEN_USER_MAX + 4];
    memset(longest, 'u', sizeof longest);
    longest[0] = '"';
    longest[TOKEN_USER_MAX + 1] = '"';
    longest[TOKEN_USER_MAX + 2] = '\0';
    assert_reason(check_with("sub", longest), TOKEN_OK);
    longest[TOKEN_USER_MAX + 1] = 'u';
    longest[TOKEN_USER_MAX + 2] = '"';
    longest[TOKEN_USER_MAX + 3] = '\0';
    assert_reason(check_with("sub", longest), TOKEN_USER);
}

static void a_role_is_a_name_or_a_list_of_names(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "\"\"",
        "1",
        "{}",
        "[1]",
        "[\"a\",null]",
        "[\"\"]",
        "\"a\\n\"",
        "\"*\"",
        "[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\",\"10\",\"11\",\"12\",\"13\","
        "\"14\",\"15\",\"16\",\"17\"]",
        "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"", /* 65 */
    };
    assert_each("role", wrong, TOKEN_ROLE);
    struct claims claims;
    assert_reason(check_at("{" BASE WHO "}", NOW_US, &claims), TOKEN_OK);
    assert_int_equal(claims.role_count, 0);
    assert_reason(check_at("{" BASE WHO ",\"role\":[]}", NOW_US, &claims), TOKEN_OK);
    assert_int_equal(claims.role_count, 0);
    assert_reason(check_at("{" BASE WHO ",\"role\":null}", NOW_US, &claims), TOKEN_OK);
    assert_int_equal(claims.role_count, 0);
    assert_reason(check_at("{" BASE WHO ",\"role\":[\"a\",\"b\"]}", NOW_US, &claims), TOKEN_OK);
    assert_int_equal(claims.role_count, 2);
    assert_string_equal(claims.roles[0], "a");
    assert_string_equal(claims.roles[1], "b");
    assert_reason(check_with("role", "[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\","
                                     "\"10\",\"11\",\"12\",\"13\",\"14\",\"15\",\"16\"]"),
                  TOKEN_OK);
}

static void a_token_id_is_optional_and_a_plain_name(void **state)
{
    (void)state;
    static const char *const wrong[] = {"1", "null", "\"\"", "[]", "\"a\\u0001\""};
    assert_each("jti", wrong, TOKEN_CLAIMS);
    assert_reason(check_with("jti", "\"3b1e\""), TOKEN_OK);
}

static void a_signed_payload_with_duplicates_is_refused(void **state)
{
    (void)state;
    assert_reason(check("{" BASE WHO ",\"company\":\"43\"}"), TOKEN_CLAIMS);
    assert_reason(check("{" BASE WHO ",\"company\":\"42\"}"), TOKEN_CLAIMS);
    assert_reason(check("{" BASE WHO ",\"a\":{\"b\":1,\"b\":2}}"), TOKEN_CLAIMS);
    assert_reason(check("["
                        "{" BASE WHO "}"
                        "]"),
                  TOKEN_CLAIMS);
    assert_reason(check("[]"), TOKEN_CLAIMS);
}

static void a_signed_payload_that_is_no_json_never_passes(void **state)
{
    (void)state;
    static const char *const payloads[] = {"{", "x",   "{}x", "\xff", "{\"a\":\"\xc0\x80\"}",
                                           "1", "null"};
    for (size_t i = 0; i < sizeof payloads / sizeof *payloads; i++)
        assert_reason(check(payloads[i]), TOKEN_SIGNATURE);
}

/* libjwt reads a C string and would stop there; the signed bytes are what counts. */
static void what_follows_a_nul_in_the_payload_is_seen(void **state)
{
    (void)state;
    static const char payload[] = "{" BASE WHO "}\0{\"company\":\"43\"}";
    char *token =
        token_by_secret_bytes(HS256, signer_secret, strlen(signer_secret), header_of(HS256),
                              strlen(header_of(HS256)), payload, sizeof payload - 1);
    struct claims claims;
    assert_reason(verifier_check(verifier, token, strlen(token), NOW_US, &claims), TOKEN_CLAIMS);
    free(token);
}

static void claims_have_the_names_of_the_configuration(void **state)
{
    (void)state;
    struct err err = {0};
    struct claims claims;
    struct given_file file = given_text(signer_secret);
    struct issuer_options options = issuer_of("HS256", file.path);
    options.company_claim = "https://app.example/tenant";
    options.user_claim = "email";
    options.role_claim = "groups";
    struct verifier *renamed = verifier_new(&options, 1, &err);
    assert_non_null(renamed);
    char *token = token_by_secret(HS256, header_of(HS256),
                                  "{" BASE WHO ",\"role\":1,\"email\":\"a@b\",\"groups\":[\"g\"],"
                                  "\"https://app.example/tenant\":\"43\"}");
    assert_reason(verifier_check(renamed, token, strlen(token), NOW_US, &claims), TOKEN_OK);
    assert_string_equal(claims.company, "43");
    assert_string_equal(claims.user, "a@b");
    assert_string_equal(claims.roles[0], "g");
    free(token);
    verifier_free(renamed);
    given_close(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_payload_tells_who_speaks),
        cmocka_unit_test(the_issuer_is_exact),
        cmocka_unit_test(the_audience_is_there_and_ours),
        cmocka_unit_test(an_expiry_is_a_number_of_sane_size),
        cmocka_unit_test(numbers_that_json_cannot_hold_never_pass),
        cmocka_unit_test(an_expiry_ends_with_its_leeway_to_the_microsecond),
        cmocka_unit_test(a_token_is_not_used_before_its_time),
        cmocka_unit_test(a_lifetime_counts_from_iat),
        cmocka_unit_test(a_lifetime_without_iat_counts_from_now),
        cmocka_unit_test(a_company_is_a_plain_name),
        cmocka_unit_test(a_user_is_a_plain_name),
        cmocka_unit_test(a_role_is_a_name_or_a_list_of_names),
        cmocka_unit_test(a_token_id_is_optional_and_a_plain_name),
        cmocka_unit_test(a_signed_payload_with_duplicates_is_refused),
        cmocka_unit_test(a_signed_payload_that_is_no_json_never_passes),
        cmocka_unit_test(what_follows_a_nul_in_the_payload_is_seen),
        cmocka_unit_test(claims_have_the_names_of_the_configuration),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
