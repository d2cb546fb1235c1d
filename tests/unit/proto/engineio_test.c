#include "unit.h"

#include "proto/door.h"

static struct door door;

static int set_up(void **state)
{
    (void)state;
    log_setup(LOG_ERROR, LOG_LOGFMT);
    door_now_ms = 1000000;
    door_open(&door);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    door_close(&door);
    return 0;
}

static void assert_answer(const struct ask *ask, unsigned status, const char *body)
{
    assert_false(ask->aborted);
    assert_int_equal(ask->status, status);
    assert_string_equal(ask->body, body);
    assert_false(ask->json);
}

static void assert_refused(const struct ask *ask, enum engine_error error)
{
    assert_int_equal(ask->status, engine_error_status(error));
    assert_string_equal(ask->body, engine_error_body(error));
    assert_true(ask->json);
}

static void assert_waits(const struct ask *ask)
{
    assert_int_equal(ask->status, 0);
    assert_false(ask->aborted);
    assert_non_null(ask->http.engine);
}

static void assert_ended(enum close_reason reason)
{
    assert_int_equal(door.ended, door.opened);
    assert_int_equal(door.last_reason, reason);
}

static struct ask *ask(enum engine_method method, const char *version, const char *transport,
                       const char *sid)
{
    struct engine_request request = request_of(transport, sid);
    request.method = method;
    request.version = version;
    return door_request(&door, &request);
}

static enum engine_error judge_wire(const char *version, const char *transport, const char *sid)
{
    struct engine_request request = request_of(transport, sid);
    request.version = version;
    request.upgrade = true;
    return engines_judge_socket(door.engines, &request, true);
}

/* ---- handshakes ---- */

static void a_polling_handshake_opens_with_exactly_five_keys(void **state)
{
    (void)state;
    struct ask *first = door_get(&door, NULL);
    char wanted[256];
    snprintf(wanted, sizeof wanted,
             "0{\"sid\":\"%s\",\"upgrades\":[\"websocket\"],\"pingInterval\":25000,"
             "\"pingTimeout\":20000,\"maxPayload\":1000000}",
             sid_in(first->body));
    assert_answer(first, 200, wanted);
    assert_int_equal(strspn(sid_in(first->body), "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuv"
                                                 "wxyz0123456789-_"),
                     ENGINE_SID_LEN);
    assert_int_equal(engines_count(door.engines), 1);
}

static void a_websocket_handshake_offers_no_upgrade(void **state)
{
    (void)state;
    struct wire *wire = door_wire(&door, NULL);
    char wanted[256];
    snprintf(wanted, sizeof wanted,
             "0{\"sid\":\"%s\",\"upgrades\":[],\"pingInterval\":25000,\"pingTimeout\":20000,"
             "\"maxPayload\":1000000}|",
             sid_in(wire_said(wire)));
    assert_string_equal(wire_said(wire), wanted);
}

static void what_is_said_from_open_follows_the_open_packet(void **state)
{
    (void)state;
    door.greeting = "4hello";
    const char *sid = door_shake(&door);
    assert_answer(door_get(&door, sid), 200, "4hello");
    struct wire *wire = door_wire(&door, NULL);
    assert_int_equal(wire_said(wire)[0], '0');
    assert_non_null(strstr(wire_said(wire), "}|4hello|"));
}

static void sids_differ(void **state)
{
    (void)state;
    assert_string_not_equal(door_shake(&door), door_shake(&door));
}

static void an_unknown_transport_is_code_0(void **state)
{
    (void)state;
    static const char *const names[] = {NULL, "", "abc", "webtransport", "Polling", "polling "};
    const char *sid = door_shake(&door);
    for (size_t i = 0; i < COUNT(names); i++) {
        assert_refused(ask(ENGINE_GET, "4", names[i], NULL), ENGINE_UNKNOWN_TRANSPORT);
        assert_refused(ask(ENGINE_POST, "4", names[i], sid), ENGINE_UNKNOWN_TRANSPORT);
        assert_int_equal(judge_wire("4", names[i], NULL), ENGINE_UNKNOWN_TRANSPORT);
    }
    assert_string_equal(engine_error_body(ENGINE_UNKNOWN_TRANSPORT),
                        "{\"code\":0,\"message\":\"Transport unknown\"}");
}

static void an_unknown_session_is_code_1_for_every_method(void **state)
{
    (void)state;
    static const char *const sids[] = {"x", "AAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAA"};
    for (size_t i = 0; i < COUNT(sids); i++) {
        assert_refused(ask(ENGINE_GET, "4", "polling", sids[i]), ENGINE_UNKNOWN_SID);
        assert_refused(ask(ENGINE_POST, "abc", "polling", sids[i]), ENGINE_UNKNOWN_SID);
        assert_refused(ask(ENGINE_OTHER, "4", "websocket", sids[i]), ENGINE_UNKNOWN_SID);
        assert_int_equal(judge_wire("4", "websocket", sids[i]), ENGINE_UNKNOWN_SID);
    }
    assert_string_equal(engine_error_body(ENGINE_UNKNOWN_SID),
                        "{\"code\":1,\"message\":\"Session ID unknown\"}");
}

static void a_handshake_by_another_method_is_code_2(void **state)
{
    (void)state;
    assert_refused(ask(ENGINE_POST, "4", "polling", NULL), ENGINE_BAD_METHOD);
    assert_refused(ask(ENGINE_POST, "4", "polling", ""), ENGINE_BAD_METHOD);
    assert_refused(ask(ENGINE_OTHER, "3", "polling", NULL), ENGINE_BAD_METHOD);
    assert_refused(ask(ENGINE_OTHER, "4", "websocket", NULL), ENGINE_BAD_METHOD);
    assert_string_equal(engine_error_body(ENGINE_BAD_METHOD),
                        "{\"code\":2,\"message\":\"Bad handshake method\"}");
}

static void websocket_without_an_upgrade_is_code_3(void **state)
{
    (void)state;
    assert_refused(ask(ENGINE_GET, "3", "websocket", NULL), ENGINE_BAD_REQUEST);
    const char *sid = door_shake(&door);
    assert_refused(ask(ENGINE_GET, "4", "websocket", sid), ENGINE_BAD_REQUEST);
    assert_refused(ask(ENGINE_POST, "4", "websocket", sid), ENGINE_BAD_REQUEST);
    assert_waits(door_get(&door, sid)); /* it lives */
    assert_string_equal(engine_error_body(ENGINE_BAD_REQUEST),
                        "{\"code\":3,\"message\":\"Bad request\"}");
}

static void an_upgrade_of_polling_is_code_3(void **state)
{
    (void)state;
    assert_int_equal(judge_wire("4", "polling", NULL), ENGINE_BAD_REQUEST);
    assert_int_equal(judge_wire("4", "polling", door_shake(&door)), ENGINE_BAD_REQUEST);
}

static void another_version_is_code_5(void **state)
{
    (void)state;
    static const char *const versions[] = {NULL, "", "3", "5", "abc", "44", "4 "};
    for (size_t i = 0; i < COUNT(versions); i++) {
        assert_refused(ask(ENGINE_GET, versions[i], "polling", NULL), ENGINE_UNSUPPORTED_VERSION);
        assert_int_equal(judge_wire(versions[i], "websocket", NULL), ENGINE_UNSUPPORTED_VERSION);
    }
    assert_string_equal(engine_error_body(ENGINE_UNSUPPORTED_VERSION),
                        "{\"code\":5,\"message\":\"Unsupported protocol version\"}");
}

