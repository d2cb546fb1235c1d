/* feed.c - reading the log of events from PostgreSQL.
 *
 * The model
 * ---------
 * PostgreSQL keeps the events in one total order: vigie.feed, numbered by `seq`. A bridge is a
 * position in it. Reading is one statement, vigie.pull(position, n), which first gives numbers to
 * what was committed since (if no other bridge is doing so at this moment) and then returns what
 * lies after the position. Nothing else moves the position, and it moves only when PostgreSQL has
 * said that the statement is over: the numbers are then committed, and can never mean another
 * event.
 *
 * So there is nothing to lose. A bell that was lost, forged, doubled or late changes when we look,
 * never what we see. After a broken connection the position is still right, and the first look
 * brings what was missed. Everything below is about looking soon, and seldom.
 *
 * When to look
 * ------------
 * NOTIFY costs the committing transaction a lock that all notifying commits share. When events are
 * rare that is nothing; when they are many it is the bottleneck, and we look all the time anyway.
 * So we tell the triggers whether we need the bell, with an advisory lock (vigie.sleep,
 * vigie.wake):
 *
 *   asleep  we hold the bell lock exclusively. A trigger tries it shared, fails, and rings.
 *   awake   nobody holds it. A trigger gets it shared, does not ring, and keeps it until its
 * commit: as long as such a writer is under way we cannot fall asleep ("busy"). other   another
 * bridge holds it. Triggers ring, and we hear them as well; but that bridge gives the numbers and
 * then rings vigie_feed, so that a table's bell is for it first, and we look for ourselves only
 * when vigie_feed does not follow within a few milliseconds.
 *
 * No event is left without either a bell or a look: a writer that did not ring held the shared
 * lock, so it had committed before we got the exclusive one; and after we got it we look once more.
 * What remains is small: at that look another bridge may hold the right to give numbers, with a
 * snapshot older than the commit. The safety look, which comes whatever happens, bounds that, as it
 * bounds a bridge that died with the lock, a pooler, or a fault of ours.
 *
 * Bells can be forged by any role of the database. One costs a look that finds nothing; there is
 * never more than one look under way and one to follow, and looks in vain are paid with time. One
 * that says that the epoch has changed costs a vigie.hello(), once a second at most.
 *
 * pace.c decides all this, as a pure function of what it is told; this file does it.
 *
 * What a look costs the database grows with what it asks for, up to large payloads on a slow disk:
 * one that ran into its timeout is followed by smaller ones, and these, while they succeed, by
 * larger ones.
 *
 * A full batch is followed by another at once, but through the loop: catching up with an hour of
 * events must not starve accept, pings or the other connection. */
#include "pg/feed.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "sql/hello.h"
#include "sql/pull.h"
#include "sql/sleep.h"
#include "sql/wake.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FAILURES_MAX = 3, /* in a row; then a new connection may do better */
    SHRINK = 4,       /* a look that timed out is followed by one for so many times less */
    GROW = 64,        /* and so many that did not lead back to batch_rows */
    DOUBT_MS = 1000,  /* anybody can say that the epoch has changed: asked this often at most */
    MANY_ROWS = 100,  /* as many at once, and more may wait: positions are given in batches too */
};

enum { HELLO_EPOCH = 1 };
enum { SEQ, COMPANY, CHANNEL, NAME, ROOMS, PAYLOAD, AT, COLUMNS };

struct feed {
    struct feed_options options;
    struct pace pace;
    struct loop_timer *turn;
    struct event **events; /* room for a batch */
    int max_rows;          /* that the next look asks for */
    int64_t position;
    bool running;
    bool doubted;
    int64_t doubt_at_ms; /* not before */
    int failures;
};

static void turn(void *arg);

/* --- what a look brought ------------------------------------------------------------------ */

static struct event *read_event(const PGresult *rows, int row, struct err *err)
{
    return event_new(&(struct event_row){.seq = result_number(rows, row, SEQ),
                                         .company = PQgetvalue(rows, row, COMPANY),
                                         .channel = PQgetvalue(rows, row, CHANNEL),
                                         .name = PQgetvalue(rows, row, NAME),
                                         .rooms = PQgetvalue(rows, row, ROOMS),
                                         .payload = PQgetvalue(rows, row, PAYLOAD),
                                         .at = PQgetvalue(rows, row, AT)},
                     err);
}

