/* A random walk over two bridges on one database, against a reference: the rows themselves.
 *
 * Clients of two companies come in, stall, read a little, lose their socket and come back on either
 * bridge with their last cursor; bridges read the feed at their own pace, forget their memory, lose
 * the database and find it again; it answers late, out of order, from an old snapshot or not at
 * all, forgets its beginning, and is restored to an earlier state under another epoch.
 *
 * Whatever happens: each event a client hears is the next one of its company and rooms after what
 * it had, unless it was told a gap that has a reason; `ready` comes first; and in the end, when all
 * is read, nothing is missing. The seed is printed; VIGIE_WALK_SEED repeats a walk. */
#include "unit.h"

#include "core/world.h"

#include <time.h>

enum { CLIENTS = 6, BRIDGES = 2, STEPS = 4000, WALKS = 25, ERAS_MAX = 64 };

/* One who follows its company through all its connections. */
struct follower {
    struct client *client; /* NULL while it has no socket */
    const char *company;
    const char *token;
    const char *room; /* asked for besides those of the token */
    size_t read;      /* of the client's lines */
    bool ready;
    bool has_room; /* `ready` listed it: the database could be asked */
    int64_t pos;   /* nothing up to here is missing */
    int era;       /* of the database, whose positions these are */
    bool owes_gap; /* it came back and was not resumed */
    bool lost_gap; /* and its socket went before the gap was heard */
    int judged_in; /* the era of the bridge that looked at its cursor */
    char cursor[64];
};

struct answer {
    struct world *bridge;
    uint64_t ticket;
    struct replay replay;
};

struct walk {
    struct database db;
    int era;
    struct database past[ERAS_MAX]; /* as each era was when it ended */
    struct cursor_codec *codecs[ERAS_MAX];
    struct world bridges[BRIDGES];
    int bridge_era[BRIDGES];
    struct follower followers[CLIENTS];
    struct answer late[64];
    size_t late_count;
    uint64_t seed;
    unsigned serial;
    unsigned events;
    unsigned gaps;
    unsigned resumes;
};

static const struct {
    const char *company;
    const char *token;
    const char *room;
} people[CLIENTS] = {
    {"acme", "acme|u1|chef|90000", "conversation:1"},
    {"acme", "acme|u2||90000", "conversation:2"},
    {"acme", "acme|u3|chef,clerk|90000", NULL},
    {"rival", "rival|u1|chef|90000", "conversation:1"},
    {"rival", "rival|u2||90000", "conversation:2"},
    {"rival", "rival|u3|clerk|90000", NULL},
};

static const char *const room_lists[] = {
    "user:u1",
    "user:u2\nconversation:1",
    "role:chef\nconversation:1\nuser:u1",
    "conversation:2\nrole:clerk\nuser:u3",
    "role:clerk",
    "nobody:1",
    "company:acme\nuser:u1\nrole:chef",
    "company:rival\nconversation:2",
    "conversation:1\nconversation:2\nrole:chef\nrole:clerk",
};

/* ---- the reference ---- */

static void wrong(const struct walk *walk, const struct follower *f, const char *what)
{
    const char *line = f->read < f->client->count ? f->client->heard[f->read] : "";
    print_error("seed %" PRIu64 ": %s of %s at %" PRId64 ": %s: %s\n", walk->seed, f->token,
                f->company, f->pos, what, line);
    fail();
}

static bool is_one_of(const char *list, const char *room)
{
    size_t len = strlen(room);
    for (const char *at = list; at; at = strchr(at, '\n')) {
        at += *at == '\n';
        if (strncmp(at, room, len) == 0 && (at[len] == '\n' || at[len] == '\0'))
            return true;
    }
    return false;
}

/* "role:" and each role of the token. */
static bool has_role_in(const struct follower *f, const char *rooms)
{
    static const char *const roles[] = {"chef", "clerk"};
    for (size_t i = 0; i < COUNT(roles); i++) {
        char room[32];
        snprintf(room, sizeof room, "role:%s", roles[i]);
        if (strstr(f->token, roles[i]) && is_one_of(rooms, room))
            return true;
    }
    return false;
}

