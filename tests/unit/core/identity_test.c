#include "unit.h"

#include "core/identity.h"

/* Of texts that are overwritten after copying. */
static struct identity *copy_of(size_t role_count)
{
    char texts[4][16] = {"main", "42", "u7", "chef"};
    const char *roles[] = {texts[3], "", texts[2]};
    struct identity identity = {texts[0], texts[1], texts[2], roles, role_count, 17, 30};
    struct identity *copy = identity_copy(&identity);
    memset(texts, 'x', sizeof texts);
    memset(roles, 0, sizeof roles);
    return copy;
}

static void a_copy_outlives_what_it_was_made_of(void **state)
{
    (void)state;
    struct identity *copy = copy_of(3);
    assert_string_equal(copy->issuer, "main");
    assert_string_equal(copy->company, "42");
    assert_string_equal(copy->user, "u7");
    assert_int_equal(copy->role_count, 3);
    assert_string_equal(copy->roles[0], "chef");
    assert_string_equal(copy->roles[1], "");
    assert_string_equal(copy->roles[2], "u7");
    assert_int_equal(copy->expires_at_us, 17);
    assert_int_equal(copy->leeway_us, 30);
    identity_free(copy);
}

static void one_without_roles_is_copied_too(void **state)
{
    (void)state;
    struct identity *copy = copy_of(0);
    assert_int_equal(copy->role_count, 0);
    assert_string_equal(copy->user, "u7");
    identity_free(copy);
}

static void nothing_may_be_freed(void **state)
{
    (void)state;
    identity_free(NULL);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_outlives_what_it_was_made_of),
        cmocka_unit_test(one_without_roles_is_copied_too),
        cmocka_unit_test(nothing_may_be_freed),
    };
    return RUN(tests);
}
