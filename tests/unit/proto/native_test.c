#include "unit.h"

#include "core/world.h"
#include "proto/native.h"

#include <jansson.h>

/* ---- hearing ---- */

static enum native_type type_of(const char *bytes, size_t len)
{
    struct native_message message;
    native_parse(bytes, len, &message);
    native_message_free(&message);
    return message.type;
}

static enum native_type type_of_text(const char *text)
{
    return type_of(text, strlen(text));
}

static void each_message_is_known_by_its_type(void **state)
{
    (void)state;
    assert_int_equal(type_of_text("{\"type\":\"auth\",\"token\":\"t\"}"), NATIVE_AUTH);
    assert_int_equal(type_of_text("{\"type\":\"join\",\"room\":\"a:1\"}"), NATIVE_JOIN);
    assert_int_equal(type_of_text("{\"type\":\"leave\",\"room\":\"a:1\"}"), NATIVE_LEAVE);
    assert_int_equal(type_of_text("{\"type\":\"ping\"}"), NATIVE_PING);
    assert_int_equal(type_of_text("{\"type\":\"Auth\",\"token\":\"t\"}"), NATIVE_UNKNOWN);
    assert_int_equal(type_of_text("{\"type\":\"\"}"), NATIVE_UNKNOWN);
}

static void all_members_of_a_message_are_taken(void **state)
{
    (void)state;
    static const char text[] = " {\"type\":\"auth\",\"token\":\"t\\u00e9\",\"cursor\":\"c\","
                               "\"rooms\":[\"a:1\",\"b:2\"],\"id\":7,\"more\":{\"x\":[1]}} ";
    struct native_message message;
    native_parse(text, strlen(text), &message);
    assert_int_equal(message.type, NATIVE_AUTH);
    assert_string_equal(message.token, "t\xc3\xa9");
    assert_int_equal(message.token_len, 3);
    assert_string_equal(message.cursor, "c");
    assert_int_equal(message.room_count, 2);
    assert_string_equal(message.rooms[1], "b:2");
    assert_int_equal(message.id, 7);
    native_message_free(&message);
}

static void absent_members_are_nothing(void **state)
{
    (void)state;
    struct native_message message;
    native_parse("{\"type\":\"ping\"}", 15, &message);
    assert_null(message.token);
    assert_null(message.cursor);
    assert_null(message.room);
    assert_int_equal(message.room_count, 0);
    assert_int_equal(message.id, -1);
    native_message_free(&message);
}

static void what_is_not_an_object_is_bad(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        " ",
                                        "1",
                                        "null",
                                        "\"auth\"",
                                        "[]",
                                        "[{\"type\":\"ping\"}]",
                                        "{",
                                        "{}",
                                        "{\"type\":1}",
                                        "{\"type\":null}",
                                        "{\"type\":[\"ping\"]}",
                                        "{\"type\":\"ping\"",
                                        "{'type':'ping'}",
                                        "{\"type\":\"ping\"}x",
                                        "{\"type\":\"ping\"}{}",
                                        "{\"type\":\"ping\",}",
                                        "{\"type\":\"ping\",\"type\":\"ping\"}",
                                        "{\"type\":\"ping\",\"a\":1,\"a\":2}",
                                        "{\"type\":\"ping\",\"a\":\"\\u0000\"}",
                                        "{\"type\":\"ping\",\"a\":\"\xff\"}",
                                        "{\"type\":\"ping\",\"a\":\"\xed\xa0\x80\"}",
                                        "{\"type\":\"ping\",\"a\":\"\xc0\xaf\"}",
                                        "{\"type\":\"ping\",\"a\":1e999}"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        if (type_of_text(texts[i]) != NATIVE_BAD)
            print_error("taken: %s\n", texts[i]);
        assert_int_equal(type_of_text(texts[i]), NATIVE_BAD);
    }
    assert_int_equal(type_of("{\"type\":\"ping\"}\0", 16), NATIVE_BAD);
}

