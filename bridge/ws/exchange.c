#include "ws/exchange.h"

#include "base/log.h"
#include "ws/conn.h"
#include "ws/private.h"

#include <assert.h>
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    HEAD_BYTES_MAX = 4096,
    LENGTH_DIGITS_MAX = 15,
    EVENTS_A_TURN = 64,
    EVENT_ID_BYTES_MAX = 256,
    TEXT_BYTES = 16384, /* holds any header that libwebsockets takes */
    SAMPLES = 4,
    PEER_SAID_END = 8, /* TCP_CLOSE_WAIT */
    BODY_ENDS_MAX = 100,
};

#define PREFLIGHT_SECONDS "7200"
#define STREAM_HEADERS "authorization, content-type, last-event-id, cache-control"

/* ---- the set of watched sockets ---- */

struct watchers {
    int fd;
    struct loop_fd *watch;
};

static void unwatch(struct exchange *exchange)
{
    if (!exchange->watched)
        return;
    exchange->watched = false;
    epoll_ctl(exchange->server->watchers->fd, EPOLL_CTL_DEL, exchange->fd, NULL);
}

/* Nothing is freed while the events of one turn are gone through: exchanges end in callbacks of
 * libwebsockets, later. */
static void on_events(void *arg, int io)
{
    (void)io;
    struct watchers *watchers = arg;
    struct epoll_event events[EVENTS_A_TURN];
    int count = epoll_wait(watchers->fd, events, EVENTS_A_TURN, 0);
    for (int i = 0; i < count; i++) {
        struct exchange *exchange = events[i].data.ptr;
        if (exchange->watched)
            exchange_kill(exchange);
    }
}

static void watch(struct exchange *exchange, uint32_t what)
{
    struct epoll_event event = {.events = what | EPOLLRDHUP | EPOLLET, .data.ptr = exchange};
    if (exchange->watched)
        return;
    exchange->watched =
        epoll_ctl(exchange->server->watchers->fd, EPOLL_CTL_ADD, exchange->fd, &event) == 0;
    if (!exchange->watched)
        exchange_kill(exchange); /* there is no memory for it in the kernel */
}

struct watchers *watchers_new(struct loop *loop, struct err *err)
{
    int fd = epoll_create1(EPOLL_CLOEXEC);
    if (fd < 0) {
        err_set(err, "epoll_create1: %s", strerror(errno));
        return NULL;
    }
    struct watchers *watchers = mem_new(sizeof *watchers);
    watchers->fd = fd;
    watchers->watch = loop_fd_new(loop, fd, on_events, watchers);
    loop_fd_want(watchers->watch, LOOP_READ);
    return watchers;
}

void watchers_free(struct watchers *watchers)
{
    if (!watchers)
        return;
    loop_fd_free(watchers->watch);
    close(watchers->fd);
    free(watchers);
}

/* ---- out ---- */

void exchange_kill(struct exchange *exchange)
{
    exchange->dying = true;
    unwatch(exchange);
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
        watch(exchange, EPOLLIN);
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
static void pump(struct exchange *exchange)
{
    const char *bytes;
    size_t len;
    while ((len = next_part(exchange, &bytes)) > 0) {
        exchange->sent += len;
        if (!put_out(exchange, bytes, len))
            return;
    }
    unwatch(exchange); /* from now on the client may ask again */
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
    pump(exchange);
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
        pump(exchange);
}

/* ---- in: what the headers say ---- */

struct parsed {
    struct exchange_request request;
    int64_t length; /* of the body; -1: not said, -2: not to be understood */
    char token[TEXT_BYTES];
    char arguments[TEXT_BYTES];
    char content_type[128];
    char last_event_id[EVENT_ID_BYTES_MAX];
};

static bool has(struct lws *wsi, enum lws_token_indexes token)
{
    return lws_hdr_total_length(wsi, token) > 0;
}

static enum exchange_method method_of(struct lws *wsi)
{
    if (has(wsi, WSI_TOKEN_GET_URI))
        return EXCHANGE_GET;
    if (has(wsi, WSI_TOKEN_POST_URI))
        return EXCHANGE_POST;
    if (has(wsi, WSI_TOKEN_OPTIONS_URI))
        return EXCHANGE_OPTIONS;
    return has(wsi, WSI_TOKEN_HEAD_URI) ? EXCHANGE_HEAD : EXCHANGE_OTHER;
}

static int64_t parse_length(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > LENGTH_DIGITS_MAX || text[digits])
        return -2; /* signs, lists, what the library would read as something huge */
    return strtoll(text, NULL, 10);
}

