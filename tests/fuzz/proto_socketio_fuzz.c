/* Bytes as a script: pages say what they please to a real hub through engines of air, or do what a
 * stock client does, while events happen, sockets stall, connections are lost and taken up again,
 * the database answers, fails or is restored, and time goes by.
 *
 * Whatever is said, each packet that goes out is one that a stock client's decoder takes (page.h);
 * an event is of the company whose token was shown; and all that happens to a company, which each
 * of its sessions hears of, comes once and in order and without a hole, across every connection
 * that a page was told `recovered` for, unless a gap was told. */
#include "../unit/proto/page.h"

enum { PAGES = 3 };

struct script {
    const uint8_t *at;
    size_t left;
};

/* What must hold for one namespace of a page. */
struct watch {
    char company[16]; /* of the token it came with; empty: whatever its first event says */
    char person[24];  /* who comes; empty: it may be anybody */
    char pid[128];
    char owner[24];   /* of that pid; empty: it may be anybody */
    int64_t n;        /* of the last event heard: each company counts its own */
    bool sure;        /* the next is the one after it */
    bool recovered;   /* said the last answer to CONNECT */
    bool owes_a_gap;  /* it came back in vain, and was not told of a gap yet */
    bool owes_a_room; /* or for want of a room, and was not told of which yet */
};

static struct office office;
static struct watch watches[PAGES][PAGE_NAMESPACES];
static size_t seen[PAGES];
static int64_t happened[2]; /* to rival, to acme */
static unsigned epochs;

static uint8_t take(struct script *script)
{
    if (!script->left)
        return 0;
    script->left--;
    return *script->at++;
}

/* ---- what must hold ---- */

static void check_event(struct watch *watch, const json_t *data)
{
    const json_t *payload = json_array_get(data, 1);
    const char *company = json_string_value(json_object_get(payload, "company"));
    int64_t n = json_integer_value(json_object_get(payload, "n"));
    if (!*watch->company)
        strcpy(watch->company, company);
    assert(strcmp(company, watch->company) == 0);
    assert(!watch->owes_a_gap && !watch->owes_a_room);
    assert(watch->sure ? n == watch->n + 1 : n > 0);
    watch->n = n;
    watch->sure = true;
}

static void check_gap(struct watch *watch, const json_t *data)
{
    const json_t *reason = json_object_get(json_array_get(data, 1), "reason");
    assert(!watch->recovered || strcmp(json_string_value(reason), "cursor") != 0);
    watch->sure = false;
    watch->owes_a_gap = false;
}

static void check_error(struct watch *watch, const json_t *data)
{
    if (json_object_get(json_array_get(data, 1), "room"))
        watch->owes_a_room = false;
}

static void check_named(struct watch *watch, const json_t *data)
{
    const char *name = json_string_value(json_array_get(data, 0));
    assert(json_array_size(data) == 3);
    assert(json_string_length(json_array_get(data, 2)) == SEAL_TEXT_LEN);
    if (strcmp(name, "devis:made") == 0)
        check_event(watch, data);
    else if (strcmp(name, "vigie:gap") == 0)
        check_gap(watch, data);
    else if (strcmp(name, "vigie:error") == 0)
        check_error(watch, data);
    else
        assert(strncmp(name, "vigie:", 6) == 0);
}

static void check_connected(struct watch *watch, const json_t *data)
{
    const char *pid = json_string_value(json_object_get(data, "pid"));
    bool came_back = *watch->pid && *watch->person; /* it had one, and showed it */
    watch->recovered = strcmp(pid, watch->pid) == 0;
    watch->owes_a_room = !watch->recovered && came_back && pid[0] == 's';
    if (watch->recovered) {
        assert(!watch->owes_a_gap);
        assert(!*watch->owner || strcmp(watch->person, watch->owner) == 0);
        return;
    }
    watch->sure = false;
    watch->owes_a_gap = came_back && pid[0] == 'g';
    strcpy(watch->pid, pid);
    strcpy(watch->owner, watch->person);
}

