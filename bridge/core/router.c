/* From an event to the sessions that may see it.
 *
 * An event names its company and its rooms. The company is an object, and its rooms are found
 * inside it, so whatever the names are, an event can only reach members of rooms of its own
 * company. Each session remembers the position it was last given (session->pos): an event that came
 * to two of its rooms, or that a replay has already brought, is not after it and is passed over.
 * That one comparison is "once"; that events are published in the order of the feed, and queued by
 * nobody else, is "in order".
 *
 * Encoding happens at most once per protocol, event and room; what is queued is a reference.
 * Nothing is written here. A session whose queue is full is not waited for and not given a gap: it
 * falls back to catching up from its position, which costs no memory, and is live again when it has
 * read what it missed. */
#include "core/router.h"

#include "base/clock.h"
#include "base/log.h"
#include "core/session.h"

#include <string.h>

enum { UNLISTED_MAX = 256 };

static void to_room(struct room *room, struct event *event, unsigned index)
{
    for (unsigned i = 0; i < room->count; i++) {
        struct session *session = room->members[i];
        if (session->state == SESSION_LIVE && event->seq > session->pos)
            (void)session_deliver(session, event, index);
    }
}

/* A rule whose table nobody listed here would otherwise be a riddle: everything is well, and
 * nothing comes. Said once a channel, for so many channels. */
static void note_unlisted(struct hub *hub, const struct event *event)
{
    struct unlisted *known = NULL;
    hub->metrics.unlisted[0]++;
    HASH_FIND_STR(hub->unlisted, event->channel, known);
    if (known || HASH_COUNT(hub->unlisted) >= UNLISTED_MAX)
        return;
    known = mem_new(sizeof *known + strlen(event->channel) + 1);
    strcpy(known->channel, event->channel);
    HASH_ADD_STR(hub->unlisted, channel, known);
    log_warn("channel_unlisted", LOG_S("channel", event->channel), LOG_S("name", event->name));
}

static void publish_one(struct hub *hub, struct event *raw)
{
    if (!channel_is_served(hub->options.channels, raw->channel)) {
        note_unlisted(hub, raw);
        return;
    }
    struct event *event = channel_apply(hub->options.channels, raw);
    if (!event)
        return;
    struct company *company = company_get(&hub->companies, event->company);
    for (unsigned i = 0; i < event->room_count; i++) {
        struct room *room = room_find(company, event->rooms[i]);
        if (room)
            to_room(room, event, i);
    }
    history_add(&hub->history, company, event, hub->options.mono_ms());
    event_unref(event);
}

static void note_latency(struct hub *hub, const struct event *event)
{
    int64_t at_us = clock_parse(event->at);
    int64_t took_us = hub->options.wall_us() - at_us;
    if (at_us > 0) /* two machines, two clocks: ours may be behind */
        histogram_add(hub->metrics.latency, took_us > 0 ? (double)took_us / 1e6 : 0);
}

void router_publish(struct hub *hub, struct event **events, size_t count, int64_t position)
{
    for (size_t i = 0; i < count; i++) {
        if (events[i]->seq <= hub->position)
            continue;
        publish_one(hub, events[i]);
        note_latency(hub, events[i]);
        hub->position = events[i]->seq;
        hub->metrics.published[0]++;
    }
    if (position > hub->position)
        hub->position = position;
}
