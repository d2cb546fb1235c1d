/* From a request or a socket to its engine.
 *
 * The order of the checks and what each answers are those of engine.io 6.6, which stock clients
 * know: transport, session, method, version; after them our own ceilings. An engine whose time is
 * over is not found, whether or not a tick has come by since. */
#include "base/log.h"
#include "proto/engineio_private.h"

#include <string.h>

/* ---- what a request may do ---- */

static void answer(struct engines *engines, struct engine_http *http, unsigned status)
{
    engines->options.edge->answer(http, status, false, "", 0);
}

static enum engine_error note(struct engines *engines, enum engine_error error,
                              const struct engine_request *request)
{
    if (error == ENGINE_OK)
        return error;
    engines_note_error(engines, error);
    log_debug("engine_refused", LOG_S("error", engine_error_names[error]),
              LOG_S("address", request->address));
    return error;
}

static void refuse(struct engines *engines, struct engine_http *http,
                   const struct engine_request *request, enum engine_error error)
{
    const char *body = engine_error_body(error);
    note(engines, error, request);
    engines->options.edge->answer(http, engine_error_status(error), true, body, strlen(body));
}

static bool is(const char *text, const char *wanted)
{
    return text && strcmp(text, wanted) == 0;
}

static bool has_sid(const struct engine_request *request)
{
    return request->sid && *request->sid;
}

/* Also one of which only the last words are left. */
static struct engine *find(struct engines *engines, const char *sid)
{
    struct engine *engine = NULL;
    if (strlen(sid) != ENGINE_SID_LEN)
        return NULL;
    HASH_FIND_STR(engines->by_sid, sid, engine);
    if (!engine || engine_visit(engine, engines->options.mono_ms()))
        return engine;
    return engine->stage == ENGINE_KEPT ? engine : NULL;
}

static enum engine_error judge_new(struct engines *engines, const struct engine_request *request,
                                   bool available)
{
    if (request->method != ENGINE_GET)
        return ENGINE_BAD_METHOD;
    if (is(request->transport, "websocket") != request->upgrade)
        return ENGINE_BAD_REQUEST;
    if (!is(request->version, "4"))
        return ENGINE_UNSUPPORTED_VERSION;
    bool room = available && !engines->refusing && engines_have_room(engines, request);
    return room ? ENGINE_OK : ENGINE_UNAVAILABLE;
}

static enum engine_error judge_known(const struct engine *engine,
                                     const struct engine_request *request)
{
    bool kept = engine && engine->stage == ENGINE_KEPT;
    if (!engine || (kept && (request->method != ENGINE_GET || request->upgrade)))
        return ENGINE_UNKNOWN_SID;
    if (is(request->transport, "websocket") != request->upgrade || !is(request->version, "4"))
        return ENGINE_BAD_REQUEST;
    /* a second socket is let in to be hung up: to a client a refusal would be a failure */
    return engine->stage == ENGINE_WEBSOCKET && !request->upgrade ? ENGINE_BAD_REQUEST : ENGINE_OK;
}

/* On ENGINE_OK `*engine` is the one it speaks of, NULL for a handshake. */
static enum engine_error judge(struct engines *engines, const struct engine_request *request,
                               bool available, struct engine **engine)
{
    *engine = NULL;
    if (!is(request->transport, "polling") && !is(request->transport, "websocket"))
        return ENGINE_UNKNOWN_TRANSPORT;
    if (!has_sid(request))
        return judge_new(engines, request, available);
    *engine = find(engines, request->sid);
    return judge_known(*engine, request);
}

/* ---- GET ---- */

static void shake_hands(struct engines *engines, const struct engine_request *request,
                        struct engine_http *http)
{
    struct engine *engine = engine_open(engines, request, ENGINE_POLLING);
    struct buf text = engine_open_packet(engine);
    engine_tell_open(engine);
    engines->options.edge->answer(http, 200, false, text.bytes, text.len);
    buf_free(&text);
}

