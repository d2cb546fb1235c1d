/* feed.h - the log of events as this bridge reads it: in order, each once, soon. */
#ifndef VIGIE_PG_FEED_H
#define VIGIE_PG_FEED_H

#include "core/event.h"
#include "pg/link.h"
#include "pg/pace.h"

#include <stddef.h>
#include <stdint.h>

struct feed;

struct feed_options {
    struct loop *loop;
    struct link *link;
    int64_t busy_poll_ms;
    int64_t safety_poll_ms;
    int batch_rows;

    double *received; /* counters and a gauge, owned by the metrics */
    double *invalid;
    double *empty_bells;
    double *awake;

    void *arg;
    /* The epoch of now, after feed_doubt(). */
    void (*on_epoch)(void *arg, const char *epoch);
    /* Borrowed; `count` may be 0 when no row of a batch could be read. */
    /* Positions up to `upto`, after the one reached, can no longer be read. Comes before on_events.
     */
    void (*on_hole)(void *arg, int64_t upto);
    void (*on_events)(void *arg, struct event **events, size_t count, int64_t position);
};

struct feed *feed_new(const struct feed_options *options);
/* NULL is allowed. */
void feed_free(struct feed *feed);

/* The link is greeted: reads on from `position`. */
void feed_start(struct feed *feed, int64_t position);
/* The link is lost. */
void feed_stop(struct feed *feed);
/* Somebody says that the epoch has changed: asks for it, soon. */
void feed_doubt(struct feed *feed);
/* A bell rang. Nothing happens while stopped: feed_start() looks anyway. */
void feed_ring(struct feed *feed, enum pace_bell bell);

#endif
