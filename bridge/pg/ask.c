#include "pg/ask.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "pg/line.h"
#include "sql/may_join.h"
#include "sql/replay.h"
#include "sql/retain.h"
#include "sql/status.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum {
    STATUS_EVERY_MS = 30000,
    RETAIN_EVERY_MS = 60000,
    COMPLAIN_EVERY_MS = 10000, /* a broken may_join is asked often: it is logged seldom */
    PARAMETERS_MAX = 3,
    REPLAYS_PART = 3, /* after a permission, replays go first for so many times what it took */
};

enum kind { ASK_REPLAY, ASK_MAY_JOIN, ASK_STATUS, ASK_RETAIN };

struct question {
    struct place place; /* the first member: a place is its question */
    enum kind kind;
    uint64_t ticket;
    int64_t deadline_ms;
    int parameter_count;
    char *parameters[PARAMETERS_MAX];
    bool answered;
    struct question *prev; /* by age */
    struct question *next;
};

struct ask {
    struct ask_options options;
    struct line lines[ASK_LINE_COUNT];
    struct question *waiting;    /* in both lines, the oldest first */
    struct question *under_way;  /* sent, or NULL */
    int64_t sent_ms;             /* when it was */
    int64_t owed_ms;             /* to replays, before the next permission */
    struct loop_timer *deadline; /* of the oldest question */
    struct loop_timer *status;
    struct loop_timer *retain;
    int64_t complained_ms;
};

enum { SEQ, CHANNEL, NAME, ROOMS, PAYLOAD, AT, UPTO, FLOOR_SEQ };

/* --- questions ---------------------------------------------------------------------------- */

static void question_free(struct question *question)
{
    for (int i = 0; i < question->parameter_count; i++)
        free(question->parameters[i]);
    free(question);
}

static void add_parameter(struct question *question, const char *text)
{
    question->parameters[question->parameter_count++] = mem_strdup(text);
}

static void add_number(struct question *question, int64_t number)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, number);
    add_parameter(question, text);
}

static const char *sql_of(enum kind kind)
{
    switch (kind) {
    case ASK_REPLAY:
        return sql_replay;
    case ASK_MAY_JOIN:
        return sql_may_join;
    case ASK_STATUS:
        return sql_status;
    case ASK_RETAIN:
        return sql_retain;
    }
    return NULL;
}

static enum ask_line line_of(enum kind kind)
{
    return kind == ASK_MAY_JOIN ? ASK_LINE_PERMISSION : ASK_LINE_REPLAY;
}

static const char *name_of(enum kind kind)
{
    switch (kind) {
    case ASK_REPLAY:
        return "vigie.replay()";
    case ASK_MAY_JOIN:
        return "vigie.may_join()";
    case ASK_STATUS:
        return "vigie.status()";
    case ASK_RETAIN:
        return "vigie.retain()";
    }
    return NULL;
}

/* --- answers ------------------------------------------------------------------------------ */

/* The answer when there is none. */
static void answer_no(struct ask *ask, struct question *question)
{
    if (question->answered)
        return;
    question->answered = true;
    switch (question->kind) {
    case ASK_REPLAY:
        ask->options.on_replay(ask->options.arg, question->ticket,
                               &(struct source_replay){.ok = false});
        break;
    case ASK_MAY_JOIN:
        ask->options.on_may_join(ask->options.arg, question->ticket, PERMISSION_UNKNOWN);
        break;
    case ASK_STATUS:
    case ASK_RETAIN:
        break;
    }
}

static size_t read_events(struct ask *ask, const char *company, const PGresult *rows,
                          struct event **events)
{
    struct err err = {0};
    size_t count = 0;
    int refused = 0;
    for (int row = 0; row < PQntuples(rows); row++) {
        if (PQgetisnull(rows, row, SEQ))
            continue; /* no event: the row only carries upto and floor_seq */
        struct event_row parts = {.seq = result_number(rows, row, SEQ),
                                  .company = company,
                                  .channel = PQgetvalue(rows, row, CHANNEL),
                                  .name = PQgetvalue(rows, row, NAME),
                                  .rooms = PQgetvalue(rows, row, ROOMS),
                                  .payload = PQgetvalue(rows, row, PAYLOAD),
                                  .at = PQgetvalue(rows, row, AT)};
        events[count] = event_new(&parts, &err);
        if (events[count])
            count++;
        else
            refused++;
    }
    *ask->options.invalid += refused;
    if (refused)
        log_error("event_invalid", LOG_N("count", refused), LOG_S("why", err.text));
    return count;
}

static void answer_replay(struct ask *ask, struct question *question, const PGresult *rows)
{
    if (PQntuples(rows) < 1 || PQgetisnull(rows, 0, UPTO)) {
        answer_no(ask, question);
        return;
    }
    struct event **events = mem_resize(NULL, (size_t)PQntuples(rows), sizeof(struct event *));
    size_t count = read_events(ask, question->parameters[0], rows, events);
    struct source_replay replay = {.ok = true,
                                   .events = events,
                                   .count = count,
                                   .upto = result_number(rows, 0, UPTO),
                                   .floor_seq = result_number(rows, 0, FLOOR_SEQ)};
    ask->options.on_replay(ask->options.arg, question->ticket, &replay);
    for (size_t i = 0; i < count; i++)
        event_unref(events[i]);
    free(events);
}