static void a_version_that_changes_is_code_3_and_the_engine_lives(void **state)
{
    (void)state;
    const char *sid = door_shake(&door);
    assert_refused(ask(ENGINE_GET, "3", "polling", sid), ENGINE_BAD_REQUEST);
    assert_refused(ask(ENGINE_POST, NULL, "polling", sid), ENGINE_BAD_REQUEST);
    assert_int_equal(judge_wire("3", "websocket", sid), ENGINE_BAD_REQUEST);
    assert_waits(door_get(&door, sid));
}

static void where_none_may_be_opened_it_is_503_with_code_6(void **state)
{
    (void)state;
    struct ask *refused = ask_new(&door);
    struct engine_request request = request_of("polling", NULL);
    struct ask *nobody = door_get(&door, door_shake(&door));
    door.known_at_once = true;
    const char *sid = door_shake(&door);
    engines_request(door.engines, &request, &refused->http, false);
    assert_refused(refused, ENGINE_UNAVAILABLE);
    assert_int_equal(refused->status, 503);
    assert_string_equal(refused->body, "{\"code\":6,\"message\":\"Unavailable\"}");
    engines_refuse(door.engines);
    assert_refused(door_get(&door, NULL), ENGINE_UNAVAILABLE);
    assert_int_equal(judge_wire("4", "websocket", NULL), ENGINE_UNAVAILABLE);
    assert_waits(door_get(&door, sid)); /* who is known goes on */
    assert_answer(nobody, 200, "1");
}

static void a_forbidden_origin_is_403_with_code_4(void **state)
{
    (void)state;
    assert_int_equal(engine_error_status(ENGINE_FORBIDDEN), 403);
    assert_memory_equal(engine_error_body(ENGINE_FORBIDDEN), "{\"code\":4,", 10);
    engines_note_error(door.engines, ENGINE_FORBIDDEN);
    assert_true(door.engines->errors[ENGINE_FORBIDDEN] == 1);
}

/* ---- ceilings ---- */

static void there_are_no_more_engines_than_allowed(void **state)
{
    (void)state;
    door.options.max_engines = 2;
    door_limit(&door);
    const char *sid = door_shake(&door);
    assert_non_null(door_wire(&door, NULL));
    assert_refused(door_get(&door, NULL), ENGINE_UNAVAILABLE);
    assert_int_equal(judge_wire("4", "websocket", NULL), ENGINE_UNAVAILABLE);
    door_post(&door, sid, "1");
    assert_int_equal(door_get(&door, NULL)->status, 200);
    assert_true(door.engines->limits[LIMIT_ENGINES] == 2);
}

static void nor_of_one_address(void **state)
{
    (void)state;
    door.options.max_per_address = 1;
    door_limit(&door);
    const char *sid = door_shake(&door);
    assert_refused(door_get(&door, NULL), ENGINE_UNAVAILABLE);
    struct engine_request request = request_of("polling", NULL);
    request.address = "2001:db8::1";
    assert_int_equal(door_request(&door, &request)->status, 200);
    request.address = NULL;
    assert_int_equal(door_request(&door, &request)->status, 200);
    door_post(&door, sid, "1");
    assert_int_equal(door_get(&door, NULL)->status, 200);
}

/* An IPv6 client owns a /64: the edge says what counts. */
static void networks_count_as_one_address(void **state)
{
    (void)state;
    door.options.max_per_address = 1;
    door_limit(&door);
    struct engine_request request = request_of("polling", NULL);
    request.address = "2001:db8::1";
    request.network = "2001:db8::";
    assert_int_equal(door_request(&door, &request)->status, 200);
    request.address = "2001:db8::2";
    assert_int_equal(door_request(&door, &request)->status, 503);
    request.network = "2001:db8:0:1::";
    assert_int_equal(door_request(&door, &request)->status, 200);
}

static void nor_of_strangers(void **state)
{
    (void)state;
    door.options.max_unauthenticated = 1;
    door_limit(&door);
    const char *sid = door_shake(&door);
    assert_refused(door_get(&door, NULL), ENGINE_UNAVAILABLE);
    door_post(&door, sid, "4login");
    const char *second = door_shake(&door);
    assert_refused(door_get(&door, NULL), ENGINE_UNAVAILABLE);
    door_post(&door, second, "1");
    assert_int_equal(door_get(&door, NULL)->status, 200);
    assert_int_equal(door.engines->unauthenticated, 1);
}

static void a_stranger_is_closed_in_time(void **state)
{
    (void)state;
    struct ask *held = door_get(&door, door_shake(&door));
    door_pass(&door, 24000);
    assert_waits(held);
    door.options.auth_timeout_ms = 1000;
    door_limit(&door);
    struct wire *wire = door_wire(&door, NULL);
    door_pass(&door, 900);
    assert_false(wire->hung);
    door_pass(&door, 100);
    assert_true(wire->hung);
    assert_int_equal(wire->reason, CLOSE_AUTH_TIMEOUT);
}

static void one_that_is_known_stays_until_it_is_not(void **state)
{
    (void)state;
    door.options.auth_timeout_ms = 1000;
    door_limit(&door);
    const char *sid = door_shake(&door);
    door_post(&door, sid, "4login");
    door_pass(&door, 5000);
    assert_int_equal(door.ended, 0);
    door_post(&door, sid, "4logout");
    door_pass(&door, 900);
    assert_int_equal(door.ended, 0);
    door_pass(&door, 200);
    assert_ended(CLOSE_AUTH_TIMEOUT);
    assert_refused(door_get(&door, sid), ENGINE_UNKNOWN_SID);
}

static void who_speaks_too_much_is_closed(void **state)
{
    (void)state;
    door.options.packets_per_second = 3;
    door_limit(&door);
    const char *sid = door_shake(&door);
    assert_answer(door_post(&door, sid,
                            "4a\x1e"
                            "4b\x1e"
                            "4c\x1e"
                            "4d\x1e"
                            "4e\x1e"
                            "4f"),
                  200, "ok");
    door_now_ms += 334;
    assert_answer(door_post(&door, sid, "4g"), 200, "ok");
    assert_answer(door_post(&door, sid, "4h"), 400, "");
    assert_ended(CLOSE_RATE_LIMITED);
    assert_string_equal(door.heard.bytes, "a|b|c|d|e|f|g|");
}

static void silence_saves_up_two_seconds_at_most(void **state)
{
    (void)state;
    door.known_at_once = true;
    door.options.packets_per_second = 2;
    door_limit(&door);
    const char *sid = door_shake(&door);
    door_now_ms += 20000;
    assert_answer(door_post(&door, sid,
                            "4a\x1e"
                            "4b\x1e"
                            "4c\x1e"
                            "4d"),
                  200, "ok");
    assert_answer(door_post(&door, sid, "4e"), 400, "");
}

static void so_it_is_on_a_socket(void **state)
{
    (void)state;
    door.options.packets_per_second = 2;
    door_limit(&door);
    struct wire *wire = door_wire(&door, NULL);
    for (int i = 0; i < 4; i++)
        wire_hear(wire, "4a");
    assert_false(wire->hung);
    engine_socket_binary(&wire->socket, "x", 1);
    assert_int_equal(wire->reason, CLOSE_RATE_LIMITED);
    assert_true(wire->hung);
}

