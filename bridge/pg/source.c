#include "pg/source.h"

#include "base/log.h"
#include "base/mem.h"
#include "pg/ask.h"
#include "pg/feed.h"
#include "pg/greet.h"
#include "pg/link.h"
#include "pg/listen.h"

#include <stdlib.h>
#include <string.h>

enum conn { CONN_FEED, CONN_ASK, CONN_COUNT };

static const char *const conn_names[CONN_COUNT] = {"feed", "ask"};

struct counters {
    double *connected;  /* [CONN_COUNT] */
    double *reconnects; /* [CONN_COUNT] */
    double *notifications;
    double *empty_bells;
    double *received;
    double *invalid;
    double *awake;
    double *outbox_pending;
    double *oldest_pending;
    double *feed_rows;
    double *lost_events;
    double *queue_usage;
    double *rules_bad;
    double *waiting; /* questions, by line */
    struct histogram *durations;
};

struct source {
    struct source_options options;
    struct counters counters;
    struct listen *listen;
    struct link *feed_link;
    struct link *ask_link;
    struct greet greet;
    struct feed *feed;
    struct ask *ask;
    bool up;
    char epoch[sizeof((struct source_hello){0}.epoch)];
    bool was_up[CONN_COUNT];
    struct loss told[CONN_COUNT]; /* the last loss logged: the same one is not repeated */
};

/* --- metrics ------------------------------------------------------------------------------ */

static double *plain(struct metrics *metrics, const char *name, enum metric_type type,
                     const char *help)
{
    return metrics_register(metrics,
                            &(struct metric_def){.name = name, .type = type, .help = help});
}

static double *by_conn(struct metrics *metrics, const char *name, enum metric_type type,
                       const char *help)
{
    return metrics_register(metrics, &(struct metric_def){.name = name,
                                                          .type = type,
                                                          .help = help,
                                                          .label = "conn",
                                                          .values = conn_names,
                                                          .count = CONN_COUNT});
}

static void register_metrics(struct counters *c, struct metrics *m)
{
    c->connected = by_conn(m, "vigie_db_connected", METRIC_GAUGE,
                           "1 when this connection to PostgreSQL is up and checked");
    c->reconnects = by_conn(m, "vigie_db_reconnects_total", METRIC_COUNTER,
                            "Times that this connection came back after a loss");
    c->notifications = plain(m, "vigie_db_notifications_total", METRIC_COUNTER,
                             "Bells heard (NOTIFY), without our own");
    c->empty_bells = plain(m, "vigie_db_empty_bells_total", METRIC_COUNTER,
                           "Looks that a bell asked for and that found nothing");
    c->received =
        plain(m, "vigie_events_received_total", METRIC_COUNTER, "Events read from the feed");
    c->invalid = plain(m, "vigie_events_invalid_total", METRIC_COUNTER,
                       "Rows of the feed that are no valid events, and were left out");
    c->awake = plain(m, "vigie_db_awake", METRIC_GAUGE,
                     "1 while the feed is polled and triggers need not ring");
    c->outbox_pending = plain(m, "vigie_outbox_pending_events", METRIC_GAUGE,
                              "Events committed that have no position yet");
    c->oldest_pending =
        plain(m, "vigie_outbox_oldest_pending_seconds", METRIC_GAUGE, "Age of the oldest of them");
    c->feed_rows = plain(m, "vigie_feed_rows", METRIC_GAUGE, "Events kept for replay");
    c->lost_events = plain(m, "vigie_outbox_lost_events_total", METRIC_COUNTER,
                           "Events that triggers dropped: too large, over quota, failing rule");
    c->queue_usage = plain(m, "vigie_db_notify_queue_usage_ratio", METRIC_GAUGE,
                           "Part of PostgreSQL's NOTIFY queue in use; at 1 commits fail");
    c->rules_bad = plain(m, "vigie_rules_bad", METRIC_GAUGE, "Rules that are not in order");
    static const char *const lines[] = {"replay", "permission"};
    c->waiting =
        metrics_register(m, &(struct metric_def){"vigie_db_questions_waiting", METRIC_GAUGE,
                                                 "Questions to PostgreSQL that wait for their turn",
                                                 "line", lines, ASK_LINE_COUNT});
    c->durations = metrics_histogram(m, "vigie_db_query_duration_seconds",
                                     "Time from a statement to the proof of its commit");
}

