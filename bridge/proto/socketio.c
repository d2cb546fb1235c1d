/* Clients and sockets, from their engine's opening to its end, and their way out.
 *
 * The core closes a session from wherever it is; its socket then leaves the client at once, so that
 * nothing of it goes out any more, and the rest waits for socketio_settle(): session_gone() must
 * not be called from inside the core, nor an engine closed from inside itself. */
#include "proto/socketio_private.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum { REPLY_BYTES = 16384 };

/* ---- the door ---- */

static double *counter(struct metrics *metrics, const char *name, const char *help)
{
    struct metric_def def = {name, METRIC_COUNTER, help, NULL, NULL, 0};
    return metrics_register(metrics, &def);
}

static void register_metrics(struct socketio *door)
{
    static const char *const results[] = {"fresh", "recovered", "refused", "gap"};
    struct metrics *metrics = door->options.metrics;
    struct metric_def def = {"vigie_socketio_connects_total",
                             METRIC_COUNTER,
                             "namespaces asked for, by result",
                             "result",
                             results,
                             SOCKETIO_CONNECT_COUNT};
    door->connects = metrics_register(metrics, &def);
    door->refused = counter(metrics, "vigie_socketio_packets_refused_total",
                            "packets that broke the protocol and ended their connection");
    door->unsupported = counter(metrics, "vigie_socketio_unsupported_total",
                                "events from clients that mean nothing here");
    door->renamed = counter(metrics, "vigie_socketio_renamed_total",
                            "events sent under another name, since clients refuse theirs");
}

/* The configuration that they stand in may be another after a reload. */
static void take_namespaces(struct socketio *door)
{
    for (size_t i = 0; i < door->options.namespace_count; i++)
        door->namespaces[i] = mem_strdup(door->options.namespaces[i]);
    door->options.namespaces = NULL;
}

struct socketio *socketio_new(const struct socketio_options *options)
{
    assert(options->namespace_count <= SOCKETIO_NAMESPACES_MAX);
    assert(!options->hooks || options->no_recovery);
    struct socketio *door = mem_new(sizeof *door);
    door->options = *options;
    take_namespaces(door);
    register_metrics(door);
    return door;
}

void socketio_free(struct socketio *door)
{
    if (!door)
        return;
    socketio_settle(door);
    assert(door->client_count == 0 && !door->by_pid);
    for (size_t i = 0; i < door->options.namespace_count; i++)
        free(door->namespaces[i]);
    free(door);
}

const char *socketio_name_of(const struct socketio *door, unsigned nsp)
{
    return nsp ? door->namespaces[nsp - 1] : "/";
}

const char *socketio_namespace(const struct socket *socket)
{
    return socketio_name_of(socket->door, socket->nsp);
}

struct socketio_owner socketio_owner_of(const struct socket *socket)
{
    const struct session *session = socket->session;
    return (struct socketio_owner){socketio_namespace(socket), session->company->id,
                                   session->user->name, session->issuer};
}

void socketio_set_pid(struct socket *socket, const char *pid)
{
    struct socketio *door = socket->door;
    if (*socket->pid)
        HASH_DEL(door->by_pid, socket);
    strcpy(socket->pid, pid);
    if (*pid)
        HASH_ADD_STR(door->by_pid, pid, socket);
}

/* ---- the end ---- */

static void detach(struct socket *socket)
{
    struct client *client = socket->client;
    if (client->peeked == socket)
        client->peeked = NULL;
    DL_DELETE(client->sockets, socket);
    socket->client = NULL;
    socketio_set_pid(socket, "");
}

void socketio_drop(struct socket *socket, enum close_reason reason)
{
    detach(socket);
    session_close(socket->session, reason);
    session_gone(socket->session);
    free(socket);
}

static void set_due(struct client *client, bool due)
{
    struct socketio *door = client->door;
    if (client->due == due)
        return;
    client->due = due;
    if (due)
        DL_APPEND2(door->due, client, prev_due, next_due);
    else
        DL_DELETE2(door->due, client, prev_due, next_due);
}

