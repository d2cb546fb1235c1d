#include "unit.h"

#include "core/session.h"

/* Seats are all that rooms know of a session. */
static struct session *sitting_in(struct company *company)
{
    struct session *session = mem_new(sizeof *session);
    session->company = company;
    company->session_count++;
    return session;
}

static void stand_up(struct company **companies, struct session *session)
{
    while (session->seat_count)
        room_leave(session, 0);
    session->company->session_count--;
    company_release(companies, session->company);
    free(session->seats);
    free(session);
}

/* Each seat is known from both sides. */
static void assert_seated(const struct session *session)
{
    for (unsigned i = 0; i < session->seat_count; i++) {
        const struct seat *seat = &session->seats[i];
        assert_true(seat->index < seat->room->count);
        assert_ptr_equal(seat->room->members[seat->index], session);
        assert_ptr_equal(seat->room->company, session->company);
    }
}

static void a_company_is_found_by_its_exact_name(void **state)
{
    (void)state;
    struct company *companies = NULL;
    struct company *acme = company_get(&companies, "acme");
    assert_ptr_equal(company_get(&companies, "acme"), acme);
    assert_null(company_find(companies, "acm"));
    assert_null(company_find(companies, "acme "));
    assert_null(company_find(companies, ""));
    company_release(&companies, acme);
    assert_null(companies);
}

static void a_room_lives_inside_its_company(void **state)
{
    (void)state;
    struct company *companies = NULL;
    struct session *ours = sitting_in(company_get(&companies, "acme"));
    struct session *theirs = sitting_in(company_get(&companies, "rival"));
    room_join(ours->company, "a:1", ours);
    assert_null(room_find(theirs->company, "a:1"));
    room_join(theirs->company, "a:1", theirs);
    assert_ptr_not_equal(room_find(ours->company, "a:1"), room_find(theirs->company, "a:1"));
    assert_int_equal(room_find(ours->company, "a:1")->count, 1);
    stand_up(&companies, ours);
    assert_null(company_find(companies, "acme"));
    assert_int_equal(room_find(theirs->company, "a:1")->count, 1);
    stand_up(&companies, theirs);
}

static void an_empty_room_does_not_exist(void **state)
{
    (void)state;
    struct company *companies = NULL;
    struct session *session = sitting_in(company_get(&companies, "acme"));
    room_join(session->company, "a:1", session);
    room_leave(session, 0);
    assert_null(room_find(session->company, "a:1"));
    assert_int_equal(session->seat_count, 0);
    stand_up(&companies, session);
}

static void a_company_is_released_only_when_nobody_needs_it(void **state)
{
    (void)state;
    struct company *companies = NULL;
    struct company *acme = company_get(&companies, "acme");
    acme->session_count = 1;
    company_release(&companies, acme);
    assert_ptr_equal(company_find(companies, "acme"), acme);
    acme->session_count = 0;
    acme->event_count = 1;
    company_release(&companies, acme);
    assert_ptr_equal(company_find(companies, "acme"), acme);
    acme->event_count = 0;
    company_release(&companies, acme);
    assert_null(companies);
}

enum { SESSIONS = 20, ROOMS = 12 };

static int seat_in(const struct session *session, const char *name)
{
    for (unsigned i = 0; i < session->seat_count; i++)
        if (strcmp(session->seats[i].room->name, name) == 0)
            return (int)i;
    return -1;
}

static void step(struct session **sessions, bool model[SESSIONS][ROOMS])
{
    int s = rand() % SESSIONS;
    int r = rand() % ROOMS;
    char name[16];
    snprintf(name, sizeof name, "a:%d", r);
    if (model[s][r])
        room_leave(sessions[s], (unsigned)seat_in(sessions[s], name));
    else
        room_join(sessions[s]->company, name, sessions[s]);
    model[s][r] = !model[s][r];
}

static void assert_as_the_model(struct session **sessions, bool model[SESSIONS][ROOMS])
{
    for (int s = 0; s < SESSIONS; s++) {
        unsigned count = 0;
        assert_seated(sessions[s]);
        for (int r = 0; r < ROOMS; r++) {
            char name[16];
            snprintf(name, sizeof name, "a:%d", r);
            assert_int_equal(model[s][r], seat_in(sessions[s], name) >= 0);
            count += model[s][r];
        }
        assert_int_equal(sessions[s]->seat_count, count);
    }
}

static void joining_and_leaving_at_random_keeps_both_sides_the_same(void **state)
{
    (void)state;
    static bool model[SESSIONS][ROOMS];
    struct company *companies = NULL;
    struct session *sessions[SESSIONS];
    for (int s = 0; s < SESSIONS; s++)
        sessions[s] = sitting_in(company_get(&companies, "acme"));
    srand(7);
    for (int i = 0; i < 3000; i++) {
        step(sessions, model);
        if (i % 10 == 0)
            assert_as_the_model(sessions, model);
    }
    for (int s = 0; s < SESSIONS; s++)
        stand_up(&companies, sessions[s]);
    assert_null(companies);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_company_is_found_by_its_exact_name),
        cmocka_unit_test(a_room_lives_inside_its_company),
        cmocka_unit_test(an_empty_room_does_not_exist),
        cmocka_unit_test(a_company_is_released_only_when_nobody_needs_it),
        cmocka_unit_test(joining_and_leaving_at_random_keeps_both_sides_the_same),
    };
    return RUN(tests);
}
