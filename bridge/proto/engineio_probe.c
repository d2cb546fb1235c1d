/* The way from polling to WebSocket: a second transport on trial, that becomes the only one with
 * `5` or is dropped, and the polling goes on as if it had never been there. */
#include "proto/engineio_private.h"

#include <assert.h>
#include <string.h>

void engine_attach_probe(struct engine *engine, struct engine_socket *socket)
{
    engine->probe = socket;
    socket->engine = engine;
    socket->probe = true;
    engine->probe_ms = engine_now(engine) + engine->owner->options.upgrade_timeout_ms;
}

void engine_forget_probe(struct engine *engine, enum upgrade_result result)
{
    engine->probe->engine = NULL;
    engine->probe = NULL;
    engine->probed = engine->probe_owed = false;
    engine->owner->upgrades[result]++;
}

void engine_drop_probe(struct engine *engine, enum close_reason reason, enum upgrade_result result)
{
    struct engine_socket *probe = engine->probe;
    if (!probe)
        return;
    engine_forget_probe(engine, result);
    if (reason == CLOSE_CLIENT)
        reason = CLOSE_GOING_AWAY;
    engine->owner->options.edge->hang_up(probe, reason, NULL, 0);
}

/* From here on every GET is answered at once: the client waits until it has none under way, and one
 * `6` is not enough, for it may ask again before it has read 3probe. */
static void take_probe(struct engine *engine)
{
    engine->probed = engine->probe_owed = true;
    engine->probed_ms = engine_now(engine);
    engine->owner->options.edge->wake(engine->probe);
    engine_answer_get(engine);
}

static void upgrade(struct engine *engine)
{
    struct engines *owner = engine->owner;
    int64_t took_ms = engine_now(engine) - engine->probed_ms;
    assert(!engine->get); /* once probed, none waits */
    engine->socket = engine->probe;
    engine->probe = NULL;
    engine->socket->probe = false;
    engine->stage = ENGINE_WEBSOCKET;
    owner->living[0]--;
    owner->living[1]++;
    owner->upgrades[UPGRADE_OK]++;
    histogram_add(owner->upgrade_seconds, (double)took_ms / 1000);
    owner->options.edge->wake(engine->socket);
}

void engine_probe_text(struct engine *engine, const char *text, size_t len)
{
    if (!engine_spend(engine))
        return;
    if (!engine->probed && len == 6 && memcmp(text, "2probe", 6) == 0)
        take_probe(engine);
    else if (engine->probed && len == 1 && *text == '5')
        upgrade(engine);
    else
        engine_drop_probe(engine, CLOSE_BAD_REQUEST, UPGRADE_FAILED);
}
