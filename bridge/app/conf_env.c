/* The environment's names. A misspelt one must not be ignored in silence; but an orchestrator makes
 * VIGIE_PORT and VIGIE_SERVICE_HOST for a service that is called vigie, and those are no errors. */
#include "app/conf_guess.h"
#include "app/conf_private.h"

#include <stdio.h>
#include <string.h>

/* Whether a name begins with VIGIE_<SECTION>: it can only be meant for us. */
static bool names_a_section(const char *name)
{
    struct buf prefix;
    buf_init(&prefix, CONF_WORD_MAX);
    bool ours = false;
    for (size_t i = 0; i < conf_section_count && !ours; i++) {
        buf_clear(&prefix);
        buf_str(&prefix, "VIGIE_");
        conf_upper(conf_sections[i].name, &prefix);
        ours = strncmp(name, prefix.bytes, prefix.len) == 0 &&
               (name[prefix.len] == '_' || name[prefix.len] == '\0');
    }
    buf_free(&prefix);
    return ours;
}

/* True when an option is called so; else `guess` is the nearest. */
static bool find_name(const char *name, struct conf_guess *guess)
{
    struct buf known;
    buf_init(&known, CONF_WORD_MAX);
    bool found = false;
    for (size_t i = 0; i < conf_option_count && !found; i++) {
        buf_clear(&known);
        conf_env_name(&conf_options[i], &known);
        if (known.len == 0)
            continue;
        found = strcmp(name, known.bytes) == 0;
        conf_guess_try(guess, name, known.bytes);
    }
    buf_free(&known);
    return found;
}

static void check_name(struct conf *conf, const char *name, struct conf_complaints *complaints)
{
    struct conf_guess guess = {.word = ""};
    if (find_name(name, &guess))
        return;
    const char *hint = *guess.word ? ", did you mean " : "";
    if (names_a_section(name))
        conf_complain_at(complaints, name, "expected the name of an option%s%s%s", hint, guess.word,
                         *guess.word ? "?" : "");
    else
        conf_warn(conf, "%s is no option and is ignored%s%s%s", name, hint, guess.word,
                  *guess.word ? "?" : "");
}

void conf_check_environ(struct conf *conf, char *const *environment,
                        struct conf_complaints *complaints)
{
    for (; environment && *environment; environment++) {
        size_t len = strcspn(*environment, "=");
        if (strncmp(*environment, "VIGIE_", strlen("VIGIE_")) != 0 || len > CONF_WORD_MAX)
            continue;
        char name[CONF_WORD_MAX + 1];
        snprintf(name, sizeof name, "%.*s", (int)len, *environment);
        check_name(conf, name, complaints);
    }
}
