/* conf_private.h - what conf*.c know of a configuration that others need not. */
#ifndef VIGIE_APP_CONF_PRIVATE_H
#define VIGIE_APP_CONF_PRIVATE_H

#include "app/conf.h"
#include "app/conf_table.h"
#include "app/conf_tree.h"

enum conf_source { CONF_FROM_DEFAULT, CONF_FROM_FILE, CONF_FROM_ENVIRONMENT };

struct conf_origin {
    enum conf_source source;
    unsigned line; /* of the value; of a default: of its section */
    bool broken;   /* complained about: the field holds the default, or nothing */
};

struct conf_private {
    char *file;
    char *directory; /* where relative paths begin; absolute */
    void **owned;
    size_t owned_count;
    struct conf_origin *origins;         /* by the index of the option */
    struct conf_origin **issuer_origins; /* by issuer, then by the index of the option */
    unsigned *channel_lines;
};

/* Hands `memory` to the configuration, which frees it; returns it. */
void *conf_own(struct conf *conf, void *memory);

/* One more line for `conf->warnings`. */
void conf_warn(struct conf *conf, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* conf_read.c: fills `conf` from the tree and the environment. */
void conf_read(struct conf *conf, const struct conf_node *root, char *const *environment,
               struct conf_complaints *complaints);

/* The index in conf_options[]; the option exists. */
size_t conf_option_index(const char *section, const char *key);

/* Complains about an option where its value stands: FILE:LINE or the environment's name. `origins`
 * are the configuration's or an issuer's; `path` is that of the section ("listen", "issuers[0]").
 */
void conf_complain_option(struct conf_complaints *complaints, const struct conf_origin *origins,
                          size_t index, const char *path, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* conf_env.c: variables that look like ours and are no option. */
void conf_check_environ(struct conf *conf, char *const *environment,
                        struct conf_complaints *complaints);

/* conf_check.c: what no single option can tell. */
void conf_check(struct conf *conf, char *const *environment, struct conf_complaints *complaints);

#endif
