/* page.h - pages with a stock client, over engines that are made of air.
 *
 * Everything above the engine is the real thing, down to the hub of world.h; the engine is its
 * functions for what is above, and what went through it is kept as text, without the engine's 4.
 * A page remembers for each namespace what socket.io-client 4.8 does: the pid, and as offset the
 * last argument of any event when that is a string and there is a pid. */
#ifndef VIGIE_TESTS_PAGE_H
#define VIGIE_TESTS_PAGE_H

#include "../core/world.h"
#include "proto/socketio.h"
#include "proto/socketio_pid.h"

#include <assert.h>
#include <jansson.h>

enum { PAGE_NAMESPACES = 3, PAGES_MAX = 16 };

static const char *const page_namespaces[PAGE_NAMESPACES] = {"/", "/messages", "/admin"};

struct engine {
    void *state; /* NULL: closed */
    enum close_reason reason;
    bool awake;
};

/* What a stock client keeps of one namespace. */
struct corner {
    bool connected;
    bool recovered;
    char sid[64];
    char pid[128];
    char offset[128];
    bool has_offset;
    int64_t seen; /* position of the last event */
};

struct page {
    struct engine *engine;
    struct corner corners[PAGE_NAMESPACES];
    char **heard;
    size_t count;
    long takes; /* packets; below 0: all */
};

struct office {
    struct world world;
    struct socketio *door;
    struct page *pages[PAGES_MAX];
    size_t page_count;
};

/* ---- the engine, as far as the door sees it ---- */

void engine_wake(struct engine *engine)
{
    engine->awake = true;
}

void engine_close(struct engine *engine, enum close_reason reason)
{
    void *state = engine->state;
    assert(state);
    engine->state = NULL;
    engine->reason = reason;
    socketio_upper.closed(state, reason);
}

const char *engine_address(const struct engine *engine)
{
    (void)engine;
    return "192.0.2.7";
}

/* ---- what a stock client makes of a packet ---- */

static inline struct corner *page_corner(struct page *page, const char *nsp, size_t len)
{
    for (size_t i = 0; i < PAGE_NAMESPACES; i++)
        if (strlen(page_namespaces[i]) == len && memcmp(page_namespaces[i], nsp, len) == 0)
            return &page->corners[i];
    return NULL;
}

static inline void page_connected(struct corner *corner, const json_t *data)
{
    const char *pid = json_string_value(json_object_get(data, "pid"));
    assert(!corner->connected);
    corner->connected = true;
    corner->recovered = pid && *corner->pid && strcmp(pid, corner->pid) == 0;
    snprintf(corner->pid, sizeof corner->pid, "%s", pid ? pid : "");
    snprintf(corner->sid, sizeof corner->sid, "%s",
             json_string_value(json_object_get(data, "sid")));
}

/* The decoder's own check: with such a name it would come back in a loop. */
static inline void page_took(struct corner *corner, const json_t *data)
{
    size_t size = json_array_size(data);
    const char *last = json_string_value(json_array_get(data, size - 1));
    assert(json_is_string(json_array_get(data, 0)));
    assert(!socketio_is_reserved(json_string_value(json_array_get(data, 0))));
    if (!*corner->pid || !last || size < 2)
        return;
    snprintf(corner->offset, sizeof corner->offset, "%s", last);
    corner->has_offset = true;
}

static inline void page_understand(struct page *page, const char *text)
{
    if (*text == '5')
        return; /* of the conformance program only */
    const char *rest = text + 1;
    const char *comma = *rest == '/' ? strchr(rest, ',') : NULL;
    struct corner *corner = &page->corners[0];
    if (comma) {
        corner = page_corner(page, rest, (size_t)(comma - rest));
        rest = comma + 1;
    }
    rest += strspn(rest, "0123456789");
    json_t *data = *rest ? json_loads(rest, JSON_REJECT_DUPLICATES, NULL) : NULL;
    assert(data || *text == '1');
    if (*text == '0')
        page_connected(corner, data);
    else if (*text == '2')
        page_took(corner, data);
    else if (*text == '1')
        corner->connected = false;
    else
        assert(*text == '3' || *text == '4');
    json_decref(data);
}

static inline void page_hear(struct page *page, const struct engine_packet *packet)
{
    struct buf line;
    buf_init(&line, 1 << 20);
    buf_add(&line, packet->head, packet->head_len);
    buf_add(&line, packet->body, packet->len);
    buf_str(&line, "");
    page->heard = mem_resize(page->heard, page->count + 1, sizeof(char *));
    if (packet->binary) {
        assert(packet->head_len == 0);
        page->heard[page->count++] = buf_take(&line);
        return;
    }
    assert(line.bytes[0] == '4' && packet->head_len <= sizeof packet->head);
    page->heard[page->count++] = mem_strdup(line.bytes + 1);
    buf_free(&line);
    page_understand(page, page->heard[page->count - 1]);
}

static inline void page_read(struct page *page)
{
    struct engine_packet packet;
    bool any = true;
    while (page->engine->state && page->takes && any) {
        packet = (struct engine_packet){.head = "?"};
        any = socketio_upper.peek(page->engine->state, &packet);
        if (!any)
            break;
        page_hear(page, &packet);
        socketio_upper.pop(page->engine->state);
        page->takes -= page->takes > 0;
    }
    if (page->engine->state && page->takes)
        socketio_upper.drained(page->engine->state);
}

