/* From a position to the present: memory, the database, live. */
#include "core/session_private.h"

#include <string.h>

enum { REPLAY_ROWS_MAX = 200, REPLAY_RETRY_MS = 1000 };

static void say_ready(struct session *session)
{
    char cursor[CURSOR_TEXT_MAX];
    bool resumed = session->resumed && session->gap < 0;
    if (session->gap >= 0)
        session->pos = session->hub->position;
    /* the gap that follows may be lost with the connection: until it was heard there is nothing to
     * come back to, or what it tells of would be missed in silence */
    session_write_cursor(session, session->gap >= 0 ? CURSOR_NOWHERE : session->pos, cursor);
    session_set_state(session, SESSION_CATCHING_UP);
    session_send(session,
                 session->protocol->ready(session, cursor, resumed, session_expires_in_s(session),
                                          session->hub->options.heartbeat_ms / 1000));
    session_tell_refusals(session);
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
    session_write_cursor(session, session->pos, cursor);
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
    if (!has_place(session, frame->len) || !session_push(session, frame)) {
        session->pos = event->seq - 1;
        session_set_state(session, SESSION_CATCHING_UP);
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
        if (session_seat_of(session, event->rooms[i]) >= 0)
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
    session_set_state(session, SESSION_LIVE);
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
