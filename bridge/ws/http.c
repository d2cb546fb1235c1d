#include "ws/private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEAD_BYTES = 1024, PART_BYTES = 16384 };

struct answer {
    char *body;
    size_t len;
    size_t sent;
};

static void answer_free(void *arg)
{
    struct answer *answer = arg;
    free(answer->body);
    free(answer);
}

/* What a browser must not do with what we serve; and the connection does not stay. */
static const struct {
    const char *name;
    const char *value;
} fixed_headers[] = {
    {"connection:", "close"},
    {"cache-control:", "no-store"},
    {"x-content-type-options:", "nosniff"},
    {"referrer-policy:", "no-referrer"},
    {"content-security-policy:",
     "default-src 'self'; connect-src 'self' wss: ws:; img-src 'self' data:; base-uri 'none'; "
     "frame-ancestors 'none'"},
};

static int put_header(struct lws *wsi, const char *name, const char *value, unsigned char **at,
                      unsigned char *end)
{
    return lws_add_http_header_by_name(wsi, (const unsigned char *)name,
                                       (const unsigned char *)value, (int)strlen(value), at, end);
}

static int put_headers(struct lws *wsi, unsigned status, const char *type, size_t len,
                       unsigned char **at, unsigned char *end)
{
    if (lws_add_http_common_headers(wsi, status, type, len, at, end))
        return 1;
    for (size_t i = 0; i < sizeof fixed_headers / sizeof *fixed_headers; i++)
        if (put_header(wsi, fixed_headers[i].name, fixed_headers[i].value, at, end))
            return 1;
    return 0;
}

int http_answer(struct lws *wsi, unsigned status, const char *type, const char *body, size_t len)
{
    struct peer *peer = lws_get_opaque_user_data(wsi);
    unsigned char bytes[LWS_PRE + HEAD_BYTES];
    unsigned char *start = bytes + LWS_PRE;
    unsigned char *at = start;
    unsigned char *end = bytes + sizeof bytes - 1;
    if (!peer || peer->guest || put_headers(wsi, status, type, len, &at, end) ||
        lws_finalize_write_http_header(wsi, start, &at, end))
        return -1;
    struct answer *answer = mem_new(sizeof *answer);
    answer->body = mem_dup(body, len);
    answer->len = len;
    peer->guest = answer;
    peer->drop_guest = answer_free;
    lws_callback_on_writable(wsi);
    return 0;
}

int http_continue(struct lws *wsi)
{
    struct peer *peer = lws_get_opaque_user_data(wsi);
    struct answer *answer = peer ? peer->guest : NULL;
    if (!answer || answer->sent == answer->len)
        return -1;
    unsigned char bytes[LWS_PRE + PART_BYTES];
    size_t left = answer->len - answer->sent;
    size_t part = left < PART_BYTES ? left : PART_BYTES;
    memcpy(bytes + LWS_PRE, answer->body + answer->sent, part);
    answer->sent += part;
    bool last = answer->sent == answer->len;
    if (lws_write(wsi, bytes + LWS_PRE, part, last ? LWS_WRITE_HTTP_FINAL : LWS_WRITE_HTTP) < 0)
        return -1;
    if (last && !lws_partial_buffered(wsi))
        return -1; /* all of it is with the kernel: close */
    lws_callback_on_writable(wsi);
    return 0;
}

/* What each status must be told with (RFC 9110, 11.6.1 and 15.5.22). */
static const char *demand_of(unsigned status)
{
    if (status == 401)
        return "www-authenticate: Bearer\r\nconnection: close\r\n";
    if (status == 426)
        return "upgrade: websocket\r\nsec-websocket-version: 13\r\nconnection: upgrade, close\r\n";
    return "connection: close\r\n";
}

int http_refuse_upgrade(struct lws *wsi, unsigned status, const char *type, const char *body)
{
    char text[HEAD_BYTES];
    int len = snprintf(text, sizeof text,
                       "HTTP/1.1 %u Refused\r\ncontent-type: %s\r\ncontent-length: %zu\r\n%s\r\n%s",
                       status, type, strlen(body), demand_of(status), body);
    if (lws_write(wsi, (unsigned char *)text, (size_t)len, LWS_WRITE_RAW) < 0)
        return -1;
    return 1;
}
