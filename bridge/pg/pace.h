/* pace.h - when to look at the feed, when to fall asleep, when to wake: decided here, done
 * elsewhere.
 *
 * Pure: it knows no clock, no socket and no SQL, only what it is told and at what time. The essay
 * on why it is right stands in feed.c. */
#ifndef VIGIE_PG_PACE_H
#define VIGIE_PG_PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PACE_EMPTY_LOOKS = 5,       /* awake: as many looks in vain, and it tries to sleep */
    PACE_BRISK_MS = 20,         /* asleep: bells with events closer than this … */
    PACE_BRISK_BELLS = 3,       /* … as many times in a row, and looking is cheaper than bells */
    PACE_IDLE_LOOK_FACTOR = 5,  /* awake against its will: looks space out up to so many times */
    PACE_OTHER_GRACE_MS = 10,   /* a table's bell is first of all for the bridge that sequences */
    PACE_EMPTY_BELL_BURST = 50, /* looks in vain that bells may cause at once … */
    PACE_EMPTY_BELL_REFILL_MS = 10, /* … and one more for each such time */
};

enum pace_mode {
    PACE_AWAKE,  /* nobody needs to ring: we look every few milliseconds */
    PACE_ASLEEP, /* this connection holds the bell lock: whoever commits rings */
    PACE_OTHER,  /* another bridge holds it: whoever commits rings, and we hear it too */
};

enum pace_bell {
    PACE_BELL_TABLE, /* an event was committed */
    PACE_BELL_FEED,  /* another bridge gave events their positions */
};

/* What vigie.sleep() answered. */
enum pace_slept { PACE_SLEPT_ASLEEP, PACE_SLEPT_OTHER, PACE_SLEPT_BUSY };

enum pace_step { PACE_WAIT, PACE_LOOK, PACE_SLEEP, PACE_WAKE };

struct pace {
    int64_t busy_poll_ms;
    int64_t safety_poll_ms;
    enum pace_mode mode;
    int64_t look_at_ms;  /* the next look, whatever rings or does not */
    int64_t grace_at_ms; /* the look for a table's bell while another sequences; 0: none */
    bool rang;           /* the next look answers a bell */
    bool answering;      /* the one under way does */
    bool served;         /* OTHER: a bell had something to say since the last try for the lock */
    int64_t retry_at_ms; /* OTHER: the next try */
    bool want_sleep;
    bool want_wake;
    unsigned empty_looks;
    int brisk_bells;
    int64_t last_rows_ms;
    int64_t empty_bell_ms; /* leaky bucket: when the looks in vain so far are paid */
};

/* Just connected: look until there is nothing left, then fall asleep. */
void pace_start(struct pace *pace, int64_t busy_poll_ms, int64_t safety_poll_ms, int64_t now_ms);

/* A bell rang. */
void pace_ring(struct pace *pace, enum pace_bell bell, int64_t now_ms);

/* What to do now. After PACE_LOOK, PACE_SLEEP and PACE_WAKE the matching function below is called
 * before the next pace_next(). With PACE_WAIT `wait_ms` says for how long at most. */
enum pace_step pace_next(struct pace *pace, int64_t now_ms, int64_t *wait_ms);

/* A look came back; `full`: there is more. True when it was a bell that rang for nothing. */
bool pace_looked(struct pace *pace, size_t rows, bool full, int64_t now_ms);
/* A look failed for a reason that passes. */
void pace_failed(struct pace *pace, int64_t now_ms);
void pace_slept(struct pace *pace, enum pace_slept answer, int64_t now_ms);
void pace_woke(struct pace *pace, int64_t now_ms);

#endif
