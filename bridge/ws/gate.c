#include "ws/gate.h"

#include <string.h>
#include <strings.h>

enum { HEADER_MAX = GATE_HEADER_MAX, ARGUMENT_MAX = 16384, KEY_LEN = 24 };

const char *const gate_verdict_names[GATE_VERDICT_COUNT] = {
    "ok", "method", "version", "key", "host", "origin", "path", "query", "token"};

unsigned gate_status(enum gate_verdict verdict)
{
    switch (verdict) {
    case GATE_OK:
        return 101;
    case GATE_METHOD:
        return 405;
    case GATE_VERSION:
        return 426;
    case GATE_KEY:
    case GATE_HOST:
    case GATE_QUERY:
        return 400;
    case GATE_ORIGIN:
        return 403;
    case GATE_PATH:
        return 404;
    case GATE_TOKEN:
        return 401;
    case GATE_VERDICT_COUNT:
        break;
    }
    return 500;
}

/* The header's length; `text` is empty when it is absent or does not fit. -1: it does not fit. */
static int header(struct lws *wsi, enum lws_token_indexes token, char text[HEADER_MAX])
{
    text[0] = '\0';
    int len = lws_hdr_total_length(wsi, token);
    if (len <= 0)
        return 0;
    return lws_hdr_copy(wsi, text, HEADER_MAX, token);
}

bool gate_is_websocket(struct lws *wsi)
{
    char text[HEADER_MAX];
    return header(wsi, WSI_TOKEN_UPGRADE, text) > 0 && strcasecmp(text, "websocket") == 0;
}

static bool is_listed(const struct server_list *list, const char *text)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcasecmp(list->items[i], text) == 0)
            return true;
    return false;
}

bool gate_host_ok(struct lws *wsi, const struct server_options *options)
{
    char text[HEADER_MAX];
    if (header(wsi, WSI_TOKEN_HOST, text) <= 0)
        return false;
    if (options->hosts.count == 0 || is_listed(&options->hosts, text))
        return true;
    char *port = strrchr(text, ':');
    if (port && !strchr(port, ']'))
        *port = '\0';
    return is_listed(&options->hosts, text);
}

/* No Origin: not a browser, and no cookie is involved, so nothing rides on its absence. Two of them
 * arrive joined by a comma and match nothing. */
bool gate_origin_ok(struct lws *wsi, const struct server_options *options, char origin[HEADER_MAX])
{
    int len = header(wsi, WSI_TOKEN_ORIGIN, origin);
    return len == 0 || (len > 0 && is_listed(&options->origins, origin));
}

static bool is_token_argument(const char *argument)
{
    static const char *const names[] = {"token=", "access_token=", "jwt="};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strncasecmp(argument, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

/* Looked through here: the library's own look-up says "absent" of an argument that does not fit. */
int gate_argument_count(struct lws *wsi)
{
    int count = 0;
    int left = lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_URI_ARGS);
    for (; left > 0; count++)
        left -= lws_hdr_fragment_length(wsi, WSI_TOKEN_HTTP_URI_ARGS, count) + 1;
    return count;
}

bool gate_argument(struct lws *wsi, const char *name, char *text, size_t size)
{
    size_t name_len = strlen(name);
    for (int i = 0, count = gate_argument_count(wsi); i < count; i++) {
        text[0] = '\0';
        int len = lws_hdr_copy_fragment(wsi, text, (int)size, WSI_TOKEN_HTTP_URI_ARGS, i);
        if (len < 0 || strncmp(text, name, name_len) != 0 || text[name_len] != '=')
            continue;
        memmove(text, text + name_len + 1, strlen(text + name_len + 1) + 1);
        return true;
    }
    text[0] = '\0';
    return false;
}

bool gate_token_in_query(struct lws *wsi)
{
    char argument[ARGUMENT_MAX];
    for (int i = 0, count = gate_argument_count(wsi); i < count; i++) {
        argument[0] = '\0';
        int len = lws_hdr_copy_fragment(wsi, argument, sizeof argument, WSI_TOKEN_HTTP_URI_ARGS, i);
        if (len < 0 || is_token_argument(argument))
            return true; /* nothing we know is so long that it does not fit */
    }
    return false;
}

enum gate_verdict gate_judge(struct lws *wsi, const struct server_options *options,
                             const char *path)
{
    char text[HEADER_MAX];
    if (header(wsi, WSI_TOKEN_GET_URI, text) <= 0)
        return GATE_METHOD;
    if (strcmp(text, path) != 0)
        return GATE_PATH;
    if (gate_token_in_query(wsi))
        return GATE_QUERY;
    if (header(wsi, WSI_TOKEN_VERSION, text) <= 0 || strcmp(text, "13") != 0)
        return GATE_VERSION;
    if (header(wsi, WSI_TOKEN_KEY, text) != KEY_LEN)
        return GATE_KEY;
    if (!gate_host_ok(wsi, options))
        return GATE_HOST;
    return gate_origin_ok(wsi, options, text) ? GATE_OK : GATE_ORIGIN;
}

int gate_bearer(struct lws *wsi, char *token, size_t size)
{
    if (lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_AUTHORIZATION) <= 0)
        return 0;
    int len = lws_hdr_copy(wsi, token, (int)size, WSI_TOKEN_HTTP_AUTHORIZATION);
    if (len <= 7 || strncasecmp(token, "Bearer ", 7) != 0)
        return -1;
    memmove(token, token + 7, (size_t)len - 7 + 1);
    return len - 7;
}
