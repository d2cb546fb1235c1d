/* One client, from its acceptance to its reaping.
 *
 *     accepted --auth--> admitted --rooms and reach known--> catching up --nothing left--> live
 *                                                                 ^                          |
 *                                                                 +------- queue full -------+
 *
 * A session is a position (session->pos) and a set of seats. Everything it will ever be sent
 * follows from the two: live, the router hands it each event of its rooms; behind, it walks the
 * company's memory, and where that does not reach, asks the database, from its position up to the
 * present. The step from catching up to live happens inside one call, when nothing after the
 * position is left, so no event falls between. Hence a full queue is no loss but a step back, and a
 * reconnection with a cursor is the same walk as a slow reader's.
 *
 * `ready` is the first thing a session hears, and is said once its start is certain: from the
 * cursor in it on, nothing is missed. Where that cannot be promised, a `gap` follows it at once.
 *
 * Asynchronous answers are matched by slot and generation (session_ticket()): one for a session
 * that is gone finds a newer generation in its slot and does nothing. Closing leaves the rooms and
 * drops the queue before the close frame is written, so that nothing follows it (libwebsockets
 * would still offer to write); memory goes at the end of the turn, in hub_reap(). */
#include "core/session.h"

#include "base/log.h"
#include "core/text.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum {
    REPLAY_ROWS = 200,
    REPLAY_RETRY_MS = 1000,
    READY_WAIT_MS = 10000, /* how long `ready` may wait for the database */
    WARN_AHEAD_US = 60000000,
    PENDING_MAX = 64,
    OWN_BYTES = 16384, /* of the queue, beyond its budget: for what is said to one session alone */
};

static void mark_dirty(struct session *session)
{
    struct hub *hub = session->hub;
    if (session->dirty)
        return;
    if (hub->dirty_count == hub->dirty_capacity) {
        hub->dirty_capacity = hub->dirty_capacity ? hub->dirty_capacity * 2 : 64;
        hub->dirty = mem_resize(hub->dirty, hub->dirty_capacity, sizeof(struct session *));
    }
    hub->dirty[hub->dirty_count++] = session;
    session->dirty = true;
}

static void set_state(struct session *session, enum session_state state)
{
    double *sessions = session->hub->metrics.sessions;
    sessions[session->state]--;
    sessions[state]++;
    session->state = (uint8_t)state;
}

uint64_t session_ticket(const struct session *session, uint8_t tag)
{
    assert(session->slot < 1u << 24);
    return (uint64_t)session->generation << 32 | (uint64_t)session->slot << 8 | tag;
}

/* ---- the queue and the two gates ---- */

/* The gate that no lookup can get around: content of one company never enters, and never leaves,
 * the queue of a session of another. */
static bool passes_gate(struct session *session, const struct frame *frame, unsigned gate)
{
    if (!frame->company || frame->company == session->company)
        return true;
    session->hub->metrics.isolation[gate]++;
    char id[20];
    snprintf(id, sizeof id, "%016" PRIx64, session->id);
    log_error("isolation_violation", LOG_S("session", id), LOG_S("gate", gate ? "write" : "queue"));
    session->doomed = true;
    mark_dirty(session);
    return false;
}

static bool push(struct session *session, struct frame *frame)
{
    struct hub *hub = session->hub;
    if (!passes_gate(session, frame, 0))
        return true; /* dropped, and the session with it */
    if (!session->outq.count)
        session->progress_ms = hub->options.mono_ms();
    if (!outq_push(&session->outq, frame))
        return false;
    hub->queued_bytes += frame->len;
    mark_dirty(session);
    return true;
}

void session_send(struct session *session, struct frame *frame)
{
    /* What is said to one session is small and bounded by the rate of its questions; one that
     * does not even read that is too slow. */
    if (session->state != SESSION_CLOSED && !push(session, frame))
        session_close(session, CLOSE_SLOW_CONSUMER);
    frame_unref(frame);
}

struct frame *session_peek(struct session *session)
{
    struct frame *frame = outq_peek(&session->outq);
    if (!frame || !passes_gate(session, frame, 1))
        return NULL;
    return frame;
}