static void bodies_that_are_too_long_are_counted_too(void **state)
{
    (void)state;
    door.options.packets_per_second = 1;
    door_limit(&door);
    const char *sid = door_shake(&door);
    for (int i = 0; i < 3; i++) {
        struct ask *post = door_begin_post(&door, sid);
        engine_body_too_long(&post->http);
        assert_answer(post, 413, "");
        assert_true(door.engines->limits[LIMIT_PAYLOAD] >= 1);
    }
    assert_ended(CLOSE_RATE_LIMITED);
}

static void a_post_has_a_thousand_packets_at_most(void **state)
{
    (void)state;
    struct buf body;
    buf_init(&body, 100000);
    buf_str(&body, "4x");
    for (int i = 1; i < ENGINE_PACKETS_MAX; i++)
        buf_str(&body, "\x1e"
                       "4x");
    const char *sid = door_shake(&door);
    assert_answer(door_post(&door, sid, body.bytes), 200, "ok");
    buf_str(&body, "\x1e"
                   "4x");
    sid = door_shake(&door);
    assert_answer(door_post(&door, sid, body.bytes), 400, "");
    assert_int_equal(door.last_reason, CLOSE_RATE_LIMITED);
    buf_free(&body);
}

static void what_nobody_fetches_has_an_end(void **state)
{
    (void)state;
    const char *sid = door_shake(&door);
    for (int i = 0; i < ENGINE_CONTROL_MAX; i++)
        assert_answer(door_post(&door, sid, "4say 4x"), 200, "ok");
    assert_int_equal(door.ended, 0);
    door_post(&door, sid, "4say 4x");
    assert_ended(CLOSE_SLOW_CONSUMER);
}

static void nor_may_it_be_many_bytes(void **state)
{
    (void)state;
    char text[40000] = "4say 4";
    memset(text + 6, 'x', sizeof text - 7);
    const char *sid = door_shake(&door);
    door_post(&door, sid, text);
    assert_int_equal(door.ended, 0);
    door_post(&door, sid, text);
    assert_ended(CLOSE_SLOW_CONSUMER);
}

/* ---- polling ---- */

static void a_post_is_heard_and_answered_ok(void **state)
{
    (void)state;
    const char *sid = door_shake(&door);
    assert_answer(door_post(&door, sid, "4hello"), 200, "ok");
    assert_string_equal(door.heard.bytes, "hello|");
}

static void all_that_waits_comes_in_one_body(void **state)
{
    (void)state;
    const char *sid = door_shake(&door);
    door_post(&door, sid,
              "4echo a\x1e"
              "4echo b\x1e"
              "4say 2x\x1e"
              "4echo c");
    assert_answer(door_get(&door, sid), 200,
                  "2x\x1e"
                  "4a\x1e"
                  "4b\x1e"
                  "4c");
    assert_int_equal(door.alive->drained, 1);
    assert_waits(door_get(&door, sid));
}

static void a_held_get_hears_all_that_one_post_brings(void **state)
{
    (void)state;
    const char *sid = door_shake(&door);
    struct ask *held = door_get(&door, sid);
    assert_waits(held);
    door_post(&door, sid,
              "4echo a\x1e"
              "4echo b");
    assert_answer(held, 200,
                  "4a\x1e"
                  "4b");
    assert_waits(door_get(&door, sid));
}

static void a_held_get_hears_what_comes_by_itself(void **state)
{
    (void)state;
    struct ask *held = door_get(&door, door_shake(&door));
    above_queue_text(door.alive, "news");
    assert_answer(held, 200, "4news");
    assert_null(held->http.engine);
}

static void a_long_queue_comes_in_bodies_of_bounded_size(void **state)
{
    (void)state;
    char text[50000];
    memset(text, 'x', sizeof text);
    const char *sid = door_shake(&door);
    for (int i = 0; i < 5; i++)
        above_queue(door.alive, text, sizeof text, false);
    assert_int_equal(door_get(&door, sid)->len, 2 * (sizeof text + 1) + 1);
    assert_int_equal(door.alive->drained, 0);
    assert_int_equal(door_get(&door, sid)->len, 2 * (sizeof text + 1) + 1);
    assert_int_equal(door_get(&door, sid)->len, sizeof text + 1);
    assert_int_equal(door.alive->drained, 1);
    assert_waits(door_get(&door, sid));
}

static void binary_goes_both_ways_as_base64(void **state)
{
    (void)state;
    const char *sid = door_shake(&door);
    assert_answer(door_post(&door, sid,
                            "4echo hello\x1e"
                            "bAQIDBA==\x1e"
                            "b+/8=\x1e"
                            "b"),
                  200, "ok");
    assert_string_equal(door.heard.bytes, "echo hello|bytes:01020304|bytes:fbff|bytes:|");
    assert_answer(door_get(&door, sid), 200,
                  "4hello\x1e"
                  "bAQIDBA==\x1e"
                  "b+/8=\x1e"
                  "b");
}

static void what_is_no_base64_ends_it(void **state)
{
    (void)state;
    static const char *const bad[] = {"bA",    "bAQ",     "bAQ=",  "bAQID", "bAR==", "b====", "b=",
                                      "b-_8=", "bAQ==AQ", "b AQ=", "bAQ=I", "bA===", "b==AQ"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        const char *sid = door_shake(&door);
        bool good = strcmp(bad[i], "bAQID") == 0;
        assert_answer(door_post(&door, sid, bad[i]), good ? 200 : 400, good ? "ok" : "");
        assert_int_equal(engines_count(door.engines), good ? 1 : 0);
        door_post(&door, sid, "1");
    }
}

static void a_body_that_breaks_the_rules_ends_the_engine(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "\x1e",
                                      "4a\x1e",
                                      "\x1e"
                                      "4a",
                                      "abc",
                                      "7",
                                      "4a\x1e\x1e"
                                      "4b",
                                      "9x",
                                      "2",
                                      "5",
                                      "0{}",
                                      "2probe",
                                      "4bad",
                                      " 4a",
                                      "\xff",
                                      "4x\x1e"
                                      "b!"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        const char *sid = door_shake(&door);
        struct ask *held = door_get(&door, sid);
        assert_answer(door_post(&door, sid, bad[i]), 400, "");
        assert_answer(held, 200, "1");
        assert_ended(CLOSE_BAD_REQUEST);
        assert_refused(door_get(&door, sid), ENGINE_UNKNOWN_SID);
    }
}

static void nothing_is_heard_behind_what_broke_the_rules(void **state)
{
    (void)state;
    const char *sid = door_shake(&door);
    door_post(&door, sid,
              "4a\x1e"
              "4bad\x1e"
              "4b");
    assert_string_equal(door.heard.bytes, "a|bad|");
}

static void a_noop_of_the_client_is_nothing(void **state)
{
    (void)state;
    assert_answer(door_post(&door, door_shake(&door), "6"), 200, "ok");
    assert_int_equal(door.ended, 0);
}

static void a_nul_in_a_message_is_part_of_it(void **state)
{
    (void)state;
    struct ask *post = door_begin_post(&door, door_shake(&door));
    engine_body(&post->http, "4a\0b", 4);
    assert_answer(post, 200, "ok");
    assert_int_equal(door.heard.len, 4);
    assert_memory_equal(door.heard.bytes, "a\0b|", 4);
}

static void a_second_get_ends_both_and_the_engine(void **state)
{
    (void)state;
    const char *sid = door_shake(&door);
    struct ask *first = door_get(&door, sid);
    assert_answer(door_get(&door, sid), 400, "");
    assert_answer(first, 200, "1");
    assert_ended(CLOSE_BAD_REQUEST);
    assert_refused(door_get(&door, sid), ENGINE_UNKNOWN_SID);
}