static bool is_for(const struct follower *f, const struct row *row)
{
    char user[32];
    char company[32];
    snprintf(user, sizeof user, "user:%.2s", strchr(f->token, '|') + 1);
    snprintf(company, sizeof company, "company:%s", f->company);
    return strcmp(row->company, f->company) == 0 &&
           (is_one_of(row->rooms, user) || is_one_of(row->rooms, company) ||
            has_role_in(f, row->rooms) || (f->has_room && is_one_of(row->rooms, f->room)));
}

static const struct database *era_of(const struct walk *walk, int era)
{
    return era == walk->era ? &walk->db : &walk->past[era];
}

/* The first row after `pos` that is for it, or NULL. */
static const struct row *next_for(const struct walk *walk, const struct follower *f)
{
    const struct database *db = era_of(walk, f->era);
    for (size_t i = 0; i < db->count; i++)
        if (db->rows[i].seq > f->pos && is_for(f, &db->rows[i]))
            return &db->rows[i];
    return NULL;
}

/* The position and era that the cursor of its current line names. */
static int64_t decode(const struct walk *walk, const struct follower *f, int *era)
{
    int64_t seq = -1;
    for (*era = walk->era; *era >= 0; --*era)
        if (cursor_read(walk->codecs[*era], f->company, f->client->cursors[f->read], &seq) ==
            CURSOR_OK)
            return seq;
    return -1; /* nowhere: only in a `ready` that a gap follows */
}

/* Moves on to a position: nothing may lie between. */
static void check_heartbeat(const struct walk *walk, struct follower *f)
{
    int era = 0;
    int64_t seq = decode(walk, f, &era);
    const struct row *missed = next_for(walk, f);
    if (missed && missed->seq <= seq)
        wrong(walk, f, "an event is missing before");
    if (era != f->era || seq < f->pos)
        wrong(walk, f, "the cursor goes back");
    f->pos = seq;
}

static void check_event(struct walk *walk, struct follower *f, const char *line)
{
    int era = 0;
    int64_t seq = 0;
    char payload[64] = "";
    int64_t cursor = decode(walk, f, &era);
    sscanf(line, "event %" SCNd64 " %*s @%*s %63s", &seq, payload);
    const struct row *row = next_for(walk, f);
    if (!row || row->seq != seq || cursor != seq || era != f->era)
        wrong(walk, f, "not the next event");
    if (strcmp(row->payload, payload) != 0)
        wrong(walk, f, "not the event of that position");
    f->pos = seq;
    walk->events++;
}

static void check_ready(struct walk *walk, struct follower *f, const char *line)
{
    int era = 0;
    int64_t seq = decode(walk, f, &era);
    bool resumed = strstr(line, " resumed ") != NULL;
    f->has_room = f->room && strstr(line, f->room);
    f->owes_gap = seq < 0;
    if (f->ready || (resumed && (seq != f->pos || era != f->era)))
        wrong(walk, f, "ready out of place");
    if (f->cursor[0] && !resumed && !f->owes_gap)
        wrong(walk, f, "neither resumed nor a gap");
    f->ready = true;
    walk->resumes += resumed;
    if (f->owes_gap)
        return;
    f->pos = seq;
    f->era = era;
}

/* A gap must have a reason; from its cursor on it is as if new. */
static void check_gap(struct walk *walk, struct follower *f, const char *line)
{
    int era = 0;
    int64_t seq = decode(walk, f, &era);
    bool epoch =
        strstr(line, "gap epoch") && (!f->cursor[0] || era != f->era || f->judged_in != f->era);
    bool retention = strstr(line, "gap retention") && f->pos < walk->db.floor_seq;
    bool lost = strstr(line, "gap cursor") && f->lost_gap;
    if (seq < 0 || (!epoch && !retention && !lost))
        wrong(walk, f, "a gap without a reason");
    f->era = era;
    f->pos = seq;
    f->owes_gap = f->lost_gap = false;
    walk->gaps++;
}

