/* conf.h - the configuration: one immutable struct, made whole or not at all.
 *
 * Precedence: built-in default < file < environment (VIGIE_<SECTION>_<KEY>). Every option of the
 * file is a row of one table (conf_table.c), which also drives --print-config, the environment, the
 * check of a reload and docs/configuration.md.
 *
 * No secret is ever in here: keys and passwords stay in files that this names. */
#ifndef VIGIE_APP_CONF_H
#define VIGIE_APP_CONF_H

#include "base/buf.h"
#include "base/log.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CONF_FILE_BYTES_MAX = 256 * 1024, CONF_ERRORS_BYTES_MAX = 64 * 1024 };

struct conf_list {
    const char *const *items;
    size_t count;
};

enum conf_room_form {
    CONF_ROOM_ALL,     /* "*": every room of the rule */
    CONF_ROOM_KIND,    /* "company:*": the rule's rooms of that kind; text = "company:" */
    CONF_ROOM_COMPANY, /* "wall:{company}": added; text = "wall:", the event's company follows */
    CONF_ROOM_LITERAL, /* "wall:all": added; text = "wall:all" */
};

struct conf_room {
    enum conf_room_form form;
    const char *text; /* never NULL; "*" for CONF_ROOM_ALL */
};

/* One table LISTENed to. */
struct conf_channel {
    const char *key;     /* "devis" */
    const char *channel; /* "vigie_devis", at most 63 bytes */
    const struct conf_room *rooms;
    size_t room_count; /* at least 1: without a list, CONF_ROOM_ALL */
};

/* Fits struct issuer_options field by field. */
struct conf_issuer {
    const char *name;
    const char *iss;
    const char *audience;
    const char *algorithm; /* "" only with a jwks_file whose keys name theirs */
    const char *key_file;  /* absolute, or "": exactly one of these two is set */
    const char *jwks_file;
    const char *kid; /* "": the token must carry none */
    const char *typ;
    const char *company_claim;
    const char *user_claim;
    const char *role_claim;
    struct conf_list companies; /* "*" or exact ids; empty: may speak for nobody */
    int64_t leeway_s;
    int64_t max_ttl_s;
};

/* Texts are never NULL; an absent one is "". Paths are absolute (from the file's directory). */
struct conf {
    struct {
        const char *address; /* numeric, IPv4 or IPv6 */
        int64_t port;
        bool tls;
        const char *certificate;
        const char *private_key;
        bool behind_proxy;
        struct conf_list origins; /* lower case, no default port, no trailing slash */
        struct conf_list hosts;   /* lower case; empty: any */
    } listen;
    struct {
        const char *address;
        int64_t port;
    } admin;
    struct {
        bool enabled;
        struct conf_list namespaces; /* beside "/" */
        const char *client_file;     /* "": none */
        int64_t upgrade_timeout_ms;
    } socketio;
    struct {
        bool enabled;
        int64_t retry_ms;
        int64_t poll_hold_ms;
        int64_t ticket_ttl_ms;
        int64_t tickets;
    } streams;
    struct {
        bool enabled;
        const char *directory;
    } demo;
    struct {
        const char *url; /* never with a password */
        bool insecure;
        int64_t reconnect_min_ms;
        int64_t reconnect_max_ms;
        int64_t safety_poll_ms;
        int64_t busy_poll_ms;
        int64_t batch_rows;
        int64_t statement_timeout_ms;
    } database;
    const struct conf_channel *channels; /* at least one, in the file's order */
    size_t channel_count;
    const struct conf_issuer *issuers; /* at least one, in the file's order */
    size_t issuer_count;
    struct {
        int64_t sessions;
        int64_t sessions_per_address;
        int64_t sessions_per_user;
        int64_t sessions_per_company;
        int64_t unauthenticated;
        int64_t auth_timeout_ms;
        int64_t message_bytes;
        int64_t messages_per_second;
        int64_t rooms_per_session;
        int64_t queue_bytes;
        int64_t queue_total_bytes;
        int64_t slow_timeout_ms;
        int64_t max_session_ms;
        int64_t header_timeout_ms;
    } limits;
    struct {
        int64_t bytes;
        int64_t age_ms;
    } history;
    struct {
        int64_t interval_ms;
        int64_t timeout_ms;
    } heartbeat;
    struct {
        int64_t window_ms;
    } drain;
    struct {
        enum log_format format;
        enum log_level level;
    } log;

    struct conf_list warnings;  /* lines worth a log line at start; nothing is wrong */
    struct conf_private *inner; /* where each value came from, and who owns the memory */
};

/* Reads and judges the file. `environment` is a NULL-ended array of NAME=VALUE, or NULL for none.
 * NULL when anything is wrong: every complaint is in `errors`, a line each, as FILE:LINE: what was
 * expected, or VIGIE_NAME: what was expected; and `*exit_code` is 66 (no such file), 77 (may not be
 * read) or 78. */
struct conf *conf_load(const char *path, char *const *environment, struct buf *errors,
                       int *exit_code) MUST_USE;

/* The same from memory: `name` stands in the complaints and its directory is where relative paths
 * begin. The text is not kept. */
struct conf *conf_parse(const char *name, const char *text, size_t len, char *const *environment,
                        struct buf *errors) MUST_USE;

/* NULL is allowed. */
void conf_free(struct conf *conf);

/* Whether the files and folders that the configuration names can be opened and are what they should
 * be: certificate and private key (with tls on), key and JWKS files, the demo's folder, Socket.IO's
 * client. Complaints as conf_load() makes them. What is inside is for their readers to judge. */
bool conf_check_files(const struct conf *conf, struct buf *errors);

/* Complains about what was found inside a file that an option names, at the place of that option.
 */
void conf_blame(const struct conf *conf, const char *section, const char *key, const char *why,
                struct buf *errors);
/* The same for an option of `issuers[issuer]`. */
void conf_blame_issuer(const struct conf *conf, size_t issuer, const char *key, const char *why,
                       struct buf *errors);

/* The effective configuration as YAML that conf_load() takes, a comment at each value saying where
 * it came from: default, FILE:LINE or environment. */
void conf_print(const struct conf *conf, struct buf *out);

/* The option reference of docs/configuration.md (Markdown), from the table. */
void conf_print_reference(struct buf *out);

/* The keys that differ and that only a restart brings in, one a line ("listen.port\n"); true when
 * there is none, and `now` can take the place of `old` as a whole. */
bool conf_reload_check(const struct conf *old, const struct conf *now, struct buf *needs_restart);

#endif