static void members_of_the_wrong_kind_are_bad(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"type\":\"auth\"}",
        "{\"type\":\"auth\",\"token\":null}",
        "{\"type\":\"auth\",\"token\":5}",
        "{\"type\":\"auth\",\"token\":\"t\",\"cursor\":null}",
        "{\"type\":\"auth\",\"token\":\"t\",\"rooms\":\"a:1\"}",
        "{\"type\":\"auth\",\"token\":\"t\",\"rooms\":[1]}",
        "{\"type\":\"join\"}",
        "{\"type\":\"join\",\"room\":7}",
        "{\"type\":\"leave\"}",
        "{\"type\":\"join\",\"room\":\"a:1\",\"id\":-1}",
        "{\"type\":\"join\",\"room\":\"a:1\",\"id\":1.5}",
        "{\"type\":\"join\",\"room\":\"a:1\",\"id\":\"1\"}",
        "{\"type\":\"join\",\"room\":\"a:1\",\"id\":null}",
        "{\"type\":\"join\",\"room\":\"a:1\",\"id\":9223372036854775808}"};
    for (size_t i = 0; i < COUNT(texts); i++)
        assert_int_equal(type_of_text(texts[i]), NATIVE_BAD);
}

/* {"type":"auth",…,"rooms":["a:1" as often as said]} */
static enum native_type type_with_rooms(unsigned count)
{
    struct buf text;
    buf_init(&text, 10000);
    buf_str(&text, "{\"type\":\"auth\",\"token\":\"t\",\"rooms\":[");
    for (unsigned i = 0; i < count; i++)
        buf_str(&text, i ? ",\"a:1\"" : "\"a:1\"");
    buf_str(&text, "]}");
    enum native_type type = type_of(text.bytes, text.len);
    buf_free(&text);
    return type;
}

static void rooms_have_a_limit(void **state)
{
    (void)state;
    assert_int_equal(type_with_rooms(0), NATIVE_AUTH);
    assert_int_equal(type_with_rooms(NATIVE_ROOMS_MAX), NATIVE_AUTH);
    assert_int_equal(type_with_rooms(NATIVE_ROOMS_MAX + 1), NATIVE_BAD);
}

static void deep_nesting_is_bad_and_no_stack_is_lost(void **state)
{
    (void)state;
    enum { DEEP = 100000 };
    char *text = mem_new(DEEP + 1);
    memset(text, '[', DEEP);
    assert_int_equal(type_of(text, DEEP), NATIVE_BAD);
    free(text);
}

static void an_unknown_type_keeps_an_id_that_can_be_answered(void **state)
{
    (void)state;
    struct native_message message;
    native_parse("{\"type\":\"dance\",\"id\":4}", 23, &message);
    assert_int_equal(message.type, NATIVE_UNKNOWN);
    assert_int_equal(message.id, 4);
    native_message_free(&message);
    native_parse("{\"type\":\"dance\",\"id\":\"x\"}", 25, &message);
    assert_int_equal(message.type, NATIVE_UNKNOWN);
    assert_int_equal(message.id, -1);
    native_message_free(&message);
}

/* ---- saying ---- */

/* The text of a frame, after its header; freed by the caller, as the frame is. */
static char *text_of(struct frame *frame)
{
    size_t head = frame->bytes[1] == 126 ? 4 : frame->bytes[1] == 127 ? 10 : 2;
    assert_int_equal(frame->bytes[0], 0x81);
    char *text = mem_dup((const char *)frame->bytes + head, frame->len - head);
    frame_unref(frame);
    return text;
}

static void assert_says(struct frame *frame, const char *want)
{
    char *text = text_of(frame);
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(json);
    assert_string_equal(text, want);
    json_decref(json);
    free(text);
}

