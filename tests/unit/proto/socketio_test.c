#include "unit.h"

#include "page.h"

static struct office office;

static int open_office(void **state)
{
    log_setup(LOG_ERROR, LOG_LOGFMT);
    office_open(&office);
    *state = &office;
    return 0;
}

static int close_office(void **state)
{
    (void)state;
    double *isolation = office.world.hub->metrics.isolation;
    bool sound = isolation[0] + isolation[1] == 0;
    office_close(&office);
    return sound ? 0 : -1;
}

static double result(enum close_reason reason)
{
    return office.world.hub->metrics.closed[reason];
}

/* The value behind a metric's name and label, as it is printed. */
static long metric(const char *name)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    metrics_print(office.world.metrics, &out);
    char line[128];
    snprintf(line, sizeof line, "\n%s ", name);
    const char *at = strstr(out.bytes, line);
    long value = at ? atol(at + strlen(line)) : -1;
    buf_free(&out);
    return value;
}

static int64_t position_of(const char *cursor)
{
    int64_t seq = -1;
    cursor_read(office.world.hub->codec, "acme", cursor, &seq);
    return seq;
}

static int64_t publish(const char *rooms, const char *payload)
{
    int64_t seq = world_publish(&office.world, "acme", rooms, payload);
    office_turn(&office);
    return seq;
}

/* A row of any name; as vigie.publish() would write it. */
static void publish_named(const char *name)
{
    struct world *world = &office.world;
    int64_t seq = database_add(world->db, "acme", "company:acme", "{}");
    const struct event_row row = {seq,
                                  "acme",
                                  "vigie_devis",
                                  name,
                                  "company:acme",
                                  "{\"n\":1}",
                                  "2026-11-21T06:12:07.123456Z"};
    struct event *event = event_new(&row, NULL);
    router_publish(world->hub, &event, 1, seq);
    event_unref(event);
    office_turn(&office);
}

static bool says(struct page *page, const char *text)
{
    return page_says(&office, page, text);
}

static struct page *enters(const char *token)
{
    return page_in(&office, token);
}

/* ---- CONNECT ---- */

static void connect_is_answered_with_sid_and_pid(void **state)
{
    (void)state;
    struct page *page = enters("acme|u1");
    const struct corner *corner = &page->corners[0];
    char sid[SOCKETIO_SID_LEN + 1];
    char expected[256];
    assert_int_equal(page->count, 1);
    socketio_sid(corner->pid, sid);
    snprintf(expected, sizeof expected, "0{\"sid\":\"%s\",\"pid\":\"%s\"}", sid, corner->pid);
    assert_string_equal(page_said(page, 0), expected);
    assert_false(corner->recovered);
    assert_int_equal(metric("vigie_socketio_connects_total{result=\"fresh\"}"), 1);
}

static void a_token_that_is_refused_is_told_and_the_engine_lives(void **state)
{
    (void)state;
    static const char refusal[] =
        "4{\"message\":\"unauthorized\",\"data\":{\"code\":\"unauthorized\"}}";
    struct page *page = enters("nobody");
    assert_string_equal(page_last(page), refusal);
    assert_true(says(page, "0"));
    assert_string_equal(page_last(page), refusal);
    assert_true(says(page, "0{\"token\":5}"));
    assert_string_equal(page_last(page), refusal);
    assert_int_equal(page->count, 3);
    assert_int_equal(metric("vigie_socketio_connects_total{result=\"refused\"}"), 3);
    assert_true(page_connects(&office, page, "acme|u1"));
    assert_true(page->corners[0].connected);
    assert_int_equal(office.world.hub->session_count, 1);
}

static void a_namespace_that_is_none_is_told_so(void **state)
{
    (void)state;
    struct page *page = page_new(&office);
    assert_true(says(page, "0/nope,{\"token\":\"acme|u1\"}"));
    assert_string_equal(page_last(page), "4/nope,{\"message\":\"Invalid namespace\"}");
    assert_true(says(page, "0/nope?x=1"));
    assert_string_equal(page_last(page), "4/nope,{\"message\":\"Invalid namespace\"}");
    assert_int_equal(page->count, 2);
    assert_int_equal(office.world.hub->session_count, 0);
}

static void rooms_asked_for_with_connect_are_no_list_are_refused(void **state)
{
    (void)state;
    struct page *page = page_new(&office);
    assert_true(says(page, "0{\"token\":\"acme|u1\",\"rooms\":\"a:1\"}"));
    assert_string_equal(page_last(page),
                        "4{\"message\":\"bad_request\",\"data\":{\"code\":\"bad_request\"}}");
    assert_true(says(page, "0{\"token\":\"acme|u1\",\"rooms\":[1]}"));
    assert_int_equal(page_heard(page, "4{"), 2);
}

static void one_namespace_more_does_not_touch_the_other(void **state)
{
    (void)state;
    struct page *page = enters("acme|u1");
    assert_true(page_connects_with(&office, page, 1, "nobody", ""));
    assert_string_equal(page_last(page), "4/messages,{\"message\":\"unauthorized\",\"data\":{"
                                         "\"code\":\"unauthorized\"}}");
    assert_true(page_connects_with(&office, page, 1, "acme|u2", ""));
    assert_true(page->corners[1].connected);
    assert_string_not_equal(page->corners[0].pid, page->corners[1].pid);
    publish("user:u2", "{}");
    assert_int_equal(page_heard(page, "2/messages,[\"devis:made\",{},"), 1);
    assert_int_equal(page_heard(page, "2["), 0);
}

static void a_second_connect_ends_the_connection(void **state)
{
    (void)state;
    struct page *page = enters("acme|u1");
    assert_false(page_connects(&office, page, "acme|u1"));
    assert_int_equal(metric("vigie_socketio_packets_refused_total"), 1);
    assert_int_equal(office.world.hub->session_count, 0);
}

static void nothing_is_said_in_a_namespace_before_it_was_joined(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "2[\"a\"]",           "1",           "30[]",           "51-[\"a\"]",
        "2/messages,[\"a\"]", "1/messages,", "2/nope,[\"a\"]", "4{\"message\":\"a\"}"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct page *page = i < 4 ? page_new(&office) : enters("acme|u1");
        assert_false(says(page, texts[i]));
    }
    assert_int_equal(metric("vigie_socketio_packets_refused_total"), COUNT(texts));
}