void session_pop(struct session *session)
{
    struct hub *hub = session->hub;
    size_t len = outq_peek(&session->outq)->len;
    hub->queued_bytes -= len;
    hub->metrics.delivery_bytes[0] += (double)len;
    outq_pop(&session->outq);
    session->progress_ms = hub->options.mono_ms();
}

static void drop_queue(struct session *session)
{
    session->hub->queued_bytes -= session->outq.used_bytes;
    outq_free(&session->outq);
}

static void say_cursor(struct session *session, int64_t seq, char text[CURSOR_TEXT_MAX])
{
    cursor_write(session->hub->codec, session->company->id, seq, text);
}

/* Up to where everything was queued to it. Live, that is as far as the hub; or further, after a
 * resume that began on a bridge that has read more. */
static int64_t reached(const struct session *session)
{
    int64_t position = session->hub->position;
    return session->state == SESSION_LIVE && position > session->pos ? position : session->pos;
}

/* ---- opening and closing ---- */

struct session *session_new(struct hub *hub, const struct protocol *protocol,
                            const struct transport *transport, void *conn, const char *address)
{
    if (hub->draining)
        return NULL;
    struct session *session = mem_new(sizeof *session);
    session->hub = hub;
    session->protocol = protocol;
    session->transport = transport;
    session->conn = conn;
    session->address = mem_strdup(address);
    session->opened_ms = session->heard_ms = hub->options.mono_ms();
    session->speech = (int16_t)(hub->options.limits.messages_per_second * 2);
    session->speech_ms = session->opened_ms;
    session->gap = -1;
    outq_init(&session->outq, hub->options.limits.queue_bytes + OWN_BYTES);
    hub->options.random(&session->id, sizeof session->id);
    hub_seat(hub, session);
    hub->metrics.sessions[SESSION_ACCEPTED]++;
    return session;
}

static void leave_user(struct session *session)
{
    struct user *user = session->user;
    if (!user)
        return;
    DL_DELETE(user->sessions, session);
    session->user = NULL;
    if (--user->count)
        return;
    HASH_DEL(session->company->users, user);
    free(user);
}

static void leave_everything(struct session *session)
{
    while (session->seat_count)
        room_leave(session, session->seat_count - 1u);
    for (unsigned i = 0; i < session->pending_count; i++)
        free(session->pending[i].room);
    session->pending_count = 0;
    leave_user(session);
    if (session->company) {
        session->company->session_count--;
        company_release(&session->hub->companies, session->company);
        session->company = NULL;
    }
    drop_queue(session);
}

static void log_close(const struct session *session, enum close_reason reason)
{
    char id[20];
    snprintf(id, sizeof id, "%016" PRIx64, session->id);
    int64_t now_ms = session->hub->options.mono_ms();
    log_info("session_close", LOG_S("session", id), LOG_N("code", close_codes[reason]),
             LOG_S("reason", close_names[reason]),
             LOG_S("company", session->company ? session->company->id : ""),
             LOG_S("user", session->user ? session->user->name : ""),
             LOG_N("sent", session->delivered), LOG_N("dur_ms", now_ms - session->opened_ms));
}

static void end(struct session *session, enum close_reason reason)
{
    log_close(session, reason);
    session->hub->metrics.closed[reason]++;
    leave_everything(session);
    session->close_reason = (uint8_t)reason;
    set_state(session, SESSION_CLOSED);
}

void session_close(struct session *session, enum close_reason reason)
{
    if (session->state == SESSION_CLOSED)
        return;
    end(session, reason);
    session->transport->close(session->conn, reason);
}

void session_gone(struct session *session)
{
    if (session->state != SESSION_CLOSED)
        end(session, CLOSE_CLIENT);
    session->conn = NULL;
    hub_unseat(session->hub, session);
    LL_PREPEND2(session->hub->closed, session, next_closed);
}

/* ---- being let in ---- */

static struct user *user_get(struct company *company, const char *name)
{
    struct user *user = NULL;
    HASH_FIND_STR(company->users, name, user);
    if (user)
        return user;
    user = mem_new(sizeof *user + strlen(name) + 1);
    strcpy(user->name, name);
    HASH_ADD_STR(company->users, name, user);
    return user;
}