static void answer_may_join(struct ask *ask, struct question *question, const PGresult *rows)
{
    bool allowed = PQntuples(rows) == 1 && strcmp(PQgetvalue(rows, 0, 0), "t") == 0;
    ask->options.on_may_join(ask->options.arg, question->ticket,
                             allowed ? PERMISSION_ALLOWED : PERMISSION_DENIED);
}

static void answer_status(struct ask *ask, const PGresult *rows)
{
    if (PQntuples(rows) != 1)
        return;
    struct source_status status = {.outbox_pending = strtod(PQgetvalue(rows, 0, 0), NULL),
                                   .oldest_pending_seconds = strtod(PQgetvalue(rows, 0, 1), NULL),
                                   .feed_rows = strtod(PQgetvalue(rows, 0, 2), NULL),
                                   .lost_events = strtod(PQgetvalue(rows, 0, 3), NULL),
                                   .notify_queue_usage = strtod(PQgetvalue(rows, 0, 4), NULL),
                                   .rules_bad = (int)result_number(rows, 0, 5)};
    ask->options.on_status(ask->options.arg, &status);
}

static void answer(struct ask *ask, struct question *question, const PGresult *rows)
{
    if (question->answered)
        return; /* its deadline has passed */
    switch (question->kind) {
    case ASK_REPLAY:
        answer_replay(ask, question, rows);
        break;
    case ASK_MAY_JOIN:
        answer_may_join(ask, question, rows);
        break;
    case ASK_STATUS:
        answer_status(ask, rows);
        break;
    case ASK_RETAIN:
        log_debug("retention", LOG_S("turn", PQntuples(rows) ? PQgetvalue(rows, 0, 0) : ""));
        break;
    }
}

static void complain(struct ask *ask, const struct question *question, const PGresult *result)
{
    int64_t now_ms = clock_mono_ms();
    if (ask->complained_ms && now_ms - ask->complained_ms < COMPLAIN_EVERY_MS)
        return;
    ask->complained_ms = now_ms;
    log_warn("db_query_failed", LOG_S("statement", name_of(question->kind)),
             LOG_S("sqlstate", result_sqlstate(result)), LOG_S("why", result_message(result)));
}

/* --- the lines ---------------------------------------------------------------------------- */

static void send_next(struct ask *ask);

static void watch_deadline(struct ask *ask)
{
    const struct question *oldest = ask->waiting;
    if (ask->under_way && !ask->under_way->answered)
        oldest = ask->under_way;
    if (oldest)
        loop_timer_start(ask->deadline, oldest->deadline_ms - clock_mono_ms(), 0);
    else
        loop_timer_stop(ask->deadline);
}

static void count_waiting(struct ask *ask)
{
    for (int i = 0; i < ASK_LINE_COUNT; i++)
        ask->options.waiting[i] = (double)ask->lines[i].count;
}

/* A question's time is at least one unit, however quick: so quick ones take turns as well. */
static void share_time(struct ask *ask, const struct question *question)
{
    int64_t took_ms = clock_mono_ms() - ask->sent_ms + 1;
    if (line_of(question->kind) == ASK_LINE_PERMISSION)
        ask->owed_ms = took_ms * REPLAYS_PART;
    else
        ask->owed_ms -= took_ms;
}

static void on_reply(void *arg, const PGresult *result)
{
    struct ask *ask = arg;
    struct question *question = ask->under_way;
    ask->under_way = NULL;
    share_time(ask, question);
    if (result_ok(result)) {
        answer(ask, question, result);
    } else {
        complain(ask, question, result);
        answer_no(ask, question);
    }
    question_free(question);
    send_next(ask);
}

static struct line *next_line(struct ask *ask)
{
    struct line *replays = &ask->lines[ASK_LINE_REPLAY];
    struct line *permissions = &ask->lines[ASK_LINE_PERMISSION];
    bool their_turn = permissions->count && ask->owed_ms <= 0;
    return their_turn || !replays->count ? permissions : replays;
}

static bool is_wanted(const struct ask *ask, const struct question *question)
{
    bool asked_for = question->kind == ASK_REPLAY || question->kind == ASK_MAY_JOIN;
    return !asked_for || ask->options.is_wanted(ask->options.arg, question->ticket);
}

static void give_up(struct ask *ask, struct question *question)
{
    answer_no(ask, question);
    question_free(question);
}

/* Whose turn it is, taken out of its line; NULL when none waits. */
static struct question *take_next(struct ask *ask)
{
    for (;;) {
        struct question *question = (struct question *)line_take(next_line(ask));
        if (!question)
            return NULL;
        DL_DELETE(ask->waiting, question);
        if (is_wanted(ask, question))
            return question;
        give_up(ask, question);
    }
}

