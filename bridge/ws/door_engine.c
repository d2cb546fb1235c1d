#include "ws/door_engine.h"

#include "base/log.h"
#include "ws/conn.h"
#include "ws/private.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <utlist.h>

enum {
    CLIENT_FILE_BYTES_MAX = 4 * 1024 * 1024,
    FRAMES_MAX = 1024, /* of one message: they may be empty, and are not counted otherwise */
    ARGUMENT_MAX = 64,
    FLUSHES_A_TURN = 2000,
};

/* The arguments of an upgrade, until the connection is established. */
struct guest {
    struct engine_request request;
    char version[ARGUMENT_MAX];
    char transport[ARGUMENT_MAX];
    char sid[ARGUMENT_MAX];
};

static bool is_available(const struct server *server)
{
    const struct server_options *options = &server->options;
    return !options->available || options->available(options->arg);
}

static bool knows(const struct server *server, const struct engine *engine)
{
    return engine && server->options.engine.upper->is_known(engine_state(engine));
}

/* ---- where ---- */

static const char *rest_of_path(const struct server *server, const char *path)
{
    const char *prefix = server->options.engine_path;
    if (!server->engines || !prefix)
        return NULL;
    size_t len = strlen(prefix);
    return strncmp(path, prefix, len) == 0 ? path + len : NULL;
}

bool door_engine_is_at(const struct server *server, const char *path)
{
    const char *rest = rest_of_path(server, path);
    return rest && (rest[0] == '\0' || strcmp(rest, "/") == 0);
}

bool door_engine_has_file_at(const struct server *server, const char *path)
{
    const char *rest = rest_of_path(server, path);
    return rest && server->client_file.bytes &&
           (strcmp(rest, "/socket.io.js") == 0 || strcmp(rest, "/socket.io.min.js") == 0);
}

/* ---- HTTP: in ---- */

static enum engine_method method_of(enum exchange_method method)
{
    switch (method) {
    case EXCHANGE_GET:
        return ENGINE_GET;
    case EXCHANGE_POST:
        return ENGINE_POST;
    case EXCHANGE_HEAD:
    case EXCHANGE_OPTIONS:
    case EXCHANGE_OTHER:
        break;
    }
    return ENGINE_OTHER;
}

static void refuse(struct exchange *exchange, enum engine_error error)
{
    const char *body = engine_error_body(error);
    engines_note_error(exchange->server->engines, error);
    exchange_answer(exchange, &(struct exchange_answer){.status = engine_error_status(error),
                                                        .type = "application/json",
                                                        .body = body,
                                                        .len = strlen(body)});
}

static void forbid(struct exchange *exchange)
{
    refuse(exchange, ENGINE_FORBIDDEN);
}

static void note_known(struct exchange *exchange)
{
    if (knows(exchange->server, exchange->http.engine))
        peer_authenticated(exchange->peer);
}

static void open_request(struct exchange *exchange, const struct exchange_request *from)
{
    struct server *server = exchange->server;
    struct engine_request request = {
        .method = method_of(from->method),
        .version = exchange_argument(from, "EIO"),
        .transport = exchange_argument(from, "transport"),
        .sid = exchange_argument(from, "sid"),
        .stamp = exchange_argument(from, "t"),
        .address = exchange->peer->text,
        .network = exchange->peer->address->text,
        .octets = strncasecmp(from->content_type, "application/octet-stream", 24) == 0,
    };
    if (from->token_in_query) {
        refuse(exchange, ENGINE_BAD_REQUEST);
    } else if (request.method != ENGINE_POST) {
        engines_request(server->engines, &request, &exchange->http, is_available(server));
        note_known(exchange);
    } else if (engines_post(server->engines, &request, &exchange->http)) {
        note_known(exchange);
        exchange_read(exchange, server->options.max_message_bytes);
    }
}

static void take_body(struct exchange *exchange, const char *bytes, size_t len)
{
    engine_body(&exchange->http, bytes, len);
}

static void refuse_too_long(struct exchange *exchange)
{
    engine_body_too_long(&exchange->http);
}

static void end_request(struct exchange *exchange)
{
    engine_http_gone(&exchange->http);
}

const struct door door_engine = {
    .methods = "GET, POST",
    .echoes_headers = true,
    .open = open_request,
    .forbid = forbid,
    .body = take_body,
    .too_long = refuse_too_long,
    .end = end_request,
};

/* ---- the client's own file ---- */

