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

static struct hub_limits limits_of(const struct world *world)
{
    return world->hub->options.limits;
}

/* A socket that has sent its token and asked for `room`; the turn is not over. */
static struct client *admitted(struct world *world, const char *room, const char *cursor)
{
    struct client *client = client_new(world);
    session_auth(client->session, TOKEN, strlen(TOKEN), cursor, &room, 1);
    world_turn(world);
    return client;
}

/* ---- being let in ---- */

static void ready_is_the_first_thing_heard(void **state)
{
    struct client *client = client_in(*state, TOKEN, NULL);
    assert_int_equal(client->count, 1);
    assert_string_equal(client_said(client, 0), "ready @0 fresh expires=900 heartbeat=25 "
                                                "rooms=company:acme,user:u7");
    assert_int_equal(client->session->state, SESSION_LIVE);
}

static void roles_are_rooms_and_each_is_one(void **state)
{
    struct client *client = client_in(*state, "acme|u7|admin,chef,admin", NULL);
    assert_non_null(
        strstr(client_said(client, 0), "rooms=company:acme,user:u7,role:admin,role:chef"));
    assert_int_equal(client->session->seat_count, 4);
}

static void a_token_that_does_not_hold_closes(void **state)
{
    struct client *client = client_in(*state, "nobody", NULL);
    assert_true(client->closed);
    assert_int_equal(client->reason, CLOSE_UNAUTHORIZED);
    assert_int_equal(client->count, 0);
}

static void nobody_comes_in_before_the_database_was_there(void **state)
{
    (void)state;
    struct world world;
    struct hub_options options = world_prepare(&world, NULL);
    world.hub = hub_new(&options);
    struct client *client = client_in(&world, TOKEN, NULL);
    assert_int_equal(client->reason, CLOSE_OVERLOADED);
    world_close(&world);
}

static void silence_before_the_token_ends_it(void **state)
{
    struct client *client = client_new(*state);
    world_wait(*state, 4);
    assert_false(client->closed);
    world_wait(*state, 2);
    assert_int_equal(client->reason, CLOSE_AUTH_TIMEOUT);
}

static void asking_for_a_room_before_the_token_ends_it(void **state)
{
    struct client *client = client_new(*state);
    session_join(client->session, "conversation:9", 1);
    assert_int_equal(client->reason, CLOSE_UNAUTHORIZED);
}

static void anything_but_waiting_before_ready_ends_it(void **state)
{
    struct world *world = *state;
    struct client *joins = admitted(world, "conversation:9", NULL);
    struct client *leaves = admitted(world, "conversation:9", NULL);
    struct client *renews = admitted(world, "conversation:9", NULL);
    session_join(joins->session, "conversation:8", 1);
    session_leave(leaves->session, "user:u7", 1);
    client_auth(renews, TOKEN, NULL);
    assert_int_equal(joins->reason, CLOSE_BAD_REQUEST);
    assert_int_equal(leaves->reason, CLOSE_BAD_REQUEST);
    assert_int_equal(renews->reason, CLOSE_BAD_REQUEST);
}

static void ready_waits_for_the_rooms_asked_for_with_the_token(void **state)
{
    struct world *world = *state;
    struct client *client = admitted(world, "conversation:9", NULL);
    world_publish(world, "acme", "conversation:9", "1");
    world_turn(world);
    assert_int_equal(client->count, 0);
    world_allow(world, true);
    world_turn(world);
    assert_non_null(strstr(client_said(client, 0), "ready @0 "));
    assert_non_null(strstr(client_said(client, 0), ",conversation:9"));
    assert_string_equal(client_said(client, 1), "event 1 conversation:9 @1 1");
}

static void a_room_that_was_refused_is_not_in_ready(void **state)
{
    struct world *world = *state;
    struct client *client = admitted(world, "conversation:9", NULL);
    world_allow(world, false);
    world_turn(world);
    assert_int_equal(client->count, 1);
    assert_null(strstr(client_said(client, 0), "conversation"));
}

static void ready_that_takes_too_long_ends_it(void **state)
{
    struct client *client = admitted(*state, "conversation:9", NULL);
    world_wait(*state, 10);
    assert_false(client->closed);
    world_wait(*state, 2);
    assert_int_equal(client->reason, CLOSE_OVERLOADED);
    assert_int_equal(client->count, 0);
}

static void ready_stays_the_first_thing_when_the_bridge_drains(void **state)
{
    struct world *world = *state;
    struct client *client = admitted(world, "conversation:9", NULL);
    hub_drain(world->hub, 30000);
    world_turn(world);
    assert_int_equal(client->count, 0);
    world_allow(world, true);
    world_turn(world);
    assert_int_equal(client_heard(client, "ready"), 1);
    assert_memory_equal(client_said(client, 0), "ready", 5);
}

/* ---- cursors ---- */

static void a_cursor_resumes_from_memory(void **state)
{
    struct world *world = *state;
    struct client *first = client_in(world, TOKEN, NULL);
    world_publish(world, "acme", "user:u7", "1");
    world_turn(world);
    world_publish(world, "acme", "user:u7", "2");
    struct client *second = client_in(world, TOKEN, first->cursor);
    assert_memory_equal(client_said(second, 0), "ready @1 resumed", 16);
    assert_string_equal(client_said(second, 1), "event 2 user:u7 @2 2");
    assert_int_equal(second->count, 2);
    assert_int_equal(world->question_count, 0);
    assert_int_equal((int)world->hub->metrics.resumes[1], 1);
}

