#include "unit.h"

#include "base/base64url.h"

/* RFC 4648, section 10, without padding. */
static const struct {
    const char *bytes;
    const char *text;
} vectors[] = {{"", ""},           {"f", "Zg"},          {"fo", "Zm8"},         {"foo", "Zm9v"},
               {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}};

static bool decode(const char *text, uint8_t *bytes, size_t capacity, size_t *len)
{
    return base64url_decode(text, strlen(text), bytes, capacity, len);
}

static void the_vectors_of_the_rfc_hold(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(vectors); i++) {
        char text[16];
        uint8_t bytes[8];
        size_t len = 99;
        size_t want = strlen(vectors[i].bytes);
        base64url_encode((const uint8_t *)vectors[i].bytes, want, text);
        assert_string_equal(text, vectors[i].text);
        assert_int_equal(strlen(text), BASE64URL_LEN(want));
        assert_true(decode(text, bytes, sizeof bytes, &len));
        assert_int_equal(len, want);
        assert_memory_equal(bytes, vectors[i].bytes, want);
    }
}

static void every_byte_at_every_place_comes_back(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++)
        for (size_t place = 0; place < 4; place++) {
            uint8_t in[4] = {0x5a, 0xa5, 0xff, 0x00};
            uint8_t out[4];
            char text[8];
            size_t len = 0;
            in[place] = (uint8_t)byte;
            base64url_encode(in, sizeof in, text);
            assert_true(decode(text, out, sizeof out, &len));
            assert_int_equal(len, sizeof in);
            assert_memory_equal(in, out, sizeof in);
        }
}

static void the_alphabet_is_the_one_for_urls(void **state)
{
    (void)state;
    char text[8];
    base64url_encode((const uint8_t *)"\xfb\xff\xfe", 3, text);
    assert_string_equal(text, "-__-");
}

static void foreign_characters_and_padding_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"Zg==", "Zm+v", "Zm/v", "Zm v", "Zm9\n", "Zm\x80v", "Zm9="};
    uint8_t bytes[8];
    size_t len = 7;
    for (size_t i = 0; i < COUNT(texts); i++)
        assert_false(decode(texts[i], bytes, sizeof bytes, &len));
    assert_false(base64url_decode("Zm9\0", 4, bytes, sizeof bytes, &len));
    assert_int_equal(len, 7);
}

static void an_impossible_length_is_refused(void **state)
{
    (void)state;
    uint8_t bytes[8];
    size_t len = 0;
    assert_false(decode("A", bytes, sizeof bytes, &len));
    assert_false(decode("AAAAA", bytes, sizeof bytes, &len));
}

static void set_trailing_bits_are_refused(void **state)
{
    (void)state;
    uint8_t bytes[8];
    size_t len = 0;
    assert_true(decode("Zg", bytes, sizeof bytes, &len));
    assert_false(decode("Zh", bytes, sizeof bytes, &len));
    assert_true(decode("Zm8", bytes, sizeof bytes, &len));
    assert_false(decode("Zm9", bytes, sizeof bytes, &len));
}

static void too_little_room_is_refused_and_nothing_is_overrun(void **state)
{
    (void)state;
    uint8_t bytes[6] = {0, 0, 0, 0, 0, 0x77};
    size_t len = 0;
    assert_false(decode("Zm9vYmFy", bytes, 5, &len));
    assert_int_equal(bytes[5], 0x77);
    assert_true(decode("Zm9vYmE", bytes, 5, &len));
    assert_int_equal(len, 5);
    assert_int_equal(bytes[5], 0x77);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vectors_of_the_rfc_hold),
        cmocka_unit_test(every_byte_at_every_place_comes_back),
        cmocka_unit_test(the_alphabet_is_the_one_for_urls),
        cmocka_unit_test(foreign_characters_and_padding_are_refused),
        cmocka_unit_test(an_impossible_length_is_refused),
        cmocka_unit_test(set_trailing_bits_are_refused),
        cmocka_unit_test(too_little_room_is_refused_and_nothing_is_overrun),
    };
    return RUN(tests);
}