static void enter_user(struct session *session, const char *name)
{
    session->user = user_get(session->company, name);
    DL_APPEND(session->user->sessions, session);
    session->user->count++;
    if (session->user->count <= session->hub->options.limits.sessions_per_user)
        return;
    session->hub->metrics.rejected_limits[0]++;
    session_close(session->user->sessions, CLOSE_REPLACED); /* the oldest; never the only one */
}

static void enter_room(struct session *session, const char *kind, const char *name)
{
    char room[EVENT_ROOM_BYTES_MAX + 1];
    int len = snprintf(room, sizeof room, "%s:%s", kind, name);
    assert(len > 0 && len < (int)sizeof room);
    room_join(session->company, room, session);
}

static char *join_roles(const struct identity *identity)
{
    struct buf roles;
    buf_init(&roles, 4096);
    for (size_t i = 0; i < identity->role_count; i++) {
        if (i)
            buf_char(&roles, '\n');
        buf_str(&roles, identity->roles[i]);
    }
    assert(!roles.overflow);
    return buf_take(&roles);
}

static void enter_roles(struct session *session, const struct identity *identity)
{
    free(session->roles);
    session->roles = join_roles(identity);
    for (size_t i = 0; i < identity->role_count; i++) {
        char room[EVENT_ROOM_BYTES_MAX + 1];
        snprintf(room, sizeof room, "role:%s", identity->roles[i]);
        struct room *there = room_find(session->company, room);
        bool seated = false;
        for (unsigned s = 0; there && s < session->seat_count; s++)
            seated = seated || session->seats[s].room == there;
        if (!seated)
            room_join(session->company, room, session);
    }
}

/* A minute ahead, or a quarter of the life of a very short token: warned at once of each, a client
 * would do nothing but renew. */
static int64_t warning_due(int64_t expires_us, int64_t now_us)
{
    int64_t quarter_us = (expires_us - now_us) / 4;
    return expires_us - (quarter_us < WARN_AHEAD_US ? quarter_us : WARN_AHEAD_US);
}

static void take_expiry(struct session *session, const struct identity *identity)
{
    struct hub *hub = session->hub;
    int64_t end_us = identity->expires_at_us + identity->leeway_us;
    int64_t left_ms = (end_us - hub->options.wall_us()) / 1000;
    session->expires_us = identity->expires_at_us;
    session->leeway_us = identity->leeway_us;
    session->expires_ms = hub->options.mono_ms() + left_ms;
    session->warn_us = warning_due(identity->expires_at_us, hub->options.wall_us());
    session->warned = false;
}

static int64_t expires_in_s(const struct session *session)
{
    int64_t left_us = session->expires_us - session->hub->options.wall_us();
    return left_us > 0 ? left_us / 1000000 : 0;
}

static void log_open(const struct session *session)
{
    char id[20];
    snprintf(id, sizeof id, "%016" PRIx64, session->id);
    log_info("session_open", LOG_S("session", id), LOG_S("company", session->company->id),
             LOG_S("user", session->user->name), LOG_S("issuer", session->issuer),
             LOG_S("address", session->address), LOG_S("protocol", session->protocol->name));
}

/* Where it begins: after its cursor, or now. */
static void take_cursor(struct session *session, const char *text)
{
    session->pos = session->hub->position;
    if (!text)
        return;
    int64_t seq = 0;
    switch (cursor_read(session->hub->codec, session->company->id, text, &seq)) {
    case CURSOR_OK:
        session->pos = seq;
        session->resumed = true;
        return;
    case CURSOR_UNREADABLE:
        session->gap = GAP_CURSOR;
        return;
    case CURSOR_EPOCH:
        session->gap = GAP_EPOCH;
    }
}

static bool has_room_for(struct session *session, const struct identity *identity)
{
    struct company *company = company_find(session->hub->companies, identity->company);
    if (!company || company->session_count < session->hub->options.limits.sessions_per_company)
        return true;
    session->hub->metrics.rejected_limits[1]++;
    return false;
}

static void want_room(struct session *session, const char *room, int64_t id);

