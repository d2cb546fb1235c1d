#include "pg/link.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "pg/backoff.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

enum {
    CONNECT_TIMEOUT_MS = 10000, /* for each host, unless the URL says connect_timeout */
    ANSWER_GRACE_MS = 2000,     /* PostgreSQL cancels first; later the network must be dead */
    STEADY_MS = 5000,           /* a connection that lasted so long starts the backoff anew */
    OPTIONS_MAX = 4096,
};

enum link_state {
    LINK_NEW,
    LINK_WAITING,  /* the alarm dials */
    LINK_DIALLING, /* the alarm gives up */
    LINK_OPEN,     /* the alarm is the deadline of the statement under way */
    LINK_LOSING,   /* the alarm, at once, hangs up: not inside the call that noticed */
};

struct link {
    struct link_options options;
    char *url;
    enum link_state state;
    struct loop_timer *alarm;
    PGconn *conn;
    struct loop_fd *watch;
    int wanted; /* of enum loop_io */

    bool busy;
    link_reply_fn *fn;
    void *fn_arg;
    PGresult *result;
    int64_t sent_us;

    unsigned attempt;
    int64_t opened_ms;
    struct loss loss;
    char farewell[REASON_TEXT_MAX]; /* what the server said before it closed */
};

/* --- the URL ------------------------------------------------------------------------------ */

bool link_check_url(const char *url, struct err *err)
{
    char *problem = NULL;
    PQconninfoOption *options = PQconninfoParse(url, &problem);
    if (options) {
        PQconninfoFree(options);
        return true;
    }
    char line[REASON_TEXT_MAX];
    reason_unquoted(line, sizeof line, problem ? problem : "out of memory");
    PQfreemem(problem);
    return err_set(err, "libpq does not understand the database URL: %s", line);
}

/* The URL's own `keyword`, or what libpq takes without one; owned by the caller, "" for none. */
static char *url_value(const char *url, const char *keyword)
{
    char *value = NULL;
    PQconninfoOption *options = PQconninfoParse(url, NULL);
    for (PQconninfoOption *option = options; option && option->keyword; option++) {
        if (strcmp(option->keyword, keyword) == 0)
            value = mem_strdup(option->val);
    }
    PQconninfoFree(options);
    return value ? value : mem_strdup("");
}

/* --- dialling ----------------------------------------------------------------------------- */

/* PostgreSQL's own guards, whatever the role's settings are; they come after the URL's options. */
static void put_session_options(const struct link *link, struct buf *out)
{
    char *given = url_value(link->url, "options");
    const char *environment = getenv("PGOPTIONS");
    buf_str(out, *given || !environment ? given : environment);
    free(given);
    long long ms = (long long)link->options.statement_timeout_ms;
    buf_fmt(out,
            " -c statement_timeout=%lld -c lock_timeout=%lld"
            " -c idle_in_transaction_session_timeout=%lld -c synchronous_commit=on"
            " -c search_path=pg_catalog",
            ms, ms, ms);
}

/* Keywords before `dbname` are ours unless the URL has them; those after it are ours in any case.
 */
static PGconn *start_connection(const struct link *link)
{
    struct buf options;
    buf_init(&options, OPTIONS_MAX);
    put_session_options(link, &options);
    const char *const keywords[] = {"application_name",
                                    "keepalives",
                                    "keepalives_idle",
                                    "keepalives_interval",
                                    "keepalives_count",
                                    "tcp_user_timeout",
                                    "connect_timeout",
                                    "target_session_attrs",
                                    "gssencmode",
                                    "dbname",
                                    "options",
                                    "client_encoding",
                                    NULL};
    const char *const values[] = {"vigie",       "1",    "30",      "10",      "3",
                                  "15000",       "10",   "primary", "disable", link->url,
                                  options.bytes, "UTF8", NULL};
    PGconn *conn = options.overflow ? NULL : PQconnectStartParams(keywords, values, 1);
    buf_free(&options);
    return conn;
}

/* libpq keeps connect_timeout only where it blocks; here it is ours to keep, for each host. */
static int64_t connect_timeout_ms(const struct link *link)
{
    char *given = url_value(link->url, "connect_timeout");
    char *hosts = url_value(link->url, "host");
    long seconds = strtol(given, NULL, 10);
    int64_t count = 1;
    for (const char *at = hosts; *at; at++)
        count += *at == ',';
    free(given);
    free(hosts);
    return count * (seconds > 0 ? seconds * 1000 : CONNECT_TIMEOUT_MS);
}

static void on_notice(void *arg, const PGresult *result)
{
    struct link *link = arg;
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    if (!severity || !text)
        return;
    if (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0)
        reason_line(link->farewell, sizeof link->farewell, text);
    if (strcmp(severity, "WARNING") == 0)
        log_warn("db_notice", LOG_S("sqlstate", result_sqlstate(result)), LOG_S("text", text));
}

