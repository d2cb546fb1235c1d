/* ask.h - questions to the database on a connection of their own: replays, permissions, upkeep.
 *
 * One question is under way; the others wait in two lines. Each is answered once, from the loop, at
 * the latest when its deadline has passed, whatever the database does; without an answer a replay
 * is not ok and a permission is unknown.
 *
 * What a permission costs is up to a function of the DBA's, so replays and upkeep go first: after a
 * permission they have the line for a multiple of the time that it took. Permissions get on all the
 * same, and in each line companies take turns, so that neither a slow function nor a company that
 * asks for much holds up the others for longer than one question takes. */
#ifndef VIGIE_PG_ASK_H
#define VIGIE_PG_ASK_H

#include "pg/link.h"
#include "pg/source.h"

struct ask;

/* Replays with the upkeep; permissions. */
enum ask_line { ASK_LINE_REPLAY, ASK_LINE_PERMISSION, ASK_LINE_COUNT };

struct ask_options {
    struct loop *loop;
    struct link *link;
    int64_t timeout_ms; /* of a question, from asking to answer */
    double *invalid;    /* counts rows that are no events */
    double *waiting;    /* how many questions wait, by enum ask_line */

    void *arg;
    void (*on_replay)(void *arg, uint64_t ticket, const struct source_replay *replay);
    void (*on_may_join)(void *arg, uint64_t ticket, enum permission permission);
    bool (*is_wanted)(void *arg, uint64_t ticket);
    void (*on_status)(void *arg, const struct source_status *status);
};

struct ask *ask_new(const struct ask_options *options);
/* NULL is allowed; nothing is answered any more. */
void ask_free(struct ask *ask);

/* The link was opened, or lost. */
void ask_up(struct ask *ask);
void ask_down(struct ask *ask);

/* False when the line is full, or the company's part of it. */
bool ask_replay(struct ask *ask, uint64_t ticket, const char *company, int64_t after, int max_rows);
bool ask_may_join(struct ask *ask, uint64_t ticket, const char *company, const char *claims,
                  const char *room);

#endif
