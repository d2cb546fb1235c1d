/* mac.h - SHA-256, alone and keyed (RFC 2104), and a comparison that tells nothing by its time. */
#ifndef VIGIE_BASE_MAC_H
#define VIGIE_BASE_MAC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MAC_BYTES = 32, MAC_KEY_BYTES = 32 };

void mac_sha256(const void *bytes, size_t len, uint8_t digest[MAC_BYTES]);
/* HMAC-SHA256. */
void mac_sign(const uint8_t key[MAC_KEY_BYTES], const void *bytes, size_t len,
              uint8_t mac[MAC_BYTES]);
/* Takes as long for any two runs of `len` bytes. */
bool mac_equal(const void *a, const void *b, size_t len);

#endif
