#include "pg/line.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

/* A company of which something waits. */
struct asker {
    UT_hash_handle hh;
    struct place *places; /* the oldest first */
    size_t count;
    struct asker *prev;
    struct asker *next;
    char company[];
};

void line_init(struct line *line, size_t max, size_t company_max)
{
    *line = (struct line){.max = max, .company_max = company_max};
}

static struct asker *asker_get(struct line *line, const char *company)
{
    struct asker *asker = NULL;
    HASH_FIND_STR(line->askers, company, asker);
    if (asker)
        return asker;
    asker = mem_new(sizeof *asker + strlen(company) + 1);
    strcpy(asker->company, company);
    HASH_ADD_STR(line->askers, company, asker);
    DL_APPEND(line->turns, asker);
    return asker;
}

static void asker_forget(struct line *line, struct asker *asker)
{
    DL_DELETE(line->turns, asker);
    HASH_DEL(line->askers, asker);
    free(asker);
}

bool line_add(struct line *line, const char *company, struct place *place)
{
    if (line->count >= line->max)
        return false;
    struct asker *asker = asker_get(line, company);
    if (asker->count >= line->company_max)
        return false;
    DL_APPEND(asker->places, place);
    place->asker = asker;
    asker->count++;
    line->count++;
    return true;
}

void line_remove(struct line *line, struct place *place)
{
    struct asker *asker = place->asker;
    DL_DELETE(asker->places, place);
    place->asker = NULL;
    line->count--;
    if (--asker->count == 0)
        asker_forget(line, asker);
}

struct place *line_take(struct line *line)
{
    struct asker *asker = line->turns;
    if (!asker)
        return NULL;
    struct place *place = asker->places;
    DL_DELETE(line->turns, asker);
    DL_APPEND(line->turns, asker);
    line_remove(line, place);
    return place;
}
