#include "core/hub.h"

#include "base/log.h"
#include "core/session.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

static const char *const state_names[SESSION_STATE_COUNT] = {"accepted", "admitted", "catching_up",
                                                             "live", "closed"};
static const char *const scope_names[] = {"user",     "company",  "rooms",
                                          "messages", "renewals", "questions"};
static const char *const resume_names[] = {"fresh", "memory", "database"};
static const char *const join_names[] = {"ok", "refused", "unavailable"};
static const char *const gate_names[] = {"queue", "write"};

static double *labelled(struct metrics *metrics, enum metric_type type, const char *name,
                        const char *help, const char *label, const char *const *values,
                        size_t count)
{
    struct metric_def def = {name, type, help, label, values, count};
    return metrics_register(metrics, &def);
}

static double *counter(struct metrics *metrics, const char *name, const char *help)
{
    return labelled(metrics, METRIC_COUNTER, name, help, NULL, NULL, 0);
}

static void register_sessions(struct hub_metrics *m, struct metrics *metrics)
{
    m->sessions = labelled(metrics, METRIC_GAUGE, "vigie_sessions", "sessions by state", "state",
                           state_names, SESSION_STATE_COUNT);
    m->closed = labelled(metrics, METRIC_COUNTER, "vigie_sessions_closed_total",
                         "sessions ended, by reason", "reason", close_names, CLOSE_REASON_COUNT);
    m->rejected_limits = labelled(metrics, METRIC_COUNTER, "vigie_limits_hit_total",
                                  "limits reached, by scope", "scope", scope_names, LIMIT_COUNT);
    m->companies = labelled(metrics, METRIC_GAUGE, "vigie_companies",
                            "companies with sessions or remembered events", NULL, NULL, 0);
    m->renewals = counter(metrics, "vigie_auth_renewals_total", "tokens renewed in band");
    m->joins = labelled(metrics, METRIC_COUNTER, "vigie_joins_total", "rooms asked for, by answer",
                        "result", join_names, JOIN_COUNT);
}

static void register_delivery(struct hub_metrics *m, struct metrics *metrics)
{
    m->published = counter(metrics, "vigie_events_published_total", "events routed");
    m->unlisted = counter(metrics, "vigie_events_unlisted_total",
                          "events of channels that the configuration does not name");
    m->deliveries = counter(metrics, "vigie_deliveries_total", "events queued to a session");
    m->delivery_bytes = counter(metrics, "vigie_sent_bytes_total", "bytes given to sockets");
    m->queued_bytes = labelled(metrics, METRIC_GAUGE, "vigie_queued_bytes",
                               "bytes waiting in all queues", NULL, NULL, 0);
    m->lagging = counter(metrics, "vigie_queue_overflows_total",
                         "times a full queue made a session fall back to catching up");
    m->gaps = labelled(metrics, METRIC_COUNTER, "vigie_gaps_total", "gaps told, by reason",
                       "reason", gap_reason_names, GAP_REASON_COUNT);
    m->resumes =
        labelled(metrics, METRIC_COUNTER, "vigie_starts_total",
                 "sessions started, by where their past came from", "source", resume_names, 3);
    m->isolation = labelled(metrics, METRIC_COUNTER, "vigie_isolation_violations_total",
                            "frames stopped by the last gate; anything above 0 is a bug", "gate",
                            gate_names, 2);
    m->latency = metrics_histogram(metrics, "vigie_event_latency_seconds",
                                   "from the trigger to the queues of the sessions");
}

struct hub *hub_new(const struct hub_options *options)
{
    struct hub *hub = mem_new(sizeof *hub);
    hub->options = *options;
    register_sessions(&hub->metrics, options->metrics);
    register_delivery(&hub->metrics, options->metrics);
    history_init(&hub->history, &hub->companies, options->history_bytes, options->history_age_ms);
    return hub;
}

void hub_free(struct hub *hub)
{
    if (!hub)
        return;
    assert(hub->session_count == 0);
    hub_reap(hub);
    history_free(&hub->history);
    hub_forget_unlisted(hub);
    cursor_codec_free(hub->codec);
    free(hub->slots);
    free(hub->dirty);
    free(hub);
}

void hub_forget_unlisted(struct hub *hub)
{
    struct unlisted *one = hub->unlisted;
    HASH_CLEAR(hh, hub->unlisted); /* the table only */
    while (one) {
        struct unlisted *next = one->hh.next;
        free(one);
        one = next;
    }
}

void hub_set_channels(struct hub *hub, const struct channel_map *channels)
{
    hub_forget_unlisted(hub);
    hub->options.channels = channels;
}

