#include "unit.h"

#include "core/world.h"
#include "proto/native.h"
#include "proto/poll.h"

#include <jansson.h>

/* One request: it is answered once it is due, as the socket's side does, and then is over. */
struct poll {
    struct session *session; /* NULL: answered, or closed */
    char *body;              /* of the answer */
    char cursor[CURSOR_TEXT_MAX];
    bool closed;
    bool held; /* not answered by itself */
    enum close_reason reason;
};

static void answer(struct poll *poll)
{
    struct buf body;
    buf_init(&body, poll->session->outq.used_bytes + POLL_FRAME_BYTES);
    poll_body(poll->session, &body);
    assert_false(body.overflow);
    poll->body = buf_take(&body);
    json_t *json = json_loads(poll->body, JSON_REJECT_DUPLICATES, NULL);
    assert_true(json_is_array(json_object_get(json, "events")));
    const char *cursor = json_string_value(json_object_get(json, "cursor"));
    assert_non_null(cursor);
    strcpy(poll->cursor, cursor);
    json_decref(json);
    session_gone(poll->session);
    poll->session = NULL;
}

static void flush(void *conn)
{
    struct poll *poll = conn;
    if (poll->session && !poll->held && poll_is_due(poll->session))
        answer(poll);
}

static void hang_up(void *conn, enum close_reason reason)
{
    struct poll *poll = conn;
    poll->closed = true;
    poll->reason = reason;
}

static const struct transport transport = {flush, hang_up};

/* Asks, on behalf of u7 of acme. */
static void ask_for(struct world *world, struct poll *poll, const char *cursor, const char *room)
{
    *poll = (struct poll){0};
    poll->session = session_new(world->hub, &poll_protocol, &transport, poll, "192.0.2.1");
    session_auth(poll->session, "acme|u7", 7, cursor, &room, room ? 1 : 0);
    world_turn(world);
}

static void ask(struct world *world, struct poll *poll, const char *cursor)
{
    ask_for(world, poll, cursor, NULL);
}

/* The time of the request is over, or its socket is gone. */
static void end(struct world *world, struct poll *poll)
{
    if (poll->session && !poll->closed)
        answer(poll);
    else if (poll->session)
        session_gone(poll->session);
    poll->session = NULL;
    free(poll->body);
    poll->body = NULL;
    hub_reap(world->hub);
}

/* A cursor of now. */
static void begin(struct world *world, char cursor[CURSOR_TEXT_MAX])
{
    struct poll poll;
    ask(world, &poll, NULL);
    assert_non_null(poll.body);
    strcpy(cursor, poll.cursor);
    end(world, &poll);
}

static size_t count_events(const struct poll *poll)
{
    json_t *json = json_loads(poll->body, 0, NULL);
    size_t count = json_array_size(json_object_get(json, "events"));
    json_decref(json);
    return count;
}

static bool has(const struct poll *poll, const char *part)
{
    return poll->body && strstr(poll->body, part);
}

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

static void who_has_no_cursor_is_given_one_at_once(void **state)
{
    struct poll poll;
    world_publish(*state, "acme", "company:acme", "{}");
    ask(*state, &poll, NULL);
    assert_non_null(poll.body);
    char want[128];
    snprintf(want, sizeof want, "{\"events\":[],\"cursor\":\"%s\"}", poll.cursor);
    assert_string_equal(poll.body, want);
    end(*state, &poll);
}

static void who_has_one_waits_for_an_event(void **state)
{
    struct poll poll;
    char cursor[CURSOR_TEXT_MAX];
    begin(*state, cursor);
    ask(*state, &poll, cursor);
    world_publish(*state, "rival", "company:rival", "{}");
    world_turn(*state);
    assert_null(poll.body);
    world_publish(*state, "acme", "company:acme", "{\"n\":1}");
    world_turn(*state);
    assert_non_null(poll.body);
    assert_int_equal(count_events(&poll), 1);
    end(*state, &poll);
}

