#include "auth/keyring.h"

#include "auth/keyfile.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <string.h>

static bool has_kid(const struct keyring *ring, const char *kid)
{
    for (size_t i = 0; i < ring->count; i++)
        if (strcmp(ring->keys[i].kid, kid) == 0)
            return true;
    return false;
}

bool keyring_add_take(struct keyring *ring, struct key *key, struct err *err)
{
    if (ring->count == KEYRING_KEYS_MAX)
        err_set(err, "expected at most %d keys", KEYRING_KEYS_MAX);
    else if (has_kid(ring, key->kid))
        err_set(err, "expected each kid once, found \"%s\" again", key->kid);
    else {
        ring->keys[ring->count++] = *key;
        *key = (struct key){0};
        return true;
    }
    key_clear(key);
    return false;
}

static bool init_public(struct key *key, enum algorithm algorithm, const char *kid,
                        const struct keyfile *file, struct err *err)
{
    EVP_PKEY *pkey = keyfile_public(file, err);
    bool ok = pkey && key_init_public(key, algorithm, kid, pkey, err);
    EVP_PKEY_free(pkey);
    ERR_clear_error();
    return ok;
}

static bool init_secret(struct key *key, enum algorithm algorithm, const char *kid,
                        struct keyfile *file, struct err *err)
{
    return keyfile_to_secret(file, err) &&
           key_init_secret(key, algorithm, kid, file->bytes, file->len, err);
}

bool keyring_load_file(struct keyring *ring, enum algorithm algorithm, const char *kid,
                       const char *path, struct err *err)
{
    struct keyfile file = {0};
    struct key key = {0};
    bool hmac = algorithm_info(algorithm)->family == FAMILY_HMAC;
    bool ok = keyfile_read(&file, path, err) &&
              (hmac ? init_secret(&key, algorithm, kid, &file, err)
                    : init_public(&key, algorithm, kid, &file, err)) &&
              keyring_add_take(ring, &key, err);
    keyfile_clear(&file);
    return ok || err_wrap(err, "key_file %s", path);
}

void keyring_clear(struct keyring *ring)
{
    for (size_t i = 0; i < ring->count; i++)
        key_clear(&ring->keys[i]);
    *ring = (struct keyring){0};
}
