/* gate.h - which requests may become a WebSocket.
 *
 * libwebsockets 4.1.6 by itself upgrades POST, any version, short keys, two Origins, h2c and
 * anything that says "Upgrade" (each measured). Everything that is not exactly a browser's or a
 * service's opening handshake (RFC 6455, 4.2.1) ends here with a status. */
#ifndef VIGIE_WS_GATE_H
#define VIGIE_WS_GATE_H

#include "ws/server.h"

#include <libwebsockets.h>

enum { GATE_HEADER_MAX = 1024 }; /* of a header that is short where it is honest, with its NUL */

enum gate_verdict {
    GATE_OK,
    GATE_METHOD,
    GATE_VERSION,
    GATE_KEY,
    GATE_HOST,
    GATE_ORIGIN,
    GATE_PATH,
    GATE_QUERY, /* a token in the query, where logs and proxies would see it */
    GATE_TOKEN, /* an Authorization header that does not hold */
    GATE_VERDICT_COUNT
};
extern const char *const gate_verdict_names[GATE_VERDICT_COUNT];
/* The status that tells it. */
unsigned gate_status(enum gate_verdict verdict);

/* True when the Upgrade header, read anew, is exactly "websocket". Never trust the callback's `in`
 * (CVE-2025-11677 is not patched in Debian 12). */
bool gate_is_websocket(struct lws *wsi);

/* Judges the headers of an opening handshake at `path`, the token left aside. */
enum gate_verdict gate_judge(struct lws *wsi, const struct server_options *options,
                             const char *path);

/* The token of an `Authorization: Bearer` header into `token` (at most `size` bytes with the NUL).
 * Its length; 0 when there is no such header; -1 when there is one that is not a bearer token. */
int gate_bearer(struct lws *wsi, char *token, size_t size);

/* Whether a query argument looks like a token. */
bool gate_token_in_query(struct lws *wsi);
/* How many arguments the query has, empty ones among them: to the library an empty one looks like
 * the end. */
int gate_argument_count(struct lws *wsi);
/* The first argument of that name, its value into `text` (at most `size` bytes with the NUL). False
 * when there is none that fits together with its name. */
bool gate_argument(struct lws *wsi, const char *name, char *text, size_t size);

/* Whether the Origin, copied, is listed; one that is absent (empty) is. */
bool gate_origin_ok(struct lws *wsi, const struct server_options *options,
                    char origin[GATE_HEADER_MAX]);

/* Whether Host is one that we answer to. */
bool gate_host_ok(struct lws *wsi, const struct server_options *options);

#endif
