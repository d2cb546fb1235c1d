/* ticket.h - one-time tickets: who cannot send a header (EventSource) shows one in the URL instead.
 *
 * A ticket stands for the identity of a token that was verified a moment ago. It is worth one
 * request, for seconds, on the bridge that gave it. Only its SHA-256 is kept, so that neither
 * memory nor the time of a look-up tells of a ticket; it must never be logged. */
#ifndef VIGIE_CORE_TICKET_H
#define VIGIE_CORE_TICKET_H

#include "base/metrics.h"
#include "core/identity.h"

#include <stdbool.h>

enum { TICKET_BYTES = 32, TICKET_TEXT_MAX = 44, TICKETS_PER_USER = 16 };

struct ticket_options {
    int64_t ttl_ms;
    size_t max; /* that wait to be used, of all users together */
    struct metrics *metrics;
    int64_t (*mono_ms)(void);
    int64_t (*wall_us)(void);
    void (*random)(void *bytes, size_t len);
};

struct ticket_store;

/* Copies the options. Never NULL. */
struct ticket_store *ticket_store_new(const struct ticket_options *options);
/* NULL is allowed. */
void ticket_store_free(struct ticket_store *store);
/* For tickets from now on; those that wait keep their time, and their place. */
void ticket_store_limit(struct ticket_store *store, int64_t ttl_ms, size_t max);
/* How many wait to be used. */
size_t ticket_count(const struct ticket_store *store);

/* A ticket for that identity, which is copied. One user (of one company and issuer) has at most
 * TICKETS_PER_USER: one more makes the oldest of them void. False, and no text, when too many wait
 * in all: nobody's ticket is taken away for another user. */
MUST_USE bool ticket_issue(struct ticket_store *store, const struct identity *identity,
                           char text[TICKET_TEXT_MAX]);
/* Who is behind a ticket, owned by the caller (identity_free()); it is void from now on. NULL:
 * never ours, used, void, its time is over, or that of the token. */
struct identity *ticket_take(struct ticket_store *store, const char *text) MUST_USE;
/* Forgets those whose time is over. To be called once a second. */
void ticket_tick(struct ticket_store *store);

#endif
