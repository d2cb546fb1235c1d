/* Any bytes as a key set. The first byte chooses the algorithm of the configuration. What is
 * accepted is asked again what a verifier relies on: few keys, each kid once, no weak key. */
#include "auth/jwks.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void must(bool held)
{
    if (!held)
        abort();
}

/* As libjwt will read it at each token. */
static void key_is_usable(const struct key *key)
{
    BIO *bio = BIO_new_mem_buf(key->material, (int)key->material_len);
    EVP_PKEY *pkey = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
    must(pkey);
    bool rsa = algorithm_info(key->algorithm)->family == FAMILY_RSA;
    must(algorithm_info(key->algorithm)->family != FAMILY_HMAC);
    must(EVP_PKEY_is_a(pkey, rsa ? "RSA" : "EC"));
    must(EVP_PKEY_get_bits(pkey) >= (rsa ? 2048 : 256));
    must(key->signature_bytes >= 64 && key->signature_bytes <= KEY_SIGNATURE_BYTES_MAX);
    must(strlen(key->kid) <= KEY_ID_MAX && !strstr(key->material, "PRIVATE KEY"));
    EVP_PKEY_free(pkey);
    BIO_free(bio);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct keyring ring = {0};
    struct err err = {0};
    enum algorithm algorithm = (enum algorithm)(RS256 + data[0] % 6);
    bool ok = jwks_parse(&ring, algorithm, (const char *)data + 1, size - 1, &err);
    must(ERR_peek_error() == 0);
    must(ok == (ring.count > 0) && ok != (err.text[0] != '\0') && ring.count <= KEYRING_KEYS_MAX);
    for (size_t i = 0; i < ring.count; i++) {
        key_is_usable(&ring.keys[i]);
        for (size_t k = 0; k < i; k++)
            must(strcmp(ring.keys[i].kid, ring.keys[k].kid) != 0);
    }
    keyring_clear(&ring);
    return 0;
}
