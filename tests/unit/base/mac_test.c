#include "unit.h"

#include "base/mac.h"

static void assert_hex(const uint8_t *bytes, const char *hex)
{
    char text[2 * MAC_BYTES + 1];
    for (size_t i = 0; i < MAC_BYTES; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    assert_string_equal(text, hex);
}

/* FIPS 180-2, appendix B. */
static void digests_are_those_of_the_standard(void **state)
{
    (void)state;
    uint8_t digest[MAC_BYTES];
    mac_sha256("abc", 3, digest);
    assert_hex(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    mac_sha256("", 0, digest);
    assert_hex(digest, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

/* RFC 4231, 4.2 and 4.3: shorter keys are filled up with zeros. */
static void macs_are_those_of_the_standard(void **state)
{
    (void)state;
    uint8_t key[MAC_KEY_BYTES] = {0};
    uint8_t mac[MAC_BYTES];
    memset(key, 0x0b, 20);
    mac_sign(key, "Hi There", 8, mac);
    assert_hex(mac, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    memset(key, 0, sizeof key);
    strcpy((char *)key, "Jefe");
    mac_sign(key, "what do ya want for nothing?", 28, mac);
    assert_hex(mac, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

static void only_equal_bytes_are_equal(void **state)
{
    (void)state;
    assert_true(mac_equal("abcd", "abcd", 4));
    assert_false(mac_equal("abcd", "abce", 4));
    assert_true(mac_equal("abcd", "abce", 3));
    assert_false(mac_equal("abcd", "bbcd", 4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digests_are_those_of_the_standard),
        cmocka_unit_test(macs_are_those_of_the_standard),
        cmocka_unit_test(only_equal_bytes_are_equal),
    };
    return RUN(tests);
}
