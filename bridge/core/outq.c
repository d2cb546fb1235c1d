#include "core/outq.h"

#include <assert.h>
#include <stdlib.h>

void outq_init(struct outq *q, size_t budget_bytes)
{
    *q = (struct outq){.budget_bytes = budget_bytes};
}

void outq_free(struct outq *q)
{
    while (q->count)
        outq_pop(q);
    free(q->slots);
    outq_init(q, q->budget_bytes);
}

static struct frame **slot(const struct outq *q, unsigned index)
{
    return &q->slots[(q->head + index) & (q->capacity - 1)];
}

static void grow(struct outq *q)
{
    unsigned capacity = q->capacity ? q->capacity * 2 : 8;
    struct frame **slots = mem_resize(NULL, capacity, sizeof *slots);
    for (unsigned i = 0; i < q->count; i++)
        slots[i] = *slot(q, i);
    free(q->slots);
    q->slots = slots;
    q->capacity = capacity;
    q->head = 0;
}

bool outq_push(struct outq *q, struct frame *frame)
{
    if (q->count && q->used_bytes + frame->len > q->budget_bytes)
        return false;
    if (q->count == q->capacity)
        grow(q);
    *slot(q, q->count++) = frame_ref(frame);
    q->used_bytes += frame->len;
    return true;
}

struct frame *outq_peek(const struct outq *q)
{
    return q->count ? *slot(q, 0) : NULL;
}

void outq_pop(struct outq *q)
{
    assert(q->count);
    struct frame *frame = *slot(q, 0);
    q->head = (q->head + 1) & (q->capacity - 1);
    q->count--;
    q->used_bytes -= frame->len;
    frame_unref(frame);
}
