/* app.h - owns every part and joins them; the only place that sees the whole configuration. */
#ifndef VIGIE_APP_APP_H
#define VIGIE_APP_APP_H

#include "app/args.h"

/* BSD's sysexits, as far as we use them; docs/operations.md says what an operator does for each. */
enum app_exit {
    APP_OK = 0,
    APP_RUNTIME = 1,
    APP_USAGE = 64,
    APP_NO_INPUT = 66,
    APP_OS = 71,
    APP_PERMISSION = 77,
    APP_CONFIG = 78,
};

/* Runs the bridge until it is told to stop. `environment` as in conf_load(). Returns the exit code.
 */
int app_run(const struct args *args, char *const *environment);

/* --check-config: 0, or every complaint on stderr and the exit code that app_run() would give. */
int app_check(const struct args *args, char *const *environment);

#endif
