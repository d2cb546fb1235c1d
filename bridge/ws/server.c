#include "ws/conn.h"
#include "ws/door_engine.h"
#include "ws/door_stream.h"
#include "ws/private.h"

#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum {
    HEADER_BYTES = 12288, /* a token of 8 KiB in a header, and what a browser sends besides */
    RX_BYTES = 256,       /* clients say little; this is kept for each connection */
    ADMIN_CONNECTIONS_MAX = 64,
    DESTROY_STEPS = 3,
    TICK_MS = 100,
    TICKS_A_SECOND = 10,
    IDLE_MARGIN_S = 5,
};

/* Whatever integer a version of the library keeps ids in: -1 means "leave as they are". */
#define KEEP_ID(field) __typeof__((struct lws_context_creation_info){0}.field)

/* Which door a socket came in by says who answers it. Not its vhost: libwebsockets changes that to
 * whichever one's name the Host header begins, so that `Host: admin` at the public door would get
 * the operator's pages. */
static int on_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                       size_t len)
{
    const struct peer *peer = lws_get_opaque_user_data(wsi);
    bool admin = peer && peer->acceptor == &server_of(wsi)->admin_acceptor;
    return (admin ? admin_callback : conn_callback)(wsi, reason, user, in, len);
}

/* One subprotocol; a client that names none gets it as well, as the first of the list. */
static const struct lws_protocols protocols[] = {
    {"vigie.v1", on_callback, sizeof(struct conn), RX_BYTES, 0, NULL, WRITE_BYTES}, {0}};

/* No timer of the library for each connection: its list is walked from the head for every pong
 * (measured: 20 % of a core at 10,000). Heartbeats are core/session's. */
static const lws_retry_bo_t no_validity_timers = {0};

struct server *server_of(struct lws *wsi)
{
    return lws_context_user(lws_get_context(wsi));
}

void server_kick(struct lws *wsi)
{
    lws_cancel_service(lws_get_context(wsi));
}

static void on_library_line(int level, const char *line)
{
    size_t len = strcspn(line, "\n");
    char text[LOG_VALUE_MAX];
    snprintf(text, sizeof text, "%.*s", (int)len, line);
    if (level & LLL_ERR)
        log_warn("libwebsockets", LOG_S("msg", text));
    else
        log_debug("libwebsockets", LOG_S("msg", text));
}

static bool make_context(struct server *server, struct err *err)
{
    lws_set_log_level(LLL_ERR | LLL_WARN, on_library_line);
    void *loops[1] = {loop_native(server->options.loop)};
    struct lws_context_creation_info info = {
        .options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_DISABLE_OS_CA_CERTS |
                   LWS_SERVER_OPTION_EXPLICIT_VHOSTS | LWS_SERVER_OPTION_VALIDATE_UTF8 |
                   (server->tls ? LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT : 0),
        .foreign_loops = loops,
        .user = server,
        .pcontext = &server->context,
        .gid = (KEEP_ID(gid)) - 1,
        .uid = (KEEP_ID(uid)) - 1,
        .max_http_header_data2 = HEADER_BYTES,
        .timeout_secs = (unsigned)(server->options.header_timeout_ms / 1000),
        .timeout_secs_ah_idle = (unsigned)(server->options.header_timeout_ms / 1000),
        .retry_and_idle_policy = &no_validity_timers,
        .pt_serv_buf_size = 8192,
    };
    server->context = lws_create_context(&info);
    return server->context ||
           err_set(err, "libwebsockets cannot start (is libwebsockets-evlib-uv installed?)");
}

static bool make_door(struct server *server, struct err *err)
{
    const struct server_options *options = &server->options;
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN_SERVER,
        .vhost_name = "door",
        .protocols = protocols,
        .retry_and_idle_policy = &no_validity_timers,
        .timeout_secs = (unsigned)(options->header_timeout_ms / 1000),
        /* between two requests our own clock decides, see accept.c */
        .keepalive_timeout = (int)(options->header_timeout_ms / 1000) + IDLE_MARGIN_S,
        .alpn = "http/1.1",
        .ssl_cert_filepath = server->tls ? options->certificate : NULL,
        .ssl_private_key_filepath = server->tls ? options->private_key : NULL,
        .ssl_cipher_list = TLS_CIPHERS_1_2,
        .tls1_3_plus_cipher_list = TLS_CIPHERS_1_3,
        .options = LWS_SERVER_OPTION_VALIDATE_UTF8 |
                   (server->tls ? LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT : 0),
    };
    server->door = lws_create_vhost(server->context, &info);
    return server->door || err_set(err, "libwebsockets cannot set up the public listener");
}

static bool make_admin(struct server *server, struct err *err)
{
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN_SERVER,
        .vhost_name = "admin",
        .protocols = protocols,
        .retry_and_idle_policy = &no_validity_timers,
        .alpn = "http/1.1",
    };
    server->admin = lws_create_vhost(server->context, &info);
    return server->admin || err_set(err, "libwebsockets cannot set up the admin listener");
}