static int64_t length_of(struct lws *wsi)
{
    char text[64];
    if (!has(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH))
        return -1;
    if (lws_hdr_copy(wsi, text, sizeof text, WSI_TOKEN_HTTP_CONTENT_LENGTH) <= 0)
        return -2;
    return parse_length(text);
}

/* HTTP/1.1 stays unless the client says close; what it names in Connection is a list. */
static bool wants_keep_alive(struct lws *wsi)
{
    char version[16];
    char list[256];
    if (lws_hdr_copy(wsi, version, sizeof version, WSI_TOKEN_HTTP) <= 0 ||
        strcmp(version, "HTTP/1.1") != 0)
        return false;
    int len = lws_hdr_copy(wsi, list, sizeof list, WSI_TOKEN_CONNECTION);
    char *rest = list;
    for (char *one; len > 0 && (one = strsep(&rest, ", \t"));)
        if (strcasecmp(one, "close") == 0)
            return false;
    return len >= 0;
}

/* Gone through here: the library's own look-up stops at the first argument longer than its buffer.
 * False when there is one that no argument of ours can be. */
static bool read_arguments(struct lws *wsi, struct parsed *parsed)
{
    size_t at = 0;
    for (int i = 0, count = gate_argument_count(wsi); i < count; i++) {
        if (lws_hdr_fragment_length(wsi, WSI_TOKEN_HTTP_URI_ARGS, i) == 0)
            continue;
        char *argument = parsed->arguments + at;
        int len = lws_hdr_copy_fragment(wsi, argument, (int)(sizeof parsed->arguments - at),
                                        WSI_TOKEN_HTTP_URI_ARGS, i);
        if (len < 0 || strlen(argument) != (size_t)len)
            return false;
        at += (size_t)len + 1;
    }
    parsed->request.arguments = parsed->arguments;
    parsed->request.arguments_len = at;
    return true;
}

static void read_token(struct lws *wsi, struct parsed *parsed)
{
    int len = gate_bearer(wsi, parsed->token, sizeof parsed->token);
    parsed->request.bad_authorization = len < 0;
    if (len > 0) {
        parsed->request.token = parsed->token;
        parsed->request.token_len = (size_t)len;
    }
}

static bool parse(struct lws *wsi, const char *path, struct parsed *parsed)
{
    static const char id[] = "last-event-id:";
    struct exchange_request *request = &parsed->request;
    *request = (struct exchange_request){.method = method_of(wsi), .path = path};
    parsed->length = has(wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING) ? -1 : length_of(wsi);
    read_token(wsi, parsed);
    if (lws_hdr_copy(wsi, parsed->content_type, sizeof parsed->content_type,
                     WSI_TOKEN_HTTP_CONTENT_TYPE) < 0)
        parsed->content_type[0] = '\0'; /* none that we know is so long */
    request->content_type = parsed->content_type;
    if (lws_hdr_custom_length(wsi, id, sizeof id - 1) >= 0) {
        if (lws_hdr_custom_copy(wsi, parsed->last_event_id, sizeof parsed->last_event_id, id,
                                sizeof id - 1) < 0)
            return false;
        request->last_event_id = parsed->last_event_id;
    }
    request->token_in_query = gate_token_in_query(wsi);
    return read_arguments(wsi, parsed);
}

const char *exchange_argument(const struct exchange_request *request, const char *name)
{
    size_t len = strlen(name);
    for (size_t at = 0; at < request->arguments_len; at += strlen(request->arguments + at) + 1) {
        const char *argument = request->arguments + at;
        if (strncmp(argument, name, len) == 0 && argument[len] == '=')
            return argument + len + 1;
    }
    return NULL;
}

/* ---- opening ---- */

/* Names of headers are echoed only where a header could not be forged with them. */
static bool is_header_list(const char *text)
{
    return text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                             "!#$%&'*+-.^_`|~, ")] == '\0';
}

static void answer_preflight(struct exchange *exchange)
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
    pump(exchange);
}

