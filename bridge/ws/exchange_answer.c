/* The way out of an exchange: heads, bodies, streams, refusals, preflights. */
#include "ws/exchange_private.h"

#include <assert.h>
#include <string.h>
#include <sys/epoll.h>

enum { HEAD_BYTES_MAX = 4096 };

#define PREFLIGHT_SECONDS "7200"
#define STREAM_HEADERS "authorization, content-type, last-event-id, cache-control"

void exchange_kill(struct exchange *exchange)
{
    exchange->dying = true;
    exchange_unwatch(exchange);
    lws_set_timeout(exchange->wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_ASYNC);
    server_kick(exchange->wsi);
}

static const char *phrase(unsigned status)
{
    static const struct {
        unsigned status;
        const char *text;
    } phrases[] = {{200, "OK"},
                   {204, "No Content"},
                   {400, "Bad Request"},
                   {401, "Unauthorized"},
                   {403, "Forbidden"},
                   {404, "Not Found"},
                   {405, "Method Not Allowed"},
                   {408, "Request Timeout"},
                   {409, "Conflict"},
                   {411, "Length Required"},
                   {413, "Content Too Large"},
                   {429, "Too Many Requests"},
                   {500, "Internal Server Error"},
                   {503, "Service Unavailable"}};
    for (size_t i = 0; i < sizeof phrases / sizeof *phrases; i++)
        if (phrases[i].status == status)
            return phrases[i].text;
    return "Answer";
}

static void put_cors(const struct exchange *exchange, struct buf *out)
{
    buf_str(out, "vary: Origin\r\n");
    if (exchange->origin)
        buf_fmt(out,
                "access-control-allow-origin: %s\r\n"
                "access-control-allow-credentials: true\r\n"
                "access-control-expose-headers: retry-after, www-authenticate\r\n",
                exchange->origin);
}

/* What a browser must not do with what we serve. */
static void put_guards(struct buf *out)
{
    buf_str(out, "cache-control: no-store\r\n"
                 "x-content-type-options: nosniff\r\n"
                 "referrer-policy: no-referrer\r\n"
                 "content-security-policy: default-src 'none'; frame-ancestors 'none'\r\n");
}

/* How long a client may leave the connection idle: Node's agent closes its side before that. */
static void put_connection(const struct exchange *exchange, struct buf *out)
{
    long patience_s = (long)(exchange->peer->acceptor->patience_ms / 1000);
    if (exchange->keep_alive)
        buf_fmt(out, "connection: keep-alive\r\nkeep-alive: timeout=%ld\r\n", patience_s);
    else
        buf_str(out, "connection: close\r\n");
}

static void put_head(const struct exchange *exchange, const struct exchange_answer *answer,
                     struct buf *out)
{
    buf_fmt(out, "HTTP/1.1 %u %s\r\n", answer->status, phrase(answer->status));
    if (answer->status != 204)
        buf_fmt(out, "content-type: %s\r\ncontent-length: %zu\r\n",
                answer->type ? answer->type : "text/plain; charset=UTF-8", answer->len);
    if (answer->status == 405)
        buf_fmt(out, "allow: %s\r\n", exchange->door->methods);
    if (answer->retry_after_s)
        buf_fmt(out, "retry-after: %u\r\n", answer->retry_after_s);
    if (answer->challenge)
        buf_str(out, "www-authenticate: Bearer\r\n");
    put_connection(exchange, out);
    put_cors(exchange, out);
    put_guards(out);
}

/* A client that asks and asks and does not read would have its requests heaped up in the library's
 * memory: while a body was asked for, 4.1.6 goes on reading. */
static bool may_choke(const struct exchange *exchange)
{
    return !exchange->posted;
}

static void wait_for_reader(struct exchange *exchange)
{
    exchange->choked = true;
    if (exchange->state == EXCHANGE_ANSWERED)
        peer_waits_again(exchange->peer);
    if (may_choke(exchange))
        exchange_watch(exchange, EPOLLIN);
    else
        exchange_kill(exchange);
}

/* False: choked or gone. */
static bool put_out(struct exchange *exchange, const char *bytes, size_t len)
{
    if (exchange->dying)
        return false;
    /* libwebsockets' interface is not const; a raw write changes nothing */
    if (lws_write(exchange->wsi, (unsigned char *)(uintptr_t)bytes, len, LWS_WRITE_RAW) < 0) {
        exchange_kill(exchange);
        return false;
    }
    if (!lws_partial_buffered(exchange->wsi))
        return true;
    wait_for_reader(exchange);
    return false;
}

