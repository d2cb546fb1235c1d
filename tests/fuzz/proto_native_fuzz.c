/* Bytes as a script: clients of vigie.v1 say what they please to a real hub, while events happen,
 * sockets stall, the database answers, fails or is restored, and time goes by.
 *
 * Whatever is said, each frame that goes out is one JSON object; `ready` comes first; an event is
 * of the company that `ready` named, and comes once and in order; no frame ever reaches a gate. */
#include "../unit/core/world.h"
#include "proto/native.h"

#include <assert.h>
#include <jansson.h>

enum { CLIENTS = 4 };

struct script {
    const uint8_t *at;
    size_t left;
};

struct listener {
    struct client *client;
    size_t read;
    bool ready;
    char company[EVENT_COMPANY_BYTES_MAX + 1];
    int64_t seq; /* of the last event */
    char cursor[64];
};

static struct world world;
static struct listener listeners[CLIENTS];

static uint8_t take(struct script *script)
{
    if (!script->left)
        return 0;
    script->left--;
    return *script->at++;
}

/* ---- what must hold ---- */

static const char *text_in(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    assert(text);
    return text;
}

static void check_event(struct listener *l, const json_t *message)
{
    const json_t *data = json_object_get(message, "data");
    int64_t seq = json_integer_value(json_object_get(data, "n"));
    assert(strcmp(text_in(data, "company"), l->company) == 0);
    assert(seq > l->seq);
    l->seq = seq;
}

static void check_message(struct listener *l, const json_t *message)
{
    const char *type = text_in(message, "type");
    if (strcmp(type, "ready") == 0) {
        assert(!l->ready);
        l->ready = true;
        strcpy(l->company, text_in(message, "company"));
    }
    assert(l->ready);
    if (strcmp(type, "event") == 0)
        check_event(l, message);
}

static void check(struct listener *l)
{
    for (; l->client && l->read < l->client->count; l->read++) {
        const char *text = l->client->heard[l->read];
        if (strcmp(text, "ping") == 0)
            continue;
        json_t *message = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
        assert(json_is_object(message));
        check_message(l, message);
        json_decref(message);
    }
}

static void turn(void)
{
    world_turn(&world);
    for (int i = 0; i < CLIENTS; i++)
        check(&listeners[i]);
    assert(world.hub->metrics.isolation[0] + world.hub->metrics.isolation[1] == 0);
}

/* ---- what may happen ---- */

static struct listener *someone(struct script *script)
{
    struct listener *l = &listeners[take(script) % CLIENTS];
    if (l->client && !l->client->session)
        l->client = NULL;
    if (l->client)
        return l;
    *l = (struct listener){.client = client_speaking(&world, &native_protocol)};
    return l;
}

static void a_client_speaks(struct script *script)
{
    struct listener *l = someone(script);
    size_t len = take(script) | (size_t)(take(script) & 3) << 8;
    len = len < script->left ? len : script->left;
    if (!l->client->closed)
        native_receive(l->client->session, (const char *)script->at, len);
    script->at += len;
    script->left -= len;
}

static void a_client_comes_in(struct script *script)
{
    static const char *const tokens[] = {"acme|u1|chef", "acme|u2||5", "rival|u1|chef,clerk",
                                         "rival|\"\\|a", "acme|u1|clerk||other"};
    static const char *const rooms[] = {"conversation:1", "company:rival", "conversation:2"};
    struct listener *l = someone(script);
    const char *token = tokens[take(script) % 5];
    const char *cursor = take(script) % 2 ? listeners[take(script) % CLIENTS].cursor : NULL;
    if (!l->client->closed)
        session_auth(l->client->session, token, strlen(token), cursor, rooms, take(script) % 4);
}

static void a_client_goes(struct script *script)
{
    struct listener *l = someone(script);
    session_gone(l->client->session);
    l->client->session = NULL;
}

static void a_socket_takes(struct script *script)
{
    struct listener *l = someone(script);
    unsigned frames = take(script);
    client_takes(l->client, frames > 200 ? -1 : (long)frames);
}

/* `n` grows for ever, whatever becomes of the positions. */
static void something_happens(struct script *script)
{
    static const char *const rooms[] = {"company:acme", "company:rival\nuser:u1", "conversation:1",
                                        "role:chef\nuser:u1\nconversation:1", "user:\"\\\nuser:u2"};
    static int64_t n;
    char payload[64];
    const char *company = take(script) % 2 ? "acme" : "rival";
    for (unsigned i = take(script) % 16; i-- > 0;) {
        snprintf(payload, sizeof payload, "{\"company\":\"%s\",\"n\":%" PRId64 "}", company, ++n);
        database_add(world.db, company, rooms[take(script) % 5], payload);
    }
    world_pull(&world, 1 + take(script) % 32);
}

static void the_database_answers(struct script *script)
{
    if (!world.question_count)
        return;
    bool yes = take(script) % 4;
    if (world.questions[0].claims)
        world_allow(&world, yes);
    else if (yes)
        world_answer(&world);
    else
        world_fail(&world);
}

static void the_database_is_restored(struct script *script)
{
    int64_t kept = world.db->last_seq - take(script) % 16;
    kept = kept > 0 ? kept : 0;
    database_forget(world.db, kept);
    world.db->last_seq = kept;
    snprintf(world.db->epoch, sizeof world.db->epoch, "epoch %u", take(script));
    world_up(&world);
}

static void the_memory_shrinks(struct script *script)
{
    world.hub->history.budget_bytes = (size_t)take(script) * 16;
}

static void time_passes(struct script *script)
{
    world_pass(take(script) * 40);
    for (int i = 0; i < HUB_TICK_SLICES; i++)
        hub_tick(world.hub);
}

static void the_database_forgets(struct script *script)
{
    int64_t floor = world.hub->position - take(script);
    if (floor > world.db->floor_seq)
        world.db->floor_seq = floor;
}

static void keep_cursors(void)
{
    for (int i = 0; i < CLIENTS; i++)
        if (listeners[i].client)
            strcpy(listeners[i].cursor, listeners[i].client->cursor);
}

static void step(struct script *script)
{
    static void (*const steps[])(struct script *) = {
        a_client_speaks,     a_client_comes_in,  something_happens,    a_client_speaks,
        something_happens,   a_socket_takes,     the_database_answers, the_database_answers,
        time_passes,         the_memory_shrinks, a_client_goes,        the_database_is_restored,
        the_database_forgets};
    uint8_t what = take(script);
    steps[what % (sizeof steps / sizeof *steps)](script);
    if (what & 0x80)
        turn();
    keep_cursors();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct script script = {data, size};
    log_setup(LOG_ERROR, LOG_LOGFMT);
    memset(listeners, 0, sizeof listeners);
    world_dice = 1;
    world_now_ms = 1000000;
    world_open(&world);
    world.hub->options.limits.queue_bytes = 700;
    while (script.left)
        step(&script);
    turn();
    world_close(&world);
    return 0;
}