static void a_damaged_cursor_is_told_as_a_gap(void **state)
{
    struct world *world = *state;
    world_publish(world, "acme", "user:u7", "1");
    struct client *client = client_in(world, TOKEN, "AAAAAAAAAAAAAAAAAAAAAA");
    assert_memory_equal(client_said(client, 0), "ready @unreadable fresh", 23);
    assert_string_equal(client_said(client, 1), "gap cursor @1");
    assert_int_equal((int)world->hub->metrics.gaps[GAP_CURSOR], 1);
    assert_int_equal(client->session->state, SESSION_LIVE);
}

static void a_cursor_of_another_company_is_told_as_a_gap(void **state)
{
    struct world *world = *state;
    struct client *other = client_in(world, "rival|u7", NULL);
    struct client *client = client_in(world, TOKEN, other->cursor);
    assert_string_equal(client_said(client, 1), "gap cursor @0");
}

static void a_cursor_from_before_a_restore_is_told_as_a_gap(void **state)
{
    struct world *world = *state;
    struct client *first = client_in(world, TOKEN, NULL);
    char cursor[64];
    strcpy(cursor, first->cursor);
    strcpy(world->db->epoch, "second");
    world_up(world);
    struct client *second = client_in(world, TOKEN, cursor);
    assert_memory_equal(client_said(second, 0), "ready @unreadable fresh", 23);
    assert_string_equal(client_said(second, 1), "gap epoch @0");
}

/* ---- tokens ---- */

static void a_fresh_token_renews_and_keeps_who_it_is(void **state)
{
    struct world *world = *state;
    struct client *client = client_in(world, "acme|u7||60", NULL);
    world_wait_awake(world, 50);
    client_auth(client, "acme|u7||900", NULL);
    world_turn(world);
    assert_string_equal(client_last(client), "renewed 900");
    world_wait_awake(world, 30);
    assert_false(client->closed);
    assert_int_equal((int)world->hub->metrics.renewals[0], 1);
}

static void a_token_of_somebody_else_does_not_renew(void **state)
{
    static const char *const others[] = {"acme|u8", "rival|u7", "acme|u7||900|other-issuer"};
    for (size_t i = 0; i < COUNT(others); i++) {
        struct client *client = client_in(*state, TOKEN, NULL);
        client_auth(client, others[i], NULL);
        assert_int_equal(client->reason, CLOSE_FORBIDDEN);
    }
}

static void a_renewal_with_a_bad_token_ends_it(void **state)
{
    struct client *client = client_in(*state, TOKEN, NULL);
    client_auth(client, "bad", NULL);
    assert_int_equal(client->reason, CLOSE_UNAUTHORIZED);
}

static void a_lost_role_is_left_and_a_new_one_entered(void **state)
{
    struct world *world = *state;
    struct client *client = client_in(world, "acme|u7|chef,clerk", NULL);
    client_auth(client, "acme|u7|clerk,admin", NULL);
    world_publish(world, "acme", "role:chef", "1");
    world_publish(world, "acme", "role:admin", "2");
    world_publish(world, "acme", "role:clerk", "3");
    world_turn(world);
    assert_string_equal(client_said(client, 1), "left role:chef -1");
    assert_string_equal(client_said(client, 2), "joined role:admin -1 @0");
    assert_string_equal(client_said(client, 3), "renewed 900");
    assert_string_equal(client_said(client, 4), "event 2 role:admin @2 2");
    assert_string_equal(client_said(client, 5), "event 3 role:clerk @3 3");
    assert_int_equal(client->count, 6);
}

static void renewals_have_a_rate_of_their_own(void **state)
{
    struct world *world = *state;
    struct client *client = client_in(world, TOKEN, NULL);
    for (int i = 0; i < 10; i++)
        client_auth(client, TOKEN, NULL);
    assert_false(client->closed);
    for (int i = 0; i < 20; i++) {
        world_pass(6000);
        client_auth(client, TOKEN, NULL);
        assert_false(client->closed);
    }
    client_auth(client, TOKEN, NULL);
    assert_int_equal(client->reason, CLOSE_RATE_LIMITED);
    assert_int_equal((int)world->hub->metrics.rejected_limits[LIMIT_RENEWALS], 1);
    assert_int_equal((int)world->hub->metrics.renewals[0], 30);
}

/* What opened the room may have been the role: the client asks again, and is judged by what it is
 * now. */
static void with_a_lost_role_rooms_on_request_are_left(void **state)
{
    struct world *world = *state;
    struct client *client = client_in(world, "acme|u7|chef", NULL);
    client_joins(client, "board:1");
    client_auth(client, "acme|u7|chef", NULL);
    world_publish(world, "acme", "board:1", "1");
    client_auth(client, "acme|u7", NULL);
    world_publish(world, "acme", "board:1", "2");
    world_publish(world, "acme", "user:u7", "3");
    world_turn(world);
    assert_string_equal(client_said(client, 1), "joined board:1 1 @0");
    assert_string_equal(client_said(client, 3), "event 1 board:1 @1 1");
    assert_string_equal(client_said(client, 4), "left board:1 -1");
    assert_string_equal(client_said(client, 5), "left role:chef -1");
    assert_string_equal(client_last(client), "event 3 user:u7 @3 3");
}

/* The queue has no place for the farewell of the first room: the session ends in the middle. */
static void losing_many_roles_with_a_full_queue_ends_it_cleanly(void **state)
{
    struct world *world = *state;
    struct client *client = client_in(world, "acme|u7|a,b,c,d", NULL);
    client_stall(client);
    while (!client->closed) {
        world_pass(6000);
        client_auth(client, "acme|u7|a,b,c,d", NULL);
        if (client->session->outq.used_bytes + 20 > client->session->outq.budget_bytes)
            client_auth(client, "acme|u7", NULL);
    }
    assert_int_equal(client->reason, CLOSE_SLOW_CONSUMER);
}

