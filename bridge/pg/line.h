/* line.h - what waits for its turn: each company's in order, the companies by turns. */
#ifndef VIGIE_PG_LINE_H
#define VIGIE_PG_LINE_H

#include <stdbool.h>
#include <stddef.h>

struct asker;

/* The place of something in a line: part of it, and in no line while `asker` is NULL. */
struct place {
    struct asker *asker;
    struct place *prev;
    struct place *next;
};

struct line {
    struct asker *askers; /* companies of which something waits, by name */
    struct asker *turns;  /* the same, the next one first */
    size_t count;
    size_t max;
    size_t company_max;
};

void line_init(struct line *line, size_t max, size_t company_max);

/* False, and nothing changed, when the line is full, or holds company_max of this company. */
bool line_add(struct line *line, const char *company, struct place *place);
/* Takes out whose turn it is; NULL when nothing waits. */
struct place *line_take(struct line *line);
/* Takes out this one; the company's turn stays where it was. */
void line_remove(struct line *line, struct place *place);

#endif
