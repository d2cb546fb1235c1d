#include "core/identity.h"

#include <stdlib.h>
#include <string.h>

static size_t texts_size(const struct identity *identity)
{
    size_t size = strlen(identity->issuer) + strlen(identity->company) + strlen(identity->user) + 3;
    for (size_t i = 0; i < identity->role_count; i++)
        size += strlen(identity->roles[i]) + 1;
    return size;
}

static const char *put(char **at, const char *text)
{
    char *copy = *at;
    *at = stpcpy(copy, text) + 1;
    return copy;
}

/* The struct, then the list of roles, then the texts. */
struct identity *identity_copy(const struct identity *identity)
{
    size_t list_size = identity->role_count * sizeof(char *);
    struct identity *copy = mem_new(sizeof *copy + list_size + texts_size(identity));
    const char **roles = (const char **)(copy + 1);
    char *at = (char *)copy + sizeof *copy + list_size;
    *copy = *identity;
    copy->issuer = put(&at, identity->issuer);
    copy->company = put(&at, identity->company);
    copy->user = put(&at, identity->user);
    for (size_t i = 0; i < identity->role_count; i++)
        roles[i] = put(&at, identity->roles[i]);
    copy->roles = roles;
    return copy;
}

void identity_free(struct identity *identity)
{
    free(identity);
}