static void a_token_expires_by_the_clock_that_people_read(void **state)
{
    struct world *world = *state;
    struct client *client = client_in(world, "acme|u7||900", NULL);
    world_wall_us += 890 * INT64_C(1000000);
    world_wait(world, 8);
    assert_int_equal(client_heard(client, "expiring"), 1);
    assert_false(client->closed);
    world_wait(world, 4);
    assert_int_equal(client->reason, CLOSE_TOKEN_EXPIRED);
}

static void a_token_expires_also_when_that_clock_was_put_back(void **state)
{
    struct world *world = *state;
    struct client *client = client_in(world, "acme|u7||900", NULL);
    world_wall_us -= 3600 * INT64_C(1000000);
    world_wait_awake(world, 898);
    assert_false(client->closed);
    world_wait_awake(world, 4);
    assert_int_equal(client->reason, CLOSE_TOKEN_EXPIRED);
}

static void expiry_is_told_once_a_minute_ahead(void **state)
{
    struct world *world = *state;
    struct client *client = client_in(world, "acme|u7||300", NULL);
    world_wait_awake(world, 238);
    assert_int_equal(client_heard(client, "expiring"), 0);
    world_wait_awake(world, 30);
    assert_int_equal(client_heard(client, "expiring"), 1);
}

static void a_short_token_is_not_told_at_once_to_be_expiring(void **state)
{
    struct world *world = *state;
    struct client *client = client_in(world, "acme|u7||40", NULL);
    world_wait(world, 20);
    assert_int_equal(client_heard(client, "expiring"), 0);
    world_wait(world, 12);
    assert_int_equal(client_heard(client, "expiring"), 1);
}

static void each_token_is_warned_of_anew(void **state)
{
    struct world *world = *state;
    struct client *client = client_in(world, "acme|u7||300", NULL);
    world_wait_awake(world, 250);
    client_auth(client, "acme|u7||300", NULL);
    world_wait_awake(world, 200);
    assert_int_equal(client_heard(client, "expiring"), 1);
    world_wait_awake(world, 60);
    assert_int_equal(client_heard(client, "expiring"), 2);
}

static void a_session_that_is_old_is_asked_to_come_back(void **state)
{
    struct world *world = *state;
    struct hub_limits limits = limits_of(world);
    limits.max_session_ms = 100000;
    world_limit(world, limits);
    struct client *client = client_in(world, TOKEN, NULL);
    world_wait_awake(world, 98);
    assert_false(client->closed);
    world_wait_awake(world, 4);
    assert_int_equal(client->reason, CLOSE_RESTART);
}

/* ---- limits ---- */

static void the_oldest_session_of_a_user_is_replaced(void **state)
{
    struct world *world = *state;
    struct hub_limits limits = limits_of(world);
    limits.sessions_per_user = 2;
    world_limit(world, limits);
    struct client *a = client_in(world, TOKEN, NULL);
    struct client *b = client_in(world, TOKEN, NULL);
    struct client *other = client_in(world, "acme|u8", NULL);
    struct client *same_name = client_in(world, "rival|u7", NULL);
    assert_false(a->closed);
    struct client *c = client_in(world, TOKEN, NULL);
    assert_int_equal(a->reason, CLOSE_REPLACED);
    assert_true(a->closed && !b->closed && !c->closed && !other->closed && !same_name->closed);
    assert_int_equal((int)world->hub->metrics.rejected_limits[0], 1);
}

static void a_user_of_another_issuer_is_another_user(void **state)
{
    struct world *world = *state;
    struct hub_limits limits = limits_of(world);
    limits.sessions_per_user = 1;
    world_limit(world, limits);
    struct client *a = client_in(world, "acme|u7||900|main", NULL);
    struct client *b = client_in(world, "acme|u7||900|partner", NULL);
    assert_true(!a->closed && !b->closed);
    struct client *c = client_in(world, "acme|u7||900|partner", NULL);
    assert_true(!a->closed && b->closed && !c->closed);
    assert_int_equal(b->reason, CLOSE_REPLACED);
    world_publish(world, "acme", "user:u7", "x"); /* the room is the same by design */
    world_turn(world);
    assert_int_equal(client_heard(a, "event"), 1);
    assert_int_equal(client_heard(c, "event"), 1);
}

static void a_company_has_a_limit_of_its_own(void **state)
{
    struct world *world = *state;
    struct hub_limits limits = limits_of(world);
    limits.sessions_per_company = 2;
    world_limit(world, limits);
    struct client *a = client_in(world, TOKEN, NULL);
    client_in(world, TOKEN, NULL);
    struct client *third = client_in(world, TOKEN, NULL);
    struct client *rival = client_in(world, "rival|u7", NULL);
    assert_int_equal(third->reason, CLOSE_RATE_LIMITED);
    assert_false(rival->closed);
    session_close(a->session, CLOSE_GOING_AWAY);
    world_turn(world);
    assert_false(client_in(world, TOKEN, NULL)->closed);
}

static void rooms_have_a_limit_and_those_asked_for_count(void **state)
{
    struct world *world = *state;
    struct hub_limits limits = limits_of(world);
    limits.rooms_per_session = 4; /* two are its own */
    world_limit(world, limits);
    struct client *client = client_in(world, TOKEN, NULL);
    client_joins(client, "conversation:1");
    session_join(client->session, "conversation:2", 2);
    session_join(client->session, "conversation:3", 3);
    world_turn(world);
    assert_string_equal(client_last(client), "error too_many_rooms 3");
    world_allow(world, false);
    session_join(client->session, "conversation:3", 4);
    assert_int_equal(world->question_count, 1);
}

