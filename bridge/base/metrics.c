#include "base/metrics.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

static const double bounds[] = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
                                0.05,   0.1,     0.25,   0.5,   1,      2.5,   5,    10};
enum { BOUND_COUNT = sizeof bounds / sizeof *bounds };

struct family {
    struct metric_def def;
    double *values;
    struct family *next;
};

struct histogram {
    const char *name;
    const char *help;
    double buckets[BOUND_COUNT];
    double sum;
    double count;
    struct histogram *next;
};

struct metrics {
    struct family *families;
    struct histogram *histograms;
};

struct metrics *metrics_new(void)
{
    return mem_new(sizeof(struct metrics));
}

void metrics_free(struct metrics *metrics)
{
    if (!metrics)
        return;
    struct family *family;
    struct family *next_family;
    LL_FOREACH_SAFE(metrics->families, family, next_family)
    {
        free(family->values);
        free(family);
    }
    struct histogram *histogram;
    struct histogram *next_histogram;
    LL_FOREACH_SAFE(metrics->histograms, histogram, next_histogram)
    free(histogram);
    free(metrics);
}

double *metrics_register(struct metrics *metrics, const struct metric_def *def)
{
    struct family *family;
    LL_FOREACH(metrics->families, family)
    assert(strcmp(family->def.name, def->name) != 0);
    family = mem_new(sizeof *family);
    family->def = *def;
    family->values = mem_new((def->label ? def->count : 1) * sizeof(double));
    LL_APPEND(metrics->families, family);
    return family->values;
}

struct histogram *metrics_histogram(struct metrics *metrics, const char *name, const char *help)
{
    struct histogram *histogram = mem_new(sizeof *histogram);
    histogram->name = name;
    histogram->help = help;
    LL_APPEND(metrics->histograms, histogram);
    return histogram;
}

void histogram_add(struct histogram *histogram, double seconds)
{
    histogram->sum += seconds;
    histogram->count++;
    for (size_t i = BOUND_COUNT; i-- > 0 && seconds <= bounds[i];)
        histogram->buckets[i]++;
}

static void print_family(const struct family *family, struct buf *out)
{
    const struct metric_def *def = &family->def;
    buf_fmt(out, "# HELP %s %s\n# TYPE %s %s\n", def->name, def->help, def->name,
            def->type == METRIC_COUNTER ? "counter" : "gauge");
    if (!def->label) {
        buf_fmt(out, "%s %.17g\n", def->name, family->values[0]);
        return;
    }
    for (size_t i = 0; i < def->count; i++)
        buf_fmt(out, "%s{%s=\"%s\"} %.17g\n", def->name, def->label, def->values[i],
                family->values[i]);
}

static void print_histogram(const struct histogram *histogram, struct buf *out)
{
    const char *name = histogram->name;
    buf_fmt(out, "# HELP %s %s\n# TYPE %s histogram\n", name, histogram->help, name);
    for (size_t i = 0; i < BOUND_COUNT; i++)
        buf_fmt(out, "%s_bucket{le=\"%g\"} %.17g\n", name, bounds[i], histogram->buckets[i]);
    buf_fmt(out, "%s_bucket{le=\"+Inf\"} %.17g\n", name, histogram->count);
    buf_fmt(out, "%s_sum %.17g\n%s_count %.17g\n", name, histogram->sum, name, histogram->count);
}

void metrics_print(const struct metrics *metrics, struct buf *out)
{
    const struct family *family;
    LL_FOREACH(metrics->families, family)
    print_family(family, out);
    const struct histogram *histogram;
    LL_FOREACH(metrics->histograms, histogram)
    print_histogram(histogram, out);
}
