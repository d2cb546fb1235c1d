/* seal.h - one secret block: 16 bytes in, 22 characters out, the same on every bridge.
 *
 * AES-256 on a single block is a keyed permutation: deterministic (equal cursors are equal text),
 * unreadable and unforgeable beyond chance without the key. Never used for more than one block. */
#ifndef VIGIE_BASE_SEAL_H
#define VIGIE_BASE_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SEAL_KEY_BYTES = 32, SEAL_BLOCK_BYTES = 16, SEAL_TEXT_LEN = 22 };

struct seal;

/* Never NULL. The key is copied into the cipher's contexts. */
struct seal *seal_new(const uint8_t key[SEAL_KEY_BYTES]);
/* NULL is allowed. */
void seal_free(struct seal *seal);

/* Writes SEAL_TEXT_LEN characters of base64url and a NUL. */
void seal_close(struct seal *seal, const uint8_t block[SEAL_BLOCK_BYTES],
                char text[SEAL_TEXT_LEN + 1]);

/* False when `text` is not exactly one block in canonical base64url. What comes out of a text that
 * was never ours is noise: the caller keeps a check inside the block. */
bool seal_open(struct seal *seal, const char *text, size_t len, uint8_t block[SEAL_BLOCK_BYTES]);

#endif
