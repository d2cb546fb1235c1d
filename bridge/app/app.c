#include "app/app.h"

#include "app/setup.h"
#include "base/clock.h"
#include "base/log.h"
#include "core/router.h"
#include "proto/socketio.h"

#include <assert.h>
#include <errno.h>
#include <openssl/rand.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FLUSH_SESSIONS = 2000, /* a turn writes to at most so many, then lets others work */
    STOP_LOOK_MS = 50,
    STOP_WAIT_MS = 2000, /* how long goodbyes may take */
};

struct app {
    const struct args *args;
    char *const *environment;
    struct conf *conf;
    struct loop *loop;
    struct metrics *metrics;
    struct verifier *verifier;
    struct channel_map *channels;
    struct hub *hub;
    struct source *source;
    struct socketio *socketio; /* NULL: that door is not there */
    struct server *server;
    struct loop_timer *tick;
    struct loop_timer *again; /* goes on with a flush that a turn did not finish */
    struct loop_timer *stop;
    struct loop_signal *signals[4];
    double *auth;         /* attempts, by enum token_reason */
    double *reload;       /* 1: the last reload was taken */
    struct claims claims; /* of the token verified last: an identity borrows from it */
    const char *roles[TOKEN_ROLES_MAX];
    bool database_up;
    bool was_ready;
    bool draining;
    bool stopping;
    int64_t deadline_ms; /* when waiting for goodbyes, or for the drain, ends */
    int rules_bad;
};

/* ---- what the core asks of the outside ---- */

static void fill_random(void *bytes, size_t len)
{
    int ok = RAND_bytes(bytes, (int)len);
    assert(ok == 1);
}

static void borrow_identity(struct app *app, struct identity *identity)
{
    const struct claims *claims = &app->claims;
    for (size_t i = 0; i < claims->role_count; i++)
        app->roles[i] = claims->roles[i];
    *identity = (struct identity){
        .issuer = claims->issuer,
        .company = claims->company,
        .user = claims->user,
        .roles = app->roles,
        .role_count = claims->role_count,
        .expires_at_us = claims->expires_at_us,
        .leeway_us = claims->leeway_us,
    };
}

static bool verify(void *arg, const char *token, size_t len, const char *address,
                   struct identity *identity)
{
    struct app *app = arg;
    enum token_reason reason =
        verifier_check(app->verifier, token, len, clock_wall_us(), &app->claims);
    app->auth[reason]++;
    if (reason != TOKEN_OK) {
        log_info("auth_fail", LOG_S("reason", token_reason_name(reason)),
                 LOG_S("address", address));
        return false;
    }
    borrow_identity(app, identity);
    return true;
}

static bool ask_replay(void *arg, uint64_t ticket, const char *company, int64_t after, int max_rows)
{
    return source_replay(((struct app *)arg)->source, ticket, company, after, max_rows);
}

static bool ask_may_join(void *arg, uint64_t ticket, const char *company, const char *claims,
                         const char *room)
{
    return source_may_join(((struct app *)arg)->source, ticket, company, claims, room);
}

/* ---- turns ---- */

static void flush(void *arg)
{
    struct app *app = arg;
    if (hub_flush(app->hub, FLUSH_SESSIONS))
        loop_timer_start(app->again, 0, 0);
}

static void on_turn_end(void *arg)
{
    struct app *app = arg;
    flush(app);
    if (app->socketio)
        socketio_settle(app->socketio);
    if (server_flush(app->server) || app->hub->dirty_count) /* what was written makes room */
        loop_timer_start(app->again, 0, 0);
    hub_reap(app->hub);
}

static void on_tick(void *arg)
{
    hub_tick(((struct app *)arg)->hub);
}

/* ---- what the database says ---- */

static void note_ready(struct app *app)
{
    if (app->was_ready || !app->database_up)
        return;
    app->was_ready = true;
    log_info("ready", LOG_N("port", server_port(app->server)));
}

static int64_t on_up(void *arg, const struct source_hello *hello)
{
    struct app *app = arg;
    app->database_up = true;
    int64_t position = hub_database_up(app->hub, hello->epoch, hello->cursor_key, hello->last_seq,
                                       hello->floor_seq);
    note_ready(app);
    return position;
}

static void on_down(void *arg, const char *why)
{
    (void)why; /* the source has logged it */
    ((struct app *)arg)->database_up = false;
}

static void on_hole(void *arg, int64_t upto)
{
    hub_hole(((struct app *)arg)->hub, upto);
}

