#include "base/seal.h"

#include "base/base64url.h"
#include "base/mem.h"

#include <assert.h>
#include <openssl/evp.h>
#include <stdlib.h>

struct seal {
    EVP_CIPHER_CTX *encrypt;
    EVP_CIPHER_CTX *decrypt;
};

static EVP_CIPHER_CTX *cipher(const uint8_t *key, int encrypt)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    assert(ctx);
    int ok = EVP_CipherInit_ex(ctx, EVP_aes_256_ecb(), NULL, key, NULL, encrypt);
    assert(ok == 1);
    EVP_CIPHER_CTX_set_padding(ctx, 0);
    return ctx;
}

static void turn(EVP_CIPHER_CTX *ctx, const uint8_t *in, uint8_t *out)
{
    int len = 0;
    int ok = EVP_CipherUpdate(ctx, out, &len, in, SEAL_BLOCK_BYTES);
    assert(ok == 1 && len == SEAL_BLOCK_BYTES);
}

struct seal *seal_new(const uint8_t key[SEAL_KEY_BYTES])
{
    struct seal *seal = mem_new(sizeof *seal);
    seal->encrypt = cipher(key, 1);
    seal->decrypt = cipher(key, 0);
    return seal;
}

void seal_free(struct seal *seal)
{
    if (!seal)
        return;
    EVP_CIPHER_CTX_free(seal->encrypt);
    EVP_CIPHER_CTX_free(seal->decrypt);
    free(seal);
}

void seal_close(struct seal *seal, const uint8_t block[SEAL_BLOCK_BYTES],
                char text[SEAL_TEXT_LEN + 1])
{
    uint8_t hidden[SEAL_BLOCK_BYTES];
    turn(seal->encrypt, block, hidden);
    base64url_encode(hidden, sizeof hidden, text);
}

bool seal_open(struct seal *seal, const char *text, size_t len, uint8_t block[SEAL_BLOCK_BYTES])
{
    uint8_t hidden[SEAL_BLOCK_BYTES];
    size_t got = 0;
    if (len != SEAL_TEXT_LEN || !base64url_decode(text, len, hidden, sizeof hidden, &got))
        return false;
    turn(seal->decrypt, hidden, block);
    return true;
}
