/* listen.h - the bells: which channels are LISTENed to, and what a notification means. */
#ifndef VIGIE_PG_LISTEN_H
#define VIGIE_PG_LISTEN_H

#include "base/err.h"
#include "pg/link.h"
#include "pg/pace.h"

#include <stdbool.h>
#include <stddef.h>

/* The channel on which a bridge that gave positions tells the others. */
#define LISTEN_FEED "vigie_feed"

struct listen;

/* Copies the names, each once, and adds LISTEN_FEED. NULL with `err` for a name that is empty, or
 * that PostgreSQL would cut. */
struct listen *listen_new(const char *const *channels, size_t count, struct err *err);
void listen_free(struct listen *listen);

size_t listen_count(const struct listen *listen);

/* Sends LISTEN for all of them at once. */
void listen_send(const struct listen *listen, struct link *link, link_reply_fn *fn, void *arg);

/* What a notification means. False: nothing, it is our own bell for the others (`own_pid`). */
bool listen_bell(const PGnotify *notify, int own_pid, enum pace_bell *bell);

#endif