/* ---- sockets in ---- */

static bool adopt(struct lws_vhost *vhost, int fd, struct peer *peer)
{
    struct lws *wsi = lws_adopt_socket_vhost(vhost, fd);
    if (!wsi)
        return false; /* the library has closed the descriptor */
    lws_set_opaque_user_data(wsi, peer);
    peer->socket = wsi;
    server_kick(wsi);
    return true;
}

static void drop(void *arg, struct peer *peer)
{
    (void)arg;
    lws_set_timeout(peer->socket, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_ASYNC);
    server_kick(peer->socket);
}

static bool take_client(void *arg, int fd, struct peer *peer)
{
    return adopt(((struct server *)arg)->door, fd, peer);
}

static bool take_admin(void *arg, int fd, struct peer *peer)
{
    return adopt(((struct server *)arg)->admin, fd, peer);
}

static void take_limits(struct server *server)
{
    const struct server_options *options = &server->options;
    server->acceptor.limits = (struct accept_limits){
        options->max_sessions, options->max_per_address, options->max_unauthenticated};
}

static bool open_listeners(struct server *server, struct err *err)
{
    const struct server_options *options = &server->options;
    server->acceptor.take = take_client;
    server->admin_acceptor.take = take_admin;
    server->acceptor.drop = server->admin_acceptor.drop = drop;
    server->acceptor.arg = server->admin_acceptor.arg = server;
    server->acceptor.patience_ms = server->admin_acceptor.patience_ms = options->header_timeout_ms;
    take_limits(server);
    server->admin_acceptor.limits =
        (struct accept_limits){ADMIN_CONNECTIONS_MAX, ADMIN_CONNECTIONS_MAX, ADMIN_CONNECTIONS_MAX};
    return acceptor_open(&server->acceptor, options->loop, options->address, options->port, err) &&
           acceptor_open(&server->admin_acceptor, options->loop, options->admin_address,
                         options->admin_port, err);
}

/* ---- metrics ---- */

static double *declare(struct server *server, struct metric_def def)
{
    return metrics_register(server->options.metrics, &def);
}

static void register_metrics(struct server *server)
{
    static const char *const results[] = {"ok", "failed"};
    server->acceptor.accepted =
        declare(server, (struct metric_def){"vigie_connections_accepted_total", METRIC_COUNTER,
                                            "sockets accepted", NULL, NULL, 0});
    server->acceptor.rejected =
        declare(server, (struct metric_def){"vigie_connections_rejected_total", METRIC_COUNTER,
                                            "sockets refused before TLS, by reason", "reason",
                                            accept_refusal_names, ACCEPT_REFUSAL_COUNT});
    server->admin_acceptor.accepted = declare(
        server, (struct metric_def){"vigie_admin_connections_accepted_total", METRIC_COUNTER,
                                    "admin sockets accepted", NULL, NULL, 0});
    server->admin_acceptor.rejected =
        declare(server, (struct metric_def){"vigie_admin_connections_rejected_total",
                                            METRIC_COUNTER, "admin sockets refused", "reason",
                                            accept_refusal_names, ACCEPT_REFUSAL_COUNT});
    server->acceptor.late = server->admin_acceptor.late =
        declare(server, (struct metric_def){"vigie_handshakes_late_total", METRIC_COUNTER,
                                            "sockets dropped before their headers were complete",
                                            NULL, NULL, 0});
    server->refused =
        declare(server, (struct metric_def){"vigie_handshakes_refused_total", METRIC_COUNTER,
                                            "opening handshakes refused, by reason", "reason",
                                            gate_verdict_names, GATE_VERDICT_COUNT});
    server->tls_expiry = declare(
        server, (struct metric_def){"vigie_tls_certificate_expiry_timestamp_seconds", METRIC_GAUGE,
                                    "when the certificate expires", NULL, NULL, 0});
    server->tls_reloads = declare(
        server, (struct metric_def){"vigie_tls_reloads_total", METRIC_COUNTER,
                                    "certificates loaded anew, by result", "result", results, 2});
}

/* ---- life ---- */

static bool load_files(struct server *server, struct err *err)
{
    const struct server_options *options = &server->options;
    if (options->tls) {
        server->tls = tls_new(options->certificate, options->private_key, err);
        if (!server->tls)
            return false;
        server->tls_expiry[0] = (double)tls_expires_at(server->tls);
    }
    if (options->site)
        server->site = site_new(options->site, err);
    return !options->site || server->site;
}

static bool make_doors(struct server *server, struct err *err)
{
    const struct server_options *options = &server->options;
    const struct hub_options *clocks = &options->hub->options;
    server->watchers = watchers_new(options->loop, err);
    if (options->streams)
        server->tickets = ticket_store_new(&(struct ticket_options){
            .ttl_ms = options->ticket_ttl_ms,
            .max = options->tickets,
            .metrics = options->metrics,
            .mono_ms = clocks->mono_ms,
            .wall_us = clocks->wall_us,
            .random = clocks->random,
        });
    return server->watchers && door_engine_make(server, err);
}

