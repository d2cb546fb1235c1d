/* conf_tree.h - a YAML file as a tree that knows its lines, and the list of what is wrong with it.
 *
 * Built on libyaml's events, not on libcyaml: libcyaml stops at the first error, keeps no line for
 * a value that parsed, takes a second document in silence and has no mapping whose keys are free
 * (the channels). The strictness is all here: exactly one document, no alias, anchor or tag, no key
 * twice, plain keys, no control characters, bounded depth and size. */
#ifndef VIGIE_APP_CONF_TREE_H
#define VIGIE_APP_CONF_TREE_H

#include "base/buf.h"

#include <stdarg.h>

enum { CONF_COMPLAINTS_MAX = 100 };

/* Collects complaints, a line each; after CONF_COMPLAINTS_MAX it only counts. */
struct conf_complaints {
    const char *file;
    struct buf *out;
    size_t count;
};

/* FILE:LINE: … */
void conf_complain(struct conf_complaints *complaints, unsigned line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* WHERE: … */
void conf_complain_at(struct conf_complaints *complaints, const char *where, const char *format,
                      ...) __attribute__((format(printf, 3, 4)));
void conf_vcomplain(struct conf_complaints *complaints, const char *where, const char *format,
                    va_list args) __attribute__((format(printf, 3, 0)));

enum conf_kind { CONF_SCALAR, CONF_SEQUENCE, CONF_MAP };

struct conf_node {
    enum conf_kind kind;
    bool quoted;       /* a scalar in quotes, or a block scalar */
    bool broken;       /* a scalar that was complained about already; its text is empty */
    unsigned line;     /* where the value begins */
    unsigned key_line; /* where its key is, in a map */
    char *key;         /* in a map, else NULL */
    char *text;        /* of a scalar, else NULL */
    size_t child_count;
    struct conf_node *children; /* of a sequence or map, in order */
    struct conf_node *next;
};

/* The root of the only document, a map, whatever was complained about; NULL when the text is no
 * YAML or no map. `complaints->count` tells whether anything is wrong. */
struct conf_node *conf_tree_parse(const char *text, size_t len,
                                  struct conf_complaints *complaints) MUST_USE;
/* NULL is allowed. */
void conf_tree_free(struct conf_node *node);

/* The first value of that key, or NULL. */
const struct conf_node *conf_tree_find(const struct conf_node *map, const char *key);

/* "a map", "a list" or "a value": for complaints. */
const char *conf_kind_name(enum conf_kind kind);

#endif