static void an_event_is_said_as_on_the_native_door(void **state)
{
    struct poll poll;
    char cursor[CURSOR_TEXT_MAX];
    begin(*state, cursor);
    world_publish(*state, "acme", "company:acme", "{\"n\":1}");
    world_publish(*state, "acme", "user:u7", "{\"n\":2}");
    struct client *native = client_speaking(*state, &native_protocol);
    session_auth(native->session, "acme|u7", 7, cursor, NULL, 0);
    ask(*state, &poll, cursor);
    char want[2048];
    snprintf(want, sizeof want, "{\"events\":[%s,%s],\"cursor\":\"%s\"}", native->heard[1],
             native->heard[2], native->cursor);
    assert_string_equal(poll.body, want);
    end(*state, &poll);
}

static void each_request_goes_on_where_the_last_one_ended(void **state)
{
    struct poll poll;
    char cursor[CURSOR_TEXT_MAX];
    begin(*state, cursor);
    for (int n = 0; n < 5; n++) {
        char payload[16];
        snprintf(payload, sizeof payload, "{\"n\":%d}", n);
        world_publish(*state, "acme", "company:acme", payload);
        ask(*state, &poll, cursor);
        assert_int_equal(count_events(&poll), 1);
        assert_true(has(&poll, payload));
        strcpy(cursor, poll.cursor);
        end(*state, &poll);
    }
}

static void when_its_time_is_over_it_says_how_far_it_has_come(void **state)
{
    struct poll poll;
    char cursor[CURSOR_TEXT_MAX];
    begin(*state, cursor);
    ask(*state, &poll, cursor);
    world_publish(*state, "rival", "company:rival", "{}");
    world_turn(*state);
    answer(&poll);
    assert_int_equal(count_events(&poll), 0);
    int64_t seq = -1;
    struct world *world = *state;
    assert_int_equal(cursor_read(world->hub->codec, "acme", poll.cursor, &seq), CURSOR_OK);
    assert_int_equal(seq, 1);
    end(*state, &poll);
}

static void one_that_waits_is_no_slow_consumer(void **state)
{
    struct poll poll;
    char cursor[CURSOR_TEXT_MAX];
    begin(*state, cursor);
    ask(*state, &poll, cursor);
    world_wait(*state, 120);
    assert_false(poll.closed);
    assert_null(poll.body);
    end(*state, &poll);
}

static void a_token_that_is_about_to_end_does_not_end_the_waiting(void **state)
{
    struct poll poll;
    char cursor[CURSOR_TEXT_MAX];
    struct world *world = *state;
    begin(world, cursor);
    poll = (struct poll){0};
    poll.session = session_new(world->hub, &poll_protocol, &transport, &poll, "192.0.2.1");
    session_auth(poll.session, "acme|u7||100", 12, cursor, NULL, 0);
    world_wait(world, 80);
    assert_true(poll.session->warned);
    assert_null(poll.body);
    world_wait(world, 25);
    assert_true(poll.closed);
    assert_int_equal(poll.reason, CLOSE_TOKEN_EXPIRED);
    end(world, &poll);
}

static void a_gap_is_told_with_where_to_go_on(void **state)
{
    struct poll poll;
    ask(*state, &poll, "AAAAAAAAAAAAAAAAAAAAAA");
    assert_true(has(&poll, "{\"events\":[],\"gap\":\"cursor\",\"cursor\":\""));
    char cursor[CURSOR_TEXT_MAX];
    strcpy(cursor, poll.cursor);
    end(*state, &poll);
    ask(*state, &poll, cursor);
    assert_null(poll.body); /* the gap is behind it */
    end(*state, &poll);
}

static void a_gap_ends_the_waiting(void **state)
{
    struct poll poll;
    char cursor[CURSOR_TEXT_MAX];
    begin(*state, cursor);
    ask(*state, &poll, cursor);
    struct world *world = *state;
    session_gap(poll.session, GAP_OVERFLOW);
    world_turn(world);
    assert_true(has(&poll, "\"gap\":\"overflow\""));
    end(*state, &poll);
}

