/* frame.h - one encoded message: the very bytes that go out, immutable, shared by reference.
 *
 * Built once per protocol and event; every queue holds a reference. `company` is whose content it
 * carries, or NULL when it was built for one session alone: the isolation gate compares it. */
#ifndef VIGIE_CORE_FRAME_H
#define VIGIE_CORE_FRAME_H

#include "base/mem.h"

#include <stddef.h>

struct company;

struct frame {
    unsigned refs;
    const struct company *company; /* compared, never followed */
    size_t len;
    unsigned char bytes[];
};

/* An uninitialised frame of `len` bytes with one reference, to be filled before it is shared. */
struct frame *frame_new(size_t len) MUST_USE;
/* A copy of `len` bytes. */
struct frame *frame_copy(const void *bytes, size_t len) MUST_USE;
struct frame *frame_ref(struct frame *frame);
/* NULL is allowed. */
void frame_unref(struct frame *frame);

#endif
