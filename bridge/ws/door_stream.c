#include "ws/door_stream.h"

#include "base/clock.h"
#include "core/ticket.h"
#include "proto/poll.h"
#include "proto/sse.h"
#include "proto/stream.h"
#include "ws/private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum { SLOW_POLL_MS = 100 }; /* how long the answer to one that asks too often waits */

/* ---- refusing ---- */

/* The status of an end that comes before anything was said. */
static unsigned status_of(enum close_reason reason)
{
    switch (reason) {
    case CLOSE_UNAUTHORIZED:
    case CLOSE_TOKEN_EXPIRED:
        return 401;
    case CLOSE_FORBIDDEN:
        return 403;
    case CLOSE_AUTH_TIMEOUT:
        return 408;
    case CLOSE_REPLACED:
        return 409;
    case CLOSE_RATE_LIMITED:
        return 429;
    case CLOSE_PROTOCOL:
    case CLOSE_BINARY:
    case CLOSE_UTF8:
    case CLOSE_TOO_BIG:
    case CLOSE_BAD_REQUEST:
        return 400;
    case CLOSE_INTERNAL:
        return 500;
    case CLOSE_GOING_AWAY:
    case CLOSE_RESTART:
    case CLOSE_OVERLOADED:
    case CLOSE_SLOW_CONSUMER:
    case CLOSE_DEAD:
    case CLOSE_CLIENT:
    case CLOSE_REASON_COUNT:
        break;
    }
    return 503;
}

static void refuse(struct exchange *exchange, enum close_reason reason)
{
    exchange_refuse(exchange, status_of(reason), close_names[reason]);
}

/* ---- who asks, and for what ---- */

static bool read_request(const struct exchange_request *from, struct stream_request *request)
{
    *request = (struct stream_request){0};
    for (size_t at = 0; at < from->arguments_len;) {
        const char *argument = from->arguments + at;
        size_t len = strlen(argument);
        if (!stream_take(request, argument, len))
            return false;
        at += len + 1;
    }
    stream_take_header(request, from->last_event_id);
    return !from->token_in_query;
}

static bool verify(struct exchange *exchange, const struct exchange_request *request,
                   struct identity *identity)
{
    const struct server_options *options = &exchange->server->options;
    return request->token && options->verify(options->arg, request->token, request->token_len,
                                             exchange->peer->text, identity);
}

/* A session for the one whom header or ticket names, not yet admitted; answered when NULL. */
static struct session *let_in(struct exchange *exchange, const struct protocol *protocol,
                              const struct transport *transport)
{
    struct server *server = exchange->server;
    struct session *session =
        session_new(server->options.hub, protocol, transport, exchange, exchange->peer->text);
    if (!session)
        refuse(exchange, CLOSE_RESTART);
    exchange->session = session;
    return session;
}

static void admit(struct exchange *exchange, const struct identity *identity,
                  const struct stream_request *request, const struct protocol *protocol,
                  const struct transport *transport)
{
    struct session *session = let_in(exchange, protocol, transport);
    if (!session)
        return;
    peer_authenticated(exchange->peer);
    session_admit(session, identity, request->cursor, request->rooms, request->room_count);
}

static void open_session(struct exchange *exchange, const struct exchange_request *from,
                         const struct protocol *protocol, const struct transport *transport)
{
    struct stream_request request;
    struct identity identity;
    if (from->method != EXCHANGE_GET) {
        exchange_refuse(exchange, 405, "method");
    } else if (!read_request(from, &request)) {
        exchange_refuse(exchange, 400, "bad_request");
    } else if (from->token || from->bad_authorization) {
        if (verify(exchange, from, &identity))
            admit(exchange, &identity, &request, protocol, transport);
        else
            refuse(exchange, CLOSE_UNAUTHORIZED);
    } else {
        struct identity *guest =
            request.ticket ? ticket_take(exchange->server->tickets, request.ticket) : NULL;
        if (guest)
            admit(exchange, guest, &request, protocol, transport);
        else
            refuse(exchange, CLOSE_UNAUTHORIZED);
        identity_free(guest);
    }
}

/* ---- /events ---- */

static void write_frame(struct exchange *exchange, struct frame *frame)
{
    exchange_write(exchange, frame->bytes, frame->len);
    frame_unref(frame);
}

static void begin_stream(struct exchange *exchange)
{
    exchange_stream(exchange, "text/event-stream");
    write_frame(exchange, sse_preamble(exchange->server->options.retry_ms));
}

static bool write_some(struct exchange *exchange, struct frame *first)
{
    if (first->len <= WRITE_BYTES) {
        unsigned char *bytes = exchange->server->scratch + LWS_PRE;
        return exchange_write(exchange, bytes, session_fill(exchange->session, bytes, WRITE_BYTES));
    }
    frame_ref(first);
    session_pop(exchange->session);
    bool more = exchange_write(exchange, first->bytes, first->len);
    frame_unref(first);
    return more;
}

static void flush_stream(void *arg)
{
    struct exchange *exchange = arg;
    struct session *session = exchange->session;
    struct frame *frame;
    if (exchange->choked || exchange->dying || exchange->state == EXCHANGE_ANSWERED)
        return;
    if (exchange->state == EXCHANGE_HELD && session_peek(session))
        begin_stream(exchange);
    while (!exchange->choked && (frame = session_peek(session)))
        if (!write_some(exchange, frame))
            break;
    if (exchange->choked)
        session_choked(session, true);
    else if (!exchange->dying)
        session_drained(session);
}

