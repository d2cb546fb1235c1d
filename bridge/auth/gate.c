#include "auth/gate.h"

#include "base/base64url.h"

#include <string.h>

enum { SEGMENTS = 3, DECODED_BYTES_MAX = TOKEN_BYTES_MAX / 4 * 3 };

struct segment {
    const char *text;
    size_t len;
};

/* Exactly three, none of them empty: on an empty one libjwt writes past its heap. */
static bool split(const char *text, size_t len, struct segment segments[SEGMENTS])
{
    const char *end = text + len;
    for (size_t i = 0; i < SEGMENTS; i++) {
        const char *dot = memchr(text, '.', (size_t)(end - text));
        bool last = i == SEGMENTS - 1;
        if (last != (dot == NULL))
            return false;
        segments[i].text = text;
        segments[i].len = (size_t)((last ? end : dot) - text);
        if (segments[i].len == 0)
            return false;
        text += segments[i].len + !last;
    }
    return true;
}

static json_t *object_of(const char *text, size_t len)
{
    uint8_t bytes[DECODED_BYTES_MAX];
    size_t count = 0;
    if (!base64url_decode(text, len, bytes, sizeof bytes, &count))
        return NULL;
    json_t *json = json_loadb((const char *)bytes, count, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(json))
        return json;
    json_decref(json);
    return NULL;
}

static bool all_decode(const struct segment segments[SEGMENTS], size_t *last_bytes)
{
    uint8_t bytes[DECODED_BYTES_MAX];
    for (size_t i = 0; i < SEGMENTS; i++)
        if (!base64url_decode(segments[i].text, segments[i].len, bytes, sizeof bytes, last_bytes))
            return false;
    return true;
}

static bool typ_fits(const json_t *header)
{
    const json_t *typ = json_object_get(header, "typ");
    return !typ || (json_is_string(typ) && strcmp(json_string_value(typ), "JWT") == 0);
}

static bool read_kid(struct gate_token *token, const json_t *header)
{
    const json_t *kid = json_object_get(header, "kid");
    size_t len = json_string_length(kid);
    if (!kid)
        return true;
    if (len == 0 || len > KEY_ID_MAX) /* 0 also for what is no string */
        return false;
    memcpy(token->kid, json_string_value(kid), len + 1);
    return true;
}

static enum token_reason read_header(struct gate_token *token, const json_t *header)
{
    if (!algorithm_find(json_string_value(json_object_get(header, "alg")), &token->algorithm))
        return TOKEN_ALGORITHM;
    /* RFC 7515, 4.1.11: an extension that is not understood refuses the token. */
    if (json_object_get(header, "crit") || json_object_get(header, "b64") || !typ_fits(header))
        return TOKEN_HEADER;
    return read_kid(token, header) ? TOKEN_OK : TOKEN_KEY;
}

static void keep(struct gate_token *token, const char *text, size_t len, size_t payload_at)
{
    memcpy(token->text, text, len);
    token->text[len] = '\0';
    token->payload = token->text + payload_at;
}

enum token_reason gate_open(struct gate_token *token, const char *text, size_t len)
{
    struct segment segments[SEGMENTS];
    memset(token, 0, sizeof *token);
    if (len == 0 || len > TOKEN_BYTES_MAX)
        return TOKEN_SIZE;
    if (!split(text, len, segments) || !all_decode(segments, &token->signature_bytes))
        return TOKEN_MALFORMED;
    keep(token, text, len, (size_t)(segments[1].text - text));
    token->payload_len = segments[1].len;
    json_t *header = object_of(segments[0].text, segments[0].len);
    enum token_reason reason = header ? read_header(token, header) : TOKEN_HEADER;
    json_decref(header);
    return reason;
}

json_t *gate_payload(const struct gate_token *token)
{
    return object_of(token->payload, token->payload_len);
}