static void check_line(size_t p, const char *text)
{
    const char *comma = text[1] == '/' ? strchr(text, ',') : NULL;
    const char *nsp = comma ? text + 1 : "/";
    size_t nsp_len = comma ? (size_t)(comma - text) - 1 : 1;
    struct corner *corner = page_corner(office.pages[p], nsp, nsp_len);
    if (*text != '2' && *text != '0')
        return;
    struct watch *watch = &watches[p][corner - office.pages[p]->corners];
    json_t *data = json_loads(comma ? comma + 1 : text + 1, JSON_REJECT_DUPLICATES, NULL);
    if (*text == '2')
        check_named(watch, data);
    else
        check_connected(watch, data);
    json_decref(data);
}

static void check(void)
{
    for (size_t p = 0; p < PAGES; p++) {
        struct page *page = office.pages[p];
        for (; seen[p] < page->count; seen[p]++)
            check_line(p, page->heard[seen[p]]);
        for (size_t i = 0; i < page->count; i++)
            free(page->heard[i]);
        page->count = seen[p] = 0;
    }
    assert(office.world.hub->metrics.isolation[0] + office.world.hub->metrics.isolation[1] == 0);
}

static void turn(void)
{
    office_turn(&office);
    check();
}

/* ---- what may happen ---- */

static void loses(size_t p)
{
    page_loses(&office, office.pages[p]);
    check();
}

static struct page *someone(struct script *script, size_t *p)
{
    *p = take(script) % PAGES;
    struct page *page = office.pages[*p];
    if (!page->engine->state) {
        loses(*p);
        page_dials(&office, page);
    }
    return page;
}

/* Nothing of what was before follows a CONNECT that is taken, nor a DISCONNECT. */
static void says(size_t p, const char *text, size_t len)
{
    struct page *page = office.pages[p];
    struct socketio_packet packet;
    socketio_parse(text, len, &packet);
    struct corner *corner = page_corner(page, packet.nsp, strlen(packet.nsp));
    if (corner && packet.type == SOCKETIO_CONNECT)
        watches[p][corner - page->corners].company[0] =
            watches[p][corner - page->corners].person[0] = '\0';
    if (corner && packet.type == SOCKETIO_DISCONNECT)
        corner->connected = false;
    socketio_packet_free(&packet);
    if (!socketio_upper.text(page->engine->state, text, len))
        engine_close(page->engine, CLOSE_PROTOCOL);
}

static void a_page_says_anything(struct script *script)
{
    size_t p;
    someone(script, &p);
    size_t len = take(script) | (size_t)(take(script) & 3) << 8;
    len = len < script->left ? len : script->left;
    says(p, (const char *)script->at, len);
    script->at += len;
    script->left -= len;
}

static void a_page_sends_bytes(struct script *script)
{
    size_t p;
    struct page *page = someone(script, &p);
    if (!socketio_upper.binary(page->engine->state, script->at, script->left ? 1 : 0))
        engine_close(page->engine, CLOSE_PROTOCOL);
}

/* As a stock client: with what it has; connected already, it says nothing. */
static void a_page_connects(struct script *script)
{
    static const char *const tokens[] = {"acme|u1|chef", "acme|u2||5", "rival|u1|chef,clerk",
                                         "nobody", "acme|u1|clerk||other"};
    static const char *const more[] = {"", "", ",\"rooms\":[\"conversation:1\",\"company:rival\"]",
                                       ",\"offset\":\"MINE\"", ",\"rooms\":5"};
    size_t p;
    struct page *page = someone(script, &p);
    unsigned nsp = take(script) % PAGE_NAMESPACES;
    const char *token = tokens[take(script) % 5];
    struct watch *watch = &watches[p][nsp];
    if (page->corners[nsp].connected)
        return;
    snprintf(watch->company, sizeof watch->company, "%.*s", (int)strcspn(token, "|"), token);
    snprintf(watch->person, sizeof watch->person, "%.7s%s", token,
             strstr(token, "other") ? "!" : "");
    page_connects_with(&office, page, nsp, token, more[take(script) % 5]);
    check();
}

static void a_page_goes(struct script *script)
{
    size_t p;
    someone(script, &p);
    loses(p);
}

static void a_page_emits(struct script *script)
{
    static const char *const emits[] = {"2[\"vigie:join\",\"conversation:1\"]",
                                        "27[\"vigie:join\",\"conversation:2\"]",
                                        "2[\"vigie:leave\",\"conversation:1\"]",
                                        "28[\"vigie:leave\",\"role:chef\"]",
                                        "2[\"vigie:auth\",{\"token\":\"acme|u1\"}]",
                                        "29[\"vigie:auth\",{\"token\":\"acme|u1|x\"}]",
                                        "20[\"typing\"]",
                                        "51-[\"up\"]",
                                        "2/messages,5[\"vigie:join\",\"a:1\"]",
                                        "1/messages,"};
    size_t p;
    someone(script, &p);
    const char *text = emits[take(script) % 10];
    says(p, text, strlen(text));
}