/* The past, of which memory knows nothing: asked for piece by piece, answered once. */
static void the_past_comes_whole_before_it_is_answered(void **state)
{
    struct poll poll;
    char cursor[CURSOR_TEXT_MAX];
    struct world *world = *state;
    begin(world, cursor);
    world->hub->history.budget_bytes = 1;
    for (int n = 0; n < 100; n++)
        world_publish(world, "acme", "company:acme", "{}");
    ask(world, &poll, cursor);
    for (int pieces = 0; world->question_count; pieces++) {
        assert_null(poll.body);
        assert_true(pieces < 10);
        world_answer(world);
        world_turn(world);
    }
    assert_int_equal(count_events(&poll), 100);
    end(world, &poll);
}

static void what_a_queue_does_not_hold_comes_with_the_next_request(void **state)
{
    struct poll poll;
    char cursor[CURSOR_TEXT_MAX];
    char payload[1000];
    struct world *world = *state;
    begin(world, cursor);
    snprintf(payload, sizeof payload, "{\"x\":\"%0900d\"}", 7);
    for (int n = 0; n < 200; n++)
        world_publish(world, "acme", "company:acme", payload);
    size_t total = 0;
    for (int requests = 0; total < 200; requests++) {
        assert_true(requests < 10);
        ask(world, &poll, cursor);
        assert_non_null(poll.body);
        assert_true(count_events(&poll) > 0);
        total += count_events(&poll);
        strcpy(cursor, poll.cursor);
        end(world, &poll);
    }
    assert_int_equal(total, 200);
}

static void an_event_larger_than_the_queue_comes_all_the_same(void **state)
{
    struct poll poll;
    char cursor[CURSOR_TEXT_MAX];
    char payload[60000];
    struct world *world = *state;
    world->hub->options.limits.queue_bytes = 16 * 1024;
    begin(world, cursor);
    ask(world, &poll, cursor);
    snprintf(payload, sizeof payload, "{\"x\":\"%050000d\"}", 7);
    world_publish(world, "acme", "company:acme", payload);
    world_turn(world);
    assert_non_null(poll.body);
    assert_int_equal(count_events(&poll), 1);
    end(world, &poll);
    ask(world, &poll, cursor); /* from memory, too */
    assert_int_equal(count_events(&poll), 1);
    end(world, &poll);
}

/* What there is is not held back for what may never come. */
static void when_the_database_fails_half_way_it_says_what_it_has(void **state)
{
    struct poll poll;
    char cursor[CURSOR_TEXT_MAX];
    struct world *world = *state;
    begin(world, cursor);
    world->hub->history.budget_bytes = 1;
    for (int n = 0; n < 100; n++)
        world_publish(world, "acme", "company:acme", "{}");
    ask(world, &poll, cursor);
    world_answer(world);
    world_turn(world);
    assert_null(poll.body);
    world_fail(world);
    /* nothing makes the session speak up by itself: the tick does, or the end of its time */
    assert_true(poll_is_due(poll.session));
    answer(&poll);
    assert_int_equal(count_events(&poll), 32);
    end(world, &poll);
}

static void rooms_asked_for_count_before_anything_is_said(void **state)
{
    struct poll poll;
    struct world *world = *state;
    char cursor[CURSOR_TEXT_MAX];
    begin(world, cursor);
    world_publish(world, "acme", "conversation:9", "{\"n\":9}");
    ask_for(world, &poll, cursor, "conversation:9");
    assert_null(poll.body);
    world_allow(world, true);
    world_turn(world);
    assert_true(has(&poll, "{\"n\":9}"));
    end(world, &poll);
}

/* An answer without the room's events, and with a cursor behind them, would lose them. */
static void a_room_that_is_not_given_is_said_instead_of_events(void **state)
{
    static const struct {
        enum permission permission;
        const char *code;
    } rows[] = {{PERMISSION_DENIED, "forbidden"}, {PERMISSION_UNKNOWN, "unavailable"}};
    struct world *world = *state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct poll poll;
        char cursor[CURSOR_TEXT_MAX];
        begin(world, cursor);
        world_publish(world, "acme", "company:acme", "{}");
        ask_for(world, &poll, cursor, "conversation:9");
        poll.held = true;
        world_judge(world, rows[i].permission);
        world_turn(world);
        assert_true(poll_is_due(poll.session));
        assert_string_equal(poll_refusal(poll.session), rows[i].code);
        end(world, &poll);
    }
}

