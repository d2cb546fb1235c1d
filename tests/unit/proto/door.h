/* door.h - engines with every edge in the test's hands: requests and sockets that note what they
 * are told, something above that does what a message says, a clock that moves when told.
 *
 * What an upper does with a text: "echo X" sends X back, "say X" sends it by engine_send(),
 * "bad" breaks a rule, "login" makes it known, "logout" unknown, "kick" says 44 and closes (4401),
 * "flood N" queues N messages. All is noted. */
#ifndef VIGIE_TESTS_DOOR_H
#define VIGIE_TESTS_DOOR_H

#include "base/buf.h"
#include "base/log.h"
#include "proto/engineio_private.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum { DOOR_TEXT_MAX = 8 << 20 };

/* ---- the clock and the dice ---- */

static int64_t door_now_ms = 1000000;
static uint64_t door_dice = 1;

static inline int64_t door_mono(void)
{
    return door_now_ms;
}

static inline void door_random(void *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        door_dice = door_dice * UINT64_C(6364136223846793005) + 1442695040888963407u;
        ((unsigned char *)bytes)[i] = (unsigned char)(door_dice >> 56);
    }
}

/* ---- what is above ---- */

struct note {
    size_t len;
    bool binary;
    struct note *next;
    struct note *prev;
    char bytes[];
};

struct above {
    struct door *door;
    struct engine *engine;
    struct note *queue;
    bool known;
    unsigned drained;
    struct above *next;
    struct above *prev;
};

struct door {
    struct engines *engines;
    struct metrics *metrics;
    struct engine_options options;
    struct above *alive;
    unsigned opened;
    unsigned ended;
    enum close_reason last_reason;
    struct buf heard;     /* each message and '|' */
    const char *greeting; /* said by engine_send() from open() */
    bool known_at_once;
    struct ask *asks;
    struct wire *wires;
};

static inline void above_queue(struct above *above, const void *bytes, size_t len, bool binary)
{
    struct note *note = mem_new(sizeof *note + len + 1);
    if (len)
        memcpy(note->bytes, bytes, len);
    note->len = len;
    note->binary = binary;
    DL_APPEND(above->queue, note);
    engine_wake(above->engine);
}

static inline void above_queue_text(struct above *above, const char *text)
{
    above_queue(above, text, strlen(text), false);
}

static inline void *above_open(void *arg, struct engine *engine)
{
    struct door *door = arg;
    struct above *above = mem_new(sizeof *above);
    above->door = door;
    above->engine = engine;
    above->known = door->known_at_once;
    DL_APPEND(door->alive, above);
    door->opened++;
    if (door->greeting)
        engine_send(engine, door->greeting, strlen(door->greeting));
    return above;
}

static inline void above_flood(struct above *above, int count)
{
    for (int i = 0; i < count; i++) {
        char text[32];
        snprintf(text, sizeof text, "flood %d", i);
        above_queue_text(above, text);
    }
}

static inline bool begins(const char *text, const char *word)
{
    return strncmp(text, word, strlen(word)) == 0;
}

static inline bool above_obey(struct above *above, const char *text)
{
    if (begins(text, "echo "))
        above_queue_text(above, text + 5);
    else if (begins(text, "say "))
        engine_send(above->engine, text + 4, strlen(text + 4));
    else if (begins(text, "flood "))
        above_flood(above, atoi(text + 6) % 1000);
    else if (begins(text, "log"))
        above->known = strcmp(text, "login") == 0;
    else if (strcmp(text, "kick") == 0) {
        struct engine *engine = above->engine;
        engine_send(engine, "44{}", 4);
        engine_close(engine, CLOSE_UNAUTHORIZED);
    }
    return strcmp(text, "bad") != 0;
}

static inline bool above_text(void *state, const char *text, size_t len)
{
    struct above *above = state;
    char *copy = mem_dup(text, len);
    buf_add(&above->door->heard, text, len);
    buf_char(&above->door->heard, '|');
    bool good = above_obey(above, copy);
    free(copy);
    return good;
}

static inline bool above_binary(void *state, const void *bytes, size_t len)
{
    struct above *above = state;
    buf_str(&above->door->heard, "bytes:");
    for (size_t i = 0; i < len; i++)
        buf_fmt(&above->door->heard, "%02x", ((const unsigned char *)bytes)[i]);
    buf_char(&above->door->heard, '|');
    above_queue(above, bytes, len, true);
    return true;
}

