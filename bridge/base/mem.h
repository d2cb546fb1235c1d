/* mem.h - allocation that cannot fail: out of memory ends the process with a message.
 * What a peer can make grow has a ceiling elsewhere; what is left is ours to fit (style card, 8).
 */
#ifndef VIGIE_BASE_MEM_H
#define VIGIE_BASE_MEM_H

#include <stddef.h>

#define MUST_USE __attribute__((warn_unused_result))

/* Zeroed memory for one object of `size` bytes; never NULL. Freed with free(). */
void *mem_new(size_t size) MUST_USE;

/* Grows or makes an array of `count` elements; never NULL; the multiplication is checked. */
void *mem_resize(void *array, size_t count, size_t size) MUST_USE;

/* A NUL-terminated copy of `len` bytes, owned by the caller. */
char *mem_dup(const char *bytes, size_t len) MUST_USE;

/* A copy of a string, or NULL for NULL. */
char *mem_strdup(const char *text) MUST_USE;

#endif
