#include "unit.h"

#include "proto/socketio.h"

#include <jansson.h>

static enum socketio_type type_of_bytes(const char *text, size_t len)
{
    struct socketio_packet packet;
    socketio_parse(text, len, &packet);
    socketio_packet_free(&packet);
    return packet.type;
}

static enum socketio_type type_of(const char *text)
{
    return type_of_bytes(text, strlen(text));
}

static void assert_packet(const char *text, enum socketio_type type, unsigned attachments,
                          const char *nsp, int64_t id, const char *json)
{
    struct socketio_packet packet;
    socketio_parse(text, strlen(text), &packet);
    assert_int_equal(packet.type, type);
    assert_int_equal(packet.attachments, attachments);
    assert_string_equal(packet.nsp, nsp);
    assert_int_equal(packet.id, id);
    char *got = packet.json ? json_dumps(packet.json, JSON_COMPACT) : NULL;
    if (json)
        assert_string_equal(got, json);
    else
        assert_null(got);
    free(got);
    socketio_packet_free(&packet);
}

static void every_part_of_a_packet_is_taken(void **state)
{
    (void)state;
    assert_packet("0", SOCKETIO_CONNECT, 0, "/", -1, NULL);
    assert_packet("0{\"token\":\"T\"}", SOCKETIO_CONNECT, 0, "/", -1, "{\"token\":\"T\"}");
    assert_packet("0/messaging", SOCKETIO_CONNECT, 0, "/messaging", -1, NULL);
    assert_packet("0/messaging,", SOCKETIO_CONNECT, 0, "/messaging", -1, NULL);
    assert_packet("0/m,{\"a\":1}", SOCKETIO_CONNECT, 0, "/m", -1, "{\"a\":1}");
    assert_packet("1", SOCKETIO_DISCONNECT, 0, "/", -1, NULL);
    assert_packet("1/m,", SOCKETIO_DISCONNECT, 0, "/m", -1, NULL);
    assert_packet("2[\"a\"]", SOCKETIO_EVENT, 0, "/", -1, "[\"a\"]");
    assert_packet("20[\"a\",\"x\"]", SOCKETIO_EVENT, 0, "/", 0, "[\"a\",\"x\"]");
    assert_packet("2/m,17[\"m\",1]", SOCKETIO_EVENT, 0, "/m", 17, "[\"m\",1]");
    assert_packet("3/m,17[]", SOCKETIO_ACK, 0, "/m", 17, "[]");
    assert_packet("52-789[\"a\",{\"_placeholder\":true,\"num\":0}]", SOCKETIO_BINARY_EVENT, 2, "/",
                  789, "[\"a\",{\"_placeholder\":true,\"num\":0}]");
    assert_packet("610-/m,3[]", SOCKETIO_BINARY_ACK, 10, "/m", 3, "[]");
}

static void a_namespace_is_cut_before_its_query(void **state)
{
    (void)state;
    assert_packet("0/m?token=x,{}", SOCKETIO_CONNECT, 0, "/m", -1, "{}");
    assert_packet("0/m?a", SOCKETIO_CONNECT, 0, "/m", -1, NULL);
    assert_packet("0/?a,{}", SOCKETIO_CONNECT, 0, "/", -1, "{}");
}

static void a_namespace_is_short_and_printable(void **state)
{
    (void)state;
    char text[128];
    snprintf(text, sizeof text, "0/%063d", 0);
    assert_int_equal(type_of(text), SOCKETIO_CONNECT);
    snprintf(text, sizeof text, "0/%064d", 0);
    assert_int_equal(type_of(text), SOCKETIO_BAD);
    assert_int_equal(type_of("0/a b,"), SOCKETIO_BAD);
    assert_int_equal(type_of("0/a\x7f,"), SOCKETIO_BAD);
    assert_int_equal(type_of("0/\xc3\xa9,"), SOCKETIO_BAD);
    assert_int_equal(type_of_bytes("0/a\0,", 5), SOCKETIO_BAD);
}

static void what_breaks_a_rule_is_bad(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "7",
        "a",
        "9[\"a\"]",
        " 2[\"a\"]",
        "abc",
        "2",
        "2{}",
        "2[]",
        "2[null]",
        "2[{}]",
        "2[\"a\"",
        "2[\"a\"]x",
        "2abc[\"a\"]",
        "2-1[\"a\"]",
        "2\"a\"",
        "2[\"a\",01]",
        "2[[\"a\"]]",
        "0[]",
        "0\"a\"",
        "0null",
        "0{\"a\":1,\"a\":2}",
        "05{}",
        "0{",
        "1{}",
        "15",
        "1[]",
        "1/m,[]",
        "3[]",
        "30",
        "30{}",
        "3a[]",
        "5[\"a\"]",
        "5-[\"a\"]",
        "511-[\"a\"]",
        "5100-[\"a\"]",
        "51[\"a\"]",
        "51",
        "5-1-[\"a\"]",
        "6-1[]",
        "61-[]",
        "2\x01",
    };
    for (size_t i = 0; i < COUNT(texts); i++)
        if (type_of(texts[i]) != SOCKETIO_BAD)
            fail_msg("taken: %s", texts[i]);
}