static inline bool above_peek(void *state, struct engine_packet *packet)
{
    struct note *note = ((struct above *)state)->queue;
    if (!note)
        return false;
    packet->head[0] = '4';
    packet->head_len = note->binary ? 0 : 1;
    packet->body = note->bytes;
    packet->len = note->len;
    packet->binary = note->binary;
    return true;
}

static inline void above_pop(void *state)
{
    struct above *above = state;
    struct note *note = above->queue;
    DL_DELETE(above->queue, note);
    free(note);
}

static inline void above_drained(void *state)
{
    ((struct above *)state)->drained++;
}

static inline bool above_is_known(const void *state)
{
    return ((const struct above *)state)->known;
}

static inline void above_closed(void *state, enum close_reason reason)
{
    struct above *above = state;
    struct door *door = above->door;
    while (above->queue)
        above_pop(above);
    DL_DELETE(door->alive, above);
    free(above);
    door->ended++;
    door->last_reason = reason;
}

/* ---- requests ---- */

struct ask {
    struct engine_http http;
    unsigned status; /* 0: not answered yet */
    bool aborted;
    bool json;
    bool reading; /* its body is wanted */
    char *body;
    size_t len;
    struct ask *next;
};

static inline void edge_answer(struct engine_http *http, unsigned status, bool json,
                               const char *body, size_t len)
{
    struct ask *ask = (struct ask *)http;
    assert(!http->engine && !ask->status && !ask->aborted && status);
    ask->status = status;
    ask->json = json;
    ask->body = mem_dup(body, len);
    ask->len = len;
}

static inline void edge_abort(struct engine_http *http)
{
    struct ask *ask = (struct ask *)http;
    assert(!http->engine && !ask->status && !ask->aborted);
    ask->aborted = true;
}

static inline struct ask *ask_new(struct door *door)
{
    struct ask *ask = mem_new(sizeof *ask);
    LL_PREPEND(door->asks, ask);
    return ask;
}

static inline struct engine_request request_of(const char *transport, const char *sid)
{
    return (struct engine_request){.method = ENGINE_GET,
                                   .version = "4",
                                   .transport = transport,
                                   .sid = sid,
                                   .address = "192.0.2.1"};
}

static inline struct ask *door_request(struct door *door, const struct engine_request *request)
{
    struct ask *ask = ask_new(door);
    if (request->method == ENGINE_POST)
        ask->reading = engines_post(door->engines, request, &ask->http);
    else
        engines_request(door->engines, request, &ask->http, true);
    return ask;
}

static inline struct ask *door_get(struct door *door, const char *sid)
{
    struct engine_request request = request_of("polling", sid);
    return door_request(door, &request);
}

/* The headers of a POST only. */
static inline struct ask *door_begin_post(struct door *door, const char *sid)
{
    struct engine_request request = request_of("polling", sid);
    request.method = ENGINE_POST;
    return door_request(door, &request);
}

static inline struct ask *door_post(struct door *door, const char *sid, const char *body)
{
    struct ask *ask = door_begin_post(door, sid);
    if (ask->reading)
        engine_body(&ask->http, body, strlen(body));
    return ask;
}

/* ---- sockets ---- */

struct wire {
    struct engine_socket socket;
    bool woken;
    bool hung;
    enum close_reason reason;
    struct buf said; /* each packet and '|'; of a binary one its bytes behind "bytes:" */
    struct wire *next;
};

static inline void wire_note(struct wire *wire, const unsigned char *payload, size_t len,
                             bool binary)
{
    if (binary)
        buf_str(&wire->said, "bytes:");
    for (size_t i = 0; binary && i < len; i++)
        buf_fmt(&wire->said, "%02x", payload[i]);
    if (!binary)
        buf_add(&wire->said, payload, len);
    buf_char(&wire->said, '|');
}

/* Whole frames only, as the header promises. */
static inline void wire_take(struct wire *wire, const unsigned char *bytes, size_t len)
{
    while (len) {
        size_t head = 2;
        assert(len >= 2 && (bytes[0] == 0x81 || bytes[0] == 0x82) && bytes[1] < 128);
        uint64_t payload = bytes[1];
        if (bytes[1] > 125) {
            head += bytes[1] == 126 ? 2 : 8;
            payload = 0;
            for (size_t i = 2; i < head; i++)
                payload = payload << 8 | bytes[i];
        }
        assert(head + payload <= len);
        wire_note(wire, bytes + head, payload, bytes[0] == 0x82);
        bytes += head + payload;
        len -= head + payload;
    }
}

static inline void edge_wake(struct engine_socket *socket)
{
    struct wire *wire = (struct wire *)socket;
    assert(socket->engine && !wire->hung);
    wire->woken = true;
}

