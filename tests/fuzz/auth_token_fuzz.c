/* Any bytes as a token. The first byte says how they are taken:
 *   'r'  the rest is the text of a token, as a stranger would send it;
 *   's'  the rest is a header, a line end and a payload, which are signed here with the right
 * secret: this is what reaches the claims. What is accepted is judged again by a second reading
 * that shares no code with the verifier. */
#include "../unit/auth/signer.h"
#include "auth/claims.h"

#include <jansson.h>
#include <openssl/err.h>

static struct verifier *verifier;

static void must(bool held)
{
    if (!held)
        abort();
}

/* Three issuers, so that garbage of the right form also reaches RSA and ECDSA. */
static void load(void)
{
    static const char *const companies[] = {"42", "acme"};
    EVP_PKEY *rsa = rsa_of_bits(2048);
    EVP_PKEY *curve = ec_on("P-256");
    struct given_file files[] = {given_text(signer_secret), given_public(rsa), given_public(curve)};
    struct issuer_options options[] = {issuer_of("HS256", files[0].path),
                                       issuer_of("RS256", files[1].path),
                                       issuer_of("ES256", files[2].path)};
    options[1].name = options[1].iss = "rsa";
    options[2].name = options[2].iss = "curve";
    options[1].companies = options[2].companies = companies;
    options[1].company_count = options[2].company_count = 2;
    struct err err = {0};
    verifier = verifier_new(options, 3, &err);
    must(verifier);
    for (size_t i = 0; i < 3; i++)
        given_close(&files[i]);
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(curve);
}

static bool is_text(const json_t *object, const char *name, const char *expected)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text && strcmp(text, expected) == 0;
}

/* A text, or a whole number that an exact double can hold, spelled without sign and fraction. */
static bool is_key(const json_t *object, const char *name, const char *expected)
{
    const json_t *value = json_object_get(object, name);
    if (!json_is_integer(value))
        return is_text(object, name, expected);
    char spelled[32];
    snprintf(spelled, sizeof spelled, "%.0f", json_number_value(value));
    return expected[0] != '-' && strcmp(spelled, expected) == 0;
}

/* The signed bytes, read by their own decoder and by number where the verifier reads by type. */
static void payload_says_so(const char *token, size_t len, const struct claims *claims)
{
    char bytes[TOKEN_BYTES_MAX];
    size_t count = 0;
    const char *from = (const char *)memchr(token, '.', len) + 1;
    const char *to = (const char *)memchr(from, '.', len - (size_t)(from - token));
    must(base64url_decode(from, (size_t)(to - from), (uint8_t *)bytes, sizeof bytes, &count));
    json_t *payload = json_loadb(bytes, count, 0, NULL);
    must(is_text(payload, "iss", "https://id.example/"));
    must(is_key(payload, "company", claims->company));
    must(is_key(payload, "sub", claims->user));
    double exp = json_number_value(json_object_get(payload, "exp"));
    must(exp > (double)(NOW_S - 30) && exp <= (double)(NOW_S + 30 + 3600));
    must(json_object_get(payload, "aud") != NULL);
    json_decref(payload);
}

/* Only the issuer whose secret is known here can have signed it: recompute. */
static void signature_is_ours(const char *token, size_t len)
{
    char *input = mem_dup(token, len);
    char *dot = strrchr(input, '.');
    uint8_t mac[64];
    char expected[128];
    *dot = '\0';
    base64url_encode(mac, sign_secret(HS256, signer_secret, strlen(signer_secret), input, mac),
                     expected);
    must(strcmp(dot + 1, expected) == 0);
    free(input);
}

static void judge(const char *token, size_t len)
{
    static const struct claims zeroed;
    struct claims claims;
    enum token_reason reason = verifier_check(verifier, token, len, NOW_US, &claims);
    must(ERR_peek_error() == 0 && reason < TOKEN_REASON_COUNT);
    if (reason != TOKEN_OK) {
        must(memcmp(&claims, &zeroed, sizeof zeroed) == 0);
        return;
    }
    must(claims.company[0] && claims.user[0] && strcmp(claims.issuer, "main") == 0);
    must(claims.role_count <= TOKEN_ROLES_MAX);
    signature_is_ours(token, len);
    payload_says_so(token, len, &claims);
}

static void judge_signed(const char *bytes, size_t len)
{
    const char *line_end = memchr(bytes, '\n', len);
    size_t header_len = line_end ? (size_t)(line_end - bytes) : len;
    const char *payload = line_end ? line_end + 1 : bytes + len;
    char *token = token_by_secret_bytes(HS256, signer_secret, strlen(signer_secret), bytes,
                                        header_len, payload, (size_t)(bytes + len - payload));
    judge(token, strlen(token));
    free(token);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!verifier)
        load();
    if (size == 0 || size > 3 * TOKEN_BYTES_MAX)
        return 0;
    if (data[0] == 's')
        judge_signed((const char *)data + 1, size - 1);
    else
        judge((const char *)data + 1, size - 1);
    return 0;
}
