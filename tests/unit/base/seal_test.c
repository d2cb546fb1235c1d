#include "unit.h"

#include "base/seal.h"

static const uint8_t key[SEAL_KEY_BYTES] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
static const uint8_t block[SEAL_BLOCK_BYTES] = "position 1234567";

static void what_is_closed_opens_to_the_same(void **state)
{
    (void)state;
    struct seal *seal = seal_new(key);
    char text[SEAL_TEXT_LEN + 1];
    uint8_t out[SEAL_BLOCK_BYTES];
    seal_close(seal, block, text);
    assert_int_equal(strlen(text), SEAL_TEXT_LEN);
    assert_true(seal_open(seal, text, SEAL_TEXT_LEN, out));
    assert_memory_equal(out, block, sizeof out);
    seal_free(seal);
}

/* FIPS 197, C.3: AES-256 of 00112233445566778899aabbccddeeff under 000102…1f. */
static void it_is_aes_256_on_one_block(void **state)
{
    (void)state;
    uint8_t count[SEAL_KEY_BYTES];
    uint8_t plain[SEAL_BLOCK_BYTES];
    char text[SEAL_TEXT_LEN + 1];
    for (unsigned i = 0; i < sizeof count; i++)
        count[i] = (uint8_t)i;
    for (unsigned i = 0; i < sizeof plain; i++)
        plain[i] = (uint8_t)(i * 0x11);
    struct seal *seal = seal_new(count);
    seal_close(seal, plain, text);
    assert_string_equal(text, "jqK3ylFnRb_q_EmQS0lgiQ");
    seal_free(seal);
}

static void it_is_the_same_on_every_bridge_and_each_time(void **state)
{
    (void)state;
    struct seal *here = seal_new(key);
    struct seal *there = seal_new(key);
    char a[SEAL_TEXT_LEN + 1];
    char b[SEAL_TEXT_LEN + 1];
    seal_close(here, block, a);
    seal_close(here, block, b);
    assert_string_equal(a, b);
    seal_close(there, block, b);
    assert_string_equal(a, b);
    seal_free(here);
    seal_free(there);
}

static void another_key_opens_to_something_else(void **state)
{
    (void)state;
    static const uint8_t other_key[SEAL_KEY_BYTES] = {9};
    struct seal *seal = seal_new(key);
    struct seal *other = seal_new(other_key);
    char text[SEAL_TEXT_LEN + 1];
    uint8_t out[SEAL_BLOCK_BYTES];
    seal_close(seal, block, text);
    assert_true(seal_open(other, text, SEAL_TEXT_LEN, out));
    assert_memory_not_equal(out, block, sizeof out);
    seal_free(seal);
    seal_free(other);
}

static void a_text_that_is_not_one_block_does_not_open(void **state)
{
    (void)state;
    struct seal *seal = seal_new(key);
    char text[SEAL_TEXT_LEN + 2];
    uint8_t out[SEAL_BLOCK_BYTES];
    seal_close(seal, block, text);
    text[SEAL_TEXT_LEN] = 'A';
    assert_false(seal_open(seal, text, SEAL_TEXT_LEN - 1, out));
    assert_false(seal_open(seal, text, SEAL_TEXT_LEN + 1, out));
    assert_false(seal_open(seal, "", 0, out));
    text[3] = '+';
    assert_false(seal_open(seal, text, SEAL_TEXT_LEN, out));
    seal_free(seal);
}

/* The last character carries 2 bits of the block: the other 4 must be 0, or 16 texts were one. */
static void only_one_spelling_opens(void **state)
{
    (void)state;
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    struct seal *seal = seal_new(key);
    char text[SEAL_TEXT_LEN + 1];
    uint8_t out[SEAL_BLOCK_BYTES];
    unsigned opened = 0;
    seal_close(seal, block, text);
    for (const char *c = alphabet; *c; c++) {
        text[SEAL_TEXT_LEN - 1] = *c;
        opened += seal_open(seal, text, SEAL_TEXT_LEN, out);
    }
    assert_int_equal(opened, 4);
    seal_free(seal);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_closed_opens_to_the_same),
        cmocka_unit_test(it_is_aes_256_on_one_block),
        cmocka_unit_test(it_is_the_same_on_every_bridge_and_each_time),
        cmocka_unit_test(another_key_opens_to_something_else),
        cmocka_unit_test(a_text_that_is_not_one_block_does_not_open),
        cmocka_unit_test(only_one_spelling_opens),
    };
    return RUN(tests);
}
