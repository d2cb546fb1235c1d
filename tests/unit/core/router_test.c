#include "unit.h"

#include "core/world.h"

#define TOKEN "acme|u7"

static int open_world(void **state)
{
    struct world *world = mem_new(sizeof *world);
    world_open(world);
    *state = world;
    return 0;
}

static int close_world(void **state)
{
    world_close(*state);
    free(*state);
    return 0;
}

/* A world whose memory of events is so small that it forgets each at once. */
static void forget_at_once(struct world *world)
{
    world->hub->history.budget_bytes = 1;
}

static void publish(struct world *world, const char *rooms, unsigned times)
{
    for (unsigned i = 0; i < times; i++)
        world_publish(world, "acme", rooms, "x");
}

/* Events `first` to `last`, each once and in order, are all that the client heard of events. */
static void assert_heard(const struct client *client, int64_t first, int64_t last)
{
    int64_t next = first;
    for (size_t i = 0; i < client->count; i++) {
        int64_t seq = 0;
        if (sscanf(client->heard[i], "event %" SCNd64, &seq) == 1)
            assert_int_equal(seq, next++);
    }
    assert_int_equal(next, last + 1);
}

/* The cursor of `acme` at a position, as any bridge writes it. */
static void cursor_at(struct world *world, int64_t seq, char cursor[CURSOR_TEXT_MAX])
{
    cursor_write(world->hub->codec, "acme", seq, cursor);
}

/* ---- isolation ---- */

static void the_same_room_of_two_companies_is_two_rooms(void **state)
{
    struct world *world = *state;
    struct client *ours = client_in(world, TOKEN, NULL);
    struct client *theirs = client_in(world, "rival|u7", NULL);
    client_joins(ours, "conversation:9");
    client_joins(theirs, "conversation:9");
    world_publish(world, "acme", "conversation:9\nuser:u7", "secret");
    world_turn(world);
    assert_int_equal(client_heard(ours, "event"), 1);
    assert_int_equal(client_heard(theirs, "event"), 0);
}

static void an_event_that_names_the_room_of_another_company_stays_at_home(void **state)
{
    struct world *world = *state;
    struct client *ours = client_in(world, TOKEN, NULL);
    struct client *theirs = client_in(world, "rival|u7", NULL);
    world_publish(world, "acme", "company:rival\nuser:u7", "secret");
    world_turn(world);
    assert_int_equal(client_heard(ours, "event 1 user:u7"), 1);
    assert_int_equal(theirs->count, 1);
}

static void companies_differ_by_each_byte(void **state)
{
    static const char *const companies[] = {"acme ", "Acme",  "acm",
                                            "acmee", "acme:", "acme\xc2\xa0"};
    struct world *world = *state;
    for (size_t i = 0; i < COUNT(companies); i++) {
        char token[64];
        snprintf(token, sizeof token, "%s|u7", companies[i]);
        client_in(world, token, NULL);
    }
    world_publish(world, "acme", "user:u7\ncompany:acme", "secret");
    world_turn(world);
    for (struct client *client = world->clients; client; client = client->next)
        assert_int_equal(client_heard(client, "event"), 0);
}

static void replay_rows_of_another_company_are_passed_over(void **state)
{
    struct world *world = *state;
    forget_at_once(world);
    struct client *first = client_in(world, TOKEN, NULL);
    world_publish(world, "rival", "user:u7", "secret");
    world_publish(world, "acme", "user:u7", "ours");
    struct client *client = client_in(world, TOKEN, first->cursor);
    free(world->questions[0].company);
    world->questions[0].company = mem_strdup("rival"); /* the database answers with another's */
    world_answer(world);
    world_turn(world);
    assert_int_equal(client_heard(client, "event"), 0);
}

static struct frame *frame_of(const struct company *company)
{
    struct frame *frame = text_heartbeat("(misdirected)");
    frame->company = company;
    return frame;
}

static void the_gate_stops_a_misdirected_frame_at_the_queue(void **state)
{
    struct world *world = *state;
    struct client *ours = client_in(world, TOKEN, NULL);
    struct client *theirs = client_in(world, "rival|u7", NULL);
    log_setup(LOG_ERROR, LOG_LOGFMT);
    session_send(theirs->session, frame_of(ours->session->company));
    assert_null(session_peek(theirs->session));
    world_turn(world);
    assert_int_equal(theirs->reason, CLOSE_INTERNAL);
    assert_int_equal(theirs->count, 1);
    assert_int_equal((int)world->hub->metrics.isolation[0], 1);
    assert_int_equal((int)world->hub->metrics.isolation[1], 0);
    assert_false(ours->closed);
}