static void nothing_is_said_before_connect_was_answered(void **state)
{
    (void)state;
    struct page *page = enters("acme|u1");
    office.world.hub->history.floor_seq = 1000; /* nothing is in memory: the database is asked */
    page_loses(&office, page);
    page_dials(&office, page);
    assert_true(page_connects(&office, page, "acme|u1"));
    assert_int_equal(office.world.question_count, 1);
    assert_false(page->corners[0].connected);
    assert_false(says(page, "2[\"a\"]"));
}

static void a_connect_that_was_not_heard_of_is_refused_not_ended(void **state)
{
    (void)state;
    struct page *page = page_new(&office);
    page->takes = 0;
    page_connects(&office, page, "acme|u1");
    hub_close_all(office.world.hub, CLOSE_REPLACED);
    page->takes = -1;
    office_turn(&office);
    assert_int_equal(page->count, 1);
    assert_string_equal(page_last(page),
                        "4{\"message\":\"replaced\",\"data\":{\"code\":\"replaced\"}}");
}

static void connects_have_a_rate(void **state)
{
    (void)state;
    struct page *page = page_new(&office);
    unsigned count = 0;
    while (page->engine->state && count < 1000) {
        assert_true(says(page, "0{\"token\":\"nobody\"}"));
        count++;
    }
    assert_int_equal(page->engine->reason, CLOSE_RATE_LIMITED);
    assert_in_range(count, 20, 50);
}

static void a_bridge_that_goes_takes_nobody_in(void **state)
{
    (void)state;
    struct page *page = page_new(&office);
    hub_drain(office.world.hub, 1000);
    assert_true(page_connects(&office, page, "acme|u1"));
    assert_null(page->engine->state);
    assert_int_equal(page->engine->reason, CLOSE_RESTART);
}

static void while_the_database_was_never_there_the_connection_ends(void **state)
{
    (void)state;
    cursor_codec_free(office.world.hub->codec);
    office.world.hub->codec = NULL;
    struct page *page = page_new(&office);
    memset(page->corners[0].pid, 's', SOCKETIO_PID_LEN);
    assert_true(page_connects(&office, page, "acme|u1"));
    assert_int_equal(page->engine->reason, CLOSE_OVERLOADED);
    assert_int_equal(page->count, 0);
}

static void a_connect_that_the_database_never_answers_ends_the_connection(void **state)
{
    (void)state;
    struct page *page = enters("acme|u1");
    office.world.hub->history.floor_seq = 1000;
    assert_true(page_returns(&office, page, "acme|u1"));
    world_wait(&office.world, 12);
    office_turn(&office);
    assert_null(page->engine->state);
    assert_int_equal(page->engine->reason, CLOSE_OVERLOADED);
}

static void who_speaks_is_known_once_let_in(void **state)
{
    (void)state;
    struct page *page = page_new(&office);
    assert_false(socketio_upper.is_known(page->engine->state));
    page_connects(&office, page, "nobody");
    assert_false(socketio_upper.is_known(page->engine->state));
    page_connects(&office, page, "acme|u1");
    assert_true(socketio_upper.is_known(page->engine->state));
    says(page, "1");
    assert_false(socketio_upper.is_known(page->engine->state));
}

/* ---- events ---- */

static void an_event_is_its_name_its_data_and_its_cursor(void **state)
{
    (void)state;
    struct page *page = enters("acme|u1");
    char expected[128];
    char cursor[CURSOR_TEXT_MAX];
    int64_t seq = publish("company:acme", "{\"id\": 7}");
    cursor_write(office.world.hub->codec, "acme", seq, cursor);
    snprintf(expected, sizeof expected, "2[\"devis:made\",{\"id\": 7},\"%s\"]", cursor);
    assert_string_equal(page_last(page), expected);
    assert_string_equal(page->corners[0].offset, cursor);
}

static void a_name_that_clients_refuse_goes_out_as_another(void **state)
{
    (void)state;
    struct page *page = enters("acme|u1"); /* the page's decoder asserts that it is none */
    publish_named("disconnect");
    assert_int_equal(page_heard(page, "2[\"vigie:renamed:disconnect\",{\"n\":1},"), 1);
    publish_named("disconnected");
    assert_int_equal(page_heard(page, "2[\"disconnected\",{\"n\":1},"), 1);
    assert_int_equal(metric("vigie_socketio_renamed_total"), 1);
    assert_int_equal(position_of(page->corners[0].offset), 2);
}

static void names_and_data_are_escaped_as_they_must(void **state)
{
    (void)state;
    struct page *page = enters("acme|u1");
    publish_named("a\"b\\c");
    assert_int_equal(page_heard(page, "2[\"a\\\"b\\\\c\",{\"n\":1},"), 1);
}

static void namespaces_take_turns(void **state)
{
    (void)state;
    struct page *page = enters("acme|u1");
    page_connects_with(&office, page, 1, "acme|u1", "");
    page_connects_with(&office, page, 2, "acme|u1", "");
    page->takes = 0;
    for (int i = 0; i < 4; i++)
        publish("company:acme", "{}");
    page->takes = 6;
    engine_wake(page->engine);
    office_turn(&office);
    assert_int_equal(page_heard(page, "2["), 2);
    assert_int_equal(page_heard(page, "2/messages,["), 2);
    assert_int_equal(page_heard(page, "2/admin,["), 2);
}

static void a_slow_page_gets_everything_in_the_end(void **state)
{
    (void)state;
    char payload[2100];
    struct page *page = enters("acme|u1");
    snprintf(payload, sizeof payload, "\"%02000d\"", 7);
    page->takes = 0;
    for (int i = 0; i < 100; i++)
        publish("company:acme", payload); /* more than its queue holds */
    page->takes = -1;
    engine_wake(page->engine);
    office_turn(&office);
    while (office.world.question_count) {
        world_answer(&office.world);
        office_turn(&office);
    }
    assert_int_equal(page_heard(page, "2["), 100);
    assert_int_equal(position_of(page->corners[0].offset), 100);
}

/* ---- events of ours ---- */

static void what_is_ours_ends_with_the_last_cursor_that_went_out(void **state)
{
    (void)state;
    struct page *page = enters("acme|u1||100");
    const struct corner *corner = &page->corners[0];
    world_wait(&office.world, 45); /* not three quarters of its life */
    assert_int_equal(page->count, 1);
    publish("company:acme", "{}");
    publish("company:rival", "{}");
    world_wait(&office.world, 35);
    office_turn(&office);
    assert_int_equal(page_heard(page, "2[\"vigie:expiring\",{\"in\":"), 1);
    assert_int_equal(position_of(corner->offset), 1);
    hub_drain(office.world.hub, 1000);
    office_turn(&office);
    assert_int_equal(page_heard(page, "2[\"vigie:drain\",{\"retry_after_ms\":"), 1);
    assert_int_equal(position_of(corner->offset), 1);
}

