/* conf_table.h - every option as a row, and what its type takes.
 *
 * Nothing else in the program knows an option's name, default or range: the reading, the
 * environment,
 * --print-config, the reload and the documentation walk over these rows. */
#ifndef VIGIE_APP_CONF_TABLE_H
#define VIGIE_APP_CONF_TABLE_H

#include "app/conf.h"
#include "base/buf.h"

/* What the text means, and what kind of field it fills. */
enum conf_type {
    CONF_BOOL,      /* bool: yes no on off true false */
    CONF_INT,       /* int64_t */
    CONF_DURATION,  /* int64_t in ms: 200ms 30s 10m 24h */
    CONF_SECONDS,   /* int64_t in s: a duration of whole seconds */
    CONF_SIZE,      /* int64_t in bytes: 512B 8KiB 32MiB 1GiB */
    CONF_WORD,      /* an enum: the position among `words` */
    CONF_ALGORITHM, /* const char *: one of `words`, or empty */
    CONF_TEXT,      /* const char *: min to max bytes */
    CONF_PATH,      /* const char *: made absolute; empty when min is 0 */
    CONF_ADDRESS,   /* const char *: numeric IPv4 or IPv6 */
    CONF_URL,       /* const char *: postgresql://…; never shown in a complaint */
    CONF_ORIGINS,   /* struct conf_list, at most `max` of them; also those that follow */
    CONF_HOSTS,
    CONF_COMPANIES,
    CONF_NAMESPACES,
    CONF_ROOMS, /* checked here, made into struct conf_room elsewhere */
};

/* Which struct the offset is in. */
enum conf_base { CONF_BASE_CONF, CONF_BASE_ISSUER, CONF_BASE_CHANNEL };

struct conf_option {
    const char *section; /* "listen"; "issuers", "claims" (of an issuer), "channels" (of one) */
    const char *key;
    enum conf_type type;
    bool reloadable;
    const char *fallback; /* the default as one would write it; NULL: must be given. Lists: "" */
    int64_t min;          /* of the number, the bytes of a text, in the field's unit */
    int64_t max;
    const char *const *words;
    size_t offset;
    const char *help; /* Markdown, whole sentences */
};

struct conf_section {
    const char *name;
    const char *path; /* as shown: "listen", "issuers[]", "issuers[].claims", "channels.NAME" */
    enum conf_base base;
    const char *help;
};

extern const struct conf_section conf_sections[];
extern const size_t conf_section_count;
extern const struct conf_option conf_options[];
extern const size_t conf_option_count;

/* The text in upper case (ASCII). */
void conf_upper(const char *text, struct buf *out);
/* VIGIE_LISTEN_PORT. Only options of CONF_BASE_CONF have one: the name of others stays empty. */
void conf_env_name(const struct conf_option *option, struct buf *out);
/* listen.port */
void conf_option_path(const struct conf_option *option, struct buf *out);
const struct conf_section *conf_section_find(const char *name);

bool conf_type_is_list(enum conf_type type);
/* "whole number", "duration": for people. */
const char *conf_type_name(enum conf_type type);
/* "a whole number from 0 to 65535" */
void conf_expected(const struct conf_option *option, struct buf *out);
/* "0 to 65535" */
void conf_range(const struct conf_option *option, struct buf *out);

/* Whether `text` is a value of that option, or one entry of it when it is a list. */
MUST_USE bool conf_text_ok(const struct conf_option *option, const char *text);
/* Fills a field that is no text and no list. False, and nothing filled, when it is not ok. */
MUST_USE bool conf_number_read(const struct conf_option *option, const char *text, void *field);

/* The field as one would write it in YAML. */
void conf_field_print(const struct conf_option *option, const void *field, struct buf *out);

#endif