/* The database promises valid rows in order. One that is not is left out, and seen: stopping here
 * would stop every company's events. */
static size_t read_batch(struct feed *feed, const PGresult *rows, int row_count)
{
    struct err err = {0};
    int64_t refused = 0;
    size_t count = 0;
    for (int row = 0; row < row_count; row++) {
        struct event *event = NULL;
        if (result_number(rows, row, SEQ) <= feed->position)
            err_set(&err, "position %s comes after %" PRId64, PQgetvalue(rows, row, SEQ),
                    feed->position);
        else
            event = read_event(rows, row, &err);
        if (event) {
            feed->position = event->seq;
            feed->events[count++] = event;
        } else {
            refused++;
            int64_t seq = result_number(rows, row, SEQ);
            feed->position = seq > feed->position ? seq : feed->position;
        }
    }
    *feed->options.invalid += (double)refused;
    if (refused)
        log_error("event_invalid", LOG_N("count", refused), LOG_N("position", feed->position),
                  LOG_S("why", err.text));
    return count;
}

/* Positions have no holes: one that is missing means that retention was faster than we were. */
static void look_for_hole(struct feed *feed, const PGresult *rows)
{
    int64_t first = result_number(rows, 0, SEQ);
    if (first <= feed->position + 1)
        return;
    log_error("feed_hole", LOG_N("after", feed->position), LOG_N("upto", first - 1));
    feed->position = first - 1;
    feed->options.on_hole(feed->options.arg, feed->position);
}

static void deliver(struct feed *feed, const PGresult *rows, int row_count)
{
    look_for_hole(feed, rows);
    size_t count = read_batch(feed, rows, row_count);
    *feed->options.received += (double)count;
    feed->options.on_events(feed->options.arg, feed->events, count, feed->position);
    for (size_t i = 0; i < count; i++)
        event_unref(feed->events[i]);
}

/* --- doing what pace.c says --------------------------------------------------------------- */

static bool passes(const PGresult *result)
{
    static const char *const passing[] = {
        "40001", "40P01", /* serialization, deadlock */
        "55P03", "57014", /* lock_timeout, statement_timeout */
    };
    for (size_t i = 0; i < sizeof passing / sizeof *passing; i++) {
        if (strcmp(result_sqlstate(result), passing[i]) == 0)
            return true;
    }
    return false;
}

/* True when the statement went well. */
static bool went_well(struct feed *feed, const PGresult *result, const char *what)
{
    if (result_ok(result)) {
        feed->failures = 0;
        return true;
    }
    if (!passes(result) || ++feed->failures >= FAILURES_MAX) {
        link_refuse(feed->options.link, result, what);
        return false;
    }
    log_warn("db_query_failed", LOG_S("statement", what),
             LOG_S("sqlstate", result_sqlstate(result)), LOG_S("why", result_message(result)));
    pace_failed(&feed->pace, clock_mono_ms());
    turn(feed);
    return false;
}

/* The database gives positions to so many events more as it is asked for more. */
static void adapt(struct feed *feed, const PGresult *result)
{
    if (result_ok(result))
        feed->max_rows += feed->options.batch_rows / GROW + 1;
    else if (strcmp(result_sqlstate(result), "57014") == 0)
        feed->max_rows /= SHRINK;
    if (feed->max_rows > feed->options.batch_rows)
        feed->max_rows = feed->options.batch_rows;
    if (feed->max_rows < 1)
        feed->max_rows = 1;
}

static void on_pulled(void *arg, const PGresult *result)
{
    struct feed *feed = arg;
    int asked = feed->max_rows;
    adapt(feed, result);
    if (!went_well(feed, result, "vigie.pull()"))
        return;
    int rows = PQntuples(result);
    if (rows > feed->options.batch_rows)
        rows = feed->options.batch_rows; /* there are no more slots; the next look has the rest */
    bool full = rows >= asked || rows >= MANY_ROWS;
    if (rows > 0)
        deliver(feed, result, rows);
    if (pace_looked(&feed->pace, (size_t)rows, full, clock_mono_ms()))
        ++*feed->options.empty_bells;
    if (full)
        loop_timer_start(feed->turn, 0, 0); /* others first */
    else
        turn(feed);
}

