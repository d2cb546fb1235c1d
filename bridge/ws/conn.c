#include "ws/conn.h"

#include "base/log.h"
#include "proto/native.h"
#include "proto/wsframe.h"
#include "ws/door_stream.h"
#include "ws/exchange.h"
#include "ws/private.h"

#include <stdlib.h>
#include <string.h>

enum { GOODBYE_WAIT_S = 5, DEAF_WAIT_S = 1, CURSOR_QUERY_MAX = 64 };

/* Who an Authorization header said it is, from the handshake to the established connection. */
struct guest {
    struct identity *identity;
    char cursor[CURSOR_QUERY_MAX];
};

static void guest_free(void *arg)
{
    struct guest *guest = arg;
    identity_free(guest->identity);
    free(guest);
}

/* ---- out: the session's queue to the socket ---- */

static void die(struct conn *conn)
{
    conn->closing = true;
    lws_set_timeout(conn->wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_ASYNC);
    server_kick(conn->wsi);
}

/* Many small frames become one write; one alone is written from where it lies. */
static size_t gather(struct conn *conn, unsigned char *bytes)
{
    size_t len = 0;
    struct frame *frame;
    while ((frame = session_peek(conn->session)) && len + frame->len <= WRITE_BYTES) {
        memcpy(bytes + len, frame->bytes, frame->len);
        len += frame->len;
        session_pop(conn->session);
    }
    return len;
}

/* Frames are complete with their headers, so they pass libwebsockets raw: it keeps TLS, what the
 * socket did not take, and the order with its own pongs and close frames (a public interface). */
static bool write_raw(struct conn *conn, unsigned char *bytes, size_t len)
{
    if (lws_write(conn->wsi, bytes, len, LWS_WRITE_RAW) < 0) {
        die(conn);
        return false;
    }
    if (!lws_partial_buffered(conn->wsi))
        return true;
    conn->choked = true;
    session_choked(conn->session, true);
    lws_callback_on_writable(conn->wsi);
    return false;
}

static bool write_some(struct conn *conn, struct frame *first)
{
    if (conn->session->outq.count == 1 || first->len > WRITE_BYTES) {
        frame_ref(first);
        session_pop(conn->session);
        bool more = write_raw(conn, first->bytes, first->len);
        frame_unref(first);
        return more;
    }
    unsigned char *bytes = conn->server->scratch + LWS_PRE;
    return write_raw(conn, bytes, gather(conn, bytes));
}

static void flush(void *arg)
{
    struct conn *conn = arg;
    if (conn->closing || conn->choked || conn->peer_closing)
        return;
    struct frame *frame;
    while ((frame = session_peek(conn->session)))
        if (!write_some(conn, frame))
            return;
    session_drained(conn->session);
}

/* The close frame is ours too. Debian's build of libwebsockets (_DEBUG with libuv) closes twice in
 * a row as a self-test, so that a close frame of its own, asked for by lws_close_reason(), never
 * leaves. */
static void say_goodbye(struct conn *conn)
{
    unsigned code = close_codes[conn->reason];
    char text[64] = {(char)(code >> 8), (char)code};
    size_t len = strlen(close_names[conn->reason]);
    memcpy(text + 2, close_names[conn->reason], len);
    struct frame *frame = wsframe_new(WSFRAME_CLOSE, text, len + 2);
    conn->said_goodbye = true;
    if (lws_write(conn->wsi, frame->bytes, frame->len, LWS_WRITE_RAW) < 0)
        die(conn);
    frame_unref(frame);
}

static void close_conn(void *arg, enum close_reason reason)
{
    struct conn *conn = arg;
    conn->closing = true;
    conn->reason = (uint8_t)reason;
    if (reason == CLOSE_DEAD || conn->peer_closing) {
        die(conn);
        return;
    }
    /* the client answers with its own close frame; one that does not is cut off */
    lws_set_timeout(conn->wsi, PENDING_TIMEOUT_USER_REASON_BASE, GOODBYE_WAIT_S);
    server_kick(conn->wsi);
    if (!conn->choked)
        say_goodbye(conn);
}

static const struct transport transport = {.flush = flush, .close = close_conn};

static int on_writeable(struct conn *conn)
{
    if (!conn->session || conn->peer_closing)
        return 0;
    conn->choked = false;
    session_choked(conn->session, false);
    if (!conn->closing)
        flush(conn);
    else if (!conn->said_goodbye)
        say_goodbye(conn);
    return 0;
}

/* ---- in: the socket to the session ---- */

