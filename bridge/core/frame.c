#include "core/frame.h"

#include <stdlib.h>
#include <string.h>

struct frame *frame_new(size_t len)
{
    struct frame *frame = mem_new(sizeof *frame + len);
    frame->refs = 1;
    frame->len = len;
    return frame;
}

struct frame *frame_copy(const void *bytes, size_t len)
{
    struct frame *frame = frame_new(len);
    if (len)
        memcpy(frame->bytes, bytes, len);
    return frame;
}

struct frame *frame_ref(struct frame *frame)
{
    frame->refs++;
    return frame;
}

void frame_unref(struct frame *frame)
{
    if (frame && --frame->refs == 0)
        free(frame);
}