static void the_gate_stops_a_misdirected_frame_at_the_write(void **state)
{
    struct world *world = *state;
    struct client *ours = client_in(world, TOKEN, NULL);
    struct client *theirs = client_in(world, "rival|u7", NULL);
    struct frame *frame = frame_of(theirs->session->company);
    session_send(theirs->session, frame_ref(frame));
    frame->company = ours->session->company;
    world_turn(world);
    assert_int_equal(theirs->reason, CLOSE_INTERNAL);
    assert_int_equal(theirs->count, 1);
    assert_int_equal((int)world->hub->metrics.isolation[1], 1);
    frame_unref(frame);
}

static void a_session_without_a_company_is_given_no_content(void **state)
{
    struct world *world = *state;
    struct client *ours = client_in(world, TOKEN, NULL);
    struct client *nobody = client_new(world);
    session_send(nobody->session, frame_of(ours->session->company));
    world_turn(world);
    assert_int_equal(nobody->reason, CLOSE_INTERNAL);
    assert_int_equal(nobody->count, 0);
}

static void a_cached_frame_of_another_company_does_not_pass_a_room(void **state)
{
    struct world *world = *state;
    struct client *ours = client_in(world, TOKEN, NULL);
    struct client *theirs = client_in(world, "rival|u7", NULL);
    char company[] = "rival";
    char rooms[] = "user:u7";
    char payload[] = "secret";
    struct event *event = row_event(&(struct row){1, company, rooms, payload});
    hub_event_frame(world->hub, &text_protocol, ours->session->company, event, 0);
    router_publish(world->hub, &event, 1, 1);
    event_unref(event);
    world_turn(world);
    assert_int_equal(theirs->reason, CLOSE_INTERNAL);
    assert_int_equal(theirs->count, 1);
}

/* ---- once, and in order ---- */

static void an_event_in_two_rooms_of_a_session_is_heard_once(void **state)
{
    struct world *world = *state;
    struct client *client = client_in(world, "acme|u7|chef", NULL);
    world_publish(world, "acme", "company:acme\nuser:u7\nrole:chef", "x");
    world_publish(world, "acme", "role:chef", "y");
    world_turn(world);
    assert_heard(client, 1, 2);
}

static void a_batch_that_comes_again_is_passed_over(void **state)
{
    struct world *world = *state;
    struct client *client = client_in(world, TOKEN, NULL);
    publish(world, "user:u7", 3);
    struct event *event = row_event(&world->db->rows[1]);
    router_publish(world->hub, &event, 1, 2);
    event_unref(event);
    world_turn(world);
    assert_heard(client, 1, 3);
    assert_int_equal(world->hub->position, 3);
    assert_int_equal((int)world->hub->metrics.published[0], 3);
}

static void the_frame_of_an_event_is_encoded_once_and_shared(void **state)
{
    struct world *world = *state;
    struct client *a = client_in(world, TOKEN, NULL);
    struct client *b = client_in(world, "acme|u8", NULL);
    client_stall(a);
    client_stall(b);
    publish(world, "company:acme", 1);
    assert_non_null(session_peek(a->session));
    assert_ptr_equal(session_peek(a->session), session_peek(b->session));
}

static void positions_without_events_move_the_hub_on(void **state)
{
    struct world *world = *state;
    router_publish(world->hub, NULL, 0, 50);
    assert_int_equal(world->hub->position, 50);
    router_publish(world->hub, NULL, 0, 20);
    assert_int_equal(world->hub->position, 50);
}

static void a_session_replays_and_is_live_without_gap_or_double(void **state)
{
    struct world *world = *state;
    forget_at_once(world);
    struct client *first = client_in(world, TOKEN, NULL);
    publish(world, "user:u7", 5);
    struct client *client = client_in(world, TOKEN, first->cursor);
    assert_int_equal(client->count, 0);
    publish(world, "user:u7", 2); /* while the database is asked */
    world_answer(world);
    publish(world, "user:u7", 2);
    world_turn(world);
    assert_memory_equal(client_said(client, 0), "ready @0 resumed", 16);
    assert_heard(client, 1, 9);
    assert_int_equal(client->session->state, SESSION_LIVE);
}

