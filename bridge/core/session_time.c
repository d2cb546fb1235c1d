/* Deadlines, heartbeats, and how much a client may say. */
#include "core/session_private.h"

enum { READY_WAIT_MS = 10000 }; /* how long `ready` may wait for the database */

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
    session_write_cursor(session, seq, cursor);
    struct frame *frame = session->protocol->heartbeat(cursor);
    frame->company = session->company;
    return frame;
}

/* Live sessions of a company are all at one position; those of one protocol share the frame. */
static struct frame *heartbeat(struct session *session)
{
    struct heartbeat *shared = &session->company->heartbeats[session->protocol->index];
    int64_t seq = session_reached(session);
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
    session_send(session, session->protocol->expiring(session_expires_in_s(session)));
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
