#include "pg/pace.h"

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

void pace_start(struct pace *pace, int64_t busy_poll_ms, int64_t safety_poll_ms, int64_t now_ms)
{
    *pace = (struct pace){
        .busy_poll_ms = busy_poll_ms,
        .safety_poll_ms = safety_poll_ms,
        .mode = PACE_AWAKE,
        .look_at_ms = now_ms,
        .empty_looks = PACE_EMPTY_LOOKS - 1, /* the first empty look is enough */
        .last_rows_ms = now_ms - PACE_BRISK_MS,
    };
}

/* Looks that bells caused for nothing are paid with time, beyond a burst: forged bells cannot make
 * us ask faster than one look each PACE_EMPTY_BELL_REFILL_MS. */
static int64_t bell_allowed_at(const struct pace *pace)
{
    return pace->empty_bell_ms - (int64_t)PACE_EMPTY_BELL_BURST * PACE_EMPTY_BELL_REFILL_MS;
}

static void pay_empty_bell(struct pace *pace, int64_t now_ms)
{
    pace->empty_bell_ms = later(pace->empty_bell_ms, now_ms) + PACE_EMPTY_BELL_REFILL_MS;
}

void pace_ring(struct pace *pace, enum pace_bell bell, int64_t now_ms)
{
    if (pace->mode == PACE_AWAKE)
        return; /* the next look is near anyway */
    int64_t at = later(now_ms, bell_allowed_at(pace));
    if (pace->mode == PACE_OTHER && bell == PACE_BELL_TABLE) {
        if (!pace->grace_at_ms)
            pace->grace_at_ms = at + PACE_OTHER_GRACE_MS;
        return;
    }
    pace->rang = true;
    pace->look_at_ms = earlier(pace->look_at_ms, at);
}

static int64_t next_look_at(const struct pace *pace)
{
    return pace->grace_at_ms ? earlier(pace->look_at_ms, pace->grace_at_ms) : pace->look_at_ms;
}

/* From here on a bell asks for another look: this one's snapshot may be older than it. */
static void begin_look(struct pace *pace, int64_t now_ms)
{
    pace->answering = pace->rang || (pace->grace_at_ms && pace->grace_at_ms <= now_ms);
    pace->rang = false;
    pace->grace_at_ms = 0;
    pace->look_at_ms = now_ms + pace->safety_poll_ms;
}

enum pace_step pace_next(struct pace *pace, int64_t now_ms, int64_t *wait_ms)
{
    *wait_ms = 0;
    if (pace->want_wake)
        return PACE_WAKE;
    if (pace->want_sleep)
        return PACE_SLEEP;
    int64_t at = next_look_at(pace);
    if (at <= now_ms) {
        begin_look(pace, now_ms);
        return PACE_LOOK;
    }
    *wait_ms = at - now_ms;
    return PACE_WAIT;
}

/* A writer that stays long in its transaction keeps us awake: after many empty looks they space
 * out, because each costs the database a little and it may last for hours. */
static int64_t awake_interval(const struct pace *pace)
{
    int64_t factor = 1 + (int64_t)(pace->empty_looks / (10 * PACE_EMPTY_LOOKS));
    return pace->busy_poll_ms * earlier(factor, PACE_IDLE_LOOK_FACTOR);
}

static void looked_awake(struct pace *pace, size_t rows, int64_t now_ms)
{
    pace->empty_looks = rows ? 0 : pace->empty_looks + 1;
    pace->want_sleep = pace->empty_looks > 0 && pace->empty_looks % PACE_EMPTY_LOOKS == 0;
    pace->look_at_ms = now_ms + awake_interval(pace);
}

static void looked_asleep(struct pace *pace, size_t rows, int64_t now_ms)
{
    if (!rows || !pace->answering)
        return;
    bool brisk = now_ms - pace->last_rows_ms < PACE_BRISK_MS;
    pace->brisk_bells = brisk ? pace->brisk_bells + 1 : 0;
    pace->want_wake = pace->brisk_bells >= PACE_BRISK_BELLS;
}

/* A whole safety interval without a bell that had something to say: the other bridge is quiet or
 * gone, and the lock may be free. */
static void looked_other(struct pace *pace, size_t rows, int64_t now_ms)
{
    if (rows && pace->answering)
        pace->served = true;
    if (now_ms < pace->retry_at_ms)
        return;
    pace->want_sleep = !pace->served;
    pace->served = false;
    pace->retry_at_ms = now_ms + pace->safety_poll_ms;
}

bool pace_looked(struct pace *pace, size_t rows, bool full, int64_t now_ms)
{
    bool in_vain = rows == 0 && pace->answering;
    if (in_vain)
        pay_empty_bell(pace, now_ms);
    switch (pace->mode) {
    case PACE_AWAKE:
        looked_awake(pace, rows, now_ms);
        break;
    case PACE_ASLEEP:
        looked_asleep(pace, rows, now_ms);
        break;
    case PACE_OTHER:
        looked_other(pace, rows, now_ms);
        break;
    }
    if (rows)
        pace->last_rows_ms = now_ms;
    if (full)
        pace->look_at_ms = now_ms;
    return in_vain;
}

void pace_failed(struct pace *pace, int64_t now_ms)
{
    pace->want_sleep = false;
    pace->want_wake = false;
    pace->look_at_ms = now_ms + pace->safety_poll_ms;
}

/* Whoever slept looks once more: what was committed before the lock was had did not ring. */
static void settle(struct pace *pace, enum pace_mode mode, int64_t now_ms)
{
    if (pace->mode == mode)
        return;
    pace->mode = mode;
    pace->brisk_bells = 0;
    pace->empty_looks = 0;
    pace->served = false;
    pace->retry_at_ms = now_ms + pace->safety_poll_ms;
    pace->look_at_ms = now_ms;
}

void pace_slept(struct pace *pace, enum pace_slept answer, int64_t now_ms)
{
    pace->want_sleep = false;
    switch (answer) {
    case PACE_SLEPT_ASLEEP:
        settle(pace, PACE_ASLEEP, now_ms);
        break;
    case PACE_SLEPT_OTHER:
        settle(pace, PACE_OTHER, now_ms);
        break;
    case PACE_SLEPT_BUSY:
        settle(pace, PACE_AWAKE, now_ms);
        break;
    }
}

void pace_woke(struct pace *pace, int64_t now_ms)
{
    pace->want_wake = false;
    settle(pace, PACE_AWAKE, now_ms);
}
