#include "ws/exchange_private.h"

#include "ws/conn.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum {
    SAMPLES = 4,
    PEER_SAID_END = 8, /* TCP_CLOSE_WAIT */
    BODY_ENDS_MAX = 100,
};

/* ---- opening ---- */

/* What cannot be framed is not read, and its connection not used again. 0: it can. */
static unsigned judge_framing(struct exchange *exchange, const struct parsed_request *parsed)
{
    enum exchange_method method = parsed->request.method;
    bool chunked = exchange_has_header(exchange->wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING);
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
    struct parsed_request parsed;
    bool understood = exchange_parse(exchange->wsi, path, &parsed) &&
                      gate_host_ok(exchange->wsi, &exchange->server->options);
    unsigned framing = judge_framing(exchange, &parsed);
    exchange->head_only = parsed.request.method == EXCHANGE_HEAD;
    exchange->keep_alive = exchange_wants_keep_alive(exchange->wsi);
    exchange->length = parsed.length;
    if (!take_origin(exchange))
        forbid(exchange);
    else if (framing == 411)
        exchange_refuse(exchange, 411, "length_required");
    else if (framing || !understood)
        exchange_refuse(exchange, 400, "bad_request");
    else if (parsed.request.method == EXCHANGE_OPTIONS)
        exchange_answer_preflight(exchange);
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
        exchange_watch(exchange, EPOLLIN);
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
    enum exchange_method method = exchange_method_of(wsi);
    bool takes_body = method == EXCHANGE_POST || method == EXCHANGE_OTHER;
    int64_t length = exchange_length_of(wsi);
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
    exchange_unwatch(exchange);
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
    exchange_watch(exchange, 0);
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
        exchange_pump(exchange);
    }
    return 0;
}
