#include "core/channel.h"

#include "base/buf.h"
#include "core/text.h"

#include <stdio.h>
#include <string.h>

static bool is_prefix_pattern(const char *pattern)
{
    size_t len = strlen(pattern);
    return len >= 3 && strcmp(pattern + len - 2, ":*") == 0;
}

bool channel_pattern_ok(const char *pattern)
{
    if (strcmp(pattern, "*") == 0)
        return true;
    size_t len = strlen(pattern);
    if (!text_is_name(pattern, len, EVENT_ROOM_BYTES_MAX) || !strchr(pattern, ':'))
        return false;
    if (is_prefix_pattern(pattern))
        return strchr(pattern, '*') == pattern + len - 1 && !strchr(pattern, '{');
    const char *brace = strpbrk(pattern, "{}");
    if (brace && (strncmp(brace, "{company}", 9) != 0 || strpbrk(brace + 9, "{}")))
        return false;
    return !strchr(pattern, '*');
}

static const struct channel_rule *find(const struct channel_map *map, const char *channel)
{
    for (size_t i = 0; i < map->count; i++)
        if (strcmp(map->rules[i].channel, channel) == 0)
            return &map->rules[i];
    return NULL;
}

bool channel_is_served(const struct channel_map *map, const char *channel)
{
    return find(map, channel) != NULL;
}

static bool keeps_all(const struct channel_rule *rule)
{
    return rule->pattern_count == 0 ||
           (rule->pattern_count == 1 && strcmp(rule->patterns[0], "*") == 0);
}

static bool matches(const char *pattern, const char *room)
{
    if (strcmp(pattern, "*") == 0)
        return true;
    return is_prefix_pattern(pattern) && strncmp(pattern, room, strlen(pattern) - 1) == 0;
}

static bool kept(const struct channel_rule *rule, const char *room)
{
    for (size_t i = 0; i < rule->pattern_count; i++)
        if (matches(rule->patterns[i], room))
            return true;
    return false;
}

/* The rooms of the event in the making. */
struct rooms {
    struct buf joined; /* by '\n' */
    size_t count;
};

static bool is_listed(const struct rooms *rooms, const char *room)
{
    size_t len = strlen(room);
    for (const char *at = rooms->joined.bytes; at; at = strchr(at, '\n')) {
        at += *at == '\n';
        if (strncmp(at, room, len) == 0 && (at[len] == '\n' || at[len] == '\0'))
            return true;
    }
    return false;
}

/* Each once; one that finds no place among the sixteen is left out: the event is not lost for it.
 */
static void add_room(struct rooms *rooms, const char *room)
{
    if (rooms->count == EVENT_ROOMS_MAX || is_listed(rooms, room))
        return;
    if (rooms->count++)
        buf_char(&rooms->joined, '\n');
    buf_str(&rooms->joined, room);
}

static void add_named(struct rooms *rooms, const char *pattern, const char *company)
{
    char room[EVENT_ROOM_BYTES_MAX + 1];
    if (strcmp(pattern, "*") == 0 || is_prefix_pattern(pattern))
        return;
    const char *brace = strchr(pattern, '{');
    if (!brace) {
        add_room(rooms, pattern);
        return;
    }
    int len = snprintf(room, sizeof room, "%.*s%s%s", (int)(brace - pattern), pattern, company,
                       brace + strlen("{company}"));
    if (len > 0 && len <= EVENT_ROOM_BYTES_MAX)
        add_room(rooms, room);
}

static void choose_rooms(struct rooms *rooms, const struct channel_rule *rule,
                         const struct event *event)
{
    for (size_t i = 0; i < event->room_count; i++)
        if (kept(rule, event->rooms[i]))
            add_room(rooms, event->rooms[i]);
    for (size_t i = 0; i < rule->pattern_count; i++)
        add_named(rooms, rule->patterns[i], event->company);
}

struct event *channel_apply(const struct channel_map *map, struct event *event)
{
    const struct channel_rule *rule = find(map, event->channel);
    if (!rule)
        return NULL;
    if (keeps_all(rule))
        return event_ref(event);
    struct rooms rooms = {.count = 0};
    buf_init(&rooms.joined, (EVENT_ROOM_BYTES_MAX + 1) * EVENT_ROOMS_MAX);
    choose_rooms(&rooms, rule, event);
    struct event_row row = {event->seq,         event->company, event->channel, event->name,
                            rooms.joined.bytes, event->payload, event->at};
    struct event *mapped = rooms.count ? event_new(&row, NULL) : NULL;
    buf_free(&rooms.joined);
    return mapped;
}