static void open_file(struct exchange *exchange, const struct exchange_request *request)
{
    const struct client_file *file = &exchange->server->client_file;
    if (request->method != EXCHANGE_GET && request->method != EXCHANGE_HEAD)
        exchange_refuse(exchange, 405, "method");
    else
        exchange_answer(exchange,
                        &(struct exchange_answer){.status = 200,
                                                  .type = "application/javascript; charset=UTF-8",
                                                  .body = file->bytes,
                                                  .len = file->len,
                                                  .borrowed = true});
}

const struct door door_client_file = {.methods = "GET, HEAD", .open = open_file};

static bool load_file(struct server *server, const char *path, struct err *err)
{
    struct buf bytes;
    char part[16384];
    FILE *file = fopen(path, "rbe");
    if (!file)
        return err_set(err, "%s: %s", path, strerror(errno));
    buf_init(&bytes, CLIENT_FILE_BYTES_MAX);
    for (size_t len; (len = fread(part, 1, sizeof part, file)) > 0;)
        buf_add(&bytes, part, len);
    bool ok = !ferror(file) && !bytes.overflow && bytes.len > 0;
    fclose(file);
    server->client_file.len = bytes.len;
    server->client_file.bytes = buf_take(&bytes);
    return ok || err_set(err, "%s: empty, unreadable or larger than %d bytes", path,
                         CLIENT_FILE_BYTES_MAX);
}

/* ---- HTTP and WebSocket: out, as the engines ask ---- */

static struct exchange *exchange_of(struct engine_http *http)
{
    return (struct exchange *)(void *)((char *)http - offsetof(struct exchange, http));
}

static struct conn *conn_of(struct engine_socket *socket)
{
    return (struct conn *)(void *)((char *)socket - offsetof(struct conn, socket));
}

static void answer(struct engine_http *http, unsigned status, bool json, const char *body,
                   size_t len)
{
    exchange_answer(exchange_of(http),
                    &(struct exchange_answer){.status = status,
                                              .type = json ? "application/json" : NULL,
                                              .body = body,
                                              .len = len,
                                              .retry_after_s = status == 503 ? 2 : 0});
}

static void abort_request(struct engine_http *http)
{
    exchange_kill(exchange_of(http));
}

static void wake(struct engine_socket *socket)
{
    struct conn *conn = conn_of(socket);
    if (conn->woken)
        return;
    conn->woken = true;
    DL_APPEND(conn->server->woken, conn);
}

static void sleep_again(struct conn *conn)
{
    if (conn->woken)
        DL_DELETE(conn->server->woken, conn);
    conn->woken = false;
}

static void hang_up(struct engine_socket *socket, enum close_reason reason,
                    const unsigned char *last, size_t len)
{
    struct conn *conn = conn_of(socket);
    sleep_again(conn);
    /* libwebsockets' interface is not const; a raw write changes nothing */
    if (len && !conn->closing && !conn->peer_closing)
        conn_write(conn, (unsigned char *)(uintptr_t)last, len);
    conn_close(conn, reason);
}

static const struct engine_edge edge = {
    .answer = answer,
    .abort = abort_request,
    .wake = wake,
    .hang_up = hang_up,
};

bool door_engine_flush(struct server *server)
{
    for (unsigned i = 0; server->woken && i < FLUSHES_A_TURN; i++) {
        struct conn *conn = server->woken;
        sleep_again(conn);
        conn_flush(conn);
    }
    return server->woken != NULL;
}

/* ---- WebSocket: in ---- */

static struct guest *read_guest(struct lws *wsi, const struct peer *peer)
{
    struct guest *guest = mem_new(sizeof *guest);
    struct engine_request *request = &guest->request;
    *request = (struct engine_request){.method = ENGINE_GET,
                                       .upgrade = true,
                                       .address = peer->text,
                                       .network = peer->address->text};
    if (gate_argument(wsi, "EIO", guest->version, ARGUMENT_MAX))
        request->version = guest->version;
    if (gate_argument(wsi, "transport", guest->transport, ARGUMENT_MAX))
        request->transport = guest->transport;
    if (gate_argument(wsi, "sid", guest->sid, ARGUMENT_MAX))
        request->sid = guest->sid;
    return guest;
}

static enum gate_verdict judge(struct lws *wsi, const struct server *server)
{
    char path[GATE_HEADER_MAX];
    if (lws_hdr_copy(wsi, path, sizeof path, WSI_TOKEN_GET_URI) <= 0)
        return GATE_METHOD;
    return gate_judge(wsi, &server->options, path);
}