static void each_message_says_what_the_protocol_says(void **state)
{
    (void)state;
    const struct protocol *p = &native_protocol;
    assert_says(p->gap(GAP_RETENTION, "cur"),
                "{\"type\":\"gap\",\"reason\":\"retention\",\"cursor\":\"cur\"}");
    assert_says(p->heartbeat("cur"), "{\"type\":\"heartbeat\",\"cursor\":\"cur\"}");
    assert_says(p->expiring(60), "{\"type\":\"expiring\",\"in\":60}");
    assert_says(p->renewed(900), "{\"type\":\"renewed\",\"expires_in\":900}");
    assert_says(p->joined("a:1", 7, "cur"),
                "{\"type\":\"joined\",\"room\":\"a:1\",\"id\":7,\"cursor\":\"cur\"}");
    assert_says(p->joined("a:1", -1, "cur"),
                "{\"type\":\"joined\",\"room\":\"a:1\",\"cursor\":\"cur\"}");
    assert_says(p->left("a:1", 0), "{\"type\":\"left\",\"room\":\"a:1\",\"id\":0}");
    assert_says(p->left("a:1", -1), "{\"type\":\"left\",\"room\":\"a:1\"}");
    assert_says(p->error("forbidden", 3), "{\"type\":\"error\",\"code\":\"forbidden\",\"id\":3}");
    assert_says(p->drain(1830), "{\"type\":\"drain\",\"retry_after_ms\":1830}");
}

static void names_are_escaped(void **state)
{
    (void)state;
    assert_says(native_protocol.left("a:\"},{\\", -1),
                "{\"type\":\"left\",\"room\":\"a:\\\"},{\\\\\"}");
}

static void the_payload_is_spliced_as_it_came(void **state)
{
    (void)state;
    const struct event_row row = {5,
                                  "acme",
                                  "vigie_devis",
                                  "d:s",
                                  "a:1\nb:\"",
                                  "{\"z\":1.50,\"a\":{\"z\":null}}",
                                  "2026-11-21T06:12:07.123456Z"};
    struct event *event = event_new(&row, NULL);
    assert_says(native_protocol.event(event, event->rooms[1], "cur"),
                "{\"type\":\"event\",\"event\":\"d:s\",\"room\":\"b:\\\"\",\"cursor\":\"cur\","
                "\"at\":\"2026-11-21T06:12:07.123456Z\","
                "\"data\":{\"z\":1.50,\"a\":{\"z\":null}}}");
    event_unref(event);
}

static void fill(char *text, size_t len, char byte)
{
    memset(text, byte, len);
    text[len] = '\0';
}

static void the_largest_event_fits_a_frame(void **state)
{
    (void)state;
    static char payload[EVENT_PAYLOAD_BYTES_MAX + 1];
    char name[EVENT_NAME_BYTES_MAX + 1];
    char room[EVENT_ROOM_BYTES_MAX + 1];
    char at[EVENT_AT_BYTES_MAX + 1];
    fill(payload, EVENT_PAYLOAD_BYTES_MAX, 'x');
    payload[0] = payload[EVENT_PAYLOAD_BYTES_MAX - 1] = '"';
    fill(name, EVENT_NAME_BYTES_MAX, '"');
    fill(room, EVENT_ROOM_BYTES_MAX, '\\');
    fill(at, EVENT_AT_BYTES_MAX, '"');
    const struct event_row row = {5, "acme", "vigie_devis", name, room, payload, at};
    struct event *event = event_new(&row, NULL);
    char *text = text_of(native_protocol.event(event, event->rooms[0], "cur"));
    json_t *json = json_loads(text, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(json, "room")), room);
    json_decref(json);
    free(text);
    event_unref(event);
}

static void a_ping_is_one_of_the_transport(void **state)
{
    (void)state;
    struct frame *frame = native_protocol.ping();
    assert_int_equal(frame->bytes[0], 0x89);
    frame_unref(frame);
}

/* ---- both ---- */

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

static void says(struct client *client, const char *text)
{
    native_receive(client->session, text, strlen(text));
    world_turn(client->world);
}

static struct client *native_client(struct world *world)
{
    return client_speaking(world, &native_protocol);
}

static void a_client_comes_in_with_its_first_message(void **state)
{
    struct client *client = native_client(*state);
    says(client, "{\"type\":\"auth\",\"token\":\"acme|u7|chef\"}");
    json_t *json = json_loads(client_last(client), 0, NULL);
    assert_string_equal(json_string_value(json_object_get(json, "type")), "ready");
    assert_string_equal(json_string_value(json_object_get(json, "company")), "acme");
    assert_string_equal(json_string_value(json_object_get(json, "user")), "u7");
    assert_int_equal(strlen(json_string_value(json_object_get(json, "session"))), 16);
    assert_int_equal(json_array_size(json_object_get(json, "rooms")), 3);
    assert_false(json_boolean_value(json_object_get(json, "resumed")));
    assert_int_equal(json_integer_value(json_object_get(json, "expires_in")), 900);
    assert_int_equal(json_integer_value(json_object_get(json, "heartbeat")), 25);
    json_decref(json);
}