static void an_answer_older_than_the_present_is_followed_by_another_question(void **state)
{
    struct world *world = *state;
    forget_at_once(world);
    struct client *first = client_in(world, TOKEN, NULL);
    publish(world, "user:u7", 3);
    struct client *client = client_in(world, TOKEN, first->cursor);
    struct question question = world_take_question(world, 0);
    struct replay replay = snapshot(world->db, &question);
    publish(world, "user:u7", 3);
    hub_replayed(world->hub, question.ticket, &replay);
    snapshot_free(&replay);
    question_free(&question);
    assert_int_equal(world->questions[0].after, 3);
    world_answer(world);
    world_turn(world);
    assert_heard(client, 1, 6);
}

static void a_long_past_is_asked_for_in_parts(void **state)
{
    struct world *world = *state;
    forget_at_once(world);
    struct client *first = client_in(world, TOKEN, NULL);
    publish(world, "user:u7", 900);
    struct client *client = client_in(world, TOKEN, first->cursor);
    unsigned questions = 0;
    for (; world->question_count; questions++) {
        world_answer(world);
        world_turn(world);
    }
    assert_true(questions >= 900 / 200);
    assert_heard(client, 1, 900);
    assert_int_equal(client->session->state, SESSION_LIVE);
}

static void an_answer_without_events_reaches_the_present_too(void **state)
{
    struct world *world = *state;
    char cursor[CURSOR_TEXT_MAX];
    forget_at_once(world);
    cursor_at(world, 0, cursor);
    world_publish(world, "rival", "user:u7", "x");
    struct client *client = client_in(world, TOKEN, cursor);
    world_answer(world);
    world_turn(world);
    assert_int_equal(client->session->state, SESSION_LIVE);
    assert_int_equal(world->question_count, 0);
}

/* It was asked for long ago; what it brings was heard live, up to the event before the queue was
 * full. */
static void a_late_answer_brings_nothing_twice(void **state)
{
    struct world *world = *state;
    struct hub_limits limits = world->hub->options.limits;
    char cursor[CURSOR_TEXT_MAX];
    limits.queue_bytes = 400;
    world_limit(world, limits);
    database_add(world->db, "acme", "user:u7", "x");
    cursor_at(world, 1, cursor);
    struct client *client = client_in(world, TOKEN, cursor);
    world_pull(world, 10);
    session_catch_up(client->session);
    assert_int_equal(client->session->state, SESSION_LIVE);
    forget_at_once(world);
    client_stall(client);
    publish(world, "user:u7", 50);
    client_takes(client, -1);
    for (; world->question_count; world_turn(world))
        world_answer(world);
    assert_heard(client, 2, 51);
}

static void a_failed_answer_is_asked_for_again(void **state)
{
    struct world *world = *state;
    forget_at_once(world);
    struct client *first = client_in(world, TOKEN, NULL);
    publish(world, "user:u7", 3);
    struct client *client = client_in(world, TOKEN, first->cursor);
    world_fail(world);
    assert_int_equal(world->question_count, 0); /* not at once */
    world_wait(world, 3);
    world_answer(world);
    world_turn(world);
    assert_heard(client, 1, 3);
}

static void a_database_that_cannot_be_asked_is_asked_later(void **state)
{
    struct world *world = *state;
    forget_at_once(world);
    struct client *first = client_in(world, TOKEN, NULL);
    publish(world, "user:u7", 3);
    world->away = true;
    struct client *client = client_in(world, TOKEN, first->cursor);
    world_wait(world, 3);
    world->away = false;
    world_wait(world, 3);
    world_answer(world);
    world_turn(world);
    assert_heard(client, 1, 3);
}

static void an_answer_that_comes_when_the_session_is_live_changes_nothing(void **state)
{
    struct world *world = *state;
    struct client *first = client_in(world, TOKEN, NULL);
    database_add(world->db, "acme", "user:u7", "a"); /* the hub has not read it yet */
    struct world ahead;
    struct hub_options options = world_prepare(&ahead, world->db);
    ahead.hub = hub_new(&options);
    world_up(&ahead);
    char cursor[CURSOR_TEXT_MAX];
    cursor_write(ahead.hub->codec, "acme", 1, cursor);
    struct client *client = client_in(world, TOKEN, cursor);
    assert_int_equal(world->question_count, 1);
    world_pull(world, 10);
    publish(world, "user:u7", 2);
    session_catch_up(client->session);
    world_answer(world);
    world_turn(world);
    assert_memory_equal(client_said(client, 0), "ready @1 resumed", 16);
    assert_heard(client, 2, 3);
    assert_heard(first, 1, 3);
    world_close(&ahead);
}

/* ---- a bridge that is behind the one before ---- */

