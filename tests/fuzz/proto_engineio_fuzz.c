/* Bytes as a script: clients of a door of engines poll, post, open sockets, upgrade, speak, stall
 * and go, as they please and all at once, while what is above speaks and closes and time goes by.
 *
 * Whatever they do: each request is answered once or waits for a reason, nothing is written twice
 * or out of order or to the engine of another, no ceiling is passed, nobody outlives his time, and
 * all that was opened is closed. */
#include "../unit/proto/door.h"

enum { CLIENTS = 6, NUMBERS_MAX = 4096 };

struct script {
    const uint8_t *at;
    size_t left;
};

/* One who may hold several requests and sockets, of his own engine or of none. */
struct client {
    char sid[ENGINE_SID_LEN + 1];
    struct ask *get;
    struct ask *post;
    struct wire *wire;  /* the last one opened */
    struct wire *other; /* the one before */
    size_t read;        /* of wire->said */
    unsigned said;      /* numbers given to its engine to send */
    unsigned heard;     /* and those that came */
};

static struct door door;
static struct client clients[CLIENTS];

static uint8_t take(struct script *script)
{
    if (!script->left)
        return 0;
    script->left--;
    return *script->at++;
}

static struct client *someone(struct script *script)
{
    return &clients[take(script) % CLIENTS];
}

static struct engine *engine_of(const struct client *client)
{
    struct engine *engine = NULL;
    HASH_FIND_STR(door.engines->by_sid, client->sid, engine);
    return engine && engine_lives(engine) ? engine : NULL;
}

/* ---- what must hold ---- */

/* Numbers come in order, each once, whatever they came by; and to nobody else. */
static void hear(struct client *client, const char *packet)
{
    unsigned who;
    unsigned number;
    if (sscanf(packet, "4n%u.%u", &who, &number) != 2)
        return;
    assert(&clients[who] == client && number == client->heard);
    client->heard++;
}

static void hear_all(struct client *client, char *text, const char *separator)
{
    char *rest = text;
    for (char *packet; (packet = strsep(&rest, separator));)
        hear(client, packet);
    free(text);
}

static void hear_wire(struct client *client, struct wire *wire)
{
    if (!wire || !wire->said.len)
        return;
    hear_all(client, mem_dup(wire->said.bytes, wire->said.len), "|");
    buf_clear(&wire->said);
}

static void hear_get(struct client *client)
{
    struct ask *get = client->get;
    if (!get || !get->status)
        return;
    client->get = NULL;
    if (get->status == 200 && !get->json)
        hear_all(client, mem_dup(get->body, get->len), "\x1e");
}

static void check_engine(const struct engine *engine, unsigned living[2], unsigned *strangers)
{
    *strangers += !engine->known;
    assert(engine->peer && engine->peer->count <= door.options.max_per_address);
    assert(!engine->get || engine->get->engine == engine);
    assert(!engine->post || engine->post->engine == engine);
    assert(!engine->probe || (engine->probe->engine == engine && engine->probe->probe));
    assert(engine_lives(engine) == (engine->state != NULL));
    assert(engine->control.count <= ENGINE_CONTROL_MAX);
    if (!engine_lives(engine)) {
        assert(!engine->get && !engine->post && !engine->probe && !engine->socket && engine->last);
        return;
    }
    living[engine->stage == ENGINE_WEBSOCKET]++;
    const struct above *above = engine->state;
    if (engine->get) /* it waits because there is nothing to say */
        assert(!engine->control.count && !above->queue && !engine->probed);
    if (engine->stage == ENGINE_WEBSOCKET)
        assert(engine->socket->engine == engine && !engine->probe && !engine->get);
    else
        assert(!engine->socket);
    if (engine->stage == ENGINE_WEBSOCKET && (engine->control.count || above->queue))
        assert(((const struct wire *)engine->socket)->woken);
}

static void check(void)
{
    struct engines *engines = door.engines;
    unsigned living[2] = {0, 0};
    unsigned strangers = 0;
    for (const struct engine *engine = engines->visits; engine; engine = engine->next)
        check_engine(engine, living, &strangers);
    assert(strangers == engines->unauthenticated);
    assert(engines->living[0] == living[0] && engines->living[1] == living[1]);
    assert(engines_count(engines) <= door.options.max_engines);
    assert(door.opened - door.ended == living[0] + living[1]);
}

/* After a second of ticks everybody was visited. */
static void check_times(void)
{
    for (const struct engine *engine = door.engines->visits; engine; engine = engine->next) {
        int64_t past_ms = door_now_ms - 1100;
        if (engine->stage == ENGINE_KEPT)
            assert(engine->keep_ms > past_ms);
        else
            assert((!engine->pong_ms || engine->pong_ms > past_ms) &&
                   (engine->pong_ms || engine->ping_ms > past_ms) &&
                   (engine->known || engine->known_ms > past_ms) &&
                   (!engine->probe || engine->probe_ms > past_ms));
    }
}