static void on_events(void *arg, struct event **events, size_t count, int64_t position)
{
    struct app *app = arg;
    router_publish(app->hub, events, count, position);
    flush(app);
}

static void on_status(void *arg, const struct source_status *status)
{
    ((struct app *)arg)->rules_bad = status->rules_bad;
}

static void on_replay(void *arg, uint64_t ticket, const struct source_replay *from)
{
    struct replay replay = {from->ok, from->events, from->count, from->upto, from->floor_seq};
    hub_replayed(((struct app *)arg)->hub, ticket, &replay);
}

static void on_may_join(void *arg, uint64_t ticket, enum permission permission)
{
    hub_may_join(((struct app *)arg)->hub, ticket, permission);
}

static bool is_wanted(void *arg, uint64_t ticket)
{
    return hub_wants(((struct app *)arg)->hub, ticket);
}

/* ---- health ---- */

static bool ready(void *arg, struct buf *why)
{
    struct app *app = arg;
    bool keys = verifier_key_count(app->verifier) > 0;
    bool ok = app->database_up && keys && !app->draining && !app->stopping;
    buf_fmt(why, "\"ready\":%s,\"database\":%s,\"keys\":%s,\"draining\":%s,\"rules_bad\":%d",
            ok ? "true" : "false", app->database_up ? "true" : "false", keys ? "true" : "false",
            app->draining || app->stopping ? "true" : "false", app->rules_bad);
    return ok;
}

/* What would only be told to come back is better refused at the door. */
static bool available(void *arg)
{
    const struct app *app = arg;
    return app->database_up && !app->draining && !app->stopping;
}

static void refresh(void *arg)
{
    struct app *app = arg;
    app->hub->metrics.queued_bytes[0] = (double)app->hub->queued_bytes;
}

/* ---- going down ---- */

static void look_whether_done(void *arg)
{
    struct app *app = arg;
    int64_t now_ms = clock_mono_ms();
    if (server_is_drained(app->server) || (app->stopping && now_ms >= app->deadline_ms)) {
        loop_stop(app->loop);
        return;
    }
    if (app->stopping || now_ms < app->deadline_ms)
        return;
    app->stopping = true;
    app->deadline_ms = now_ms + STOP_WAIT_MS;
    hub_close_all(app->hub, CLOSE_RESTART);
}

static void on_stop(void *arg)
{
    struct app *app = arg;
    if (app->stopping)
        return;
    log_info("stopping", LOG_N("connections", server_connections(app->server)));
    app->stopping = true;
    app->deadline_ms = clock_mono_ms() + STOP_WAIT_MS;
    server_stop_accepting(app->server);
    hub_close_all(app->hub, CLOSE_GOING_AWAY);
    loop_timer_start(app->stop, 0, STOP_LOOK_MS);
}

static void on_term(void *arg)
{
    struct app *app = arg;
    if (app->draining) {
        on_stop(app);
        return;
    }
    int64_t window_ms = app->conf->drain.window_ms;
    log_info("drain_begin", LOG_N("connections", server_connections(app->server)),
             LOG_N("window_ms", window_ms));
    app->draining = true;
    app->deadline_ms = clock_mono_ms() + window_ms + STOP_WAIT_MS;
    server_drain(app->server);
    hub_drain(app->hub, window_ms);
    loop_timer_start(app->stop, STOP_LOOK_MS, STOP_LOOK_MS);
}

/* ---- reload: all of it, or none ---- */

static void log_lines(const char *event, struct buf *lines)
{
    char *rest = lines->bytes;
    for (char *line; rest && (line = strsep(&rest, "\n"));)
        if (*line)
            log_error(event, LOG_S("msg", line));
}

static void take_conf(struct app *app, struct conf *conf, struct verifier *verifier)
{
    struct server_options options = {0};
    struct channel_map *channels = setup_channels(conf);
    struct hub_limits limits = setup_limits(conf);
    setup_server(conf, &options);
    server_reconfigure(app->server, &options);
    hub_set_channels(app->hub, channels);
    hub_set_limits(app->hub, &limits);
    log_setup(conf->log.level, conf->log.format);
    verifier_free(app->verifier);
    setup_channels_free(app->channels);
    conf_free(app->conf);
    app->verifier = verifier;
    app->channels = channels;
    app->conf = conf;
}

/* A line for each option of `stays`. */
static void complain_of_restart(const struct buf *stays, struct buf *errors)
{
    for (const char *at = stays->bytes; at && *at;) {
        int len = (int)strcspn(at, "\n");
        buf_fmt(errors, "%.*s: changed, which needs a restart\n", len, at);
        at += len + (at[len] == '\n');
    }
}