static void a_cursor_ahead_of_this_bridge_is_checked_with_the_database(void **state)
{
    struct world *world = *state;
    char cursor[CURSOR_TEXT_MAX];
    for (int i = 0; i < 5; i++)
        database_add(world->db, "acme", "user:u7", "x");
    cursor_at(world, 3, cursor);
    struct client *client = client_in(world, TOKEN, cursor);
    world_answer(world);
    world_turn(world);
    assert_memory_equal(client_said(client, 0), "ready @3 resumed", 16);
    assert_heard(client, 4, 5);
    world_pull(world, 10); /* what the replay has brought already */
    publish(world, "user:u7", 1);
    world_turn(world);
    assert_heard(client, 4, 6);
}

static void a_cursor_ahead_of_the_database_is_a_gap(void **state)
{
    struct world *world = *state;
    char cursor[CURSOR_TEXT_MAX];
    publish(world, "user:u7", 2);
    cursor_at(world, 9, cursor);
    struct client *client = client_in(world, TOKEN, cursor);
    world_answer(world);
    world_turn(world);
    assert_memory_equal(client_said(client, 0), "ready @unreadable fresh", 23);
    assert_string_equal(client_said(client, 1), "gap epoch @2");
    publish(world, "user:u7", 1);
    world_turn(world);
    assert_heard(client, 3, 3);
}

static void what_is_said_while_ahead_never_goes_back(void **state)
{
    struct world *world = *state;
    char cursor[CURSOR_TEXT_MAX];
    for (int i = 0; i < 5; i++)
        database_add(world->db, "acme", "user:u7", "x");
    cursor_at(world, 0, cursor);
    world->hub->history.floor_seq = 1; /* memory does not reach that far */
    struct client *client = client_in(world, TOKEN, cursor);
    world_answer(world);
    session_join(client->session, "company:acme", 1);
    world_turn(world);
    assert_string_equal(client_last(client), "joined company:acme 1 @5");
    world_wait(world, 27);
    assert_int_equal(client_heard(client, "heartbeat @5"), 1);
}

/* ---- gaps ---- */

static void a_cursor_from_before_what_is_kept_is_a_gap(void **state)
{
    struct world *world = *state;
    forget_at_once(world);
    struct client *first = client_in(world, TOKEN, NULL);
    publish(world, "user:u7", 5);
    world->db->floor_seq = 3;
    struct client *client = client_in(world, TOKEN, first->cursor);
    world_answer(world);
    world_turn(world);
    assert_memory_equal(client_said(client, 0), "ready @unreadable fresh", 23);
    assert_string_equal(client_said(client, 1), "gap retention @5");
    publish(world, "user:u7", 1);
    world_turn(world);
    assert_heard(client, 6, 6);
}

static void one_position_below_the_floor_is_a_gap(void **state)
{
    struct world *world = *state;
    char cursor[CURSOR_TEXT_MAX];
    forget_at_once(world);
    publish(world, "user:u7", 5);
    world->db->floor_seq = 3;
    cursor_at(world, 2, cursor);
    struct client *client = client_in(world, TOKEN, cursor);
    world_answer(world);
    world_turn(world);
    assert_string_equal(client_said(client, 1), "gap retention @5");
}

static void the_floor_itself_is_no_gap(void **state)
{
    struct world *world = *state;
    char cursor[CURSOR_TEXT_MAX];
    forget_at_once(world);
    publish(world, "user:u7", 5);
    world->db->floor_seq = 3;
    cursor_at(world, 3, cursor);
    struct client *client = client_in(world, TOKEN, cursor);
    world_answer(world);
    world_turn(world);
    assert_memory_equal(client_said(client, 0), "ready @3 resumed", 16);
    assert_heard(client, 4, 5);
}

static void a_gap_that_was_lost_with_the_connection_is_told_again(void **state)
{
    struct world *world = *state;
    forget_at_once(world);
    struct client *first = client_in(world, TOKEN, NULL);
    publish(world, "user:u7", 5);
    world->db->floor_seq = 3;
    struct client *second = client_new(world);
    client_auth(second, TOKEN, first->cursor);
    second->takes = 1; /* `ready`, and the socket is gone */
    world_answer(world);
    world_turn(world);
    assert_int_equal(second->count, 1);
    struct client *third = client_in(world, TOKEN, second->cursor);
    assert_string_equal(client_said(third, 1), "gap cursor @5");
}

