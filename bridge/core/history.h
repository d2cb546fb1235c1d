/* history.h - the last minutes of events in memory: a quick resume asks no database.
 *
 * One ring over all companies decides what is forgotten (oldest first, by bytes and by age); each
 * company keeps its own ring of the same events, so that a resume costs what that company wrote. */
#ifndef VIGIE_CORE_HISTORY_H
#define VIGIE_CORE_HISTORY_H

#include "core/room.h"

struct history {
    struct company **companies; /* the hub's table; companies without anything left are released */
    size_t budget_bytes;
    int64_t age_ms;
    size_t used_bytes;
    int64_t floor_seq; /* every event after this position is here */
    struct remembered {
        struct event *event;
        struct company *company;
        int64_t at_ms;
    } * ring;
    unsigned capacity;
    unsigned head;
    unsigned count;
};

void history_init(struct history *history, struct company **companies, size_t budget_bytes,
                  int64_t age_ms);
/* Forgets everything; from now on nothing up to `floor_seq` is known. */
void history_reset(struct history *history, int64_t floor_seq);
void history_free(struct history *history);

/* Remembers a reference. Events come in order of seq. */
void history_add(struct history *history, struct company *company, struct event *event,
                 int64_t now_ms);
/* Forgets what is over the age. */
void history_expire(struct history *history, int64_t now_ms);

/* Index of the company's first event after `seq`, for history_at(); event_count when none. */
unsigned history_after(const struct company *company, int64_t seq);
struct event *history_at(const struct company *company, unsigned index);

#endif
