/* cursor.h - a position in the feed as a client holds it: opaque, unforgeable, bound to a company.
 *
 * Epoch, company and position are sealed in one block with the key that vigie.hello() gives to
 * every bridge, so that a resume may begin on one bridge and end on another, and no tenant can read
 * how much the others write from the distance of two cursors. */
#ifndef VIGIE_CORE_CURSOR_H
#define VIGIE_CORE_CURSOR_H

#include "base/seal.h"

#include <stdint.h>

enum { CURSOR_TEXT_MAX = SEAL_TEXT_LEN + 1, CURSOR_MAC_BYTES = 16 };
/* A position that reads as CURSOR_UNREADABLE: whoever comes back with it is told a gap. */
enum { CURSOR_NOWHERE = -1 };

enum cursor_verdict {
    CURSOR_OK,
    CURSOR_UNREADABLE, /* never ours, damaged, or sealed for another company */
    CURSOR_EPOCH       /* ours, from before the database was restored */
};

struct cursor_codec;

/* Never NULL; `epoch` is hashed. */
struct cursor_codec *cursor_codec_new(const uint8_t key[SEAL_KEY_BYTES], const char *epoch);
/* NULL is allowed. */
void cursor_codec_free(struct cursor_codec *codec);

void cursor_write(struct cursor_codec *codec, const char *company, int64_t seq,
                  char text[CURSOR_TEXT_MAX]);

/* CURSOR_OK sets `*seq` (>= 0); otherwise it is untouched. */
enum cursor_verdict cursor_read(struct cursor_codec *codec, const char *company, const char *text,
                                int64_t *seq);

/* A MAC that every bridge of this database makes alike, of a key that is derived from the cursors'
 * and tells nothing of it. What is signed begins with what it is for. */
void cursor_mac(const struct cursor_codec *codec, const void *bytes, size_t len,
                uint8_t mac[CURSOR_MAC_BYTES]);

#endif