static void a_slow_reader_that_falls_below_the_floor_hears_a_gap_and_lives(void **state)
{
    struct world *world = *state;
    forget_at_once(world);
    struct client *client = client_in(world, TOKEN, NULL);
    client_stall(client);
    publish(world, "user:u7", 5000);
    world->db->floor_seq = 4990;
    client_takes(client, -1);
    while (world->question_count) {
        world_answer(world);
        world_turn(world);
    }
    assert_int_equal(client_heard(client, "gap retention @5000"), 1);
    assert_int_equal(client->session->state, SESSION_LIVE);
}

/* ---- full queues ---- */

static void a_full_queue_falls_back_and_gets_everything_from_memory(void **state)
{
    struct world *world = *state;
    struct client *client = client_in(world, TOKEN, NULL);
    client_stall(client);
    publish(world, "user:u7", 3000);
    assert_int_equal(client->session->state, SESSION_CATCHING_UP);
    assert_true(client->session->outq.used_bytes <= 64 * 1024);
    assert_int_equal((int)world->hub->metrics.lagging[0], 1);
    client_takes(client, -1);
    assert_heard(client, 1, 3000);
    assert_int_equal(client->session->state, SESSION_LIVE);
    assert_int_equal(world->question_count, 0);
    assert_int_equal(world->hub->queued_bytes, 0);
}

static void a_full_queue_falls_back_and_gets_everything_from_the_database(void **state)
{
    struct world *world = *state;
    forget_at_once(world);
    struct client *client = client_in(world, TOKEN, NULL);
    client_stall(client);
    publish(world, "user:u7", 3000);
    client_takes(client, -1);
    while (world->question_count) {
        world_answer(world);
        publish(world, "user:u7", 1);
        world_turn(world);
    }
    assert_heard(client, 1, world->db->last_seq);
    assert_int_equal(client->session->state, SESSION_LIVE);
}

/* A payload of `len` bytes. */
static void publish_long(struct world *world, size_t len)
{
    char *payload = mem_new(len + 1);
    memset(payload, 'x', len);
    world_publish(world, "acme", "user:u7", payload);
    free(payload);
}

static void a_full_queue_asks_the_database_again_only_when_it_was_read(void **state)
{
    struct world *world = *state;
    struct hub_limits limits = world->hub->options.limits;
    char cursor[CURSOR_TEXT_MAX];
    limits.queue_bytes = 50000;
    world_limit(world, limits);
    forget_at_once(world);
    cursor_at(world, 0, cursor);
    publish_long(world, 20000); /* less than half of the queue, and the next finds no place */
    for (int i = 0; i < 3; i++)
        publish_long(world, 40000);
    struct client *client = client_new(world);
    client_stall(client);
    client_auth(client, TOKEN, cursor);
    world_answer(world);
    world_turn(world);
    assert_int_equal(world->question_count, 0);
    for (client_takes(client, -1); world->question_count; world_turn(world))
        world_answer(world);
    assert_heard(client, 1, 4);
}

static void an_event_larger_than_the_queue_still_arrives(void **state)
{
    struct world *world = *state;
    struct hub_limits limits = world->hub->options.limits;
    char payload[50001];
    memset(payload, 'x', sizeof payload - 1);
    payload[sizeof payload - 1] = '\0';
    limits.queue_bytes = 16384;
    world_limit(world, limits);
    struct client *client = client_in(world, TOKEN, NULL);
    client_stall(client);
    for (int i = 0; i < 3; i++)
        world_publish(world, "acme", "user:u7", payload);
    client_takes(client, -1);
    assert_heard(client, 1, 3);
}

static void what_waits_for_all_together_has_a_ceiling(void **state)
{
    struct world *world = *state;
    struct hub_limits limits = world->hub->options.limits;
    limits.queue_total_bytes = 100000;
    world_limit(world, limits);
    for (int i = 0; i < 8; i++)
        client_stall(client_in(world, TOKEN, NULL));
    publish(world, "user:u7", 1000);
    assert_true(world->hub->queued_bytes <= 100000 + 8 * 100);
    for (struct client *client = world->clients; client; client = client->next)
        client->takes = -1;
    for (struct client *client = world->clients; client; client = client->next)
        client_takes(client, -1);
    for (struct client *client = world->clients; client; client = client->next)
        assert_heard(client, 1, 1000);
}

