/* One engine: what it hears, what time does to it, and its end.
 *
 * Every deadline is a moment, set once; engine_visit() compares. So it does not matter how often
 * it is called, and an engine that is looked up after its end is not found (lazily), whenever the
 * next tick would have come by. */
#include "base/log.h"
#include "proto/engineio_private.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void engine_detach(struct engine *engine, struct engine_http *http)
{
    if (engine->get == http)
        engine->get = NULL;
    if (engine->post == http)
        engine->post = NULL;
    http->engine = NULL;
}

/* ---- the end ---- */

static void count_end(struct engine *engine, enum close_reason reason)
{
    struct engines *owner = engine->owner;
    bool websocket = engine->stage == ENGINE_WEBSOCKET;
    owner->living[websocket]--;
    owner->ended[reason]++;
    log_debug("engine_close", LOG_S("reason", close_names[reason]),
              LOG_S("transport", websocket ? "websocket" : "polling"),
              LOG_S("address", engine->address),
              LOG_N("dur_ms", engine_now(engine) - engine->opened_ms));
}

static void leave_socket(struct engine *engine, enum close_reason reason)
{
    struct engine_socket *socket = engine->socket;
    struct buf last;
    if (!socket)
        return; /* it went first */
    buf_init(&last, 0);
    engine_put_control_frames(engine, &last);
    engine->socket = NULL;
    socket->engine = NULL;
    if (reason == CLOSE_CLIENT)
        reason = CLOSE_GOING_AWAY; /* its code is not for the wire */
    engine->owner->options.edge->hang_up(socket, reason, (unsigned char *)last.bytes,
                                         last.overflow ? 0 : last.len);
    buf_free(&last);
}

static void part_add(struct buf *out, char type)
{
    if (out->len)
        buf_char(out, ENGINE_SEPARATOR);
    buf_char(out, type);
}

static struct buf last_body(struct engine *engine, enum engine_farewell farewell)
{
    struct buf body;
    buf_init(&body, 8);
    if (farewell != FAREWELL_NOOP)
        engine_put_control(engine, &body);
    if (body.overflow)
        buf_clear(&body);
    part_add(&body, farewell == FAREWELL_NOOP ? '6' : '1');
    return body;
}

static void leave_polling(struct engine *engine, enum engine_farewell farewell)
{
    const struct engine_edge *edge = engine->owner->options.edge;
    struct engine_http *get = engine->get;
    struct engine_http *post = engine->post;
    struct buf body = last_body(engine, farewell);
    if (get) {
        engine_detach(engine, get);
        edge->answer(get, 200, false, body.bytes, body.len);
    } else if (farewell == FAREWELL_KEEP) {
        engine->stage = ENGINE_KEPT;
        engine->keep_ms = engine_now(engine) + ENGINE_KEEP_MS;
        engine->last_len = body.len;
        engine->last = buf_take(&body);
    }
    buf_free(&body);
    if (post) {
        const char *error = engine_error_body(ENGINE_UNKNOWN_SID);
        engine_detach(engine, post);
        edge->answer(post, engine_error_status(ENGINE_UNKNOWN_SID), true, error, strlen(error));
    }
}

void engine_end(struct engine *engine, enum close_reason reason, enum engine_farewell farewell)
{
    if (!engine_lives(engine))
        return;
    enum engine_stage stage = engine->stage;
    count_end(engine, reason);
    engine->stage = ENGINE_ENDED;
    engine_drop_probe(engine, reason, UPGRADE_FAILED);
    if (stage == ENGINE_WEBSOCKET)
        leave_socket(engine, reason);
    leave_polling(engine, stage == ENGINE_POLLING ? farewell : FAREWELL_CLOSE);
    outq_free(&engine->control);
    if (engine->stage == ENGINE_ENDED)
        engines_bury(engine);
    void *state = engine->state;
    engine->state = NULL;
    engine->owner->options.upper->closed(state, reason);
}

void engine_close(struct engine *engine, enum close_reason reason)
{
    bool nobody = reason == CLOSE_CLIENT || reason == CLOSE_DEAD;
    engine_end(engine, reason, nobody ? FAREWELL_CLOSE : FAREWELL_KEEP);
}

static bool violated(struct engine *engine, enum close_reason reason)
{
    engine_end(engine, reason, FAREWELL_CLOSE);
    return false;
}

/* ---- hearing ---- */

bool engine_spend(struct engine *engine)
{
    int64_t rate = engine->owner->options.packets_per_second;
    int64_t now_ms = engine_now(engine);
    int64_t earned = (now_ms - engine->speech_ms) * rate;
    engine->speech_ms = now_ms;
    engine->speech += earned;
    if (engine->speech > rate * 2000)
        engine->speech = rate * 2000;
    engine->speech -= 1000;
    return engine->speech >= 0 || violated(engine, CLOSE_RATE_LIMITED);
}

/* Any packet but a pong shows life too, once: a client that sends much may be slow to answer, one
 * that never answers is not alive (engine.io 6.6.9). */
static void show_life(struct engine *engine)
{
    if (!engine->pong_ms || engine->pong_refreshed)
        return;
    engine->pong_refreshed = true;
    engine->pong_ms = engine_now(engine) + engine->ping_timeout_ms;
}

/* One that was not asked for changes nothing: it would put off the next ping. */
static void take_pong(struct engine *engine)
{
    if (!engine->pong_ms)
        return;
    engine->pong_ms = 0;
    engine->ping_ms = engine_now(engine) + engine->ping_interval_ms;
}