static void say_last(struct engine *engine, struct engine_http *http)
{
    engines_bury(engine);
    engine->owner->options.edge->answer(http, 200, false, engine->last, engine->last_len);
}

/* When a connection breaks that had served before, browsers repeat the request by themselves. To us
 * the first one was answered, and what its answer carried would be missed in silence: only a client
 * that connects anew says where it was. */
static bool is_repeated(const struct engine *engine, const struct engine_request *request)
{
    return engine->stamp[0] && is(request->stamp, engine->stamp);
}

static void note_stamp(struct engine *engine, const char *stamp)
{
    bool fits = stamp && strlen(stamp) < sizeof engine->stamp;
    strcpy(engine->stamp, fits ? stamp : "");
}

static void hold(struct engine *engine, const char *stamp, struct engine_http *http)
{
    note_stamp(engine, stamp);
    engine->get = http;
    http->engine = engine;
    http->post = false;
    engine_answer_get(engine);
}

static void poll_engine(struct engine *engine, const struct engine_request *request,
                        struct engine_http *http)
{
    struct engines *engines = engine->owner;
    if (engine->stage == ENGINE_KEPT) {
        say_last(engine, http);
    } else if (engine->get) {
        engine_end(engine, CLOSE_BAD_REQUEST, FAREWELL_CLOSE);
        answer(engines, http, 400);
    } else if (is_repeated(engine, request)) {
        engine_end(engine, CLOSE_CLIENT, FAREWELL_CLOSE);
        refuse(engines, http, request, ENGINE_UNKNOWN_SID);
    } else {
        hold(engine, request->stamp, http);
    }
}

void engines_request(struct engines *engines, const struct engine_request *request,
                     struct engine_http *http, bool available)
{
    struct engine *engine;
    enum engine_error error = judge(engines, request, available, &engine);
    if (error != ENGINE_OK)
        refuse(engines, http, request, error);
    else if (!engine)
        shake_hands(engines, request, http);
    else if (request->method == ENGINE_GET)
        poll_engine(engine, request, http);
    else
        answer(engines, http, 405);
}

/* ---- POST ---- */

static void overlap(struct engine *engine, struct engine_http *http)
{
    const struct engine_edge *edge = engine->owner->options.edge;
    struct engine_http *older = engine->post;
    engine_detach(engine, older);
    edge->abort(older);
    engine_end(engine, CLOSE_BAD_REQUEST, FAREWELL_CLOSE);
    edge->answer(http, 400, false, "", 0);
}

bool engines_post(struct engines *engines, const struct engine_request *request,
                  struct engine_http *http)
{
    struct engine *engine;
    enum engine_error error = judge(engines, request, false, &engine);
    if (error != ENGINE_OK || !engine) {
        refuse(engines, http, request, error == ENGINE_OK ? ENGINE_BAD_METHOD : error);
        return false;
    }
    if (engine->post) {
        overlap(engine, http);
        return false;
    }
    if (request->octets) {
        engine_end(engine, CLOSE_BAD_REQUEST, FAREWELL_CLOSE);
        answer(engines, http, 400);
        return false;
    }
    engine->post = http;
    http->engine = engine;
    http->post = true;
    return true;
}

static bool take_payload(struct engine *engine, const char *bytes, size_t len)
{
    struct engine_part part;
    size_t at = 0;
    for (unsigned count = 0; engine_lives(engine) && engine_next_part(bytes, len, &at, &part);) {
        if (++count > ENGINE_PACKETS_MAX) {
            engine_end(engine, CLOSE_RATE_LIMITED, FAREWELL_CLOSE);
            return false;
        }
        if (!engine_hear(engine, &part))
            return false;
    }
    return true;
}