void socketio_end(struct client *client, enum close_reason reason)
{
    if (client->ending)
        return;
    client->ending = true;
    client->reason = reason;
    set_due(client, true);
}

/* What a stock client is to do about it: after CONNECT_ERROR and DISCONNECT it never comes back by
 * itself; when the connection ends it comes at once, with the token of its page, and is told if
 * that is no better. */
enum parting {
    PART_ENGINE,
    PART_SILENTLY,
    PART_NAMESPACE, /* refused or dismissed */
    PART_REFUSED    /* refused; from one that was let in, the engine */
};

static const enum parting partings[CLOSE_REASON_COUNT] = {
    [CLOSE_CLIENT] = PART_SILENTLY,      [CLOSE_REPLACED] = PART_NAMESPACE,
    [CLOSE_FORBIDDEN] = PART_NAMESPACE,  [CLOSE_RATE_LIMITED] = PART_NAMESPACE,
    [CLOSE_UNAUTHORIZED] = PART_REFUSED, [CLOSE_BAD_REQUEST] = PART_REFUSED,
};

static void part(struct client *client, const struct socket *socket, enum close_reason reason)
{
    enum parting parting = partings[reason];
    if (parting == PART_SILENTLY)
        return;
    if (parting != PART_ENGINE && !socket->answered)
        socketio_refuse(client, socket->nsp, close_names[reason]);
    else if (parting == PART_NAMESPACE)
        socketio_dismiss(client, socket->nsp);
    else
        socketio_end(client, reason);
}

static void close_socket(void *conn, enum close_reason reason)
{
    struct socket *socket = conn;
    struct client *client = socket->client;
    if (!client)
        return; /* the client went first: socketio_drop() */
    detach(socket);
    LL_PREPEND2(socket->door->closed, socket, next_closed);
    part(client, socket, reason);
}

static void flush(void *conn)
{
    struct socket *socket = conn;
    if (socket->client && !socket->client->ending)
        engine_wake(socket->client->engine);
}

const struct transport socketio_transport = {.flush = flush, .close = close_socket};

void socketio_settle(struct socketio *door)
{
    while (door->due) {
        struct client *client = door->due;
        set_due(client, false);
        if (client->ending)
            engine_close(client->engine, client->reason); /* and the client is gone */
        else
            engine_wake(client->engine);
    }
    while (door->closed) {
        struct socket *socket = door->closed;
        LL_DELETE2(door->closed, socket, next_closed);
        session_gone(socket->session);
        free(socket);
    }
}

/* ---- the way out ---- */

void socketio_reply(struct client *client, const struct buf *text)
{
    if (client->ending)
        return;
    struct frame *frame = frame_copy(text->bytes, text->len);
    if (outq_push(&client->replies, frame))
        set_due(client, true);
    else
        socketio_end(client, CLOSE_SLOW_CONSUMER);
    frame_unref(frame);
}

void socketio_say(struct socket *socket, const char *packet, size_t len)
{
    session_send(socket->session, frame_copy(packet, len));
}

/* No packet begins so. */
enum { BINARY_MARK = 'b' };

void socketio_say_bytes(struct socket *socket, const void *bytes, size_t len)
{
    struct frame *frame = frame_new(len + 1);
    frame->bytes[0] = BINARY_MARK;
    memcpy(frame->bytes + 1, bytes, len);
    session_send(socket->session, frame);
}

/* The engine's digit, the packet's, and the namespace before the rest. */
static void put_head(struct engine_packet *packet, const struct socket *socket, char type)
{
    size_t len = 0;
    packet->head[len++] = '4';
    packet->head[len++] = type;
    if (socket->nsp) {
        const char *nsp = socketio_namespace(socket);
        size_t nsp_len = strlen(nsp);
        assert(nsp_len <= SOCKETIO_NAMESPACE_BYTES_MAX);
        memcpy(packet->head + len, nsp, nsp_len);
        len += nsp_len;
        packet->head[len++] = ',';
    }
    packet->head_len = len;
}

