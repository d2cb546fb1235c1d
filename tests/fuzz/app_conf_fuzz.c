/* Any bytes as configuration: a struct or complaints, never both; and what is printed of one that
 * was taken is taken again, with the same values. */
#include "app/conf.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PRINTED_MAX = 16 * 1024 * 1024 };

/* The effective configuration without the comments, which hold lines. */
static char *values(const struct conf *conf, struct buf *text)
{
    buf_init(text, PRINTED_MAX);
    conf_print(conf, text);
    assert(!text->overflow);
    char *copy = mem_dup(text->bytes, text->len);
    char *to = copy;
    for (const char *at = text->bytes; *at;) {
        size_t line = strcspn(at, "\n");
        const char *comment = memmem(at, line, " # ", 3);
        size_t len = comment ? (size_t)(comment - at) : line;
        memcpy(to, at, len);
        to += len;
        at += line + (at[line] == '\n');
    }
    *to = '\0';
    return copy;
}

static void check_printed(const struct conf *conf)
{
    struct buf text;
    struct buf again_text;
    struct buf errors;
    buf_init(&errors, CONF_ERRORS_BYTES_MAX);
    char *before = values(conf, &text);
    struct conf *again = NULL;
    if (text.len <= CONF_FILE_BYTES_MAX) {
        again = conf_parse("vigie.yaml", text.bytes, text.len, NULL, &errors);
        assert(again);
        assert(conf_reload_check(conf, again, &errors));
        char *after = values(again, &again_text);
        assert(strcmp(before, after) == 0);
        free(after);
        buf_free(&again_text);
    }
    conf_free(again);
    free(before);
    buf_free(&text);
    buf_free(&errors);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf errors;
    buf_init(&errors, CONF_ERRORS_BYTES_MAX);
    struct conf *conf = conf_parse("vigie.yaml", (const char *)data, size, NULL, &errors);
    assert((conf == NULL) == (errors.len > 0));
    assert(!errors.overflow);
    if (conf)
        check_printed(conf);
    conf_free(conf);
    buf_free(&errors);
    return 0;
}