static enum pace_slept read_slept(const PGresult *result)
{
    const char *answer = PQntuples(result) == 1 ? PQgetvalue(result, 0, 0) : "";
    if (strcmp(answer, "asleep") == 0)
        return PACE_SLEPT_ASLEEP;
    return strcmp(answer, "other") == 0 ? PACE_SLEPT_OTHER : PACE_SLEPT_BUSY;
}

static void on_slept(void *arg, const PGresult *result)
{
    struct feed *feed = arg;
    if (!went_well(feed, result, "vigie.sleep()"))
        return;
    pace_slept(&feed->pace, read_slept(result), clock_mono_ms());
    turn(feed);
}

static void on_woke(void *arg, const PGresult *result)
{
    struct feed *feed = arg;
    if (!went_well(feed, result, "vigie.wake()"))
        return;
    pace_woke(&feed->pace, clock_mono_ms());
    turn(feed);
}

static void on_epoch(void *arg, const PGresult *result)
{
    struct feed *feed = arg;
    if (!went_well(feed, result, "vigie.hello()"))
        return;
    if (PQntuples(result) == 1)
        feed->options.on_epoch(feed->options.arg, PQgetvalue(result, 0, HELLO_EPOCH));
    turn(feed);
}

static bool ask_epoch(struct feed *feed)
{
    int64_t now_ms = clock_mono_ms();
    if (!feed->doubted || now_ms < feed->doubt_at_ms)
        return false;
    feed->doubted = false;
    feed->doubt_at_ms = now_ms + DOUBT_MS;
    link_send(feed->options.link, sql_hello, NULL, 0, on_epoch, feed);
    return true;
}

static void pull(struct feed *feed)
{
    char after[24];
    char max_rows[16];
    snprintf(after, sizeof after, "%" PRId64, feed->position);
    snprintf(max_rows, sizeof max_rows, "%d", feed->max_rows);
    const char *const values[] = {after, max_rows};
    link_send(feed->options.link, sql_pull, values, 2, on_pulled, feed);
}

/* Does the next thing, if nothing is under way. */
static void turn(void *arg)
{
    struct feed *feed = arg;
    *feed->options.awake = feed->running && feed->pace.mode == PACE_AWAKE;
    if (!feed->running || !link_ready(feed->options.link) || ask_epoch(feed))
        return;
    int64_t wait_ms;
    switch (pace_next(&feed->pace, clock_mono_ms(), &wait_ms)) {
    case PACE_WAIT:
        if (feed->doubted && wait_ms > DOUBT_MS)
            wait_ms = DOUBT_MS;
        loop_timer_start(feed->turn, wait_ms, 0);
        break;
    case PACE_LOOK:
        pull(feed);
        break;
    case PACE_SLEEP:
        link_send(feed->options.link, sql_sleep, NULL, 0, on_slept, feed);
        break;
    case PACE_WAKE:
        link_send(feed->options.link, sql_wake, NULL, 0, on_woke, feed);
        break;
    }
}

void feed_doubt(struct feed *feed)
{
    feed->doubted = true;
    turn(feed);
}

void feed_ring(struct feed *feed, enum pace_bell bell)
{
    if (!feed->running)
        return;
    pace_ring(&feed->pace, bell, clock_mono_ms());
    turn(feed);
}

void feed_start(struct feed *feed, int64_t position)
{
    feed->running = true;
    feed->doubted = false;
    feed->position = position;
    feed->failures = 0;
    pace_start(&feed->pace, feed->options.busy_poll_ms, feed->options.safety_poll_ms,
               clock_mono_ms());
    turn(feed);
}

void feed_stop(struct feed *feed)
{
    feed->running = false;
    loop_timer_stop(feed->turn);
    turn(feed);
}

struct feed *feed_new(const struct feed_options *options)
{
    struct feed *feed = mem_new(sizeof *feed);
    feed->options = *options;
    feed->max_rows = options->batch_rows;
    feed->turn = loop_timer_new(options->loop, turn, feed);
    feed->events = mem_resize(NULL, (size_t)options->batch_rows, sizeof(struct event *));
    return feed;
}

void feed_free(struct feed *feed)
{
    if (!feed)
        return;
    loop_timer_free(feed->turn);
    free(feed->events);
    free(feed);
}
