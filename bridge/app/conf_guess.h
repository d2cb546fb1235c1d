/* conf_guess.h - "did you mean": the word that comes nearest to a misspelt one. */
#ifndef VIGIE_APP_CONF_GUESS_H
#define VIGIE_APP_CONF_GUESS_H

#include <stddef.h>

enum { CONF_WORD_MAX = 64 };

struct conf_guess {
    char word[CONF_WORD_MAX + 1]; /* empty: nothing came near */
    size_t distance;
};

/* Keeps `word` when it is nearer to `wrong` than what was tried before. */
void conf_guess_try(struct conf_guess *guess, const char *wrong, const char *word);

#endif