static void check_line(struct walk *walk, struct follower *f, const char *line)
{
    if (!f->ready && strncmp(line, "ready", 5) != 0)
        wrong(walk, f, "something before ready");
    if (f->owes_gap && strncmp(line, "gap", 3) != 0)
        wrong(walk, f, "neither resumed nor a gap");
    if (strncmp(line, "event", 5) == 0)
        check_event(walk, f, line);
    else if (strncmp(line, "ready", 5) == 0)
        check_ready(walk, f, line);
    else if (strncmp(line, "gap", 3) == 0)
        check_gap(walk, f, line);
    else if (strncmp(line, "heartbeat", 9) == 0)
        check_heartbeat(walk, f);
}

static void check(struct walk *walk, struct follower *f)
{
    for (; f->client && f->read < f->client->count; f->read++)
        check_line(walk, f, f->client->heard[f->read]);
    if (f->client && f->client->cursor[0])
        strcpy(f->cursor, f->client->cursor);
}

/* ---- what may happen ---- */

/* Closed by the bridge: the socket is gone. */
static void forget_closed(struct follower *f)
{
    if (f->client && !f->client->session)
        f->client = NULL;
}

static void turn(struct walk *walk)
{
    for (int i = 0; i < BRIDGES; i++)
        world_turn(&walk->bridges[i]);
    for (int i = 0; i < CLIENTS; i++) {
        check(walk, &walk->followers[i]);
        forget_closed(&walk->followers[i]);
    }
}

static void something_happens(struct walk *walk, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        char payload[32];
        const char *company = world_below(2) ? "acme" : "rival";
        snprintf(payload, sizeof payload, "%s-%u", company, walk->serial++);
        database_add(&walk->db, company, room_lists[world_below(COUNT(room_lists))], payload);
        walk->db.last_seq += world_below(4) == 0; /* positions are left out */
    }
}

static bool is_up(const struct walk *walk, int bridge)
{
    return walk->bridge_era[bridge] == walk->era && !walk->bridges[bridge].away;
}

static void a_bridge_reads_on(struct walk *walk, int bridge)
{
    if (is_up(walk, bridge))
        world_pull(&walk->bridges[bridge], 1 + world_below(20));
}

static void come_in(struct walk *walk, struct follower *f)
{
    int bridge = (int)world_below(BRIDGES);
    f->client = client_new(&walk->bridges[bridge]);
    f->read = 0;
    f->ready = false;
    f->lost_gap = f->lost_gap || f->owes_gap;
    f->owes_gap = false;
    f->judged_in = walk->bridge_era[bridge];
    session_auth(f->client->session, f->token, strlen(f->token), f->cursor[0] ? f->cursor : NULL,
                 &f->room, f->room ? 1 : 0);
}

static void lose_socket(struct follower *f)
{
    session_gone(f->client->session);
    f->client->session = NULL;
    f->client = NULL;
}

static void a_client_moves(struct walk *walk, struct follower *f)
{
    check(walk, f);
    forget_closed(f);
    if (!f->client) {
        come_in(walk, f);
        return;
    }
    switch (world_below(6)) {
    case 0:
        lose_socket(f);
        return;
    case 1:
        client_stall(f->client);
        return;
    default:
        client_takes(f->client, world_below(3) ? (long)world_below(30) : -1);
    }
}

/* May be asked late, so the snapshot is of now; the answer may come later still. */
static void keep_for_later(struct walk *walk, struct world *bridge, const struct question *question)
{
    walk->late[walk->late_count++] =
        (struct answer){bridge, question->ticket, snapshot(&walk->db, question)};
}

static void answer_now(struct walk *walk, struct world *bridge, const struct question *question,
                       bool ok)
{
    struct replay replay = {.ok = false};
    if (ok)
        replay = snapshot(&walk->db, question);
    hub_replayed(bridge->hub, question->ticket, &replay);
    snapshot_free(&replay);
}

static void the_database_answers(struct walk *walk, int bridge)
{
    struct world *world = &walk->bridges[bridge];
    if (!world->question_count)
        return;
    struct question question =
        world_take_question(world, world_below((unsigned)world->question_count));
    if (question.claims)
        hub_may_join(world->hub, question.ticket, PERMISSION_ALLOWED);
    else if (is_up(walk, bridge) && world_below(3) == 0 && walk->late_count < COUNT(walk->late))
        keep_for_later(walk, world, &question);
    else
        answer_now(walk, world, &question, is_up(walk, bridge) && world_below(5) != 0);
    question_free(&question);
}