static void before_it_is_known_where_to_begin_its_cursor_is_where_it_was(void **state)
{
    struct poll poll;
    struct world *world = *state;
    char cursor[CURSOR_TEXT_MAX];
    begin(world, cursor);
    world_publish(world, "acme", "company:acme", "{\"n\":1}");
    ask_for(world, &poll, cursor, "conversation:9"); /* nobody answers */
    answer(&poll);
    assert_int_equal(count_events(&poll), 0);
    assert_string_equal(poll.cursor, cursor);
    end(world, &poll);
}

/* Or the gap would be missed in silence. */
static void before_a_gap_was_told_there_is_no_cursor_to_go_on_from(void **state)
{
    struct poll poll;
    struct world *world = *state;
    ask_for(world, &poll, "AAAAAAAAAAAAAAAAAAAAAA", "conversation:9");
    assert_false(poll_is_due(poll.session));
    answer(&poll);
    assert_false(has(&poll, "gap"));
    char cursor[CURSOR_TEXT_MAX];
    strcpy(cursor, poll.cursor);
    end(world, &poll);
    ask(world, &poll, cursor);
    assert_true(has(&poll, "\"gap\":\"cursor\""));
    end(world, &poll);
}

static void a_bridge_that_stops_says_when_to_come_back(void **state)
{
    struct poll poll;
    struct world *world = *state;
    char cursor[CURSOR_TEXT_MAX];
    begin(world, cursor);
    ask(world, &poll, cursor);
    hub_drain(world->hub, 5000);
    world_turn(world);
    assert_true(has(&poll, "{\"events\":[],\"cursor\":\""));
    assert_true(has(&poll, "\",\"retry_after_ms\":"));
    end(world, &poll);
}

static void one_that_finds_the_bridge_stopping_does_not_wait(void **state)
{
    struct poll poll;
    struct world *world = *state;
    char cursor[CURSOR_TEXT_MAX];
    begin(world, cursor);
    ask_for(world, &poll, cursor, "conversation:9");
    hub_drain(world->hub, 5000); /* before `ready`, so that nobody is told */
    world_allow(world, true);
    world_turn(world);
    assert_non_null(poll.body);
    end(world, &poll);
}

static void one_that_is_closed_is_never_due(void **state)
{
    struct poll poll;
    struct world *world = *state;
    char cursor[CURSOR_TEXT_MAX];
    begin(world, cursor);
    ask(world, &poll, cursor);
    session_close(poll.session, CLOSE_REPLACED);
    assert_false(poll_is_due(poll.session));
    assert_false(session_cursor(poll.session, cursor));
    end(world, &poll);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
    log_setup(LOG_ERROR, LOG_LOGFMT);
    static const struct CMUnitTest tests[] = {
        TEST(who_has_no_cursor_is_given_one_at_once),
        TEST(who_has_one_waits_for_an_event),
        TEST(an_event_is_said_as_on_the_native_door),
        TEST(each_request_goes_on_where_the_last_one_ended),
        TEST(when_its_time_is_over_it_says_how_far_it_has_come),
        TEST(one_that_waits_is_no_slow_consumer),
        TEST(a_token_that_is_about_to_end_does_not_end_the_waiting),
        TEST(a_gap_is_told_with_where_to_go_on),
        TEST(a_gap_ends_the_waiting),
        TEST(the_past_comes_whole_before_it_is_answered),
        TEST(what_a_queue_does_not_hold_comes_with_the_next_request),
        TEST(an_event_larger_than_the_queue_comes_all_the_same),
        TEST(when_the_database_fails_half_way_it_says_what_it_has),
        TEST(rooms_asked_for_count_before_anything_is_said),
        TEST(a_room_that_is_not_given_is_said_instead_of_events),
        TEST(before_it_is_known_where_to_begin_its_cursor_is_where_it_was),
        TEST(before_a_gap_was_told_there_is_no_cursor_to_go_on_from),
        TEST(a_bridge_that_stops_says_when_to_come_back),
        TEST(one_that_finds_the_bridge_stopping_does_not_wait),
        TEST(one_that_is_closed_is_never_due),
    };
    return RUN(tests);
}