static void a_burst_of_twice_the_rate_is_allowed_and_no_more(void **state)
{
    struct world *world = *state;
    struct client *client = client_in(world, TOKEN, NULL);
    for (int i = 0; i < 40; i++)
        assert_true(session_spoke(client->session));
    assert_false(session_spoke(client->session));
    assert_int_equal(client->reason, CLOSE_RATE_LIMITED);
}

static void speech_is_earned_again_with_time(void **state)
{
    struct world *world = *state;
    struct client *client = client_in(world, TOKEN, NULL);
    for (int i = 0; i < 400; i++) {
        assert_true(session_spoke(client->session));
        world_pass(50);
    }
    world_pass(3600000); /* no more than the burst is saved up */
    for (int i = 0; i < 40; i++)
        assert_true(session_spoke(client->session));
    assert_false(session_spoke(client->session));
}

/* ---- rooms on request ---- */

static void a_room_granted_is_joined_and_heard(void **state)
{
    struct world *world = *state;
    struct client *client = client_in(world, TOKEN, NULL);
    world_publish(world, "acme", "conversation:9", "before");
    session_join(client->session, "conversation:9", 5);
    assert_string_equal(world->questions[0].room, "conversation:9");
    world_allow(world, true);
    world_publish(world, "acme", "conversation:9", "after");
    world_turn(world);
    assert_string_equal(client_said(client, 1), "joined conversation:9 5 @1");
    assert_string_equal(client_said(client, 2), "event 2 conversation:9 @2 after");
    assert_int_equal(client->count, 3);
}

static void the_claims_are_written_anew(void **state)
{
    struct world *world = *state;
    struct client *client = client_in(world, "ac\"me|u\\7|chef,admin", NULL);
    session_join(client->session, "conversation:9", 5);
    assert_string_equal(world->questions[0].claims,
                        "{\"company\":\"ac\\\"me\",\"user\":\"u\\\\7\",\"role\":\"chef\","
                        "\"roles\":[\"chef\",\"admin\"]}");
}

static void one_without_a_role_has_an_empty_one(void **state)
{
    struct world *world = *state;
    struct client *client = client_in(world, TOKEN, NULL);
    session_join(client->session, "conversation:9", 5);
    assert_string_equal(world->questions[0].claims, "{\"company\":\"acme\",\"user\":\"u7\","
                                                    "\"role\":\"\",\"roles\":[]}");
}

static void a_room_refused_is_not_heard(void **state)
{
    struct world *world = *state;
    struct client *client = client_in(world, TOKEN, NULL);
    session_join(client->session, "conversation:9", 5);
    world_allow(world, false);
    world_publish(world, "acme", "conversation:9", "x");
    world_turn(world);
    assert_string_equal(client_last(client), "error forbidden 5");
    assert_int_equal(client->count, 2);
}

static void a_question_without_an_answer_is_unavailable(void **state)
{
    struct world *world = *state;
    struct client *client = client_in(world, TOKEN, NULL);
    session_join(client->session, "conversation:9", 5);
    world_judge(world, PERMISSION_UNKNOWN);
    world_publish(world, "acme", "conversation:9", "x");
    world_turn(world);
    assert_string_equal(client_last(client), "error unavailable 5");
    assert_int_equal(client->count, 2);
    assert_int_equal((int)world->hub->metrics.joins[JOIN_UNAVAILABLE], 1);
    assert_int_equal((int)world->hub->metrics.joins[JOIN_REFUSED], 0);
}

static void the_company_is_told_with_the_question(void **state)
{
    struct world *world = *state;
    struct client *client = client_in(world, TOKEN, NULL);
    session_join(client->session, "conversation:9", 5);
    assert_string_equal(world->questions[0].company, "acme");
}

static void rooms_of_the_token_cannot_be_asked_for(void **state)
{
    static const char *const rooms[] = {
        "company:rival", "user:u8", "role:admin", "conversation", "", "a:\n", "a:\x7f", ":"};
    struct world *world = *state;
    struct client *client = client_in(world, TOKEN, NULL);
    for (size_t i = 0; i < COUNT(rooms) - 1; i++) {
        session_join(client->session, rooms[i], 5);
        world_turn(world);
        assert_string_equal(client_last(client), "error forbidden 5");
    }
    assert_int_equal(world->question_count, 0);
}

static void a_room_name_that_is_too_long_is_refused(void **state)
{
    struct world *world = *state;
    struct client *client = client_in(world, TOKEN, NULL);
    char room[EVENT_ROOM_BYTES_MAX + 2] = "a:";
    memset(room + 2, 'x', EVENT_ROOM_BYTES_MAX - 1);
    session_join(client->session, room, 5);
    assert_int_equal(world->question_count, 0);
    room[EVENT_ROOM_BYTES_MAX] = '\0';
    session_join(client->session, room, 5);
    assert_int_equal(world->question_count, 1);
}

static void a_room_one_sits_in_is_joined_without_asking(void **state)
{
    struct world *world = *state;
    struct client *client = client_in(world, TOKEN, NULL);
    session_join(client->session, "company:acme", 5);
    world_turn(world);
    assert_string_equal(client_last(client), "joined company:acme 5 @0");
    assert_int_equal(world->question_count, 0);
}