static void sessions_that_read_do_not_pay_for_those_that_do_not(void **state)
{
    struct world *world = *state;
    struct hub_limits limits = world->hub->options.limits;
    limits.queue_total_bytes = 50000;
    world_limit(world, limits);
    struct client *slow = client_in(world, "rival|u1", NULL);
    client_stall(slow);
    while (slow->session->state == SESSION_LIVE)
        world_publish(world, "rival", "user:u1", "x");
    struct client *client = client_in(world, TOKEN, NULL);
    publish(world, "user:u7", 10);
    world_wait(world, 27);
    assert_false(client->closed);
    assert_heard(client, 1 + world->db->last_seq - 10, world->db->last_seq);
    assert_int_equal(client_heard(client, "ping"), 1);
}

/* They keep as much free as the largest of them holds. */
static void the_largest_queues_stop_growing_first(void **state)
{
    struct world *world = *state;
    struct hub_limits limits = world->hub->options.limits;
    limits.queue_total_bytes = 50000;
    world_limit(world, limits);
    struct client *slow[3];
    for (int i = 0; i < 3; i++)
        client_stall(slow[i] = client_in(world, "rival|u1", NULL));
    for (int i = 0; i < 1000; i++)
        world_publish(world, "rival", "user:u1", "x");
    struct client *client = client_in(world, TOKEN, NULL);
    client_stall(client);
    publish(world, "user:u7", 50);
    assert_int_equal(client->session->state, SESSION_LIVE);
    assert_int_equal(client->session->outq.count, 50);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(slow[i]->session->state, SESSION_CATCHING_UP);
        client_takes(slow[i], -1);
        assert_heard(slow[i], 1, 1000);
    }
}

/* What was thrown away, because the queue was full, is fetched again: it must not be most of it. */
static void large_events_are_not_fetched_again_and_again(void **state)
{
    struct world *world = *state;
    char cursor[CURSOR_TEXT_MAX];
    size_t fetched = 0;
    forget_at_once(world);
    cursor_at(world, 0, cursor);
    for (int i = 0; i < 300; i++)
        publish_long(world, 8000); /* four or five fill half of the queue */
    struct client *client = client_new(world);
    client_auth(client, TOKEN, cursor);
    for (; world->question_count; world_turn(world)) {
        struct replay replay = snapshot(world->db, &world->questions[0]);
        fetched += replay.count;
        snapshot_free(&replay);
        world_answer(world);
    }
    assert_heard(client, 1, 300);
    assert_in_range(fetched, 300, 450);
}

static void small_events_are_fetched_in_large_answers(void **state)
{
    struct world *world = *state;
    char cursor[CURSOR_TEXT_MAX];
    unsigned asked = 0;
    forget_at_once(world);
    cursor_at(world, 0, cursor);
    publish(world, "user:u7", 2000);
    struct client *client = client_new(world);
    client_auth(client, TOKEN, cursor);
    for (; world->question_count; world_turn(world), asked++)
        world_answer(world);
    assert_heard(client, 1, 2000);
    assert_in_range(asked, 1, 20);
}

/* It is behind the bridge, as a copy is: at once it would say the same again, without end. */
static void an_answer_that_brings_nothing_is_not_asked_again_at_once(void **state)
{
    struct world *world = *state;
    char cursor[CURSOR_TEXT_MAX];
    forget_at_once(world);
    cursor_at(world, 0, cursor);
    publish(world, "user:u7", 3);
    struct client *client = client_in(world, TOKEN, cursor);
    const struct replay behind = {.ok = true};
    struct question question = world_take_question(world, 0);
    hub_replayed(world->hub, question.ticket, &behind);
    question_free(&question);
    world_turn(world);
    assert_int_equal(world->question_count, 0);
    world_wait(world, 3);
    assert_int_equal(world->question_count, 1);
    world_answer(world);
    world_turn(world);
    assert_heard(client, 1, 3);
}

static void an_answer_finds_its_place_in_a_queue_full_of_events(void **state)
{
    struct world *world = *state;
    struct client *client = client_in(world, TOKEN, NULL);
    client_stall(client);
    publish(world, "user:u7", 3000);
    session_join(client->session, "conversation:9", 1);
    world_allow(world, true);
    assert_false(client->closed);
    client_takes(client, -1);
    assert_heard(client, 1, 3000);
    assert_int_equal(client_heard(client, "joined conversation:9"), 1);
}

static void a_session_that_stepped_back_still_leaves_rooms_at_once(void **state)
{
    struct world *world = *state;
    struct client *client = client_in(world, TOKEN, NULL);
    client_joins(client, "conversation:9");
    client_stall(client);
    publish(world, "conversation:9", 3000);
    session_leave(client->session, "conversation:9", 1);
    size_t waiting = client->session->outq.count;
    client_takes(client, -1);
    assert_true(client_heard(client, "event") < waiting);
    assert_int_equal(client->session->state, SESSION_LIVE);
}