/* What cannot be framed is not read, and its connection not used again. 0: it can. */
static unsigned judge_framing(struct exchange *exchange, const struct parsed *parsed)
{
    enum exchange_method method = parsed->request.method;
    bool chunked = has(exchange->wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING);
    bool takes_body = method == EXCHANGE_POST || method == EXCHANGE_OTHER;
    exchange->body_left = chunked || parsed->length > 0 || parsed->length == -2 ||
                          (takes_body && parsed->length == -1);
    exchange->posted = takes_body || exchange->body_left;
    if (parsed->length == -2 || (exchange->body_left && !takes_body))
        return 400;
    return chunked || (method == EXCHANGE_POST && parsed->length == -1) ? 411 : 0;
}

static bool take_origin(struct exchange *exchange)
{
    char origin[GATE_HEADER_MAX];
    if (!gate_origin_ok(exchange->wsi, &exchange->server->options, origin))
        return false;
    if (origin[0])
        exchange->origin = mem_strdup(origin);
    return true;
}

static void forbid(struct exchange *exchange)
{
    conn_note_refusal(exchange->wsi, GATE_ORIGIN);
    if (exchange->door->forbid)
        exchange->door->forbid(exchange);
    else
        exchange_refuse(exchange, 403, "origin");
}

static void route(struct exchange *exchange, const char *path)
{
    struct parsed parsed;
    bool understood = parse(exchange->wsi, path, &parsed) &&
                      gate_host_ok(exchange->wsi, &exchange->server->options);
    unsigned framing = judge_framing(exchange, &parsed);
    exchange->head_only = parsed.request.method == EXCHANGE_HEAD;
    exchange->keep_alive = wants_keep_alive(exchange->wsi);
    exchange->length = parsed.length;
    if (!take_origin(exchange))
        forbid(exchange);
    else if (framing == 411)
        exchange_refuse(exchange, 411, "length_required");
    else if (framing || !understood)
        exchange_refuse(exchange, 400, "bad_request");
    else if (parsed.request.method == EXCHANGE_OPTIONS)
        answer_preflight(exchange);
    else
        exchange->door->open(exchange, &parsed.request);
}

/* It may last: the library's timeouts and its table of headers are for those who are in a hurry. */
static void settle(struct exchange *exchange)
{
    lws_set_timeout(exchange->wsi, NO_PENDING_TIMEOUT, 0);
    lws_http_headers_detach(exchange->wsi);
    peer_settled(exchange->peer);
    if (!exchange->dying)
        watch(exchange, EPOLLIN);
}

/* How many bytes the library has taken from the kernel; -1: not known. An end of the stream counts
 * as one that was received. */
static int64_t bytes_read(int fd)
{
    int waiting = -1;
    int before = -2;
    struct tcp_info info = {0};
    for (int i = 0; i < SAMPLES && waiting != before; i++) {
        socklen_t len = sizeof info;
        if (ioctl(fd, FIONREAD, &before) || getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) ||
            ioctl(fd, FIONREAD, &waiting))
            return -1;
    }
    int64_t received = (int64_t)info.tcpi_bytes_received - (info.tcpi_state == PEER_SAID_END);
    return waiting == before ? received - waiting : -1;
}

/* A body that came in one go with the request before it. 4.1.6 takes the first bytes of what it has
 * stored for it, which are those of its own headers, and then turns round for ever in a loop
 * without an exit (both measured). Such a request is not opened; to ask again is the client's part
 * (RFC 9112, 9.3.2). */
static bool would_be_garbled(struct lws *wsi, const struct peer *peer)
{
    enum exchange_method method = method_of(wsi);
    bool takes_body = method == EXCHANGE_POST || method == EXCHANGE_OTHER;
    int64_t length = length_of(wsi);
    if (!peer->served || length == 0 || (length == -1 && !takes_body))
        return false;
    int64_t now = bytes_read(lws_get_socket_fd(wsi));
    return now < 0 || now <= peer->read_bytes;
}

