/* rate.h - what may be done so often, and for so much at once as was saved up.
 *
 * The account is one time: up to when all that was done is paid for. Zero is a full one. */
#ifndef VIGIE_BASE_RATE_H
#define VIGIE_BASE_RATE_H

#include <stdbool.h>
#include <stdint.h>

/* Pays `price_ms`; false when that is more than the `saved_ms` that may be saved up, and the
 * account is then empty. */
bool rate_spend(int64_t *paid_ms, int64_t now_ms, int64_t price_ms, int64_t saved_ms);

#endif