/* ---- another feed ---- */

static void another_epoch_is_told_to_everybody(void **state)
{
    struct world *world = *state;
    struct client *live = client_in(world, TOKEN, NULL);
    struct client *stalled = client_in(world, "rival|u1", NULL);
    struct client *nobody = client_new(world);
    client_stall(stalled);
    publish(world, "user:u7", 5);
    world_turn(world);
    strcpy(world->db->epoch, "second");
    database_forget(world->db, 2);
    world->db->last_seq = 2;
    assert_int_equal(world_up(world), 2);
    publish(world, "user:u7", 1);
    world_turn(world);
    client_takes(stalled, -1);
    assert_string_equal(client_said(live, 6), "gap epoch @2");
    assert_string_equal(client_said(live, 7), "event 3 user:u7 @3 x");
    assert_int_equal(client_heard(stalled, "gap epoch @2"), 1);
    assert_int_equal(nobody->count, 0);
}

static void a_feed_that_lost_what_was_seen_is_another_feed(void **state)
{
    struct world *world = *state;
    struct client *client = client_in(world, TOKEN, NULL);
    publish(world, "user:u7", 5);
    database_forget(world->db, 2);
    world->db->last_seq = 2;
    assert_int_equal(world_up(world), 2);
    world_turn(world);
    assert_string_equal(client_last(client), "gap epoch @2");
}

static void a_database_that_comes_back_changes_nothing(void **state)
{
    struct world *world = *state;
    struct client *client = client_in(world, TOKEN, NULL);
    publish(world, "user:u7", 2);
    database_add(world->db, "acme", "user:u7", "while away");
    assert_int_equal(world_up(world), 2);
    world_pull(world, 10);
    world_turn(world);
    assert_heard(client, 1, 3);
    assert_int_equal(client_heard(client, "gap"), 0);
}

static void having_been_away_too_long_is_a_gap(void **state)
{
    struct world *world = *state;
    struct client *live = client_in(world, TOKEN, NULL);
    publish(world, "user:u7", 2);
    for (int i = 0; i < 5; i++)
        database_add(world->db, "acme", "user:u7", "x");
    world->db->floor_seq = 4;
    assert_int_equal(world_up(world), 4);
    world_pull(world, 10);
    world_turn(world);
    assert_string_equal(client_said(live, 3), "gap retention @4");
    assert_string_equal(client_said(live, 4), "event 5 user:u7 @5 x");
    assert_int_equal(live->count, 7);
}

static void a_session_ahead_of_a_feed_that_lost_hears_a_gap(void **state)
{
    struct world *world = *state;
    char cursor[CURSOR_TEXT_MAX];
    for (int i = 0; i < 5; i++)
        database_add(world->db, "acme", "user:u7", "x");
    cursor_at(world, 5, cursor);
    struct client *client = client_in(world, TOKEN, cursor);
    world_answer(world);
    database_forget(world->db, 2);
    world->db->last_seq = 2;
    world_up(world);
    world_pull(world, 10);
    for (int i = 0; i < 4; i++)
        publish(world, "user:u7", 1);
    world_turn(world);
    assert_int_equal(client_heard(client, "gap epoch"), 1);
    assert_int_equal(client_heard(client, "event 6"), 1);
    assert_int_equal(client_heard(client, "event 3"), 1);
}

static void an_answer_from_before_a_restore_is_not_taken(void **state)
{
    struct world *world = *state;
    forget_at_once(world);
    struct client *first = client_in(world, TOKEN, NULL);
    publish(world, "user:u7", 90);
    struct client *client = client_in(world, TOKEN, first->cursor);
    struct question question = world_take_question(world, 0);
    struct replay replay = snapshot(world->db, &question);
    strcpy(world->db->epoch, "second");
    database_forget(world->db, 50);
    world->db->last_seq = 50;
    world_up(world);
    hub_replayed(world->hub, question.ticket, &replay);
    snapshot_free(&replay);
    question_free(&question);
    publish(world, "user:u7", 3);
    world_turn(world);
    assert_memory_equal(client_said(client, 0), "ready @unreadable fresh", 23);
    assert_string_equal(client_said(client, 1), "gap epoch @50");
    assert_heard(client, 51, 53);
}

/* ---- the channels of the configuration ---- */