int exchange_open(struct lws *wsi, const struct door *door, const char *path)
{
    struct peer *peer = lws_get_opaque_user_data(wsi);
    if (!peer || peer->exchange || would_be_garbled(wsi, peer))
        return -1;
    struct exchange *exchange = mem_new(sizeof *exchange);
    exchange->wsi = wsi;
    exchange->server = server_of(wsi);
    exchange->peer = peer;
    exchange->door = door;
    exchange->fd = lws_get_socket_fd(wsi);
    peer->exchange = exchange;
    peer->idle = false;
    route(exchange, path);
    if (exchange->state == EXCHANGE_HELD || exchange->state == EXCHANGE_STREAMING)
        settle(exchange);
    return 0;
}

/* ---- the body ---- */

static void refuse_too_long(struct exchange *exchange)
{
    buf_free(&exchange->body);
    exchange->door->too_long(exchange);
}

void exchange_read(struct exchange *exchange, size_t ceiling_bytes)
{
    exchange->state = EXCHANGE_READING;
    buf_init(&exchange->body, ceiling_bytes);
    peer_waits_again(exchange->peer);
    if (exchange->length > (int64_t)ceiling_bytes)
        refuse_too_long(exchange);
}

static struct exchange *exchange_of(struct lws *wsi)
{
    struct peer *peer = lws_get_opaque_user_data(wsi);
    return peer ? peer->exchange : NULL;
}

int exchange_on_body(struct lws *wsi, const char *bytes, size_t len)
{
    struct exchange *exchange = exchange_of(wsi);
    if (!exchange)
        return -1; /* a path that takes none */
    if (exchange->state != EXCHANGE_READING || !len)
        return 0;
    buf_add(&exchange->body, bytes, len);
    if (exchange->body.overflow)
        refuse_too_long(exchange);
    return 0;
}

/* Called anew in each turn for what follows a body whose answer is not through; without end it
 * would be the loop that would_be_garbled() tells of. */
int exchange_on_body_end(struct lws *wsi)
{
    struct exchange *exchange = exchange_of(wsi);
    if (!exchange || ++exchange->ends > BODY_ENDS_MAX)
        return -1;
    exchange->body_left = false;
    if (exchange->state != EXCHANGE_READING)
        return 0;
    exchange->state = EXCHANGE_HELD;
    exchange->door->body(exchange, exchange->body.bytes ? exchange->body.bytes : "",
                         exchange->body.len);
    buf_free(&exchange->body);
    if (exchange->state != EXCHANGE_HELD || exchange->dying)
        return 0;
    return -1; /* doors answer a body at once */
}

/* ---- the end ---- */

void exchange_gone(struct peer *peer)
{
    struct exchange *exchange = peer->exchange;
    if (!exchange)
        return;
    peer->exchange = NULL;
    exchange->dying = true;
    unwatch(exchange);
    if (exchange->door->end)
        exchange->door->end(exchange);
    buf_free(&exchange->body);
    buf_free(&exchange->out);
    free(exchange->origin);
    free(exchange);
}

/* Closing with unread bytes resets the connection, and the answer with it: the client is given time
 * to read it and to go by itself. */
static int linger(struct exchange *exchange)
{
    if (exchange->lingering)
        return 0;
    exchange->lingering = true;
    peer_waits_again(exchange->peer);
    lws_rx_flow_control(exchange->wsi, 0);
    watch(exchange, 0);
    return 0;
}

static int complete(struct exchange *exchange)
{
    struct lws *wsi = exchange->wsi;
    struct peer *peer = exchange->peer;
    if (exchange->body_left)
        return linger(exchange);
    if (!exchange->keep_alive)
        return -1;
    peer->served = true;
    peer->read_bytes = bytes_read(exchange->fd);
    if (peer->read_bytes < 0)
        return -1;
    exchange_gone(peer);
    peer->idle = true;
    peer_waits_again(peer);
    return lws_http_transaction_completed(wsi) ? -1 : 0;
}

int exchange_on_writeable(struct lws *wsi)
{
    struct exchange *exchange = exchange_of(wsi);
    if (exchange->dying || lws_partial_buffered(wsi))
        return 0;
    bool was_choked = exchange->choked;
    exchange->choked = false;
    if (exchange->state == EXCHANGE_STREAMING) {
        if (was_choked)
            exchange->door->writable(exchange);
    } else if (exchange->state == EXCHANGE_ANSWERED) {
        if (exchange->sent == exchange->out.len + exchange->borrowed_len)
            return complete(exchange);
        pump(exchange);
    }
    return 0;
}
