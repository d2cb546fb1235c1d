/* All engines of a door: their table, their ceilings, and time. */
#include "base/base64url.h"
#include "proto/engineio_private.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum { TICK_SLICES = 10, SHORT_MS = 2000 };

static const char *const transport_names[] = {"polling", "websocket"};
static const char *const upgrade_names[] = {"ok", "failed", "timeout"};
static const char *const limit_names[] = {"engines", "address", "unauthenticated", "payload"};

/* ---- the door ---- */

static double *family(struct metrics *metrics, enum metric_type type, const char *name,
                      const char *help, const char *label, const char *const *values, size_t count)
{
    struct metric_def def = {name, type, help, label, values, count};
    return metrics_register(metrics, &def);
}

static void register_metrics(struct engines *engines, struct metrics *metrics)
{
    engines->living = family(metrics, METRIC_GAUGE, "vigie_engines",
                             "Engine.IO connections by transport", "transport", transport_names, 2);
    engines->errors =
        family(metrics, METRIC_COUNTER, "vigie_engine_errors_total", "Engine.IO requests refused",
               "error", engine_error_names, ENGINE_ERROR_COUNT);
    engines->upgrades =
        family(metrics, METRIC_COUNTER, "vigie_engine_upgrades_total", "from polling to WebSocket",
               "result", upgrade_names, UPGRADE_RESULT_COUNT);
    engines->ended =
        family(metrics, METRIC_COUNTER, "vigie_engines_closed_total",
               "Engine.IO connections ended, by reason", "reason", close_names, CLOSE_REASON_COUNT);
    engines->limits =
        family(metrics, METRIC_COUNTER, "vigie_engine_limits_hit_total",
               "Engine.IO ceilings reached, by scope", "scope", limit_names, ENGINE_LIMIT_COUNT);
    engines->upgrade_seconds =
        metrics_histogram(metrics, "vigie_engine_upgrade_seconds", "from the probe to the upgrade");
}

struct engines *engines_new(const struct engine_options *options)
{
    struct engines *engines = mem_new(sizeof *engines);
    engines->options = *options;
    register_metrics(engines, options->metrics);
    return engines;
}

static void free_closed(struct engines *engines)
{
    while (engines->closed) {
        struct engine *engine = engines->closed;
        LL_DELETE(engines->closed, engine);
        free(engine->last);
        free(engine);
    }
}

/* As if all of its requests and sockets had gone by themselves. */
static void forget_edge(struct engine *engine)
{
    if (engine->get)
        engine_detach(engine, engine->get);
    if (engine->post)
        engine_detach(engine, engine->post);
    if (engine->probe)
        engine_forget_probe(engine, UPGRADE_FAILED);
    if (engine->socket)
        engine->socket->engine = NULL;
    engine->socket = NULL;
}

void engines_free(struct engines *engines)
{
    if (!engines)
        return;
    while (engines->visits) {
        struct engine *engine = engines->visits;
        forget_edge(engine);
        engine_end(engine, CLOSE_GOING_AWAY, FAREWELL_CLOSE);
        if (engine == engines->visits)
            engines_bury(engine); /* one that was kept */
    }
    free_closed(engines);
    free(engines);
}

void engines_set_options(struct engines *engines, const struct engine_options *options)
{
    struct engine_options *own = &engines->options;
    own->ping_interval_ms = options->ping_interval_ms;
    own->ping_timeout_ms = options->ping_timeout_ms;
    own->upgrade_timeout_ms = options->upgrade_timeout_ms;
    own->auth_timeout_ms = options->auth_timeout_ms;
    own->max_payload_bytes = options->max_payload_bytes;
    own->packets_per_second = options->packets_per_second;
    own->max_engines = options->max_engines;
    own->max_per_address = options->max_per_address;
    own->max_unauthenticated = options->max_unauthenticated;
}

unsigned engines_count(const struct engines *engines)
{
    return HASH_COUNT(engines->by_sid);
}

unsigned engines_polling(const struct engines *engines)
{
    return (unsigned)engines->living[0];
}

/* Those that nobody known speaks through have no session that would be told to go. */
void engines_refuse(struct engines *engines)
{
    struct engine *engine;
    struct engine *next;
    engines->refusing = true;
    DL_FOREACH_SAFE(engines->visits, engine, next)
    if (engine_lives(engine) && !engines->options.upper->is_known(engine->state))
        engine_close(engine, CLOSE_RESTART);
}

void engines_note_error(struct engines *engines, enum engine_error error)
{
    engines->errors[error]++;
}

/* So many of them each time that each is visited once a second, reckoned at the second's beginning,
 * for many may end in it; all, when times are short, as the conformance tests have them. */
static unsigned slice_of(struct engines *engines)
{
    const struct engine_options *options = &engines->options;
    unsigned count = HASH_COUNT(engines->by_sid);
    if (options->ping_interval_ms < SHORT_MS || options->ping_timeout_ms < SHORT_MS ||
        options->upgrade_timeout_ms < SHORT_MS || options->auth_timeout_ms < SHORT_MS)
        return count;
    if (engines->ticks++ % TICK_SLICES == 0)
        engines->slice = count / TICK_SLICES + 1;
    return engines->slice < count ? engines->slice : count;
}

