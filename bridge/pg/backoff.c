#include "pg/backoff.h"

static int64_t ceiling(unsigned attempt, int64_t min_ms, int64_t max_ms)
{
    int64_t ms = min_ms > 0 ? min_ms : 1;
    while (attempt-- > 0 && ms < max_ms)
        ms *= 2;
    return ms < max_ms ? ms : max_ms;
}

int64_t backoff_ms(unsigned attempt, int64_t min_ms, int64_t max_ms, uint64_t random)
{
    return (int64_t)(random % ((uint64_t)ceiling(attempt, min_ms, max_ms) + 1));
}
