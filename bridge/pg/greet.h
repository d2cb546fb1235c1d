/* greet.h - what must be true of a new connection before a feed is read from it: the primary, no
 * pooler, LISTENing, the schema, in our version, and callable. Each refusal has its own word. */
#ifndef VIGIE_PG_GREET_H
#define VIGIE_PG_GREET_H

#include "pg/link.h"
#include "pg/listen.h"
#include "pg/source.h"

struct greet {
    struct link *link;
    const struct listen *listen;
    void *arg;
    /* All is well. Otherwise the link is lost with the reason. */
    void (*on_greeted)(void *arg, const struct source_hello *hello);

    int backend_pid; /* of the session, once known */
};

/* Begins on a link that was just opened; `link`, `listen`, `arg` and `on_greeted` are set. */
void greet_begin(struct greet *greet);

#endif