static void two_questions_for_one_room_give_one_seat(void **state)
{
    struct world *world = *state;
    struct client *client = client_in(world, TOKEN, NULL);
    session_join(client->session, "conversation:9", 1);
    session_join(client->session, "conversation:9", 2);
    world_allow(world, true);
    world_allow(world, true);
    world_turn(world);
    assert_int_equal(client_heard(client, "joined conversation:9"), 2);
    assert_int_equal(client->session->seat_count, 3);
    world_publish(world, "acme", "conversation:9", "x");
    world_turn(world);
    assert_int_equal(client_heard(client, "event"), 1);
}

static void a_database_that_is_away_is_told_as_unavailable(void **state)
{
    struct world *world = *state;
    struct client *client = client_in(world, TOKEN, NULL);
    world->away = true;
    session_join(client->session, "conversation:9", 5);
    world_turn(world);
    assert_string_equal(client_last(client), "error unavailable 5");
    assert_int_equal((int)world->hub->metrics.rejected_limits[LIMIT_QUESTIONS], 1);
    world->away = false; /* and it holds no place */
    session_join(client->session, "conversation:9", 6);
    assert_int_equal(client->session->pending_count, 1);
}

/* Or one user, with all his sessions, could take what his company may ask for. */
static void a_user_has_a_ceiling_of_questions(void **state)
{
    struct world *world = *state;
    struct hub_limits limits = limits_of(world);
    struct client *clients[6];
    char room[32];
    limits.rooms_per_session = 100;
    world_limit(world, limits);
    for (int i = 0; i < 6; i++)
        clients[i] = client_in(world, i < 5 ? TOKEN : "acme|u8", NULL);
    for (int i = 0; i < 256; i++) {
        snprintf(room, sizeof room, "project:%d", i);
        session_join(clients[i / 64]->session, room, i);
    }
    assert_int_equal(world->question_count, 256);
    session_join(clients[4]->session, "project:1", 7);
    world_turn(world);
    assert_string_equal(client_last(clients[4]), "error unavailable 7");
    session_join(clients[5]->session, "project:1", 7);
    assert_int_equal(world->question_count, 257);
    world_allow(world, true); /* one answer makes place for one question, */
    session_join(clients[4]->session, "project:1", 8);
    session_join(clients[4]->session, "project:2", 9);
    assert_int_equal(world->question_count, 257);
    session_close(clients[1]->session, CLOSE_GOING_AWAY); /* and so does going away */
    session_join(clients[4]->session, "project:2", 10);
    assert_int_equal(world->question_count, 258);
}

/* Tags are few: a question that stays open for long must not lend its answer to another. */
static void an_old_question_is_not_answered_with_the_answer_to_a_new_one(void **state)
{
    struct world *world = *state;
    struct client *client = client_in(world, TOKEN, NULL);
    session_join(client->session, "conversation:old", 0);
    struct question old = world_take_question(world, 0);
    for (int i = 1; i < 600; i++) {
        session_join(client->session, "conversation:new", i);
        struct question question = world_take_question(world, 0);
        assert_true(question.ticket != old.ticket);
        hub_may_join(world->hub, question.ticket, PERMISSION_DENIED);
        question_free(&question);
    }
    hub_may_join(world->hub, old.ticket, PERMISSION_ALLOWED);
    world_turn(world);
    assert_string_equal(client_last(client), "joined conversation:old 0 @0");
    question_free(&old);
}

static void no_ticket_of_a_room_is_the_one_of_a_replay(void **state)
{
    struct world *world = *state;
    struct client *client = client_in(world, TOKEN, NULL);
    uint64_t replay = session_ticket(client->session, TICKET_REPLAY);
    for (int i = 0; i < 600; i++) {
        session_join(client->session, "conversation:9", i);
        assert_true(world->questions[0].ticket != replay);
        world_allow(world, false);
    }
}

static void an_answer_for_one_that_is_gone_does_nothing(void **state)
{
    struct world *world = *state;
    struct client *gone = client_in(world, TOKEN, NULL);
    session_join(gone->session, "conversation:9", 1);
    session_close(gone->session, CLOSE_GOING_AWAY);
    world_turn(world);
    struct client *next = client_in(world, "rival|u9", NULL);
    session_join(next->session, "conversation:9", 1);
    assert_int_equal(next->session->slot, 0); /* where the other one sat */
    world_allow(world, true);
    world_turn(world);
    assert_int_equal(next->count, 1);
    assert_int_equal(next->session->seat_count, 2);
    world_allow(world, false);
}

static void an_answer_for_one_that_is_closing_does_nothing(void **state)
{
    struct world *world = *state;
    struct client *client = client_in(world, TOKEN, NULL);
    session_join(client->session, "conversation:9", 1);
    session_close(client->session, CLOSE_GOING_AWAY);
    world_allow(world, true); /* the socket is still there */
    world_turn(world);
    assert_int_equal(client->count, 1);
}

static void leaving_a_room_ends_hearing_it(void **state)
{
    struct world *world = *state;
    struct client *client = client_in(world, TOKEN, NULL);
    client_joins(client, "conversation:9");
    session_leave(client->session, "conversation:9", 3);
    world_publish(world, "acme", "conversation:9", "x");
    world_turn(world);
    assert_string_equal(client_last(client), "left conversation:9 3");
}

static void leaving_takes_back_what_is_still_being_asked(void **state)
{
    struct world *world = *state;
    struct client *client = client_in(world, TOKEN, NULL);
    session_join(client->session, "conversation:9", 1);
    session_join(client->session, "conversation:9", 2);
    session_leave(client->session, "conversation:9", 3);
    world_turn(world);
    assert_string_equal(client_last(client), "left conversation:9 3");
    assert_false(hub_wants(world->hub, world->questions[0].ticket));
    world_allow(world, true);
    world_allow(world, true);
    world_publish(world, "acme", "conversation:9", "x");
    world_turn(world);
    assert_int_equal(client->count, 2);
    assert_int_equal(client->session->seat_count, 2);
    assert_int_equal(client->session->pending_count, 0);
    session_leave(client->session, "conversation:9", 4);
    world_turn(world);
    assert_string_equal(client_last(client), "error forbidden 4");
}