/* Of the head and a body of its own, then of a borrowed body; 0: all is sent. */
static size_t next_part(const struct exchange *exchange, const char **bytes)
{
    size_t own = exchange->out.len;
    size_t left = own + exchange->borrowed_len - exchange->sent;
    if (left == 0)
        return 0;
    if (exchange->sent < own) {
        left = own - exchange->sent;
        *bytes = exchange->out.bytes + exchange->sent;
    } else {
        *bytes = exchange->borrowed + (exchange->sent - own);
    }
    return left < WRITE_BYTES ? left : WRITE_BYTES;
}

/* What is written at once is seen at once; whether the next request may be read is decided in
 * HTTP_WRITEABLE, the only place where the library takes the end of a transaction. */
void exchange_pump(struct exchange *exchange)
{
    const char *bytes;
    size_t len;
    while ((len = next_part(exchange, &bytes)) > 0) {
        exchange->sent += len;
        if (!put_out(exchange, bytes, len))
            return;
    }
    exchange_unwatch(exchange); /* from now on the client may ask again */
    lws_callback_on_writable(exchange->wsi);
}

void exchange_answer(struct exchange *exchange, const struct exchange_answer *answer)
{
    if (exchange->state == EXCHANGE_ANSWERED || exchange->dying)
        return;
    exchange->state = EXCHANGE_ANSWERED;
    /* who tries tokens or origins pays for each with a connection: a signature and a log line are
     * dear */
    exchange->keep_alive &= !exchange->body_left && !exchange->server->leaving &&
                            answer->status != 401 && answer->status != 403;
    buf_init(&exchange->out, HEAD_BYTES_MAX + answer->len);
    put_head(exchange, answer, &exchange->out);
    buf_str(&exchange->out, "\r\n");
    if (answer->borrowed && !exchange->head_only) {
        exchange->borrowed = answer->body;
        exchange->borrowed_len = answer->len;
    } else if (!exchange->head_only)
        buf_add(&exchange->out, answer->body, answer->len);
    assert(!exchange->out.overflow);
    exchange_pump(exchange);
}

void exchange_refuse(struct exchange *exchange, unsigned status, const char *code)
{
    char body[128];
    int len = snprintf(body, sizeof body, "{\"error\":\"%s\"}", code);
    struct exchange_answer answer = {
        .status = status,
        .type = "application/json",
        .body = body,
        .len = (size_t)len,
        .retry_after_s = status == 503   ? 2
                         : status == 429 ? 30
                                         : 0,
        .challenge = status == 401,
    };
    exchange_answer(exchange, &answer);
}

void exchange_stream(struct exchange *exchange, const char *type)
{
    struct buf head;
    buf_init(&head, HEAD_BYTES_MAX);
    exchange->state = EXCHANGE_STREAMING;
    exchange->keep_alive = false;
    buf_fmt(&head, "HTTP/1.1 200 OK\r\ncontent-type: %s\r\nx-accel-buffering: no\r\n", type);
    put_connection(exchange, &head);
    put_cors(exchange, &head);
    put_guards(&head);
    buf_str(&head, "\r\n");
    assert(!head.overflow);
    (void)put_out(exchange, head.bytes, head.len);
    buf_free(&head);
}

bool exchange_write(struct exchange *exchange, const void *bytes, size_t len)
{
    return exchange->state == EXCHANGE_STREAMING && put_out(exchange, bytes, len);
}

void exchange_finish(struct exchange *exchange)
{
    if (exchange->state != EXCHANGE_STREAMING || exchange->dying)
        return;
    exchange->state = EXCHANGE_ANSWERED;
    peer_waits_again(exchange->peer);
    if (!exchange->choked)
        exchange_pump(exchange);
}

/* Names of headers are echoed only where a header could not be forged with them. */
static bool is_header_list(const char *text)
{
    return text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                             "!#$%&'*+-.^_`|~, ")] == '\0';
}

void exchange_answer_preflight(struct exchange *exchange)
{
    char asked[512];
    int len = lws_hdr_copy(exchange->wsi, asked, sizeof asked, WSI_TOKEN_HTTP_AC_REQUEST_HEADERS);
    bool echo = exchange->door->echoes_headers && len > 0 && is_header_list(asked);
    struct buf *out = &exchange->out;
    struct exchange_answer answer = {.status = 204};
    exchange->state = EXCHANGE_ANSWERED;
    buf_init(out, HEAD_BYTES_MAX);
    put_head(exchange, &answer, out);
    buf_fmt(out,
            "access-control-allow-methods: %s\r\naccess-control-allow-headers: %s\r\n"
            "access-control-max-age: " PREFLIGHT_SECONDS "\r\n\r\n",
            exchange->door->methods, echo ? asked : STREAM_HEADERS);
    assert(!out->overflow);
    exchange_pump(exchange);
}