void hub_set_limits(struct hub *hub, const struct hub_limits *limits)
{
    hub->options.limits = *limits;
}

/* ---- slots ---- */

static uint32_t free_slot(struct hub *hub)
{
    if (hub->session_count < hub->slot_count)
        for (uint32_t i = 0; i < hub->slot_count; i++) {
            uint32_t at = (hub->slot_hint + i) % hub->slot_count;
            if (!hub->slots[at].session)
                return at;
        }
    uint32_t old = hub->slot_count;
    hub->slot_count = old ? old * 2 : 64;
    hub->slots = mem_resize(hub->slots, hub->slot_count, sizeof *hub->slots);
    memset(hub->slots + old, 0, (hub->slot_count - old) * sizeof *hub->slots);
    return old;
}

void hub_seat(struct hub *hub, struct session *session)
{
    session->slot = free_slot(hub);
    hub->slot_hint = session->slot + 1;
    struct slot *slot = &hub->slots[session->slot];
    slot->session = session;
    session->generation = ++slot->generation;
    hub->session_count++;
}

void hub_unseat(struct hub *hub, struct session *session)
{
    assert(hub->slots[session->slot].session == session);
    hub->slots[session->slot].session = NULL;
    hub->slot_hint = session->slot;
    hub->session_count--;
}

static struct session *of_ticket(const struct hub *hub, uint64_t ticket)
{
    uint32_t slot = (uint32_t)(ticket >> 8) & 0xffffff;
    uint32_t generation = (uint32_t)(ticket >> 32);
    if (slot >= hub->slot_count || hub->slots[slot].generation != generation)
        return NULL;
    struct session *session = hub->slots[slot].session;
    return session && session->state != SESSION_CLOSED ? session : NULL;
}

void hub_replayed(struct hub *hub, uint64_t ticket, const struct replay *replay)
{
    struct session *session = of_ticket(hub, ticket);
    if (session)
        session_replayed(session, replay);
}

void hub_may_join(struct hub *hub, uint64_t ticket, enum permission permission)
{
    struct session *session = of_ticket(hub, ticket);
    if (session)
        session_join_answered(session, (uint8_t)ticket, permission);
}

bool hub_wants(const struct hub *hub, uint64_t ticket)
{
    const struct session *session = of_ticket(hub, ticket);
    return session && session_awaits(session, (uint8_t)ticket);
}

/* ---- the database ---- */

/* Their cursors are of the epoch before, though the position may be the same. */
static void forget_heartbeats(struct hub *hub)
{
    struct company *company;
    struct company *next;
    HASH_ITER(hh, hub->companies, company, next)
    company_forget_heartbeats(company);
}

static void begin_anew(struct hub *hub, const char *epoch, const uint8_t key[SEAL_KEY_BYTES],
                       int64_t last_seq)
{
    cursor_codec_free(hub->codec);
    hub->codec = cursor_codec_new(key, epoch);
    snprintf(hub->epoch, sizeof hub->epoch, "%s", epoch);
    hub->position = last_seq;
    hub->era++;
    history_reset(&hub->history, last_seq);
    forget_heartbeats(hub);
    for (uint32_t i = 0; i < hub->slot_count; i++) {
        struct session *session = hub->slots[i].session;
        if (!session || session->state == SESSION_ACCEPTED || session->state == SESSION_CLOSED)
            continue;
        session->pos = last_seq;
        session_gap(session, GAP_EPOCH);
    }
}

static void forget_unreachable(struct hub *hub)
{
    for (uint32_t i = 0; i < hub->slot_count; i++) {
        struct session *session = hub->slots[i].session;
        /* one that resumed from a bridge which had read more may stand beyond the hole */
        if (session && session->state == SESSION_LIVE && session->pos < hub->position)
            session_gap(session, GAP_RETENTION);
    }
}

/* A session that resumed from a bridge which had read more may stand beyond a feed that lost its
 * end, though we do not: what takes those positions next would be passed over. */
static void doubt_those_ahead(struct hub *hub, int64_t last_seq)
{
    for (uint32_t i = 0; i < hub->slot_count; i++) {
        struct session *session = hub->slots[i].session;
        if (!session || session->pos <= last_seq)
            continue;
        if (session->state != SESSION_CATCHING_UP && session->state != SESSION_LIVE)
            continue;                      /* one not let in yet is checked when it is */
        session->asked_era = hub->era - 1; /* what it asked is of the feed that was lost */
        session_gap(session, GAP_EPOCH);
    }
}