static void a_page_takes(struct script *script)
{
    size_t p;
    struct page *page = someone(script, &p);
    unsigned packets = take(script);
    page->takes = packets > 200 ? -1 : (long)packets;
    page->engine->awake = true;
}

static void something_happens(struct script *script)
{
    static const char *const more[] = {"", "\ncompany:rival\nuser:u1", "\nconversation:1",
                                       "\nrole:chef\nuser:u1\nconversation:1", "\nuser:u2"};
    static const char *const companies[] = {"rival", "acme"};
    char payload[64];
    char rooms[64];
    unsigned who = take(script) % 2;
    for (unsigned i = take(script) % 16; i-- > 0;) {
        snprintf(payload, sizeof payload, "{\"company\":\"%s\",\"n\":%" PRId64 "}", companies[who],
                 ++happened[who]);
        snprintf(rooms, sizeof rooms, "company:%s%s", companies[who], more[take(script) % 5]);
        database_add(office.world.db, companies[who], rooms, payload);
    }
    world_pull(&office.world, 1 + take(script) % 32);
}

static void the_database_answers(struct script *script)
{
    if (!office.world.question_count)
        return;
    bool yes = take(script) % 4;
    if (office.world.questions[0].claims)
        world_allow(&office.world, yes);
    else if (yes)
        world_answer(&office.world);
    else
        world_fail(&office.world);
}

static void the_database_is_restored(struct script *script)
{
    struct database *db = office.world.db;
    int64_t kept = db->last_seq - take(script) % 16;
    kept = kept > 0 ? kept : 0;
    database_forget(db, kept);
    db->last_seq = kept;
    snprintf(db->epoch, sizeof db->epoch, "epoch %u", ++epochs);
    world_up(&office.world);
}

static void the_database_forgets(struct script *script)
{
    int64_t floor = office.world.hub->position - take(script);
    if (floor > office.world.db->floor_seq)
        office.world.db->floor_seq = floor;
}

static void the_memory_shrinks(struct script *script)
{
    office.world.hub->history.budget_bytes = (size_t)take(script) * 16;
}

static void time_passes(struct script *script)
{
    world_pass(take(script) * 40);
    for (int i = 0; i < HUB_TICK_SLICES; i++)
        hub_tick(office.world.hub);
}

static void step(struct script *script)
{
    static void (*const steps[])(struct script *) = {
        a_page_connects,      a_page_says_anything, something_happens,    a_page_goes,
        a_page_connects,      a_page_emits,         the_database_answers, something_happens,
        a_page_takes,         time_passes,          a_page_sends_bytes,   the_database_is_restored,
        the_database_forgets, the_memory_shrinks,   the_database_answers};
    uint8_t what = take(script);
    steps[what % (sizeof steps / sizeof *steps)](script);
    if (what & 0x80)
        turn();
}

/* The parser alone, on memory of exactly that size. */
static void parse(const uint8_t *data, size_t size)
{
    struct socketio_packet packet;
    char *copy = mem_dup((const char *)data, size);
    socketio_parse(copy, size, &packet);
    assert(packet.nsp[0] == '/' && packet.attachments <= SOCKETIO_ATTACHMENTS_MAX);
    assert(packet.type != SOCKETIO_EVENT || json_array_size(packet.json) > 0);
    socketio_packet_free(&packet);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct script script = {data, size};
    log_setup(LOG_ERROR, LOG_LOGFMT);
    parse(data, size);
    memset(watches, 0, sizeof watches);
    memset(seen, 0, sizeof seen);
    memset(happened, 0, sizeof happened);
    epochs = 0;
    world_dice = 1;
    world_now_ms = 1000000;
    office_open(&office);
    office.world.hub->options.limits.queue_bytes = 700;
    for (int i = 0; i < PAGES; i++)
        page_new(&office);
    while (script.left)
        step(&script);
    turn();
    office_close(&office);
    return 0;
}
