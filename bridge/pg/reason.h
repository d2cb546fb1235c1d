/* reason.h - why the database cannot be used, as a word for machines and a line for people. */
#ifndef VIGIE_PG_REASON_H
#define VIGIE_PG_REASON_H

#include <stddef.h>

enum reason {
    REASON_CONNECT,        /* nobody answers, or the server refuses everybody for now */
    REASON_AUTH,           /* it does not take our name or password */
    REASON_STANDBY,        /* it can be read only: no LISTEN there */
    REASON_POOLER,         /* somebody between us shares the session with others */
    REASON_SCHEMA_MISSING, /* no schema vigie, or not all of it */
    REASON_SCHEMA_VERSION, /* another version than ours */
    REASON_RIGHTS,         /* our role may not call it */
    REASON_TIMEOUT,        /* no answer in time */
    REASON_CLOSED,         /* it was up and went away */
    REASON_QUERY,          /* it refused something that ought to work */
};

enum { REASON_TEXT_MAX = 512 };

/* A connection that was lost or could not be had. */
struct loss {
    enum reason reason;
    char why[REASON_TEXT_MAX]; /* one line */
};

/* The stable word of the log: `db_down reason=…`. */
const char *reason_name(enum reason reason);

/* What a refused statement means; `otherwise` when its SQLSTATE (may be NULL) says nothing. */
enum reason reason_of_sqlstate(const char *sqlstate, enum reason otherwise);

/* What libpq's verbose text about a failed connection means: libpq 15 gives no SQLSTATE apart. */
enum reason reason_of_connect_text(const char *text);

/* Writes libpq's lines as one, without those that name places in PostgreSQL's source; cut, never
 * overrun. */
void reason_line(char *line, size_t size, const char *text);

/* Writes `text` without what stands between double quotes: libpq's complaints about a URL quote
 * pieces of it, and one could be the password. */
void reason_unquoted(char *line, size_t size, const char *text);

#endif
