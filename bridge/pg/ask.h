/* ask.h - questions to the database on a connection of their own: replays, permissions, upkeep.
 *
 * A line, one question under way. Each is answered once, from the loop, at the latest when its
 * deadline has passed, whatever the database does; without an answer a replay is not ok and a
 * permission is denied. */
#ifndef VIGIE_PG_ASK_H
#define VIGIE_PG_ASK_H

#include "pg/link.h"
#include "pg/source.h"

struct ask;

struct ask_options {
    struct loop *loop;
    struct link *link;
    int64_t timeout_ms; /* of a question, from asking to answer */
    double *invalid;    /* counts rows that are no events */

    void *arg;
    void (*on_replay)(void *arg, uint64_t ticket, const struct source_replay *replay);
    void (*on_may_join)(void *arg, uint64_t ticket, bool allowed);
    void (*on_status)(void *arg, const struct source_status *status);
};

struct ask *ask_new(const struct ask_options *options);
/* NULL is allowed; nothing is answered any more. */
void ask_free(struct ask *ask);

/* The link was opened, or lost. */
void ask_up(struct ask *ask);
void ask_down(struct ask *ask);

/* False when the line is full. */
bool ask_replay(struct ask *ask, uint64_t ticket, const char *company, int64_t after, int max_rows);
bool ask_may_join(struct ask *ask, uint64_t ticket, const char *claims, const char *room);

#endif