/* Or one could ask for a room of one's own, take it back, and have the answer to it open another.
 */
static void a_question_taken_back_keeps_its_tag(void **state)
{
    struct world *world = *state;
    struct client *client = client_in(world, TOKEN, NULL);
    session_join(client->session, "conversation:mine", 0);
    struct question mine = world_take_question(world, 0);
    session_leave(client->session, "conversation:mine", 0);
    for (int i = 1; i < 600; i++) {
        session_join(client->session, "conversation:9", i);
        struct question question = world_take_question(world, 0);
        assert_true(question.ticket != mine.ticket);
        hub_may_join(world->hub, question.ticket, PERMISSION_DENIED);
        question_free(&question);
    }
    question_free(&mine);
}

static void a_question_asked_with_a_role_goes_with_it(void **state)
{
    struct world *world = *state;
    struct client *client = client_in(world, "acme|u7|chef", NULL);
    session_join(client->session, "board:1", 1);
    client_auth(client, "acme|u7", NULL);
    world_allow(world, true);
    world_turn(world);
    assert_string_equal(client_said(client, 1), "error unavailable 1");
    assert_int_equal(client_heard(client, "joined"), 0);
    assert_int_equal(client->session->seat_count, 2);
}

static void an_answer_is_wanted_while_it_changes_something(void **state)
{
    struct world *world = *state;
    struct client *client = client_in(world, TOKEN, NULL);
    session_join(client->session, "conversation:9", 1);
    uint64_t ticket = world->questions[0].ticket;
    assert_true(hub_wants(world->hub, ticket));
    assert_false(hub_wants(world->hub, ticket + 1));
    session_close(client->session, CLOSE_GOING_AWAY);
    assert_false(hub_wants(world->hub, ticket));
    world_turn(world);
    assert_false(hub_wants(world->hub, ticket));
}

static void the_own_rooms_cannot_be_left(void **state)
{
    static const char *const rooms[] = {"company:acme", "user:u7", "conversation:never"};
    struct world *world = *state;
    struct client *client = client_in(world, TOKEN, NULL);
    for (size_t i = 0; i < COUNT(rooms); i++) {
        session_leave(client->session, rooms[i], 4);
        world_turn(world);
        assert_string_equal(client_last(client), "error forbidden 4");
    }
    assert_int_equal(client->session->seat_count, 2);
}

/* ---- signs of life ---- */

static void a_quiet_session_hears_a_heartbeat_with_a_cursor(void **state)
{
    struct world *world = *state;
    struct client *client = client_in(world, TOKEN, NULL);
    world_publish(world, "rival", "company:rival", "x");
    world_wait(world, 23);
    assert_int_equal(client->count, 1);
    world_wait(world, 4);
    assert_string_equal(client_said(client, 1), "heartbeat @1");
    assert_string_equal(client_said(client, 2), "ping");
    assert_int_equal(client->count, 3);
}

static void sessions_of_a_company_share_the_heartbeat(void **state)
{
    struct world *world = *state;
    struct client *a = client_in(world, TOKEN, NULL);
    struct client *b = client_in(world, "acme|u8", NULL);
    struct client *c = client_in(world, "rival|u8", NULL);
    client_stall(a);
    client_stall(b);
    client_stall(c);
    world_wait(world, 27);
    assert_ptr_equal(outq_peek(&a->session->outq), outq_peek(&b->session->outq));
    assert_ptr_not_equal(outq_peek(&a->session->outq), outq_peek(&c->session->outq));
}

static struct frame *text_other_heartbeat(const char *cursor)
{
    TEXT_FRAME("<beat @%s/>", cursor);
}

static void a_heartbeat_is_shared_within_a_protocol_only(void **state)
{
    struct world *world = *state;
    struct protocol other = text_protocol;
    other.heartbeat = text_other_heartbeat;
    struct client *a = client_in(world, TOKEN, NULL);
    struct client *b = client_speaking(world, &other);
    client_auth(b, "acme|u8", NULL);
    world_wait(world, 27);
    assert_string_equal(client_said(a, 1), "heartbeat @0");
    assert_string_equal(client_said(b, 1), "<beat @0/>");
    world_close(world); /* before the protocol goes */
    world_open(world);
}

static void a_door_without_a_heartbeat_stays_silent(void **state)
{
    struct world *world = *state;
    struct protocol silent = text_protocol;
    silent.heartbeat = NULL;
    silent.ping = NULL;
    struct client *client = client_speaking(world, &silent);
    client_auth(client, TOKEN, NULL);
    world_wait(world, 60);
    assert_int_equal(client->count, 1);
    assert_false(client->closed);
    world_close(world); /* before the protocol goes */
    world_open(world);
}

/* The position of the session's cursor; -1: it has one that does not hold, -2: none. */
static int64_t goes_on_from(const struct client *client)
{
    char text[CURSOR_TEXT_MAX];
    int64_t seq = -1;
    if (!session_cursor(client->session, text))
        return -2;
    (void)cursor_read(client->world->hub->codec, "acme", text, &seq);
    return seq;
}

