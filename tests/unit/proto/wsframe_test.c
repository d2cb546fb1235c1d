#include "unit.h"

#include "proto/wsframe.h"

static unsigned char payload[70000];

/* The frame of `len` bytes has this header, and the payload after it. */
static void assert_framed(size_t len, const unsigned char *header, size_t header_len)
{
    struct frame *frame = wsframe_new(WSFRAME_TEXT, payload, len);
    assert_int_equal(frame->len, header_len + len);
    assert_memory_equal(frame->bytes, header, header_len);
    if (len)
        assert_memory_equal(frame->bytes + header_len, payload, len);
    assert_int_equal(frame->refs, 1);
    assert_null(frame->company);
    frame_unref(frame);
}

#define FRAMED(len, ...)                                                                           \
    assert_framed(len, (const unsigned char[]){__VA_ARGS__},                                       \
                  sizeof((const unsigned char[]){__VA_ARGS__}))

static int fill(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof payload; i++)
        payload[i] = (unsigned char)(i * 7);
    return 0;
}

static void a_short_length_is_in_the_second_byte(void **state)
{
    (void)state;
    FRAMED(0, 0x81, 0);
    FRAMED(1, 0x81, 1);
    FRAMED(125, 0x81, 125);
}

static void a_middle_length_has_two_bytes_more(void **state)
{
    (void)state;
    FRAMED(126, 0x81, 126, 0, 126);
    FRAMED(255, 0x81, 126, 0, 255);
    FRAMED(256, 0x81, 126, 1, 0);
    FRAMED(65535, 0x81, 126, 0xff, 0xff);
}

static void a_long_length_has_eight_bytes_more(void **state)
{
    (void)state;
    FRAMED(65536, 0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0);
    FRAMED(70000, 0x81, 127, 0, 0, 0, 0, 0, 1, 0x11, 0x70);
}

static void a_ping_is_final_unmasked_and_may_be_empty(void **state)
{
    (void)state;
    struct frame *frame = wsframe_new(WSFRAME_PING, NULL, 0);
    assert_int_equal(frame->len, 2);
    assert_int_equal(frame->bytes[0], 0x89);
    assert_int_equal(frame->bytes[1], 0);
    frame_unref(frame);
}

static void what_a_frame_carries_lies_behind_its_header(void **state)
{
    (void)state;
    static const size_t lens[] = {0, 1, 125, 126, 65535, 65536, 70000};
    for (size_t i = 0; i < COUNT(lens); i++) {
        size_t len = 1;
        struct frame *frame = wsframe_new(WSFRAME_TEXT, payload, lens[i]);
        const void *carried = wsframe_payload(frame, &len);
        assert_int_equal(len, lens[i]);
        if (len)
            assert_memory_equal(carried, payload, len);
        frame_unref(frame);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_short_length_is_in_the_second_byte),
        cmocka_unit_test(a_middle_length_has_two_bytes_more),
        cmocka_unit_test(a_long_length_has_eight_bytes_more),
        cmocka_unit_test(a_ping_is_final_unmasked_and_may_be_empty),
        cmocka_unit_test(what_a_frame_carries_lies_behind_its_header),
    };
    return cmocka_run_group_tests(tests, fill, NULL);
}
