#include "unit.h"

#include "core/outq.h"

/* A frame of `len` bytes whose first byte is `mark`. */
static struct frame *frame_of(size_t len, unsigned char mark)
{
    struct frame *frame = frame_new(len);
    memset(frame->bytes, mark, len);
    return frame;
}

/* Pushes and gives up the reference. */
static bool push(struct outq *q, size_t len, unsigned char mark)
{
    struct frame *frame = frame_of(len, mark);
    bool queued = outq_push(q, frame);
    frame_unref(frame);
    return queued;
}

static void an_empty_queue_has_nothing_to_peek_at(void **state)
{
    (void)state;
    struct outq q;
    outq_init(&q, 100);
    assert_null(outq_peek(&q));
    outq_free(&q);
}

static void frames_come_out_in_the_order_they_went_in(void **state)
{
    (void)state;
    struct outq q;
    outq_init(&q, 1000);
    for (unsigned char i = 0; i < 50; i++)
        assert_true(push(&q, 10, i));
    for (unsigned char i = 0; i < 50; i++) {
        assert_int_equal(outq_peek(&q)->bytes[0], i);
        outq_pop(&q);
    }
    assert_null(outq_peek(&q));
    outq_free(&q);
}

static void the_order_holds_when_the_ring_goes_round_and_grows(void **state)
{
    (void)state;
    struct outq q;
    unsigned char in = 0;
    unsigned char out = 0;
    outq_init(&q, 100000);
    for (int round = 0; round < 200; round++) {
        for (int i = 0; i < 5; i++)
            assert_true(push(&q, 1, in++));
        for (int i = 0; i < (round < 100 ? 3 : 5); i++, outq_pop(&q))
            assert_int_equal(outq_peek(&q)->bytes[0], out++);
    }
    assert_int_equal(q.count, 200);
    outq_free(&q);
}

static void a_frame_fits_the_budget_to_the_byte(void **state)
{
    (void)state;
    struct outq q;
    outq_init(&q, 100);
    assert_true(push(&q, 60, 1));
    assert_false(push(&q, 41, 2));
    assert_int_equal(q.count, 1);
    assert_int_equal(q.used_bytes, 60);
    assert_true(push(&q, 40, 3));
    assert_false(push(&q, 1, 4));
    outq_free(&q);
}

static void popping_gives_the_budget_back(void **state)
{
    (void)state;
    struct outq q;
    outq_init(&q, 100);
    assert_true(push(&q, 100, 1));
    assert_false(push(&q, 100, 2));
    outq_pop(&q);
    assert_int_equal(q.used_bytes, 0);
    assert_true(push(&q, 100, 3));
    outq_free(&q);
}

static void an_empty_queue_takes_a_frame_larger_than_its_budget(void **state)
{
    (void)state;
    struct outq q;
    outq_init(&q, 100);
    assert_true(push(&q, 5000, 1));
    assert_false(push(&q, 1, 2));
    outq_free(&q);
}

static void the_queue_keeps_a_reference_and_drops_it(void **state)
{
    (void)state;
    struct outq q;
    struct frame *frame = frame_of(10, 1);
    outq_init(&q, 15);
    assert_true(outq_push(&q, frame));
    assert_false(outq_push(&q, frame));
    assert_int_equal(frame->refs, 2);
    outq_pop(&q);
    assert_int_equal(frame->refs, 1);
    assert_true(outq_push(&q, frame));
    outq_free(&q);
    assert_int_equal(frame->refs, 1);
    frame_unref(frame);
}

static void a_freed_queue_is_empty_and_usable(void **state)
{
    (void)state;
    struct outq q;
    outq_init(&q, 100);
    assert_true(push(&q, 60, 1));
    outq_free(&q);
    assert_null(outq_peek(&q));
    assert_true(push(&q, 100, 2));
    assert_int_equal(q.budget_bytes, 100);
    outq_free(&q);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_queue_has_nothing_to_peek_at),
        cmocka_unit_test(frames_come_out_in_the_order_they_went_in),
        cmocka_unit_test(the_order_holds_when_the_ring_goes_round_and_grows),
        cmocka_unit_test(a_frame_fits_the_budget_to_the_byte),
        cmocka_unit_test(popping_gives_the_budget_back),
        cmocka_unit_test(an_empty_queue_takes_a_frame_larger_than_its_budget),
        cmocka_unit_test(the_queue_keeps_a_reference_and_drops_it),
        cmocka_unit_test(a_freed_queue_is_empty_and_usable),
    };
    return RUN(tests);
}