static void on_io(void *arg, int io);

static void want(struct link *link, int io)
{
    if (link->wanted == io)
        return;
    link->wanted = io;
    loop_fd_want(link->watch, io);
}

static void watch(struct link *link, int io)
{
    link->watch = loop_fd_new(link->options.loop, PQsocket(link->conn), on_io, link);
    link->wanted = 0;
    want(link, io);
}

static void unwatch(struct link *link)
{
    loop_fd_free(link->watch);
    link->watch = NULL;
}

static void lose_dialling(struct link *link)
{
    const char *text = PQerrorMessage(link->conn);
    char line[REASON_TEXT_MAX];
    reason_line(line, sizeof line, text);
    link_lose(link, reason_of_connect_text(text), "%s", line);
}

static void opened(struct link *link)
{
    loop_timer_stop(link->alarm);
    PQsetErrorVerbosity(link->conn, PQERRORS_DEFAULT);
    if (PQsetnonblocking(link->conn, 1) != 0) {
        lose_dialling(link);
        return;
    }
    link->state = LINK_OPEN;
    link->opened_ms = clock_mono_ms();
    watch(link, LOOP_READ);
    link->options.on_open(link->options.arg);
}

/* Each step may close the socket and open another (next address, next host, no TLS after all),
 * often with the same number: it is never watched across a step. */
static void dial_step(struct link *link)
{
    unwatch(link);
    switch (PQconnectPoll(link->conn)) {
    case PGRES_POLLING_READING:
        watch(link, LOOP_READ);
        return;
    case PGRES_POLLING_WRITING:
        watch(link, LOOP_WRITE);
        return;
    case PGRES_POLLING_OK:
        opened(link);
        return;
    case PGRES_POLLING_FAILED:
    case PGRES_POLLING_ACTIVE:
        lose_dialling(link);
        return;
    }
}

static void dial(struct link *link)
{
    link->state = LINK_DIALLING;
    link->farewell[0] = '\0';
    link->conn = start_connection(link);
    if (!link->conn || PQstatus(link->conn) == CONNECTION_BAD) {
        lose_dialling(link);
        return;
    }
    PQsetErrorVerbosity(link->conn, PQERRORS_VERBOSE); /* it carries the SQLSTATE */
    PQsetNoticeReceiver(link->conn, on_notice, link);
    loop_timer_start(link->alarm, connect_timeout_ms(link), 0);
    watch(link, LOOP_WRITE);
}

/* --- losing ------------------------------------------------------------------------------- */

void link_lose(struct link *link, enum reason reason, const char *format, ...)
{
    if (link->state == LINK_LOSING)
        return; /* the first reason is the true one */
    link->state = LINK_LOSING;
    link->loss.reason = reason;
    va_list args;
    va_start(args, format);
    vsnprintf(link->loss.why, sizeof link->loss.why, format, args);
    va_end(args);
    if (link->watch)
        want(link, 0);
    loop_timer_start(link->alarm, 0, 0);
}

void link_refuse(struct link *link, const PGresult *result, const char *what)
{
    char line[REASON_TEXT_MAX];
    reason_line(line, sizeof line, result_message(result));
    link_lose(link, reason_of_sqlstate(result_sqlstate(result), REASON_QUERY), "%s: %s", what,
              line);
}

static void lose_closed(struct link *link)
{
    char line[REASON_TEXT_MAX];
    reason_line(line, sizeof line, PQerrorMessage(link->conn));
    link_lose(link, REASON_CLOSED, "%s", *link->farewell ? link->farewell : line);
}

static int64_t mono_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static uint64_t random_bits(void)
{
    uint64_t bits = 0;
    while (getrandom(&bits, sizeof bits, 0) < 0 && errno == EINTR)
        ;
    return bits;
}

static void drop_connection(struct link *link)
{
    unwatch(link);
    PQclear(link->result);
    link->result = NULL;
    link->busy = false;
    PQfinish(link->conn);
    link->conn = NULL;
}

static void hang_up(struct link *link)
{
    drop_connection(link);
    int64_t now_ms = clock_mono_ms();
    if (link->opened_ms && now_ms - link->opened_ms >= STEADY_MS)
        link->attempt = 0;
    link->opened_ms = 0;
    link->state = LINK_WAITING;
    loop_timer_start(link->alarm,
                     backoff_ms(link->attempt++, link->options.reconnect_min_ms,
                                link->options.reconnect_max_ms, random_bits()),
                     0);
    link->options.on_lost(link->options.arg, &link->loss);
}

