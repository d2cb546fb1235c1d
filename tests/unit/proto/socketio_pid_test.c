#include "unit.h"

#include "proto/socketio_pid.h"

static const uint8_t key[SEAL_KEY_BYTES] = {1, 2, 3};
static const uint8_t dice[SOCKETIO_PID_RANDOM] = {9, 8, 7};
static const struct socketio_owner me = {"/", "acme", "u1", "main"};

struct codecs {
    struct cursor_codec *now;
    struct cursor_codec *later; /* the same key, after a restore */
    struct cursor_codec *other; /* another key */
};

static int open_codecs(void **state)
{
    static const uint8_t other[SEAL_KEY_BYTES] = {3};
    struct codecs *codecs = malloc(sizeof *codecs);
    codecs->now = cursor_codec_new(key, "one");
    codecs->later = cursor_codec_new(key, "two");
    codecs->other = cursor_codec_new(other, "one");
    *state = codecs;
    return 0;
}

static int close_codecs(void **state)
{
    struct codecs *codecs = *state;
    cursor_codec_free(codecs->now);
    cursor_codec_free(codecs->later);
    cursor_codec_free(codecs->other);
    free(codecs);
    return 0;
}

static void it_is_of_whom_it_was_given_to(void **state)
{
    const struct codecs *codecs = *state;
    static const struct socketio_owner others[] = {
        {"/m", "acme", "u1", "main"}, {"/", "acm", "u1", "main"},  {"/", "acme", "u2", "main"},
        {"/", "acme", "u1", "Main"},  {"/", "acmeu1", "", "main"}, {"/", "acme", "u1main", ""},
    };
    char pid[SOCKETIO_PID_LEN + 1];
    socketio_pid_write(codecs->now, &me, SOCKETIO_START_SURE, 5, dice, pid);
    assert_int_equal(strlen(pid), SOCKETIO_PID_LEN);
    assert_true(socketio_pid_is_of(codecs->now, &me, pid));
    for (size_t i = 0; i < COUNT(others); i++)
        assert_false(socketio_pid_is_of(codecs->now, &others[i], pid));
    assert_false(socketio_pid_is_of(codecs->other, &me, pid));
    assert_true(socketio_pid_is_of(codecs->later, &me, pid)); /* though its cursor is too old */
}

static void each_changed_character_makes_it_nobodys(void **state)
{
    const struct codecs *codecs = *state;
    char pid[SOCKETIO_PID_LEN + 2];
    socketio_pid_write(codecs->now, &me, SOCKETIO_START_GAP, 5, dice, pid);
    for (size_t i = 0; i < SOCKETIO_PID_LEN; i++) {
        char kept = pid[i];
        pid[i] = kept == 's' ? 't' : 's';
        assert_false(socketio_pid_is_of(codecs->now, &me, pid));
        pid[i] = kept;
    }
    pid[SOCKETIO_PID_LEN - 1] = '\0';
    assert_false(socketio_pid_is_of(codecs->now, &me, pid));
    assert_false(socketio_pid_is_of(codecs->now, &me, ""));
}

static void assert_resumes_at(struct cursor_codec *codec, const char *pid, const char *offset,
                              enum cursor_verdict verdict, int64_t seq)
{
    char cursor[CURSOR_TEXT_MAX];
    int64_t got = -1;
    socketio_resume(codec, "acme", pid, offset, cursor);
    assert_int_equal(cursor_read(codec, "acme", cursor, &got), verdict);
    if (verdict == CURSOR_OK)
        assert_int_equal(got, seq);
}

static void the_later_of_start_and_offset_counts(void **state)
{
    const struct codecs *codecs = *state;
    char pid[SOCKETIO_PID_LEN + 1];
    char offset[CURSOR_TEXT_MAX];
    socketio_pid_write(codecs->now, &me, SOCKETIO_START_SURE, 5, dice, pid);
    assert_resumes_at(codecs->now, pid, NULL, CURSOR_OK, 5);
    cursor_write(codecs->now, "acme", 9, offset);
    assert_resumes_at(codecs->now, pid, offset, CURSOR_OK, 9);
    cursor_write(codecs->now, "acme", 3, offset); /* of a session before */
    assert_resumes_at(codecs->now, pid, offset, CURSOR_OK, 5);
}

