#include "unit.h"

#include "core/world.h"

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

static void let_go(struct client *client)
{
    session_gone(client->session);
    client->session = NULL;
}

/* ---- slots and tickets ---- */

static void each_session_has_a_slot_of_its_own(void **state)
{
    struct world *world = *state;
    for (int i = 0; i < 300; i++)
        client_new(world);
    bool taken[1024] = {false};
    for (struct client *client = world->clients; client; client = client->next) {
        uint32_t slot = client->session->slot;
        assert_false(taken[slot]);
        taken[slot] = true;
        assert_ptr_equal(world->hub->slots[slot].session, client->session);
    }
    assert_int_equal(world->hub->session_count, 300);
}

static void a_slot_is_used_again_under_another_generation(void **state)
{
    struct world *world = *state;
    struct client *first = client_new(world);
    uint64_t ticket = session_ticket(first->session, 3);
    uint32_t slot = first->session->slot;
    let_go(first);
    world_turn(world);
    struct client *second = client_new(world);
    assert_int_equal(second->session->slot, slot);
    assert_true(session_ticket(second->session, 3) != ticket);
}

static void a_ticket_of_nowhere_does_nothing(void **state)
{
    struct world *world = *state;
    const struct replay replay = {.ok = true, .upto = 50};
    client_in(world, "acme|u7", NULL);
    hub_replayed(world->hub, 0, &replay);
    hub_replayed(world->hub, UINT64_MAX, &replay);
    hub_may_join(world->hub, UINT64_C(1) << 32 | 0xffff00, PERMISSION_ALLOWED);
    assert_int_equal(world->hub->position, 0);
}

static void a_replay_for_one_that_is_gone_does_nothing_to_the_next(void **state)
{
    struct world *world = *state;
    world->hub->history.budget_bytes = 1;
    struct client *first = client_in(world, "acme|u7", NULL);
    char cursor[64];
    strcpy(cursor, first->cursor);
    let_go(first);
    world_publish(world, "acme", "user:u7", "x");
    struct client *second = client_in(world, "acme|u7", cursor);
    let_go(second);
    world_turn(world);
    struct client *third = client_in(world, "acme|u7", cursor);
    struct question late = world_take_question(world, 0);
    struct replay replay = snapshot(world->db, &late);
    hub_replayed(world->hub, late.ticket, &replay);
    world_turn(world);
    assert_int_equal(third->count, 0);
    assert_int_equal(third->session->state, SESSION_ADMITTED);
    snapshot_free(&replay);
    question_free(&late);
    world_answer(world);
    world_turn(world);
    assert_int_equal(third->count, 2);
}

/* ---- turns ---- */

static void a_turn_writes_to_a_bounded_number_of_sessions(void **state)
{
    struct world *world = *state;
    struct client *clients[10];
    for (int i = 0; i < 10; i++)
        clients[i] = client_in(world, "acme|u7", NULL);
    world_publish(world, "acme", "user:u7", "x");
    assert_true(hub_flush(world->hub, 4));
    unsigned heard = 0;
    for (int i = 0; i < 10; i++)
        heard += client_heard(clients[i], "event");
    assert_int_equal(heard, 4);
    assert_true(hub_flush(world->hub, 4));
    assert_false(hub_flush(world->hub, 4));
    for (int i = 0; i < 10; i++)
        assert_int_equal(client_heard(clients[i], "event"), 1);
}

static void one_that_goes_with_work_waiting_is_not_written_to(void **state)
{
    struct world *world = *state;
    struct client *a = client_in(world, "acme|u7", NULL);
    struct client *b = client_in(world, "acme|u7", NULL);
    world_publish(world, "acme", "user:u7", "x");
    let_go(a);
    hub_reap(world->hub);
    world_turn(world);
    assert_int_equal(a->count, 1);
    assert_int_equal(client_heard(b, "event"), 1);
}

static void a_tick_looks_at_each_session_within_a_second(void **state)
{
    struct world *world = *state;
    for (int i = 0; i < 130; i++)
        client_new(world);
    world_pass(6000);
    for (int i = 0; i < HUB_TICK_SLICES; i++)
        hub_tick(world->hub);
    for (struct client *client = world->clients; client; client = client->next)
        assert_int_equal(client->reason, CLOSE_AUTH_TIMEOUT);
}

static void a_tick_without_sessions_is_no_trouble(void **state)
{
    struct world *world = *state;
    hub_tick(world->hub);
    assert_int_equal((int)world->hub->metrics.companies[0], 0);
}

/* ---- the database ---- */

static void the_first_time_the_hub_stands_where_the_feed_stands(void **state)
{
    (void)state;
    struct world world;
    struct hub_options options = world_prepare(&world, NULL);
    world.hub = hub_new(&options);
    world.own.last_seq = 44;
    assert_int_equal(world_up(&world), 44);
    assert_int_equal(world.hub->position, 44);
    assert_int_equal(world.hub->history.floor_seq, 44);
    world_close(&world);
}

