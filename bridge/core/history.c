#include "core/history.h"

#include <assert.h>
#include <stdlib.h>

void history_init(struct history *history, struct company **companies, size_t budget_bytes,
                  int64_t age_ms)
{
    *history =
        (struct history){.companies = companies, .budget_bytes = budget_bytes, .age_ms = age_ms};
}

static struct event **company_slot(const struct company *company, unsigned index)
{
    return &company->events[(company->event_head + index) & (company->event_capacity - 1)];
}

static struct remembered *ring_slot(const struct history *history, unsigned index)
{
    return &history->ring[(history->head + index) & (history->capacity - 1)];
}

/* What an event costs here: itself, and about as much again for the frame that is cached with it.
 */
static size_t cost(const struct event *event)
{
    return event->bytes + event->payload_len + 256;
}

static void forget_oldest(struct history *history)
{
    struct remembered oldest = *ring_slot(history, 0);
    history->head = (history->head + 1) & (history->capacity - 1);
    history->count--;
    struct company *company = oldest.company;
    assert(*company_slot(company, 0) == oldest.event);
    company->event_head = (company->event_head + 1) & (company->event_capacity - 1);
    company->event_count--;
    history->floor_seq = oldest.event->seq;
    history->used_bytes -= cost(oldest.event);
    event_unref(oldest.event);
    company_release(history->companies, company);
}

void history_reset(struct history *history, int64_t floor_seq)
{
    while (history->count)
        forget_oldest(history);
    history->floor_seq = floor_seq;
}

void history_free(struct history *history)
{
    history_reset(history, 0);
    free(history->ring);
    history->ring = NULL;
    history->capacity = 0;
}

static void grow_ring(struct history *history)
{
    unsigned capacity = history->capacity ? history->capacity * 2 : 64;
    struct remembered *ring = mem_resize(NULL, capacity, sizeof *ring);
    for (unsigned i = 0; i < history->count; i++)
        ring[i] = *ring_slot(history, i);
    free(history->ring);
    history->ring = ring;
    history->capacity = capacity;
    history->head = 0;
}

static void grow_company(struct company *company)
{
    unsigned capacity = company->event_capacity ? company->event_capacity * 2 : 8;
    struct event **events = mem_resize(NULL, capacity, sizeof(struct event *));
    for (unsigned i = 0; i < company->event_count; i++)
        events[i] = *company_slot(company, i);
    free(company->events);
    company->events = events;
    company->event_capacity = capacity;
    company->event_head = 0;
}

void history_add(struct history *history, struct company *company, struct event *event,
                 int64_t now_ms)
{
    if (history->count == history->capacity)
        grow_ring(history);
    if (company->event_count == company->event_capacity)
        grow_company(company);
    *company_slot(company, company->event_count++) = event_ref(event);
    *ring_slot(history, history->count++) = (struct remembered){event, company, now_ms};
    history->used_bytes += cost(event);
    while (history->used_bytes > history->budget_bytes)
        forget_oldest(history);
}

void history_expire(struct history *history, int64_t now_ms)
{
    while (history->count && ring_slot(history, 0)->at_ms < now_ms - history->age_ms)
        forget_oldest(history);
}

unsigned history_after(const struct company *company, int64_t seq)
{
    unsigned low = 0;
    unsigned high = company->event_count;
    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        if ((*company_slot(company, middle))->seq > seq)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

struct event *history_at(const struct company *company, unsigned index)
{
    return *company_slot(company, index);
}