static void refuse_message(struct conn *conn, enum close_reason reason)
{
    buf_free(&conn->message);
    session_close(conn->session, reason);
    if (reason != CLOSE_TOO_BIG)
        return;
    /* What follows is the rest of that message, or a lie about its length: reading on, the library
     * would judge its UTF-8 and say a goodbye of its own behind ours. So no answer can be read. */
    lws_rx_flow_control(conn->wsi, 0);
    lws_set_timeout(conn->wsi, PENDING_TIMEOUT_USER_REASON_BASE, DEAF_WAIT_S);
}

/* Pings are answered by libwebsockets, which tells nobody. */
static void on_pong(struct conn *conn)
{
    if (!conn->session || !session_spoke(conn->session))
        return;
    session_heard(conn->session);
}

static void on_fragment(struct conn *conn, const char *bytes, size_t len)
{
    struct lws *wsi = conn->wsi;
    if (conn->closing || !conn->session)
        return;
    session_heard(conn->session);
    if (lws_frame_is_binary(wsi)) {
        refuse_message(conn, CLOSE_BINARY);
        return;
    }
    buf_add(&conn->message, bytes, len);
    if (conn->message.overflow ||
        lws_remaining_packet_payload(wsi) > conn->message.ceiling_bytes - conn->message.len) {
        refuse_message(conn, CLOSE_TOO_BIG);
        return;
    }
    if (lws_remaining_packet_payload(wsi))
        return;
    if (!lws_is_final_fragment(wsi)) {
        (void)session_spoke(conn->session); /* a frame is paid for, whatever is in it; */
        return;
    }
    /* the last one with the message */
    native_receive(conn->session, conn->message.bytes, conn->message.len);
    buf_free(&conn->message);
}

/* ---- opening ---- */

static struct peer *peer_of(struct lws *wsi)
{
    return lws_get_opaque_user_data(wsi);
}

static int refuse_upgrade(struct lws *wsi, enum gate_verdict verdict)
{
    struct server *server = server_of(wsi);
    const struct peer *peer = peer_of(wsi);
    server->refused[verdict]++;
    log_info("handshake_refused", LOG_S("reason", gate_verdict_names[verdict]),
             LOG_S("address", peer ? peer->text : ""));
    if (verdict == GATE_TOKEN)
        return http_unauthorized(wsi);
    lws_return_http_status(wsi, gate_status(verdict), NULL);
    return 1;
}

static bool take_bearer(struct lws *wsi, struct server *server, struct peer *peer)
{
    char token[8192 + 8];
    int len = gate_bearer(wsi, token, sizeof token);
    if (len == 0)
        return true;
    struct identity identity;
    if (len < 0 ||
        !server->options.verify(server->options.arg, token, (size_t)len, peer->text, &identity))
        return false;
    struct guest *guest = mem_new(sizeof *guest);
    guest->identity = identity_copy(&identity);
    lws_get_urlarg_by_name(wsi, "cursor=", guest->cursor, sizeof guest->cursor);
    peer->guest = guest;
    peer->drop_guest = guest_free;
    return true;
}

static int on_handshake(struct lws *wsi)
{
    struct server *server = server_of(wsi);
    struct peer *peer = peer_of(wsi);
    if (!peer)
        return -1;
    enum gate_verdict verdict = gate_judge(wsi, &server->options, "/ws");
    if (verdict == GATE_OK && !take_bearer(wsi, server, peer))
        verdict = GATE_TOKEN;
    return verdict == GATE_OK ? 0 : refuse_upgrade(wsi, verdict);
}

static int on_established(struct lws *wsi, struct conn *conn)
{
    struct server *server = server_of(wsi);
    struct peer *peer = peer_of(wsi);
    *conn = (struct conn){.wsi = wsi, .server = server};
    peer_settled(peer);
    buf_init(&conn->message, server->options.max_message_bytes);
    conn->session =
        session_new(server->options.hub, &native_protocol, &transport, conn, peer->text);
    if (!conn->session) {
        close_conn(conn, CLOSE_RESTART);
        return 0;
    }
    struct guest *guest = peer->guest;
    peer->guest = NULL;
    if (guest) {
        session_admit(conn->session, guest->identity, guest->cursor[0] ? guest->cursor : NULL, NULL,
                      0);
        guest_free(guest);
    }
    return 0;
}

static void on_closed(struct conn *conn)
{
    buf_free(&conn->message);
    if (!conn->session)
        return;
    conn->closing = true;
    session_gone(conn->session);
    conn->session = NULL;
}

