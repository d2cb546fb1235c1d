/* base64url.h - RFC 4648 section 5 without padding, strictly: one text for one run of bytes. */
#ifndef VIGIE_BASE_BASE64URL_H
#define VIGIE_BASE_BASE64URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Characters for `len` bytes, without the NUL. */
#define BASE64URL_LEN(len) (((len)*4 + 2) / 3)

/* Writes BASE64URL_LEN(len) characters and a NUL. */
void base64url_encode(const uint8_t *bytes, size_t len, char *text);

/* Decodes `len` characters into at most `capacity` bytes and sets `*out_len`. False, and nothing to
 * be used, for a foreign character, padding, an impossible length, set trailing bits (the text
 * would be malleable) or too little room. */
bool base64url_decode(const char *text, size_t len, uint8_t *bytes, size_t capacity,
                      size_t *out_len);

#endif
