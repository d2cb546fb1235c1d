/* hub.h - what the whole middle shares: companies, sessions, history, position, limits.
 *
 * It knows no socket, no clock and no library: the functions in the options are its only way out.
 */
#ifndef VIGIE_CORE_HUB_H
#define VIGIE_CORE_HUB_H

#include "base/metrics.h"
#include "core/channel.h"
#include "core/cursor.h"
#include "core/history.h"
#include "core/identity.h"
#include "core/permission.h"
#include "core/protocol.h"

#include <stdbool.h>
#include <stdint.h>

struct hub_limits {
    unsigned sessions_per_user;
    unsigned sessions_per_company;
    unsigned rooms_per_session;
    unsigned messages_per_second; /* with a burst of twice as many */
    size_t queue_bytes;
    size_t queue_total_bytes;
    int64_t auth_timeout_ms;
    int64_t slow_timeout_ms;
    int64_t max_session_ms;
};

struct hub_options {
    struct metrics *metrics;
    struct hub_limits limits;
    const struct channel_map *channels; /* borrowed; hub_set_channels() after a reload */
    size_t history_bytes;
    int64_t history_age_ms;
    int64_t heartbeat_ms;
    int64_t heartbeat_timeout_ms;
    int64_t (*mono_ms)(void);
    int64_t (*wall_us)(void);
    void (*random)(void *bytes, size_t len);

    void *arg;
    /* True and `identity` filled, or false (the verifier has counted and logged the reason). */
    bool (*verify)(void *arg, const char *token, size_t len, const char *address,
                   struct identity *identity);
    /* Ask the database; the answer comes through hub_replayed() and hub_may_join(), never from
     * inside the call. False: it cannot be asked now. Questions wait in line, each company in turn;
     * hub_wants() says whether one still has to be asked. */
    bool (*replay)(void *arg, uint64_t ticket, const char *company, int64_t after, int max_rows);
    bool (*may_join)(void *arg, uint64_t ticket, const char *company, const char *claims,
                     const char *room);
};

/* The scopes of rejected_limits, and the results of joins. */
enum hub_limit {
    LIMIT_USER,
    LIMIT_COMPANY,
    LIMIT_ROOMS,
    LIMIT_MESSAGES,
    LIMIT_RENEWALS,
    LIMIT_QUESTIONS,
    LIMIT_COUNT
};
enum join_result { JOIN_OK, JOIN_REFUSED, JOIN_UNAVAILABLE, JOIN_COUNT };

struct hub_metrics {
    double *sessions; /* by state */
    double *closed;   /* by close reason */
    double *companies;
    double *rejected_limits; /* by scope */
    double *deliveries;
    double *delivery_bytes;
    double *queued_bytes;
    double *lagging;
    double *gaps;      /* by reason */
    double *resumes;   /* by source */
    double *joins;     /* by result */
    double *isolation; /* by gate */
    double *renewals;
    double *published;
    double *unlisted;
    struct histogram *latency; /* trigger to queue */
};

struct slot {
    struct session *session; /* NULL: free */
    uint32_t generation;     /* of the session that sits or sat here */
};

/* A channel of the feed that the configuration does not name. */
struct unlisted {
    UT_hash_handle hh;
    char channel[];
};

struct hub {
    struct hub_options options;
    struct hub_metrics metrics;
    struct company *companies;
    struct history history;
    struct cursor_codec *codec; /* NULL until the database was there once */
    char epoch[80];
    unsigned era; /* grows with each beginning anew: what was asked before has no answer any more */
    int64_t position; /* every event up to here was published or lies before our time */
    struct slot *slots;
    uint32_t slot_count;
    uint32_t slot_hint; /* where a free one is looked for first */
    unsigned session_count;
    unsigned tick_next;     /* the slot at which the next slice of hub_tick() begins */
    struct session **dirty; /* sessions with something to write, each once */
    unsigned dirty_count;
    unsigned dirty_capacity;
    struct session *closed; /* to be reaped at the end of the turn */
    size_t queued_bytes;
    struct unlisted
        *unlisted; /* channels that came and are not in the configuration, each told once */
    bool draining;
};

/* Copies the options. Never NULL. */
struct hub *hub_new(const struct hub_options *options);
/* Every session must have been told session_gone() before. NULL is allowed. */
void hub_free(struct hub *hub);
/* For session.c: gives it a slot and a generation of its own, and takes the slot back. */
void hub_seat(struct hub *hub, struct session *session);
void hub_unseat(struct hub *hub, struct session *session);
/* Tells of unlisted channels anew. */
void hub_forget_unlisted(struct hub *hub);
void hub_set_channels(struct hub *hub, const struct channel_map *channels);
void hub_set_limits(struct hub *hub, const struct hub_limits *limits);

/* The database is there: `last_seq` is where its feed stands. The first time, and when the epoch is
 * another or the feed stands before our position (it lost what we had seen), history and cursors
 * begin anew and every session is told a gap. Returns the position to read on from. */
int64_t hub_database_up(struct hub *hub, const char *epoch, const uint8_t key[SEAL_KEY_BYTES],
                        int64_t last_seq, int64_t floor_seq);

/* Positions up to `upto` cannot be read any more: every live session is told a gap, and those that
 * catch up find it by themselves. */
void hub_hole(struct hub *hub, int64_t upto);

/* The answers to replay() and may_join(). An answer for a session that is gone does nothing. */
struct replay {
    bool ok;
    struct event **events;
    size_t count;
    int64_t upto;
    int64_t floor_seq;
};
void hub_replayed(struct hub *hub, uint64_t ticket, const struct replay *replay);
void hub_may_join(struct hub *hub, uint64_t ticket, enum permission permission);
/* False when nobody waits for that answer any more; it must be given all the same. */
bool hub_wants(const struct hub *hub, uint64_t ticket);

/* Writes what waits, at most `max_sessions` of them; true when some are left for the next turn. */
bool hub_flush(struct hub *hub, unsigned max_sessions);
/* Frees what was closed. To be called when no callback of a session is running. */
void hub_reap(struct hub *hub);
/* To be called every HUB_TICK_MS: deadlines, heartbeats, ageing; one tenth of the sessions a call,
 * so that each is looked at once a second and no call is long. */
enum { HUB_TICK_MS = 100, HUB_TICK_SLICES = 10 };
void hub_tick(struct hub *hub);

/* From now on sessions are refused; those that live are told when to come back, spread over
 * `window_ms`, and closed by hub_tick() when their moment comes. */
void hub_drain(struct hub *hub, int64_t window_ms);
/* Closes every session at once. */
void hub_close_all(struct hub *hub, enum close_reason reason);

/* The frame cached for (protocol, event, room), encoded on first use. Borrowed from the event. */
struct frame *hub_event_frame(struct hub *hub, const struct protocol *protocol,
                              const struct company *company, struct event *event,
                              unsigned room_index);

#endif