static int refuse_socket(struct lws *wsi, enum engine_error error)
{
    return http_refuse_upgrade(wsi, engine_error_status(error), "application/json",
                               engine_error_body(error));
}

static int on_handshake(struct lws *wsi, struct server *server, struct peer *peer)
{
    enum gate_verdict verdict = judge(wsi, server);
    if (verdict == GATE_ORIGIN) {
        conn_note_refusal(wsi, verdict);
        engines_note_error(server->engines, ENGINE_FORBIDDEN);
        return refuse_socket(wsi, ENGINE_FORBIDDEN);
    }
    if (verdict != GATE_OK)
        return conn_refuse(wsi, verdict);
    struct guest *guest = read_guest(wsi, peer);
    enum engine_error error =
        engines_judge_socket(server->engines, &guest->request, is_available(server));
    if (error != ENGINE_OK) {
        free(guest);
        return refuse_socket(wsi, error);
    }
    peer->guest = guest;
    peer->drop_guest = free;
    return 0;
}

static void on_open(struct conn *conn, struct peer *peer)
{
    struct guest *guest = peer->guest;
    peer->guest = NULL;
    if (!engines_socket(conn->server->engines, &guest->request, &conn->socket))
        conn_close(conn, CLOSE_BAD_REQUEST);
    free(guest);
}

/* Most turns need little; what is larger than one write is asked for again. */
static void flush(struct conn *conn)
{
    unsigned char *bytes = conn->server->scratch + LWS_PRE;
    for (;;) {
        size_t len = engine_fill(&conn->socket, bytes, WRITE_BYTES);
        if (!len)
            len = engine_fill(&conn->socket, bytes, ENGINE_FILL_BYTES);
        if (!len || conn->closing || !conn_write(conn, bytes, len))
            return;
    }
}

static void on_choked(struct conn *conn, bool choked)
{
    (void)conn, (void)choked; /* what waits above tells a slow reader */
}

static bool hear(struct conn *conn, bool binary)
{
    (void)conn, (void)binary;
    return true;
}

static void on_frame(struct conn *conn)
{
    if (++conn->frames > FRAMES_MAX)
        engine_socket_broken(&conn->socket, CLOSE_RATE_LIMITED);
}

static void on_message(struct conn *conn, bool binary)
{
    const char *bytes = conn->message.bytes ? conn->message.bytes : "";
    conn->frames = 0;
    if (binary)
        engine_socket_binary(&conn->socket, bytes, conn->message.len);
    else
        engine_socket_text(&conn->socket, bytes, conn->message.len);
}

static void on_broken(struct conn *conn, enum close_reason reason)
{
    engine_socket_broken(&conn->socket, reason);
}

static void on_pong(struct conn *conn)
{
    engine_socket_noise(&conn->socket); /* liveness is the engine's own packets */
}

static bool is_known(const struct conn *conn)
{
    return knows(conn->server, conn->socket.engine);
}

static void on_gone(struct conn *conn)
{
    sleep_again(conn);
    engine_socket_gone(&conn->socket);
}

const struct conn_kind conn_engine = {
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

/* ---- life ---- */

static struct engine_options complete(const struct server *server)
{
    const struct server_options *options = &server->options;
    const struct hub_options *clocks = &options->hub->options;
    struct engine_options engine = options->engine;
    engine.max_payload_bytes = options->max_message_bytes;
    engine.max_engines = options->max_sessions;
    engine.max_per_address = options->max_per_address;
    engine.max_unauthenticated = options->max_unauthenticated;
    engine.metrics = options->metrics;
    engine.mono_ms = clocks->mono_ms;
    engine.random = clocks->random;
    engine.edge = &edge;
    return engine;
}

bool door_engine_make(struct server *server, struct err *err)
{
    const struct server_options *options = &server->options;
    if (!options->engine.upper)
        return true;
    struct engine_options engine = complete(server);
    server->engines = engines_new(&engine);
    return !options->client_file || load_file(server, options->client_file, err);
}

void door_engine_set_options(struct server *server)
{
    struct engine_options engine = complete(server);
    if (server->engines)
        engines_set_options(server->engines, &engine);
}

void door_engine_free(struct server *server)
{
    engines_free(server->engines);
    free(server->client_file.bytes);
}