static int on_peer_close(struct conn *conn)
{
    conn->peer_closing = true;
    return conn->said_goodbye ? -1 : 0; /* both have said it: no second close frame */
}

/* ---- plain HTTP on the public door: other doors, and the demo site, if there is one ---- */

static const struct door *door_at(const struct server *server, const char *path)
{
    static const struct {
        const char *path;
        const struct door *door;
    } streams[] = {{"/events", &door_events}, {"/poll", &door_poll}, {"/ticket", &door_ticket}};
    for (size_t i = 0; server->tickets && i < sizeof streams / sizeof *streams; i++)
        if (strcmp(path, streams[i].path) == 0)
            return streams[i].door;
    return NULL;
}

static int on_http(struct lws *wsi, const char *path)
{
    struct server *server = server_of(wsi);
    const struct door *door = door_at(server, path);
    if (door)
        return exchange_open(wsi, door, path);
    if (lws_hdr_total_length(wsi, WSI_TOKEN_GET_URI) <= 0)
        return http_answer(wsi, 405, "text/plain", "method not allowed\n", 19);
    if (!gate_host_ok(wsi, &server->options))
        return http_answer(wsi, 400, "text/plain", "bad host\n", 9);
    if (strcmp(path, "/ws") == 0)
        return http_answer(wsi, 426, "text/plain", "this is a WebSocket\n", 20);
    const struct site_file *file = server->site ? site_find(server->site, path) : NULL;
    if (!file)
        return http_answer(wsi, 404, "text/plain", "not found\n", 10);
    return http_answer(wsi, 200, file->type, file->bytes, file->len);
}

static int on_http_writeable(struct lws *wsi)
{
    return exchange_is_open(peer_of(wsi)) ? exchange_on_writeable(wsi) : http_continue(wsi);
}

static void on_http_closed(struct lws *wsi)
{
    if (exchange_is_open(peer_of(wsi)))
        exchange_gone(peer_of(wsi));
}

static void on_destroy(struct lws *wsi)
{
    on_http_closed(wsi);
    peer_free(peer_of(wsi));
    lws_set_opaque_user_data(wsi, NULL);
}

/* The session counts as known once it has a company; looked at when it speaks. */
static void note_authenticated(struct lws *wsi, const struct conn *conn)
{
    struct peer *peer = peer_of(wsi);
    if (peer && conn->session && conn->session->company)
        peer_authenticated(peer);
}

static int on_websocket(struct lws *wsi, enum lws_callback_reasons reason, struct conn *conn,
                        const char *in, size_t len)
{
    switch ((int)reason) {
    case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION:
        return on_handshake(wsi);
    case LWS_CALLBACK_ESTABLISHED: {
        int rc = on_established(wsi, conn);
        note_authenticated(wsi, conn);
        return rc;
    }
    case LWS_CALLBACK_RECEIVE:
        on_fragment(conn, in, len);
        note_authenticated(wsi, conn);
        return 0;
    case LWS_CALLBACK_RECEIVE_PONG:
        on_pong(conn);
        return 0;
    case LWS_CALLBACK_SERVER_WRITEABLE:
        return on_writeable(conn);
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
        return on_peer_close(conn);
    case LWS_CALLBACK_CLOSED:
        on_closed(conn);
        return 0;
    default:
        return 0;
    }
}

int conn_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                  size_t len)
{
    switch ((int)reason) {
    case LWS_CALLBACK_OPENSSL_LOAD_EXTRA_SERVER_VERIFY_CERTS:
        if (server_of(wsi)->tls)
            tls_attach(server_of(wsi)->tls, user);
        return 0;
    case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
        return gate_is_websocket(wsi) ? 0 : -1;
    case LWS_CALLBACK_RAW_ADOPT:
    case LWS_CALLBACK_RAW_RX:
        return -1; /* CONNECT: libwebsockets would keep it open for ever */
    case LWS_CALLBACK_HTTP:
        return on_http(wsi, in);
    case LWS_CALLBACK_HTTP_WRITEABLE:
        return on_http_writeable(wsi);
    case LWS_CALLBACK_HTTP_BODY:
        return exchange_on_body(wsi, in, len);
    case LWS_CALLBACK_HTTP_BODY_COMPLETION:
        return exchange_on_body_end(wsi);
    case LWS_CALLBACK_CLOSED_HTTP:
        on_http_closed(wsi);
        return 0;
    case LWS_CALLBACK_WSI_DESTROY:
        on_destroy(wsi);
        return 0;
    default:
        return on_websocket(wsi, reason, user, in, len);
    }
}
