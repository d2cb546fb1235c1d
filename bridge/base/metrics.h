/* metrics.h - counters, gauges and histograms, declared as data by the layer that owns them.
 *
 * A layer registers its families once and keeps the pointer to their values; counting is then one
 * addition. The names follow Prometheus (base units, `_total`); no label ever carries a user, a
 * room, a session or an address. */
#ifndef VIGIE_BASE_METRICS_H
#define VIGIE_BASE_METRICS_H

#include "base/buf.h"

#include <stddef.h>

enum metric_type { METRIC_COUNTER, METRIC_GAUGE };

struct metric_def {
    const char *name;
    enum metric_type type;
    const char *help;
    const char *label;         /* NULL: one value without label */
    const char *const *values; /* the label's values, `count` of them; borrowed for good */
    size_t count;
};

struct metrics;
struct histogram;

struct metrics *metrics_new(void);
void metrics_free(struct metrics *metrics);

/* Adds a family; the definition's strings stay borrowed. Returns its values (one, or `count`),
 * which live as long as `metrics`. A name is registered once only (asserted). */
double *metrics_register(struct metrics *metrics, const struct metric_def *def);

/* A histogram in seconds with fixed bounds from 100 microseconds to 10 s. */
struct histogram *metrics_histogram(struct metrics *metrics, const char *name, const char *help);
void histogram_add(struct histogram *histogram, double seconds);

/* Everything in Prometheus' text format 0.0.4. */
void metrics_print(const struct metrics *metrics, struct buf *out);

#endif
