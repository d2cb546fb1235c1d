#include "unit.h"

#include "base/metrics.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const states[] = {"live", "closed"};
static const struct metric_def plain = {"vigie_a_total", METRIC_COUNTER, "things", NULL, NULL, 0};
static const struct metric_def labelled = {"vigie_b", METRIC_GAUGE, "by state", "state", states, 2};

static char *printed(const struct metrics *metrics)
{
    struct buf out;
    buf_init(&out, 65536);
    metrics_print(metrics, &out);
    return buf_take(&out);
}

static void assert_prints(const struct metrics *metrics, const char *part)
{
    char *text = printed(metrics);
    if (!strstr(text, part))
        print_error("no %s in:\n%s", part, text);
    assert_non_null(strstr(text, part));
    free(text);
}

static void families_print_in_the_text_format(void **state)
{
    (void)state;
    struct metrics *metrics = metrics_new();
    double *a = metrics_register(metrics, &plain);
    double *b = metrics_register(metrics, &labelled);
    a[0] += 3;
    b[1] = 0.5;
    char *text = printed(metrics);
    assert_string_equal(text, "# HELP vigie_a_total things\n# TYPE vigie_a_total counter\n"
                              "vigie_a_total 3\n"
                              "# HELP vigie_b by state\n# TYPE vigie_b gauge\n"
                              "vigie_b{state=\"live\"} 0\nvigie_b{state=\"closed\"} 0.5\n");
    free(text);
    metrics_free(metrics);
}

static void a_large_count_is_printed_whole(void **state)
{
    (void)state;
    struct metrics *metrics = metrics_new();
    metrics_register(metrics, &plain)[0] = 9007199254740991.0;
    assert_prints(metrics, "vigie_a_total 9007199254740991\n");
    metrics_free(metrics);
}

static void buckets_are_cumulative_and_bounds_belong_to_them(void **state)
{
    (void)state;
    struct metrics *metrics = metrics_new();
    struct histogram *latency = metrics_histogram(metrics, "vigie_s", "seconds");
    histogram_add(latency, 0.0001); /* on the lowest bound */
    histogram_add(latency, 0.0002);
    histogram_add(latency, 10);
    histogram_add(latency, 11);
    assert_prints(metrics, "# TYPE vigie_s histogram\nvigie_s_bucket{le=\"0.0001\"} 1\n"
                           "vigie_s_bucket{le=\"0.00025\"} 2\n");
    assert_prints(metrics, "vigie_s_bucket{le=\"5\"} 2\nvigie_s_bucket{le=\"10\"} 3\n"
                           "vigie_s_bucket{le=\"+Inf\"} 4\nvigie_s_sum 21.000");
    assert_prints(metrics, "vigie_s_count 4\n");
    metrics_free(metrics);
}

static void values_stay_where_they_are_while_others_are_added(void **state)
{
    (void)state;
    static char names[100][16];
    struct metrics *metrics = metrics_new();
    double *first = metrics_register(metrics, &plain);
    for (int i = 0; i < 100; i++) {
        snprintf(names[i], sizeof names[i], "vigie_%d", i);
        struct metric_def def = {names[i], METRIC_GAUGE, "x", NULL, NULL, 0};
        metrics_register(metrics, &def);
    }
    first[0] = 7;
    assert_prints(metrics, "vigie_a_total 7\n");
    metrics_free(metrics);
}

static void register_twice(void)
{
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    close(STDERR_FILENO);
    struct metrics *metrics = metrics_new();
    metrics_register(metrics, &plain);
    metrics_register(metrics, &plain);
    _exit(0);
}

static void a_name_registered_twice_ends_the_process(void **state)
{
    (void)state;
    int status = 0;
    pid_t child = fork();
    if (child == 0)
        register_twice();
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void freeing_nothing_is_allowed(void **state)
{
    (void)state;
    metrics_free(NULL);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(families_print_in_the_text_format),
        cmocka_unit_test(a_large_count_is_printed_whole),
        cmocka_unit_test(buckets_are_cumulative_and_bounds_belong_to_them),
        cmocka_unit_test(values_stay_where_they_are_while_others_are_added),
        cmocka_unit_test(a_name_registered_twice_ends_the_process),
        cmocka_unit_test(freeing_nothing_is_allowed),
    };
    return RUN(tests);
}