static void anything_before_the_token_ends_it(void **state)
{
    static const char *const texts[] = {"{\"type\":\"ping\"}", "{\"type\":\"dance\"}",
                                        "{\"type\":\"join\",\"room\":\"a:1\"}",
                                        "{\"type\":\"leave\",\"room\":\"a:1\"}"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct client *client = native_client(*state);
        says(client, texts[i]);
        assert_int_equal(client->reason, CLOSE_UNAUTHORIZED);
        assert_int_equal(client->count, 0);
    }
    struct client *client = native_client(*state);
    says(client, "hello");
    assert_int_equal(client->reason, CLOSE_BAD_REQUEST);
}

static void an_unknown_type_is_answered_with_its_id(void **state)
{
    struct client *client = native_client(*state);
    says(client, "{\"type\":\"auth\",\"token\":\"acme|u7\"}");
    says(client, "{\"type\":\"dance\",\"id\":4}");
    assert_string_equal(client_last(client),
                        "{\"type\":\"error\",\"code\":\"unknown_type\",\"id\":4}");
    assert_false(client->closed);
    says(client, "{\"type\":\"ping\"}");
    assert_int_equal(client->count, 2);
}

static void an_unknown_type_before_ready_is_not_answered_first(void **state)
{
    struct client *client = native_client(*state);
    says(client, "{\"type\":\"auth\",\"token\":\"acme|u7\",\"rooms\":[\"conversation:9\"]}");
    says(client, "{\"type\":\"dance\",\"id\":4}");
    assert_int_equal(client->count, 0);
    assert_int_equal(client->reason, CLOSE_BAD_REQUEST);
}

static void a_room_is_joined_and_left(void **state)
{
    struct client *client = native_client(*state);
    says(client, "{\"type\":\"auth\",\"token\":\"acme|u7\"}");
    says(client, "{\"type\":\"join\",\"room\":\"conversation:9\",\"id\":1}");
    world_allow(*state, true);
    world_publish(*state, "acme", "conversation:9", "{\"id\":7}");
    world_turn(*state);
    assert_non_null(strstr(client_last(client), "\"data\":{\"id\":7}}"));
    says(client, "{\"type\":\"leave\",\"room\":\"conversation:9\",\"id\":2}");
    assert_string_equal(client_last(client),
                        "{\"type\":\"left\",\"room\":\"conversation:9\",\"id\":2}");
}

static void one_that_talks_too_much_ends(void **state)
{
    struct client *client = native_client(*state);
    says(client, "{\"type\":\"auth\",\"token\":\"acme|u7\"}");
    for (int i = 0; i < 40 && !client->closed; i++)
        says(client, "{\"type\":\"ping\"}");
    assert_int_equal(client->reason, CLOSE_RATE_LIMITED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
    log_setup(LOG_ERROR, LOG_LOGFMT);
    static const struct CMUnitTest tests[] = {
        TEST(each_message_is_known_by_its_type),
        TEST(all_members_of_a_message_are_taken),
        TEST(absent_members_are_nothing),
        TEST(what_is_not_an_object_is_bad),
        TEST(members_of_the_wrong_kind_are_bad),
        TEST(rooms_have_a_limit),
        TEST(deep_nesting_is_bad_and_no_stack_is_lost),
        TEST(an_unknown_type_keeps_an_id_that_can_be_answered),
        TEST(each_message_says_what_the_protocol_says),
        TEST(names_are_escaped),
        TEST(the_payload_is_spliced_as_it_came),
        TEST(the_largest_event_fits_a_frame),
        TEST(a_ping_is_one_of_the_transport),
        TEST(a_client_comes_in_with_its_first_message),
        TEST(anything_before_the_token_ends_it),
        TEST(an_unknown_type_is_answered_with_its_id),
        TEST(an_unknown_type_before_ready_is_not_answered_first),
        TEST(a_room_is_joined_and_left),
        TEST(one_that_talks_too_much_ends),
    };
    return RUN(tests);
}
