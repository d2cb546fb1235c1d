/* The program that our equivalents of the protocols' conformance suites run against: the doors as
 * the bridge has them, over real sockets, without a database, and an echo in place of the product.
 * Never installed. */
#include "echo.h"

#include "base/clock.h"
#include "base/loop.h"
#include "core/hub.h"
#include "ws/server.h"

#include <openssl/rand.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

/* The times and sizes of the official suites. */
enum { PING_MS = 300, PONG_MS = 200, CONNECT_MS = 1000, PAYLOAD_BYTES = 1000000 };

struct program {
    struct loop *loop;
    struct metrics *metrics;
    struct hub *hub;
    struct socketio *socketio;
    struct server *server;
    struct loop_timer *tick;
    struct loop_timer *again;
    struct loop_signal *end;
};

static void fill_random(void *bytes, size_t len)
{
    if (RAND_bytes(bytes, (int)len) != 1)
        memset(bytes, 7, len);
}

static bool let_in(void *arg, const char *token, size_t len, const char *address,
                   struct identity *identity)
{
    (void)arg, (void)token, (void)len, (void)address;
    *identity = (struct identity){.issuer = "echo",
                                  .company = "1",
                                  .user = "u1",
                                  .expires_at_us = clock_wall_us() + INT64_C(3600000000)};
    return true;
}

static bool no_replay(void *arg, uint64_t ticket, const char *company, int64_t after, int max_rows)
{
    (void)arg, (void)ticket, (void)company, (void)after, (void)max_rows;
    return false;
}

static bool no_rooms(void *arg, uint64_t ticket, const char *company, const char *claims,
                     const char *room)
{
    (void)arg, (void)ticket, (void)company, (void)claims, (void)room;
    return false;
}

static bool always(void *arg, struct buf *why)
{
    (void)arg, (void)why;
    return true;
}

static void nothing(void *arg)
{
    (void)arg;
}

static void on_turn_end(void *arg)
{
    struct program *program = arg;
    bool more = hub_flush(program->hub, 1000);
    socketio_settle(program->socketio);
    if (server_flush(program->server) || more || program->hub->dirty_count)
        loop_timer_start(program->again, 0, 0);
    hub_reap(program->hub);
}

static void on_tick(void *arg)
{
    hub_tick(((struct program *)arg)->hub);
}

static void on_end(void *arg)
{
    loop_stop(((struct program *)arg)->loop);
}

static void make_hub(struct program *program)
{
    static const struct channel_map no_channels = {0};
    static const uint8_t key[SEAL_KEY_BYTES] = {1};
    struct hub_options options = {
        .metrics = program->metrics,
        .limits = {.sessions_per_user = 1000,
                   .sessions_per_company = 1000,
                   .rooms_per_session = 10,
                   .messages_per_second = 1000,
                   .queue_bytes = 1 << 20,
                   .queue_total_bytes = 64 << 20,
                   .auth_timeout_ms = CONNECT_MS,
                   .slow_timeout_ms = 30000,
                   .max_session_ms = 3600000},
        .channels = &no_channels,
        .history_bytes = 1 << 20,
        .history_age_ms = 60000,
        .heartbeat_ms = 25000,
        .heartbeat_timeout_ms = 20000,
        .mono_ms = clock_mono_ms,
        .wall_us = clock_wall_us,
        .random = fill_random,
        .verify = let_in,
        .replay = no_replay,
        .may_join = no_rooms,
    };
    program->hub = hub_new(&options);
    hub_database_up(program->hub, "echo", key, 0, 0);
}

static void make_socketio(struct program *program)
{
    static const char *const namespaces[] = {"/custom"};
    struct socketio_options options = {.hub = program->hub,
                                       .namespaces = namespaces,
                                       .namespace_count = 1,
                                       .max_payload_bytes = PAYLOAD_BYTES,
                                       .metrics = program->metrics,
                                       .hooks = &echo_hooks,
                                       .no_recovery = true};
    program->socketio = socketio_new(&options);
}

static bool make_server(struct program *program, bool engine_only, struct err *err)
{
    struct server_options options = {
        .loop = program->loop,
        .hub = program->hub,
        .metrics = program->metrics,
        .address = "127.0.0.1",
        .admin_address = "127.0.0.1",
        .max_sessions = 10000,
        .max_per_address = 10000,
        .max_unauthenticated = 10000,
        .max_message_bytes = PAYLOAD_BYTES,
        .header_timeout_ms = 5000,
        .engine = {.ping_interval_ms = PING_MS,
                   .ping_timeout_ms = PONG_MS,
                   .upgrade_timeout_ms = 10000,
                   .auth_timeout_ms = CONNECT_MS,
                   .packets_per_second = 10000,
                   .upper = engine_only ? &echo_upper : &socketio_upper,
                   .upper_arg = engine_only ? NULL : program->socketio},
        .engine_path = "/socket.io",
        .arg = program,
        .verify = let_in,
        .ready = always,
        .refresh = nothing,
    };
    program->server = server_new(&options, err);
    return program->server != NULL;
}

static void dismantle(struct program *program)
{
    loop_timer_free(program->tick);
    loop_timer_free(program->again);
    loop_signal_free(program->end);
    server_free(program->server);
    socketio_settle(program->socketio);
    socketio_free(program->socketio);
    hub_free(program->hub);
    metrics_free(program->metrics);
    loop_free(program->loop);
}

static void run(struct program *program)
{
    signal(SIGPIPE, SIG_IGN);
    program->end = loop_signal_new(program->loop, SIGTERM, on_end, program);
    program->tick = loop_timer_new(program->loop, on_tick, program);
    program->again = loop_timer_new(program->loop, nothing, program);
    loop_at_turn_end(program->loop, on_turn_end, program);
    loop_timer_start(program->tick, HUB_TICK_MS, HUB_TICK_MS);
    server_start(program->server);
    printf("port %d\n", server_port(program->server));
    fflush(stdout);
    loop_run(program->loop);
}

int main(int argc, char **argv)
{
    struct program program = {.loop = loop_new(), .metrics = metrics_new()};
    struct err err = {0};
    if (argc != 2 || (strcmp(argv[1], "engine") != 0 && strcmp(argv[1], "socket") != 0)) {
        fprintf(stderr, "usage: vigie_echo engine|socket\n");
        return 64;
    }
    make_hub(&program);
    make_socketio(&program);
    if (!make_server(&program, strcmp(argv[1], "engine") == 0, &err)) {
        fprintf(stderr, "vigie_echo: %s\n", err.text);
        return 71;
    }
    run(&program);
    dismantle(&program);
    return 0;
}