void engine_body(struct engine_http *http, const char *bytes, size_t len)
{
    struct engine *engine = http->engine;
    if (!engine)
        return;
    if (len > engine->owner->options.max_payload_bytes) {
        engine_body_too_long(http);
        return;
    }
    engine_detach(engine, http);
    engine->held = true;
    bool good = take_payload(engine, bytes, len);
    engine->held = false;
    engine->owner->options.edge->answer(http, good ? 200 : 400, false, good ? "ok" : "",
                                        good ? 2 : 0);
    engine_wake(engine);
}

void engine_body_too_long(struct engine_http *http)
{
    struct engine *engine = http->engine;
    if (!engine)
        return;
    engine_detach(engine, http);
    engine->owner->limits[LIMIT_PAYLOAD]++;
    answer(engine->owner, http, 413);
    (void)engine_spend(engine);
}

void engine_http_gone(struct engine_http *http)
{
    struct engine *engine = http->engine;
    if (!engine)
        return;
    engine_detach(engine, http);
    engine_end(engine, CLOSE_CLIENT, FAREWELL_CLOSE);
}

/* ---- WebSockets ---- */

enum engine_error engines_judge_socket(struct engines *engines,
                                       const struct engine_request *request, bool available)
{
    struct engine *engine;
    return note(engines, judge(engines, request, available, &engine), request);
}

static void open_by_socket(struct engines *engines, const struct engine_request *request,
                           struct engine_socket *socket)
{
    struct engine *engine = engine_open(engines, request, ENGINE_WEBSOCKET);
    struct buf text = engine_open_packet(engine);
    engine->socket = socket;
    socket->engine = engine;
    socket->probe = false;
    engine_send(engine, text.bytes, text.len);
    buf_free(&text);
    engine_tell_open(engine);
}

bool engines_socket(struct engines *engines, const struct engine_request *request,
                    struct engine_socket *socket)
{
    struct engine *engine;
    if (judge(engines, request, true, &engine) != ENGINE_OK)
        return false;
    if (engine && (engine->stage == ENGINE_WEBSOCKET || engine->probe))
        return false;
    if (engine)
        engine_attach_probe(engine, socket);
    else
        open_by_socket(engines, request, socket);
    return true;
}

void engine_socket_text(struct engine_socket *socket, const char *text, size_t len)
{
    struct engine *engine = socket->engine;
    if (!engine)
        return;
    if (socket->probe) {
        engine_probe_text(engine, text, len);
        return;
    }
    struct engine_part part = engine_part_of(text, len);
    if (part.type == ENGINE_TYPE_BINARY)
        part.type = ENGINE_TYPE_BAD; /* here binary comes as such */
    (void)engine_hear(engine, &part);
}

void engine_socket_noise(struct engine_socket *socket)
{
    if (socket->engine)
        (void)engine_spend(socket->engine);
}

void engine_socket_binary(struct engine_socket *socket, const void *bytes, size_t len)
{
    struct engine *engine = socket->engine;
    if (engine && socket->probe)
        engine_drop_probe(engine, CLOSE_BAD_REQUEST, UPGRADE_FAILED);
    else if (engine)
        (void)engine_hear_binary(engine, bytes, len);
}

void engine_socket_broken(struct engine_socket *socket, enum close_reason reason)
{
    struct engine *engine = socket->engine;
    if (engine && reason == CLOSE_TOO_BIG)
        engine->owner->limits[LIMIT_PAYLOAD]++;
    if (engine && socket->probe)
        engine_drop_probe(engine, reason, UPGRADE_FAILED);
    else if (engine)
        engine_end(engine, reason, FAREWELL_CLOSE);
}

void engine_socket_gone(struct engine_socket *socket)
{
    struct engine *engine = socket->engine;
    if (!engine)
        return;
    if (socket->probe) {
        engine_forget_probe(engine, UPGRADE_FAILED);
        return;
    }
    socket->engine = NULL;
    engine->socket = NULL;
    engine_end(engine, CLOSE_CLIENT, FAREWELL_CLOSE);
}
