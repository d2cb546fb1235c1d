/* backoff.h - how long to wait before dialling again: exponential, with full jitter, so that many
 * bridges do not come back in step after a restart of the database. */
#ifndef VIGIE_PG_BACKOFF_H
#define VIGIE_PG_BACKOFF_H

#include <stdint.h>

/* Between 0 and `min_ms` at attempt 0, between 0 and twice that at attempt 1, and so on up to
 * `max_ms`. `random` is 64 random bits. */
int64_t backoff_ms(unsigned attempt, int64_t min_ms, int64_t max_ms, uint64_t random);

#endif
