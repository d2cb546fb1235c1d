/* err.h - why something failed, in words, for the one who asked. Whoever decides, logs. */
#ifndef VIGIE_BASE_ERR_H
#define VIGIE_BASE_ERR_H

#include <stdarg.h>
#include <stdbool.h>

struct err {
    char text[1024]; /* empty: no error; cut, never overrun */
};

/* Sets the text and returns false, so that `return err_set(err, …)` reads well. `err` may be NULL.
 */
bool err_set(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts `format` and ": " before what is there already; returns false. */
bool err_wrap(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
