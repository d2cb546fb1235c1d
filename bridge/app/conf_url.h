/* conf_url.h - what must be known of a database URL before libpq sees it: whether it carries a
 * secret, and whether it leaves this machine without TLS. Only pg/ may name libpq, so the few parts
 * are read here as libpq reads them (fe-connect.c, conninfo_uri_parse_options). */
#ifndef VIGIE_APP_CONF_URL_H
#define VIGIE_APP_CONF_URL_H

#include "base/mem.h"

#include <stdbool.h>

enum conf_url_verdict {
    CONF_URL_OK,
    CONF_URL_UNVERIFIED, /* leaves this machine, and TLS does not check who answers: worth a warning
                          */
    CONF_URL_MALFORMED,
    CONF_URL_SECRET,    /* a password inside */
    CONF_URL_SERVICE,   /* service=: what it says is in another file */
    CONF_URL_PLAINTEXT, /* leaves this machine, and may do so without TLS */
};

/* `environment` matters for PGHOST, PGHOSTADDR, PGSERVICE and PGSSLMODE, which libpq would take for
 * what the URL does not say; NULL for none. */
enum conf_url_verdict conf_url_judge(const char *url, char *const *environment) MUST_USE;

/* The value of NAME in a NULL-ended array of NAME=VALUE, or NULL. */
const char *conf_environ_find(char *const *environment, const char *name);

#endif
