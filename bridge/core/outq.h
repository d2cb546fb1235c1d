/* outq.h - the frames waiting for one session's socket, within a byte budget. */
#ifndef VIGIE_CORE_OUTQ_H
#define VIGIE_CORE_OUTQ_H

#include "core/frame.h"

#include <stdbool.h>

struct outq {
    struct frame **slots; /* a ring; NULL while nothing ever waited */
    unsigned capacity;    /* a power of two, or 0 */
    unsigned head;
    unsigned count;
    size_t used_bytes;
    size_t budget_bytes;
};

void outq_init(struct outq *q, size_t budget_bytes);
/* Drops every reference and the memory. */
void outq_free(struct outq *q);

/* Queues a reference to `frame`. False, and nothing changed, when it would not fit the budget; an
 * empty queue takes any frame, so that one larger than the budget cannot block for ever. */
MUST_USE bool outq_push(struct outq *q, struct frame *frame);

/* The oldest frame, borrowed until outq_pop(), or NULL. */
struct frame *outq_peek(const struct outq *q);
/* Drops the oldest frame and gives its budget back; the queue must not be empty. */
void outq_pop(struct outq *q);

#endif