static void on_alarm(void *arg)
{
    struct link *link = arg;
    switch (link->state) {
    case LINK_NEW:
        break;
    case LINK_WAITING:
        dial(link);
        break;
    case LINK_DIALLING:
        link_lose(link, REASON_TIMEOUT, "no answer while connecting");
        break;
    case LINK_OPEN:
        link_lose(link, REASON_TIMEOUT, "a statement was not answered, nor cancelled, in time");
        break;
    case LINK_LOSING:
        hang_up(link);
        break;
    }
}

/* --- talking ------------------------------------------------------------------------------ */

/* Of several results the last counts, but an error stays. */
static void keep(struct link *link, PGresult *result)
{
    if (link->result && !result_ok(link->result)) {
        PQclear(result);
        return;
    }
    PQclear(link->result);
    link->result = result;
}

/* PQgetResult() said NULL: the server is ready for the next statement, this one is over. */
static void complete(struct link *link)
{
    PGresult *result = link->result;
    link->result = NULL;
    link->busy = false;
    loop_timer_stop(link->alarm);
    histogram_add(link->options.durations, (double)(mono_us() - link->sent_us) / 1e6);
    if (PQstatus(link->conn) == CONNECTION_BAD || !result) {
        if (result)
            reason_line(link->farewell, sizeof link->farewell, result_message(result));
        lose_closed(link);
    } else {
        link->fn(link->fn_arg, result);
    }
    PQclear(result);
}

static void take_results(struct link *link)
{
    while (link->state == LINK_OPEN && link->busy && !PQisBusy(link->conn)) {
        PGresult *result = PQgetResult(link->conn);
        if (result)
            keep(link, result);
        else
            complete(link);
    }
}

static void take_notifies(struct link *link)
{
    PGnotify *notify;
    while (link->state == LINK_OPEN && (notify = PQnotifies(link->conn))) {
        if (link->options.on_notify)
            link->options.on_notify(link->options.arg, notify);
        PQfreemem(notify);
    }
}

static void flush(struct link *link)
{
    if (link->state != LINK_OPEN)
        return;
    int rc = PQflush(link->conn);
    if (rc < 0)
        lose_closed(link);
    else
        want(link, LOOP_READ | (rc > 0 ? LOOP_WRITE : 0));
}

static void on_io(void *arg, int io)
{
    struct link *link = arg;
    if (link->state == LINK_DIALLING) {
        dial_step(link);
        return;
    }
    if ((io & LOOP_READ) && !PQconsumeInput(link->conn)) {
        lose_closed(link);
        return;
    }
    take_results(link);
    take_notifies(link);
    flush(link);
}

bool link_open(const struct link *link)
{
    return link->state == LINK_OPEN;
}

bool link_ready(const struct link *link)
{
    return link->state == LINK_OPEN && !link->busy;
}

void link_send(struct link *link, const char *sql, const char *const *values, int count,
               link_reply_fn *fn, void *arg)
{
    assert(link_ready(link));
    link->busy = true;
    link->fn = fn;
    link->fn_arg = arg;
    link->sent_us = mono_us();
    loop_timer_start(link->alarm, link->options.statement_timeout_ms + ANSWER_GRACE_MS, 0);
    int sent = count ? PQsendQueryParams(link->conn, sql, count, NULL, values, NULL, NULL, 0)
                     : PQsendQuery(link->conn, sql);
    if (sent)
        flush(link);
    else
        lose_closed(link);
}

void link_identifier(struct link *link, struct buf *out, const char *name)
{
    char *quoted = PQescapeIdentifier(link->conn, name, strlen(name));
    if (quoted)
        buf_str(out, quoted);
    else
        link_lose(link, REASON_QUERY, "a channel name is not valid UTF-8");
    PQfreemem(quoted);
}

/* --- results ------------------------------------------------------------------------------ */

bool result_ok(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
}

const char *result_sqlstate(const PGresult *result)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    return sqlstate ? sqlstate : "";
}

const char *result_message(const PGresult *result)
{
    const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    return primary ? primary : PQresultErrorMessage(result);
}

int64_t result_number(const PGresult *result, int row, int column)
{
    return strtoll(PQgetvalue(result, row, column), NULL, 10);
}

/* --- life --------------------------------------------------------------------------------- */

struct link *link_new(const struct link_options *options)
{
    struct link *link = mem_new(sizeof *link);
    link->options = *options;
    link->url = mem_strdup(options->url);
    link->options.url = link->url;
    link->alarm = loop_timer_new(options->loop, on_alarm, link);
    return link;
}

void link_start(struct link *link)
{
    link->state = LINK_WAITING;
    loop_timer_start(link->alarm, 0, 0);
}

void link_free(struct link *link)
{
    if (!link)
        return;
    drop_connection(link);
    loop_timer_free(link->alarm);
    free(link->url);
    free(link);
}
