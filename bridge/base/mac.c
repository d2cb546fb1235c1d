#include "base/mac.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

void mac_sha256(const void *bytes, size_t len, uint8_t digest[MAC_BYTES])
{
    unsigned got = 0;
    int ok = EVP_Digest(bytes, len, digest, &got, EVP_sha256(), NULL);
    assert(ok == 1 && got == MAC_BYTES);
}

void mac_sign(const uint8_t key[MAC_KEY_BYTES], const void *bytes, size_t len,
              uint8_t mac[MAC_BYTES])
{
    unsigned got = 0;
    const unsigned char *done = HMAC(EVP_sha256(), key, MAC_KEY_BYTES, bytes, len, mac, &got);
    assert(done && got == MAC_BYTES);
}

bool mac_equal(const void *a, const void *b, size_t len)
{
    return CRYPTO_memcmp(a, b, len) == 0;
}
