#include "base/mem.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *must(void *memory, size_t size)
{
    if (memory || size == 0)
        return memory;
    fprintf(stderr, "level=error event=out_of_memory bytes=%zu\n", size);
    abort();
}

void *mem_new(size_t size)
{
    return must(calloc(1, size ? size : 1), size ? size : 1);
}

void *mem_resize(void *array, size_t count, size_t size)
{
    size_t bytes = 0;
    if (__builtin_mul_overflow(count, size, &bytes))
        return must(NULL, SIZE_MAX);
    return must(realloc(array, bytes ? bytes : 1), bytes ? bytes : 1);
}

char *mem_dup(const char *bytes, size_t len)
{
    char *copy = mem_new(len + 1);
    if (len)
        memcpy(copy, bytes, len);
    return copy;
}

char *mem_strdup(const char *text)
{
    return text ? mem_dup(text, strlen(text)) : NULL;
}
