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
#include "core/session_private.h"

#include "base/log.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

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

void session_set_state(struct session *session, enum session_state state)
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

bool session_push(struct session *session, struct frame *frame)
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
    if (session->state != SESSION_CLOSED && !session_push(session, frame))
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

size_t session_fill(struct session *session, unsigned char *bytes, size_t size)
{
    size_t len = 0;
    struct frame *frame;
    while ((frame = session_peek(session)) && len + frame->len <= size) {
        memcpy(bytes + len, frame->bytes, frame->len);
        len += frame->len;
        session_pop(session);
    }
    return len;
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

void session_write_cursor(const struct session *session, int64_t seq, char text[CURSOR_TEXT_MAX])
{
    cursor_write(session->hub->codec, session->company->id, seq, text);
}

int64_t session_reached(const struct session *session)
{
    int64_t position = session->hub->position;
    return session->state == SESSION_LIVE && position > session->pos ? position : session->pos;
}

bool session_cursor(const struct session *session, char text[CURSOR_TEXT_MAX])
{
    if (!session->company)
        return false;
    session_write_cursor(session, session->gap >= 0 ? CURSOR_NOWHERE : session_reached(session),
                         text);
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
    session_forget_refusals(session);
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
    LOG_LINE(SESSION_LOG(session), "session_close", LOG_S("session", id),
             LOG_N("code", close_codes[reason]), LOG_S("reason", close_names[reason]),
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
    session_set_state(session, SESSION_CLOSED);
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