static void put_body(struct client *client, const struct socket *socket, const struct frame *frame,
                     struct engine_packet *packet)
{
    packet->body = frame->bytes + 1;
    packet->len = frame->len - 1;
    if (!socketio_is_open(frame))
        return;
    buf_clear(&client->own);
    buf_add(&client->own, frame->bytes + 1, frame->len - 1);
    buf_fmt(&client->own, ",\"%s\"]", socket->last_cursor);
    packet->body = client->own.bytes;
    packet->len = client->own.len;
}

static void put_frame(struct client *client, struct socket *socket, const struct frame *frame,
                      struct engine_packet *packet)
{
    packet->binary = frame->bytes[0] == BINARY_MARK;
    packet->head_len = 0;
    if (!packet->binary)
        put_head(packet, socket, (char)frame->bytes[0]);
    put_body(client, socket, frame, packet);
    client->peeked = socket;
}

static bool peek_reply(struct client *client, struct engine_packet *packet)
{
    const struct frame *frame = outq_peek(&client->replies);
    client->peeked_reply = frame != NULL;
    if (!frame)
        return false;
    *packet =
        (struct engine_packet){.head = "4", .head_len = 1, .body = frame->bytes, .len = frame->len};
    return true;
}

static bool on_peek(void *state, struct engine_packet *packet)
{
    struct client *client = state;
    struct socket *socket;
    client->peeked = NULL;
    if (client->ending)
        return false;
    if (peek_reply(client, packet))
        return true;
    DL_FOREACH(client->sockets, socket)
    {
        const struct frame *frame = session_peek(socket->session);
        if (!frame)
            continue;
        put_frame(client, socket, frame, packet);
        return true;
    }
    return false;
}

/* An event's frame ends with its cursor. */
static void note_sent(struct socket *socket, const struct frame *frame)
{
    const char *end = (const char *)frame->bytes + frame->len;
    socket->answered = true; /* that comes first */
    if (frame->bytes[0] != '2' || socketio_is_open(frame) || socket->door->options.no_recovery)
        return;
    memcpy(socket->last_cursor, end - SEAL_TEXT_LEN - 2, SEAL_TEXT_LEN);
    if (socketio_was_renamed(frame))
        socket->door->renamed[0]++;
}

/* A namespace that was read from waits until the others were. */
static void on_pop(void *state)
{
    struct client *client = state;
    struct socket *socket = client->peeked;
    client->peeked = NULL;
    if (client->peeked_reply) {
        client->peeked_reply = false;
        outq_pop(&client->replies);
        return;
    }
    if (!socket)
        return; /* it was closed in between, and its queue with it */
    note_sent(socket, session_peek(socket->session));
    session_pop(socket->session);
    DL_DELETE(client->sockets, socket);
    DL_APPEND(client->sockets, socket);
}

static void on_drained(void *state)
{
    struct client *client = state;
    struct socket *socket;
    struct socket *next;
    DL_FOREACH_SAFE(client->sockets, socket, next)
    session_drained(socket->session);
}

/* ---- the engine's table ---- */

static void *on_open(void *arg, struct engine *engine)
{
    struct socketio *door = arg;
    struct client *client = mem_new(sizeof *client);
    client->door = door;
    client->engine = engine;
    outq_init(&client->replies, REPLY_BYTES);
    buf_init(&client->own, REPLY_BYTES);
    door->client_count++;
    return client;
}

/* A socket whose token was refused is none any more. */
static bool on_is_known(const void *state)
{
    const struct client *client = state;
    return client->sockets;
}

static void on_closed(void *state, enum close_reason reason)
{
    struct client *client = state;
    struct socketio *door = client->door;
    struct socket *socket;
    struct socket *next;
    DL_FOREACH_SAFE(client->sockets, socket, next)
    socketio_drop(socket, reason);
    set_due(client, false);
    socketio_forget_packet(client);
    outq_free(&client->replies);
    buf_free(&client->own);
    door->client_count--;
    free(client);
}

const struct engine_upper socketio_upper = {
    .open = on_open,
    .text = socketio_hear_text,
    .binary = socketio_hear_binary,
    .peek = on_peek,
    .pop = on_pop,
    .drained = on_drained,
    .is_known = on_is_known,
    .closed = on_closed,
};