/* --- up and down -------------------------------------------------------------------------- */

static void count_up(struct source *source, enum conn conn)
{
    source->counters.connected[conn] = 1;
    source->counters.reconnects[conn] += source->was_up[conn];
    source->was_up[conn] = true;
    source->told[conn] = (struct loss){0};
}

/* One line for each new reason, not for each try. */
static void log_down(struct source *source, enum conn conn, const char *event,
                     const struct loss *loss)
{
    struct loss *told = &source->told[conn];
    bool again = told->reason == loss->reason && strcmp(told->why, loss->why) == 0;
    *told = *loss;
    const struct log_field fields[] = {
        LOG_S("event", event), LOG_S("reason", reason_name(loss->reason)), LOG_S("why", loss->why)};
    log_write(again ? LOG_DEBUG : LOG_WARN, fields, sizeof fields / sizeof *fields);
}

static void on_greeted(void *arg, const struct source_hello *hello)
{
    struct source *source = arg;
    count_up(source, CONN_FEED);
    source->up = true;
    memcpy(source->epoch, hello->epoch, sizeof source->epoch);
    int64_t position = source->options.on_up(source->options.arg, hello);
    log_info("db_up", LOG_N("server_version", hello->server_version), LOG_S("epoch", hello->epoch),
             LOG_N("position", position), LOG_N("last_seq", hello->last_seq));
    feed_start(source->feed, position);
}

static void on_feed_open(void *arg)
{
    struct source *source = arg;
    greet_begin(&source->greet);
}

static void on_feed_lost(void *arg, const struct loss *loss)
{
    struct source *source = arg;
    source->up = false;
    source->counters.connected[CONN_FEED] = 0;
    feed_stop(source->feed);
    log_down(source, CONN_FEED, "db_down", loss);
    source->options.on_down(source->options.arg, loss->why);
}

static void on_notify(void *arg, const PGnotify *notify)
{
    struct source *source = arg;
    enum pace_bell bell;
    if (!listen_bell(notify, source->greet.backend_pid, &bell))
        return;
    ++*source->counters.notifications;
    feed_ring(source->feed, bell);
    if (bell == PACE_BELL_FEED && strcmp(notify->extra, "epoch") == 0)
        feed_doubt(source->feed);
}

/* vigie.new_epoch(): begin again from the greeting, which is the one way that an epoch gets in. */
static void on_epoch(void *arg, const char *epoch)
{
    struct source *source = arg;
    if (strcmp(epoch, source->epoch) != 0)
        link_lose(source->feed_link, REASON_CLOSED, "the epoch has changed: greeting anew");
}

static void on_ask_open(void *arg)
{
    struct source *source = arg;
    count_up(source, CONN_ASK);
    log_debug("db_ask_up", LOG_N("reconnects", source->counters.reconnects[CONN_ASK]));
    ask_up(source->ask);
}

static void on_ask_lost(void *arg, const struct loss *loss)
{
    struct source *source = arg;
    source->counters.connected[CONN_ASK] = 0;
    log_down(source, CONN_ASK, "db_ask_down", loss);
    ask_down(source->ask);
}

/* --- what comes from below ---------------------------------------------------------------- */

static void on_hole(void *arg, int64_t upto)
{
    struct source *source = arg;
    source->options.on_hole(source->options.arg, upto);
}

static void on_events(void *arg, struct event **events, size_t count, int64_t position)
{
    const struct source_options *options = &((struct source *)arg)->options;
    options->on_events(options->arg, events, count, position);
}

static void on_replay(void *arg, uint64_t ticket, const struct source_replay *replay)
{
    const struct source_options *options = &((struct source *)arg)->options;
    options->on_replay(options->arg, ticket, replay);
}

static void on_may_join(void *arg, uint64_t ticket, enum permission permission)
{
    const struct source_options *options = &((struct source *)arg)->options;
    options->on_may_join(options->arg, ticket, permission);
}