static void a_late_answer_comes(struct walk *walk)
{
    if (!walk->late_count)
        return;
    size_t at = world_below((unsigned)walk->late_count);
    struct answer answer = walk->late[at];
    walk->late[at] = walk->late[--walk->late_count];
    hub_replayed(answer.bridge->hub, answer.ticket, &answer.replay);
    snapshot_free(&answer.replay);
}

static void a_bridge_forgets(struct world *bridge)
{
    bridge->hub->history.budget_bytes = world_below(3) ? 4000 + world_below(20000) : 1;
}

static void a_bridge_loses_and_finds_the_database(struct walk *walk, int bridge)
{
    struct world *world = &walk->bridges[bridge];
    world->away = !world->away && world_below(2);
    if (world->away)
        return;
    walk->bridge_era[bridge] = walk->era;
    world_up(world);
}

/* As vigie.retain() does it: only what every bridge in service has read. */
static void the_database_forgets(struct walk *walk)
{
    int64_t floor = walk->db.last_seq;
    for (int i = 0; i < BRIDGES; i++)
        if (is_up(walk, i) && walk->bridges[i].hub->position < floor)
            floor = walk->bridges[i].hub->position;
    if (floor > walk->db.floor_seq)
        walk->db.floor_seq += 1 + world_below((unsigned)(floor - walk->db.floor_seq));
}

static void copy_database(struct database *to, const struct database *from)
{
    database_open(to);
    for (size_t i = 0; i < from->count; i++) {
        const struct row *row = &from->rows[i];
        database_add(to, row->company, row->rooms, row->payload);
        to->rows[i].seq = row->seq;
    }
}

static void the_database_is_restored(struct walk *walk)
{
    if (walk->era + 1 >= ERAS_MAX)
        return;
    copy_database(&walk->past[walk->era], &walk->db);
    walk->era++;
    int64_t kept = walk->db.last_seq - (int64_t)world_below(40);
    if (kept < walk->db.floor_seq)
        kept = walk->db.floor_seq;
    database_forget(&walk->db, kept);
    walk->db.last_seq = kept;
    snprintf(walk->db.epoch, sizeof walk->db.epoch, "era-%d", walk->era);
    walk->codecs[walk->era] = cursor_codec_new(walk->db.key, walk->db.epoch);
}

static void time_passes(struct walk *walk)
{
    world_pass(1 + world_below(3000));
    for (int i = 0; i < BRIDGES; i++)
        for (int slice = 0; slice < HUB_TICK_SLICES; slice++)
            hub_tick(walk->bridges[i].hub);
    for (int i = 0; i < CLIENTS; i++)
        if (walk->followers[i].client && walk->followers[i].client->session)
            session_heard(walk->followers[i].client->session);
}

static void step(struct walk *walk)
{
    int bridge = (int)world_below(BRIDGES);
    unsigned dice = world_below(1000);
    if (dice < 200)
        something_happens(walk, 1 + world_below(8));
    else if (dice < 450)
        a_bridge_reads_on(walk, bridge);
    else if (dice < 650)
        a_client_moves(walk, &walk->followers[world_below(CLIENTS)]);
    else if (dice < 800)
        the_database_answers(walk, bridge);
    else if (dice < 850)
        a_late_answer_comes(walk);
    else if (dice < 930)
        time_passes(walk);
    else if (dice < 960)
        a_bridge_forgets(&walk->bridges[bridge]);
    else if (dice < 985)
        a_bridge_loses_and_finds_the_database(walk, bridge);
    else if (dice < 998)
        the_database_forgets(walk);
    else
        the_database_is_restored(walk);
    if (world_below(3))
        turn(walk);
}

/* ---- one walk ---- */