static void before_any_event_that_cursor_is_where_it_began(void **state)
{
    (void)state;
    publish("company:acme", "{}");
    struct page *page = enters("acme|u1||100");
    hub_drain(office.world.hub, 1000);
    office_turn(&office);
    assert_int_equal(page_heard(page, "2[\"vigie:drain\",{\"retry_after_ms\":"), 1);
    assert_int_equal(position_of(page->corners[0].offset), 1);
}

static void a_gap_is_told_to_those_who_listen(void **state)
{
    (void)state;
    struct page *page = enters("acme|u1");
    publish("company:acme", "{}");
    hub_hole(office.world.hub, 9);
    office_turn(&office);
    assert_int_equal(page_heard(page, "2[\"vigie:gap\",{\"reason\":\"retention\"},\""), 1);
    assert_int_equal(position_of(page->corners[0].offset), 9);
}

/* ---- emits ---- */

static void a_room_is_joined_and_left_with_acknowledgements(void **state)
{
    (void)state;
    struct page *page = enters("acme|u1");
    assert_true(says(page, "20[\"vigie:join\",\"conversation:9\"]"));
    assert_string_equal(office.world.questions[0].room, "conversation:9");
    world_allow(&office.world, true);
    office_turn(&office);
    assert_string_equal(page_last(page), "30[{\"room\":\"conversation:9\"}]");
    publish("conversation:9", "{}");
    assert_int_equal(page_heard(page, "2["), 1);
    assert_true(says(page, "21[\"vigie:leave\",\"conversation:9\"]"));
    assert_string_equal(page_last(page), "31[{\"room\":\"conversation:9\"}]");
    assert_true(says(page, "22[\"vigie:leave\",\"conversation:9\"]"));
    assert_string_equal(page_last(page), "32[{\"error\":{\"code\":\"forbidden\"}}]");
    assert_true(says(page, "23[\"vigie:join\",\"conversation:8\"]"));
    world_allow(&office.world, false);
    office_turn(&office);
    assert_string_equal(page_last(page), "33[{\"error\":{\"code\":\"forbidden\"}}]");
}

static void without_an_acknowledgement_events_tell_of_rooms(void **state)
{
    (void)state;
    struct page *page = enters("acme|u1");
    publish("company:acme", "{}");
    assert_true(says(page, "2[\"vigie:join\",\"conversation:9\"]"));
    world_allow(&office.world, true);
    office_turn(&office);
    assert_int_equal(page_heard(page, "2[\"vigie:joined\",{\"room\":\"conversation:9\"},\""), 1);
    assert_true(says(page, "2[\"vigie:leave\",\"conversation:9\"]"));
    assert_int_equal(page_heard(page, "2[\"vigie:left\",{\"room\":\"conversation:9\"},\""), 1);
    assert_true(says(page, "2[\"vigie:leave\",\"conversation:9\"]"));
    assert_int_equal(page_heard(page, "2[\"vigie:error\",{\"code\":\"forbidden\"},\""), 1);
    assert_int_equal(position_of(page->corners[0].offset), 1);
}

static void rooms_asked_for_with_connect_are_joined(void **state)
{
    (void)state;
    struct page *page = page_new(&office);
    page_connects_with(&office, page, 1, "acme|u1", ",\"rooms\":[\"conversation:9\"]");
    assert_int_equal(page->count, 0);
    world_allow(&office.world, true);
    office_turn(&office);
    assert_int_equal(page->count, 1);
    publish("conversation:9", "{}");
    assert_int_equal(page_heard(page, "2/messages,[\"devis:made\","), 1);
}

static void acknowledgements_are_of_their_namespace(void **state)
{
    (void)state;
    struct page *page = page_new(&office);
    page_connects_with(&office, page, 1, "acme|u1", "");
    assert_true(says(page, "2/messages,17[\"m\",1]"));
    assert_string_equal(page_last(page), "3/messages,17[{\"error\":{\"code\":\"unsupported\"}}]");
}

static void what_nobody_understands_is_no_mistake(void **state)
{
    (void)state;
    struct page *page = enters("acme|u1");
    assert_true(says(page, "20[\"typing\",{\"a\":1}]"));
    assert_string_equal(page_last(page), "30[{\"error\":{\"code\":\"unsupported\"}}]");
    assert_true(says(page, "2[\"typing\"]"));
    assert_true(says(page, "2[7]"));
    assert_true(says(page, "21[7]"));
    assert_string_equal(page_last(page), "31[{\"error\":{\"code\":\"unsupported\"}}]");
    assert_true(says(page, "30[]"));
    assert_int_equal(page->count, 3);
    assert_int_equal(metric("vigie_socketio_unsupported_total"), 4);
}

static void arguments_of_the_wrong_kind_are_told(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "20[\"vigie:join\"]", "20[\"vigie:join\",7]",     "20[\"vigie:leave\",{}]",
        "20[\"vigie:auth\"]", "20[\"vigie:auth\",\"T\"]", "20[\"vigie:auth\",{\"token\":1}]"};
    struct page *page = enters("acme|u1");
    for (size_t i = 0; i < COUNT(texts); i++) {
        assert_true(says(page, texts[i]));
        assert_int_equal(page->count, i + 2);
        assert_string_equal(page_last(page), "30[{\"error\":{\"code\":\"bad_request\"}}]");
    }
}

static void a_token_is_renewed_in_band(void **state)
{
    (void)state;
    struct page *page = enters("acme|u1||100");
    assert_true(says(page, "24[\"vigie:auth\",{\"token\":\"acme|u1|chef|500\"}]"));
    assert_int_equal(page_heard(page, "2[\"vigie:joined\",{\"room\":\"role:chef\"},\""), 1);
    assert_int_equal(page_heard(page, "2[\"vigie:renewed\",{\"expires_in\":500},\""), 1);
    assert_string_equal(page_last(page), "34[{\"expires_in\":500}]");
    assert_true(says(page, "2[\"vigie:auth\",{\"token\":\"acme|u1\"}]"));
    assert_int_equal(page_heard(page, "3"), 1);
    world_wait(&office.world, 200);
    office_turn(&office);
    assert_non_null(page->engine->state);
}

