/* log.h - one line per event, as logfmt or JSON, on stderr.
 *
 * The event name is stable: operators and tests grep for it. Every foreign string is escaped and
 * cut at LOG_VALUE_MAX bytes, so that nobody can forge a line. Never a token, never a payload. */
#ifndef VIGIE_BASE_LOG_H
#define VIGIE_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LOG_VALUE_MAX = 512 };

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_LOGFMT, LOG_JSON };

struct log_field {
    const char *key;
    const char *text; /* NULL: `number` is meant */
    int64_t number;
};

/* Which lines are written, and how. The sink is the only mutable global of the program. */
void log_setup(enum log_level level, enum log_format format);

/* True when a line of this level would be written: spares building costly fields. */
bool log_enabled(enum log_level level);

void log_write(enum log_level level, const struct log_field *fields, size_t count);

/* For LOG_S: a missing text is an empty one. */
static inline const char *log_text(const char *text)
{
    return text ? text : "";
}

#define LOG_S(name, value)                                                                         \
    {                                                                                              \
        .key = (name), .text = log_text(value)                                                     \
    }
#define LOG_N(name, value)                                                                         \
    {                                                                                              \
        .key = (name), .number = (int64_t)(value)                                                  \
    }

#define LOG_LINE(level, name, ...)                                                                 \
    log_write((level), (const struct log_field[]){LOG_S("event", name), __VA_ARGS__},              \
              sizeof((const struct log_field[]){LOG_S("event", name), __VA_ARGS__}) /              \
                  sizeof(struct log_field))
#define log_error(name, ...) LOG_LINE(LOG_ERROR, name, __VA_ARGS__)
#define log_warn(name, ...) LOG_LINE(LOG_WARN, name, __VA_ARGS__)
#define log_info(name, ...) LOG_LINE(LOG_INFO, name, __VA_ARGS__)
#define log_debug(name, ...) LOG_LINE(LOG_DEBUG, name, __VA_ARGS__)

#endif
