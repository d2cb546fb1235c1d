/* Our own protocol over a WebSocket: /ws, a session each. */
#include "ws/conn.h"

#include "proto/native.h"
#include "ws/private.h"

#include <stdlib.h>

enum { CURSOR_QUERY_MAX = 64 };

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

/* Many small frames become one write; one alone is written from where it lies. */
static bool write_some(struct conn *conn, struct frame *first)
{
    if (conn->session->outq.count == 1 || first->len > WRITE_BYTES) {
        frame_ref(first);
        session_pop(conn->session);
        bool more = conn_write(conn, first->bytes, first->len);
        frame_unref(first);
        return more;
    }
    unsigned char *bytes = conn->server->scratch + LWS_PRE;
    return conn_write(conn, bytes, session_fill(conn->session, bytes, WRITE_BYTES));
}

static void flush(struct conn *conn)
{
    struct frame *frame;
    while ((frame = session_peek(conn->session)))
        if (!write_some(conn, frame))
            return;
    session_drained(conn->session);
}

static void on_choked(struct conn *conn, bool choked)
{
    session_choked(conn->session, choked);
}

static void flush_session(void *arg)
{
    conn_flush(arg);
}

static void close_session(void *arg, enum close_reason reason)
{
    conn_close(arg, reason);
}

static const struct transport transport = {.flush = flush_session, .close = close_session};

/* ---- in: the socket to the session ---- */

static bool hear(struct conn *conn, bool binary)
{
    session_heard(conn->session);
    if (binary)
        session_close(conn->session, CLOSE_BINARY);
    return !binary;
}

/* A frame is paid for, whatever is in it; the last one with the message. */
static void on_frame(struct conn *conn)
{
    (void)session_spoke(conn->session);
}

static void on_message(struct conn *conn, bool binary)
{
    (void)binary;
    native_receive(conn->session, conn->message.bytes, conn->message.len);
}

static void on_broken(struct conn *conn, enum close_reason reason)
{
    session_close(conn->session, reason);
}

/* Pings are answered by libwebsockets, which tells nobody. */
static void on_pong(struct conn *conn)
{
    if (session_spoke(conn->session))
        session_heard(conn->session);
}

/* ---- opening and closing ---- */

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
    (void)gate_argument(wsi, "cursor", guest->cursor, sizeof guest->cursor);
    peer->guest = guest;
    peer->drop_guest = guest_free;
    return true;
}

static int on_handshake(struct lws *wsi, struct server *server, struct peer *peer)
{
    enum gate_verdict verdict = gate_judge(wsi, &server->options, "/ws");
    if (verdict == GATE_OK && !take_bearer(wsi, server, peer))
        verdict = GATE_TOKEN;
    return verdict == GATE_OK ? 0 : conn_refuse(wsi, verdict);
}

static void on_open(struct conn *conn, struct peer *peer)
{
    struct server *server = conn->server;
    conn->session =
        session_new(server->options.hub, &native_protocol, &transport, conn, peer->text);
    if (!conn->session) {
        conn_close(conn, CLOSE_RESTART);
        return;
    }
    struct guest *guest = peer->guest;
    peer->guest = NULL;
    if (guest) {
        session_admit(conn->session, guest->identity, guest->cursor[0] ? guest->cursor : NULL, NULL,
                      0);
        guest_free(guest);
    }
}

/* It counts as known once it has a company; looked at when it speaks. */
static bool is_known(const struct conn *conn)
{
    return conn->session && conn->session->company;
}

static void on_gone(struct conn *conn)
{
    if (conn->session)
        session_gone(conn->session);
    conn->session = NULL;
}

const struct conn_kind conn_native = {
    .handshake = on_handshake,
    .open = on_open,
    .flush = flush,
    .choked = on_choked,
    .hear = hear,
    .frame = on_frame,
    .message = on_message,
    .broken = on_broken,
    .pong = on_pong,
    .is_known = is_known,
    .gone = on_gone,
};
