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
    REPLAY_ROWS_FIRST = 32,
    REPLAY_ROWS_MAX = 200,
    REPLAY_RETRY_MS = 1000,
    READY_WAIT_MS = 10000, /* how long `ready` may wait for the database */
    WARN_AHEAD_US = 60000000,
    PENDING_MAX = 64,
    USER_PENDING_MAX = 256,  /* in all sessions: a part of what waits for a company */
    RENEWAL_EVERY_MS = 6000, /* looking at a signature is dear: so often, */
    RENEWAL_BURST = 10,      /* but for so many that were saved up */
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

void session_choked(struct session *session, bool choked)
{
    session->choked_ms = choked ? session->hub->options.mono_ms() : 0;
}

static void drop_queue(struct session *session)
{
    session->hub->queued_bytes -= session->outq.used_bytes;
    outq_free(&session->outq);
}

static void say_cursor(const struct session *session, int64_t seq, char text[CURSOR_TEXT_MAX])
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

bool session_cursor(const struct session *session, char text[CURSOR_TEXT_MAX])
{
    if (!session->company)
        return false;
    say_cursor(session, session->gap >= 0 ? CURSOR_NOWHERE : reached(session), text);
    return true;
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
    session->replay_rows = REPLAY_ROWS_FIRST;
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
    if (session->user)
        session->user->pending -= session->pending_count;
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

static struct user *user_get(struct company *company, const char *name, const char *issuer)
{
    size_t name_size = strlen(name) + 1;
    size_t key_len = name_size + strlen(issuer);
    struct user *user = mem_new(sizeof *user + key_len + 1);
    memcpy(user->name, name, name_size);
    memcpy(user->name + name_size, issuer, key_len - name_size);
    struct user *known = NULL;
    HASH_FIND(hh, company->users, user->name, key_len, known);
    if (known) {
        free(user);
        return known;
    }
    HASH_ADD_KEYPTR(hh, company->users, user->name, key_len, user);
    return user;
}

static void enter_user(struct session *session, const struct identity *identity)
{
    session->user = user_get(session->company, identity->user, identity->issuer);
    DL_APPEND(session->user->sessions, session);
    session->user->count++;
    if (session->user->count <= session->hub->options.limits.sessions_per_user)
        return;
    session->hub->metrics.rejected_limits[LIMIT_USER]++;
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

static int seat_of(const struct session *session, const char *name)
{
    struct room *room = room_find(session->company, name);
    for (unsigned i = 0; room && i < session->seat_count; i++)
        if (session->seats[i].room == room)
            return (int)i;
    return -1;
}

/* True when it did not sit there before. */
static bool take_seat(struct session *session, const char *room)
{
    if (seat_of(session, room) >= 0)
        return false;
    room_join(session->company, room, session);
    /* live, the room counts from now on: a later step back must not bring what was before */
    if (session->state == SESSION_LIVE && session->hub->position > session->pos)
        session->pos = session->hub->position;
    return true;
}

static void tell_joined(struct session *session, const char *room, int64_t id)
{
    char cursor[CURSOR_TEXT_MAX];
    say_cursor(session, reached(session), cursor);
    session_send(session, session->protocol->joined(room, id, cursor));
}

/* Those that a renewal brings are told, as those that it takes are; the first ones `ready` lists.
 */
static void enter_roles(struct session *session, const struct identity *identity)
{
    bool told = session->state == SESSION_CATCHING_UP || session->state == SESSION_LIVE;
    free(session->roles);
    session->roles = join_roles(identity);
    for (size_t i = 0; i < identity->role_count && session->state != SESSION_CLOSED; i++) {
        char room[EVENT_ROOM_BYTES_MAX + 1];
        snprintf(room, sizeof room, "role:%s", identity->roles[i]);
        if (take_seat(session, room) && told)
            tell_joined(session, room, -1);
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
    session->hub->metrics.rejected_limits[LIMIT_COMPANY]++;
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
    enter_user(session, identity);
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

static void disown_pending(struct session *session);

/* Rights are looked at anew with each token: roles that it no longer names are left, and with a
 * lost role every room on request too, since it may have been what opened it, or is just opening
 * it: the client asks again. */
static void leave_lost_roles(struct session *session, const struct identity *identity)
{
    bool demoted = loses_a_role(session, identity);
    if (demoted)
        disown_pending(session);
    for (unsigned i = session->seat_count; i-- > 0 && session->state != SESSION_CLOSED;) {
        const char *name = session->seats[i].room->name;
        if (!is_lost_role(name, identity) && !(demoted && !comes_from_token(name)))
            continue;
        struct frame *left = session->protocol->left(name, -1);
        room_leave(session, i);
        session_send(session, left);
    }
}

/* A renewal has the price of a signature, which is more than what a message costs. */
static bool may_renew(struct session *session)
{
    int64_t now_ms = session->hub->options.mono_ms();
    int64_t paid_ms = session->renewals_ms > now_ms ? session->renewals_ms : now_ms;
    session->renewals_ms = paid_ms + RENEWAL_EVERY_MS;
    if (session->renewals_ms - now_ms <= RENEWAL_EVERY_MS * RENEWAL_BURST)
        return true;
    session->hub->metrics.rejected_limits[LIMIT_RENEWALS]++;
    session_close(session, CLOSE_RATE_LIMITED);
    return false;
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
    if (session->state == SESSION_CLOSED)
        return;
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
    if (session->state != SESSION_ACCEPTED && !may_renew(session))
        return;
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

/* What waits for all together is bounded, and as it fills, so is each queue: none may be larger
 * than what is still free. So the largest stop growing first, and who reads does not pay for who
 * does not. */
static size_t share_of_total(const struct hub *hub, size_t len)
{
    size_t total = hub->options.limits.queue_total_bytes;
    return hub->queued_bytes + len <= total ? total - hub->queued_bytes - len : 0;
}

/* Events wait within the session's budget and within that of all together. Only events: a session
 * is not closed, for an answer that finds no place, because of what waits for others. */
static bool has_place(const struct session *session, size_t len)
{
    const struct outq *q = &session->outq;
    return q->count == 0 || (q->used_bytes + len <= q->budget_bytes - OWN_BYTES &&
                             q->used_bytes <= share_of_total(session->hub, len));
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
    if (session->asking || session->retry_ms > hub->options.mono_ms())
        return;
    session->asked_era = hub->era;
    session->asking = true; /* may be looked at from within */
    session->asking = hub->options.replay(hub->options.arg, session_ticket(session, TICKET_REPLAY),
                                          session->company->id, session->pos, session->replay_rows);
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

/* How many of them were queued, or were not for this session: as many as fit. */
static size_t queue_replay(struct session *session, const struct replay *replay)
{
    size_t count = 0;
    for (; count < replay->count && !is_full(session); count++) {
        struct event *event = channel_apply(session->hub->options.channels, replay->events[count]);
        bool taken = !event || session_deliver_any(session, event);
        event_unref(event);
        if (!taken || session->state == SESSION_CLOSED)
            break;
    }
    return count;
}

/* Queues what fits. True when all of it did: the position is then where the answer reached. What
 * did not fit is fetched again, so the next question asks for as much as there was room for, and
 * feels its way up again when that fits. */
static bool take_replay(struct session *session, const struct replay *replay)
{
    size_t count = queue_replay(session, replay);
    if (count < replay->count) {
        session->replay_rows = (uint16_t)(count > 0 ? count : 1);
        return false;
    }
    unsigned more = session->replay_rows + session->replay_rows / 2u + 1;
    session->replay_rows = (uint16_t)(more < REPLAY_ROWS_MAX ? more : REPLAY_ROWS_MAX);
    if (replay->upto > session->pos)
        session->pos = replay->upto;
    return true;
}

static void go_on(struct session *session, int64_t from)
{
    /* nothing came, and more must be there: at once it would be no other */
    if (session->pos == from && !in_memory(session))
        session->retry_ms = session->hub->options.mono_ms() + REPLAY_RETRY_MS;
    else
        session_catch_up(session);
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
    int64_t from = session->pos;
    bool taken = sure && session->state == SESSION_CATCHING_UP && take_replay(session, replay);
    /* as far as the feed itself, perhaps further than this bridge has read: live, and what the
     * router brings up to there is passed over */
    if (taken && session->pos >= session->hub->position)
        go_live(session);
    else if (taken)
        go_on(session, from);
    else if (!sure)
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
    session->hub->metrics.joins[JOIN_OK]++;
    if (session->state != SESSION_ADMITTED) /* then `ready` will list it */
        tell_joined(session, room, id);
}

static void refuse(struct session *session, enum join_result result, const char *code, int64_t id)
{
    session->hub->metrics.joins[result]++;
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

static struct pending_join *pending_of(const struct session *session, uint8_t tag)
{
    for (unsigned i = 0; i < session->pending_count; i++)
        if (session->pending[i].tag == tag)
            return &session->pending[i];
    return NULL;
}

bool session_awaits(const struct session *session, uint8_t tag)
{
    if (tag == TICKET_REPLAY)
        return session->asking && session->state != SESSION_LIVE;
    const struct pending_join *join = pending_of(session, tag);
    return join && join->room;
}

/* One that no open question has: an answer must never be taken for that to another room. There are
 * more of them than questions can be open. */
static uint8_t take_tag(struct session *session)
{
    _Static_assert((int)PENDING_MAX < (int)TICKET_REPLAY, "there is always a free tag");
    do
        session->next_tag = (uint8_t)((session->next_tag + 1) % TICKET_REPLAY);
    while (pending_of(session, session->next_tag));
    return session->next_tag;
}

static void add_pending(struct session *session, const char *room, int64_t id)
{
    session->pending =
        mem_resize(session->pending, session->pending_count + 1u, sizeof(struct pending_join));
    uint8_t tag = take_tag(session);
    session->pending[session->pending_count++] =
        (struct pending_join){.room = mem_strdup(room), .id = id, .tag = tag};
    session->user->pending++;
}

static void drop_pending(struct session *session, struct pending_join *join)
{
    free(join->room);
    *join = session->pending[--session->pending_count];
    session->user->pending--;
}

static bool ask_permission(struct session *session, const char *room, int64_t id)
{
    struct hub *hub = session->hub;
    if (session->user->pending >= USER_PENDING_MAX)
        return false;
    add_pending(session, room, id);
    struct pending_join *join = &session->pending[session->pending_count - 1];
    char *claims = claims_json(session);
    bool asked = hub->options.may_join(hub->options.arg, session_ticket(session, join->tag),
                                       session->company->id, claims, room);
    free(claims);
    if (!asked)
        drop_pending(session, join);
    return asked;
}

/* As many rooms as it may have, those asked for among them. */
static bool has_seats_left(const struct session *session)
{
    size_t places = (size_t)session->seat_count + session->pending_count;
    return places < session->hub->options.limits.rooms_per_session &&
           session->pending_count < PENDING_MAX;
}

static void want_room(struct session *session, const char *room, int64_t id)
{
    double *limits = session->hub->metrics.rejected_limits;
    if (seat_of(session, room) >= 0) {
        say_joined(session, room, id);
    } else if (!has_seats_left(session)) {
        limits[LIMIT_ROOMS]++;
        refuse(session, JOIN_REFUSED, "too_many_rooms", id);
    } else if (may_not_ask(room)) {
        refuse(session, JOIN_REFUSED, "forbidden", id);
    } else if (!ask_permission(session, room, id)) {
        limits[LIMIT_QUESTIONS]++;
        refuse(session, JOIN_UNAVAILABLE, "unavailable", id);
    }
}

void session_join(struct session *session, const char *room, int64_t id)
{
    if (may_talk(session))
        want_room(session, room, id);
}

static void judge(struct session *session, const char *room, int64_t id, enum permission permission)
{
    switch (permission) {
    case PERMISSION_ALLOWED:
        take_seat(session, room);
        say_joined(session, room, id);
        return;
    case PERMISSION_DENIED:
        refuse(session, JOIN_REFUSED, "forbidden", id);
        return;
    case PERMISSION_UNKNOWN:
        refuse(session, JOIN_UNAVAILABLE, "unavailable", id);
    }
}

void session_join_answered(struct session *session, uint8_t tag, enum permission permission)
{
    struct pending_join *join = pending_of(session, tag);
    if (!join)
        return;
    char *room = join->room;
    int64_t id = join->id;
    join->room = NULL;
    drop_pending(session, join);
    if (room)
        judge(session, room, id, permission);
    free(room);
    if (session->state == SESSION_ADMITTED)
        session_catch_up(session);
}

/* Whatever the answers will be, nobody waits for them any more. */
static void disown_pending(struct session *session)
{
    for (unsigned i = 0; i < session->pending_count && session->state != SESSION_CLOSED; i++) {
        struct pending_join *join = &session->pending[i];
        if (!join->room)
            continue;
        free(join->room);
        join->room = NULL;
        refuse(session, JOIN_UNAVAILABLE, "unavailable", join->id);
    }
}

/* Takes back each question for that room; true when there was one. */
static bool withdraw(struct session *session, const char *room)
{
    bool any = false;
    for (unsigned i = 0; i < session->pending_count; i++) {
        struct pending_join *join = &session->pending[i];
        if (!join->room || strcmp(join->room, room) != 0)
            continue;
        free(join->room);
        join->room = NULL;
        any = true;
    }
    return any;
}

void session_leave(struct session *session, const char *room, int64_t id)
{
    if (!may_talk(session))
        return;
    int seat = seat_of(session, room);
    bool own = strncmp(room, "company:", 8) == 0 || strncmp(room, "user:", 5) == 0;
    bool withdrawn = withdraw(session, room);
    if ((seat < 0 && !withdrawn) || own) {
        refuse(session, JOIN_REFUSED, "forbidden", id);
        return;
    }
    if (seat >= 0)
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
    if (session->state == SESSION_CLOSED)
        return false;
    int64_t now_ms = hub->options.mono_ms();
    int64_t earned = (now_ms - session->speech_ms) * (int64_t)rate / 1000;
    if (earned > 0) {
        int64_t speech = session->speech + earned;
        session->speech = (int16_t)(speech < 2 * (int64_t)rate ? speech : 2 * (int64_t)rate);
        session->speech_ms = now_ms;
    }
    if (session->speech-- > 0)
        return true;
    hub->metrics.rejected_limits[LIMIT_MESSAGES]++;
    session_close(session, CLOSE_RATE_LIMITED);
    return false;
}

static struct frame *new_heartbeat(struct session *session, int64_t seq)
{
    char cursor[CURSOR_TEXT_MAX];
    say_cursor(session, seq, cursor);
    struct frame *frame = session->protocol->heartbeat(cursor);
    frame->company = session->company;
    return frame;
}

/* Live sessions of a company are all at one position; those of one protocol share the frame. */
static struct frame *heartbeat(struct session *session)
{
    struct heartbeat *shared = &session->company->heartbeats[session->protocol->index];
    int64_t seq = reached(session);
    if (session->state != SESSION_LIVE)
        return new_heartbeat(session, seq);
    if (!shared->frame || shared->seq != seq || shared->protocol != session->protocol) {
        frame_unref(shared->frame);
        *shared = (struct heartbeat){session->protocol, new_heartbeat(session, seq), seq};
    }
    return frame_ref(shared->frame);
}

static void beat(struct session *session, int64_t now_ms)
{
    if (session->state != SESSION_LIVE && session->state != SESSION_CATCHING_UP)
        return;
    if (now_ms - session->beat_ms < session->hub->options.heartbeat_ms || session->outq.count)
        return; /* what waits in the queue is a sign of life already */
    session->beat_ms = now_ms;
    if (session->protocol->heartbeat)
        session_send(session, heartbeat(session));
    if (session->state == SESSION_CLOSED || !session->protocol->ping)
        return;
    if (!session->pinged_ms)
        session->pinged_ms = now_ms;
    session_send(session, session->protocol->ping());
}

/* Neither of its queue nor, though that is empty, of what the transport keeps for it. */
static bool takes_nothing(const struct session *session, int64_t now_ms)
{
    int64_t limit_ms = session->hub->options.limits.slow_timeout_ms;
    return (session->outq.count && now_ms - session->progress_ms >= limit_ms) ||
           (session->choked_ms && now_ms - session->choked_ms >= limit_ms);
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
    if (takes_nothing(session, now_ms))
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
