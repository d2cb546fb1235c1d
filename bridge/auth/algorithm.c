#include "auth/algorithm.h"

#include <string.h>

static const struct algorithm_info infos[ALGORITHM_COUNT] = {
    [HS256] = {"HS256", FAMILY_HMAC, 32, NULL, NULL, 0},
    [HS384] = {"HS384", FAMILY_HMAC, 48, NULL, NULL, 0},
    [HS512] = {"HS512", FAMILY_HMAC, 64, NULL, NULL, 0},
    [RS256] = {"RS256", FAMILY_RSA, 32, NULL, NULL, 0},
    [RS384] = {"RS384", FAMILY_RSA, 48, NULL, NULL, 0},
    [RS512] = {"RS512", FAMILY_RSA, 64, NULL, NULL, 0},
    [ES256] = {"ES256", FAMILY_EC, 32, "P-256", "prime256v1", 32},
    [ES384] = {"ES384", FAMILY_EC, 48, "P-384", "secp384r1", 48},
    [ES512] = {"ES512", FAMILY_EC, 64, "P-521", "secp521r1", 66},
};

const struct algorithm_info *algorithm_info(enum algorithm algorithm)
{
    return &infos[algorithm];
}

bool algorithm_find(const char *name, enum algorithm *algorithm)
{
    for (unsigned i = 0; name && i < ALGORITHM_COUNT; i++)
        if (strcmp(infos[i].name, name) == 0) {
            *algorithm = (enum algorithm)i;
            return true;
        }
    return false;
}