static void a_second_post_ends_the_first_and_the_engine(void **state)
{
    (void)state;
    const char *sid = door_shake(&door);
    struct ask *held = door_get(&door, sid);
    struct ask *first = door_begin_post(&door, sid);
    struct ask *second = door_begin_post(&door, sid);
    assert_true(first->reading);
    assert_false(second->reading);
    assert_answer(second, 400, "");
    assert_true(first->aborted);
    assert_answer(held, 200, "1");
    assert_ended(CLOSE_BAD_REQUEST);
    engine_body(&first->http, "4a", 2); /* too late: nothing */
    assert_null(door.heard.bytes);
}

static void posts_one_after_the_other_are_no_overlap(void **state)
{
    (void)state;
    const char *sid = door_shake(&door);
    assert_answer(door_post(&door, sid, "4a"), 200, "ok");
    assert_answer(door_post(&door, sid, "4b"), 200, "ok");
}

static struct ask *stamped(const char *sid, const char *stamp)
{
    struct engine_request request = request_of("polling", sid);
    request.stamp = stamp;
    return door_request(&door, &request);
}

/* A browser does so by itself when the connection broke behind the answer. */
static void a_get_that_is_repeated_was_answered_in_vain(void **state)
{
    (void)state;
    const char *sid = door_shake(&door);
    assert_answer(door_post(&door, sid, "4echo lost"), 200, "ok");
    assert_answer(stamped(sid, "t1"), 200, "4lost");
    assert_refused(stamped(sid, "t1"), ENGINE_UNKNOWN_SID);
    assert_ended(CLOSE_CLIENT);
}

static void a_get_with_another_stamp_or_none_is_the_next_one(void **state)
{
    (void)state;
    static const char long_stamp[] = "0123456789012345678901234567890123456789";
    static const char *const stamps[] = {"t1", "t2", "t1",       "",        "",
                                         NULL, NULL, long_stamp, long_stamp};
    const char *sid = door_shake(&door);
    for (size_t i = 0; i < sizeof stamps / sizeof *stamps; i++) {
        assert_answer(door_post(&door, sid, "4echo next"), 200, "ok");
        assert_answer(stamped(sid, stamps[i]), 200, "4next");
    }
}

static void a_post_of_octets_ends_the_engine(void **state)
{
    (void)state;
    const char *sid = door_shake(&door);
    struct ask *held = door_get(&door, sid);
    struct engine_request request = request_of("polling", sid);
    request.method = ENGINE_POST;
    request.octets = true;
    struct ask *post = door_request(&door, &request);
    assert_false(post->reading);
    assert_answer(post, 400, "");
    assert_answer(held, 200, "1");
    assert_ended(CLOSE_BAD_REQUEST);
}

static void a_body_that_is_too_long_is_413_and_the_engine_lives(void **state)
{
    (void)state;
    const char *sid = door_shake(&door);
    struct ask *post = door_begin_post(&door, sid);
    engine_body_too_long(&post->http);
    assert_answer(post, 413, "");
    assert_true(door.engines->limits[LIMIT_PAYLOAD] >= 1);
    door.options.max_payload_bytes = 4;
    door_limit(&door);
    assert_answer(door_post(&door, sid, "4abcd"), 413, "");
    assert_answer(door_post(&door, sid, "4abc"), 200, "ok");
    assert_waits(door_get(&door, sid));
}

static void other_methods_are_405_and_the_engine_lives(void **state)
{
    (void)state;
    const char *sid = door_shake(&door);
    struct ask *held = door_get(&door, sid);
    assert_answer(ask(ENGINE_OTHER, "4", "polling", sid), 405, "");
    assert_waits(held);
}

static void a_client_says_goodbye_by_polling(void **state)
{
    (void)state;
    const char *sid = door_shake(&door);
    struct ask *held = door_get(&door, sid);
    assert_answer(door_post(&door, sid, "1"), 200, "ok");
    assert_answer(held, 200, "6");
    assert_ended(CLOSE_CLIENT);
    assert_refused(door_get(&door, sid), ENGINE_UNKNOWN_SID);
    assert_refused(door_begin_post(&door, sid), ENGINE_UNKNOWN_SID);
}

static void a_request_that_goes_away_ends_the_engine(void **state)
{
    (void)state;
    const char *sid = door_shake(&door);
    engine_http_gone(&door_get(&door, sid)->http);
    assert_ended(CLOSE_CLIENT);
    assert_refused(door_get(&door, sid), ENGINE_UNKNOWN_SID);
    sid = door_shake(&door);
    struct ask *held = door_get(&door, sid);
    engine_http_gone(&door_begin_post(&door, sid)->http);
    assert_answer(held, 200, "1");
    assert_ended(CLOSE_CLIENT);
}

static void one_that_was_answered_may_go(void **state)
{
    (void)state;
    const char *sid = door_shake(&door);
    struct ask *held = door_get(&door, sid);
    above_queue_text(door.alive, "x");
    engine_http_gone(&held->http);
    engine_body(&held->http, "4x", 2);
    engine_body_too_long(&held->http);
    assert_int_equal(door.ended, 0);
}

static void a_post_under_way_is_answered_when_the_engine_ends(void **state)
{
    (void)state;
    struct ask *post = door_begin_post(&door, door_shake(&door));
    engine_close(door.alive->engine, CLOSE_RESTART);
    assert_refused(post, ENGINE_UNKNOWN_SID);
    engine_body(&post->http, "4x", 2);
    assert_null(door.heard.bytes);
}

/* ---- the heartbeat ---- */

static void a_ping_comes_each_interval_and_wants_a_pong(void **state)
{
    (void)state;
    door.known_at_once = true;
    const char *sid = door_shake(&door);
    for (int i = 0; i < 3; i++) {
        struct ask *held = door_get(&door, sid);
        door_pass(&door, 24900);
        assert_waits(held);
        door_pass(&door, 1100);
        assert_answer(held, 200, "2");
        assert_answer(door_post(&door, sid, "3"), 200, "ok");
    }
    assert_int_equal(door.ended, 0);
}

static void a_reload_leaves_the_heartbeat_that_was_told(void **state)
{
    (void)state;
    door.known_at_once = true;
    const char *sid = door_shake(&door);
    door.options.ping_interval_ms = 60000;
    door.options.ping_timeout_ms = 90000;
    door_limit(&door);
    struct ask *held = door_get(&door, sid);
    door_pass(&door, 26000);
    assert_answer(held, 200, "2");
    door_post(&door, sid, "3");
    door_pass(&door, 46000);
    assert_ended(CLOSE_DEAD);
    assert_non_null(strstr(door_get(&door, NULL)->body, "\"pingInterval\":60000"));
}

static void one_that_was_abandoned_is_closed(void **state)
{
    (void)state;
    door.known_at_once = true;
    for (int i = 0; i < 30; i++)
        door_shake(&door);
    door_pass(&door, 44900);
    assert_int_equal(engines_count(door.engines), 30);
    door_pass(&door, 1100);
    assert_int_equal(engines_count(door.engines), 0);
    assert_ended(CLOSE_DEAD);
    assert_null(door.engines->peers);
    assert_int_equal(door.engines->unauthenticated, 0);
}

