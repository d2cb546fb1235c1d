#include "base/log.h"

#include "base/buf.h"
#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LOG_LINE_MAX = 16384 };

static struct {
    enum log_level level;
    enum log_format format;
    uint64_t dropped; /* lines that stderr did not take: told with the next one that it does */
} sink = {.level = LOG_INFO};

static const char *const level_names[] = {"error", "warn", "info", "debug"};

void log_setup(enum log_level level, enum log_format format)
{
    sink.level = level;
    sink.format = format;
}

bool log_enabled(enum log_level level)
{
    return level <= sink.level;
}

static bool is_bare(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char byte = (unsigned char)text[i];
        if (byte <= ' ' || byte == '"' || byte == '=' || byte == '\\' || byte >= 0x7f)
            return false;
    }
    return len > 0;
}

/* At most LOG_VALUE_MAX bytes, and no part of a character: the line stays valid UTF-8. */
static size_t cut(const char *text)
{
    size_t len = strnlen(text, LOG_VALUE_MAX);
    if (len == LOG_VALUE_MAX)
        while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
            len--;
    return len;
}

static void put_text(struct buf *line, const char *text)
{
    size_t len = cut(text);
    if (sink.format == LOG_LOGFMT && is_bare(text, len))
        buf_add(line, text, len);
    else
        buf_json(line, text, len);
}

static void put_field(struct buf *line, const struct log_field *field)
{
    bool json = sink.format == LOG_JSON;
    buf_str(line, json ? ",\"" : " ");
    buf_str(line, field->key);
    buf_str(line, json ? "\":" : "=");
    if (field->text)
        put_text(line, field->text);
    else
        buf_fmt(line, "%lld", (long long)field->number);
}

static void put_head(struct buf *line, enum log_level level)
{
    char stamp[CLOCK_STAMP_MAX];
    clock_stamp(stamp, clock_wall_us());
    if (sink.format == LOG_JSON)
        buf_fmt(line, "{\"ts\":\"%s\",\"level\":\"%s\"", stamp, level_names[level]);
    else
        buf_fmt(line, "ts=%s level=%s", stamp, level_names[level]);
}

void log_write(enum log_level level, const struct log_field *fields, size_t count)
{
    if (!log_enabled(level))
        return;
    struct buf line;
    buf_init(&line, LOG_LINE_MAX);
    put_head(&line, level);
    for (size_t i = 0; i < count; i++)
        put_field(&line, &fields[i]);
    if (sink.dropped)
        put_field(&line, &(struct log_field)LOG_N("log_lines_lost", sink.dropped));
    buf_str(&line, sink.format == LOG_JSON ? "}\n" : "\n");
    if (!line.overflow && write(STDERR_FILENO, line.bytes, line.len) == (ssize_t)line.len)
        sink.dropped = 0;
    else
        sink.dropped++;
    buf_free(&line);
}
