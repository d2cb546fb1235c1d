/* link.h - one connection to PostgreSQL: dialled, watched, lost, dialled again.
 *
 * Nothing here blocks but the resolver of names inside libpq (an address or a socket path in the
 * URL avoids it). One statement at a time. Every loss is told from the loop, never from inside a
 * call. */
#ifndef VIGIE_PG_LINK_H
#define VIGIE_PG_LINK_H

#include "base/buf.h"
#include "base/err.h"
#include "base/loop.h"
#include "base/metrics.h"
#include "pg/reason.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

struct link;

struct link_options {
    struct loop *loop;
    const char *url; /* one that link_check_url() took */
    int64_t reconnect_min_ms;
    int64_t reconnect_max_ms;
    int64_t statement_timeout_ms;
    struct histogram *durations; /* of statements */

    void *arg;
    /* Connected; statements may be sent. */
    void (*on_open)(void *arg);
    /* Lost, or could not be had; the statement under way will not be answered. It dials again by
     * itself. */
    void (*on_lost)(void *arg, const struct loss *loss);
    /* NOTIFY from another session or from our own; may be NULL. */
    void (*on_notify)(void *arg, const PGnotify *notify);
};

/* False with `err` for a URL that libpq does not understand; no piece of it is in the text. */
bool link_check_url(const char *url, struct err *err);

/* Copies the options. */
struct link *link_new(const struct link_options *options);
void link_start(struct link *link);
/* Nothing is called any more. Not from inside a callback. NULL is allowed. */
void link_free(struct link *link);

/* Open, and no statement under way. */
bool link_ready(const struct link *link);
bool link_open(const struct link *link);

/* What a statement is answered with, once PostgreSQL has said that it is over: only then its commit
 * is proven. The result is borrowed; it may be an error. */
typedef void link_reply_fn(void *arg, const PGresult *result);

/* Sends `sql` with `count` text parameters; without any it may be several statements, of which the
 * last result, or the first error, is given. Only when link_ready(). */
void link_send(struct link *link, const char *sql, const char *const *values, int count,
               link_reply_fn *fn, void *arg);

/* Appends `name` as a quoted identifier. Only when open. */
void link_identifier(struct link *link, struct buf *out, const char *name);

/* Hangs up, for what an answer said, and dials again later; on_lost follows from the loop. */
void link_lose(struct link *link, enum reason reason, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same, for a statement that was refused; `what` says which. */
void link_refuse(struct link *link, const PGresult *result, const char *what);

bool result_ok(const PGresult *result);
/* Five characters, or "" when there is none. */
const char *result_sqlstate(const PGresult *result);
/* What went wrong, without the context that psql would show. */
const char *result_message(const PGresult *result);
/* A column as a number; 0 for NULL. */
int64_t result_number(const PGresult *result, int row, int column);

#endif
