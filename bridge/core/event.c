#include "core/event.h"

#include "core/frame.h"
#include "core/protocol.h"
#include "core/text.h"

#include <stdlib.h>
#include <string.h>

static size_t count_rooms(const char *joined)
{
    size_t count = *joined ? 1 : 0;
    for (const char *c = joined; *c; c++)
        count += *c == '\n';
    return count;
}

static bool check_rooms(const char *joined, struct err *err)
{
    size_t count = count_rooms(joined);
    if (count < 1 || count > EVENT_ROOMS_MAX)
        return err_set(err, "%zu rooms: expected 1 to %d", count, EVENT_ROOMS_MAX);
    for (const char *room = joined; room;) {
        const char *end = strchr(room, '\n');
        size_t len = end ? (size_t)(end - room) : strlen(room);
        if (!text_is_name(room, len, EVENT_ROOM_BYTES_MAX))
            return err_set(err, "a room is empty, too long or holds a control character");
        room = end ? end + 1 : NULL;
    }
    return true;
}

static bool check_row(const struct event_row *row, struct err *err)
{
    if (row->seq < 1)
        return err_set(err, "position below 1");
    if (!text_is_name(row->company, strlen(row->company), EVENT_COMPANY_BYTES_MAX))
        return err_set(err, "company is empty, too long or holds a control character");
    if (!text_is_name(row->name, strlen(row->name), EVENT_NAME_BYTES_MAX))
        return err_set(err, "event name is empty, too long or holds a control character");
    if (!text_is_name(row->at, strlen(row->at), EVENT_AT_BYTES_MAX))
        return err_set(err, "time is empty, too long or holds a control character");
    size_t len = strlen(row->payload);
    if (len == 0 || len > EVENT_PAYLOAD_BYTES_MAX)
        return err_set(err, "payload of %zu bytes: expected 1 to %d", len, EVENT_PAYLOAD_BYTES_MAX);
    return check_rooms(row->rooms, err);
}

/* Appends a string to the one allocation and returns where it stands. */
static char *put(char **at, const char *text)
{
    size_t size = strlen(text) + 1;
    char *here = memcpy(*at, text, size);
    *at += size;
    return here;
}

static void put_rooms(struct event *event, char *joined)
{
    for (char *room = joined; room; event->room_count++) {
        char *end = strchr(room, '\n');
        if (end)
            *end++ = '\0';
        event->rooms[event->room_count] = room;
        room = end;
    }
}

struct event *event_new(const struct event_row *row, struct err *err)
{
    if (!check_row(row, err))
        return NULL;
    size_t rooms = count_rooms(row->rooms);
    size_t frames = rooms * PROTOCOL_COUNT;
    size_t fixed = sizeof(struct event) + rooms * sizeof(char *) + frames * sizeof(struct frame *);
    size_t text = strlen(row->company) + strlen(row->channel) + strlen(row->name) +
                  strlen(row->rooms) + strlen(row->payload) + strlen(row->at) + 6;
    struct event *event = mem_new(fixed + text);
    event->refs = 1;
    event->seq = row->seq;
    event->bytes = fixed + text;
    event->rooms = (const char **)(event + 1);
    event->frames = (struct frame **)(void *)(event->rooms + rooms);
    char *at = (char *)(event->frames + frames);
    event->company = put(&at, row->company);
    event->channel = put(&at, row->channel);
    event->name = put(&at, row->name);
    event->payload = put(&at, row->payload);
    event->payload_len = strlen(event->payload);
    event->at = put(&at, row->at);
    put_rooms(event, put(&at, row->rooms));
    return event;
}

struct event *event_ref(struct event *event)
{
    event->refs++;
    return event;
}

void event_unref(struct event *event)
{
    if (!event || --event->refs)
        return;
    for (size_t i = 0; i < event->room_count * PROTOCOL_COUNT; i++)
        frame_unref(event->frames[i]);
    free(event);
}