void engines_tick(struct engines *engines)
{
    free_closed(engines);
    int64_t now_ms = engines->options.mono_ms();
    for (unsigned i = slice_of(engines); i > 0 && engines->visits; i--) {
        struct engine *engine = engines->visits;
        DL_DELETE(engines->visits, engine);
        DL_APPEND(engines->visits, engine);
        (void)engine_visit(engine, now_ms);
    }
}

/* ---- addresses ---- */

static struct engine_peer *find_peer(const struct engines *engines, const char *address)
{
    struct engine_peer *peer = NULL;
    HASH_FIND_STR(engines->peers, address, peer);
    return peer;
}

static struct engine_peer *join_peer(struct engines *engines, const char *address)
{
    struct engine_peer *peer = find_peer(engines, address);
    if (!peer) {
        peer = mem_new(sizeof *peer);
        strcpy(peer->address, address);
        HASH_ADD_STR(engines->peers, address, peer);
    }
    peer->count++;
    return peer;
}

static void leave_peer(struct engines *engines, struct engine_peer *peer)
{
    if (--peer->count)
        return;
    HASH_DEL(engines->peers, peer);
    free(peer);
}

static void take_address(char address[ENGINE_ADDRESS_MAX], const char *text)
{
    snprintf(address, ENGINE_ADDRESS_MAX, "%s", text ? text : "");
}

static void take_network(char network[ENGINE_ADDRESS_MAX], const struct engine_request *request)
{
    take_address(network, request->network ? request->network : request->address);
}

/* ---- opening ---- */

static bool within(struct engines *engines, enum engine_limit limit, unsigned count, unsigned max)
{
    if (count < max)
        return true;
    engines->limits[limit]++;
    return false;
}

bool engines_have_room(struct engines *engines, const struct engine_request *request)
{
    const struct engine_options *options = &engines->options;
    char network[ENGINE_ADDRESS_MAX];
    take_network(network, request);
    const struct engine_peer *peer = find_peer(engines, network);
    return within(engines, LIMIT_ENGINES, engines_count(engines), options->max_engines) &&
           within(engines, LIMIT_ADDRESS, peer ? peer->count : 0, options->max_per_address) &&
           within(engines, LIMIT_UNAUTHENTICATED, engines->unauthenticated,
                  options->max_unauthenticated);
}

static void take_sid(struct engine *engine)
{
    uint8_t secret[ENGINE_SID_LEN * 3 / 4];
    engine->owner->options.random(secret, sizeof secret);
    base64url_encode(secret, sizeof secret, engine->sid);
    HASH_ADD_STR(engine->owner->by_sid, sid, engine);
}

static void take_times(struct engine *engine)
{
    const struct engine_options *options = &engine->owner->options;
    int64_t now_ms = options->mono_ms();
    engine->opened_ms = engine->speech_ms = now_ms;
    engine->ping_interval_ms = options->ping_interval_ms;
    engine->ping_timeout_ms = options->ping_timeout_ms;
    engine->ping_ms = now_ms + options->ping_interval_ms;
    engine->known_ms = now_ms + options->auth_timeout_ms;
    engine->speech = (int64_t)options->packets_per_second * 2000;
}

struct engine *engine_open(struct engines *engines, const struct engine_request *request,
                           enum engine_stage stage)
{
    struct engine *engine = mem_new(sizeof *engine);
    engine->owner = engines;
    engine->stage = (uint8_t)stage;
    char network[ENGINE_ADDRESS_MAX];
    take_network(network, request);
    take_address(engine->address, request->address);
    engine->peer = join_peer(engines, network);
    outq_init(&engine->control, ENGINE_CONTROL_BYTES);
    take_times(engine);
    take_sid(engine);
    DL_APPEND(engines->visits, engine);
    engines->unauthenticated++;
    engines->living[stage == ENGINE_WEBSOCKET]++;
    return engine;
}

void engines_bury(struct engine *engine)
{
    struct engines *engines = engine->owner;
    engine->stage = ENGINE_ENDED;
    HASH_DEL(engines->by_sid, engine);
    DL_DELETE(engines->visits, engine);
    LL_PREPEND(engines->closed, engine);
    leave_peer(engines, engine->peer);
    engine->peer = NULL;
    if (!engine->known)
        engines->unauthenticated--;
}

struct buf engine_open_packet(const struct engine *engine)
{
    const struct engine_options *options = &engine->owner->options;
    struct buf text;
    buf_init(&text, 256);
    buf_fmt(&text, "0{\"sid\":\"%s\",\"upgrades\":[%s],\"pingInterval\":%" PRId64, engine->sid,
            engine->stage == ENGINE_POLLING ? "\"websocket\"" : "", options->ping_interval_ms);
    buf_fmt(&text, ",\"pingTimeout\":%" PRId64 ",\"maxPayload\":%zu}", options->ping_timeout_ms,
            options->max_payload_bytes);
    assert(!text.overflow);
    return text;
}

void engine_tell_open(struct engine *engine)
{
    const struct engine_options *options = &engine->owner->options;
    engine->state = options->upper->open(options->upper_arg, engine);
    assert(engine_lives(engine)); /* open() must not close it */
}
