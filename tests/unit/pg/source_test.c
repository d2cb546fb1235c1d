/* The source against a real PostgreSQL, in a throw-away cluster; a fresh database for each test. */
#include "pg/source.h"

#include "base/clock.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <libpq-fe.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATIENCE_MS = 20000, SEQS_MAX = 20000, NAME_MAX_BYTES = 64, BUSY_MS = 4, TICKETS_MAX = 64 };

/* --- the cluster -------------------------------------------------------------------------- */

static char cluster_dir[] = "/tmp/vigie-pg-XXXXXX";
static int databases;

static void cluster(const char *verb, const char *dir, const char *argument)
{
    char command[1024];
    snprintf(command, sizeof command, "'%s/scripts/lib/cluster' %s '%s' %s", TEST_PROJECT, verb,
             dir, argument);
    if (system(command) != 0)
        fail_msg("%s", command);
}

static int start_cluster(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(cluster_dir));
    assert_int_equal(chmod(cluster_dir, 0755), 0);
    cluster("start", cluster_dir, "");
    cluster("migrate", cluster_dir, "app");
    return 0;
}

static void remove_dir(const char *dir)
{
    char command[256];
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    assert_int_equal(system(command), 0);
}

static int stop_cluster(void **state)
{
    (void)state;
    cluster("stop", cluster_dir, "");
    remove_dir(cluster_dir);
    return 0;
}

static PGconn *dba(const char *database)
{
    char url[256];
    snprintf(url, sizeof url, "host=%s user=postgres dbname=%s", cluster_dir, database);
    PGconn *conn = PQconnectdb(url);
    if (PQstatus(conn) != CONNECTION_OK)
        fail_msg("%s", PQerrorMessage(conn));
    return conn;
}