static void close_stream(void *arg, enum close_reason reason)
{
    struct exchange *exchange = arg;
    if (exchange->state == EXCHANGE_HELD) {
        refuse(exchange, reason);
        return;
    }
    if (reason != CLOSE_DEAD && reason != CLOSE_CLIENT)
        write_frame(exchange, sse_goodbye(reason));
    exchange_finish(exchange);
}

static void on_writable(struct exchange *exchange)
{
    session_choked(exchange->session, false);
    flush_stream(exchange);
}

static void open_events(struct exchange *exchange, const struct exchange_request *request)
{
    static const struct transport transport = {.flush = flush_stream, .close = close_stream};
    open_session(exchange, request, &sse_protocol, &transport);
}

static void end_session(struct exchange *exchange)
{
    if (exchange->session)
        session_gone(exchange->session);
    exchange->session = NULL;
}

const struct door door_events = {
    .methods = "GET",
    .open = open_events,
    .writable = on_writable,
    .end = end_session,
};

/* ---- /poll ---- */

static void leave_list(struct exchange *exchange)
{
    if (exchange->due_ms)
        DL_DELETE(exchange->server->polls, exchange);
    exchange->due_ms = 0;
}

static unsigned status_of_refusal(const char *code)
{
    if (strcmp(code, "unavailable") == 0)
        return 503;
    return strcmp(code, "forbidden") == 0 ? 403 : 400;
}

static void answer_poll(struct exchange *exchange)
{
    struct buf body;
    leave_list(exchange);
    const char *refusal = poll_refusal(exchange->session);
    if (refusal) {
        exchange_refuse(exchange, status_of_refusal(refusal), refusal);
        return;
    }
    buf_init(&body, exchange->session->outq.used_bytes + POLL_FRAME_BYTES);
    poll_body(exchange->session, &body);
    struct exchange_answer answer = {
        .status = 200, .type = "application/json", .body = body.bytes, .len = body.len};
    if (body.overflow)
        exchange_kill(exchange); /* the request is repeated, and nothing was lost */
    else
        exchange_answer(exchange, &answer);
    buf_free(&body);
}

static void flush_poll(void *arg)
{
    struct exchange *exchange = arg;
    if (exchange->state == EXCHANGE_HELD && !exchange->dying && !exchange->slow &&
        poll_is_due(exchange->session))
        answer_poll(exchange);
}

static void close_poll(void *arg, enum close_reason reason)
{
    struct exchange *exchange = arg;
    leave_list(exchange);
    refuse(exchange, reason);
}

/* Each is a question to the database. */
static unsigned count_rooms(const struct exchange_request *request)
{
    unsigned count = 0;
    for (size_t at = 0; at < request->arguments_len; at += strlen(request->arguments + at) + 1)
        count += strncmp(request->arguments + at, "room=", 5) == 0;
    return count;
}

static int later(const struct exchange *a, const struct exchange *b)
{
    return a->due_ms > b->due_ms ? 1 : -1;
}

static void open_poll(struct exchange *exchange, const struct exchange_request *request)
{
    static const struct transport transport = {.flush = flush_poll, .close = close_poll};
    struct server *server = exchange->server;
    exchange->slow = !peer_may_ask(exchange->peer, 1 + count_rooms(request));
    open_session(exchange, request, &poll_protocol, &transport);
    if (exchange->state != EXCHANGE_HELD || exchange->dying)
        return;
    int64_t hold_ms = exchange->slow ? SLOW_POLL_MS : server->options.poll_hold_ms;
    exchange->due_ms = clock_mono_ms() + hold_ms;
    if (exchange->slow)
        DL_INSERT_INORDER(server->polls, exchange, later); /* near the front */
    else
        DL_APPEND(server->polls, exchange);
}

static void end_poll(struct exchange *exchange)
{
    leave_list(exchange);
    end_session(exchange);
}

/* The list is in the order of coming; a reload that shortens the hold counts for those after it. */
void door_poll_tick(struct server *server)
{
    int64_t now_ms = clock_mono_ms();
    while (server->polls && server->polls->due_ms <= now_ms)
        answer_poll(server->polls);
}

const struct door door_poll = {
    .methods = "GET",
    .open = open_poll,
    .end = end_poll,
};

/* ---- /ticket ---- */

static void give_ticket(struct exchange *exchange, const struct identity *identity)
{
    char text[TICKET_TEXT_MAX];
    char body[128];
    peer_authenticated(exchange->peer);
    if (!ticket_issue(exchange->server->tickets, identity, text)) {
        refuse(exchange, CLOSE_OVERLOADED);
        return;
    }
    int64_t ttl_s = exchange->server->options.ticket_ttl_ms / 1000;
    int len = snprintf(body, sizeof body, "{\"ticket\":\"%s\",\"expires_in\":%lld}", text,
                       (long long)ttl_s);
    struct exchange_answer answer = {
        .status = 200, .type = "application/json", .body = body, .len = (size_t)len};
    exchange_answer(exchange, &answer);
}

static void open_ticket(struct exchange *exchange, const struct exchange_request *request)
{
    struct identity identity;
    if (request->method != EXCHANGE_POST)
        exchange_refuse(exchange, 405, "method");
    else if (request->token_in_query)
        exchange_refuse(exchange, 400, "bad_request");
    else if (!peer_may_ask(exchange->peer, 1))
        refuse(exchange, CLOSE_RATE_LIMITED);
    else if (verify(exchange, request, &identity))
        give_ticket(exchange, &identity);
    else
        refuse(exchange, CLOSE_UNAUTHORIZED);
}

const struct door door_ticket = {
    .methods = "POST",
    .open = open_ticket,
};