static void so_is_one_whose_socket_is_silent(void **state)
{
    (void)state;
    door.known_at_once = true;
    struct wire *wire = door_wire(&door, NULL);
    door_pass(&door, 26000);
    assert_non_null(strstr(wire_said(wire), "}|2|"));
    door_pass(&door, 20000);
    assert_true(wire->hung);
    assert_int_equal(wire->reason, CLOSE_DEAD);
}

static void short_times_are_kept_to_the_tick(void **state)
{
    (void)state;
    door.known_at_once = true;
    door.options.ping_interval_ms = 300;
    door.options.ping_timeout_ms = 200;
    door_limit(&door);
    for (int i = 0; i < 20; i++)
        door_shake(&door);
    struct ask *held = door_get(&door, door_shake(&door));
    door_pass(&door, 300);
    assert_answer(held, 200, "2");
    door_pass(&door, 100);
    assert_int_equal(door.ended, 0);
    door_pass(&door, 100);
    assert_int_equal(door.ended, 21);
}

static void one_whose_time_is_over_is_not_found_before_any_tick(void **state)
{
    (void)state;
    door.known_at_once = true;
    door.options.ping_interval_ms = 300;
    door.options.ping_timeout_ms = 200;
    door_limit(&door);
    const char *sid = door_shake(&door);
    door_now_ms += 250;
    engines_tick(door.engines);
    door_now_ms += 150;
    engines_tick(door.engines); /* the ping, late: its answer is due no later */
    door_now_ms += 99;
    assert_answer(door_get(&door, sid), 200, "2");
    door_now_ms += 1;
    assert_refused(door_get(&door, sid), ENGINE_UNKNOWN_SID);
    assert_ended(CLOSE_DEAD);
}

static void one_that_was_asked_late_has_time_to_answer(void **state)
{
    (void)state;
    door.known_at_once = true;
    const char *sid = door_shake(&door);
    door_now_ms += 3600000; /* the machine slept */
    struct ask *held = door_get(&door, sid);
    assert_answer(held, 200, "2");
    door_pass(&door, 4000);
    assert_answer(door_post(&door, sid, "3"), 200, "ok");
    door_pass(&door, 20000);
    assert_int_equal(door.ended, 0);
}

static void another_packet_puts_off_the_end_once(void **state)
{
    (void)state;
    door.known_at_once = true;
    const char *sid = door_shake(&door);
    door_pass(&door, 44000);
    door_post(&door, sid, "4a");
    door_pass(&door, 19000);
    assert_int_equal(door.ended, 0);
    door_post(&door, sid, "4b");
    door_pass(&door, 2000);
    assert_ended(CLOSE_DEAD);
}

static void and_again_with_the_next_ping(void **state)
{
    (void)state;
    door.known_at_once = true;
    const char *sid = door_shake(&door);
    door_pass(&door, 44000);
    door_post(&door, sid, "6");
    door_pass(&door, 10000);
    door_post(&door, sid, "3");
    door_pass(&door, 44000);
    door_post(&door, sid, "6");
    door_pass(&door, 15000);
    assert_int_equal(door.ended, 0);
}

static void a_pong_that_nobody_asked_for_puts_off_no_ping(void **state)
{
    (void)state;
    door.known_at_once = true;
    const char *sid = door_shake(&door);
    door_pass(&door, 20000);
    assert_answer(door_post(&door, sid, "3"), 200, "ok");
    door_pass(&door, 6000);
    assert_answer(door_get(&door, sid), 200, "2");
}

static void a_ping_of_the_client_ends_it(void **state)
{
    (void)state;
    struct wire *wire = door_wire(&door, NULL);
    wire_hear(wire, "2");
    assert_true(wire->hung);
    assert_ended(CLOSE_BAD_REQUEST);
}

/* ---- the end from above ---- */

static void a_held_get_hears_the_last_words(void **state)
{
    (void)state;
    const char *sid = door_shake(&door);
    struct ask *held = door_get(&door, sid);
    assert_answer(door_post(&door, sid, "4kick"), 200, "ok");
    assert_answer(held, 200,
                  "44{}\x1e"
                  "1");
    assert_ended(CLOSE_UNAUTHORIZED);
    assert_refused(door_get(&door, sid), ENGINE_UNKNOWN_SID);
}

static void without_one_they_wait_for_the_next_get(void **state)
{
    (void)state;
    const char *sid = door_shake(&door);
    door_post(&door, sid, "4kick");
    assert_ended(CLOSE_UNAUTHORIZED);
    assert_int_equal(engines_count(door.engines), 1);
    assert_refused(door_begin_post(&door, sid), ENGINE_UNKNOWN_SID);
    assert_refused(ask(ENGINE_OTHER, "4", "polling", sid), ENGINE_UNKNOWN_SID);
    assert_null(door_wire(&door, sid));
    assert_refused(ask(ENGINE_GET, "3", "polling", sid), ENGINE_BAD_REQUEST);
    assert_answer(door_get(&door, sid), 200,
                  "44{}\x1e"
                  "1");
    assert_refused(door_get(&door, sid), ENGINE_UNKNOWN_SID);
    assert_int_equal(engines_count(door.engines), 0);
}

static void but_not_for_ever(void **state)
{
    (void)state;
    const char *sid = door_shake(&door);
    door_post(&door, sid, "4kick");
    door_pass(&door, ENGINE_KEEP_MS - 100);
    assert_int_equal(engines_count(door.engines), 1);
    door_now_ms += 100;
    assert_refused(door_get(&door, sid), ENGINE_UNKNOWN_SID);
    sid = door_shake(&door);
    door_post(&door, sid, "4kick");
    door_pass(&door, ENGINE_KEEP_MS + 1000);
    assert_int_equal(engines_count(door.engines), 0);
}

static void they_count_as_engines_meanwhile(void **state)
{
    (void)state;
    door.options.max_engines = 1;
    door_limit(&door);
    const char *sid = door_shake(&door);
    door_post(&door, sid, "4kick");
    assert_refused(door_get(&door, NULL), ENGINE_UNAVAILABLE);
    door_get(&door, sid);
    assert_int_equal(door_get(&door, NULL)->status, 200);
}

static void one_that_is_dead_or_gone_leaves_no_words(void **state)
{
    (void)state;
    door_shake(&door);
    engine_close(door.alive->engine, CLOSE_DEAD);
    door_shake(&door);
    engine_close(door.alive->engine, CLOSE_CLIENT);
    assert_int_equal(engines_count(door.engines), 0);
}

static void a_socket_is_given_the_last_words(void **state)
{
    (void)state;
    struct wire *wire = door_wire(&door, NULL);
    wire_said(wire);
    buf_clear(&wire->said);
    above_queue_text(door.alive, "lost");
    wire_hear(wire, "4kick");
    assert_true(wire->hung);
    assert_int_equal(wire->reason, CLOSE_UNAUTHORIZED);
    assert_string_equal(wire->said.bytes, "44{}|");
    assert_int_equal(engines_count(door.engines), 0);
}

static void a_closed_engine_is_deaf_and_dumb_until_the_tick(void **state)
{
    (void)state;
    door_shake(&door);
    struct engine *engine = door.alive->engine;
    engine_close(engine, CLOSE_CLIENT);
    engine_close(engine, CLOSE_RESTART);
    engine_send(engine, "4x", 2);
    engine_wake(engine);
    assert_null(engine_state(engine));
    assert_string_equal(engine_address(engine), "192.0.2.1");
    assert_int_equal(door.ended, 1);
    engines_tick(door.engines);
}

