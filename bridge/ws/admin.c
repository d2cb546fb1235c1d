/* Health and metrics, on a listener of their own: never reachable where the clients are. */
#include "ws/private.h"

#include <string.h>

enum { METRICS_BYTES_MAX = 1024 * 1024 };

static int answer_text(struct lws *wsi, unsigned status, const char *type, struct buf *text)
{
    int rc = text->overflow ? -1 : http_answer(wsi, status, type, text->bytes, text->len);
    buf_free(text);
    return rc;
}

/* The loop turns, or this would not be answered. Nothing else is asked: a database that is away is
 * no reason to restart the bridge. */
static int healthz(struct lws *wsi)
{
    return http_answer(wsi, 200, "application/json", "{\"status\":\"ok\"}\n", 16);
}

static int readyz(struct lws *wsi, struct server *server)
{
    struct buf text;
    buf_init(&text, 4096);
    buf_str(&text, "{");
    bool ready = server->options.ready(server->options.arg, &text);
    buf_str(&text, "}\n");
    return answer_text(wsi, ready ? 200 : 503, "application/json", &text);
}

static int metrics(struct lws *wsi, struct server *server)
{
    struct buf text;
    buf_init(&text, METRICS_BYTES_MAX);
    server->options.refresh(server->options.arg);
    metrics_print(server->options.metrics, &text);
    return answer_text(wsi, 200, "text/plain; version=0.0.4; charset=utf-8", &text);
}

static int on_http(struct lws *wsi, const char *path)
{
    struct server *server = server_of(wsi);
    if (lws_hdr_total_length(wsi, WSI_TOKEN_GET_URI) <= 0)
        return http_answer(wsi, 405, "text/plain", "method not allowed\n", 19);
    if (strcmp(path, "/healthz") == 0)
        return healthz(wsi);
    if (strcmp(path, "/readyz") == 0)
        return readyz(wsi, server);
    if (strcmp(path, "/metrics") == 0)
        return metrics(wsi, server);
    return http_answer(wsi, 404, "text/plain", "not found\n", 10);
}

int admin_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                   size_t len)
{
    (void)user, (void)len;
    switch ((int)reason) {
    case LWS_CALLBACK_HTTP:
        return on_http(wsi, in);
    case LWS_CALLBACK_HTTP_WRITEABLE:
        return http_continue(wsi);
    case LWS_CALLBACK_WSI_DESTROY:
        peer_free(lws_get_opaque_user_data(wsi));
        lws_set_opaque_user_data(wsi, NULL);
        return 0;
    case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
    case LWS_CALLBACK_RAW_ADOPT:
    case LWS_CALLBACK_RAW_RX:
    case LWS_CALLBACK_HTTP_BODY:
        return -1;
    default:
        return 0;
    }
}
