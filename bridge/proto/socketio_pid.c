#include "proto/socketio_pid.h"

#include "base/base64url.h"
#include "base/buf.h"
#include "base/mac.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum {
    CURSOR_AT = 2,
    SIGNED_LEN = CURSOR_AT + SEAL_TEXT_LEN + 1 + BASE64URL_LEN(SOCKETIO_PID_RANDOM) + 1,
    MAC_TEXT_LEN = BASE64URL_LEN(CURSOR_MAC_BYTES),
    OWNER_BYTES_MAX = 65536
};
_Static_assert((int)SIGNED_LEN + (int)MAC_TEXT_LEN == (int)SOCKETIO_PID_LEN, "the drawing above");

/* Names hold no NUL, so that it parts them. */
static void add_name(struct buf *out, const char *name)
{
    buf_add(out, name, strlen(name) + 1);
}

/* Signs the first SIGNED_LEN characters. */
static void sign(const struct cursor_codec *codec, const struct socketio_owner *owner,
                 const char *pid, char text[MAC_TEXT_LEN + 1])
{
    struct buf all;
    uint8_t mac[CURSOR_MAC_BYTES];
    buf_init(&all, OWNER_BYTES_MAX);
    add_name(&all, "socketio pid");
    buf_add(&all, pid, SIGNED_LEN);
    add_name(&all, owner->nsp);
    add_name(&all, owner->company);
    add_name(&all, owner->user);
    add_name(&all, owner->issuer);
    assert(!all.overflow);
    cursor_mac(codec, all.bytes, all.len, mac);
    base64url_encode(mac, sizeof mac, text);
    buf_free(&all);
}

void socketio_pid_write(struct cursor_codec *codec, const struct socketio_owner *owner,
                        enum socketio_start how, int64_t seq,
                        const uint8_t random[SOCKETIO_PID_RANDOM], char pid[SOCKETIO_PID_LEN + 1])
{
    char cursor[CURSOR_TEXT_MAX];
    char dice[BASE64URL_LEN(SOCKETIO_PID_RANDOM) + 1];
    char mac[MAC_TEXT_LEN + 1];
    cursor_write(codec, owner->company, seq, cursor);
    base64url_encode(random, SOCKETIO_PID_RANDOM, dice);
    int len = snprintf(pid, SOCKETIO_PID_LEN + 1, "%c.%s.%s.", (char)how, cursor, dice);
    assert(len == SIGNED_LEN);
    sign(codec, owner, pid, mac);
    memcpy(pid + SIGNED_LEN, mac, sizeof mac);
}

bool socketio_pid_is_of(struct cursor_codec *codec, const struct socketio_owner *owner,
                        const char *pid)
{
    char mac[MAC_TEXT_LEN + 1];
    if (strlen(pid) != SOCKETIO_PID_LEN)
        return false;
    sign(codec, owner, pid, mac);
    return mac_equal(mac, pid + SIGNED_LEN, MAC_TEXT_LEN);
}

static void take(char cursor[CURSOR_TEXT_MAX], const char *text)
{
    snprintf(cursor, CURSOR_TEXT_MAX, "%s", text);
}

/* An offset that is older than the pid is of a session before: a client keeps the last it heard. */
void socketio_resume(struct cursor_codec *codec, const char *company, const char *pid,
                     const char *offset, char cursor[CURSOR_TEXT_MAX])
{
    bool sure = pid[0] == SOCKETIO_START_SURE;
    int64_t began = 0;
    int64_t heard = 0;
    snprintf(cursor, CURSOR_TEXT_MAX, "%.*s", SEAL_TEXT_LEN, pid + CURSOR_AT);
    if (cursor_read(codec, company, cursor, &began) != CURSOR_OK)
        return; /* of an epoch before, says the core too */
    if (!offset || strlen(offset) != SEAL_TEXT_LEN) {
        if (offset || !sure)
            take(cursor, "");
        return;
    }
    bool ours = cursor_read(codec, company, offset, &heard) == CURSOR_OK;
    if (!ours || heard >= began)
        take(cursor, offset);
    else if (!sure)
        take(cursor, "");
}

void socketio_sid(const char *pid, char sid[SOCKETIO_SID_LEN + 1])
{
    uint8_t digest[MAC_BYTES];
    char text[BASE64URL_LEN(MAC_BYTES) + 1];
    mac_sha256(pid, strlen(pid), digest);
    base64url_encode(digest, sizeof digest, text);
    snprintf(sid, SOCKETIO_SID_LEN + 1, "%.*s", SOCKETIO_SID_LEN, text);
}
