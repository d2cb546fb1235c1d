/* site.h - a small folder of static files, read once into memory: the demo page.
 *
 * A path is looked up among the names read at the start and never given to the file system, so
 * there is nothing to climb out of. */
#ifndef VIGIE_WS_SITE_H
#define VIGIE_WS_SITE_H

#include "base/err.h"
#include "base/mem.h"

#include <stdbool.h>
#include <stddef.h>

enum { SITE_FILES_MAX = 64, SITE_BYTES_MAX = 8 * 1024 * 1024 };

struct site_file {
    char *path; /* "/index.html" */
    const char *type;
    char *bytes;
    size_t len;
};

struct site;

/* Reads the regular files of `folder`, not of its sub-folders; names that begin with a dot are left
 * out. NULL with `err` when it cannot be read or is larger than the ceilings. */
struct site *site_new(const char *folder, struct err *err) MUST_USE;
/* NULL is allowed. */
void site_free(struct site *site);
/* The file of a request path; "/" and "/demo" and "/demo/" are index.html, and "/demo/x" is "/x".
 * NULL when there is none. */
const struct site_file *site_find(const struct site *site, const char *path);

#endif