static void freeing_the_door_closes_what_is_left_without_a_word(void **state)
{
    (void)state;
    const char *sid = door_shake(&door);
    struct ask *held = door_get(&door, sid);
    struct ask *post = door_begin_post(&door, sid);
    struct wire *probe = door_wire(&door, sid);
    struct wire *wire = door_wire(&door, NULL);
    door_post(&door, door_shake(&door), "4kick");
    engines_free(door.engines);
    door.engines = NULL;
    assert_int_equal(held->status + post->status, 0);
    assert_false(probe->hung || wire->hung);
    assert_ended(CLOSE_GOING_AWAY);
    engine_http_gone(&held->http);
    engine_socket_gone(&wire->socket);
}

/* ---- WebSocket ---- */

static void messages_and_binary_go_both_ways_on_a_socket(void **state)
{
    (void)state;
    struct wire *wire = door_wire(&door, NULL);
    wire_hear(wire, "4echo a");
    engine_socket_binary(&wire->socket, "\x01\x02", 2);
    wire_hear(wire, "4say 4first");
    assert_non_null(strstr(wire_said(wire), "}|4first|4a|bytes:0102|"));
    assert_string_equal(door.heard.bytes, "echo a|bytes:0102|say 4first|");
    assert_int_equal(door.alive->drained, 1);
}

static void frames_of_every_size_are_whole(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 124, 125, 126, 65534, 65535, 65536, 100000};
    struct wire *wire = door_wire(&door, NULL);
    wire_said(wire);
    buf_clear(&wire->said);
    size_t wanted = 0;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        char *text = mem_new(sizes[i] + 1);
        memset(text, 'x', sizes[i]);
        above_queue(door.alive, text, sizes[i], false);
        wanted += sizes[i] + 2;
        free(text);
    }
    assert_int_equal(strlen(wire_said(wire)), wanted);
}

static void what_does_not_fit_waits(void **state)
{
    (void)state;
    struct wire *wire = door_wire(&door, NULL);
    wire_said(wire);
    buf_clear(&wire->said);
    above_flood(door.alive, 50);
    wire_flush_by(wire, 40);
    assert_memory_equal(wire->said.bytes, "4flood 0|4flood 1|", 18);
    assert_string_equal(wire->said.bytes + wire->said.len - 10, "4flood 49|");
    unsigned char few[4];
    above_queue_text(door.alive, "x");
    assert_int_equal(engine_fill(&wire->socket, few, sizeof few), 0);
}

static void a_packet_beyond_all_bounds_ends_the_engine(void **state)
{
    (void)state;
    log_setup(LOG_ERROR, LOG_LOGFMT);
    char *text = mem_new(ENGINE_FILL_BYTES * 2);
    struct wire *wire = door_wire(&door, NULL);
    above_queue(door.alive, text, ENGINE_FILL_BYTES, false);
    wire_flush_by(wire, ENGINE_FILL_BYTES);
    assert_true(wire->hung);
    assert_ended(CLOSE_INTERNAL);
    struct ask *held = door_get(&door, door_shake(&door));
    above_queue(door.alive, text, ENGINE_FILL_BYTES * 2, false);
    assert_answer(held, 200, "1");
    assert_ended(CLOSE_INTERNAL);
    free(text);
}

static void what_breaks_the_rules_on_a_socket_ends_it(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "abc", "bAQ==", "2probe", "5", "0", "4bad", "7", "\x1e"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct wire *wire = door_wire(&door, NULL);
        wire_hear(wire, bad[i]);
        assert_true(wire->hung);
        assert_ended(CLOSE_BAD_REQUEST);
    }
}

static void a_client_says_goodbye_on_a_socket(void **state)
{
    (void)state;
    struct wire *wire = door_wire(&door, NULL);
    wire_hear(wire, "1");
    assert_true(wire->hung);
    assert_int_equal(wire->reason, CLOSE_GOING_AWAY);
    assert_ended(CLOSE_CLIENT);
}

static void a_socket_that_goes_or_breaks_ends_its_engine(void **state)
{
    (void)state;
    struct wire *wire = door_wire(&door, NULL);
    engine_socket_gone(&wire->socket);
    assert_false(wire->hung);
    assert_ended(CLOSE_CLIENT);
    wire = door_wire(&door, NULL);
    engine_socket_broken(&wire->socket, CLOSE_TOO_BIG);
    assert_true(wire->hung);
    assert_ended(CLOSE_TOO_BIG);
    engine_socket_gone(&wire->socket);
    engine_socket_broken(&wire->socket, CLOSE_TOO_BIG);
    wire_hear(wire, "4a");
    engine_socket_binary(&wire->socket, "x", 1);
    wire_flush_by(wire, 100);
    assert_null(door.heard.bytes);
}

static void things_may_change_between_handshake_and_socket(void **state)
{
    (void)state;
    struct engine_request request = request_of("websocket", NULL);
    request.upgrade = true;
    assert_int_equal(engines_judge_socket(door.engines, &request, true), ENGINE_OK);
    engines_refuse(door.engines);
    struct wire *wire = wire_new(&door);
    assert_false(engines_socket(door.engines, &request, &wire->socket));
    assert_null(wire->socket.engine);
}

/* ---- from the one to the other ---- */

static struct wire *probing(const char *sid)
{
    struct wire *probe = door_wire(&door, sid);
    wire_hear(probe, "2probe");
    return probe;
}

static void an_upgrade_moves_everything_at_the_word(void **state)
{
    (void)state;
    const char *sid = door_shake(&door);
    struct wire *wire = probing(sid);
    assert_string_equal(wire_said(wire), "3probe|");
    assert_answer(door_get(&door, sid), 200, "6");
    above_queue_text(door.alive, "late");
    assert_false(wire->woken);
    door_now_ms += 500;
    wire_hear(wire, "5");
    assert_string_equal(wire_said(wire), "3probe|4late|");
    wire_hear(wire, "4echo hello");
    assert_string_equal(wire_said(wire), "3probe|4late|4hello|");
    assert_true(door.engines->upgrades[UPGRADE_OK] == 1);
    assert_true(door.engines->living[0] == 0 && door.engines->living[1] == 1);
    struct buf text;
    buf_init(&text, 65536);
    metrics_print(door.metrics, &text);
    assert_non_null(strstr(text.bytes, "vigie_engine_upgrade_seconds_count 1\n"));
    assert_non_null(strstr(text.bytes, "vigie_engine_upgrade_seconds_sum 0.5\n"));
    buf_free(&text);
}

static void a_get_that_waits_is_answered_when_the_probe_speaks(void **state)
{
    (void)state;
    const char *sid = door_shake(&door);
    struct ask *held = door_get(&door, sid);
    struct wire *wire = door_wire(&door, sid);
    assert_waits(held);
    wire_hear(wire, "2probe");
    assert_answer(held, 200, "6");
    assert_string_equal(wire_said(wire), "3probe|");
}

static void until_the_word_every_get_is_answered_at_once(void **state)
{
    (void)state;
    const char *sid = door_shake(&door);
    struct wire *wire = probing(sid);
    for (int i = 0; i < 5; i++)
        assert_answer(door_get(&door, sid), 200, "6");
    above_queue_text(door.alive, "data");
    assert_answer(door_get(&door, sid), 200, "4data");
    assert_answer(door_get(&door, sid), 200, "6");
    door_post(&door, sid, "4a");
    assert_string_equal(door.heard.bytes, "a|");
    assert_string_equal(wire_said(wire), "3probe|");
}