static bool is_wanted(void *arg, uint64_t ticket)
{
    const struct source_options *options = &((struct source *)arg)->options;
    return options->is_wanted(options->arg, ticket);
}

static void on_status(void *arg, const struct source_status *status)
{
    struct source *source = arg;
    *source->counters.outbox_pending = status->outbox_pending;
    *source->counters.oldest_pending = status->oldest_pending_seconds;
    *source->counters.feed_rows = status->feed_rows;
    *source->counters.lost_events = status->lost_events;
    *source->counters.queue_usage = status->notify_queue_usage;
    *source->counters.rules_bad = status->rules_bad;
    source->options.on_status(source->options.arg, status);
}

/* --- questions ---------------------------------------------------------------------------- */

bool source_replay(struct source *source, uint64_t ticket, const char *company, int64_t after,
                   int max_rows)
{
    return ask_replay(source->ask, ticket, company, after, max_rows);
}

bool source_may_join(struct source *source, uint64_t ticket, const char *company,
                     const char *claims, const char *room)
{
    return ask_may_join(source->ask, ticket, company, claims, room);
}

/* --- life --------------------------------------------------------------------------------- */

static void make_links(struct source *source)
{
    const struct source_options *o = &source->options;
    struct link_options options = {.loop = o->loop,
                                   .url = o->url,
                                   .reconnect_min_ms = o->reconnect_min_ms,
                                   .reconnect_max_ms = o->reconnect_max_ms,
                                   .statement_timeout_ms = o->statement_timeout_ms,
                                   .durations = source->counters.durations,
                                   .arg = source};
    options.on_open = on_ask_open;
    options.on_lost = on_ask_lost;
    source->ask_link = link_new(&options);
    options.on_open = on_feed_open;
    options.on_lost = on_feed_lost;
    options.on_notify = on_notify;
    source->feed_link = link_new(&options);
    source->greet = (struct greet){.link = source->feed_link,
                                   .listen = source->listen,
                                   .arg = source,
                                   .on_greeted = on_greeted};
}

static void make_readers(struct source *source)
{
    const struct source_options *o = &source->options;
    const struct counters *c = &source->counters;
    source->feed = feed_new(&(struct feed_options){.loop = o->loop,
                                                   .link = source->feed_link,
                                                   .busy_poll_ms = o->busy_poll_ms,
                                                   .safety_poll_ms = o->safety_poll_ms,
                                                   .batch_rows = o->batch_rows,
                                                   .received = c->received,
                                                   .invalid = c->invalid,
                                                   .empty_bells = c->empty_bells,
                                                   .awake = c->awake,
                                                   .arg = source,
                                                   .on_epoch = on_epoch,
                                                   .on_hole = on_hole,
                                                   .on_events = on_events});
    source->ask = ask_new(&(struct ask_options){.loop = o->loop,
                                                .link = source->ask_link,
                                                .timeout_ms = o->statement_timeout_ms,
                                                .invalid = c->invalid,
                                                .waiting = c->waiting,
                                                .arg = source,
                                                .is_wanted = is_wanted,
                                                .on_replay = on_replay,
                                                .on_may_join = on_may_join,
                                                .on_status = on_status});
}

struct source *source_new(const struct source_options *options, struct err *err)
{
    if (!link_check_url(options->url, err))
        return NULL;
    struct listen *listen = listen_new(options->channels, options->channel_count, err);
    if (!listen)
        return NULL;
    struct source *source = mem_new(sizeof *source);
    source->options = *options;
    source->listen = listen;
    register_metrics(&source->counters, options->metrics);
    make_links(source);
    make_readers(source);
    source->options.url = NULL; /* borrowed no longer: the links and `listen` have copies */
    source->options.channels = NULL;
    return source;
}

void source_start(struct source *source)
{
    link_start(source->feed_link);
    link_start(source->ask_link);
}

void source_free(struct source *source)
{
    if (!source)
        return;
    link_free(source->feed_link);
    link_free(source->ask_link);
    feed_free(source->feed);
    ask_free(source->ask);
    listen_free(source->listen);
    free(source);
}

bool source_is_up(const struct source *source)
{
    return source->up;
}
