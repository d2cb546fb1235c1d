/* world.h - a hub with every edge in the test's hands: a clock that moves when told, random bytes
 * that repeat, a database that answers when and as told, sockets that take as many frames as told.
 *
 * Everything between the edges is the real thing. What a client hears is kept as text, with each
 * cursor decoded: "event 5 company:42 @5 {...}". A token reads company|user|role,role|ttl|issuer.
 */
#ifndef VIGIE_TESTS_WORLD_H
#define VIGIE_TESTS_WORLD_H

#include "base/buf.h"
#include "base/log.h"
#include "core/router.h"
#include "core/session.h"
#include "core/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORLD_ROLES_MAX = 16 };

/* ---- the clocks and the dice ---- */

static int64_t world_now_ms = 1000000;
static int64_t world_wall_us = INT64_C(1795241527123456);
static uint64_t world_dice = 1;

static inline int64_t world_mono(void)
{
    return world_now_ms;
}

static inline int64_t world_wall(void)
{
    return world_wall_us;
}

/* splitmix64 */
static inline uint64_t world_random(void)
{
    uint64_t z = (world_dice += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static inline unsigned world_below(unsigned limit)
{
    return (unsigned)(world_random() % limit);
}

static inline void world_random_bytes(void *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        ((unsigned char *)bytes)[i] = (unsigned char)world_random();
}

static inline void world_pass(int64_t ms)
{
    world_now_ms += ms;
    world_wall_us += ms * 1000;
}

/* ---- a door that speaks plain text ---- */

static inline struct frame *text_frame(struct buf *text)
{
    struct frame *frame = frame_new(text->len);
    memcpy(frame->bytes, text->bytes, text->len);
    buf_free(text);
    return frame;
}

#define TEXT_FRAME(...)                                                                            \
    struct buf text;                                                                               \
    buf_init(&text, 1 << 20);                                                                      \
    buf_fmt(&text, __VA_ARGS__);                                                                   \
    return text_frame(&text)

static inline struct frame *text_event(const struct event *event, const char *room,
                                       const char *cursor)
{
    TEXT_FRAME("event %" PRId64 " %s @%s %s", event->seq, room, cursor, event->payload);
}

static inline struct frame *text_ready(const struct session *session, const char *cursor,
                                       bool resumed, int64_t expires_in_s, int64_t heartbeat_s)
{
    struct buf text;
    buf_init(&text, 1 << 20);
    buf_fmt(&text, "ready @%s %s expires=%" PRId64 " heartbeat=%" PRId64 " rooms=", cursor,
            resumed ? "resumed" : "fresh", expires_in_s, heartbeat_s);
    for (unsigned i = 0; i < session->seat_count; i++)
        buf_fmt(&text, "%s%s", i ? "," : "", session->seats[i].room->name);
    return text_frame(&text);
}

static inline struct frame *text_gap(enum gap_reason reason, const char *cursor)
{
    TEXT_FRAME("gap %s @%s", gap_reason_names[reason], cursor);
}

static inline struct frame *text_heartbeat(const char *cursor)
{
    TEXT_FRAME("heartbeat @%s", cursor);
}

static inline struct frame *text_ping(void)
{
    TEXT_FRAME("ping");
}

static inline struct frame *text_expiring(int64_t in_s)
{
    TEXT_FRAME("expiring %" PRId64, in_s);
}

static inline struct frame *text_renewed(int64_t expires_in_s)
{
    TEXT_FRAME("renewed %" PRId64, expires_in_s);
}

static inline struct frame *text_joined(const char *room, int64_t id, const char *cursor)
{
    TEXT_FRAME("joined %s %" PRId64 " @%s", room, id, cursor);
}

static inline struct frame *text_left(const char *room, int64_t id)
{
    TEXT_FRAME("left %s %" PRId64, room, id);
}

static inline struct frame *text_error(const char *code, int64_t id)
{
    TEXT_FRAME("error %s %" PRId64, code, id);
}

static inline struct frame *text_drain(int64_t retry_after_ms)
{
    TEXT_FRAME("drain %" PRId64, retry_after_ms);
}

static const struct protocol text_protocol = {
    PROTOCOL_NATIVE, "text",         false,      text_event,    text_ready,
    text_gap,        text_heartbeat, text_ping,  text_expiring, text_renewed,
    text_joined,     text_left,      text_error, NULL,          text_drain,
};

/* ---- the database: the rows of its feed ---- */

struct row {
    int64_t seq;
    char *company;
    char *rooms;
    char *payload;
};

struct database {
    struct row *rows;
    size_t count;
    int64_t last_seq;
    int64_t floor_seq;
    char epoch[32];
    uint8_t key[SEAL_KEY_BYTES];
};

static inline void database_open(struct database *db)
{
    *db = (struct database){.epoch = "first", .key = {7, 7, 7}};
}

static inline void database_forget(struct database *db, int64_t after)
{
    while (db->count && db->rows[db->count - 1].seq > after) {
        struct row *row = &db->rows[--db->count];
        free(row->company);
        free(row->rooms);
        free(row->payload);
    }
}

static inline void database_close(struct database *db)
{
    database_forget(db, -1);
    free(db->rows);
}

static inline int64_t database_add(struct database *db, const char *company, const char *rooms,
                                   const char *payload)
{
    db->rows = mem_resize(db->rows, db->count + 1, sizeof *db->rows);
    db->rows[db->count++] =
        (struct row){++db->last_seq, mem_strdup(company), mem_strdup(rooms), mem_strdup(payload)};
    return db->last_seq;
}

static inline struct event *row_event(const struct row *row)
{
    const struct event_row parts = {row->seq,
                                    row->company,
                                    "vigie_devis",
                                    "devis:made",
                                    row->rooms,
                                    row->payload,
                                    "2026-11-21T06:12:07.123456Z"};
    return event_new(&parts, NULL);
}

/* ---- the world ---- */

struct question {
    uint64_t ticket;
    char *claims; /* of may_join(); NULL for replay() */
    char *room;
    char *company;
    int64_t after;
    int max_rows;
};

struct client {
    struct world *world;
    struct client *next;
    struct session *session; /* NULL once the socket is gone */
    char **heard;
    char (*cursors)[CURSOR_TEXT_MAX]; /* of each line, or empty */
    size_t count;
    long takes;  /* how many frames the socket still takes; below 0: all */
    bool closed; /* the session has closed it, for `reason` */
    enum close_reason reason;
    char cursor[64]; /* the last one heard */
};

struct world {
    struct database *db;
    struct database own;
    struct hub *hub;
    struct metrics *metrics;
    struct client *clients;
    struct question *questions;
    size_t question_count;
    bool away; /* the database cannot be asked */
    struct channel_rule rules[2];
    struct channel_map channels;
    char *token; /* the one verified last: the identity borrows from it */
    const char *roles[WORLD_ROLES_MAX];
};

static inline void client_free(struct client *client)
{
    for (size_t i = 0; i < client->count; i++)
        free(client->heard[i]);
    free(client->heard);
    free(client->cursors);
    free(client);
}

/* Decodes the cursor after the '@', if there is one, and keeps it. */
static inline void client_put(struct client *client, struct buf *line, const char *text)
{
    const char *at = strchr(text, '@');
    if (!at || strlen(at + 1) < SEAL_TEXT_LEN) {
        buf_str(line, text);
        return;
    }
    int64_t seq = -1;
    memcpy(client->cursor, at + 1, SEAL_TEXT_LEN);
    client->cursor[SEAL_TEXT_LEN] = '\0';
    strcpy(client->cursors[client->count], client->cursor);
    buf_add(line, text, (size_t)(at - text) + 1);
    enum cursor_verdict verdict =
        cursor_read(client->world->hub->codec, client->session->company->id, client->cursor, &seq);
    if (verdict == CURSOR_OK)
        buf_fmt(line, "%" PRId64, seq);
    else
        buf_str(line, verdict == CURSOR_EPOCH ? "epoch" : "unreadable");
    buf_str(line, at + 1 + SEAL_TEXT_LEN);
}

/* As it came; the member `cursor` cannot be forged by a name, whose quotes are escaped. */
static inline void client_put_json(struct client *client, struct buf *line, const char *text)
{
    const char *cursor = strstr(text, "\"cursor\":\"");
    buf_str(line, text);
    if (cursor)
        snprintf(client->cursor, sizeof client->cursor, "%.*s", SEAL_TEXT_LEN, cursor + 10);
}

/* The size of a WebSocket header, or 0 for plain text. */
static inline size_t header_of(const struct frame *frame)
{
    if (!(frame->bytes[0] & 0x80))
        return 0;
    return frame->bytes[1] < 126 ? 2 : frame->bytes[1] == 126 ? 4 : 10;
}

static inline void client_hear(struct client *client, const struct frame *frame)
{
    size_t head = header_of(frame);
    char *text = mem_dup((const char *)frame->bytes + head, frame->len - head);
    struct buf line;
    buf_init(&line, 1 << 20);
    client->heard = mem_resize(client->heard, client->count + 1, sizeof(char *));
    client->cursors = mem_resize(client->cursors, client->count + 1, CURSOR_TEXT_MAX);
    client->cursors[client->count][0] = '\0';
    if (frame->bytes[0] == 0x89)
        buf_str(&line, "ping");
    else if (head)
        client_put_json(client, &line, text);
    else
        client_put(client, &line, text);
    client->heard[client->count++] = buf_take(&line);
    free(text);
}

static inline void client_flush(void *conn)
{
    struct client *client = conn;
    struct frame *frame;
    while (client->takes && (frame = session_peek(client->session))) {
        client_hear(client, frame);
        session_pop(client->session);
        if (client->takes > 0)
            client->takes--;
    }
    if (client->takes)
        session_drained(client->session);
}

static inline void client_close(void *conn, enum close_reason reason)
{
    struct client *client = conn;
    client->closed = true;
    client->reason = reason;
}

static const struct transport world_transport = {client_flush, client_close};

static inline struct client *client_speaking(struct world *world, const struct protocol *protocol)
{
    struct client *client = mem_new(sizeof *client);
    client->world = world;
    client->takes = -1;
    client->session = session_new(world->hub, protocol, &world_transport, client, "192.0.2.1");
    client->next = world->clients;
    world->clients = client;
    return client;
}

static inline struct client *client_new(struct world *world)
{
    return client_speaking(world, &text_protocol);
}

/* What the verifier promises of names. */
static inline bool is_name(const char *text, size_t max)
{
    return text && text_is_name(text, strlen(text), max);
}

static inline bool world_verify(void *arg, const char *token, size_t len, const char *address,
                                struct identity *identity)
{
    struct world *world = arg;
    (void)address;
    free(world->token);
    char *rest = world->token = mem_dup(token, len);
    const char *company = strsep(&rest, "|");
    const char *user = strsep(&rest, "|");
    char *roles = strsep(&rest, "|");
    const char *ttl = strsep(&rest, "|");
    const char *issuer = strsep(&rest, "|");
    if (!is_name(company, EVENT_COMPANY_BYTES_MAX) || !is_name(user, 128))
        return false;
    *identity = (struct identity){.issuer = issuer ? issuer : "main",
                                  .company = company,
                                  .user = user,
                                  .roles = world->roles,
                                  .expires_at_us =
                                      world_wall_us + (ttl ? atoi(ttl) : 900) * INT64_C(1000000)};
    while (roles && *roles && identity->role_count < WORLD_ROLES_MAX) {
        const char *role = strsep(&roles, ",");
        if (!is_name(role, 64))
            return false;
        world->roles[identity->role_count++] = role;
    }
    return true;
}

static inline struct question *world_note(struct world *world)
{
    world->questions =
        mem_resize(world->questions, world->question_count + 1, sizeof *world->questions);
    struct question *question = &world->questions[world->question_count++];
    memset(question, 0, sizeof *question);
    return question;
}

static inline bool world_replay(void *arg, uint64_t ticket, const char *company, int64_t after,
                                int max_rows)
{
    struct world *world = arg;
    if (world->away)
        return false;
    struct question *question = world_note(world);
    question->ticket = ticket;
    question->company = mem_strdup(company);
    question->after = after;
    question->max_rows = max_rows;
    return true;
}

static inline bool world_may_join(void *arg, uint64_t ticket, const char *company,
                                  const char *claims, const char *room)
{
    struct world *world = arg;
    if (world->away)
        return false;
    struct question *question = world_note(world);
    question->ticket = ticket;
    question->company = mem_strdup(company);
    question->claims = mem_strdup(claims);
    question->room = mem_strdup(room);
    return true;
}

static inline struct question world_take_question(struct world *world, size_t index)
{
    struct question question = world->questions[index];
    memmove(&world->questions[index], &world->questions[index + 1],
            (world->question_count - index - 1) * sizeof question);
    world->question_count--;
    return question;
}

static inline void question_free(struct question *question)
{
    free(question->claims);
    free(question->room);
    free(question->company);
}

static inline struct hub_options world_options(struct world *world)
{
    return (struct hub_options){
        .metrics = world->metrics,
        .limits = {.sessions_per_user = 20,
                   .sessions_per_company = 100,
                   .rooms_per_session = 16,
                   .messages_per_second = 20,
                   .queue_bytes = 64 * 1024,
                   .queue_total_bytes = 1 << 24,
                   .auth_timeout_ms = 5000,
                   .slow_timeout_ms = 30000,
                   .max_session_ms = 86400000},
        .channels = &world->channels,
        .history_bytes = 1 << 20,
        .history_age_ms = 600000,
        .heartbeat_ms = 25000,
        .heartbeat_timeout_ms = 10000,
        .mono_ms = world_mono,
        .wall_us = world_wall,
        .random = world_random_bytes,
        .arg = world,
        .verify = world_verify,
        .replay = world_replay,
        .may_join = world_may_join,
    };
}

static inline int64_t world_up(struct world *world)
{
    struct database *db = world->db;
    return hub_database_up(world->hub, db->epoch, db->key, db->last_seq, db->floor_seq);
}

static inline struct hub_options world_prepare(struct world *world, struct database *db)
{
    *world = (struct world){0};
    world->db = db ? db : &world->own;
    database_open(&world->own);
    world->rules[0] = (struct channel_rule){"vigie_devis", NULL, 0};
    world->channels = (struct channel_map){world->rules, 1};
    world->metrics = metrics_new();
    return world_options(world);
}

/* A hub of its own on a database of its own, which is there. */
static inline void world_open(struct world *world)
{
    struct hub_options options = world_prepare(world, NULL);
    world->hub = hub_new(&options);
    world_up(world);
}

static inline void world_limit(struct world *world, struct hub_limits limits)
{
    hub_set_limits(world->hub, &limits);
}

/* Sockets that were closed go, and what is closed is reaped. */
static inline void world_reap(struct world *world)
{
    for (struct client *client = world->clients; client; client = client->next)
        if (client->closed && client->session) {
            session_gone(client->session);
            client->session = NULL;
        }
    hub_reap(world->hub);
}

/* The end of a turn of the loop. */
static inline void world_turn(struct world *world)
{
    while (hub_flush(world->hub, 100))
        ;
    world_reap(world);
}

static inline void world_close(struct world *world)
{
    for (struct client *client = world->clients; client; client = client->next)
        if (client->session)
            client->closed = true;
    world_reap(world);
    for (struct client *next; world->clients; world->clients = next) {
        next = world->clients->next;
        client_free(world->clients);
    }
    while (world->question_count) {
        struct question question = world_take_question(world, 0);
        question_free(&question);
    }
    free(world->questions);
    free(world->token);
    hub_free(world->hub);
    metrics_free(world->metrics);
    database_close(&world->own);
}

/* Reads on in the feed: at most `max` rows after the hub's position. */
static inline void world_pull(struct world *world, size_t max)
{
    struct event **events = mem_resize(NULL, max, sizeof(struct event *));
    size_t count = 0;
    for (size_t i = 0; i < world->db->count && count < max; i++)
        if (world->db->rows[i].seq > world->hub->position)
            events[count++] = row_event(&world->db->rows[i]);
    int64_t position = count == max ? events[count - 1]->seq : world->db->last_seq;
    router_publish(world->hub, events, count, position);
    for (size_t i = 0; i < count; i++)
        event_unref(events[i]);
    free(events);
}

/* One event happens and is routed. */
static inline int64_t world_publish(struct world *world, const char *company, const char *rooms,
                                    const char *payload)
{
    int64_t seq = database_add(world->db, company, rooms, payload);
    world_pull(world, 1000);
    return seq;
}

/* What vigie.replay() says now; freed with snapshot_free(). */
static inline struct replay snapshot(const struct database *db, const struct question *question)
{
    struct replay replay = {.ok = true, .upto = db->last_seq, .floor_seq = db->floor_seq};
    replay.events = mem_resize(NULL, (size_t)question->max_rows, sizeof(struct event *));
    for (size_t i = 0; i < db->count && replay.count < (size_t)question->max_rows; i++) {
        const struct row *row = &db->rows[i];
        if (row->seq > question->after && row->seq > db->floor_seq &&
            strcmp(row->company, question->company) == 0)
            replay.events[replay.count++] = row_event(row);
    }
    if (replay.count == (size_t)question->max_rows)
        replay.upto = replay.events[replay.count - 1]->seq;
    return replay;
}

static inline void snapshot_free(struct replay *replay)
{
    for (size_t i = 0; i < replay->count; i++)
        event_unref(replay->events[i]);
    free(replay->events);
}

/* Answers the oldest question, a replay(), from the database as it is now. */
static inline void world_answer(struct world *world)
{
    struct question question = world_take_question(world, 0);
    struct replay replay = snapshot(world->db, &question);
    hub_replayed(world->hub, question.ticket, &replay);
    snapshot_free(&replay);
    question_free(&question);
}

static inline void world_fail(struct world *world)
{
    struct question question = world_take_question(world, 0);
    const struct replay failed = {.ok = false};
    hub_replayed(world->hub, question.ticket, &failed);
    question_free(&question);
}

/* Answers the oldest question, a may_join(). */
static inline void world_judge(struct world *world, enum permission permission)
{
    struct question question = world_take_question(world, 0);
    hub_may_join(world->hub, question.ticket, permission);
    question_free(&question);
}

static inline void world_allow(struct world *world, bool allowed)
{
    world_judge(world, allowed ? PERMISSION_ALLOWED : PERMISSION_DENIED);
}

/* `seconds` go by, a tenth at a time, as in the program. */
static inline void world_wait(struct world *world, int64_t seconds)
{
    for (int64_t i = 0; i < seconds * 1000 / HUB_TICK_MS; i++) {
        world_pass(HUB_TICK_MS);
        hub_tick(world->hub);
        world_turn(world);
    }
}

/* The same, with clients that answer their pings. */
static inline void world_wait_awake(struct world *world, int64_t seconds)
{
    for (int64_t i = 0; i < seconds; i++) {
        world_wait(world, 1);
        for (struct client *client = world->clients; client; client = client->next)
            if (client->session)
                session_heard(client->session);
    }
}

/* ---- what clients do and have heard ---- */

static inline void client_auth(struct client *client, const char *token, const char *cursor)
{
    session_auth(client->session, token, strlen(token), cursor, NULL, 0);
}

/* Comes in anew, and hears what there is to hear at once. */
static inline struct client *client_in(struct world *world, const char *token, const char *cursor)
{
    struct client *client = client_new(world);
    client_auth(client, token, cursor);
    world_turn(world);
    return client;
}

/* A room asked for and granted. */
static inline void client_joins(struct client *client, const char *room)
{
    session_join(client->session, room, 1);
    world_allow(client->world, true);
    world_turn(client->world);
}

static inline void client_stall(struct client *client)
{
    client->takes = 0;
}

static inline void client_takes(struct client *client, long frames)
{
    client->takes = frames;
    if (client->session && !client->closed)
        client_flush(client);
    world_turn(client->world);
}

static inline const char *client_said(const struct client *client, size_t index)
{
    return index < client->count ? client->heard[index] : "(nothing)";
}

static inline const char *client_last(const struct client *client)
{
    return client->count ? client->heard[client->count - 1] : "(nothing)";
}

/* How many messages began so. */
static inline unsigned client_heard(const struct client *client, const char *begin)
{
    unsigned count = 0;
    for (size_t i = 0; i < client->count; i++)
        count += strncmp(client->heard[i], begin, strlen(begin)) == 0;
    return count;
}

#endif
