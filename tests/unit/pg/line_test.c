#include "unit.h"

#include "pg/line.h"

enum { PLACES = 8 };

struct queue {
    struct line line;
    struct place places[PLACES];
};

static int open_queue(void **state)
{
    struct queue *queue = calloc(1, sizeof *queue);
    line_init(&queue->line, 6, 4);
    *state = queue;
    return 0;
}

static int close_queue(void **state)
{
    struct queue *queue = *state;
    while (line_take(&queue->line))
        ;
    free(queue);
    return 0;
}

/* Each letter is a company; the places are given in order. */
static void add(struct queue *queue, const char *companies)
{
    for (int i = 0; companies[i]; i++) {
        const char company[] = {companies[i], '\0'};
        assert_true(line_add(&queue->line, company, &queue->places[i]));
    }
}

static void assert_taken(struct queue *queue, const char *numbers)
{
    for (; *numbers; numbers++)
        assert_ptr_equal(line_take(&queue->line), &queue->places[*numbers - '0']);
}

static void one_company_is_served_in_order(void **state)
{
    add(*state, "aaa");
    assert_taken(*state, "012");
    assert_null(line_take(&((struct queue *)*state)->line));
}

static void companies_take_turns(void **state)
{
    add(*state, "aaabbc");
    assert_taken(*state, "035142");
}

static void who_comes_late_waits_for_one_turn_of_each(void **state)
{
    struct queue *queue = *state;
    add(queue, "aaaa");
    assert_taken(queue, "0");
    assert_true(line_add(&queue->line, "b", &queue->places[4]));
    assert_taken(queue, "1423");
}

static void one_company_has_a_part_only(void **state)
{
    struct queue *queue = *state;
    add(queue, "aaaa");
    assert_false(line_add(&queue->line, "a", &queue->places[4]));
    assert_true(line_add(&queue->line, "b", &queue->places[4]));
    assert_taken(queue, "0");
    assert_true(line_add(&queue->line, "a", &queue->places[0]));
}

static void the_line_has_an_end(void **state)
{
    struct queue *queue = *state;
    add(queue, "aaabbc");
    assert_int_equal(queue->line.count, 6);
    assert_false(line_add(&queue->line, "d", &queue->places[6]));
    assert_null(queue->places[6].asker);
}

static void who_gives_up_takes_no_turn(void **state)
{
    struct queue *queue = *state;
    add(queue, "abab");
    line_remove(&queue->line, &queue->places[0]);
    line_remove(&queue->line, &queue->places[3]);
    assert_int_equal(queue->line.count, 2);
    assert_taken(queue, "21");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_queue, close_queue)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(one_company_is_served_in_order),
        TEST(companies_take_turns),
        TEST(who_comes_late_waits_for_one_turn_of_each),
        TEST(one_company_has_a_part_only),
        TEST(the_line_has_an_end),
        TEST(who_gives_up_takes_no_turn),
    };
    return RUN(tests);
}
