/* The whole of it, from requests and sockets down to the hub: socketio.c on the real engine. */
#include "unit.h"

#include "core/world.h"
#include "proto/door.h"
#include "proto/socketio.h"

static struct world world;
static struct door door; /* its engines speak to `upper` */
static struct socketio *upper;

static int set_up(void **state)
{
    (void)state;
    log_setup(LOG_ERROR, LOG_LOGFMT);
    char *messages =
        mem_strdup("/messages"); /* gone afterwards, as the configuration's are after a reload */
    world_open(&world);
    door_open(&door);
    engines_free(door.engines);
    metrics_free(door.metrics);
    door.metrics = metrics_new();
    upper = socketio_new(&(struct socketio_options){.hub = world.hub,
                                                    .namespaces = (const char *const[]){messages},
                                                    .namespace_count = 1,
                                                    .max_payload_bytes = 1000000,
                                                    .metrics = door.metrics});
    free(messages);
    door.options.metrics = door.metrics;
    door.options.upper = &socketio_upper;
    door.options.upper_arg = upper;
    door.options.mono_ms = world_mono;
    door.engines = engines_new(&door.options);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    engines_free(door.engines);
    door.engines = NULL;
    socketio_free(upper);
    world_close(&world);
    door_close(&door);
    return 0;
}

/* The end of a turn, as the program has it. */
static void turn(void)
{
    while (hub_flush(world.hub, 100))
        ;
    socketio_settle(upper);
    hub_reap(world.hub);
}

static void publish(const char *payload)
{
    world_publish(&world, "acme", "company:acme", payload);
    turn();
}

static void hears(struct wire *wire, const char *text)
{
    wire_hear(wire, text);
    turn();
}

static void posts(const char *sid, const char *body, unsigned status)
{
    struct ask *ask = door_post(&door, sid, body);
    turn();
    assert_int_equal(ask->status, status);
}

/* What a GET brings: now, or when something comes. */
static const char *gets(const char *sid)
{
    struct ask *ask = door_get(&door, sid);
    turn();
    return ask->status == 200 ? ask->body : "(waits)";
}

static void assert_begins(const char *text, const char *begin)
{
    if (strncmp(text, begin, strlen(begin)) != 0)
        fail_msg("%s does not begin with %s", text, begin);
}

/* The value of a member, out of a packet. */
static const char *member(const char *text, const char *name)
{
    static char value[128];
    char key[32];
    snprintf(key, sizeof key, "\"%s\":\"", name);
    const char *at = strstr(text, key);
    assert_non_null(at);
    snprintf(value, sizeof value, "%.*s", (int)strcspn(at + strlen(key), "\""), at + strlen(key));
    return value;
}

static void by_websocket_everything_is_said(void **state)
{
    (void)state;
    struct wire *wire = door_wire(&door, NULL);
    size_t open = strlen(wire_said(wire));
    hears(wire, "40{\"token\":\"acme|u1\"}");
    hears(wire, "40/messages,{\"token\":\"acme|u1\"}");
    hears(wire, "40/nope");
    publish("{\"id\":7}");
    const char *said = wire_said(wire) + open;
    assert_begins(said, "44/nope,{\"message\":\"Invalid namespace\"}|40{\"sid\":\"");
    assert_non_null(strstr(said, "|40/messages,{\"sid\":\""));
    assert_non_null(strstr(said, "|42[\"devis:made\",{\"id\":7},\""));
    assert_non_null(strstr(said, "|42/messages,[\"devis:made\",{\"id\":7},\""));
}

static void by_polling_everything_is_said(void **state)
{
    (void)state;
    const char *sid = door_shake(&door);
    posts(sid, "40{\"token\":\"acme|u1\"}", 200);
    assert_begins(gets(sid), "40{\"sid\":\"");
    struct ask *held = door_get(&door, sid);
    turn();
    assert_int_equal(held->status, 0);
    publish("{\"id\":7}");
    assert_int_equal(held->status, 200);
    assert_begins(held->body, "42[\"devis:made\",{\"id\":7},\"");
    publish("1");
    publish("2");
    const char *both = gets(sid);
    assert_begins(both, "42[\"devis:made\",1,\"");
    assert_non_null(strstr(both, "\x1e"
                                 "42[\"devis:made\",2,\""));
    posts(sid,
          "420[\"typing\"]\x1e"
          "421[\"typing\"]",
          200);
    assert_string_equal(gets(sid), "430[{\"error\":{\"code\":\"unsupported\"}}]\x1e"
                                   "431[{\"error\":{\"code\":\"unsupported\"}}]");
}

static void an_upgrade_loses_nothing_and_says_nothing_twice(void **state)
{
    (void)state;
    const char *sid = door_shake(&door);
    posts(sid, "40{\"token\":\"acme|u1\"}", 200);
    gets(sid);
    struct wire *wire = door_wire(&door, sid);
    hears(wire, "2probe");
    publish("1");
    assert_begins(gets(sid), "42[\"devis:made\",1,\"");
    publish("2");
    hears(wire, "5");
    publish("3");
    assert_begins(wire_said(wire), "3probe|42[\"devis:made\",2,\"");
    assert_non_null(strstr(wire_said(wire), "|42[\"devis:made\",3,\""));
    assert_null(strstr(wire_said(wire), "made\",1"));
}

