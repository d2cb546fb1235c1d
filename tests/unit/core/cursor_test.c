#include "unit.h"

#include "base/mac.h"
#include "core/cursor.h"

static const uint8_t key[SEAL_KEY_BYTES] = {1, 2, 3};
static const uint8_t other_key[SEAL_KEY_BYTES] = {3, 2, 1};

static int open_codec(void **state)
{
    *state = cursor_codec_new(key, "epoch one");
    return 0;
}

static int close_codec(void **state)
{
    cursor_codec_free(*state);
    return 0;
}

static enum cursor_verdict reads(struct cursor_codec *codec, const char *company, const char *text)
{
    int64_t seq = -77;
    enum cursor_verdict verdict = cursor_read(codec, company, text, &seq);
    if (verdict == CURSOR_OK)
        assert_true(seq >= 0);
    else
        assert_int_equal(seq, -77); /* untouched */
    return verdict;
}

static void what_was_written_is_read_back(void **state)
{
    static const int64_t seqs[] = {0, 1, 4294967296, INT64_MAX};
    char text[CURSOR_TEXT_MAX];
    for (size_t i = 0; i < COUNT(seqs); i++) {
        int64_t seq = -1;
        cursor_write(*state, "acme", seqs[i], text);
        assert_int_equal(strlen(text), SEAL_TEXT_LEN);
        assert_int_equal(cursor_read(*state, "acme", text, &seq), CURSOR_OK);
        assert_int_equal(seq, seqs[i]);
    }
}

static void neighbours_do_not_look_like_neighbours(void **state)
{
    char a[CURSOR_TEXT_MAX];
    char b[CURSOR_TEXT_MAX];
    unsigned same = 0;
    cursor_write(*state, "acme", 1000, a);
    cursor_write(*state, "acme", 1001, b);
    for (size_t i = 0; i < SEAL_TEXT_LEN; i++)
        same += a[i] == b[i];
    assert_true(same < 6);
}

static void it_says_nothing_to_another_company(void **state)
{
    char text[CURSOR_TEXT_MAX];
    cursor_write(*state, "acme", 5, text);
    assert_int_equal(reads(*state, "rival", text), CURSOR_UNREADABLE);
    assert_int_equal(reads(*state, "acme ", text), CURSOR_UNREADABLE);
    assert_int_equal(reads(*state, "", text), CURSOR_UNREADABLE);
}

static void another_epoch_is_told_apart_from_damage(void **state)
{
    (void)state;
    struct cursor_codec *before = cursor_codec_new(key, "epoch zero");
    char text[CURSOR_TEXT_MAX];
    cursor_write(before, "acme", 5, text);
    assert_int_equal(reads(*state, "acme", text), CURSOR_EPOCH);
    assert_int_equal(reads(*state, "rival", text), CURSOR_UNREADABLE);
    cursor_codec_free(before);
}

static void another_bridge_with_the_same_key_reads_it(void **state)
{
    struct cursor_codec *there = cursor_codec_new(key, "epoch one");
    struct cursor_codec *stranger = cursor_codec_new(other_key, "epoch one");
    char text[CURSOR_TEXT_MAX];
    cursor_write(*state, "acme", 5, text);
    assert_int_equal(reads(there, "acme", text), CURSOR_OK);
    assert_int_equal(reads(stranger, "acme", text), CURSOR_UNREADABLE);
    cursor_codec_free(there);
    cursor_codec_free(stranger);
}

static void each_changed_character_makes_it_unreadable(void **state)
{
    char text[CURSOR_TEXT_MAX];
    cursor_write(*state, "acme", 5, text);
    for (size_t i = 0; i < SEAL_TEXT_LEN; i++) {
        char kept = text[i];
        text[i] = kept == 'A' ? 'Q' : 'A';
        assert_int_equal(reads(*state, "acme", text), CURSOR_UNREADABLE);
        text[i] = kept;
    }
    assert_int_equal(reads(*state, "acme", text), CURSOR_OK);
}

static void what_is_no_cursor_is_unreadable(void **state)
{
    static const char *const texts[] = {"",
                                        "5",
                                        "null",
                                        "AAAAAAAAAAAAAAAAAAAAAA",
                                        "AAAAAAAAAAAAAAAAAAAAA=",
                                        "AAAAAAAAAAAAAAAAAAAAAAA",
                                        "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"};
    for (size_t i = 0; i < COUNT(texts); i++)
        assert_int_equal(reads(*state, "acme", texts[i]), CURSOR_UNREADABLE);
}

static void nowhere_is_unreadable(void **state)
{
    char text[CURSOR_TEXT_MAX];
    cursor_write(*state, "acme", CURSOR_NOWHERE, text);
    assert_int_equal(reads(*state, "acme", text), CURSOR_UNREADABLE);
}

static void macs_are_of_the_key_and_of_all_bytes(void **state)
{
    uint8_t mac[CURSOR_MAC_BYTES];
    uint8_t again[CURSOR_MAC_BYTES];
    struct cursor_codec *other = cursor_codec_new(other_key, "epoch one");
    struct cursor_codec *later = cursor_codec_new(key, "epoch two");
    cursor_mac(*state, "pid", 3, mac);
    cursor_mac(later, "pid", 3, again);
    assert_memory_equal(mac, again, sizeof mac); /* of the database, whatever its epoch */
    cursor_mac(*state, "pie", 3, again);
    assert_memory_not_equal(mac, again, sizeof mac);
    cursor_mac(other, "pid", 3, again);
    assert_memory_not_equal(mac, again, sizeof mac);
    cursor_codec_free(other);
    cursor_codec_free(later);
}

static void a_mac_is_not_one_of_the_cursors_own_key(void **state)
{
    uint8_t mac[CURSOR_MAC_BYTES];
    uint8_t direct[MAC_BYTES];
    cursor_mac(*state, "pid", 3, mac);
    mac_sign(key, "pid", 3, direct);
    assert_memory_not_equal(mac, direct, sizeof mac);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_codec, close_codec)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(what_was_written_is_read_back),
        TEST(neighbours_do_not_look_like_neighbours),
        TEST(it_says_nothing_to_another_company),
        TEST(another_epoch_is_told_apart_from_damage),
        TEST(another_bridge_with_the_same_key_reads_it),
        TEST(each_changed_character_makes_it_unreadable),
        TEST(what_is_no_cursor_is_unreadable),
        TEST(nowhere_is_unreadable),
        TEST(macs_are_of_the_key_and_of_all_bytes),
        TEST(a_mac_is_not_one_of_the_cursors_own_key),
    };
    return RUN(tests);
}
