#include "base/rate.h"

bool rate_spend(int64_t *paid_ms, int64_t now_ms, int64_t price_ms, int64_t saved_ms)
{
    int64_t latest_ms = now_ms + saved_ms;
    int64_t until_ms = (*paid_ms > now_ms ? *paid_ms : now_ms) + price_ms;
    *paid_ms = until_ms < latest_ms ? until_ms : latest_ms;
    return until_ms <= latest_ms;
}