static void where_to_go_on_is_after_all_that_was_queued(void **state)
{
    struct world *world = *state;
    struct client *client = client_in(world, TOKEN, NULL);
    assert_int_equal(goes_on_from(client), 0);
    client_stall(client);
    world_publish(world, "acme", "company:acme", "x");
    assert_int_equal(goes_on_from(client), 1);
    world_publish(world, "rival", "company:rival", "x");
    assert_int_equal(goes_on_from(client), 2);
    session_close(client->session, CLOSE_REPLACED);
    assert_int_equal(goes_on_from(client), -2);
}

static void before_its_gap_was_told_a_session_goes_on_nowhere(void **state)
{
    struct world *world = *state;
    static const char *const rooms[] = {"conversation:9"};
    struct client *client = client_new(world);
    assert_int_equal(goes_on_from(client), -2);
    session_auth(client->session, TOKEN, strlen(TOKEN), "AAAAAAAAAAAAAAAAAAAAAA", rooms, 1);
    assert_int_equal(goes_on_from(client), -1);
    world_allow(world, true);
    assert_int_equal(goes_on_from(client), 0);
}

static void a_heartbeat_after_a_restore_has_a_cursor_that_holds(void **state)
{
    struct world *world = *state;
    struct client *client = client_in(world, TOKEN, NULL);
    world_wait_awake(world, 27);
    strcpy(world->db->epoch, "second"); /* the position is the same */
    world_up(world);
    world_wait_awake(world, 27);
    assert_int_equal(client_heard(client, "heartbeat"), 2);
    assert_int_equal(client_heard(client, "heartbeat @0"), 2);
}

static void what_waits_is_a_sign_of_life_already(void **state)
{
    struct world *world = *state;
    struct client *client = client_in(world, TOKEN, NULL);
    client_stall(client);
    world_wait(world, 20);
    world_publish(world, "acme", "user:u7", "x");
    world_wait(world, 20);
    assert_int_equal(client->session->outq.count, 1);
}

static void one_that_answers_nothing_is_dead(void **state)
{
    struct world *world = *state;
    struct client *client = client_in(world, TOKEN, NULL);
    world_wait(world, 34);
    assert_false(client->closed);
    world_wait(world, 4);
    assert_int_equal(client->reason, CLOSE_DEAD);
}

static void one_that_answers_its_pings_lives(void **state)
{
    struct world *world = *state;
    struct client *client = client_in(world, TOKEN, NULL);
    world_wait_awake(world, 300);
    assert_false(client->closed);
}

/* While frames wait no ping is sent, so nothing can be answered: that is no silence. */
static void one_that_read_for_long_is_asked_before_it_is_dead(void **state)
{
    struct world *world = *state;
    struct client *client = client_in(world, TOKEN, NULL);
    client_stall(client);
    for (int i = 0; i < 100; i++)
        world_publish(world, "acme", "user:u7", "x");
    for (int i = 0; i < 98; i++) {
        client_takes(client, 1);
        world_wait(world, 1);
    }
    client_takes(client, -1);
    world_wait(world, 5);
    assert_false(client->closed);
    session_heard(client->session);
    world_wait(world, 20);
    assert_false(client->closed);
    world_wait(world, 20);
    assert_int_equal(client->reason, CLOSE_DEAD);
}

static void one_that_takes_nothing_is_slow(void **state)
{
    struct world *world = *state;
    struct client *client = client_in(world, TOKEN, NULL);
    client_stall(client);
    world_publish(world, "acme", "user:u7", "x");
    world_publish(world, "acme", "user:u7", "y");
    world_wait(world, 28);
    assert_false(client->closed);
    client_takes(client, 1);
    world_wait(world, 28);
    assert_false(client->closed);
    world_wait(world, 4);
    assert_int_equal(client->reason, CLOSE_SLOW_CONSUMER);
    assert_int_equal(client_heard(client, "event"), 1);
    assert_int_equal(world->hub->queued_bytes, 0);
}

/* ---- the end ---- */

/* The transport holds all of it, and the queue is empty: that is no reading either. */
static void one_whose_socket_stays_choked_is_slow(void **state)
{
    struct world *world = *state;
    struct client *client = client_in(world, TOKEN, NULL);
    session_choked(client->session, true);
    world_wait(world, 29);
    assert_false(client->closed);
    world_wait(world, 3);
    assert_int_equal(client->reason, CLOSE_SLOW_CONSUMER);
}

static void one_whose_socket_takes_again_is_not_slow(void **state)
{
    struct world *world = *state;
    struct client *client = client_in(world, TOKEN, NULL);
    session_choked(client->session, true);
    world_wait_awake(world, 20);
    session_choked(client->session, false);
    world_wait_awake(world, 40);
    assert_false(client->closed);
}

static void closing_drops_what_waited_and_happens_once(void **state)
{
    struct world *world = *state;
    struct client *client = client_in(world, TOKEN, NULL);
    client_joins(client, "conversation:9");
    client_stall(client);
    world_publish(world, "acme", "user:u7", "x");
    session_close(client->session, CLOSE_RESTART);
    session_close(client->session, CLOSE_INTERNAL);
    assert_int_equal(client->reason, CLOSE_RESTART);
    assert_null(session_peek(client->session));
    assert_int_equal(world->hub->queued_bytes, 0);
    world_publish(world, "acme", "user:u7", "y");
    world_turn(world);
    assert_int_equal(client_heard(client, "event"), 0);
    assert_int_equal((int)world->hub->metrics.closed[CLOSE_RESTART], 1);
}

static void a_client_that_goes_first_is_counted_so(void **state)
{
    struct world *world = *state;
    struct client *client = client_in(world, TOKEN, NULL);
    session_gone(client->session);
    client->session = NULL;
    world_turn(world);
    assert_int_equal((int)world->hub->metrics.closed[CLOSE_CLIENT], 1);
    assert_int_equal(world->hub->session_count, 0);
    assert_null(world->hub->companies);
}

