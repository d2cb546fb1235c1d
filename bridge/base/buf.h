/* buf.h - a growable run of bytes that cannot be made without a ceiling (curl's dynbuf). */
#ifndef VIGIE_BASE_BUF_H
#define VIGIE_BASE_BUF_H

#include "base/mem.h"

#include <stdbool.h>
#include <stddef.h>

struct buf {
    char *bytes; /* NUL-terminated once something was written, else NULL */
    size_t len;
    size_t capacity;
    size_t ceiling_bytes;
    bool overflow; /* something did not fit: the content is not to be used */
};

/* An empty buffer that will never hold more than `ceiling_bytes`. */
void buf_init(struct buf *buf, size_t ceiling_bytes);

/* Gives the memory back; the ceiling stays, the buffer is empty and usable again. */
void buf_free(struct buf *buf);

/* Empties it and keeps the memory. */
void buf_clear(struct buf *buf);

/* Appends. Past the ceiling nothing is written and `overflow` is set, for good until buf_clear().
 */
void buf_add(struct buf *buf, const void *bytes, size_t len);
void buf_str(struct buf *buf, const char *text);
void buf_char(struct buf *buf, char byte);
void buf_fmt(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Appends a JSON string with its quotes: control characters, quote and backslash escaped
 * (RFC 8259, 7). Bytes above 0x7f pass as they are: PostgreSQL and jansson hand out valid UTF-8. */
void buf_json(struct buf *buf, const char *text, size_t len);

/* The bytes, owned by the caller from now on (freed with free()); the buffer is empty. */
char *buf_take(struct buf *buf) MUST_USE;

#endif
