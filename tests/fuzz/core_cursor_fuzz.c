/* A text that claims to be a cursor, and a company. What reads well is the only spelling of that
 * position for that company; everything else changes nothing. */
#include "base/mem.h"
#include "core/cursor.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t key[SEAL_KEY_BYTES] = {4, 2};
static struct cursor_codec *codec;

static void check_foreign(const char *company, const char *text)
{
    int64_t seq = -7;
    char again[CURSOR_TEXT_MAX];
    if (cursor_read(codec, company, text, &seq) != CURSOR_OK) {
        assert(seq == -7);
        return;
    }
    assert(seq >= 0);
    cursor_write(codec, company, seq, again);
    assert(strcmp(again, text) == 0);
}

/* Ours reads back, and stops doing so with one bit of its text changed. */
static void check_own(const char *company, int64_t seq, unsigned bit)
{
    char text[CURSOR_TEXT_MAX];
    int64_t read = -7;
    cursor_write(codec, company, seq, text);
    enum cursor_verdict verdict = cursor_read(codec, company, text, &read);
    assert(verdict == (seq >= 0 ? CURSOR_OK : CURSOR_UNREADABLE));
    assert(read == (seq >= 0 ? seq : -7));
    text[bit / 8 % SEAL_TEXT_LEN] ^= (char)(1 << bit % 8);
    assert(cursor_read(codec, company, text, &read) != CURSOR_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int64_t seq;
    if (size < sizeof seq + 1)
        return 0;
    if (!codec)
        codec = cursor_codec_new(key, "epoch");
    memcpy(&seq, data, sizeof seq);
    char *text = mem_dup((const char *)data + 9, size - 9);
    const char *company = text + strlen(text) + (strlen(text) < size - 9);
    check_foreign(company, text);
    check_own(company, seq, data[8]);
    free(text);
    return 0;
}