static void on_tick(void *arg)
{
    struct server *server = arg;
    door_poll_tick(server);
    if (server->engines)
        engines_tick(server->engines);
    if (server->tickets && ++server->ticks % TICKS_A_SECOND == 0)
        ticket_tick(server->tickets);
}

struct server *server_new(const struct server_options *options, struct err *err)
{
    struct server *server = mem_new(sizeof *server);
    server->options = *options;
    server->acceptor.fd = server->acceptor.spare_fd = -1;
    server->admin_acceptor.fd = server->admin_acceptor.spare_fd = -1;
    register_metrics(server);
    if (load_files(server, err) && make_doors(server, err) && open_listeners(server, err) &&
        make_context(server, err) && make_door(server, err) && make_admin(server, err))
        return server;
    server_free(server);
    return NULL;
}

bool server_check_tls(const char *certificate, const char *private_key, struct err *err)
{
    struct tls *tls = tls_new(certificate, private_key, err);
    tls_free(tls);
    return tls != NULL;
}

/* Pings are due to within a tenth of their interval. */
static int64_t tick_ms(const struct server *server)
{
    int64_t ping_ms = server->options.engine.ping_interval_ms / 10;
    return ping_ms > 0 && ping_ms < TICK_MS ? ping_ms : TICK_MS;
}

void server_start(struct server *server)
{
    acceptor_start(&server->acceptor);
    acceptor_start(&server->admin_acceptor);
    server->tick = loop_timer_new(server->options.loop, on_tick, server);
    loop_timer_start(server->tick, tick_ms(server), tick_ms(server));
}

void server_drain(struct server *server)
{
    struct peer *peer;
    server->leaving = true;
    if (server->engines)
        engines_refuse(server->engines);
    DL_FOREACH(server->acceptor.waiting, peer)
    if (peer->idle)
        drop(server, peer);
    (void)server_is_drained(server);
}

bool server_is_drained(struct server *server)
{
    bool polling = server->engines && engines_polling(server->engines) > 0;
    if (!polling)
        acceptor_close(&server->acceptor);
    return !polling && server->acceptor.count == 0;
}

void server_stop_accepting(struct server *server)
{
    server_drain(server);
    acceptor_close(&server->acceptor);
}

bool server_flush(struct server *server)
{
    return door_engine_flush(server);
}

bool server_reload_tls(struct server *server, struct err *err)
{
    const struct server_options *options = &server->options;
    if (!server->tls)
        return true;
    bool ok = tls_load(server->tls, options->certificate, options->private_key, err);
    server->tls_reloads[ok ? 0 : 1]++;
    server->tls_expiry[0] = (double)tls_expires_at(server->tls);
    return ok;
}

void server_reconfigure(struct server *server, const struct server_options *options)
{
    server->options.origins = options->origins;
    server->options.hosts = options->hosts;
    server->options.max_sessions = options->max_sessions;
    server->options.max_per_address = options->max_per_address;
    server->options.max_unauthenticated = options->max_unauthenticated;
    server->options.max_message_bytes = options->max_message_bytes;
    server->options.certificate = options->certificate;
    server->options.private_key = options->private_key;
    server->options.retry_ms = options->retry_ms;
    server->options.poll_hold_ms = options->poll_hold_ms;
    server->options.ticket_ttl_ms = options->ticket_ttl_ms;
    server->options.tickets = options->tickets;
    if (server->tickets)
        ticket_store_limit(server->tickets, options->ticket_ttl_ms, options->tickets);
    server->options.engine.ping_interval_ms = options->engine.ping_interval_ms;
    server->options.engine.ping_timeout_ms = options->engine.ping_timeout_ms;
    server->options.engine.upgrade_timeout_ms = options->engine.upgrade_timeout_ms;
    server->options.engine.auth_timeout_ms = options->engine.auth_timeout_ms;
    server->options.engine.packets_per_second = options->engine.packets_per_second;
    door_engine_set_options(server);
    take_limits(server);
}

const char *server_library(void)
{
    return lws_get_library_version();
}

int server_port(const struct server *server)
{
    return server->acceptor.port;
}

int server_admin_port(const struct server *server)
{
    return server->admin_acceptor.port;
}

unsigned server_connections(const struct server *server)
{
    return server->acceptor.count;
}

void server_free(struct server *server)
{
    if (!server)
        return;
    acceptor_free(&server->acceptor);
    acceptor_free(&server->admin_acceptor);
    loop_timer_free(server->tick);
    /* As a guest it is destroyed in steps, its handles closing in turns of the loop between them;
     * it sets our pointer to NULL when it is through. */
    for (int step = 0; server->context && step < DESTROY_STEPS; step++) {
        lws_context_destroy(server->context);
        loop_settle(server->options.loop);
    }
    door_engine_free(server);
    watchers_free(server->watchers);
    ticket_store_free(server->tickets);
    tls_free(server->tls);
    site_free(server->site);
    free(server);
}
