#include "ws/conn.h"

#include "base/log.h"
#include "proto/wsframe.h"
#include "ws/door_engine.h"
#include "ws/door_stream.h"
#include "ws/exchange.h"
#include "ws/private.h"

#include <string.h>

enum { GOODBYE_WAIT_S = 5, DEAF_WAIT_S = 1 };

static struct peer *peer_of(struct lws *wsi)
{
    return lws_get_opaque_user_data(wsi);
}

/* ---- out ---- */

static void die(struct conn *conn)
{
    conn->closing = true;
    lws_set_timeout(conn->wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_ASYNC);
    server_kick(conn->wsi);
}

/* Frames are complete with their headers, so they pass libwebsockets raw: it keeps TLS, what the
 * socket did not take, and the order with its own pongs and close frames (a public interface). */
bool conn_write(struct conn *conn, unsigned char *bytes, size_t len)
{
    if (lws_write(conn->wsi, bytes, len, LWS_WRITE_RAW) < 0) {
        die(conn);
        return false;
    }
    if (!lws_partial_buffered(conn->wsi))
        return true;
    conn->choked = true;
    conn->kind->choked(conn, true);
    lws_callback_on_writable(conn->wsi);
    return false;
}

static void note_known(struct conn *conn)
{
    struct peer *peer = peer_of(conn->wsi);
    if (peer && !peer->authenticated && conn->kind->is_known(conn))
        peer_authenticated(peer);
}

void conn_flush(struct conn *conn)
{
    if (conn->closing || conn->choked || conn->peer_closing)
        return;
    conn->kind->flush(conn);
    note_known(conn);
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

void conn_close(struct conn *conn, enum close_reason reason)
{
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

static int on_writeable(struct conn *conn)
{
    if (!conn->kind || conn->peer_closing)
        return 0;
    conn->choked = false;
    if (!conn->closing) {
        conn->kind->choked(conn, false);
        conn_flush(conn);
    } else if (!conn->said_goodbye) {
        say_goodbye(conn);
    }
    return 0;
}

/* ---- in ---- */

static void refuse_too_big(struct conn *conn)
{
    buf_free(&conn->message);
    conn->kind->broken(conn, CLOSE_TOO_BIG);
    /* What follows is the rest of that message, or a lie about its length: reading on, the library
     * would judge its UTF-8 and say a goodbye of its own behind ours. So no answer can be read. */
    lws_rx_flow_control(conn->wsi, 0);
    lws_set_timeout(conn->wsi, PENDING_TIMEOUT_USER_REASON_BASE, DEAF_WAIT_S);
}

static void on_fragment(struct conn *conn, const char *bytes, size_t len)
{
    struct lws *wsi = conn->wsi;
    bool binary = lws_frame_is_binary(wsi);
    if (conn->closing || !conn->kind->hear(conn, binary))
        return;
    buf_add(&conn->message, bytes, len);
    if (conn->message.overflow ||
        lws_remaining_packet_payload(wsi) > conn->message.ceiling_bytes - conn->message.len) {
        refuse_too_big(conn);
        return;
    }
    if (lws_remaining_packet_payload(wsi))
        return;
    if (!lws_is_final_fragment(wsi)) {
        conn->kind->frame(conn);
        return;
    }
    conn->kind->message(conn, binary);
    buf_free(&conn->message);
}

/* ---- opening ---- */

int conn_refuse(struct lws *wsi, enum gate_verdict verdict)
{
    conn_note_refusal(wsi, verdict);
    return http_refuse_upgrade(wsi, gate_status(verdict), "text/plain",
                               gate_verdict_names[verdict]);
}

void conn_note_refusal(struct lws *wsi, enum gate_verdict verdict)
{
    const struct peer *peer = peer_of(wsi);
    server_of(wsi)->refused[verdict]++;
    log_info("handshake_refused", LOG_S("reason", gate_verdict_names[verdict]),
             LOG_S("address", peer ? peer->text : ""));
}

static int on_handshake(struct lws *wsi)
{
    struct server *server = server_of(wsi);
    struct peer *peer = peer_of(wsi);
    char path[GATE_HEADER_MAX];
    if (!peer)
        return -1;
    if (lws_hdr_copy(wsi, path, sizeof path, WSI_TOKEN_GET_URI) <= 0)
        path[0] = '\0'; /* the gate says what is wrong with it */
    peer->kind = door_engine_is_at(server, path) ? &conn_engine : &conn_native;
    return peer->kind->handshake(wsi, server, peer);
}

static int on_established(struct lws *wsi, struct conn *conn)
{
    struct server *server = server_of(wsi);
    struct peer *peer = peer_of(wsi);
    *conn = (struct conn){.wsi = wsi, .server = server, .kind = peer->kind};
    peer_settled(peer);
    buf_init(&conn->message, server->options.max_message_bytes);
    conn->kind->open(conn, peer);
    note_known(conn);
    return 0;
}

static void on_closed(struct conn *conn)
{
    buf_free(&conn->message);
    if (!conn->kind)
        return;
    conn->closing = true;
    conn->kind->gone(conn);
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
    if (door_engine_is_at(server, path))
        return &door_engine;
    return door_engine_has_file_at(server, path) ? &door_client_file : NULL;
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
    if (strcmp(path, "/ws") == 0) {
        (void)http_refuse_upgrade(wsi, 426, "text/plain", "this is a WebSocket");
        return -1;
    }
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

static int on_websocket(struct lws *wsi, enum lws_callback_reasons reason, struct conn *conn,
                        const char *in, size_t len)
{
    switch ((int)reason) {
    case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION:
        return on_handshake(wsi);
    case LWS_CALLBACK_ESTABLISHED:
        return on_established(wsi, conn);
    case LWS_CALLBACK_RECEIVE:
        on_fragment(conn, in, len);
        note_known(conn);
        return 0;
    case LWS_CALLBACK_RECEIVE_PONG:
        if (!conn->closing)
            conn->kind->pong(conn);
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