static void what_is_said_to_a_closed_session_is_dropped(void **state)
{
    struct world *world = *state;
    struct client *client = client_in(world, TOKEN, NULL);
    session_close(client->session, CLOSE_RESTART);
    session_send(client->session, text_renewed(1));
    session_auth(client->session, TOKEN, strlen(TOKEN), NULL, NULL, 0);
    session_join(client->session, "conversation:9", 1);
    session_leave(client->session, "conversation:9", 1);
    session_drained(client->session);
    session_tick(client->session, world_now_ms, world_wall_us);
    assert_int_equal(client->session->outq.count, 0);
    assert_int_equal(world->question_count, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
    log_setup(LOG_ERROR, LOG_LOGFMT);
    static const struct CMUnitTest tests[] = {
        TEST(ready_is_the_first_thing_heard),
        TEST(roles_are_rooms_and_each_is_one),
        TEST(a_token_that_does_not_hold_closes),
        TEST(nobody_comes_in_before_the_database_was_there),
        TEST(silence_before_the_token_ends_it),
        TEST(asking_for_a_room_before_the_token_ends_it),
        TEST(anything_but_waiting_before_ready_ends_it),
        TEST(ready_waits_for_the_rooms_asked_for_with_the_token),
        TEST(a_room_that_was_refused_is_not_in_ready),
        TEST(ready_that_takes_too_long_ends_it),
        TEST(ready_stays_the_first_thing_when_the_bridge_drains),
        TEST(a_cursor_resumes_from_memory),
        TEST(a_damaged_cursor_is_told_as_a_gap),
        TEST(a_cursor_of_another_company_is_told_as_a_gap),
        TEST(a_cursor_from_before_a_restore_is_told_as_a_gap),
        TEST(a_fresh_token_renews_and_keeps_who_it_is),
        TEST(a_token_of_somebody_else_does_not_renew),
        TEST(a_renewal_with_a_bad_token_ends_it),
        TEST(a_lost_role_is_left_and_a_new_one_entered),
        TEST(renewals_have_a_rate_of_their_own),
        TEST(with_a_lost_role_rooms_on_request_are_left),
        TEST(losing_many_roles_with_a_full_queue_ends_it_cleanly),
        TEST(a_token_expires_by_the_clock_that_people_read),
        TEST(a_token_expires_also_when_that_clock_was_put_back),
        TEST(expiry_is_told_once_a_minute_ahead),
        TEST(a_short_token_is_not_told_at_once_to_be_expiring),
        TEST(each_token_is_warned_of_anew),
        TEST(a_session_that_is_old_is_asked_to_come_back),
        TEST(the_oldest_session_of_a_user_is_replaced),
        TEST(a_user_of_another_issuer_is_another_user),
        TEST(a_company_has_a_limit_of_its_own),
        TEST(rooms_have_a_limit_and_those_asked_for_count),
        TEST(a_burst_of_twice_the_rate_is_allowed_and_no_more),
        TEST(speech_is_earned_again_with_time),
        TEST(a_room_granted_is_joined_and_heard),
        TEST(the_claims_are_written_anew),
        TEST(one_without_a_role_has_an_empty_one),
        TEST(a_room_refused_is_not_heard),
        TEST(a_question_without_an_answer_is_unavailable),
        TEST(the_company_is_told_with_the_question),
        TEST(rooms_of_the_token_cannot_be_asked_for),
        TEST(a_room_name_that_is_too_long_is_refused),
        TEST(a_room_one_sits_in_is_joined_without_asking),
        TEST(two_questions_for_one_room_give_one_seat),
        TEST(a_database_that_is_away_is_told_as_unavailable),
        TEST(a_user_has_a_ceiling_of_questions),
        TEST(an_old_question_is_not_answered_with_the_answer_to_a_new_one),
        TEST(no_ticket_of_a_room_is_the_one_of_a_replay),
        TEST(an_answer_for_one_that_is_gone_does_nothing),
        TEST(an_answer_for_one_that_is_closing_does_nothing),
        TEST(leaving_a_room_ends_hearing_it),
        TEST(leaving_takes_back_what_is_still_being_asked),
        TEST(a_question_taken_back_keeps_its_tag),
        TEST(a_question_asked_with_a_role_goes_with_it),
        TEST(an_answer_is_wanted_while_it_changes_something),
        TEST(the_own_rooms_cannot_be_left),
        TEST(a_quiet_session_hears_a_heartbeat_with_a_cursor),
        TEST(sessions_of_a_company_share_the_heartbeat),
        TEST(a_heartbeat_is_shared_within_a_protocol_only),
        TEST(a_door_without_a_heartbeat_stays_silent),
        TEST(where_to_go_on_is_after_all_that_was_queued),
        TEST(before_its_gap_was_told_a_session_goes_on_nowhere),
        TEST(a_heartbeat_after_a_restore_has_a_cursor_that_holds),
        TEST(what_waits_is_a_sign_of_life_already),
        TEST(one_that_answers_nothing_is_dead),
        TEST(one_that_answers_its_pings_lives),
        TEST(one_that_read_for_long_is_asked_before_it_is_dead),
        TEST(one_that_takes_nothing_is_slow),
        TEST(one_whose_socket_stays_choked_is_slow),
        TEST(one_whose_socket_takes_again_is_not_slow),
        TEST(closing_drops_what_waited_and_happens_once),
        TEST(a_client_that_goes_first_is_counted_so),
        TEST(what_is_said_to_a_closed_session_is_dropped),
    };
    return RUN(tests);
}
