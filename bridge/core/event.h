/* event.h - what PostgreSQL said happened, validated once and never changed.
 *
 * Immutable and counted by reference; all its text lies in one allocation. */
#ifndef VIGIE_CORE_EVENT_H
#define VIGIE_CORE_EVENT_H

#include "base/err.h"
#include "base/mem.h"

#include <stddef.h>
#include <stdint.h>

enum {
    EVENT_ROOMS_MAX = 16,
    EVENT_ROOM_BYTES_MAX = 200,
    EVENT_COMPANY_BYTES_MAX = 64,
    EVENT_NAME_BYTES_MAX = 64,
    EVENT_PAYLOAD_BYTES_MAX = 65536,
    EVENT_AT_BYTES_MAX = 40,
};

struct frame;

/* One row as the database gave it; everything borrowed. */
struct event_row {
    int64_t seq;
    const char *company;
    const char *channel;
    const char *name;
    const char *rooms; /* joined by '\n': no room name holds a control character */
    const char *payload;
    const char *at;
};

struct event {
    unsigned refs;
    int64_t seq;  /* position in the feed, > 0 */
    size_t bytes; /* of this object, for budgets */
    const char *company;
    const char *channel;
    const char *name;
    const char *payload; /* JSON text, spliced as it is into every frame */
    size_t payload_len;
    const char *at;
    size_t room_count; /* 1 to EVENT_ROOMS_MAX */
    const char **rooms;
    struct frame **frames; /* for each room the frame once encoded, or NULL */
};

/* Checks a row and copies it. NULL with `err` set for one that no event can be made of: a company,
 * name, time or room that is empty, too long or holds a control character, no room, too many rooms,
 * a position below 1, a payload that is empty or too large. The caller owns one reference. */
struct event *event_new(const struct event_row *row, struct err *err) MUST_USE;
struct event *event_ref(struct event *event);
/* NULL is allowed. */
void event_unref(struct event *event);

#endif