static void a_channel_that_is_not_served_reaches_nobody(void **state)
{
    struct world *world = *state;
    struct client *client = client_in(world, TOKEN, NULL);
    world->channels.count = 0;
    publish(world, "user:u7", 3);
    world_turn(world);
    assert_int_equal(client->count, 1);
    assert_int_equal(world->hub->position, 3);
    assert_int_equal(world->hub->metrics.unlisted[0], 3);
    assert_int_equal(HASH_COUNT(world->hub->unlisted), 1); /* told once */
}

static void a_room_added_by_the_configuration_is_of_the_same_company(void **state)
{
    static const char *const patterns[] = {"user:*", "wall:{company}"};
    struct world *world = *state;
    world->rules[0].patterns = patterns;
    world->rules[0].pattern_count = 2;
    struct client *client = client_in(world, TOKEN, NULL);
    struct client *rival = client_in(world, "rival|u7", NULL);
    client_joins(client, "wall:acme");
    client_joins(rival, "wall:acme");
    publish(world, "company:acme\nuser:u8", 1);
    world_turn(world);
    assert_string_equal(client_last(client), "event 1 wall:acme @1 x");
    assert_int_equal(client_heard(rival, "event"), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
    log_setup(LOG_ERROR, LOG_LOGFMT);
    static const struct CMUnitTest tests[] = {
        TEST(the_same_room_of_two_companies_is_two_rooms),
        TEST(an_event_that_names_the_room_of_another_company_stays_at_home),
        TEST(companies_differ_by_each_byte),
        TEST(replay_rows_of_another_company_are_passed_over),
        TEST(the_gate_stops_a_misdirected_frame_at_the_queue),
        TEST(the_gate_stops_a_misdirected_frame_at_the_write),
        TEST(a_session_without_a_company_is_given_no_content),
        TEST(a_cached_frame_of_another_company_does_not_pass_a_room),
        TEST(an_event_in_two_rooms_of_a_session_is_heard_once),
        TEST(a_batch_that_comes_again_is_passed_over),
        TEST(the_frame_of_an_event_is_encoded_once_and_shared),
        TEST(positions_without_events_move_the_hub_on),
        TEST(a_session_replays_and_is_live_without_gap_or_double),
        TEST(an_answer_older_than_the_present_is_followed_by_another_question),
        TEST(a_long_past_is_asked_for_in_parts),
        TEST(an_answer_without_events_reaches_the_present_too),
        TEST(a_late_answer_brings_nothing_twice),
        TEST(a_failed_answer_is_asked_for_again),
        TEST(a_database_that_cannot_be_asked_is_asked_later),
        TEST(an_answer_that_comes_when_the_session_is_live_changes_nothing),
        TEST(a_cursor_ahead_of_this_bridge_is_checked_with_the_database),
        TEST(a_cursor_ahead_of_the_database_is_a_gap),
        TEST(what_is_said_while_ahead_never_goes_back),
        TEST(a_cursor_from_before_what_is_kept_is_a_gap),
        TEST(one_position_below_the_floor_is_a_gap),
        TEST(the_floor_itself_is_no_gap),
        TEST(a_gap_that_was_lost_with_the_connection_is_told_again),
        TEST(a_slow_reader_that_falls_below_the_floor_hears_a_gap_and_lives),
        TEST(a_full_queue_falls_back_and_gets_everything_from_memory),
        TEST(a_full_queue_falls_back_and_gets_everything_from_the_database),
        TEST(a_full_queue_asks_the_database_again_only_when_it_was_read),
        TEST(an_event_larger_than_the_queue_still_arrives),
        TEST(what_waits_for_all_together_has_a_ceiling),
        TEST(sessions_that_read_do_not_pay_for_those_that_do_not),
        TEST(the_largest_queues_stop_growing_first),
        TEST(large_events_are_not_fetched_again_and_again),
        TEST(small_events_are_fetched_in_large_answers),
        TEST(an_answer_that_brings_nothing_is_not_asked_again_at_once),
        TEST(an_answer_finds_its_place_in_a_queue_full_of_events),
        TEST(a_session_that_stepped_back_still_leaves_rooms_at_once),
        TEST(another_epoch_is_told_to_everybody),
        TEST(a_feed_that_lost_what_was_seen_is_another_feed),
        TEST(a_database_that_comes_back_changes_nothing),
        TEST(having_been_away_too_long_is_a_gap),
        TEST(a_session_ahead_of_a_feed_that_lost_hears_a_gap),
        TEST(an_answer_from_before_a_restore_is_not_taken),
        TEST(a_channel_that_is_not_served_reaches_nobody),
        TEST(a_room_added_by_the_configuration_is_of_the_same_company),
    };
    return RUN(tests);
}