static inline void edge_hang_up(struct engine_socket *socket, enum close_reason reason,
                                const unsigned char *last, size_t len)
{
    struct wire *wire = (struct wire *)socket;
    assert(!socket->engine && !wire->hung && reason != CLOSE_CLIENT);
    wire->hung = true;
    wire->reason = reason;
    wire_take(wire, last, len);
}

/* The socket takes what waits, at most `size` bytes at a time. */
static inline void wire_flush_by(struct wire *wire, size_t size)
{
    unsigned char *bytes = mem_resize(NULL, size, 1);
    size_t len;
    wire->woken = false;
    while ((len = engine_fill(&wire->socket, bytes, size)) > 0) {
        assert(len <= size);
        wire_take(wire, bytes, len);
    }
    free(bytes);
}

static inline const char *wire_said(struct wire *wire)
{
    if (wire->woken && !wire->hung)
        wire_flush_by(wire, ENGINE_FILL_BYTES);
    return wire->said.bytes ? wire->said.bytes : "";
}

static inline void wire_hear(struct wire *wire, const char *text)
{
    engine_socket_text(&wire->socket, text, strlen(text));
}

static inline struct wire *wire_new(struct door *door)
{
    struct wire *wire = mem_new(sizeof *wire);
    buf_init(&wire->said, DOOR_TEXT_MAX);
    LL_PREPEND(door->wires, wire);
    return wire;
}

/* NULL: refused. One that was let in and had no business is `hung` at once. */
static inline struct wire *door_wire(struct door *door, const char *sid)
{
    struct engine_request request = request_of("websocket", sid);
    request.upgrade = true;
    if (engines_judge_socket(door->engines, &request, true) != ENGINE_OK)
        return NULL;
    struct wire *wire = wire_new(door);
    if (!engines_socket(door->engines, &request, &wire->socket))
        wire->hung = true;
    return wire;
}

/* ---- the door ---- */

static const struct engine_edge door_edge = {edge_answer, edge_abort, edge_wake, edge_hang_up};
static const struct engine_upper door_upper = {above_open,     above_text,  above_binary,
                                               above_peek,     above_pop,   above_drained,
                                               above_is_known, above_closed};

static inline void door_open(struct door *door)
{
    *door = (struct door){.metrics = metrics_new(), .last_reason = CLOSE_REASON_COUNT};
    buf_init(&door->heard, DOOR_TEXT_MAX);
    door->options = (struct engine_options){.ping_interval_ms = 25000,
                                            .ping_timeout_ms = 20000,
                                            .upgrade_timeout_ms = 10000,
                                            .auth_timeout_ms = 45000,
                                            .max_payload_bytes = 1000000,
                                            .packets_per_second = 1000,
                                            .max_engines = 100,
                                            .max_per_address = 50,
                                            .max_unauthenticated = 40,
                                            .metrics = door->metrics,
                                            .mono_ms = door_mono,
                                            .random = door_random,
                                            .edge = &door_edge,
                                            .upper = &door_upper,
                                            .upper_arg = door};
    door->engines = engines_new(&door->options);
}

static inline void door_close(struct door *door)
{
    engines_free(door->engines);
    assert(!door->alive && door->opened == door->ended);
    for (struct ask *ask; (ask = door->asks);) {
        LL_DELETE(door->asks, ask);
        assert(!ask->http.engine);
        free(ask->body);
        free(ask);
    }
    for (struct wire *wire; (wire = door->wires);) {
        LL_DELETE(door->wires, wire);
        assert(!wire->socket.engine);
        buf_free(&wire->said);
        free(wire);
    }
    buf_free(&door->heard);
    metrics_free(door->metrics);
}

static inline void door_limit(struct door *door)
{
    engines_set_options(door->engines, &door->options);
}

/* Time, in the steps of the real ticks. */
static inline void door_pass(struct door *door, int64_t ms)
{
    for (int64_t end_ms = door_now_ms + ms; door_now_ms < end_ms;) {
        int64_t left_ms = end_ms - door_now_ms;
        door_now_ms += left_ms < 100 ? left_ms : 100;
        engines_tick(door->engines);
    }
}

/* The sid that an open packet gave. */
static inline const char *sid_in(const char *text)
{
    static char sid[8][ENGINE_SID_LEN + 1];
    static unsigned next;
    const char *at = strstr(text, "\"sid\":\"");
    assert(at);
    next = (next + 1) % 8;
    memcpy(sid[next], at + 7, ENGINE_SID_LEN);
    return sid[next];
}

static inline const char *door_shake(struct door *door)
{
    return sid_in(door_get(door, NULL)->body);
}

#endif