void session_admit(struct session *session, const struct identity *identity, const char *cursor,
                   const char *const *rooms, size_t room_count)
{
    assert(session->state == SESSION_ACCEPTED);
    struct hub *hub = session->hub;
    if (!hub->codec) {
        session_close(session, CLOSE_OVERLOADED); /* the database was never there yet: come back */
        return;
    }
    if (!has_room_for(session, identity)) {
        session_close(session, CLOSE_RATE_LIMITED);
        return;
    }
    session->company = company_get(&hub->companies, identity->company);
    session->company->session_count++;
    session->issuer = mem_strdup(identity->issuer);
    enter_user(session, identity->user);
    enter_room(session, "company", identity->company);
    enter_room(session, "user", identity->user);
    enter_roles(session, identity);
    take_expiry(session, identity);
    take_cursor(session, cursor);
    session->admitted_ms = session->beat_ms = hub->options.mono_ms();
    set_state(session, SESSION_ADMITTED);
    log_open(session);
    for (size_t i = 0; i < room_count; i++)
        want_room(session, rooms[i], -1);
    if (session->state == SESSION_ADMITTED)
        session_catch_up(session);
}

static bool same_person(const struct session *session, const struct identity *identity)
{
    return strcmp(session->company->id, identity->company) == 0 &&
           strcmp(session->user->name, identity->user) == 0 &&
           strcmp(session->issuer, identity->issuer) == 0;
}

static bool comes_from_token(const char *room)
{
    return strncmp(room, "company:", 8) == 0 || strncmp(room, "user:", 5) == 0 ||
           strncmp(room, "role:", 5) == 0;
}

static bool has_role(const struct identity *identity, const char *role)
{
    for (size_t i = 0; i < identity->role_count; i++)
        if (strcmp(identity->roles[i], role) == 0)
            return true;
    return false;
}

static bool is_lost_role(const char *room, const struct identity *identity)
{
    return strncmp(room, "role:", 5) == 0 && !has_role(identity, room + 5);
}

static bool loses_a_role(const struct session *session, const struct identity *identity)
{
    for (unsigned i = 0; i < session->seat_count; i++)
        if (is_lost_role(session->seats[i].room->name, identity))
            return true;
    return false;
}

/* Rights are looked at anew with each token: roles that it no longer names are left, and with a
 * lost role every room on request too, since it may have been what opened it: the client asks
 * again. */
static void leave_lost_roles(struct session *session, const struct identity *identity)
{
    bool demoted = loses_a_role(session, identity);
    for (unsigned i = session->seat_count; i-- > 0 && session->state != SESSION_CLOSED;) {
        const char *name = session->seats[i].room->name;
        if (!is_lost_role(name, identity) && !(demoted && !comes_from_token(name)))
            continue;
        struct frame *left = session->protocol->left(name, -1);
        room_leave(session, i);
        session_send(session, left);
    }
}

static void renew(struct session *session, const struct identity *identity)
{
    if (!same_person(session, identity)) {
        session_close(session, CLOSE_FORBIDDEN);
        return;
    }
    session->hub->metrics.renewals[0]++;
    take_expiry(session, identity);
    leave_lost_roles(session, identity);
    if (session->state == SESSION_CLOSED)
        return;
    enter_roles(session, identity);
    session_send(session, session->protocol->renewed(expires_in_s(session)));
}

void session_auth(struct session *session, const char *token, size_t token_len, const char *cursor,
                  const char *const *rooms, size_t room_count)
{
    struct hub *hub = session->hub;
    struct identity identity;
    if (session->state == SESSION_CLOSED)
        return;
    if (session->state == SESSION_ADMITTED) {
        session_close(session, CLOSE_BAD_REQUEST); /* one question at a time until `ready` */
        return;
    }
    if (!hub->options.verify(hub->options.arg, token, token_len, session->address, &identity)) {
        session_close(session, CLOSE_UNAUTHORIZED);
        return;
    }
    if (session->state == SESSION_ACCEPTED)
        session_admit(session, &identity, cursor, rooms, room_count);
    else
        renew(session, &identity);
}

/* ---- catching up ---- */

static void say_ready(struct session *session)
{
    char cursor[CURSOR_TEXT_MAX];
    bool resumed = session->resumed && session->gap < 0;
    if (session->gap >= 0)
        session->pos = session->hub->position;
    /* the gap that follows may be lost with the connection: until it was heard there is nothing to
     * come back to, or what it tells of would be missed in silence */
    say_cursor(session, session->gap >= 0 ? CURSOR_NOWHERE : session->pos, cursor);
    set_state(session, SESSION_CATCHING_UP);
    session_send(session, session->protocol->ready(session, cursor, resumed, expires_in_s(session),
                                                   session->hub->options.heartbeat_ms / 1000));
    if (session->gap >= 0 && session->state != SESSION_CLOSED)
        session_gap(session, (enum gap_reason)session->gap);
}