/* ---- what may happen ---- */

static void hear_everything(struct client *client)
{
    hear_get(client);
    hear_wire(client, client->wire);
    hear_wire(client, client->other);
}

static void a_client_shakes_hands(struct script *script)
{
    struct client *client = someone(script);
    if (engine_of(client))
        return;
    hear_everything(client);
    if (take(script) % 2) {
        struct ask *first = door_get(&door, NULL);
        *client = (struct client){0};
        if (first->status == 200)
            strcpy(client->sid, sid_in(first->body));
        return;
    }
    struct wire *wire = door_wire(&door, NULL);
    *client = (struct client){.wire = wire && !wire->hung ? wire : NULL};
    if (client->wire)
        strcpy(client->sid, wire->socket.engine->sid);
}

static void a_client_polls(struct script *script)
{
    struct client *client = someone(script);
    hear_get(client);
    struct ask *get = door_get(&door, client->sid[0] ? client->sid : "none");
    if (get->status == 200 && client->get) {
        assert(client->get->status); /* the older was answered, or gone */
        hear_get(client);
    }
    hear_get(client);
    client->get = get;
    hear_get(client);
}

static void a_client_knocks_oddly(struct script *script)
{
    static const char *const transports[] = {"polling", "websocket", "flash", NULL};
    static const char *const versions[] = {"4", "3", NULL};
    struct client *client = someone(script);
    struct engine_request request =
        request_of(transports[take(script) % 4], take(script) % 2 ? client->sid : "x");
    request.version = versions[take(script) % 3];
    request.method = (enum engine_method)(take(script) % 3);
    request.upgrade = take(script) % 2;
    request.octets = take(script) % 2;
    if (request.upgrade)
        (void)engines_judge_socket(door.engines, &request, take(script) % 4);
    else if (request.method != ENGINE_GET)
        engine_http_gone(&door_request(&door, &request)->http);
}

static void a_client_begins_to_post(struct script *script)
{
    struct client *client = someone(script);
    if (client->sid[0])
        client->post = door_begin_post(&door, client->sid);
}

static char *some_text(struct script *script, size_t *len)
{
    *len = take(script);
    *len = *len < script->left ? *len : script->left;
    char *text = mem_dup((const char *)script->at, *len);
    script->at += *len;
    script->left -= *len;
    return text;
}

static void a_body_is_complete(struct script *script)
{
    struct client *client = someone(script);
    size_t len;
    char *text = some_text(script, &len);
    if (client->post && take(script) % 16 == 15)
        engine_body_too_long(&client->post->http);
    else if (client->post)
        engine_body(&client->post->http, text, len);
    client->post = NULL;
    free(text);
}

static void a_client_opens_a_socket(struct script *script)
{
    struct client *client = someone(script);
    struct wire *wire = client->sid[0] ? door_wire(&door, client->sid) : NULL;
    if (!wire || wire->hung)
        return; /* it had no business there */
    hear_everything(client);
    client->other = client->wire;
    client->wire = wire;
}

static struct wire *wire_of(struct script *script, struct client *client)
{
    return take(script) % 4 ? client->wire : client->other;
}

static void a_client_speaks(struct script *script)
{
    struct wire *wire = wire_of(script, someone(script));
    size_t len;
    char *text = some_text(script, &len);
    if (wire && take(script) % 8 == 7)
        engine_socket_binary(&wire->socket, text, len);
    else if (wire)
        engine_socket_text(&wire->socket, text, len);
    free(text);
}

static void a_client_upgrades(struct script *script)
{
    static const char *const words[] = {"2probe", "5", "3", "4login"};
    struct wire *wire = wire_of(script, someone(script));
    if (wire)
        wire_hear(wire, words[take(script) % 4]);
}

static void a_client_loses_something(struct script *script)
{
    struct client *client = someone(script);
    uint8_t what = take(script);
    struct wire *wire = wire_of(script, client);
    if (what % 4 == 0 && client->get)
        engine_http_gone(&client->get->http);
    else if (what % 4 == 1 && client->post)
        engine_http_gone(&client->post->http);
    else if (what % 4 == 2 && wire)
        engine_socket_gone(&wire->socket);
    else if (wire)
        engine_socket_broken(&wire->socket, what & 4 ? CLOSE_TOO_BIG : CLOSE_UTF8);
}

static void a_socket_takes(struct script *script)
{
    struct client *client = someone(script);
    struct wire *wire = wire_of(script, client);
    size_t size = take(script) + 300u; /* any packet of this script fits */
    if (!wire || wire->hung)
        return;
    hear_get(client); /* polling came first */
    wire_flush_by(wire, size);
    hear_wire(client, wire);
}