static void the_word_may_come_before_the_answer_was_read(void **state)
{
    (void)state;
    const char *sid = door_shake(&door);
    struct wire *wire = probing(sid);
    above_queue_text(door.alive, "x");
    wire_hear(wire, "5");
    wire_hear(wire, "4echo y");
    assert_string_equal(wire_said(wire), "3probe|4x|4y|");
}

static void after_the_word_polling_is_code_3(void **state)
{
    (void)state;
    const char *sid = door_shake(&door);
    struct wire *wire = probing(sid);
    wire_hear(wire, "5");
    assert_refused(door_get(&door, sid), ENGINE_BAD_REQUEST);
    assert_refused(door_begin_post(&door, sid), ENGINE_BAD_REQUEST);
    assert_refused(ask(ENGINE_GET, "4", "websocket", sid), ENGINE_BAD_REQUEST);
    assert_false(wire->hung);
}

static void a_post_that_was_under_way_is_still_heard(void **state)
{
    (void)state;
    const char *sid = door_shake(&door);
    struct ask *post = door_begin_post(&door, sid);
    struct wire *wire = probing(sid);
    wire_hear(wire, "5");
    engine_body(&post->http, "4echo a", 7);
    assert_answer(post, 200, "ok");
    assert_string_equal(wire_said(wire), "3probe|4a|");
}

static void a_second_socket_is_hung_up_and_the_first_lives(void **state)
{
    (void)state;
    const char *sid = door_shake(&door);
    struct wire *wire = probing(sid);
    struct wire *second = door_wire(&door, sid);
    assert_true(second->hung);
    wire_hear(wire, "5");
    second = door_wire(&door, sid);
    assert_true(second->hung);
    wire_hear(wire, "4echo a");
    assert_non_null(strstr(wire_said(wire), "4a|"));
}

static void what_a_probe_must_not_say_closes_the_probe_only(void **state)
{
    (void)state;
    static const char *const bad[] = {"5", "2", "2probe ", "4a", "", "1", "3probe", "abc"};
    const char *sid = door_shake(&door);
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct wire *probe = door_wire(&door, sid);
        wire_hear(probe, bad[i]);
        assert_true(probe->hung);
        assert_int_equal(probe->reason, CLOSE_BAD_REQUEST);
    }
    struct wire *probe = probing(sid);
    wire_hear(probe, "2probe");
    assert_true(probe->hung);
    probe = probing(sid);
    engine_socket_binary(&probe->socket, "x", 1);
    assert_true(probe->hung);
    probe = probing(sid);
    engine_socket_broken(&probe->socket, CLOSE_TOO_BIG);
    assert_int_equal(probe->reason, CLOSE_TOO_BIG);
    assert_waits(door_get(&door, sid));
    assert_null(door.heard.bytes);
    assert_true(door.engines->upgrades[UPGRADE_FAILED] == COUNT(bad) + 3);
}

static void after_a_probe_that_failed_gets_wait_again_and_another_may_try(void **state)
{
    (void)state;
    const char *sid = door_shake(&door);
    struct wire *probe = probing(sid);
    engine_socket_gone(&probe->socket);
    assert_false(probe->hung);
    struct ask *held = door_get(&door, sid);
    assert_waits(held);
    struct wire *wire = probing(sid);
    assert_answer(held, 200, "6");
    wire_hear(wire, "5");
    wire_hear(wire, "4echo a");
    assert_string_equal(wire_said(wire), "3probe|4a|");
}

static void a_probe_that_takes_too_long_is_dropped_alone(void **state)
{
    (void)state;
    const char *sid = door_shake(&door);
    struct wire *silent = door_wire(&door, sid);
    door_pass(&door, 9900);
    assert_false(silent->hung);
    door_pass(&door, 1100);
    assert_true(silent->hung);
    struct wire *probe = probing(sid);
    door_pass(&door, 11000);
    assert_true(probe->hung);
    assert_true(door.engines->upgrades[UPGRADE_TIMEOUT] == 2);
    assert_int_equal(door.ended, 0);
    assert_waits(door_get(&door, sid));
}

static void the_heart_beats_on_during_an_upgrade(void **state)
{
    (void)state;
    door.known_at_once = true;
    door.options.upgrade_timeout_ms = 100000;
    door_limit(&door);
    const char *sid = door_shake(&door);
    struct wire *probe = probing(sid);
    door_pass(&door, 26000);
    assert_answer(door_get(&door, sid), 200, "2"); /* by polling */
    assert_string_equal(wire_said(probe), "3probe|");
    door_pass(&door, 20000);
    assert_ended(CLOSE_DEAD);
    assert_true(probe->hung);
}

static void a_ping_that_was_not_fetched_moves_with_the_rest(void **state)
{
    (void)state;
    door.known_at_once = true;
    const char *sid = door_shake(&door);
    door_pass(&door, 26000);
    struct wire *wire = probing(sid);
    wire_hear(wire, "5");
    assert_string_equal(wire_said(wire), "3probe|2|");
    wire_hear(wire, "3");
    door_pass(&door, 21000);
    assert_int_equal(door.ended, 0);
}

static void the_end_of_an_engine_is_that_of_its_probe(void **state)
{
    (void)state;
    const char *sid = door_shake(&door);
    struct wire *probe = probing(sid);
    engine_close(door.alive->engine, CLOSE_RESTART);
    assert_true(probe->hung);
    assert_int_equal(probe->reason, CLOSE_RESTART);
    assert_answer(door_get(&door, sid), 200, "1");
}

static void a_client_that_goes_takes_its_probe_along(void **state)
{
    (void)state;
    const char *sid = door_shake(&door);
    struct wire *probe = door_wire(&door, sid);
    struct ask *held = door_get(&door, sid);
    assert_answer(door_post(&door, sid, "1"), 200, "ok");
    assert_answer(held, 200, "6");
    assert_true(probe->hung);
    assert_int_equal(probe->reason, CLOSE_GOING_AWAY);
    engine_socket_gone(&probe->socket);
    assert_ended(CLOSE_CLIENT);
}

static void probes_are_not_for_nothing(void **state)
{
    (void)state;
    door.options.packets_per_second = 1;
    door_limit(&door);
    const char *sid = door_shake(&door);
    for (int i = 0; i < 2; i++)
        engine_socket_gone(&probing(sid)->socket);
    assert_int_equal(door.ended, 0);
    probing(sid);
    assert_ended(CLOSE_RATE_LIMITED);
}

/* ---- the parts of a payload ---- */

static void assert_part(const char *text, size_t len, size_t *at, enum engine_type type,
                        const char *bytes)
{
    struct engine_part part;
    assert_true(engine_next_part(text, len, at, &part));
    assert_int_equal(part.type, type);
    assert_int_equal(part.len, strlen(bytes));
    assert_memory_equal(part.bytes, bytes, part.len);
}

static void a_payload_is_cut_at_its_separators(void **state)
{
    (void)state;
    static const char text[] = "4a\x1e"
                               "0\x1e"
                               "bAQ==\x1e"
                               "6x\x1e"
                               "7\x1e\x1e"
                               "3\x1e";
    size_t len = sizeof text - 1;
    size_t at = 0;
    struct engine_part part;
    assert_part(text, len, &at, ENGINE_TYPE_MESSAGE, "a");
    assert_part(text, len, &at, ENGINE_TYPE_OPEN, "");
    assert_part(text, len, &at, ENGINE_TYPE_BINARY, "AQ==");
    assert_part(text, len, &at, ENGINE_TYPE_NOOP, "x");
    assert_part(text, len, &at, ENGINE_TYPE_BAD, "");
    assert_part(text, len, &at, ENGINE_TYPE_BAD, "");
    assert_part(text, len, &at, ENGINE_TYPE_PONG, "");
    assert_part(text, len, &at, ENGINE_TYPE_BAD, "");
    assert_false(engine_next_part(text, len, &at, &part));
    assert_false(engine_next_part(text, len, &at, &part));
}