void session_gap(struct session *session, enum gap_reason reason)
{
    if (session->state == SESSION_ADMITTED) {
        session->gap = (int8_t)reason; /* told after `ready` */
        return;
    }
    char cursor[CURSOR_TEXT_MAX];
    session->gap = -1;
    session->pos = session->hub->position;
    session->retry_ms =
        session->hub->options.mono_ms(); /* one that was catching up goes on from here */
    session->hub->metrics.gaps[reason]++;
    say_cursor(session, session->pos, cursor);
    session_send(session, session->protocol->gap(reason, cursor));
}

static int seat_of(const struct session *session, const char *name)
{
    struct room *room = room_find(session->company, name);
    for (unsigned i = 0; room && i < session->seat_count; i++)
        if (session->seats[i].room == room)
            return (int)i;
    return -1;
}

/* Events wait within the session's budget and within that of all together. Only events: a session
 * is not closed, for an answer that finds no place, because of what waits for others. */
static bool has_place(const struct session *session, size_t len)
{
    const struct outq *q = &session->outq;
    const struct hub *hub = session->hub;
    return q->count == 0 || (q->used_bytes + len <= q->budget_bytes - OWN_BYTES &&
                             hub->queued_bytes + len <= hub->options.limits.queue_total_bytes);
}

bool session_deliver(struct session *session, struct event *event, unsigned room_index)
{
    struct hub *hub = session->hub;
    struct frame *frame =
        hub_event_frame(hub, session->protocol, session->company, event, room_index);
    if (!has_place(session, frame->len) || !push(session, frame)) {
        session->pos = event->seq - 1;
        set_state(session, SESSION_CATCHING_UP);
        hub->metrics.lagging[0]++;
        return false;
    }
    session->pos = event->seq;
    session->delivered++;
    hub->metrics.deliveries[0]++;
    return true;
}

bool session_deliver_any(struct session *session, struct event *event)
{
    if (event->seq <= session->pos || strcmp(event->company, session->company->id) != 0)
        return true;
    for (unsigned i = 0; i < event->room_count; i++)
        if (seat_of(session, event->rooms[i]) >= 0)
            return session_deliver(session, event, i);
    return true;
}

/* Half of the queue is left to what is live: catching up goes on when the socket took its part. */
static bool is_full(const struct session *session)
{
    return session->outq.used_bytes > (session->outq.budget_bytes - OWN_BYTES) / 2;
}

static void go_live(struct session *session)
{
    if (session->hub->position > session->pos)
        session->pos = session->hub->position;
    set_state(session, SESSION_LIVE);
}

static void walk_memory(struct session *session)
{
    struct company *company = session->company;
    for (unsigned i = history_after(company, session->pos); i < company->event_count; i++) {
        if (is_full(session))
            return;
        if (!session_deliver_any(session, history_at(company, i)))
            return;
    }
    if (!session->doomed)
        go_live(session);
}

static void ask(struct session *session)
{
    struct hub *hub = session->hub;
    if (session->asking)
        return;
    session->asked_era = hub->era;
    session->asking = hub->options.replay(hub->options.arg, session_ticket(session, TICKET_REPLAY),
                                          session->company->id, session->pos, REPLAY_ROWS);
    session->retry_ms = session->asking ? 0 : hub->options.mono_ms() + REPLAY_RETRY_MS;
}

/* A position that memory covers needs no database; one ahead of ours (a resume that began on a
 * bridge that is further) is checked there. */
static bool in_memory(const struct session *session)
{
    return session->pos >= session->hub->history.floor_seq &&
           session->pos <= session->hub->position;
}

