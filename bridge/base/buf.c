#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_init(struct buf *buf, size_t ceiling_bytes)
{
    *buf = (struct buf){.ceiling_bytes = ceiling_bytes};
}

void buf_free(struct buf *buf)
{
    free(buf->bytes);
    buf_init(buf, buf->ceiling_bytes);
}

void buf_clear(struct buf *buf)
{
    buf->len = 0;
    buf->overflow = false;
    if (buf->bytes)
        buf->bytes[0] = '\0';
}

/* Room for `extra` more bytes and the NUL, or overflow. */
static bool buf_reserve(struct buf *buf, size_t extra)
{
    if (buf->overflow || extra > buf->ceiling_bytes - buf->len) {
        buf->overflow = true;
        return false;
    }
    size_t need = buf->len + extra + 1;
    if (need <= buf->capacity)
        return true;
    size_t capacity = buf->capacity ? buf->capacity : 64;
    while (capacity < need)
        capacity *= 2;
    buf->bytes = mem_resize(buf->bytes, capacity, 1);
    buf->capacity = capacity;
    return true;
}

void buf_add(struct buf *buf, const void *bytes, size_t len)
{
    if (!buf_reserve(buf, len))
        return;
    if (len)
        memcpy(buf->bytes + buf->len, bytes, len);
    buf->len += len;
    buf->bytes[buf->len] = '\0';
}

void buf_str(struct buf *buf, const char *text)
{
    buf_add(buf, text, strlen(text));
}

void buf_char(struct buf *buf, char byte)
{
    buf_add(buf, &byte, 1);
}

void buf_fmt(struct buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len >= 0 && buf_reserve(buf, (size_t)len)) {
        vsnprintf(buf->bytes + buf->len, (size_t)len + 1, format, again);
        buf->len += (size_t)len;
    }
    va_end(again);
}

static void buf_json_char(struct buf *buf, unsigned char byte)
{
    switch (byte) {
    case '"':
        buf_str(buf, "\\\"");
        return;
    case '\\':
        buf_str(buf, "\\\\");
        return;
    case '\n':
        buf_str(buf, "\\n");
        return;
    default:
        buf_fmt(buf, "\\u%04x", byte);
    }
}

void buf_json(struct buf *buf, const char *text, size_t len)
{
    buf_char(buf, '"');
    size_t plain = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char byte = (unsigned char)text[i];
        if (byte >= 0x20 && byte != '"' && byte != '\\' && byte != 0x7f)
            continue;
        buf_add(buf, text + plain, i - plain);
        buf_json_char(buf, byte);
        plain = i + 1;
    }
    buf_add(buf, text + plain, len - plain);
    buf_char(buf, '"');
}

char *buf_take(struct buf *buf)
{
    char *bytes = buf->bytes ? buf->bytes : mem_dup("", 0);
    buf_init(buf, buf->ceiling_bytes);
    return bytes;
}