int64_t hub_database_up(struct hub *hub, const char *epoch, const uint8_t key[SEAL_KEY_BYTES],
                        int64_t last_seq, int64_t floor_seq)
{
    bool known = hub->codec && strcmp(hub->epoch, epoch) == 0 && last_seq >= hub->position;
    if (!known) {
        begin_anew(hub, epoch, key, last_seq);
        return hub->position;
    }
    doubt_those_ahead(hub, last_seq);
    if (hub->position < floor_seq) /* away for longer than the database remembers */
        hub_hole(hub, floor_seq);
    return hub->position;
}

void hub_hole(struct hub *hub, int64_t upto)
{
    hub->position = upto;
    history_reset(&hub->history, upto);
    forget_unreachable(hub);
}

/* ---- turns ---- */

bool hub_flush(struct hub *hub, unsigned max_sessions)
{
    unsigned done = 0;
    /* the list may grow while it is walked (a drained session catches up): indexes, not pointers */
    for (; done < hub->dirty_count && done < max_sessions; done++) {
        struct session *session = hub->dirty[done];
        session->dirty = false;
        if (session->state == SESSION_CLOSED)
            continue;
        if (!session->doomed)
            session->transport->flush(session->conn);
        if (session->doomed)
            session_close(session, CLOSE_INTERNAL);
    }
    hub->dirty_count -= done;
    if (done && hub->dirty_count)
        memmove(hub->dirty, hub->dirty + done, hub->dirty_count * sizeof *hub->dirty);
    hub->metrics.queued_bytes[0] = (double)hub->queued_bytes;
    return hub->dirty_count > 0;
}

static void forget_dirty(struct hub *hub, const struct session *session)
{
    for (unsigned i = 0; i < hub->dirty_count; i++)
        if (hub->dirty[i] == session)
            hub->dirty[i] = hub->dirty[--hub->dirty_count];
}

static void session_free(struct hub *hub, struct session *session)
{
    if (session->dirty)
        forget_dirty(hub, session);
    hub->metrics.sessions[SESSION_CLOSED]--;
    free(session->seats);
    free(session->pending);
    free(session->issuer);
    free(session->roles);
    free(session->address);
    free(session);
}

void hub_reap(struct hub *hub)
{
    struct session *session;
    struct session *next;
    LL_FOREACH_SAFE2(hub->closed, session, next, next_closed)
    session_free(hub, session);
    hub->closed = NULL;
}

void hub_tick(struct hub *hub)
{
    int64_t now_ms = hub->options.mono_ms();
    int64_t wall_us = hub->options.wall_us();
    /* draining, each leaves at a moment of its own, which a second is too coarse for */
    unsigned slice = hub->draining ? hub->slot_count : hub->slot_count / HUB_TICK_SLICES + 1;
    for (unsigned i = 0; i < slice && hub->slot_count; i++) {
        hub->tick_next = (hub->tick_next + 1) % hub->slot_count;
        struct session *session = hub->slots[hub->tick_next].session;
        if (session)
            session_tick(session, now_ms, wall_us);
    }
    history_expire(&hub->history, now_ms);
    hub->metrics.companies[0] = (double)HASH_COUNT(hub->companies);
}

/* ---- going down ---- */

static int64_t random_below(struct hub *hub, int64_t limit)
{
    uint64_t value = 0;
    hub->options.random(&value, sizeof value);
    return limit > 0 ? (int64_t)(value % (uint64_t)limit) : 0;
}

void hub_drain(struct hub *hub, int64_t window_ms)
{
    hub->draining = true;
    int64_t now_ms = hub->options.mono_ms();
    for (uint32_t i = 0; i < hub->slot_count; i++) {
        struct session *session = hub->slots[i].session;
        if (!session || session->state == SESSION_CLOSED)
            continue;
        session->leave_ms = now_ms + 1 + random_below(hub, window_ms);
        /* it comes back at a moment of its own, so that not all knock at once; nothing comes before
         * `ready` */
        if (session->state == SESSION_CATCHING_UP || session->state == SESSION_LIVE)
            session_send(session, session->protocol->drain(random_below(hub, window_ms)));
    }
}

void hub_close_all(struct hub *hub, enum close_reason reason)
{
    for (uint32_t i = 0; i < hub->slot_count; i++)
        if (hub->slots[i].session)
            session_close(hub->slots[i].session, reason);
}

struct frame *hub_event_frame(struct hub *hub, const struct protocol *protocol,
                              const struct company *company, struct event *event,
                              unsigned room_index)
{
    struct frame **cached = &event->frames[room_index * PROTOCOL_COUNT + protocol->index];
    if (*cached)
        return *cached;
    char cursor[CURSOR_TEXT_MAX];
    cursor_write(hub->codec, company->id, event->seq, cursor);
    *cached = protocol->event(event, event->rooms[room_index], cursor);
    (*cached)->company = company;
    return *cached;
}