void session_catch_up(struct session *session)
{
    if (session->state != SESSION_ADMITTED && session->state != SESSION_CATCHING_UP)
        return;
    if (session->pending_count && session->state == SESSION_ADMITTED)
        return; /* rooms asked for with the cursor come first */
    bool memory = in_memory(session) || session->gap >= 0;
    if (session->state == SESSION_ADMITTED && memory) {
        session->hub->metrics.resumes[session->resumed ? 1 : 0]++;
        say_ready(session);
    }
    if (session->state == SESSION_CATCHING_UP && !is_full(session)) {
        if (in_memory(session))
            walk_memory(session);
        else
            ask(session);
    } else if (session->state == SESSION_ADMITTED) {
        ask(session);
    }
}

/* What the answer says of our position: it must lie within what the database still has. */
static bool reach_is_sure(struct session *session, const struct replay *replay)
{
    if (session->pos < replay->floor_seq)
        session_gap(session, GAP_RETENTION);
    else if (session->pos > replay->upto && session->pos > session->hub->position)
        session_gap(session, GAP_EPOCH);
    else
        return true;
    return false;
}

/* Queues what fits. True when all of it did: the position is then where the answer reached. */
static bool take_replay(struct session *session, const struct replay *replay)
{
    for (size_t i = 0; i < replay->count; i++) {
        if (is_full(session))
            return false;
        struct event *event = channel_apply(session->hub->options.channels, replay->events[i]);
        bool taken = !event || session_deliver_any(session, event);
        event_unref(event);
        if (!taken || session->state == SESSION_CLOSED)
            return false;
    }
    if (replay->upto > session->pos)
        session->pos = replay->upto;
    return true;
}

void session_replayed(struct session *session, const struct replay *replay)
{
    session->asking = false;
    if (session->state != SESSION_ADMITTED && session->state != SESSION_CATCHING_UP)
        return;
    if (session->asked_era != session->hub->era) {
        session_catch_up(session); /* its positions are those of another feed */
        return;
    }
    if (!replay->ok) {
        session->retry_ms = session->hub->options.mono_ms() + REPLAY_RETRY_MS;
        return;
    }
    bool sure = reach_is_sure(session, replay);
    if (session->state == SESSION_ADMITTED) {
        session->hub->metrics.resumes[2]++;
        say_ready(session);
    }
    bool taken = sure && session->state == SESSION_CATCHING_UP && take_replay(session, replay);
    /* as far as the feed itself, perhaps further than this bridge has read: live, and what the
     * router brings up to there is passed over */
    if (taken && session->pos >= session->hub->position)
        go_live(session);
    else if (taken || !sure)
        session_catch_up(session);
    /* else the queue is full, and session_drained() goes on */
}

void session_drained(struct session *session)
{
    if (session->state == SESSION_CATCHING_UP && !is_full(session))
        session_catch_up(session);
}

/* ---- rooms on request ---- */

/* Rooms are asked for by one who is known and has heard `ready`. */
static bool may_talk(struct session *session)
{
    if (session->state == SESSION_ACCEPTED)
        session_close(session, CLOSE_UNAUTHORIZED);
    else if (session->state == SESSION_ADMITTED)
        session_close(session, CLOSE_BAD_REQUEST);
    return session->state == SESSION_CATCHING_UP || session->state == SESSION_LIVE;
}

static bool may_not_ask(const char *room)
{
    size_t len = strlen(room);
    const char *colon = strchr(room, ':');
    if (!text_is_name(room, len, EVENT_ROOM_BYTES_MAX) || !colon || colon == room || !colon[1])
        return true;
    return comes_from_token(room); /* and only from there */
}

static void say_joined(struct session *session, const char *room, int64_t id)
{
    char cursor[CURSOR_TEXT_MAX];
    say_cursor(session, reached(session), cursor);
    session->hub->metrics.joins[0]++;
    if (session->state != SESSION_ADMITTED) /* then `ready` will list it */
        session_send(session, session->protocol->joined(room, id, cursor));
}

static void refuse(struct session *session, const char *code, int64_t id)
{
    session->hub->metrics.joins[1]++;
    if (session->state != SESSION_ADMITTED) /* then `ready` will not list it */
        session_send(session, session->protocol->error(code, id));
}

static void put_roles(const struct session *session, struct buf *out)
{
    buf_str(out, "\"roles\":[");
    for (const char *role = session->roles; role && *role;) {
        size_t len = strcspn(role, "\n");
        if (role != session->roles)
            buf_char(out, ',');
        buf_json(out, role, len);
        role += len + (role[len] == '\n');
    }
    buf_char(out, ']');
}