static void send_now(struct ask *ask, struct question *question)
{
    const char *values[PARAMETERS_MAX];
    for (int i = 0; i < question->parameter_count; i++)
        values[i] = question->parameters[i];
    ask->under_way = question;
    ask->sent_ms = clock_mono_ms();
    link_send(ask->options.link, sql_of(question->kind), values, question->parameter_count,
              on_reply, ask);
}

static void send_next(struct ask *ask)
{
    if (!ask->under_way && link_ready(ask->options.link)) {
        struct question *question = take_next(ask);
        if (question)
            send_now(ask, question);
    }
    count_waiting(ask);
    watch_deadline(ask);
}

/* Questions are in order of deadlines when they are in order of age: each gets the same time. */
static void on_deadline(void *arg)
{
    struct ask *ask = arg;
    int64_t now_ms = clock_mono_ms();
    if (ask->under_way && ask->under_way->deadline_ms <= now_ms)
        answer_no(ask, ask->under_way);
    while (ask->waiting && ask->waiting->deadline_ms <= now_ms) {
        struct question *question = ask->waiting;
        line_remove(&ask->lines[line_of(question->kind)], &question->place);
        DL_DELETE(ask->waiting, question);
        give_up(ask, question);
    }
    count_waiting(ask);
    watch_deadline(ask);
}

/* In line, with its parameters still to come; NULL when there is no place. send_next() follows. */
static struct question *enqueue(struct ask *ask, enum kind kind, const char *company,
                                uint64_t ticket)
{
    struct question *question = mem_new(sizeof *question);
    question->kind = kind;
    question->ticket = ticket;
    question->deadline_ms = clock_mono_ms() + ask->options.timeout_ms;
    if (!line_add(&ask->lines[line_of(kind)], company, &question->place)) {
        free(question);
        return NULL;
    }
    DL_APPEND(ask->waiting, question);
    return question;
}

bool ask_replay(struct ask *ask, uint64_t ticket, const char *company, int64_t after, int max_rows)
{
    struct question *question = enqueue(ask, ASK_REPLAY, company, ticket);
    if (!question)
        return false;
    add_parameter(question, company);
    add_number(question, after);
    add_number(question, max_rows);
    send_next(ask);
    return true;
}

bool ask_may_join(struct ask *ask, uint64_t ticket, const char *company, const char *claims,
                  const char *room)
{
    struct question *question = enqueue(ask, ASK_MAY_JOIN, company, ticket);
    if (!question)
        return false;
    add_parameter(question, claims);
    add_parameter(question, room);
    send_next(ask);
    return true;
}

/* --- upkeep ------------------------------------------------------------------------------- */

/* As a company of its own: it has its turn too. */
static void ask_upkeep(struct ask *ask, enum kind kind)
{
    if (enqueue(ask, kind, "", 0))
        send_next(ask);
}

static void on_status_due(void *arg)
{
    ask_upkeep(arg, ASK_STATUS);
}

static void on_retain_due(void *arg)
{
    ask_upkeep(arg, ASK_RETAIN);
}

void ask_up(struct ask *ask)
{
    loop_timer_start(ask->status, 0, STATUS_EVERY_MS);
    loop_timer_start(ask->retain, RETAIN_EVERY_MS, RETAIN_EVERY_MS);
    send_next(ask);
}

/* What waits keeps waiting, until its deadline: the connection may be back sooner. */
void ask_down(struct ask *ask)
{
    loop_timer_stop(ask->status);
    loop_timer_stop(ask->retain);
    struct question *question = ask->under_way;
    ask->under_way = NULL;
    if (question) {
        answer_no(ask, question);
        question_free(question);
    }
    watch_deadline(ask);
}

/* --- life --------------------------------------------------------------------------------- */

struct ask *ask_new(const struct ask_options *options)
{
    struct ask *ask = mem_new(sizeof *ask);
    ask->options = *options;
    for (int i = 0; i < ASK_LINE_COUNT; i++)
        line_init(&ask->lines[i], SOURCE_QUESTIONS_MAX, SOURCE_COMPANY_QUESTIONS_MAX);
    ask->deadline = loop_timer_new(options->loop, on_deadline, ask);
    ask->status = loop_timer_new(options->loop, on_status_due, ask);
    ask->retain = loop_timer_new(options->loop, on_retain_due, ask);
    return ask;
}

void ask_free(struct ask *ask)
{
    if (!ask)
        return;
    loop_timer_free(ask->deadline);
    loop_timer_free(ask->status);
    loop_timer_free(ask->retain);
    for (int i = 0; i < ASK_LINE_COUNT; i++)
        for (struct place *place; (place = line_take(&ask->lines[i]));)
            question_free((struct question *)place);
    if (ask->under_way)
        question_free(ask->under_way);
    free(ask);
}