static void a_reserved_name_is_no_event(void **state)
{
    (void)state;
    static const char *const names[] = {"connect",       "connect_error", "disconnect",
                                        "disconnecting", "newListener",   "removeListener"};
    char text[64];
    for (size_t i = 0; i < COUNT(names); i++) {
        assert_true(socketio_is_reserved(names[i]));
        snprintf(text, sizeof text, "2[\"%s\"]", names[i]);
        assert_int_equal(type_of(text), SOCKETIO_BAD);
        snprintf(text, sizeof text, "50-[\"%s\"]", names[i]);
        assert_int_equal(type_of(text), SOCKETIO_BAD);
    }
    assert_false(socketio_is_reserved("Connect"));
    assert_int_equal(type_of("2[\"connected\"]"), SOCKETIO_EVENT);
    assert_int_equal(type_of("2[\"\"]"), SOCKETIO_EVENT);
}

static void a_number_may_be_a_name(void **state)
{
    (void)state;
    assert_int_equal(type_of("2[5,\"a\"]"), SOCKETIO_EVENT);
    assert_int_equal(type_of("2[5.5]"), SOCKETIO_EVENT);
    assert_int_equal(type_of("2[true]"), SOCKETIO_BAD);
}

static void ids_are_what_a_number_holds_exactly(void **state)
{
    (void)state;
    assert_packet("2999999999999999[\"a\"]", SOCKETIO_EVENT, 0, "/", 999999999999999, "[\"a\"]");
    assert_int_equal(type_of("21000000000000000[\"a\"]"), SOCKETIO_BAD);
    assert_packet("2007[\"a\"]", SOCKETIO_EVENT, 0, "/", 7, "[\"a\"]");
}

/* JSON.stringify(1e20) is 100000000000000000000. */
static void large_numbers_are_no_mistake(void **state)
{
    (void)state;
    assert_int_equal(type_of("2[\"a\",100000000000000000000]"), SOCKETIO_EVENT);
    assert_int_equal(type_of("2[\"a\",1e400]"), SOCKETIO_BAD);
    assert_packet("2[\"a\",1]", SOCKETIO_EVENT, 0, "/", -1, "[\"a\",1]");
}

static void depth_is_bounded(void **state)
{
    (void)state;
    char text[8192] = "2[\"a\",";
    size_t len = strlen(text);
    memset(text + len, '[', 3000);
    memset(text + len + 3000, ']', 3001);
    assert_int_equal(type_of_bytes(text, len + 6001), SOCKETIO_BAD);
}

static void a_packet_may_end_anywhere(void **state)
{
    (void)state;
    static const char text[] = "52-/messaging?x=1,789[\"a\",{\"_placeholder\":true,\"num\":0}]";
    for (size_t len = 0; len < sizeof text - 1; len++) {
        char *copy = malloc(len ? len : 1); /* of exactly that size, for ASan */
        memcpy(copy, text, len);
        assert_int_equal(type_of_bytes(copy, len), SOCKETIO_BAD);
        free(copy);
    }
}

static void what_a_client_says_of_errors_is_known_as_such(void **state)
{
    (void)state;
    assert_int_equal(type_of("4{\"message\":\"a\"}"), SOCKETIO_CONNECT_ERROR);
    assert_int_equal(type_of("4\"a\""), SOCKETIO_CONNECT_ERROR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_part_of_a_packet_is_taken),
        cmocka_unit_test(a_namespace_is_cut_before_its_query),
        cmocka_unit_test(a_namespace_is_short_and_printable),
        cmocka_unit_test(what_breaks_a_rule_is_bad),
        cmocka_unit_test(a_reserved_name_is_no_event),
        cmocka_unit_test(a_number_may_be_a_name),
        cmocka_unit_test(ids_are_what_a_number_holds_exactly),
        cmocka_unit_test(large_numbers_are_no_mistake),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(a_packet_may_end_anywhere),
        cmocka_unit_test(what_a_client_says_of_errors_is_known_as_such),
    };
    return RUN(tests);
}