/* The verified claims, written anew by us; the token itself never goes to the database. */
static char *claims_json(const struct session *session)
{
    struct buf out;
    buf_init(&out, 16384);
    buf_str(&out, "{\"company\":");
    buf_json(&out, session->company->id, strlen(session->company->id));
    buf_str(&out, ",\"user\":");
    buf_json(&out, session->user->name, strlen(session->user->name));
    buf_str(&out, ",\"role\":");
    buf_json(&out, session->roles, strcspn(session->roles, "\n"));
    buf_char(&out, ',');
    put_roles(session, &out);
    buf_char(&out, '}');
    assert(!out.overflow);
    return buf_take(&out);
}

static bool is_open(const struct session *session, uint8_t tag)
{
    for (unsigned i = 0; i < session->pending_count; i++)
        if (session->pending[i].tag == tag)
            return true;
    return false;
}

/* One that no open question has: an answer must never be taken for that to another room. There are
 * more of them than questions can be open. */
static uint8_t take_tag(struct session *session)
{
    _Static_assert((int)PENDING_MAX < (int)TICKET_REPLAY, "there is always a free tag");
    do
        session->next_tag = (uint8_t)((session->next_tag + 1) % TICKET_REPLAY);
    while (is_open(session, session->next_tag));
    return session->next_tag;
}

static bool ask_permission(struct session *session, const char *room, int64_t id)
{
    struct hub *hub = session->hub;
    uint8_t tag = take_tag(session);
    char *claims = claims_json(session);
    bool asked =
        hub->options.may_join(hub->options.arg, session_ticket(session, tag), claims, room);
    free(claims);
    if (!asked)
        return false;
    session->pending =
        mem_resize(session->pending, session->pending_count + 1u, sizeof(struct pending_join));
    session->pending[session->pending_count++] =
        (struct pending_join){.room = mem_strdup(room), .id = id, .tag = tag};
    return true;
}

static void want_room(struct session *session, const char *room, int64_t id)
{
    if (seat_of(session, room) >= 0) {
        say_joined(session, room, id);
        return;
    }
    size_t places = (size_t)session->seat_count + session->pending_count;
    if (places >= session->hub->options.limits.rooms_per_session ||
        session->pending_count >= PENDING_MAX) {
        session->hub->metrics.rejected_limits[2]++;
        refuse(session, "too_many_rooms", id);
        return;
    }
    if (may_not_ask(room))
        refuse(session, "forbidden", id);
    else if (!ask_permission(session, room, id))
        refuse(session, "unavailable", id);
}

void session_join(struct session *session, const char *room, int64_t id)
{
    if (may_talk(session))
        want_room(session, room, id);
}

static void take_seat(struct session *session, const char *room, int64_t id)
{
    if (seat_of(session, room) < 0)
        room_join(session->company, room, session);
    /* live, the room counts from now on: a later step back must not bring what was before */
    if (session->state == SESSION_LIVE && session->hub->position > session->pos)
        session->pos = session->hub->position;
    say_joined(session, room, id);
}

void session_join_answered(struct session *session, uint8_t tag, bool allowed)
{
    for (unsigned i = 0; i < session->pending_count; i++) {
        struct pending_join join = session->pending[i];
        if (join.tag != tag)
            continue;
        session->pending[i] = session->pending[--session->pending_count];
        if (allowed)
            take_seat(session, join.room, join.id);
        else
            refuse(session, "forbidden", join.id);
        free(join.room);
        break;
    }
    if (session->state == SESSION_ADMITTED)
        session_catch_up(session);
}

void session_leave(struct session *session, const char *room, int64_t id)
{
    if (!may_talk(session))
        return;
    int seat = seat_of(session, room);
    bool own = strncmp(room, "company:", 8) == 0 || strncmp(room, "user:", 5) == 0;
    if (seat < 0 || own) {
        refuse(session, "forbidden", id);
        return;
    }
    room_leave(session, (unsigned)seat);
    session_send(session, session->protocol->left(room, id));
}

/* ---- time ---- */

void session_heard(struct session *session)
{
    session->heard_ms = session->hub->options.mono_ms();
    session->pinged_ms = 0;
}

