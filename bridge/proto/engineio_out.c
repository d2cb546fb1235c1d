#include "base/log.h"
#include "proto/engineio_private.h"
#include "proto/wsframe.h"

#include <assert.h>
#include <string.h>

enum { BODY_MAX = 2 * ENGINE_FILL_BYTES, LAST_WORDS_MAX = 4 << 20 };

/* ---- the next packet: ours before those from above ---- */

static bool next_packet(struct engine *engine, struct engine_packet *packet)
{
    if (!engine_lives(engine))
        return false;
    const struct frame *frame = outq_peek(&engine->control);
    if (frame) {
        packet->head_len = 0;
        packet->body = frame->bytes;
        packet->len = frame->len;
        packet->binary = false;
        return true;
    }
    if (!engine->owner->options.upper->peek(engine->state, packet))
        return false;
    assert(packet->head_len <= sizeof packet->head);
    return true;
}

static void drop_packet(struct engine *engine)
{
    if (engine->control.count)
        outq_pop(&engine->control);
    else
        engine->owner->options.upper->pop(engine->state);
}

static void tell_drained(struct engine *engine)
{
    if (engine_lives(engine))
        engine->owner->options.upper->drained(engine->state);
}

/* Nothing above makes one: rather the end than waiting for ever behind it. */
static void give_up_on(struct engine *engine, size_t len)
{
    log_error("engine_packet_too_long", LOG_N("bytes", len));
    engine_end(engine, CLOSE_INTERNAL, FAREWELL_CLOSE);
}

/* ---- polling: one body ---- */

static size_t part_len(const struct engine_packet *packet)
{
    size_t len = packet->head_len + packet->len;
    return packet->binary ? 1 + (len + 2) / 3 * 4 : len;
}

static void put_part(struct buf *out, const struct engine_packet *packet)
{
    if (out->len)
        buf_char(out, ENGINE_SEPARATOR);
    if (packet->binary) {
        buf_char(out, 'b');
        engine_base64_add(out, packet->body, packet->len);
        return;
    }
    buf_add(out, packet->head, packet->head_len);
    buf_add(out, packet->body, packet->len);
}

/* True: nothing is left. */
static bool gather(struct engine *engine, struct buf *out)
{
    struct engine_packet packet;
    while (next_packet(engine, &packet)) {
        size_t len = part_len(&packet);
        if (len > BODY_MAX - 1)
            give_up_on(engine, len);
        if (len > BODY_MAX - 1 || (out->len && out->len + len >= ENGINE_FILL_BYTES))
            return false;
        put_part(out, &packet);
        drop_packet(engine);
    }
    return true;
}

void engine_answer_get(struct engine *engine)
{
    struct engine_http *get = engine->get;
    if (!get || engine->held || engine->stage != ENGINE_POLLING)
        return;
    struct buf body;
    buf_init(&body, BODY_MAX);
    engine->held = true; /* peek() and pop() may wake it */
    bool all = gather(engine, &body);
    engine->held = false;
    bool some = body.len > 0;
    if (!some && engine->probed)
        buf_char(&body, '6'); /* never queued: it is of this GET only */
    if (engine->get && body.len) {
        engine_detach(engine, get);
        engine->owner->options.edge->answer(get, 200, false, body.bytes, body.len);
    }
    buf_free(&body);
    if (all && some)
        tell_drained(engine);
}

void engine_put_control(struct engine *engine, struct buf *out)
{
    out->ceiling_bytes = LAST_WORDS_MAX;
    for (const struct frame *frame; (frame = outq_peek(&engine->control));) {
        if (out->len)
            buf_char(out, ENGINE_SEPARATOR);
        buf_add(out, frame->bytes, frame->len);
        outq_pop(&engine->control);
    }
}

/* ---- WebSocket: frames ---- */

static size_t put_frame(unsigned char *bytes, const struct engine_packet *packet)
{
    size_t len = packet->head_len + packet->len;
    size_t at = wsframe_header(bytes, packet->binary ? WSFRAME_BINARY : WSFRAME_TEXT, len);
    memcpy(bytes + at, packet->head, packet->head_len);
    if (packet->len)
        memcpy(bytes + at + packet->head_len, packet->body, packet->len);
    return at + len;
}

void engine_put_control_frames(struct engine *engine, struct buf *out)
{
    out->ceiling_bytes = LAST_WORDS_MAX;
    for (const struct frame *frame; (frame = outq_peek(&engine->control));) {
        unsigned char header[WSFRAME_HEADER_MAX];
        buf_add(out, header, wsframe_header(header, WSFRAME_TEXT, frame->len));
        buf_add(out, frame->bytes, frame->len);
        outq_pop(&engine->control);
    }
}

/* Before all else on that socket: a client may say `5` without having waited for it. */
static size_t fill_probe(struct engine *engine, unsigned char *bytes, size_t size)
{
    static const struct engine_packet answer = {.body = "3probe", .len = 6};
    if (!engine->probe_owed || size < WSFRAME_HEADER_MAX + answer.len)
        return 0;
    engine->probe_owed = false;
    return put_frame(bytes, &answer);
}

size_t engine_fill(struct engine_socket *socket, unsigned char *bytes, size_t size)
{
    struct engine *engine = socket->engine;
    if (!engine)
        return 0;
    size_t at = fill_probe(engine, bytes, size);
    struct engine_packet packet;
    while (!socket->probe && next_packet(engine, &packet)) {
        size_t len = WSFRAME_HEADER_MAX + packet.head_len + packet.len;
        if (len > ENGINE_FILL_BYTES)
            give_up_on(engine, len);
        if (len > size - at)
            return socket->engine ? at : 0;
        at += put_frame(bytes + at, &packet);
        drop_packet(engine);
    }
    if (at && !socket->probe)
        tell_drained(engine);
    return socket->engine ? at : 0; /* what hung up has said its last */
}