/* The new configuration judged as a whole, keys loaded; false and nothing changed otherwise. */
static bool load_again(struct app *app, struct buf *errors)
{
    int code = 0;
    struct conf *conf = conf_load(app->args->config, app->environment, errors, &code);
    struct verifier *verifier = conf ? setup_keys(conf, errors) : NULL;
    bool ok = verifier != NULL;
    struct buf stays;
    buf_init(&stays, CONF_ERRORS_BYTES_MAX);
    if (ok && !conf_reload_check(app->conf, conf, &stays)) {
        complain_of_restart(&stays, errors);
        ok = false;
    }
    buf_free(&stays);
    if (ok) {
        take_conf(app, conf, verifier);
        return true;
    }
    verifier_free(verifier);
    conf_free(conf);
    return false;
}

static void on_hup(void *arg)
{
    struct app *app = arg;
    struct buf errors;
    struct err err = {""};
    buf_init(&errors, CONF_ERRORS_BYTES_MAX);
    bool ok = load_again(app, &errors);
    log_lines("reload_error", &errors);
    buf_free(&errors);
    if (ok && !server_reload_tls(app->server, &err)) {
        log_error("reload_error", LOG_S("msg", err.text));
        ok = false;
    }
    app->reload[0] = ok ? 1 : 0;
    if (ok)
        log_info("reload_ok", LOG_N("keys", verifier_key_count(app->verifier)));
    else
        log_error("reload_fail", LOG_S("msg", "what was in service stays in service"));
}

/* ---- putting it together ---- */

static void register_metrics(struct app *app)
{
    static const char *const versions[] = {VIGIE_VERSION};
    static const struct metric_def build = {
        "vigie_build_info", METRIC_GAUGE, "always 1; which version this is",
        "version",          versions,     1};
    static const struct metric_def auth = {"vigie_auth_attempts_total",  METRIC_COUNTER,
                                           "tokens verified, by reason", "reason",
                                           token_reason_names,           TOKEN_REASON_COUNT};
    static const struct metric_def reload = {"vigie_config_last_reload_successful",
                                             METRIC_GAUGE,
                                             "1 when the last reload was taken",
                                             NULL,
                                             NULL,
                                             0};
    static const struct metric_def start = {
        "vigie_start_time_seconds", METRIC_GAUGE, "when this process started", NULL, NULL, 0};
    app->auth = metrics_register(app->metrics, &auth);
    app->reload = metrics_register(app->metrics, &reload);
    app->reload[0] = 1;
    metrics_register(app->metrics, &build)[0] = 1;
    metrics_register(app->metrics, &start)[0] = (double)clock_wall_us() / 1e6;
}

static void make_hub(struct app *app)
{
    struct hub_options options = {
        .metrics = app->metrics,
        .channels = app->channels,
        .mono_ms = clock_mono_ms,
        .wall_us = clock_wall_us,
        .random = fill_random,
        .arg = app,
        .verify = verify,
        .replay = ask_replay,
        .may_join = ask_may_join,
    };
    setup_hub(app->conf, &options);
    app->hub = hub_new(&options);
}

static bool make_source(struct app *app, struct err *err)
{
    const char **channels = mem_resize(NULL, app->conf->channel_count, sizeof *channels);
    struct source_options options = {
        .loop = app->loop,
        .metrics = app->metrics,
        .arg = app,
        .on_up = on_up,
        .on_down = on_down,
        .on_hole = on_hole,
        .on_events = on_events,
        .on_status = on_status,
        .on_replay = on_replay,
        .on_may_join = on_may_join,
        .is_wanted = is_wanted,
    };
    setup_source(app->conf, channels, &options);
    app->source = source_new(&options, err);
    free(channels);
    return app->source != NULL;
}

static void make_socketio(struct app *app)
{
    const struct conf *conf = app->conf;
    if (!conf->socketio.enabled)
        return;
    app->socketio = socketio_new(&(struct socketio_options){
        .hub = app->hub,
        .namespaces = conf->socketio.namespaces.items,
        .namespace_count = conf->socketio.namespaces.count,
        .max_payload_bytes = (size_t)conf->limits.message_bytes,
        .metrics = app->metrics,
    });
}

static bool make_server(struct app *app, struct err *err)
{
    struct server_options options = {
        .loop = app->loop,
        .hub = app->hub,
        .metrics = app->metrics,
        .arg = app,
        .verify = verify,
        .available = available,
        .ready = ready,
        .refresh = refresh,
        .engine.upper = app->socketio ? &socketio_upper : NULL,
        .engine.upper_arg = app->socketio,
    };
    setup_server(app->conf, &options);
    app->server = server_new(&options, err);
    return app->server != NULL;
}

