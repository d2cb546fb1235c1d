/* source.h - the database as the bridge sees it: a stream of events, and two questions.
 *
 * Two connections. `feed` LISTENs and pulls, always in autocommit, never inside a transaction;
 * `ask` answers replays and permissions, so that a slow question never delays an event. Both
 * connect, lose, and reconnect by themselves with full jitter. All calls come from the loop's
 * thread. */
#ifndef VIGIE_PG_SOURCE_H
#define VIGIE_PG_SOURCE_H

#include "base/err.h"
#include "base/loop.h"
#include "base/metrics.h"
#include "core/event.h"
#include "core/permission.h"

#include <stdbool.h>
#include <stdint.h>

enum { SOURCE_SCHEMA_VERSION = 1, SOURCE_KEY_BYTES = 32 };

/* What vigie.hello() said. */
struct source_hello {
    char epoch[80];
    uint8_t cursor_key[SOURCE_KEY_BYTES];
    int64_t last_seq;
    int64_t floor_seq; /* events with seq <= floor_seq may be gone */
    int server_version;
};

/* What vigie.status() said, every 30 s. */
struct source_status {
    double outbox_pending;
    double oldest_pending_seconds;
    double feed_rows;
    double lost_events;
    double notify_queue_usage;
    int rules_bad;
};

/* The answer to source_replay(). */
struct source_replay {
    bool ok;               /* false: the question could not be asked or failed; ask again later */
    struct event **events; /* in order, borrowed (event_ref() to keep) */
    size_t count;
    int64_t upto;      /* up to there, this and earlier answers hold all of the company's */
    int64_t floor_seq; /* a gap when the position asked from lies below it */
};

struct source_options {
    struct loop *loop;
    struct metrics *metrics;
    const char *url;
    const char *const *channels; /* as LISTENed, without vigie_feed, which is added */
    size_t channel_count;
    int64_t reconnect_min_ms;
    int64_t reconnect_max_ms;
    int64_t safety_poll_ms;
    int64_t busy_poll_ms;
    int64_t statement_timeout_ms;
    int batch_rows;

    void *arg; /* given back in each of the following */

    /* The feed is (again) connected, checked and LISTENing. Returns the position to read on from:
     * the one reached before, or hello->last_seq at the first time and after a change of epoch. */
    int64_t (*on_up)(void *arg, const struct source_hello *hello);
    /* The feed is lost or could not be had, told at each try; `why` is one line for people, without
     * secrets. Logged already, as db_down (and db_up). */
    void (*on_down)(void *arg, const char *why);
    /* Positions up to `upto` can no longer be read: retention was faster. Comes before the events
     * after them. */
    void (*on_hole)(void *arg, int64_t upto);
    /* The next events in order of seq, borrowed; `position` is that of the last one. Called once a
     * batch: what they cause is flushed at the end of it. `count` is 0 when no row of a batch was a
     * valid event; the position goes on all the same. */
    void (*on_events)(void *arg, struct event **events, size_t count, int64_t position);
    void (*on_status)(void *arg, const struct source_status *status);
    /* Answers to the questions, matched by the caller's ticket; never from inside the question. */
    void (*on_replay)(void *arg, uint64_t ticket, const struct source_replay *replay);
    void (*on_may_join)(void *arg, uint64_t ticket, enum permission permission);
    /* Whether somebody still waits for this answer; asked when the question's turn has come. One
     * that nobody waits for is not asked, and answered as one that failed. */
    bool (*is_wanted)(void *arg, uint64_t ticket);
};

struct source;

/* Copies the options. NULL with `err` for a URL that libpq does not understand or a channel name
 * that PostgreSQL would cut (63 bytes). Nothing is dialled yet. */
struct source *source_new(const struct source_options *options, struct err *err);
/* Starts to connect. */
void source_start(struct source *source);
/* Closes both connections; no callback comes any more. NULL is allowed. */
void source_free(struct source *source);

bool source_is_up(const struct source *source);

/* Events of `company` after `after`, at most `max_rows`; copies what it is given. Questions wait in
 * two lines, of replays and of permissions, also while the connection is away, for at most
 * statement_timeout_ms; then the answer is not ok, or unknown. Replays go first as long as they
 * leave permissions a part of the time; within a line each company has its turn. False, and
 * nothing asked, when the line is full, or holds as many of that company as one may have. */
enum { SOURCE_QUESTIONS_MAX = 4096, SOURCE_COMPANY_QUESTIONS_MAX = SOURCE_QUESTIONS_MAX / 4 };
bool source_replay(struct source *source, uint64_t ticket, const char *company, int64_t after,
                   int max_rows);
/* Whether claims (a JSON object text) may join `room`: vigie.may_join. Fails closed: only its
 * `true` is PERMISSION_ALLOWED; an error or no answer in time is PERMISSION_UNKNOWN. */
bool source_may_join(struct source *source, uint64_t ticket, const char *company,
                     const char *claims, const char *room);

#endif