static void after_a_gap_only_what_was_heard_since_counts(void **state)
{
    const struct codecs *codecs = *state;
    char pid[SOCKETIO_PID_LEN + 1];
    char offset[CURSOR_TEXT_MAX];
    socketio_pid_write(codecs->now, &me, SOCKETIO_START_GAP, 5, dice, pid);
    assert_resumes_at(codecs->now, pid, NULL, CURSOR_UNREADABLE, 0);
    cursor_write(codecs->now, "acme", 4, offset);
    assert_resumes_at(codecs->now, pid, offset, CURSOR_UNREADABLE, 0);
    cursor_write(codecs->now, "acme", 5, offset); /* the gap's own */
    assert_resumes_at(codecs->now, pid, offset, CURSOR_OK, 5);
    cursor_write(codecs->now, "acme", 6, offset);
    assert_resumes_at(codecs->now, pid, offset, CURSOR_OK, 6);
}

static void what_is_no_offset_of_now_is_never_gone_on_from(void **state)
{
    const struct codecs *codecs = *state;
    char pid[SOCKETIO_PID_LEN + 1];
    char offset[CURSOR_TEXT_MAX];
    socketio_pid_write(codecs->now, &me, SOCKETIO_START_SURE, 5, dice, pid);
    assert_resumes_at(codecs->now, pid, "", CURSOR_UNREADABLE, 0);
    assert_resumes_at(codecs->now, pid, "just text", CURSOR_UNREADABLE, 0);
    assert_resumes_at(codecs->now, pid, "just text of the length", CURSOR_UNREADABLE, 0);
    assert_resumes_at(codecs->now, pid, "just text of that size", CURSOR_UNREADABLE, 0);
    cursor_write(codecs->now, "rival", 9, offset);
    assert_resumes_at(codecs->now, pid, offset, CURSOR_UNREADABLE, 0);
    cursor_write(codecs->later, "acme", 9, offset);
    assert_resumes_at(codecs->now, pid, offset, CURSOR_EPOCH, 0);
}

static void a_pid_of_an_epoch_before_is_never_gone_on_from(void **state)
{
    const struct codecs *codecs = *state;
    char pid[SOCKETIO_PID_LEN + 1];
    char offset[CURSOR_TEXT_MAX];
    socketio_pid_write(codecs->now, &me, SOCKETIO_START_SURE, 5, dice, pid);
    cursor_write(codecs->later, "acme", 9, offset);
    assert_resumes_at(codecs->later, pid, NULL, CURSOR_EPOCH, 0);
    assert_resumes_at(codecs->later, pid, offset, CURSOR_EPOCH, 0);
}

static void the_public_id_follows_from_it_and_is_another(void **state)
{
    const struct codecs *codecs = *state;
    static const uint8_t other_dice[SOCKETIO_PID_RANDOM] = {1};
    char pid[SOCKETIO_PID_LEN + 1];
    char sid[SOCKETIO_SID_LEN + 1];
    char again[SOCKETIO_SID_LEN + 1];
    socketio_pid_write(codecs->now, &me, SOCKETIO_START_SURE, 5, dice, pid);
    socketio_sid(pid, sid);
    socketio_sid(pid, again);
    assert_int_equal(strlen(sid), SOCKETIO_SID_LEN);
    assert_string_equal(sid, again);
    assert_null(strstr(pid, sid));
    socketio_pid_write(codecs->now, &me, SOCKETIO_START_SURE, 5, other_dice, pid);
    socketio_sid(pid, again);
    assert_string_not_equal(sid, again);
    socketio_sid("abc", sid); /* SHA-256 of "abc" begins with ba7816bf8f01cfea414140de5dae22 */
    assert_string_equal(sid, "ungWv48Bz-pBQUDeXa4i");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_codecs, close_codecs)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_is_of_whom_it_was_given_to),
        TEST(each_changed_character_makes_it_nobodys),
        TEST(the_later_of_start_and_offset_counts),
        TEST(after_a_gap_only_what_was_heard_since_counts),
        TEST(what_is_no_offset_of_now_is_never_gone_on_from),
        TEST(a_pid_of_an_epoch_before_is_never_gone_on_from),
        TEST(the_public_id_follows_from_it_and_is_another),
    };
    return RUN(tests);
}
