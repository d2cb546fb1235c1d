/* identity.h - who speaks, as a verified token said. */
#ifndef VIGIE_CORE_IDENTITY_H
#define VIGIE_CORE_IDENTITY_H

#include "base/mem.h"

#include <stddef.h>
#include <stdint.h>

/* Everything borrowed, from the verifier's answer as a rule. */
struct identity {
    const char *issuer;
    const char *company;
    const char *user;
    const char *const *roles;
    size_t role_count;
    int64_t expires_at_us; /* wall clock: what the token says */
    int64_t leeway_us;     /* how much later the session ends */
};

/* A copy that owns its texts, in one allocation: given back with identity_free(). */
struct identity *identity_copy(const struct identity *identity) MUST_USE;
/* NULL is allowed. Only for what identity_copy() gave. */
void identity_free(struct identity *identity);

#endif
