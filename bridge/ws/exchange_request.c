/* What the headers of a request say. */
#include "ws/exchange_private.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { LENGTH_DIGITS_MAX = 15 };

bool exchange_has_header(struct lws *wsi, enum lws_token_indexes token)
{
    return lws_hdr_total_length(wsi, token) > 0;
}

enum exchange_method exchange_method_of(struct lws *wsi)
{
    if (exchange_has_header(wsi, WSI_TOKEN_GET_URI))
        return EXCHANGE_GET;
    if (exchange_has_header(wsi, WSI_TOKEN_POST_URI))
        return EXCHANGE_POST;
    if (exchange_has_header(wsi, WSI_TOKEN_OPTIONS_URI))
        return EXCHANGE_OPTIONS;
    return exchange_has_header(wsi, WSI_TOKEN_HEAD_URI) ? EXCHANGE_HEAD : EXCHANGE_OTHER;
}

static int64_t parse_length(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > LENGTH_DIGITS_MAX || text[digits])
        return -2; /* signs, lists, what the library would read as something huge */
    return strtoll(text, NULL, 10);
}

int64_t exchange_length_of(struct lws *wsi)
{
    char text[64];
    if (!exchange_has_header(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH))
        return -1;
    if (lws_hdr_copy(wsi, text, sizeof text, WSI_TOKEN_HTTP_CONTENT_LENGTH) <= 0)
        return -2;
    return parse_length(text);
}

/* HTTP/1.1 stays unless the client says close; what it names in Connection is a list. */
bool exchange_wants_keep_alive(struct lws *wsi)
{
    char version[16];
    char list[256];
    if (lws_hdr_copy(wsi, version, sizeof version, WSI_TOKEN_HTTP) <= 0 ||
        strcmp(version, "HTTP/1.1") != 0)
        return false;
    int len = lws_hdr_copy(wsi, list, sizeof list, WSI_TOKEN_CONNECTION);
    char *rest = list;
    for (char *one; len > 0 && (one = strsep(&rest, ", \t"));)
        if (strcasecmp(one, "close") == 0)
            return false;
    return len >= 0;
}

/* Gone through here: the library's own look-up stops at the first argument longer than its buffer.
 * False when there is one that no argument of ours can be. */
static bool read_arguments(struct lws *wsi, struct parsed_request *parsed)
{
    size_t at = 0;
    for (int i = 0, count = gate_argument_count(wsi); i < count; i++) {
        if (lws_hdr_fragment_length(wsi, WSI_TOKEN_HTTP_URI_ARGS, i) == 0)
            continue;
        char *argument = parsed->arguments + at;
        int len = lws_hdr_copy_fragment(wsi, argument, (int)(sizeof parsed->arguments - at),
                                        WSI_TOKEN_HTTP_URI_ARGS, i);
        if (len < 0 || strlen(argument) != (size_t)len)
            return false;
        at += (size_t)len + 1;
    }
    parsed->request.arguments = parsed->arguments;
    parsed->request.arguments_len = at;
    return true;
}

static void read_token(struct lws *wsi, struct parsed_request *parsed)
{
    int len = gate_bearer(wsi, parsed->token, sizeof parsed->token);
    parsed->request.bad_authorization = len < 0;
    if (len > 0) {
        parsed->request.token = parsed->token;
        parsed->request.token_len = (size_t)len;
    }
}

bool exchange_parse(struct lws *wsi, const char *path, struct parsed_request *parsed)
{
    static const char id[] = "last-event-id:";
    struct exchange_request *request = &parsed->request;
    *request = (struct exchange_request){.method = exchange_method_of(wsi), .path = path};
    parsed->length =
        exchange_has_header(wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING) ? -1 : exchange_length_of(wsi);
    read_token(wsi, parsed);
    if (lws_hdr_copy(wsi, parsed->content_type, sizeof parsed->content_type,
                     WSI_TOKEN_HTTP_CONTENT_TYPE) < 0)
        parsed->content_type[0] = '\0'; /* none that we know is so long */
    request->content_type = parsed->content_type;
    if (lws_hdr_custom_length(wsi, id, sizeof id - 1) >= 0) {
        if (lws_hdr_custom_copy(wsi, parsed->last_event_id, sizeof parsed->last_event_id, id,
                                sizeof id - 1) < 0)
            return false;
        request->last_event_id = parsed->last_event_id;
    }
    request->token_in_query = gate_token_in_query(wsi);
    return read_arguments(wsi, parsed);
}

const char *exchange_argument(const struct exchange_request *request, const char *name)
{
    size_t len = strlen(name);
    for (size_t at = 0; at < request->arguments_len; at += strlen(request->arguments + at) + 1) {
        const char *argument = request->arguments + at;
        if (strncmp(argument, name, len) == 0 && argument[len] == '=')
            return argument + len + 1;
    }
    return NULL;
}
