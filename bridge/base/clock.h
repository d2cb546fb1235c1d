/* clock.h - the two clocks: one that never jumps for deadlines, one that people read. */
#ifndef VIGIE_BASE_CLOCK_H
#define VIGIE_BASE_CLOCK_H

#include <stdint.h>

enum { CLOCK_STAMP_MAX = 32 };

/* Milliseconds of CLOCK_MONOTONIC: deadlines, heartbeats, backoff. */
int64_t clock_mono_ms(void);

/* Microseconds since 1970, UTC: log lines, token expiry, latency against PostgreSQL's `at`. */
int64_t clock_wall_us(void);

/* Writes `2026-11-21T06:12:07.123Z` for a wall time. */
void clock_stamp(char stamp[CLOCK_STAMP_MAX], int64_t wall_us);

/* Microseconds of `2026-11-21T06:12:07.123456Z`, or -1 when it is not such a stamp. */
int64_t clock_parse(const char *stamp);

#endif
