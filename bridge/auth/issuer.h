/* issuer.h - one issuer as configured: its keys, what its tokens must say, and for whom it speaks.
 */
#ifndef VIGIE_AUTH_ISSUER_H
#define VIGIE_AUTH_ISSUER_H

#include "auth/keyring.h"
#include "auth/token.h"

#include <stdbool.h>

enum {
    ISSUER_LEEWAY_MAX_S = 600,
    ISSUER_TTL_MAX_S = 366 * 24 * 3600,
    ISSUER_COMPANIES_MAX = 10000,
};

struct issuer {
    char *name;
    char *iss;
    char *audience;
    char *company_claim;
    char *user_claim;
    char *role_claim;
    char **companies; /* sorted: one issuer may serve thousands */
    size_t company_count;
    bool any_company;
    int64_t leeway_us;
    int64_t max_ttl_us;
    struct keyring keyring;
};

/* Fills a zeroed issuer; what was filled is for issuer_clear() on failure too. `first`: it may
 * speak for every company without a list. */
bool issuer_init(struct issuer *issuer, const struct issuer_options *options, bool first,
                 struct err *err) MUST_USE;
void issuer_clear(struct issuer *issuer);

bool issuer_speaks_for(const struct issuer *issuer, const char *company) MUST_USE;

#endif