static void a_renewal_by_another_is_the_end_of_that_namespace(void **state)
{
    (void)state;
    struct page *page = enters("acme|u1");
    page_connects_with(&office, page, 1, "acme|u1", "");
    assert_true(says(page, "2/messages,4[\"vigie:auth\",{\"token\":\"acme|u2\"}]"));
    assert_string_equal(page_last(page), "1/messages,");
    assert_non_null(page->engine->state);
    assert_int_equal(office.world.hub->session_count, 1);
}

static void a_renewal_that_is_refused_ends_the_connection(void **state)
{
    (void)state;
    struct page *page = enters("acme|u1");
    assert_true(says(page, "20[\"vigie:auth\",{\"token\":\"nobody\"}]"));
    assert_null(page->engine->state);
    assert_int_equal(page->engine->reason, CLOSE_UNAUTHORIZED);
}

static void who_talks_too_much_is_sent_away(void **state)
{
    (void)state;
    struct page *page = enters("acme|u1");
    for (int i = 0; i < 50 && page->corners[0].connected; i++)
        assert_true(says(page, "2[\"a\"]"));
    assert_string_equal(page_last(page), "1");
    assert_int_equal(result(CLOSE_RATE_LIMITED), 1);
    assert_true(says(page, "2[\"a\"]")); /* was under way */
    assert_non_null(page->engine->state);
}

/* ---- attachments ---- */

static bool sends(struct page *page, const char *bytes, size_t len)
{
    bool fine = socketio_upper.binary(page->engine->state, bytes, len);
    if (!fine)
        engine_close(page->engine, CLOSE_PROTOCOL);
    office_turn(&office);
    return fine;
}

static void attachments_are_read_and_dropped(void **state)
{
    (void)state;
    struct page *page = enters("acme|u1");
    assert_true(says(page, "52-7[\"up\",{\"_placeholder\":true,\"num\":0}]"));
    assert_true(sends(page, "\0\1", 2));
    assert_int_equal(page->count, 1);
    assert_true(sends(page, "", 0));
    assert_string_equal(page_last(page), "37[{\"error\":{\"code\":\"unsupported\"}}]");
    assert_true(says(page, "50-8[\"vigie:join\",\"conversation:1\"]"));
    assert_string_equal(page_last(page), "38[{\"error\":{\"code\":\"unsupported\"}}]");
    assert_true(says(page, "61-8[]"));
    assert_true(sends(page, "x", 1));
    assert_true(says(page, "29[\"a\"]"));
    assert_string_equal(page_last(page), "39[{\"error\":{\"code\":\"unsupported\"}}]");
}

static void text_while_attachments_are_missing_ends_the_connection(void **state)
{
    (void)state;
    struct page *page = enters("acme|u1");
    assert_true(says(page, "51-[\"up\"]"));
    assert_false(says(page, "2[\"a\"]"));
}

static void an_attachment_out_of_turn_ends_the_connection(void **state)
{
    (void)state;
    assert_false(sends(page_new(&office), "x", 1));
    assert_false(sends(enters("acme|u1"), "x", 1));
    assert_int_equal(metric("vigie_socketio_packets_refused_total"), 2);
}

static void attachments_together_are_bounded(void **state)
{
    (void)state;
    char bytes[600] = {0};
    struct page *page = enters("acme|u1");
    assert_true(says(page, "53-[\"up\"]"));
    assert_true(sends(page, bytes, 600));
    assert_true(sends(page, bytes, 400));
    assert_false(sends(page, bytes, 1)); /* of 1000 */
}

static void a_connection_may_end_while_attachments_are_missing(void **state)
{
    (void)state;
    struct page *page = enters("acme|u1");
    assert_true(says(page, "53-[\"up\"]"));
    page_loses(&office, page);
    assert_int_equal(office.world.hub->session_count, 0);
}

/* ---- the end ---- */

static void to_leave_a_namespace_is_answered_with_nothing(void **state)
{
    (void)state;
    struct page *page = enters("acme|u1");
    page_connects_with(&office, page, 1, "acme|u1", "");
    assert_true(says(page, "1/messages,"));
    assert_int_equal(page->count, 2);
    assert_int_equal(office.world.hub->session_count, 1);
    publish("company:acme", "{}");
    assert_int_equal(page_heard(page, "2"), 1);
    assert_true(page->corners[0].connected);
    assert_false(says(page, "1/messages,"));
}

static void who_left_may_come_back(void **state)
{
    (void)state;
    struct page *page = enters("acme|u1");
    char pid[128];
    strcpy(pid, page->corners[0].pid);
    assert_true(says(page, "1"));
    page->corners[0].connected = false;
    publish("company:acme", "{}");
    page_connects(&office, page, "acme|u1");
    assert_true(page->corners[0].recovered);
    assert_int_equal(page_heard(page, "2[\"devis:made\""), 1);
}