static void an_empty_payload_is_one_bad_part(void **state)
{
    (void)state;
    size_t at = 0;
    struct engine_part part;
    assert_true(engine_next_part(NULL, 0, &at, &part));
    assert_int_equal(part.type, ENGINE_TYPE_BAD);
    assert_false(engine_next_part(NULL, 0, &at, &part));
}

static void what_was_counted_can_be_read(void **state)
{
    (void)state;
    struct buf text;
    const char *sid = door_shake(&door);
    door_wire(&door, NULL);
    door_get(&door, "x");
    door_post(&door, sid, "1");
    buf_init(&text, 65536);
    metrics_print(door.metrics, &text);
    assert_non_null(strstr(text.bytes, "vigie_engines{transport=\"polling\"} 0\n"));
    assert_non_null(strstr(text.bytes, "vigie_engines{transport=\"websocket\"} 1\n"));
    assert_non_null(strstr(text.bytes, "vigie_engine_errors_total{error=\"unknown_sid\"} 1\n"));
    assert_non_null(strstr(text.bytes, "vigie_engines_closed_total{reason=\"client\"} 1\n"));
    assert_non_null(strstr(text.bytes, "vigie_engine_limits_hit_total{scope=\"engines\"} 0\n"));
    buf_free(&text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_polling_handshake_opens_with_exactly_five_keys),
        TEST(a_websocket_handshake_offers_no_upgrade),
        TEST(what_is_said_from_open_follows_the_open_packet),
        TEST(sids_differ),
        TEST(an_unknown_transport_is_code_0),
        TEST(an_unknown_session_is_code_1_for_every_method),
        TEST(a_handshake_by_another_method_is_code_2),
        TEST(websocket_without_an_upgrade_is_code_3),
        TEST(an_upgrade_of_polling_is_code_3),
        TEST(another_version_is_code_5),
        TEST(a_version_that_changes_is_code_3_and_the_engine_lives),
        TEST(where_none_may_be_opened_it_is_503_with_code_6),
        TEST(a_forbidden_origin_is_403_with_code_4),
        TEST(there_are_no_more_engines_than_allowed),
        TEST(nor_of_one_address),
        TEST(networks_count_as_one_address),
        TEST(nor_of_strangers),
        TEST(a_stranger_is_closed_in_time),
        TEST(one_that_is_known_stays_until_it_is_not),
        TEST(who_speaks_too_much_is_closed),
        TEST(silence_saves_up_two_seconds_at_most),
        TEST(so_it_is_on_a_socket),
        TEST(bodies_that_are_too_long_are_counted_too),
        TEST(a_post_has_a_thousand_packets_at_most),
        TEST(what_nobody_fetches_has_an_end),
        TEST(nor_may_it_be_many_bytes),
        TEST(a_post_is_heard_and_answered_ok),
        TEST(all_that_waits_comes_in_one_body),
        TEST(a_held_get_hears_all_that_one_post_brings),
        TEST(a_held_get_hears_what_comes_by_itself),
        TEST(a_long_queue_comes_in_bodies_of_bounded_size),
        TEST(binary_goes_both_ways_as_base64),
        TEST(what_is_no_base64_ends_it),
        TEST(a_body_that_breaks_the_rules_ends_the_engine),
        TEST(nothing_is_heard_behind_what_broke_the_rules),
        TEST(a_noop_of_the_client_is_nothing),
        TEST(a_nul_in_a_message_is_part_of_it),
        TEST(a_second_get_ends_both_and_the_engine),
        TEST(a_second_post_ends_the_first_and_the_engine),
        TEST(posts_one_after_the_other_are_no_overlap),
        TEST(a_get_that_is_repeated_was_answered_in_vain),
        TEST(a_get_with_another_stamp_or_none_is_the_next_one),
        TEST(a_post_of_octets_ends_the_engine),
        TEST(a_body_that_is_too_long_is_413_and_the_engine_lives),
        TEST(other_methods_are_405_and_the_engine_lives),
        TEST(a_client_says_goodbye_by_polling),
        TEST(a_request_that_goes_away_ends_the_engine),
        TEST(one_that_was_answered_may_go),
        TEST(a_post_under_way_is_answered_when_the_engine_ends),
        TEST(a_ping_comes_each_interval_and_wants_a_pong),
        TEST(a_reload_leaves_the_heartbeat_that_was_told),
        TEST(one_that_was_abandoned_is_closed),
        TEST(so_is_one_whose_socket_is_silent),
        TEST(short_times_are_kept_to_the_tick),
        TEST(one_whose_time_is_over_is_not_found_before_any_tick),
        TEST(one_that_was_asked_late_has_time_to_answer),
        TEST(another_packet_puts_off_the_end_once),
        TEST(and_again_with_the_next_ping),
        TEST(a_pong_that_nobody_asked_for_puts_off_no_ping),
        TEST(a_ping_of_the_client_ends_it),
        TEST(a_held_get_hears_the_last_words),
        TEST(without_one_they_wait_for_the_next_get),
        TEST(but_not_for_ever),
        TEST(they_count_as_engines_meanwhile),
        TEST(one_that_is_dead_or_gone_leaves_no_words),
        TEST(a_socket_is_given_the_last_words),
        TEST(a_closed_engine_is_deaf_and_dumb_until_the_tick),
        TEST(freeing_the_door_closes_what_is_left_without_a_word),
        TEST(messages_and_binary_go_both_ways_on_a_socket),
        TEST(frames_of_every_size_are_whole),
        TEST(what_does_not_fit_waits),
        TEST(a_packet_beyond_all_bounds_ends_the_engine),
        TEST(what_breaks_the_rules_on_a_socket_ends_it),
        TEST(a_client_says_goodbye_on_a_socket),
        TEST(a_socket_that_goes_or_breaks_ends_its_engine),
        TEST(things_may_change_between_handshake_and_socket),
        TEST(an_upgrade_moves_everything_at_the_word),
        TEST(a_get_that_waits_is_answered_when_the_probe_speaks),
        TEST(until_the_word_every_get_is_answered_at_once),
        TEST(the_word_may_come_before_the_answer_was_read),
        TEST(after_the_word_polling_is_code_3),
        TEST(a_post_that_was_under_way_is_still_heard),
        TEST(a_second_socket_is_hung_up_and_the_first_lives),
        TEST(what_a_probe_must_not_say_closes_the_probe_only),
        TEST(after_a_probe_that_failed_gets_wait_again_and_another_may_try),
        TEST(a_probe_that_takes_too_long_is_dropped_alone),
        TEST(the_heart_beats_on_during_an_upgrade),
        TEST(a_ping_that_was_not_fetched_moves_with_the_rest),
        TEST(the_end_of_an_engine_is_that_of_its_probe),
        TEST(a_client_that_goes_takes_its_probe_along),
        TEST(probes_are_not_for_nothing),
        TEST(a_payload_is_cut_at_its_separators),
        TEST(an_empty_payload_is_one_bad_part),
        TEST(what_was_counted_can_be_read),
    };
    return RUN(tests);
}
