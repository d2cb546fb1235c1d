#include "app/conf_guess.h"

#include <stdio.h>
#include <string.h>

enum { DISTANCE_MAX = 2 };

static size_t smallest(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;
    return least < c ? least : c;
}

/* Levenshtein's; far for what is too long to be a misspelt key. */
static size_t distance(const char *a, const char *b)
{
    size_t row[CONF_WORD_MAX + 1];
    size_t a_len = strlen(a);
    size_t b_len = strlen(b);
    if (a_len > CONF_WORD_MAX || b_len > CONF_WORD_MAX)
        return CONF_WORD_MAX;
    for (size_t j = 0; j <= b_len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t above = row[j];
            row[j] = smallest(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[b_len];
}

void conf_guess_try(struct conf_guess *guess, const char *wrong, const char *word)
{
    size_t far = distance(wrong, word);
    size_t limit = *guess->word ? guess->distance : DISTANCE_MAX + 1;
    if (far >= limit || far >= strlen(word))
        return;
    guess->distance = far;
    snprintf(guess->word, sizeof guess->word, "%s", word);
}
