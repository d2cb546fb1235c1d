#include "base/base64url.h"
#include "proto/engineio_private.h"

#include <stdlib.h>
#include <string.h>

/* ---- errors ---- */

const char *const engine_error_names[ENGINE_ERROR_COUNT] = {
    [ENGINE_UNKNOWN_TRANSPORT] = "unknown_transport",
    [ENGINE_UNKNOWN_SID] = "unknown_sid",
    [ENGINE_BAD_METHOD] = "bad_method",
    [ENGINE_BAD_REQUEST] = "bad_request",
    [ENGINE_FORBIDDEN] = "forbidden",
    [ENGINE_UNSUPPORTED_VERSION] = "unsupported_version",
    [ENGINE_UNAVAILABLE] = "unavailable",
};

static const char *const bodies[ENGINE_ERROR_COUNT] = {
    [ENGINE_UNKNOWN_TRANSPORT] = "{\"code\":0,\"message\":\"Transport unknown\"}",
    [ENGINE_UNKNOWN_SID] = "{\"code\":1,\"message\":\"Session ID unknown\"}",
    [ENGINE_BAD_METHOD] = "{\"code\":2,\"message\":\"Bad handshake method\"}",
    [ENGINE_BAD_REQUEST] = "{\"code\":3,\"message\":\"Bad request\"}",
    [ENGINE_FORBIDDEN] = "{\"code\":4,\"message\":\"Forbidden\"}",
    [ENGINE_UNSUPPORTED_VERSION] = "{\"code\":5,\"message\":\"Unsupported protocol version\"}",
    [ENGINE_UNAVAILABLE] = "{\"code\":6,\"message\":\"Unavailable\"}",
};

unsigned engine_error_status(enum engine_error error)
{
    if (error == ENGINE_UNAVAILABLE)
        return 503;
    return error == ENGINE_FORBIDDEN ? 403 : 400;
}

const char *engine_error_body(enum engine_error error)
{
    return bodies[error];
}

/* ---- packets ---- */

struct engine_part engine_part_of(const char *text, size_t len)
{
    struct engine_part part = {ENGINE_TYPE_BAD, text, len};
    if (!len)
        return part;
    if (*text >= '0' && *text <= '6')
        part.type = (enum engine_type)(*text - '0');
    else if (*text == 'b')
        part.type = ENGINE_TYPE_BINARY;
    part.bytes++;
    part.len--;
    return part;
}

bool engine_next_part(const char *bytes, size_t len, size_t *at, struct engine_part *part)
{
    if (*at > len) /* at the end itself one more begins, an empty one */
        return false;
    size_t left = len - *at;
    const char *start = left ? bytes + *at : "";
    const char *end = left ? memchr(start, ENGINE_SEPARATOR, left) : NULL;
    size_t size = end ? (size_t)(end - start) : left;
    *part = engine_part_of(start, size);
    *at += size + 1;
    return true;
}

/* ---- base64, as polling has it: RFC 4648, section 4 ---- */

static char for_urls(char c)
{
    if (c == '+')
        return '-';
    if (c == '/')
        return '_';
    if (c == '-' || c == '_')
        return '='; /* theirs only: refused as what is none */
    return c;
}

void *engine_base64_decode(const char *text, size_t len, size_t *out_len)
{
    if (len % 4)
        return NULL;
    for (int i = 0; i < 2 && len && text[len - 1] == '='; i++)
        len--;
    char *url = mem_resize(NULL, len + 1, 1);
    uint8_t *bytes = mem_resize(NULL, len + 1, 1);
    for (size_t i = 0; i < len; i++)
        url[i] = for_urls(text[i]);
    bool good = base64url_decode(url, len, bytes, len, out_len);
    free(url);
    if (good)
        return bytes;
    free(bytes);
    return NULL;
}

void engine_base64_add(struct buf *out, const void *bytes, size_t len)
{
    size_t size = BASE64URL_LEN(len);
    char *text = mem_resize(NULL, size + 1, 1);
    base64url_encode(bytes, len, text);
    for (size_t i = 0; i < size; i++)
        text[i] = (char)(text[i] == '-' ? '+' : text[i] == '_' ? '/' : text[i]);
    buf_add(out, text, size);
    buf_add(out, "==", (4 - size % 4) % 4);
    free(text);
}
