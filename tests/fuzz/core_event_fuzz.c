/* Rows as a database might give them: seven parts, each ended by a NUL. What is taken keeps the
 * promises of event.h, also after the configuration has chosen its rooms. */
#include "core/channel.h"
#include "core/text.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { PARTS = 7 };

static const char *const patterns[] = {"company:*", "a:*", "wall:{company}", "board:9"};
static const struct channel_rule rules[] = {{"all", NULL, 0}, {"some", patterns, 4}};
static const struct channel_map map = {rules, 2};

/* Cuts `text` at its NULs; parts that are not there are empty. */
static void cut(char *text, size_t len, const char *parts[PARTS])
{
    char *end = text + len;
    for (int i = 0; i < PARTS; i++) {
        parts[i] = text < end ? text : "";
        text = text < end ? text + strlen(text) + 1 : text;
    }
}

static void check_rooms(const struct event *event)
{
    assert(event->room_count >= 1 && event->room_count <= EVENT_ROOMS_MAX);
    for (size_t i = 0; i < event->room_count; i++) {
        const char *room = event->rooms[i];
        assert(text_is_name(room, strlen(room), EVENT_ROOM_BYTES_MAX));
        assert(!event->frames[i]);
    }
}

static void check(const struct event *event, const struct event_row *row)
{
    assert(event->seq == row->seq && event->seq > 0);
    assert(strcmp(event->company, row->company) == 0);
    assert(strcmp(event->channel, row->channel) == 0);
    assert(strcmp(event->name, row->name) == 0);
    assert(strcmp(event->payload, row->payload) == 0);
    assert(strcmp(event->at, row->at) == 0);
    assert(event->payload_len == strlen(row->payload));
    assert(event->payload_len >= 1 && event->payload_len <= EVENT_PAYLOAD_BYTES_MAX);
    assert(text_is_name(event->company, strlen(event->company), EVENT_COMPANY_BYTES_MAX));
    assert(text_is_name(event->name, strlen(event->name), EVENT_NAME_BYTES_MAX));
    check_rooms(event);
}

/* The rooms joined again are the text they came from. */
static void check_joined(const struct event *event, const char *joined)
{
    for (size_t i = 0; i < event->room_count; i++) {
        size_t len = strlen(event->rooms[i]);
        assert(strncmp(joined, event->rooms[i], len) == 0);
        joined += len;
        assert(*joined == (i + 1 < event->room_count ? '\n' : '\0'));
        joined++;
    }
}

static void check_unique(const struct event *event)
{
    for (size_t i = 0; i < event->room_count; i++)
        for (size_t j = 0; j < i; j++)
            assert(strcmp(event->rooms[i], event->rooms[j]) != 0);
}

static void check_mapped(struct event *event, const struct event_row *row)
{
    struct event *mapped = channel_apply(&map, event);
    if (mapped && mapped != event) {
        check(mapped, row);
        check_unique(mapped);
    }
    event_unref(mapped);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = mem_dup((const char *)data, size);
    const char *parts[PARTS];
    struct err err = {0};
    cut(text, size, parts);
    const struct event_row row = {atoll(parts[0]), parts[1], parts[2], parts[3],
                                  parts[4],        parts[5], parts[6]};
    struct event *event = event_new(&row, &err);
    assert((event == NULL) == (err.text[0] != '\0'));
    if (event) {
        check(event, &row);
        check_joined(event, row.rooms);
        check_mapped(event, &row);
    }
    event_unref(event);
    free(text);
    return 0;
}