static void a_new_epoch_at_the_same_position_is_told(void **state)
{
    struct world *world = *state;
    struct client *client = client_in(world, "acme|u7", NULL);
    strcpy(world->db->epoch, "second");
    world_up(world);
    world_turn(world);
    assert_string_equal(client_last(client), "gap epoch @0");
    world_up(world); /* once */
    world_turn(world);
    assert_int_equal(client->count, 2);
}

static void a_floor_that_passed_us_moves_the_hub(void **state)
{
    struct world *world = *state;
    world_publish(world, "acme", "user:u7", "x");
    world->db->last_seq = 90;
    world->db->floor_seq = 60;
    assert_int_equal(world_up(world), 60);
    assert_int_equal(world->hub->history.floor_seq, 60);
    assert_int_equal(world->hub->history.count, 0);
}

static void a_floor_at_our_position_moves_nothing(void **state)
{
    struct world *world = *state;
    struct client *client = client_in(world, "acme|u7", NULL);
    world_publish(world, "acme", "user:u7", "x");
    world->db->floor_seq = 1;
    assert_int_equal(world_up(world), 1);
    world_turn(world);
    assert_int_equal(client_heard(client, "gap"), 0);
    assert_int_equal(world->hub->history.count, 1);
}

/* ---- going down ---- */

static void draining_tells_each_when_to_come_back_and_then_closes_it(void **state)
{
    struct world *world = *state;
    struct client *clients[20];
    for (int i = 0; i < 20; i++)
        clients[i] = client_in(world, "acme|u7", NULL);
    hub_drain(world->hub, 10000);
    world_turn(world);
    for (int i = 0; i < 20; i++) {
        assert_memory_equal(client_last(clients[i]), "drain ", 6);
        assert_in_range(atoi(client_last(clients[i]) + 6), 0, 9999);
        assert_false(clients[i]->closed);
    }
    world_wait(world, 5);
    unsigned closed = 0;
    for (int i = 0; i < 20; i++)
        closed += clients[i]->closed;
    assert_in_range(closed, 2, 18);
    world_wait(world, 7);
    for (int i = 0; i < 20; i++)
        assert_int_equal(clients[i]->reason, CLOSE_RESTART);
}

static void draining_without_a_window_closes_at_once(void **state)
{
    struct world *world = *state;
    struct client *client = client_in(world, "acme|u7", NULL);
    hub_drain(world->hub, 0);
    world_turn(world); /* the turn of the signal ends before a tick comes */
    world_wait(world, 2);
    assert_string_equal(client_last(client), "drain 0");
    assert_int_equal(client->reason, CLOSE_RESTART);
}

static void nobody_comes_in_while_draining(void **state)
{
    struct world *world = *state;
    hub_drain(world->hub, 10000);
    assert_null(session_new(world->hub, &text_protocol, &world_transport, NULL, "x"));
}

static void closing_all_closes_all(void **state)
{
    struct world *world = *state;
    for (int i = 0; i < 70; i++)
        client_in(world, i % 2 ? "acme|u1" : "rival|u1", NULL);
    client_new(world);
    hub_close_all(world->hub, CLOSE_GOING_AWAY);
    world_turn(world);
    for (struct client *client = world->clients; client; client = client->next)
        assert_true(client->closed);
    assert_int_equal(world->hub->session_count, 0);
    assert_null(world->hub->companies);
}

static void sessions_are_counted_by_state(void **state)
{
    struct world *world = *state;
    const double *sessions = world->hub->metrics.sessions;
    client_in(world, "acme|u7", NULL);
    struct client *client = client_new(world);
    assert_int_equal((int)sessions[SESSION_LIVE], 1);
    assert_int_equal((int)sessions[SESSION_ACCEPTED], 1);
    session_close(client->session, CLOSE_PROTOCOL);
    assert_int_equal((int)sessions[SESSION_ACCEPTED], 0);
    assert_int_equal((int)sessions[SESSION_CLOSED], 1);
    world_turn(world);
    assert_int_equal((int)sessions[SESSION_CLOSED], 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
    log_setup(LOG_ERROR, LOG_LOGFMT);
    static const struct CMUnitTest tests[] = {
        TEST(each_session_has_a_slot_of_its_own),
        TEST(a_slot_is_used_again_under_another_generation),
        TEST(a_ticket_of_nowhere_does_nothing),
        TEST(a_replay_for_one_that_is_gone_does_nothing_to_the_next),
        TEST(a_turn_writes_to_a_bounded_number_of_sessions),
        TEST(one_that_goes_with_work_waiting_is_not_written_to),
        TEST(a_tick_looks_at_each_session_within_a_second),
        TEST(a_tick_without_sessions_is_no_trouble),
        TEST(the_first_time_the_hub_stands_where_the_feed_stands),
        TEST(a_new_epoch_at_the_same_position_is_told),
        TEST(a_floor_that_passed_us_moves_the_hub),
        TEST(a_floor_at_our_position_moves_nothing),
        TEST(draining_tells_each_when_to_come_back_and_then_closes_it),
        TEST(draining_without_a_window_closes_at_once),
        TEST(nobody_comes_in_while_draining),
        TEST(closing_all_closes_all),
        TEST(sessions_are_counted_by_state),
    };
    return RUN(tests);
}
