/* channel.h - what the configuration says about a table's channel: which rooms its events reach.
 *
 * The rule in the database names the rooms. Here the operator can narrow them or add rooms of the
 * same company; nothing written here can name another company. */
#ifndef VIGIE_CORE_CHANNEL_H
#define VIGIE_CORE_CHANNEL_H

#include "core/event.h"

#include <stdbool.h>

struct channel_rule {
    const char *channel; /* as in the feed: vigie_devis */
    const char *const
        *patterns;        /* "*", "kind:*", or a room, "{company}" standing for the company */
    size_t pattern_count; /* 0: as "*" */
};

struct channel_map {
    const struct channel_rule *rules;
    size_t count;
};

/* True for a pattern of one of the three forms. */
bool channel_pattern_ok(const char *pattern);

/* Whether the configuration names this channel. */
bool channel_is_served(const struct channel_map *map, const char *channel);

/* The event as its channel's rule wants it: the same (a new reference), a copy with other rooms, or
 * NULL when no room is left or the channel is not served here. */
struct event *channel_apply(const struct channel_map *map, struct event *event);

#endif