static void something_is_said(struct script *script)
{
    struct client *client = someone(script);
    for (unsigned i = take(script) % 8; i-- > 0;) {
        struct engine *engine = engine_of(client);
        char text[32];
        if (!engine || client->said == NUMBERS_MAX)
            return;
        snprintf(text, sizeof text, "n%u.%u", (unsigned)(client - clients), client->said++);
        above_queue_text(engine->state, text);
    }
}

static void something_else_is_said(struct script *script)
{
    struct engine *engine = engine_of(someone(script));
    for (unsigned i = take(script); engine && i-- > 0;)
        engine_send(engine, "43[]", 4);
}

static void the_end_is_wanted(struct script *script)
{
    struct engine *engine = engine_of(someone(script));
    if (engine)
        engine_close(engine, (enum close_reason)(take(script) % CLOSE_REASON_COUNT));
}

static void time_passes(struct script *script)
{
    uint8_t what = take(script);
    if (what & 0x80) {
        door_now_ms += (what & 0x7f) * 500; /* nobody looked */
        return;
    }
    door_pass(&door, what * 10);
    if (what < 110)
        return;
    door_pass(&door, 1000 + (100 - door_now_ms % 100));
    check_times();
}

static void the_options_change(struct script *script)
{
    door.options.ping_interval_ms = 300 + take(script) * 100;
    door.options.ping_timeout_ms = 200 + take(script) * 100;
    door.options.packets_per_second = 1 + take(script);
    door_limit(&door);
}

static void step(struct script *script)
{
    static void (*const steps[])(struct script *) = {a_client_shakes_hands,
                                                     a_client_polls,
                                                     a_client_begins_to_post,
                                                     a_body_is_complete,
                                                     a_client_opens_a_socket,
                                                     a_client_upgrades,
                                                     a_client_speaks,
                                                     a_socket_takes,
                                                     something_is_said,
                                                     something_else_is_said,
                                                     time_passes,
                                                     a_client_loses_something,
                                                     the_end_is_wanted,
                                                     a_client_knocks_oddly,
                                                     the_options_change,
                                                     a_client_upgrades};
    steps[take(script) % (sizeof steps / sizeof *steps)](script);
    check();
}

/* What lives has lost nothing. */
static void hear_the_rest(struct client *client)
{
    struct engine *engine = engine_of(client);
    hear_everything(client);
    if (engine && engine->stage == ENGINE_WEBSOCKET)
        (void)wire_said((struct wire *)engine->socket);
    while (engine && engine->stage == ENGINE_POLLING && !engine->get &&
           client->heard < client->said) {
        client->get = door_get(&door, client->sid);
        hear_get(client);
    }
    hear_everything(client);
    if (engine && engine_lives(engine))
        assert(client->heard == client->said);
}

static void hear_what_is_left(void)
{
    for (struct client *client = clients; client < clients + CLIENTS; client++)
        hear_the_rest(client);
}

/* Each packet lies within the payload, and together with the separators they are all of it. */
static void split(const char *bytes, size_t len)
{
    struct engine_part part;
    size_t at = 0;
    size_t parts = 0;
    size_t sum = 0;
    while (engine_next_part(bytes, len, &at, &part)) {
        bool empty = part.type == ENGINE_TYPE_BAD && part.len == 0;
        size_t size = at - 1 - (sum + parts);
        assert(at >= 1 && at <= len + 1 && part.len <= len);
        assert(size == part.len + 1 || (empty && size == 0));
        assert(!memchr(part.bytes, ENGINE_SEPARATOR, part.len));
        sum += size;
        parts++;
    }
    assert(parts >= 1 && sum + parts - 1 == len);
}

static void decode(const char *text, size_t len)
{
    size_t out_len = 0;
    void *bytes = engine_base64_decode(text, len, &out_len);
    if (!bytes)
        return;
    struct buf again;
    buf_init(&again, 2 * len + 8);
    engine_base64_add(&again, bytes, out_len);
    assert(again.len == len && (!len || memcmp(again.bytes, text, len) == 0));
    buf_free(&again);
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct script script = {data, size};
    log_setup(LOG_ERROR, LOG_LOGFMT);
    split((const char *)data, size);
    decode((const char *)data, size);
    memset(clients, 0, sizeof clients);
    door_dice = 1;
    door_now_ms = 1000000;
    door_open(&door);
    door.options.max_engines = 5;
    door.options.max_unauthenticated = 4;
    door.options.max_payload_bytes = 200;
    door_limit(&door);
    while (script.left)
        step(&script);
    hear_what_is_left();
    check();
    door_close(&door);
    return 0;
}
