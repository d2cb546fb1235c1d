/* exchange_private.h - what the files of an exchange share. */
#ifndef VIGIE_WS_EXCHANGE_PRIVATE_H
#define VIGIE_WS_EXCHANGE_PRIVATE_H

#include "ws/exchange.h"
#include "ws/private.h"

enum {
    EVENT_ID_BYTES_MAX = 256,
    TEXT_BYTES = 16384, /* holds any header that libwebsockets takes */
};

/* ---- exchange_request.c ---- */

struct parsed_request {
    struct exchange_request request;
    int64_t length; /* of the body; -1: not said, -2: not to be understood */
    char token[TEXT_BYTES];
    char arguments[TEXT_BYTES];
    char content_type[128];
    char last_event_id[EVENT_ID_BYTES_MAX];
};

bool exchange_has_header(struct lws *wsi, enum lws_token_indexes token);
enum exchange_method exchange_method_of(struct lws *wsi);
/* Of the body; -1: not said, -2: not to be understood. */
int64_t exchange_length_of(struct lws *wsi);
bool exchange_wants_keep_alive(struct lws *wsi);
/* False: something in it cannot be understood, or is too long for anything that we know. */
bool exchange_parse(struct lws *wsi, const char *path, struct parsed_request *parsed);

/* ---- exchange_answer.c ---- */

void exchange_answer_preflight(struct exchange *exchange);
/* Goes on writing the answer. */
void exchange_pump(struct exchange *exchange);

/* ---- exchange_watch.c ---- */

/* Whatever comes, of `what` or an end, ends the connection: nothing is due from this client. */
void exchange_watch(struct exchange *exchange, uint32_t what);
void exchange_unwatch(struct exchange *exchange);

#endif