static void each_reason_is_told_as_a_stock_client_needs_it(void **state)
{
    (void)state;
    static const struct {
        enum close_reason reason;
        bool lives; /* it is dismissed, and the engine lives */
    } rows[] = {
        {CLOSE_REPLACED, true},       {CLOSE_FORBIDDEN, true},      {CLOSE_RATE_LIMITED, true},
        {CLOSE_TOKEN_EXPIRED, false}, {CLOSE_SLOW_CONSUMER, false}, {CLOSE_OVERLOADED, false},
        {CLOSE_RESTART, false},       {CLOSE_INTERNAL, false},      {CLOSE_AUTH_TIMEOUT, false},
        {CLOSE_DEAD, false},          {CLOSE_GOING_AWAY, false},    {CLOSE_UNAUTHORIZED, false},
        {CLOSE_BAD_REQUEST, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct page *page = enters("acme|u1");
        page->corners[0].connected = false;
        hub_close_all(office.world.hub, rows[i].reason);
        office_turn(&office);
        assert_int_equal(page->engine->state != NULL, rows[i].lives);
        if (rows[i].lives)
            assert_string_equal(page_last(page), "1");
        else
            assert_int_equal(page->engine->reason, rows[i].reason);
        assert_int_equal(page->count, rows[i].lives ? 2 : 1);
        page_loses(&office, page);
    }
}

static void nothing_follows_a_goodbye(void **state)
{
    (void)state;
    struct page *page = enters("acme|u1");
    page->takes = 0;
    publish("company:acme", "{}");
    hub_close_all(office.world.hub, CLOSE_REPLACED);
    page->takes = -1;
    office_turn(&office);
    publish("company:acme", "{}");
    assert_int_equal(page->count, 2);
    assert_string_equal(page_last(page), "1");
}

/* An engine that is woken reads from the client's other sessions at once, by polling: not while the
 * core is walking through them. */
static void a_goodbye_waits_for_the_end_of_the_turn(void **state)
{
    (void)state;
    struct page *page = enters("acme|u1");
    session_close(office.world.hub->slots[0].session, CLOSE_REPLACED);
    assert_false(page->engine->awake);
    socketio_settle(office.door);
    assert_true(page->engine->awake);
}

static void a_connection_may_end_before_its_answer_went_out(void **state)
{
    (void)state;
    struct page *page = page_new(&office);
    assert_true(socketio_upper.text(page->engine->state, "0/nope", 6));
    engine_close(page->engine, CLOSE_DEAD);
    office_turn(&office);
    assert_int_equal(page->count, 0);
}

static void what_was_looked_at_may_be_closed_before_it_is_taken(void **state)
{
    (void)state;
    struct engine_packet packet;
    struct page *page = enters("acme|u1");
    page_connects_with(&office, page, 1, "acme|u1", "");
    page->takes = 0;
    publish("company:acme", "{}");
    assert_true(socketio_upper.peek(page->engine->state, &packet));
    hub_close_all(office.world.hub, CLOSE_CLIENT);
    socketio_upper.pop(page->engine->state); /* of neither */
    assert_false(socketio_upper.peek(page->engine->state, &packet));
}

static void a_connection_that_ends_says_nothing_more(void **state)
{
    (void)state;
    struct engine_packet packet;
    struct page *page = enters("acme|u1");
    page_connects_with(&office, page, 1, "acme|u1", "");
    page->takes = 0;
    publish("company:acme", "{}");
    session_close(office.world.hub->slots[0].session, CLOSE_RESTART);
    assert_false(socketio_upper.peek(page->engine->state, &packet));
    assert_true(socketio_upper.text(page->engine->state, "bad", 3)); /* nor hears it */
    assert_true(socketio_upper.binary(page->engine->state, "bad", 3));
    assert_int_equal(metric("vigie_socketio_packets_refused_total"), 0);
    office_turn(&office);
    assert_null(page->engine->state);
}

static void who_was_sent_away_may_have_been_speaking(void **state)
{
    (void)state;
    struct page *page = enters("acme|u1");
    page_connects_with(&office, page, 1, "acme|u1", "");
    session_close(office.world.hub->slots[0].session, CLOSE_REPLACED);
    assert_true(says(page, "20[\"vigie:join\",\"a:1\"]"));
    assert_true(says(page, "51-[\"up\"]"));
    assert_true(sends(page, "x", 1));
    assert_true(says(page, "1"));
    assert_int_equal(page_heard(page, "3"), 0);
    assert_true(page_connects(&office, page, "acme|u1"));
    assert_true(page->corners[0].connected);
    assert_true(says(page, "1"));
    assert_false(says(page, "1")); /* this time it went by itself */
}

static void the_oldest_of_a_user_goes_when_there_are_too_many(void **state)
{
    (void)state;
    office.world.hub->options.limits.sessions_per_user = 1;
    struct page *first = enters("acme|u1");
    struct page *second = enters("acme|u1");
    assert_string_equal(page_last(first), "1");
    assert_true(second->corners[0].connected);
    office.world.hub->options.limits.sessions_per_company = 1;
    struct page *third = enters("acme|u3");
    assert_string_equal(page_last(third),
                        "4{\"message\":\"rate_limited\",\"data\":{\"code\":\"rate_limited\"}}");
}

static void a_lost_connection_is_closed_for_its_own_reason(void **state)
{
    (void)state;
    struct page *page = enters("acme|u1");
    page_connects_with(&office, page, 1, "acme|u1", "");
    engine_close(page->engine, CLOSE_DEAD);
    office_turn(&office);
    assert_int_equal(result(CLOSE_DEAD), 2);
    assert_int_equal(office.world.hub->session_count, 0);
}

static void refusals_that_nobody_reads_are_bounded(void **state)
{
    (void)state;
    struct page *page = page_new(&office);
    page->takes = 0;
    for (int i = 0; i < 2000 && page->engine->state; i++) {
        world_pass(2000);
        assert_true(says(page, "0/nope"));
    }
    assert_null(page->engine->state);
    assert_int_equal(page->engine->reason, CLOSE_SLOW_CONSUMER);
}

/* ---- recovery ---- */

static void who_comes_back_hears_what_it_missed(void **state)
{
    (void)state;
    struct page *page = enters("acme|u1");
    char sid[64];
    strcpy(sid, page->corners[0].sid);
    publish("company:acme", "1");
    page_loses(&office, page);
    publish("company:acme", "2");
    publish("user:u2", "3");
    publish("company:acme", "4");
    page_dials(&office, page);
    page_connects(&office, page, "acme|u1");
    assert_true(page->corners[0].recovered);
    assert_string_equal(page->corners[0].sid, sid);
    assert_int_equal(page->count, 5);
    assert_int_equal(page_heard(page, "2[\"devis:made\",2,"), 1);
    assert_int_equal(page_heard(page, "2[\"devis:made\",4,"), 1);
    assert_int_equal(metric("vigie_socketio_connects_total{result=\"recovered\"}"), 1);
    page_returns(&office, page, "acme|u1"); /* and again: nothing comes twice */
    assert_true(page->corners[0].recovered);
    assert_int_equal(page->count, 6);
}

/* A stock page looks at `recovered` alone: it must not believe that it is in all its rooms. */
static void who_does_not_get_a_room_back_has_not_recovered(void **state)
{
    (void)state;
    struct page *page = enters("acme|u1");
    publish("company:acme", "1");
    page_loses(&office, page);
    publish("company:acme", "2");
    page_dials(&office, page);
    page_connects_with(&office, page, 0, "acme|u1", ",\"rooms\":[\"conversation:9\"]");
    world_judge(&office.world, PERMISSION_UNKNOWN);
    office_turn(&office);
    assert_false(page->corners[0].recovered);
    assert_int_equal(
        page_heard(page,
                   "2[\"vigie:error\",{\"code\":\"unavailable\",\"room\":\"conversation:9\"},\""),
        1);
    assert_int_equal(page_heard(page, "2[\"devis:made\",2,"), 1);
    assert_int_equal(page_heard(page, "2[\"devis:made\",1,"), 1);
}

static void who_heard_nothing_yet_recovers_too(void **state)
{
    (void)state;
    publish("company:acme", "0");
    struct page *page = enters("acme|u1");
    page_loses(&office, page);
    publish("company:acme", "1");
    page_dials(&office, page);
    page_connects(&office, page, "acme|u1");
    assert_true(page->corners[0].recovered);
    assert_int_equal(page_heard(page, "2[\"devis:made\",1,"), 1);
    assert_int_equal(page_heard(page, "2[\"devis:made\",0,"), 0);
}

static void any_bridge_of_the_database_takes_it_up(void **state)
{
    (void)state;
    struct page *page = enters("acme|u1");
    publish("company:acme", "1");
    page_loses(&office, page);
    publish("company:acme", "2");
    world_up(&office.world);
    struct office other;
    memset(&other, 0, sizeof other);
    struct hub_options options = world_prepare(&other.world, office.world.db);
    other.world.hub = hub_new(&options);
    world_up(&other.world);
    other.door = socketio_new(&(struct socketio_options){
        .hub = other.world.hub, .metrics = other.world.metrics, .max_payload_bytes = 1000});
    page_dials(&other, page);
    page_connects(&other, page, "acme|u1");
    world_answer(&other.world);
    other.pages[other.page_count++] = page;
    office_turn(&other);
    assert_true(page->corners[0].recovered);
    assert_int_equal(page_heard(page, "2[\"devis:made\",2,"), 1);
    assert_int_equal(page_heard(page, "2[\"devis:made\",1,"), 1);
    page_loses(&other, page);
    other.page_count = 0;
    office_close(&other);
}

/* Comes back with something that is not honoured; a gap follows at once, with its own offset. */
static void assert_not_recovered(struct page *page, const char *reason)
{
    char gap[128];
    snprintf(gap, sizeof gap, "2[\"vigie:gap\",{\"reason\":\"%s\"},\"", reason);
    assert_true(page->corners[0].connected);
    assert_false(page->corners[0].recovered);
    assert_int_equal(strncmp(page_last(page), gap, strlen(gap)), 0);
    assert_int_equal(position_of(page->corners[0].offset), office.world.hub->position);
    assert_int_equal(metric("vigie_socketio_connects_total{result=\"recovered\"}"), 0);
}

static void an_offset_that_is_text_is_a_gap(void **state)
{
    (void)state;
    struct page *page = enters("acme|u1");
    strcpy(page->corners[0].offset, "just text");
    page->corners[0].has_offset = true;
    page_returns(&office, page, "acme|u1");
    assert_not_recovered(page, "cursor");
    assert_int_equal(metric("vigie_socketio_connects_total{result=\"gap\"}"), 1);
}

static void an_offset_that_is_null_is_none(void **state)
{
    (void)state;
    struct page *page = enters("acme|u1");
    page_loses(&office, page);
    page_dials(&office, page);
    page_connects_with(&office, page, 0, "acme|u1", ",\"offset\":null");
    assert_true(page->corners[0].recovered);
}

static void an_offset_of_the_page_itself_is_a_gap(void **state)
{
    (void)state;
    struct page *page = enters("acme|u1");
    page_loses(&office, page);
    page_dials(&office, page);
    page_connects_with(&office, page, 0, "acme|u1", ",\"offset\":7");
    assert_not_recovered(page, "cursor");
}

static void a_pid_that_is_none_is_a_gap(void **state)
{
    (void)state;
    static const char *const pids[] = {"x", "s.a.b.c", "qMCi",
                                       "0123456789012345678901234567890123456789012345678901234567"
                                       "89012345678901234567890123456789"};
    for (size_t i = 0; i < COUNT(pids); i++) {
        struct page *page = page_new(&office);
        strcpy(page->corners[0].pid, pids[i]);
        page_connects(&office, page, "acme|u1");
        assert_not_recovered(page, "cursor");
    }
}

static void a_gap_that_was_heard_is_where_it_goes_on(void **state)
{
    (void)state;
    struct page *page = page_new(&office);
    strcpy(page->corners[0].pid, "x");
    page_connects(&office, page, "acme|u1");
    assert_not_recovered(page, "cursor");
    page_returns(&office, page, "acme|u1");
    assert_true(page->corners[0].recovered);
}

static void a_pid_of_another_person_is_a_gap(void **state)
{
    (void)state;
    static const char *const others[] = {"acme|u2", "rival|u1", "acme|u1|||other"};
    for (size_t i = 0; i < COUNT(others); i++) {
        struct page *page = enters("acme|u1");
        publish("company:acme", "{}");
        page_returns(&office, page, others[i]);
        assert_true(page->corners[0].connected);
        assert_false(page->corners[0].recovered);
        assert_int_equal(page_heard(page, "2[\"vigie:gap\",{\"reason\":\"cursor\"},\""), 1);
        page_loses(&office, page);
    }
}

static void a_pid_of_another_namespace_is_a_gap(void **state)
{
    (void)state;
    struct page *page = enters("acme|u1");
    page->corners[1] = page->corners[0];
    page->corners[1].connected = false;
    page_connects_with(&office, page, 1, "acme|u1", "");
    assert_false(page->corners[1].recovered);
    assert_int_equal(page_heard(page, "2/messages,[\"vigie:gap\",{\"reason\":\"cursor\"},\""), 1);
    assert_true(page->corners[0].connected); /* and nobody was taken over */
    assert_int_equal(office.world.hub->session_count, 2);
}

static void a_restored_database_is_a_gap(void **state)
{
    (void)state;
    struct page *page = enters("acme|u1");
    page_loses(&office, page);
    strcpy(office.world.db->epoch, "second");
    world_up(&office.world);
    page_dials(&office, page);
    page_connects(&office, page, "acme|u1");
    assert_not_recovered(page, "epoch");
}

static void what_the_database_forgot_is_a_gap(void **state)
{
    (void)state;
    struct page *page = enters("acme|u1");
    page_loses(&office, page);
    publish("company:acme", "1");
    publish("company:acme", "2");
    office.world.hub->history.floor_seq = 2;
    office.world.db->floor_seq = 1;
    page_dials(&office, page);
    page_connects(&office, page, "acme|u1");
    world_answer(&office.world);
    office_turn(&office);
    assert_not_recovered(page, "retention");
}

/* The gap was told and lost with the connection: the older offset must not bring it past it. */
static void a_gap_that_was_not_heard_is_told_again(void **state)
{
    (void)state;
    struct page *page = enters("acme|u2");
    publish("company:acme", "1");
    page_loses(&office, page); /* the same page, another person from here on */
    publish("company:acme", "2");
    for (int i = 0; i < 3; i++) {
        page_dials(&office, page);
        page->takes = 1; /* no more than the answer to CONNECT */
        page_connects(&office, page, "acme|u1");
        assert_true(page->corners[0].connected);
        assert_false(page->corners[0].recovered);
        assert_int_equal(position_of(page->corners[0].offset), 1);
        page_loses(&office, page);
    }
    page_dials(&office, page);
    page->takes = -1;
    page_connects(&office, page, "acme|u1");
    assert_not_recovered(page, "cursor");
    page_returns(&office, page, "acme|u1"); /* it was heard */
    assert_true(page->corners[0].recovered);
    assert_int_equal(page_heard(page, "2[\"vigie:gap\""), 1);
}

/* Its offset is of a bridge that has read more than this one. */
static void an_offset_ahead_of_the_gap_does_not_prove_that_it_was_heard(void **state)
{
    (void)state;
    struct page *page = enters("acme|u2");
    struct corner *corner = &page->corners[0];
    page_loses(&office, page);
    cursor_write(office.world.hub->codec, "acme", 50, corner->offset);
    corner->has_offset = true;
    page_dials(&office, page);
    page->takes = 1;
    page_connects(&office, page, "acme|u1");
    for (int64_t i = 0; i < 60; i++)
        publish("company:acme", "{}");
    page_loses(&office, page);
    page_dials(&office, page);
    page->takes = -1;
    page_connects(&office, page, "acme|u1");
    assert_not_recovered(page, "cursor");
}

/* Found by fuzzing: its own offset, which it has as another person, is where the gap ends. */
static void an_offset_that_the_page_hid_does_not_prove_it_either(void **state)
{
    (void)state;
    struct page *page = enters("acme|u2");
    publish("company:acme", "1");
    page_loses(&office, page);
    page_dials(&office, page);
    page->takes = 1;
    page_connects_with(&office, page, 0, "acme|u1", ",\"offset\":\"MINE\"");
    page->takes = -1;
    page_returns(&office, page, "acme|u1");
    assert_not_recovered(page, "cursor");
    publish("company:acme", "2");
    page_returns(&office, page, "acme|u1");
    assert_true(page->corners[0].recovered);
}

static void after_a_restore_a_gap_is_told_once(void **state)
{
    (void)state;
    struct page *page = enters("acme|u1");
    publish("company:acme", "1");
    page_loses(&office, page);
    strcpy(office.world.db->epoch, "second");
    world_up(&office.world);
    page_dials(&office, page);
    page_connects(&office, page, "acme|u1");
    assert_not_recovered(page, "epoch");
    page_returns(&office, page, "acme|u1");
    assert_true(page->corners[0].recovered);
}

static void an_offset_of_before_the_pid_does_not_count(void **state)
{
    (void)state;
    struct page *page = page_new(&office);
    struct corner *corner = &page->corners[0];
    publish("company:acme", "1");
    page_connects(&office, page, "acme|u1");
    cursor_write(office.world.hub->codec, "acme", 0, corner->offset);
    corner->has_offset = true;
    page_returns(&office, page, "acme|u1");
    assert_true(corner->recovered);
    assert_int_equal(page_heard(page, "2["), 0);
}

static void the_half_open_connection_of_a_pid_is_taken_over(void **state)
{
    (void)state;
    struct page *page = enters("acme|u1");
    struct engine *old = page->engine;
    size_t heard = page->count;
    page->corners[0].connected = false;
    page->engine = engine_new(&office);
    page_connects(&office, page, "acme|u1");
    assert_true(page->corners[0].recovered);
    assert_null(old->state);
    assert_int_equal(old->reason, CLOSE_CLIENT);
    assert_int_equal(office.world.hub->session_count, 1);
    assert_int_equal(page->count, heard + 1);
    free(old);
}

static void who_is_taken_over_twice_is_so_while_it_waits_too(void **state)
{
    (void)state;
    struct page *page = enters("acme|u1");
    office.world.hub->history.floor_seq = 1000; /* the database is asked */
    page_loses(&office, page);
    page_dials(&office, page);
    page_connects(&office, page, "acme|u1");
    struct engine *old = page->engine;
    page->engine = engine_new(&office);
    page_connects(&office, page, "acme|u1");
    assert_null(old->state);
    assert_int_equal(office.world.hub->session_count, 1);
    free(old);
}

static void the_other_namespaces_of_a_half_open_connection_are_left(void **state)
{
    (void)state;
    struct page *page = enters("acme|u1");
    page_connects_with(&office, page, 1, "acme|u1", "");
    struct page *again = page_new(&office);
    again->corners[0] = page->corners[0];
    again->corners[0].connected = false;
    page_connects(&office, again, "acme|u1");
    assert_true(again->corners[0].recovered);
    assert_non_null(page->engine->state);
    assert_int_equal(page->count, 2);
    assert_true(says(page, "2[\"a\"]")); /* was under way */
    assert_int_equal(office.world.hub->session_count, 2);
}

static void the_token_is_looked_at_again(void **state)
{
    (void)state;
    struct page *page = enters("acme|u1");
    page_returns(&office, page, "nobody");
    assert_int_equal(page_heard(page, "4{\"message\":\"unauthorized\""), 1);
    assert_false(page->corners[0].connected);
}

static void who_is_told_a_gap_while_it_listens_recovers_from_there(void **state)
{
    (void)state;
    struct page *page = enters("acme|u1");
    publish("company:acme", "1");
    hub_hole(office.world.hub, 9);
    office_turn(&office);
    page_returns(&office, page, "acme|u1");
    assert_true(page->corners[0].recovered);
}

/* ---- hooks ---- */

static void echo_connect(struct socket *socket, const void *auth)
{
    char *text = auth ? json_dumps(auth, JSON_COMPACT) : strdup("{}");
    char packet[256];
    int len = snprintf(packet, sizeof packet, "2[\"auth\",%s]", text);
    socketio_say(socket, packet, (size_t)len);
    free(text);
}

static bool echo_event(struct socket *socket, const struct socketio_packet *packet,
                       const struct socketio_bytes *attachments)
{
    char head[64];
    char count[8] = "";
    if (strcmp(socketio_namespace(socket), "/") != 0)
        return false;
    if (packet->type == SOCKETIO_BINARY_EVENT)
        snprintf(count, sizeof count, "%u-", packet->attachments);
    char *text = json_dumps(packet->json, JSON_COMPACT);
    int len = snprintf(head, sizeof head, "%d%s%s", packet->type, count, text);
    socketio_say(socket, head, (size_t)len);
    for (unsigned i = 0; i < packet->attachments; i++)
        socketio_say_bytes(socket, attachments[i].bytes, attachments[i].len);
    free(text);
    return true;
}

static void hooks_answer_in_the_place_of_the_bridge(void **state)
{
    (void)state;
    static const struct socketio_hooks hooks = {echo_connect, echo_event};
    office_close(&office);
    office_open_with(&office, (struct socketio_options){.hooks = &hooks, .no_recovery = true});
    struct page *page = enters("acme|u1");
    assert_int_equal(page->count, 2);
    assert_int_equal(strlen(page_said(page, 0)), strlen("0{\"sid\":\"01234567890123456789\"}"));
    assert_string_equal(page_said(page, 1), "2[\"auth\",{\"token\":\"acme|u1\"}]");
    assert_true(says(page, "52-[\"a\"]"));
    assert_true(sends(page, "one", 3));
    assert_true(sends(page, "two!", 4));
    assert_int_equal(page->count, 5);
    assert_string_equal(page_said(page, 2), "52-[\"a\"]");
    assert_string_equal(page_said(page, 3), "one");
    assert_string_equal(page_said(page, 4), "two!");
    assert_string_equal(page->corners[0].pid, "");
    page_loses(&office, page);
    page_dials(&office, page);
    strcpy(page->corners[0].pid, "x");
    page_connects(&office, page, "acme|u1");
    assert_int_equal(page_heard(page, "2[\"vigie:gap\""), 0);
    assert_true(says(page, "2[\"b\"]"));
    hub_drain(office.world.hub, 1000); /* what ends with a text of their own leaves no trace */
    office_turn(&office);
    const char *drain = page_last(page);
    assert_int_equal(strncmp(drain, "2[\"vigie:drain\",", 16), 0);
    char cursor[CURSOR_TEXT_MAX];
    snprintf(cursor, sizeof cursor, "%s", drain + strlen(drain) - SEAL_TEXT_LEN - 2);
    assert_int_equal(position_of(cursor), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_office, close_office)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(connect_is_answered_with_sid_and_pid),
        TEST(a_token_that_is_refused_is_told_and_the_engine_lives),
        TEST(a_namespace_that_is_none_is_told_so),
        TEST(rooms_asked_for_with_connect_are_no_list_are_refused),
        TEST(one_namespace_more_does_not_touch_the_other),
        TEST(a_second_connect_ends_the_connection),
        TEST(nothing_is_said_in_a_namespace_before_it_was_joined),
        TEST(nothing_is_said_before_connect_was_answered),
        TEST(a_connect_that_was_not_heard_of_is_refused_not_ended),
        TEST(connects_have_a_rate),
        TEST(a_bridge_that_goes_takes_nobody_in),
        TEST(while_the_database_was_never_there_the_connection_ends),
        TEST(a_connect_that_the_database_never_answers_ends_the_connection),
        TEST(who_speaks_is_known_once_let_in),
        TEST(an_event_is_its_name_its_data_and_its_cursor),
        TEST(a_name_that_clients_refuse_goes_out_as_another),
        TEST(names_and_data_are_escaped_as_they_must),
        TEST(namespaces_take_turns),
        TEST(a_slow_page_gets_everything_in_the_end),
        TEST(what_is_ours_ends_with_the_last_cursor_that_went_out),
        TEST(before_any_event_that_cursor_is_where_it_began),
        TEST(a_gap_is_told_to_those_who_listen),
        TEST(a_room_is_joined_and_left_with_acknowledgements),
        TEST(without_an_acknowledgement_events_tell_of_rooms),
        TEST(rooms_asked_for_with_connect_are_joined),
        TEST(acknowledgements_are_of_their_namespace),
        TEST(what_nobody_understands_is_no_mistake),
        TEST(arguments_of_the_wrong_kind_are_told),
        TEST(a_token_is_renewed_in_band),
        TEST(a_renewal_by_another_is_the_end_of_that_namespace),
        TEST(a_renewal_that_is_refused_ends_the_connection),
        TEST(who_talks_too_much_is_sent_away),
        TEST(attachments_are_read_and_dropped),
        TEST(text_while_attachments_are_missing_ends_the_connection),
        TEST(an_attachment_out_of_turn_ends_the_connection),
        TEST(attachments_together_are_bounded),
        TEST(a_connection_may_end_while_attachments_are_missing),
        TEST(to_leave_a_namespace_is_answered_with_nothing),
        TEST(who_left_may_come_back),
        TEST(each_reason_is_told_as_a_stock_client_needs_it),
        TEST(nothing_follows_a_goodbye),
        TEST(a_goodbye_waits_for_the_end_of_the_turn),
        TEST(a_connection_may_end_before_its_answer_went_out),
        TEST(what_was_looked_at_may_be_closed_before_it_is_taken),
        TEST(a_connection_that_ends_says_nothing_more),
        TEST(who_was_sent_away_may_have_been_speaking),
        TEST(the_oldest_of_a_user_goes_when_there_are_too_many),
        TEST(a_lost_connection_is_closed_for_its_own_reason),
        TEST(refusals_that_nobody_reads_are_bounded),
        TEST(who_comes_back_hears_what_it_missed),
        TEST(who_does_not_get_a_room_back_has_not_recovered),
        TEST(who_heard_nothing_yet_recovers_too),
        TEST(any_bridge_of_the_database_takes_it_up),
        TEST(an_offset_that_is_text_is_a_gap),
        TEST(an_offset_that_is_null_is_none),
        TEST(an_offset_of_the_page_itself_is_a_gap),
        TEST(a_pid_that_is_none_is_a_gap),
        TEST(a_gap_that_was_heard_is_where_it_goes_on),
        TEST(a_pid_of_another_person_is_a_gap),
        TEST(a_pid_of_another_namespace_is_a_gap),
        TEST(a_restored_database_is_a_gap),
        TEST(what_the_database_forgot_is_a_gap),
        TEST(a_gap_that_was_not_heard_is_told_again),
        TEST(an_offset_ahead_of_the_gap_does_not_prove_that_it_was_heard),
        TEST(an_offset_that_the_page_hid_does_not_prove_it_either),
        TEST(after_a_restore_a_gap_is_told_once),
        TEST(an_offset_of_before_the_pid_does_not_count),
        TEST(the_half_open_connection_of_a_pid_is_taken_over),
        TEST(who_is_taken_over_twice_is_so_while_it_waits_too),
        TEST(the_other_namespaces_of_a_half_open_connection_are_left),
        TEST(the_token_is_looked_at_again),
        TEST(who_is_told_a_gap_while_it_listens_recovers_from_there),
        TEST(hooks_answer_in_the_place_of_the_bridge),
    };
    return RUN(tests);
}