static void a_lost_connection_recovers_on_another_transport(void **state)
{
    (void)state;
    char text[256];
    const char *sid = door_shake(&door);
    posts(sid, "40{\"token\":\"acme|u1\"}", 200);
    snprintf(text, sizeof text, "40{\"pid\":\"%s\",\"token\":\"acme|u1\"}",
             member(gets(sid), "pid"));
    engine_http_gone(&door_get(&door, sid)->http);
    turn();
    assert_int_equal(world.hub->session_count, 0);
    publish("1");
    struct wire *wire = door_wire(&door, NULL);
    hears(wire, text);
    assert_non_null(strstr(text, member(strstr(wire_said(wire), "|40{"), "pid")));
    assert_non_null(strstr(wire_said(wire), "|42[\"devis:made\",1,\""));
}

static void the_end_of_a_session_is_the_end_of_its_socket(void **state)
{
    (void)state;
    struct wire *wire = door_wire(&door, NULL);
    hears(wire, "40{\"token\":\"acme|u1\"}");
    wire_said(wire);
    hub_close_all(world.hub, CLOSE_RESTART);
    turn();
    assert_true(wire->hung);
    assert_int_equal(wire->reason, CLOSE_RESTART);
}

static void by_polling_the_end_is_a_1(void **state)
{
    (void)state;
    const char *sid = door_shake(&door);
    posts(sid, "40{\"token\":\"acme|u1\"}", 200);
    gets(sid);
    struct ask *held = door_get(&door, sid);
    hub_close_all(world.hub, CLOSE_TOKEN_EXPIRED);
    turn();
    assert_string_equal(held->body, "1");
}

static void what_breaks_the_protocol_ends_the_engine(void **state)
{
    (void)state;
    static const char *const texts[] = {"4abc", "42{}", "42[\"a\"]",
                                        "4",    "44{}", "42[\"connect\"]"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct wire *wire = door_wire(&door, NULL);
        hears(wire, "40{\"token\":\"acme|u1\"}");
        hears(wire, i == 2 ? "42/messages,[\"a\"]" : texts[i]);
        assert_true(wire->hung);
        const char *sid = door_shake(&door);
        door_post(&door, sid, texts[i]);
        turn();
        assert_int_equal(door_get(&door, sid)->status, 400);
    }
    assert_int_equal(world.hub->session_count, 0);
}

static void who_never_shows_a_token_is_sent_away(void **state)
{
    (void)state;
    struct wire *known = door_wire(&door, NULL);
    struct wire *unknown = door_wire(&door, NULL);
    hears(known, "40{\"token\":\"acme|u1\"}");
    hears(unknown, "40{\"token\":\"nobody\"}");
    for (int i = 0; i < 460; i++) {
        world_pass(100);
        engines_tick(door.engines);
        if (strstr(wire_said(known), "|2|")) {
            buf_clear(&known->said);
            hears(known, "3");
        }
        if (!unknown->hung && strstr(wire_said(unknown), "|2|")) {
            buf_clear(&unknown->said);
            hears(unknown, "3");
        }
    }
    assert_false(known->hung);
    assert_true(unknown->hung);
    assert_int_equal(unknown->reason, CLOSE_AUTH_TIMEOUT);
}

static void attachments_come_by_either_transport(void **state)
{
    (void)state;
    const char *sid = door_shake(&door);
    posts(sid, "40{\"token\":\"acme|u1\"}", 200);
    gets(sid);
    posts(sid,
          "451-7[\"up\",{\"_placeholder\":true,\"num\":0}]\x1e"
          "bAQID",
          200);
    assert_string_equal(gets(sid), "437[{\"error\":{\"code\":\"unsupported\"}}]");
    struct wire *wire = door_wire(&door, NULL);
    hears(wire, "40{\"token\":\"acme|u1\"}");
    wire_said(wire); /* nothing may be said before that was read */
    hears(wire, "451-8[\"up\"]");
    engine_socket_binary(&wire->socket, "x", 1);
    turn();
    assert_non_null(strstr(wire_said(wire), "|438[{\"error\""));
}

static void a_half_open_connection_is_hung_up(void **state)
{
    (void)state;
    char text[256];
    struct wire *old = door_wire(&door, NULL);
    hears(old, "40{\"token\":\"acme|u1\"}");
    snprintf(text, sizeof text, "40{\"pid\":\"%s\",\"token\":\"acme|u1\"}",
             member(strstr(wire_said(old), "|40{"), "pid"));
    struct wire *wire = door_wire(&door, NULL);
    hears(wire, text);
    assert_true(old->hung);
    assert_non_null(strstr(text, member(strstr(wire_said(wire), "|40{"), "pid")));
    assert_int_equal(world.hub->session_count, 1);
    assert_int_equal(engines_count(door.engines), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(by_websocket_everything_is_said),
        TEST(by_polling_everything_is_said),
        TEST(an_upgrade_loses_nothing_and_says_nothing_twice),
        TEST(a_lost_connection_recovers_on_another_transport),
        TEST(the_end_of_a_session_is_the_end_of_its_socket),
        TEST(by_polling_the_end_is_a_1),
        TEST(what_breaks_the_protocol_ends_the_engine),
        TEST(who_never_shows_a_token_is_sent_away),
        TEST(attachments_come_by_either_transport),
        TEST(a_half_open_connection_is_hung_up),
    };
    return RUN(tests);
}
