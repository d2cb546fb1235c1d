#include "core/cursor.h"

#include "base/mac.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

struct cursor_codec {
    struct seal *seal;
    uint32_t epoch;
    uint8_t mac_key[MAC_KEY_BYTES];
};

/* The sealed block: 8 bytes of position, 4 of the epoch, 4 of the company. */
struct block {
    int64_t seq;
    uint32_t epoch;
    uint32_t company;
};
_Static_assert(sizeof(struct block) == SEAL_BLOCK_BYTES, "a cursor is one block");

/* FNV-1a, folded from 64 bits. Inside a sealed block it only has to tell apart, not to resist. */
static uint32_t hash(const char *text)
{
    uint64_t h = 14695981039346656037u;
    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * 1099511628211u;
    return (uint32_t)(h ^ (h >> 32));
}

static const char mac_purpose[] = "vigie: key of the macs";

struct cursor_codec *cursor_codec_new(const uint8_t key[SEAL_KEY_BYTES], const char *epoch)
{
    struct cursor_codec *codec = mem_new(sizeof *codec);
    codec->seal = seal_new(key);
    codec->epoch = hash(epoch);
    mac_sign(key, mac_purpose, sizeof mac_purpose, codec->mac_key);
    return codec;
}

void cursor_codec_free(struct cursor_codec *codec)
{
    if (!codec)
        return;
    seal_free(codec->seal);
    free(codec);
}

void cursor_write(struct cursor_codec *codec, const char *company, int64_t seq,
                  char text[CURSOR_TEXT_MAX])
{
    struct block block = {.seq = seq, .epoch = codec->epoch, .company = hash(company)};
    uint8_t bytes[SEAL_BLOCK_BYTES];
    memcpy(bytes, &block, sizeof bytes);
    seal_close(codec->seal, bytes, text);
}

enum cursor_verdict cursor_read(struct cursor_codec *codec, const char *company, const char *text,
                                int64_t *seq)
{
    uint8_t bytes[SEAL_BLOCK_BYTES];
    if (!seal_open(codec->seal, text, strlen(text), bytes))
        return CURSOR_UNREADABLE;
    struct block block;
    memcpy(&block, bytes, sizeof block);
    if (block.company != hash(company) || block.seq < 0)
        return CURSOR_UNREADABLE;
    if (block.epoch != codec->epoch)
        return CURSOR_EPOCH;
    *seq = block.seq;
    return CURSOR_OK;
}

void cursor_mac(const struct cursor_codec *codec, const void *bytes, size_t len,
                uint8_t mac[CURSOR_MAC_BYTES])
{
    uint8_t whole[MAC_BYTES];
    mac_sign(codec->mac_key, bytes, len, whole);
    memcpy(mac, whole, CURSOR_MAC_BYTES);
}