/* Runs SQL and gives the first value as a number. */
static int64_t run(PGconn *conn, const char *format, ...)
{
    char sql[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(sql, sizeof sql, format, args);
    va_end(args);
    PGresult *result = PQexec(conn, sql);
    if (PQresultStatus(result) != PGRES_TUPLES_OK && PQresultStatus(result) != PGRES_COMMAND_OK)
        fail_msg("%s: %s", sql, PQresultErrorMessage(result));
    int64_t value = PQntuples(result) > 0 ? strtoll(PQgetvalue(result, 0, 0), NULL, 10) : 0;
    PQclear(result);
    return value;
}

/* --- a story: one bridge, one DBA, one database ------------------------------------------- */

struct story {
    char database[NAME_MAX_BYTES];
    char url[256];
    PGconn *dba;
    struct loop *loop;
    struct metrics *metrics;
    struct source *source;

    int ups;
    int downs;
    int statuses;
    int holes;
    char why[1024];
    char epoch[80];
    int64_t position;
    int64_t seqs[SEQS_MAX];
    size_t count;
    size_t batches;
    char payload[256];

    bool inside; /* of a question: no answer may come */
    int replays;
    bool replay_ok;
    size_t replay_count;
    int64_t replay_upto;
    int64_t replay_floor;
    int joins;
    int allowed;
    int unknown;
    uint64_t ticket;
    uint64_t tickets[TICKETS_MAX]; /* of all answers, in the order they came */
    size_t ticket_count;
    uint64_t unwanted; /* 0: all are wanted */

    bool (*done)(const struct story *story);
    int64_t goal;
    int64_t deadline_ms;
    bool timed_out;
};

static int64_t on_up(void *arg, const struct source_hello *hello)
{
    struct story *story = arg;
    if (strcmp(story->epoch, hello->epoch) != 0)
        story->position = hello->last_seq;
    snprintf(story->epoch, sizeof story->epoch, "%s", hello->epoch);
    story->ups++;
    return story->position;
}

static void on_down(void *arg, const char *why)
{
    struct story *story = arg;
    story->downs++;
    snprintf(story->why, sizeof story->why, "%s", why);
}

static void on_events(void *arg, struct event **events, size_t count, int64_t position)
{
    struct story *story = arg;
    story->batches++;
    for (size_t i = 0; i < count; i++) {
        assert_true(story->count < SEQS_MAX);
        story->seqs[story->count++] = events[i]->seq;
        snprintf(story->payload, sizeof story->payload, "%s", events[i]->payload);
        assert_true(events[i]->seq > story->position);
        story->position = events[i]->seq;
    }
    assert_true(position >= story->position);
    story->position = position;
}

static void on_hole(void *arg, int64_t upto)
{
    struct story *story = arg;
    assert_true(upto > story->position);
    story->position = upto;
    story->holes++;
}

static void on_status(void *arg, const struct source_status *status)
{
    struct story *story = arg;
    assert_true(status->notify_queue_usage >= 0);
    story->statuses++;
}

static void note_answer(struct story *story, uint64_t ticket)
{
    assert_false(story->inside);
    story->ticket = ticket;
    if (story->ticket_count < TICKETS_MAX)
        story->tickets[story->ticket_count++] = ticket;
}

static void on_replay(void *arg, uint64_t ticket, const struct source_replay *replay)
{
    struct story *story = arg;
    note_answer(story, ticket);
    story->replays++;
    story->replay_ok = replay->ok;
    story->replay_count = replay->count;
    story->replay_upto = replay->upto;
    story->replay_floor = replay->floor_seq;
    for (size_t i = 0; i < replay->count; i++)
        assert_string_equal(replay->events[i]->company, "42");
}

static void on_may_join(void *arg, uint64_t ticket, enum permission permission)
{
    struct story *story = arg;
    note_answer(story, ticket);
    story->joins++;
    story->allowed += permission == PERMISSION_ALLOWED;
    story->unknown += permission == PERMISSION_UNKNOWN;
}

static bool is_wanted(void *arg, uint64_t ticket)
{
    return ticket == 0 || ticket != ((struct story *)arg)->unwanted;
}

static struct source_options options_of(struct story *story)
{
    static const char *const channels[] = {"vigie_devis", "vigie_Odd \"name\"", "vigie_devis"};
    return (struct source_options){.loop = story->loop,
                                   .metrics = story->metrics,
                                   .url = story->url,
                                   .channels = channels,
                                   .channel_count = 3,
                                   .reconnect_min_ms = 5,
                                   .reconnect_max_ms = 50,
                                   .safety_poll_ms = 500,
                                   .busy_poll_ms = BUSY_MS,
                                   .statement_timeout_ms = 1000,
                                   .batch_rows = 50,
                                   .arg = story,
                                   .on_up = on_up,
                                   .on_down = on_down,
                                   .on_hole = on_hole,
                                   .on_events = on_events,
                                   .on_status = on_status,
                                   .on_replay = on_replay,
                                   .on_may_join = on_may_join,
                                   .is_wanted = is_wanted};
}

static struct story *begin_url(const char *database, const char *url)
{
    struct story *story = mem_new(sizeof *story);
    snprintf(story->database, sizeof story->database, "%s", database);
    snprintf(story->url, sizeof story->url, "%s", url);
    story->dba = dba(database);
    story->loop = loop_new();
    story->metrics = metrics_new();
    return story;
}

static void dial(struct story *story, struct source_options options)
{
    struct err err = {0};
    story->source = source_new(&options, &err);
    if (!story->source)
        fail_msg("%s", err.text);
    source_start(story->source);
}

/* A database of its own, with the event log, and a source that is not yet dialled. */
static struct story *begin(void)
{
    char name[32];
    char url[256];
    snprintf(name, sizeof name, "t%d", ++databases);
    snprintf(url, sizeof url, "postgresql://vigie_bridge@/%s?host=%s", name, cluster_dir);
    PGconn *conn = dba("postgres");
    run(conn, "CREATE DATABASE %s TEMPLATE app", name);
    PQfinish(conn);
    return begin_url(name, url);
}

static void end(struct story *story)
{
    source_free(story->source);
    PQfinish(story->dba);
    loop_free(story->loop);
    metrics_free(story->metrics);
    free(story);
}

static void look_at_story(void *arg)
{
    struct story *story = arg;
    story->timed_out = clock_mono_ms() > story->deadline_ms;
    if (story->timed_out || story->done(story))
        loop_stop(story->loop);
}

/* Lets the bridge run until `done`, which is the only way that a test waits. */
static void wait_until(struct story *story, bool (*done)(const struct story *), int64_t goal,
                       const char *what)
{
    story->done = done;
    story->goal = goal;
    story->deadline_ms = clock_mono_ms() + PATIENCE_MS;
    struct loop_timer *timer = loop_timer_new(story->loop, look_at_story, story);
    loop_timer_start(timer, 0, 1);
    loop_run(story->loop);
    loop_timer_free(timer);
    if (story->timed_out)
        fail_msg("waited in vain for: %s (goal %" PRId64 ", ups %d, downs %d, count %zu, why %s)",
                 what, goal, story->ups, story->downs, story->count, story->why);
}

#define UNTIL(story, predicate, goal) wait_until(story, predicate, goal, #predicate)

static bool ups(const struct story *story)
{
    return story->ups >= story->goal;
}

static bool downs(const struct story *story)
{
    return story->downs >= story->goal;
}

static bool count(const struct story *story)
{
    return (int64_t)story->count >= story->goal;
}

static bool replays(const struct story *story)
{
    return story->replays >= story->goal;
}

static bool joins(const struct story *story)
{
    return story->joins >= story->goal;
}

static bool statuses(const struct story *story)
{
    return story->statuses >= story->goal;
}

static double metric(const struct story *story, const char *line_start)
{
    struct buf text;
    buf_init(&text, 1 << 20);
    metrics_print(story->metrics, &text);
    char needle[128];
    snprintf(needle, sizeof needle, "\n%s ", line_start);
    const char *at = text.bytes ? strstr(text.bytes, needle) : NULL;
    if (!at) {
        fail_msg("no metric %s", line_start);
        return 0;
    }
    double value = strtod(at + strlen(needle), NULL);
    buf_free(&text);
    return value;
}

static int64_t bell_holders(const struct story *story)
{
    return run(story->dba,
               "SELECT count(*) FROM pg_locks JOIN pg_stat_activity a USING (pid)"
               " WHERE locktype = 'advisory' AND mode = 'ExclusiveLock' AND granted"
               " AND a.datname = '%s' AND a.application_name = 'vigie'",
               story->database);
}

static bool asleep(const struct story *story)
{
    return bell_holders(story) == 1;
}

static bool lock_is_free(const struct story *story)
{
    return bell_holders(story) == 0;
}

static bool is_awake(const struct story *story)
{
    return metric(story, "vigie_db_awake") == 1;
}

static bool empty_bells(const struct story *story)
{
    return metric(story, "vigie_db_empty_bells_total") >= (double)story->goal;
}

static bool ask_is_up(const struct story *story)
{
    return metric(story, "vigie_db_connected{conn=\"ask\"}") == 1;
}

/* An event of company 42, as a trigger of a business table emits it. */
static void emit(PGconn *conn, int id)
{
    run(conn,
        "SELECT vigie.emit('vigie_devis', 'devis:created',"
        " ARRAY[ROW('42', ARRAY['company:42', 'devis:%d'], '{\"id\":%d}')::vigie.item])",
        id, id);
}

static void terminate_bridges(const struct story *story, const char *query_like)
{
    assert_true(run(story->dba,
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                    " WHERE datname = '%s' AND application_name = 'vigie' AND query LIKE '%s'",
                    story->database, query_like) > 0);
}

static void assert_each_once_in_order(const struct story *story, size_t expected)
{
    assert_int_equal(story->count, expected);
    for (size_t i = 0; i < expected; i++)
        assert_int_equal(story->seqs[i], story->seqs[0] + (int64_t)i);
}

/* --- events ------------------------------------------------------------------------------- */

static void events_come_in_order_each_once(void **state)
{
    (void)state;
    struct story *story = begin();
    dial(story, options_of(story));
    UNTIL(story, asleep, 0);
    for (int id = 1; id <= 20; id++) {
        emit(story->dba, id);
        UNTIL(story, count, id);
    }
    run(story->dba, "SELECT vigie.emit('vigie_devis', 'devis:created', array_agg(ROW('42',"
                    " ARRAY['company:42'], '{}')::vigie.item)) FROM generate_series(1, 777)");
    UNTIL(story, count, 797);
    assert_each_once_in_order(story, 797);
    assert_int_equal(story->ups, 1);
    assert_int_equal(story->downs, 0);
    end(story);
}

static void an_event_keeps_its_payload_and_rooms(void **state)
{
    (void)state;
    struct story *story = begin();
    dial(story, options_of(story));
    UNTIL(story, ups, 1);
    run(story->dba,
        "SELECT vigie.emit('vigie_devis', 'devis:created', ARRAY[ROW('42',"
        " ARRAY['company:42'], '{\"id\": 7, \"clientName\": \"Zo\u00eb\"}')::vigie.item])");
    UNTIL(story, count, 1);
    assert_string_equal(story->payload, "{\"id\": 7, \"clientName\": \"Zo\u00eb\"}");
    end(story);
}

static void events_before_the_first_connection_are_history(void **state)
{
    (void)state;
    struct story *story = begin();
    emit(story->dba, 1);
    run(story->dba, "SELECT vigie.advance()");
    dial(story, options_of(story));
    UNTIL(story, asleep, 0);
    emit(story->dba, 2);
    UNTIL(story, count, 1);
    assert_string_equal(story->payload, "{\"id\":2}");
    assert_int_equal(story->count, 1);
    end(story);
}

static void a_rolled_back_event_never_comes(void **state)
{
    (void)state;
    struct story *story = begin();
    dial(story, options_of(story));
    UNTIL(story, asleep, 0);
    run(story->dba, "BEGIN");
    emit(story->dba, 1);
    run(story->dba, "ROLLBACK");
    emit(story->dba, 2);
    UNTIL(story, count, 1);
    assert_string_equal(story->payload, "{\"id\":2}");
    end(story);
}

static void a_late_commit_comes_after_what_overtook_it(void **state)
{
    (void)state;
    struct story *story = begin();
    PGconn *slow = dba(story->database);
    dial(story, options_of(story));
    UNTIL(story, asleep, 0);
    run(slow, "BEGIN");
    emit(slow, 1);
    emit(story->dba, 2);
    UNTIL(story, count, 1);
    assert_string_equal(story->payload, "{\"id\":2}");
    run(slow, "COMMIT");
    UNTIL(story, count, 2);
    assert_string_equal(story->payload, "{\"id\":1}");
    assert_each_once_in_order(story, 2);
    PQfinish(slow);
    end(story);
}

static void a_row_that_is_no_event_is_left_out_and_counted(void **state)
{
    (void)state;
    struct story *story = begin();
    dial(story, options_of(story));
    UNTIL(story, asleep, 0);
    run(story->dba, "INSERT INTO vigie.outbox (slot, company, channel, event, rooms, payload)"
                    " SELECT outbox_slot, '42', 'vigie_devis', 'devis:created', '{}', '{}'"
                    "   FROM vigie.gate");
    emit(story->dba, 2);
    UNTIL(story, count, 1);
    assert_int_equal(metric(story, "vigie_events_invalid_total"), 1);
    assert_int_equal(metric(story, "vigie_events_received_total"), 1);
    assert_string_equal(story->payload, "{\"id\":2}");
    end(story);
}

/* --- losing the database ------------------------------------------------------------------ */

static void positions_that_are_gone_are_told_before_what_comes_after_them(void **state)
{
    (void)state;
    struct story *story = begin();
    dial(story, options_of(story));
    UNTIL(story, asleep, 0);
    emit(story->dba, 1);
    UNTIL(story, count, 1);
    assert_int_equal(story->holes, 0);
    run(story->dba, "UPDATE vigie.tick SET last_seq = last_seq + 5"
                    " WHERE tick_id = (SELECT max(tick_id) FROM vigie.tick)");
    emit(story->dba, 2);
    UNTIL(story, count, 2);
    assert_int_equal(story->holes, 1);
    assert_int_equal(story->seqs[1], story->seqs[0] + 6);
    end(story);
}

static void nothing_is_lost_when_the_backend_is_terminated(void **state)
{
    (void)state;
    struct story *story = begin();
    dial(story, options_of(story));
    UNTIL(story, asleep, 0);
    for (int round = 1; round <= 5; round++) {
        emit(story->dba, 2 * round - 1);
        terminate_bridges(story, "%");
        emit(story->dba, 2 * round);
        UNTIL(story, downs, round);
        UNTIL(story, count, (int64_t)2 * round);
    }
    assert_each_once_in_order(story, 10);
    assert_non_null(strstr(story->why, "terminat"));
    assert_true(metric(story, "vigie_db_reconnects_total{conn=\"feed\"}") >= 5);
    end(story);
}

static void nothing_is_lost_when_postgresql_crashes(void **state)
{
    (void)state;
    struct story *story = begin();
    dial(story, options_of(story));
    UNTIL(story, asleep, 0);
    emit(story->dba, 1);
    UNTIL(story, count, 1);
    cluster("stop", cluster_dir, "");
    UNTIL(story, downs, 3); /* the loss, and tries that find nobody */
    assert_false(source_is_up(story->source));
    cluster("resume", cluster_dir, "");
    UNTIL(story, ups, 2);
    PQfinish(story->dba);
    story->dba = dba(story->database);
    emit(story->dba, 2);
    UNTIL(story, count, 2);
    assert_each_once_in_order(story, 2);
    end(story);
}

static void a_new_epoch_is_told_with_the_next_connection(void **state)
{
    (void)state;
    struct story *story = begin();
    dial(story, options_of(story));
    UNTIL(story, asleep, 0);
    char before[80];
    snprintf(before, sizeof before, "%s", story->epoch);
    run(story->dba, "SELECT vigie.new_epoch()");
    terminate_bridges(story, "%");
    UNTIL(story, ups, 2);
    assert_string_not_equal(story->epoch, before);
    end(story);
}

/* --- what a database can lack ------------------------------------------------------------- */

static void add_to_url(struct story *story, const char *more)
{
    size_t len = strlen(story->url);
    snprintf(story->url + len, sizeof story->url - len, "%s", more);
}

static void expect_refusal(struct story *story, const char *piece)
{
    dial(story, options_of(story));
    UNTIL(story, downs, 2); /* it goes on trying */
    assert_int_equal(story->ups, 0);
    assert_false(source_is_up(story->source));
    assert_non_null(strstr(story->why, piece));
    end(story);
}

static struct story *begin_at(const char *database, const char *host, const char *user)
{
    char url[256];
    snprintf(url, sizeof url, "postgresql://%s@/%s?host=%s", user, database, host);
    return begin_url(database, url);
}

static void a_database_without_the_schema_is_refused(void **state)
{
    (void)state;
    expect_refusal(begin_at("postgres", cluster_dir, "vigie_bridge"), "schema vigie is missing");
}

static void another_version_of_the_schema_is_refused(void **state)
{
    (void)state;
    struct story *story = begin();
    run(story->dba, "UPDATE vigie.config SET value = '2' WHERE name = 'schema_version'");
    expect_refusal(story, "version 2");
}

static void a_role_without_rights_is_refused(void **state)
{
    (void)state;
    struct story *story = begin();
    run(story->dba, "CREATE ROLE stranger LOGIN");
    snprintf(story->url, sizeof story->url, "postgresql://stranger@/%s?host=%s", story->database,
             cluster_dir);
    expect_refusal(story, "our role may not call the schema vigie");
}

static void a_wrong_role_is_refused_by_its_name(void **state)
{
    (void)state;
    expect_refusal(begin_at("postgres", cluster_dir, "nobody_here"), "nobody_here");
}

static void a_server_that_is_away_is_told(void **state)
{
    (void)state;
    expect_refusal(begin_at("postgres", "/nonexistent", "vigie_bridge"), "No such file");
}

static void a_session_that_does_not_keep_listen_is_taken_for_a_pooler(void **state)
{
    (void)state;
    struct story *story = begin();
    run(story->dba, "SET allow_system_table_mods = on");
    run(story->dba, "CREATE OR REPLACE FUNCTION pg_catalog.pg_listening_channels()"
                    " RETURNS SETOF text LANGUAGE sql STABLE AS 'SELECT ''x'' WHERE false'");
    expect_refusal(story, "pooler");
}

/* Answers every connection as pgbouncer does to a startup packet with options. */
static pid_t start_pgbouncer_like(int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *port = ntohs(address.sin_port);
    pid_t pid = fork();
    if (pid != 0) {
        close(fd);
        return pid;
    }
    static const char fields[] =
        "SFATAL\0C08P01\0Munsupported startup parameter: options\0"; /* and the literal's own NUL */
    for (;;) {
        int peer = accept(fd, NULL, NULL);
        char packet[4096];
        uint32_t len = htonl((uint32_t)(4 + sizeof fields));
        if (read(peer, packet, sizeof packet) <= 0 || write(peer, "E", 1) != 1 ||
            write(peer, &len, 4) != 4 || write(peer, fields, sizeof fields) < 0)
            _exit(1);
        close(peer);
    }
}

static void pgbouncers_refusal_is_taken_for_a_pooler(void **state)
{
    (void)state;
    int port;
    pid_t pid = start_pgbouncer_like(&port);
    char url[256];
    snprintf(url, sizeof url, "postgresql://u@127.0.0.1:%d/app?sslmode=disable", port);
    expect_refusal(begin_url("postgres", url), "unsupported startup parameter");
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static char standby_dir[] = "/tmp/vigie-standby-XXXXXX";

static int start_standby(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(standby_dir));
    assert_int_equal(chmod(standby_dir, 0755), 0);
    cluster("standby", standby_dir, cluster_dir);
    return 0;
}

static int stop_standby(void **state)
{
    (void)state;
    cluster("stop", standby_dir, "");
    remove_dir(standby_dir);
    return 0;
}

static void a_standby_is_refused_however_it_is_dialled(void **state)
{
    (void)state;
    const char *dir = standby_dir;
    expect_refusal(begin_at("postgres", dir, "vigie_bridge"), "hot standby");
    struct story *any = begin_at("postgres", dir, "vigie_bridge");
    add_to_url(any, "&target_session_attrs=any");
    expect_refusal(any, "this server is a standby");

    struct story *both = begin();
    snprintf(both->url, sizeof both->url, "host=%s,%s dbname=%s user=vigie_bridge", dir,
             cluster_dir, both->database);
    dial(both, options_of(both));
    UNTIL(both, ups, 1); /* of several it takes the primary */
    end(both);
}

static void the_password_is_never_told(void **state)
{
    (void)state;
    struct story *story = begin_at("postgres", cluster_dir, "vigie_bridge");
    struct err err = {0};
    struct source_options options = options_of(story);
    options.url = "host=/tmp password=hush hush2 dbname=app";
    assert_null(source_new(&options, &err));
    assert_null(strstr(err.text, "hush"));
    assert_true(*err.text);
    options.url = "postgresql://u:hu%zzsh@/app";
    assert_null(source_new(&options, &err));
    assert_null(strstr(err.text, "hu%"));
    end(story);
}

static void a_channel_that_postgresql_would_cut_is_refused(void **state)
{
    (void)state;
    struct story *story = begin_at("postgres", cluster_dir, "vigie_bridge");
    char name[65];
    memset(name, 'x', sizeof name - 1);
    name[64] = '\0';
    const char *channels[] = {name};
    struct source_options options = options_of(story);
    options.channels = channels;
    options.channel_count = 1;
    struct err err = {0};
    assert_null(source_new(&options, &err));
    assert_non_null(strstr(err.text, "64 bytes"));
    name[63] = '\0';
    struct source *source = source_new(&options, &err);
    assert_non_null(source);
    source_free(source);
    end(story);
}

/* --- bells -------------------------------------------------------------------------------- */

static void a_forged_bell_costs_a_look_and_shows_nothing(void **state)
{
    (void)state;
    struct story *story = begin();
    dial(story, options_of(story));
    UNTIL(story, asleep, 0);
    for (int i = 1; i <= 3; i++) {
        run(story->dba, "NOTIFY vigie_devis, 'forged'");
        UNTIL(story, empty_bells, i);
    }
    assert_int_equal(story->count, 0);
    assert_int_equal(story->batches, 0);
    assert_int_equal(metric(story, "vigie_db_notifications_total"), 3);
    end(story);
}

static void our_own_bell_for_other_bridges_is_not_heard(void **state)
{
    (void)state;
    struct story *story = begin();
    dial(story, options_of(story));
    UNTIL(story, asleep, 0);
    for (int id = 1; id <= 3; id++) { /* few enough to stay asleep */
        emit(story->dba, id);
        UNTIL(story, count, id);
    }
    run(story->dba, "UPDATE vigie.gate SET bell = false");
    emit(story->dba, 4);
    UNTIL(story, count, 4); /* by the safety look: whatever rang before has come */
    assert_int_equal(metric(story, "vigie_db_notifications_total"), 3);
    end(story);
}

static void without_any_bell_the_safety_look_finds_the_event(void **state)
{
    (void)state;
    struct story *story = begin();
    run(story->dba, "UPDATE vigie.gate SET bell = false");
    dial(story, options_of(story));
    UNTIL(story, asleep, 0);
    emit(story->dba, 1);
    UNTIL(story, count, 1);
    assert_int_equal(metric(story, "vigie_db_notifications_total"), 0);
    end(story);
}

static void under_load_the_bell_falls_silent_and_comes_back(void **state)
{
    (void)state;
    struct story *story = begin();
    dial(story, options_of(story));
    UNTIL(story, asleep, 0);
    int id = 0;
    while (!is_awake(story) && id < 2000) {
        emit(story->dba, ++id);
        UNTIL(story, count, id);
    }
    assert_true(is_awake(story));
    assert_true(lock_is_free(story));
    run(story->dba, "BEGIN"); /* its shared lock keeps the bridge awake */
    emit(story->dba, ++id);
    double rang = -1;
    for (int i = 0; i < 20; i++) {
        PGconn *writer = dba(story->database);
        emit(writer, ++id);
        PQfinish(writer);
        UNTIL(story, count, id - 1);
        if (rang < 0) /* what rang before it was awake has come before this event */
            rang = metric(story, "vigie_db_notifications_total");
    }
    assert_true(is_awake(story));
    assert_true(metric(story, "vigie_db_notifications_total") == rang);
    run(story->dba, "COMMIT");
    UNTIL(story, count, id);
    UNTIL(story, asleep, 0);
    emit(story->dba, ++id);
    UNTIL(story, count, id);
    assert_each_once_in_order(story, (size_t)id);
    end(story);
}

static void two_bridges_both_get_everything_and_one_takes_over(void **state)
{
    (void)state;
    struct story *first = begin();
    dial(first, options_of(first));
    UNTIL(first, asleep, 0);
    struct story *second = begin_url(first->database, first->url);
    loop_free(second->loop);
    second->loop = first->loop;
    dial(second, options_of(second));
    second->done = ups;
    UNTIL(first, asleep, 0);
    wait_until(second, ups, 1, "second up");
    for (int id = 1; id <= 10; id++) {
        emit(first->dba, id);
        UNTIL(first, count, id);
        UNTIL(second, count, id);
    }
    source_free(first->source);
    first->source = NULL;
    for (int id = 11; id <= 15; id++) {
        emit(first->dba, id);
        UNTIL(second, count, id);
    }
    UNTIL(second, asleep, 0);
    assert_each_once_in_order(first, 10);
    assert_each_once_in_order(second, 15);
    source_free(second->source);
    second->source = NULL;
    second->loop = loop_new();
    end(first);
    end(second);
}

/* --- questions ---------------------------------------------------------------------------- */

static bool ask_join_of(struct story *story, uint64_t ticket, const char *company)
{
    story->inside = true;
    bool asked = source_may_join(story->source, ticket, company,
                                 "{\"company\":\"42\",\"user\":\"u7\",\"role\":\"admin\"}",
                                 "conversation:9");
    story->inside = false;
    return asked;
}

static bool ask_join(struct story *story, uint64_t ticket)
{
    return ask_join_of(story, ticket, "42");
}

static bool ask_replay(struct story *story, uint64_t ticket, int64_t after, int max_rows)
{
    story->inside = true;
    bool asked = source_replay(story->source, ticket, "42", after, max_rows);
    story->inside = false;
    return asked;
}

static void a_replay_gives_one_companys_events_and_how_far_it_went(void **state)
{
    (void)state;
    struct story *story = begin();
    for (int id = 1; id <= 5; id++)
        emit(story->dba, id);
    run(story->dba, "SELECT vigie.emit('vigie_devis', 'devis:created', ARRAY[ROW('43',"
                    " ARRAY['company:43'], '{}')::vigie.item])");
    run(story->dba, "SELECT vigie.advance()");
    dial(story, options_of(story));
    assert_true(ask_replay(story, 7, 0, 3)); /* before the connection: it waits */
    UNTIL(story, replays, 1);
    assert_true(story->replay_ok && story->ticket == 7);
    assert_int_equal(story->replay_count, 3);
    assert_int_equal(story->replay_upto, 3);
    assert_true(ask_replay(story, 8, 3, 10));
    UNTIL(story, replays, 2);
    assert_int_equal(story->replay_count, 2);
    assert_int_equal(story->replay_upto, 6);
    assert_true(ask_replay(story, 9, 6, 10));
    UNTIL(story, replays, 3);
    assert_true(story->replay_ok);
    assert_int_equal(story->replay_count, 0);
    assert_int_equal(story->replay_upto, 6);
    assert_int_equal(story->replay_floor, 0);
    end(story);
}

static void may_join_is_false_until_the_dba_says_otherwise(void **state)
{
    (void)state;
    struct story *story = begin();
    dial(story, options_of(story));
    assert_true(ask_join(story, 1));
    UNTIL(story, joins, 1);
    assert_int_equal(story->allowed, 0);
    run(story->dba,
        "CREATE OR REPLACE FUNCTION vigie.may_join(claims jsonb, room text) RETURNS boolean"
        " LANGUAGE sql AS $$ SELECT claims->>'user' = 'u7' AND room = 'conversation:9' $$");
    assert_true(ask_join(story, 2));
    UNTIL(story, joins, 2);
    assert_int_equal(story->allowed, 1);
    assert_int_equal(story->ticket, 2);
    end(story);
}

static void may_join_fails_closed(void **state)
{
    (void)state;
    struct story *story = begin();
    dial(story, options_of(story));
    const char *const bodies[] = {"SELECT NULL::boolean", "SELECT (1 / 0)::int::boolean",
                                  "SELECT true FROM pg_sleep(30)"};
    for (int i = 0; i < 3; i++) {
        run(story->dba,
            "CREATE OR REPLACE FUNCTION vigie.may_join(claims jsonb, room text) RETURNS boolean"
            " LANGUAGE plpgsql AS $f$ BEGIN RETURN (%s); END $f$",
            bodies[i]);
        assert_true(ask_join(story, (uint64_t)i + 1));
        UNTIL(story, joins, i + 1);
    }
    run(story->dba, "DROP FUNCTION vigie.may_join(jsonb, text)");
    assert_true(ask_join(story, 4));
    UNTIL(story, joins, 4);
    story->inside = true;
    assert_true(source_may_join(story->source, 5, "42", "no JSON", "room:1"));
    story->inside = false;
    UNTIL(story, joins, 5);
    assert_int_equal(story->allowed, 0);
    assert_int_equal(story->unknown, 4); /* all but the NULL, which is an answer */
    assert_int_equal(story->downs, 0);
    end(story);
}

static void a_question_under_way_when_the_connection_breaks_is_answered(void **state)
{
    (void)state;
    struct story *story = begin();
    run(story->dba,
        "CREATE OR REPLACE FUNCTION vigie.may_join(claims jsonb, room text) RETURNS boolean"
        " LANGUAGE plpgsql AS $f$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid());"
        " RETURN true; END $f$");
    dial(story, options_of(story));
    UNTIL(story, ask_is_up, 0);
    assert_true(ask_join(story, 1));
    assert_true(ask_replay(story, 2, 0, 10)); /* waits behind, and survives */
    UNTIL(story, joins, 1);
    assert_int_equal(story->unknown, 1);
    UNTIL(story, replays, 1);
    assert_true(story->replay_ok);
    end(story);
}

static void without_a_database_questions_are_answered_in_time(void **state)
{
    (void)state;
    struct story *story = begin_at("postgres", "/nonexistent", "vigie_bridge");
    dial(story, options_of(story));
    int64_t asked_ms = clock_mono_ms();
    assert_true(ask_join(story, 1));
    assert_true(ask_replay(story, 2, 0, 10));
    UNTIL(story, joins, 1);
    UNTIL(story, replays, 1);
    assert_false(story->replay_ok);
    assert_int_equal(story->unknown, 1);
    assert_in_range(clock_mono_ms() - asked_ms, 1000, 5000);
    end(story);
}

static void the_line_of_questions_has_an_end(void **state)
{
    (void)state;
    struct story *story = begin_at("postgres", "/nonexistent", "vigie_bridge");
    dial(story, options_of(story));
    for (int i = 0; i < SOURCE_QUESTIONS_MAX; i++) {
        char company[8];
        snprintf(company, sizeof company, "%d", i / SOURCE_COMPANY_QUESTIONS_MAX);
        assert_true(ask_join_of(story, 1, company));
    }
    assert_false(ask_join_of(story, 1, "another"));
    assert_true(ask_replay(story, 2, 0, 10)); /* a line of its own */
    UNTIL(story, joins, SOURCE_QUESTIONS_MAX);
    assert_true(ask_join(story, 1));
    end(story);
}

static void one_company_cannot_fill_the_line(void **state)
{
    (void)state;
    struct story *story = begin_at("postgres", "/nonexistent", "vigie_bridge");
    dial(story, options_of(story));
    for (int i = 0; i < SOURCE_COMPANY_QUESTIONS_MAX; i++)
        assert_true(ask_join(story, 1));
    assert_false(ask_join(story, 1));
    assert_true(ask_join_of(story, 1, "43"));
    assert_int_equal(metric(story, "vigie_db_questions_waiting{line=\"permission\"}"),
                     SOURCE_COMPANY_QUESTIONS_MAX + 1);
    end(story);
}

static void assert_answered(const struct story *story, const uint64_t *tickets, size_t count)
{
    assert_int_equal(story->ticket_count, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(story->tickets[i], tickets[i]);
}

static void let_joins_take(const struct story *story, const char *seconds)
{
    run(story->dba,
        "CREATE OR REPLACE FUNCTION vigie.may_join(claims jsonb, room text) RETURNS boolean"
        " LANGUAGE sql AS $$ SELECT true FROM pg_sleep(%s) $$",
        seconds);
}

static void a_replay_goes_before_permissions_and_these_get_on(void **state)
{
    static const uint64_t expected[] = {1, 5, 6, 2, 7, 3, 4};
    (void)state;
    struct story *story = begin();
    let_joins_take(story, "0.05");
    dial(story, options_of(story));
    UNTIL(story, statuses, 1);
    for (uint64_t ticket = 1; ticket <= 4; ticket++)
        assert_true(ask_join(story, ticket));
    assert_true(ask_replay(story, 5, 0, 10));
    assert_true(ask_replay(story, 6, 0, 10));
    UNTIL(story, joins, 2);
    assert_true(ask_replay(story, 7, 0, 10));
    UNTIL(story, joins, 4);
    assert_int_equal(story->allowed, 4);
    /* the third permission may be under way before the last replay is asked */
    if (story->tickets[4] == 3)
        assert_int_equal(story->tickets[5], 7);
    else
        assert_answered(story, expected, 7);
    end(story);
}

/* Upkeep and replays that never end would leave no time for anything else. */
static void replays_without_end_leave_permissions_their_part(void **state)
{
    (void)state;
    struct story *story = begin();
    let_joins_take(story, "0");
    dial(story, options_of(story));
    UNTIL(story, statuses, 1);
    for (uint64_t ticket = 1; ticket <= 3; ticket++)
        assert_true(ask_join(story, ticket));
    for (uint64_t ticket = 10; ticket < 50; ticket++)
        assert_true(ask_replay(story, ticket, 0, 10));
    UNTIL(story, joins, 3);
    assert_in_range(story->replays, 2, 38);
    end(story);
}

static void companies_take_turns(void **state)
{
    static const uint64_t expected[] = {1, 2, 11, 21, 3, 12, 4};
    (void)state;
    struct story *story = begin();
    let_joins_take(story, "0.05");
    dial(story, options_of(story));
    UNTIL(story, statuses, 1);
    for (uint64_t ticket = 1; ticket <= 4; ticket++)
        assert_true(ask_join_of(story, ticket, "42"));
    assert_true(ask_join_of(story, 11, "43"));
    assert_true(ask_join_of(story, 12, "43"));
    assert_true(ask_join_of(story, 21, "44"));
    UNTIL(story, joins, 7);
    assert_answered(story, expected, 7);
    end(story);
}

static void what_nobody_waits_for_is_not_asked(void **state)
{
    (void)state;
    struct story *story = begin();
    run(story->dba, "CREATE TABLE asked (n int); GRANT INSERT ON asked TO vigie_owner");
    run(story->dba,
        "CREATE OR REPLACE FUNCTION vigie.may_join(claims jsonb, room text) RETURNS boolean"
        " LANGUAGE sql SECURITY DEFINER AS $$ INSERT INTO public.asked VALUES (1); SELECT true $$");
    dial(story, options_of(story));
    story->unwanted = 2;
    for (uint64_t ticket = 1; ticket <= 3; ticket++)
        assert_true(ask_join(story, ticket));
    UNTIL(story, joins, 3);
    assert_int_equal(story->allowed, 2);
    assert_int_equal(story->unknown, 1);
    assert_int_equal(run(story->dba, "SELECT count(*) FROM asked"), 2);
    end(story);
}

static void a_slow_question_delays_no_event(void **state)
{
    (void)state;
    struct story *story = begin();
    run(story->dba,
        "CREATE OR REPLACE FUNCTION vigie.may_join(claims jsonb, room text) RETURNS boolean"
        " LANGUAGE sql AS $$ SELECT true FROM pg_sleep(30) $$");
    dial(story, options_of(story));
    UNTIL(story, asleep, 0);
    UNTIL(story, ask_is_up, 0);
    assert_true(ask_join(story, 1));
    emit(story->dba, 1);
    UNTIL(story, count, 1);
    assert_int_equal(story->joins, 0);
    end(story);
}

static void the_state_of_the_database_is_told(void **state)
{
    (void)state;
    struct story *story = begin();
    emit(story->dba, 1);
    run(story->dba, "SELECT vigie.advance()");
    dial(story, options_of(story));
    UNTIL(story, statuses, 1);
    assert_int_equal(metric(story, "vigie_feed_rows"), 1);
    assert_int_equal(metric(story, "vigie_outbox_pending_events"), 0);
    end(story);
}

static void the_session_is_guarded_whatever_the_role_or_the_url_says(void **state)
{
    (void)state;
    struct story *story = begin();
    run(story->dba, "ALTER ROLE vigie_bridge IN DATABASE %s SET statement_timeout = 0",
        story->database);
    add_to_url(story, "&options=-c%20work_mem%3D5MB%20-c%20search_path%3Dpublic");
    run(story->dba,
        "CREATE OR REPLACE FUNCTION vigie.may_join(claims jsonb, room text) RETURNS boolean"
        " LANGUAGE sql AS $$ SELECT current_setting('statement_timeout') = '1s'"
        " AND current_setting('search_path') = 'pg_catalog'"
        " AND current_setting('work_mem') = '5MB'"
        " AND current_setting('client_encoding') = 'UTF8'"
        " AND current_setting('synchronous_commit') = 'on'"
        " AND current_setting('application_name') = 'vigie' $$");
    dial(story, options_of(story));
    assert_true(ask_join(story, 1));
    UNTIL(story, joins, 1);
    assert_int_equal(story->allowed, 1);
    end(story);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* the first: it copies the whole cluster */
        cmocka_unit_test_setup_teardown(a_standby_is_refused_however_it_is_dialled, start_standby,
                                        stop_standby),
        cmocka_unit_test(events_come_in_order_each_once),
        cmocka_unit_test(an_event_keeps_its_payload_and_rooms),
        cmocka_unit_test(events_before_the_first_connection_are_history),
        cmocka_unit_test(a_rolled_back_event_never_comes),
        cmocka_unit_test(a_late_commit_comes_after_what_overtook_it),
        cmocka_unit_test(a_row_that_is_no_event_is_left_out_and_counted),
        cmocka_unit_test(positions_that_are_gone_are_told_before_what_comes_after_them),
        cmocka_unit_test(nothing_is_lost_when_the_backend_is_terminated),
        cmocka_unit_test(nothing_is_lost_when_postgresql_crashes),
        cmocka_unit_test(a_new_epoch_is_told_with_the_next_connection),
        cmocka_unit_test(a_database_without_the_schema_is_refused),
        cmocka_unit_test(another_version_of_the_schema_is_refused),
        cmocka_unit_test(a_role_without_rights_is_refused),
        cmocka_unit_test(a_wrong_role_is_refused_by_its_name),
        cmocka_unit_test(a_server_that_is_away_is_told),
        cmocka_unit_test(a_session_that_does_not_keep_listen_is_taken_for_a_pooler),
        cmocka_unit_test(pgbouncers_refusal_is_taken_for_a_pooler),
        cmocka_unit_test(the_password_is_never_told),
        cmocka_unit_test(a_channel_that_postgresql_would_cut_is_refused),
        cmocka_unit_test(a_forged_bell_costs_a_look_and_shows_nothing),
        cmocka_unit_test(our_own_bell_for_other_bridges_is_not_heard),
        cmocka_unit_test(without_any_bell_the_safety_look_finds_the_event),
        cmocka_unit_test(under_load_the_bell_falls_silent_and_comes_back),
        cmocka_unit_test(two_bridges_both_get_everything_and_one_takes_over),
        cmocka_unit_test(a_replay_gives_one_companys_events_and_how_far_it_went),
        cmocka_unit_test(may_join_is_false_until_the_dba_says_otherwise),
        cmocka_unit_test(may_join_fails_closed),
        cmocka_unit_test(a_question_under_way_when_the_connection_breaks_is_answered),
        cmocka_unit_test(without_a_database_questions_are_answered_in_time),
        cmocka_unit_test(the_line_of_questions_has_an_end),
        cmocka_unit_test(one_company_cannot_fill_the_line),
        cmocka_unit_test(a_replay_goes_before_permissions_and_these_get_on),
        cmocka_unit_test(replays_without_end_leave_permissions_their_part),
        cmocka_unit_test(companies_take_turns),
        cmocka_unit_test(what_nobody_waits_for_is_not_asked),
        cmocka_unit_test(a_slow_question_delays_no_event),
        cmocka_unit_test(the_state_of_the_database_is_told),
        cmocka_unit_test(the_session_is_guarded_whatever_the_role_or_the_url_says),
    };
    return cmocka_run_group_tests(tests, start_cluster, stop_cluster);
}