bool session_spoke(struct session *session)
{
    struct hub *hub = session->hub;
    unsigned rate = hub->options.limits.messages_per_second;
    int64_t now_ms = hub->options.mono_ms();
    int64_t earned = (now_ms - session->speech_ms) * (int64_t)rate / 1000;
    if (earned > 0) {
        int64_t speech = session->speech + earned;
        session->speech = (int16_t)(speech < 2 * (int64_t)rate ? speech : 2 * (int64_t)rate);
        session->speech_ms = now_ms;
    }
    if (session->speech-- > 0)
        return true;
    hub->metrics.rejected_limits[3]++;
    session_close(session, CLOSE_RATE_LIMITED);
    return false;
}

static struct frame *heartbeat(struct session *session)
{
    struct company *company = session->company;
    bool live = session->state == SESSION_LIVE;
    int64_t seq = reached(session);
    if (live && company->heartbeat && company->heartbeat_seq == seq)
        return frame_ref(company->heartbeat);
    char cursor[CURSOR_TEXT_MAX];
    say_cursor(session, seq, cursor);
    struct frame *frame = session->protocol->heartbeat(cursor);
    frame->company = company;
    if (!live)
        return frame;
    frame_unref(company->heartbeat);
    company->heartbeat = frame_ref(frame);
    company->heartbeat_seq = seq;
    return frame;
}

static void beat(struct session *session, int64_t now_ms)
{
    if (session->state != SESSION_LIVE && session->state != SESSION_CATCHING_UP)
        return;
    if (now_ms - session->beat_ms < session->hub->options.heartbeat_ms || session->outq.count)
        return; /* what waits in the queue is a sign of life already */
    session->beat_ms = now_ms;
    session_send(session, heartbeat(session));
    if (session->state == SESSION_CLOSED || !session->protocol->ping)
        return;
    if (!session->pinged_ms)
        session->pinged_ms = now_ms;
    session_send(session, session->protocol->ping());
}

static enum close_reason overdue(const struct session *session, int64_t now_ms, int64_t wall_us)
{
    const struct hub_options *options = &session->hub->options;
    if (session->state == SESSION_ACCEPTED)
        return now_ms - session->opened_ms >= options->limits.auth_timeout_ms ? CLOSE_AUTH_TIMEOUT
                                                                              : CLOSE_REASON_COUNT;
    if (wall_us >= session->expires_us + session->leeway_us || now_ms >= session->expires_ms)
        return CLOSE_TOKEN_EXPIRED;
    if (now_ms - session->opened_ms >= options->limits.max_session_ms)
        return CLOSE_RESTART;
    if (session->outq.count && now_ms - session->progress_ms >= options->limits.slow_timeout_ms)
        return CLOSE_SLOW_CONSUMER;
    /* not before a ping went unanswered: while frames wait none is sent, and that is no silence */
    if (session->pinged_ms && !session->outq.count &&
        now_ms - session->pinged_ms > options->heartbeat_timeout_ms)
        return CLOSE_DEAD;
    if (session->state == SESSION_ADMITTED && now_ms - session->admitted_ms > READY_WAIT_MS)
        return CLOSE_OVERLOADED;
    return CLOSE_REASON_COUNT;
}

/* Once for each token. */
static void warn_of_expiry(struct session *session, int64_t wall_us)
{
    if (session->warned || wall_us < session->warn_us || session->state == SESSION_ADMITTED)
        return;
    session->warned = true;
    session_send(session, session->protocol->expiring(expires_in_s(session)));
}

void session_tick(struct session *session, int64_t now_ms, int64_t wall_us)
{
    if (session->state == SESSION_CLOSED)
        return;
    enum close_reason reason = overdue(session, now_ms, wall_us);
    if (session->leave_ms && now_ms >= session->leave_ms)
        reason = CLOSE_RESTART;
    if (reason != CLOSE_REASON_COUNT) {
        session_close(session, reason);
        return;
    }
    if (session->state == SESSION_ACCEPTED)
        return;
    warn_of_expiry(session, wall_us);
    beat(session, now_ms);
    if (session->state != SESSION_CLOSED && session->retry_ms && now_ms >= session->retry_ms) {
        session->retry_ms = 0;
        session_catch_up(session);
    }
}