static bool after_upper(struct engine *engine, bool good)
{
    if (!good)
        return violated(engine, CLOSE_BAD_REQUEST);
    engine_note_known(engine, engine_now(engine));
    return true;
}

static bool take_text(struct engine *engine, const struct engine_part *part)
{
    show_life(engine);
    return after_upper(engine,
                       engine->owner->options.upper->text(engine->state, part->bytes, part->len));
}

static bool take_binary(struct engine *engine, const void *bytes, size_t len)
{
    show_life(engine);
    return after_upper(engine, engine->owner->options.upper->binary(engine->state, bytes, len));
}

static bool take_base64(struct engine *engine, const struct engine_part *part)
{
    size_t len = 0;
    void *bytes = engine_base64_decode(part->bytes, part->len, &len);
    bool good = bytes ? take_binary(engine, bytes, len) : violated(engine, CLOSE_BAD_REQUEST);
    free(bytes);
    return good;
}

static bool act(struct engine *engine, const struct engine_part *part)
{
    switch (part->type) {
    case ENGINE_TYPE_MESSAGE:
        return take_text(engine, part);
    case ENGINE_TYPE_BINARY:
        return take_base64(engine, part);
    case ENGINE_TYPE_PONG:
        take_pong(engine);
        return true;
    case ENGINE_TYPE_NOOP:
        show_life(engine);
        return true;
    case ENGINE_TYPE_CLOSE:
        engine_end(engine, CLOSE_CLIENT, FAREWELL_NOOP);
        return true;
    case ENGINE_TYPE_OPEN:
    case ENGINE_TYPE_PING:
    case ENGINE_TYPE_UPGRADE:
    case ENGINE_TYPE_BAD:
        break;
    }
    return violated(engine, CLOSE_BAD_REQUEST);
}

bool engine_hear(struct engine *engine, const struct engine_part *part)
{
    return engine_spend(engine) && act(engine, part);
}

bool engine_hear_binary(struct engine *engine, const void *bytes, size_t len)
{
    return engine_spend(engine) && take_binary(engine, bytes, len);
}

/* ---- saying ---- */

void engine_wake(struct engine *engine)
{
    if (engine->stage == ENGINE_WEBSOCKET && engine->socket)
        engine->owner->options.edge->wake(engine->socket);
    else
        engine_answer_get(engine);
}

static bool queue(struct engine *engine, const char *text, size_t len)
{
    if (engine->control.count == ENGINE_CONTROL_MAX)
        return false;
    struct frame *frame = frame_copy(text, len);
    bool fits = outq_push(&engine->control, frame);
    frame_unref(frame);
    return fits;
}

void engine_send(struct engine *engine, const char *text, size_t len)
{
    if (!engine_lives(engine))
        return;
    if (queue(engine, text, len))
        engine_wake(engine);
    else
        engine_end(engine, CLOSE_SLOW_CONSUMER, FAREWELL_CLOSE);
}

/* ---- time ---- */

void engine_note_known(struct engine *engine, int64_t now_ms)
{
    struct engines *owner = engine->owner;
    if (!engine_lives(engine) || owner->options.upper->is_known(engine->state) == engine->known)
        return;
    engine->known = !engine->known;
    if (engine->known)
        owner->unauthenticated--;
    else
        owner->unauthenticated++;
    engine->known_ms = now_ms + owner->options.auth_timeout_ms;
}

/* The answer is due a timeout after the ping was, however late the visit; but one who was asked
 * too late (the machine slept) is given time to answer. */
static void ping(struct engine *engine, int64_t now_ms)
{
    int64_t timeout_ms = engine->ping_timeout_ms;
    int64_t soonest_ms = now_ms + timeout_ms / 4;
    engine->pong_ms = engine->ping_ms + timeout_ms;
    if (engine->pong_ms < soonest_ms)
        engine->pong_ms = soonest_ms;
    engine->pong_refreshed = false;
    engine_send(engine, "2", 1);
}

static void visit_kept(struct engine *engine, int64_t now_ms)
{
    if (engine->stage == ENGINE_KEPT && now_ms >= engine->keep_ms)
        engines_bury(engine);
}

static enum close_reason overdue(const struct engine *engine, int64_t now_ms)
{
    if (engine->pong_ms && now_ms >= engine->pong_ms)
        return CLOSE_DEAD;
    if (!engine->known && now_ms >= engine->known_ms)
        return CLOSE_AUTH_TIMEOUT;
    return CLOSE_REASON_COUNT;
}

bool engine_visit(struct engine *engine, int64_t now_ms)
{
    if (!engine_lives(engine)) {
        visit_kept(engine, now_ms);
        return false;
    }
    engine_note_known(engine, now_ms);
    enum close_reason reason = overdue(engine, now_ms);
    if (reason != CLOSE_REASON_COUNT)
        return violated(engine, reason);
    if (engine->probe && now_ms >= engine->probe_ms)
        engine_drop_probe(engine, CLOSE_GOING_AWAY, UPGRADE_TIMEOUT);
    if (!engine->pong_ms && now_ms >= engine->ping_ms)
        ping(engine, now_ms);
    return engine_lives(engine);
}

const char *engine_address(const struct engine *engine)
{
    return engine->address;
}

void *engine_state(const struct engine *engine)
{
    return engine->state;
}