/* ---- the office: one bridge and its pages ---- */

/* The end of a turn, as the program has it; as often as something comes of it. */
static inline void office_turn(struct office *office)
{
    for (bool more = true; more;) {
        more = hub_flush(office->world.hub, 100);
        socketio_settle(office->door);
        for (size_t i = 0; i < office->page_count; i++) {
            struct engine *engine = office->pages[i]->engine;
            bool awake = engine->awake && engine->state && office->pages[i]->takes;
            engine->awake = false;
            more = more || awake;
            if (awake)
                page_read(office->pages[i]);
        }
        hub_reap(office->world.hub);
    }
}

static inline void office_open_with(struct office *office, struct socketio_options options)
{
    memset(office, 0, sizeof *office);
    world_open(&office->world);
    options.hub = office->world.hub;
    options.metrics = office->world.metrics;
    options.namespaces = page_namespaces + 1;
    options.namespace_count = PAGE_NAMESPACES - 1;
    options.max_payload_bytes = options.max_payload_bytes ? options.max_payload_bytes : 1000;
    office->door = socketio_new(&options);
}

static inline void office_open(struct office *office)
{
    office_open_with(office, (struct socketio_options){0});
}

/* Where the rest of it happens: for a second bridge of the same database. */
static inline void engine_gone(struct engine *engine, enum close_reason reason)
{
    if (engine->state)
        engine_close(engine, reason);
}

static inline void page_free(struct page *page)
{
    for (size_t i = 0; i < page->count; i++)
        free(page->heard[i]);
    free(page->heard);
    free(page->engine);
    free(page);
}

static inline void office_close(struct office *office)
{
    for (size_t i = 0; i < office->page_count; i++) {
        engine_gone(office->pages[i]->engine, CLOSE_GOING_AWAY);
        page_free(office->pages[i]);
    }
    socketio_free(office->door);
    world_close(&office->world);
}

static inline struct engine *engine_new(struct office *office)
{
    struct engine *engine = mem_new(sizeof *engine);
    engine->state = socketio_upper.open(office->door, engine);
    return engine;
}

static inline struct page *page_new(struct office *office)
{
    struct page *page = mem_new(sizeof *page);
    assert(office->page_count < PAGES_MAX);
    page->engine = engine_new(office);
    page->takes = -1;
    office->pages[office->page_count++] = page;
    return page;
}

/* The page sends the text of one packet. False: the engine is closed for it. */
static inline bool page_says(struct office *office, struct page *page, const char *text)
{
    assert(page->engine->state);
    bool fine = socketio_upper.text(page->engine->state, text, strlen(text));
    if (!fine)
        engine_close(page->engine, CLOSE_PROTOCOL);
    office_turn(office);
    return fine;
}

/* CONNECT, as a stock client sends it: pid and offset, unless `more` (after the token) has them. */
static inline bool page_connects_with(struct office *office, struct page *page, unsigned nsp,
                                      const char *token, const char *more)
{
    struct corner *corner = &page->corners[nsp];
    struct buf text;
    buf_init(&text, 1 << 16);
    buf_char(&text, '0');
    if (nsp)
        buf_fmt(&text, "%s,", page_namespaces[nsp]);
    buf_char(&text, '{');
    if (*corner->pid)
        buf_fmt(&text, "\"pid\":\"%s\",", corner->pid);
    if (*corner->pid && corner->has_offset && !strstr(more, "\"offset\"")) {
        buf_str(&text, "\"offset\":");
        buf_json(&text, corner->offset, strlen(corner->offset));
        buf_char(&text, ',');
    }
    buf_fmt(&text, "\"token\":\"%s\"%s}", token, more);
    bool fine = page_says(office, page, text.bytes);
    buf_free(&text);
    return fine;
}

static inline bool page_connects(struct office *office, struct page *page, const char *token)
{
    return page_connects_with(office, page, 0, token, "");
}

static inline struct page *page_in(struct office *office, const char *token)
{
    struct page *page = page_new(office);
    page_connects(office, page, token);
    return page;
}

/* Its connection is lost; what it knows stays. */
static inline void page_loses(struct office *office, struct page *page)
{
    engine_gone(page->engine, CLOSE_DEAD);
    office_turn(office);
    for (size_t i = 0; i < PAGE_NAMESPACES; i++)
        page->corners[i].connected = false;
}

/* Another engine, at another bridge perhaps; the one before is closed. */
static inline void page_dials(struct office *office, struct page *page)
{
    assert(!page->engine->state);
    free(page->engine);
    page->engine = engine_new(office);
}

static inline bool page_returns(struct office *office, struct page *page, const char *token)
{
    page_loses(office, page);
    page_dials(office, page);
    return page_connects(office, page, token);
}

static inline const char *page_said(const struct page *page, size_t index)
{
    return index < page->count ? page->heard[index] : "(nothing)";
}

static inline const char *page_last(const struct page *page)
{
    return page->count ? page->heard[page->count - 1] : "(nothing)";
}

static inline unsigned page_heard(const struct page *page, const char *begin)
{
    unsigned count = 0;
    for (size_t i = 0; i < page->count; i++)
        count += strncmp(page->heard[i], begin, strlen(begin)) == 0;
    return count;
}

#endif