static void watch_signals(struct app *app)
{
    signal(SIGPIPE, SIG_IGN);
    app->signals[0] = loop_signal_new(app->loop, SIGTERM, on_term, app);
    app->signals[1] = loop_signal_new(app->loop, SIGINT, on_stop, app);
    app->signals[2] = loop_signal_new(app->loop, SIGHUP, on_hup, app);
}

static bool assemble(struct app *app, int *code, struct err *err)
{
    app->loop = loop_new();
    watch_signals(app); /* first: one that comes early waits for the loop to run */
    app->metrics = metrics_new();
    register_metrics(app);
    app->channels = setup_channels(app->conf);
    make_hub(app);
    make_socketio(app);
    if (!make_source(app, err))
        return false;
    *code = APP_OS; /* what is left to fail is the system's: a port that is taken, descriptors */
    if (!make_server(app, err))
        return false;
    app->tick = loop_timer_new(app->loop, on_tick, app);
    app->again = loop_timer_new(app->loop, flush, app);
    app->stop = loop_timer_new(app->loop, look_whether_done, app);
    loop_at_turn_end(app->loop, on_turn_end, app);
    return true;
}

static void start(struct app *app)
{
    const struct conf *conf = app->conf;
    server_start(app->server);
    log_info("listening", LOG_S("address", conf->listen.address),
             LOG_N("port", server_port(app->server)),
             LOG_S("tls", conf->listen.tls ? "on" : "off"));
    log_info("admin_listening", LOG_S("address", conf->admin.address),
             LOG_N("port", server_admin_port(app->server)));
    source_start(app->source);
    loop_timer_start(app->tick, HUB_TICK_MS, HUB_TICK_MS);
}

/* In reverse; whatever is NULL was never made. */
static void dismantle(struct app *app)
{
    source_free(app->source);
    for (size_t i = 0; i < sizeof app->signals / sizeof *app->signals; i++)
        loop_signal_free(app->signals[i]);
    loop_timer_free(app->tick);
    loop_timer_free(app->again);
    loop_timer_free(app->stop);
    server_free(app->server);
    if (app->socketio)
        socketio_settle(app->socketio);
    socketio_free(app->socketio);
    hub_free(app->hub);
    setup_channels_free(app->channels);
    verifier_free(app->verifier);
    loop_free(app->loop);
    metrics_free(app->metrics);
    conf_free(app->conf);
}

/* NULL with every complaint on standard error, and the exit code that it asks for. */
static struct conf *load(const struct args *args, char *const *environment,
                         struct verifier **verifier, int *code)
{
    struct buf errors;
    buf_init(&errors, CONF_ERRORS_BYTES_MAX);
    struct conf *conf = conf_load(args->config, environment, &errors, code);
    if (conf && !(*verifier = setup_keys(conf, &errors))) {
        conf_free(conf);
        conf = NULL;
        *code = APP_CONFIG;
    }
    if (errors.len)
        fputs(errors.bytes, stderr);
    buf_free(&errors);
    return conf;
}

static void log_warnings(const struct conf *conf)
{
    for (size_t i = 0; i < conf->warnings.count; i++)
        log_warn("config_warning", LOG_S("msg", conf->warnings.items[i]));
}

int app_run(const struct args *args, char *const *environment)
{
    int code = APP_CONFIG;
    struct app app = {.args = args, .environment = environment};
    app.conf = load(args, environment, &app.verifier, &code);
    if (!app.conf)
        return code;
    log_setup(app.conf->log.level, app.conf->log.format);
    log_info("starting", LOG_S("version", VIGIE_VERSION), LOG_S("config", args->config));
    log_warnings(app.conf);
    struct err err = {""};
    code = APP_CONFIG;
    bool ok = assemble(&app, &code, &err);
    if (ok) {
        start(&app);
        loop_run(app.loop);
    } else {
        log_error("start_failed", LOG_S("msg", err.text));
    }
    dismantle(&app);
    if (ok)
        log_info("stopped", LOG_N("code", APP_OK));
    return ok ? APP_OK : code;
}

int app_check(const struct args *args, char *const *environment)
{
    int code = APP_CONFIG;
    struct verifier *verifier = NULL;
    struct conf *conf = load(args, environment, &verifier, &code);
    verifier_free(verifier);
    conf_free(conf);
    return conf ? APP_OK : code;
}
