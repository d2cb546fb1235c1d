#include "auth/claims.h"

#include <stdio.h>
#include <string.h>

enum { AUDIENCES_MAX = 16 };

/* The end of the year 9999; anything later is a mistake or an attempt at overflow. */
#define DATE_MAX_S INT64_C(253402300799)

static bool is_text(const json_t *value, const char *expected)
{
    return json_is_string(value) && strcmp(json_string_value(value), expected) == 0;
}

/* ASCII controls, DEL, and U+0080 to U+009F as UTF-8 (jansson lets valid UTF-8 through only). */
static bool has_control(const char *text)
{
    for (const unsigned char *at = (const unsigned char *)text; *at; at++)
        if (*at < 0x20 || *at == 0x7f || (*at == 0xc2 && at[1] < 0xa0))
            return true;
    return false;
}

bool claims_name_fits(const char *text, size_t max)
{
    size_t len = text ? strlen(text) : 0;
    return len > 0 && len <= max && text[0] != ' ' && text[len - 1] != ' ' && !has_control(text) &&
           strcmp(text, "*") != 0;
}

static bool read_name(const json_t *value, char *name, size_t max)
{
    const char *text = json_string_value(value);
    if (!claims_name_fits(text, max))
        return false;
    memcpy(name, text, strlen(text) + 1);
    return true;
}

/* Company and user may also be whole numbers, as services with serial keys sign them; each then has
 * one spelling only. Beyond 2^53 other JSON readers of the same token could see another number. */
static bool read_key(const json_t *value, char *name, size_t max)
{
    if (!json_is_integer(value))
        return read_name(value, name, max);
    json_int_t number = json_integer_value(value);
    if (number < 0 || number > INT64_C(9007199254740991))
        return false;
    return snprintf(name, max + 1, "%" JSON_INTEGER_FORMAT, number) <= (int)max;
}

bool claims_name_issuer(const struct issuer *issuer, const json_t *payload)
{
    return is_text(json_object_get(payload, "iss"), issuer->iss);
}

/* A missing audience is refused: it would make any token of the issuer one for us. */
static bool audience_is_ours(const struct issuer *issuer, const json_t *aud)
{
    if (json_is_string(aud))
        return is_text(aud, issuer->audience);
    if (!json_is_array(aud) || json_array_size(aud) > AUDIENCES_MAX)
        return false;
    bool ours = false;
    size_t i = 0;
    const json_t *member = NULL;
    json_array_foreach(aud, i, member)
    {
        if (!json_is_string(member))
            return false;
        ours = ours || is_text(member, issuer->audience);
    }
    return ours;
}

/* RFC 7519 NumericDate: seconds since 1970, a fraction is allowed. */
static bool read_date(const json_t *value, int64_t *date_us)
{
    if (json_is_integer(value)) {
        json_int_t seconds = json_integer_value(value);
        if (seconds < 0 || seconds > DATE_MAX_S)
            return false;
        *date_us = (int64_t)seconds * CLAIMS_US_PER_S;
        return true;
    }
    if (!json_is_real(value))
        return false;
    double seconds = json_real_value(value);
    if (!(seconds >= 0 && seconds <= (double)DATE_MAX_S))
        return false;
    *date_us = (int64_t)(seconds * (double)CLAIMS_US_PER_S);
    return true;
}

/* Absent is fine and leaves `date_us`; present and unusable is not. */
static bool is_past(const struct issuer *issuer, const json_t *value, int64_t now_us,
                    int64_t *date_us)
{
    return !value || (read_date(value, date_us) && *date_us <= now_us + issuer->leeway_us);
}

/* The lifetime counts from iat when there is one; without, from now, and the issuer's clock may be
 * ahead of ours. */
static enum token_reason read_times(const struct issuer *issuer, const json_t *payload,
                                    int64_t now_us, struct claims *claims)
{
    const json_t *iat = json_object_get(payload, "iat");
    int64_t not_before_us = 0;
    int64_t from_us = now_us + issuer->leeway_us;
    if (!read_date(json_object_get(payload, "exp"), &claims->expires_at_us))
        return TOKEN_LIFETIME;
    if (now_us >= claims->expires_at_us + issuer->leeway_us)
        return TOKEN_EXPIRED;
    if (!is_past(issuer, json_object_get(payload, "nbf"), now_us, &not_before_us) ||
        !is_past(issuer, iat, now_us, &from_us))
        return TOKEN_NOT_YET;
    if (claims->expires_at_us - from_us > issuer->max_ttl_us)
        return TOKEN_LIFETIME;
    claims->leeway_us = issuer->leeway_us;
    return TOKEN_OK;
}

static bool read_roles(const json_t *value, struct claims *claims)
{
    if (!value || json_is_null(value))
        return true;
    if (json_is_string(value)) {
        claims->role_count = 1;
        return read_name(value, claims->roles[0], TOKEN_ROLE_MAX);
    }
    if (!json_is_array(value) || json_array_size(value) > TOKEN_ROLES_MAX)
        return false;
    size_t i = 0;
    const json_t *member = NULL;
    json_array_foreach(value, i, member)
    {
        if (!read_name(member, claims->roles[i], TOKEN_ROLE_MAX))
            return false;
    }
    claims->role_count = json_array_size(value);
    return true;
}

static bool read_token_id(const json_t *value, struct claims *claims)
{
    return !value || read_name(value, claims->token_id, TOKEN_ID_MAX);
}

static enum token_reason read_speaker(const struct issuer *issuer, const json_t *payload,
                                      struct claims *claims)
{
    const json_t *user = json_object_get(payload, issuer->user_claim);
    const json_t *company = json_object_get(payload, issuer->company_claim);
    if (!read_key(user, claims->user, TOKEN_USER_MAX))
        return TOKEN_USER;
    if (!read_key(company, claims->company, TOKEN_COMPANY_MAX))
        return TOKEN_COMPANY;
    if (!read_roles(json_object_get(payload, issuer->role_claim), claims))
        return TOKEN_ROLE;
    return issuer_speaks_for(issuer, claims->company) ? TOKEN_OK : TOKEN_COMPANY_REFUSED;
}

enum token_reason claims_read(const struct issuer *issuer, const json_t *payload, int64_t now_us,
                              struct claims *claims)
{
    if (!audience_is_ours(issuer, json_object_get(payload, "aud")))
        return TOKEN_AUDIENCE;
    enum token_reason reason = read_times(issuer, payload, now_us, claims);
    if (reason != TOKEN_OK)
        return reason;
    if (!read_token_id(json_object_get(payload, "jti"), claims))
        return TOKEN_CLAIMS;
    memcpy(claims->issuer, issuer->name, strlen(issuer->name) + 1);
    return read_speaker(issuer, payload, claims);
}