static void begin(struct walk *walk, uint64_t seed)
{
    *walk = (struct walk){.seed = world_dice = seed};
    database_open(&walk->db);
    walk->codecs[0] = cursor_codec_new(walk->db.key, walk->db.epoch);
    for (int i = 0; i < BRIDGES; i++) {
        struct hub_options options = world_prepare(&walk->bridges[i], &walk->db);
        options.limits.queue_bytes = 300; /* a few frames */
        options.limits.sessions_per_user = 1000;
        options.limits.sessions_per_company = 1000;
        options.limits.slow_timeout_ms = 3600000;
        options.history_bytes = 8000;
        walk->bridges[i].hub = hub_new(&options);
        world_up(&walk->bridges[i]);
    }
    for (int i = 0; i < CLIENTS; i++)
        walk->followers[i] = (struct follower){
            .company = people[i].company, .token = people[i].token, .room = people[i].room};
}

static void find_the_database(struct walk *walk)
{
    for (int i = 0; i < BRIDGES; i++) {
        walk->bridges[i].away = false;
        walk->bridge_era[i] = walk->era;
        world_up(&walk->bridges[i]);
    }
    while (walk->late_count)
        a_late_answer_comes(walk);
}

static void answer_all(struct world *bridge)
{
    world_pull(bridge, 1000);
    while (bridge->question_count)
        if (bridge->questions[0].claims)
            world_allow(bridge, true);
        else
            world_answer(bridge);
}

static void all_read(struct walk *walk)
{
    for (int i = 0; i < CLIENTS; i++) {
        struct follower *f = &walk->followers[i];
        if (!f->client)
            come_in(walk, f);
        f->client->takes = -1;
        client_flush(f->client);
    }
}

/* Everybody is there, the database answers at once, and all is read. */
static void settle(struct walk *walk)
{
    find_the_database(walk);
    turn(walk);
    for (int round = 0; round < 100; round++) {
        all_read(walk);
        for (int i = 0; i < BRIDGES; i++)
            answer_all(&walk->bridges[i]);
        turn(walk);
        time_passes(walk);
        turn(walk);
    }
}

static void assert_nothing_is_missing(struct walk *walk)
{
    for (int i = 0; i < CLIENTS; i++) {
        struct follower *f = &walk->followers[i];
        assert_non_null(f->client);
        assert_int_equal(f->client->session->state, SESSION_LIVE);
        if (next_for(walk, f))
            wrong(walk, f, "an event never came");
    }
}

static void end(struct walk *walk)
{
    while (walk->late_count)
        a_late_answer_comes(walk);
    for (int i = 0; i < BRIDGES; i++) {
        const struct hub_metrics *m = &walk->bridges[i].hub->metrics;
        assert_true(m->isolation[0] + m->isolation[1] == 0);
        world_close(&walk->bridges[i]);
    }
    for (int i = 0; i <= walk->era; i++) {
        cursor_codec_free(walk->codecs[i]);
        if (i < walk->era)
            database_close(&walk->past[i]);
    }
    database_close(&walk->db);
}

static void walk_once(uint64_t seed)
{
    struct walk *walk = mem_new(sizeof *walk);
    begin(walk, seed);
    for (int i = 0; i < STEPS; i++)
        step(walk);
    settle(walk);
    assert_nothing_is_missing(walk);
    print_message("seed %" PRIu64 ": %u events heard, %u resumed, %u gaps, %d eras\n", seed,
                  walk->events, walk->resumes, walk->gaps, walk->era + 1);
    assert_true(walk->events > 100 && walk->resumes > 10 && walk->gaps > 0);
    end(walk);
    free(walk);
}

static void whatever_happens_each_hears_all_once_and_in_order(void **state)
{
    (void)state;
    const char *given = getenv("VIGIE_WALK_SEED");
    if (given) {
        walk_once(strtoull(given, NULL, 10));
        return;
    }
    for (uint64_t seed = 1; seed <= WALKS; seed++)
        walk_once(seed);
    walk_once((uint64_t)time(NULL));
}

int main(void)
{
    log_setup(LOG_ERROR, LOG_LOGFMT);
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_happens_each_hears_all_once_and_in_order),
    };
    return RUN(tests);
}
