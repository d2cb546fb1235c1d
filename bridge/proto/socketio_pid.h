/* socketio_pid.h - the private id that a stock client comes back with.
 *
 *     s.CCCCCCCCCCCCCCCCCCCCCC.RRRRRRRRRRRRRRRRRRRRRR.MMMMMMMMMMMMMMMMMMMMMM
 *     |  where it began (cursor)   random                 MAC over it all and whose it is
 *     +- how it began
 *
 * It is a secret of the client's and needs no memory on our side. */
#ifndef VIGIE_PROTO_SOCKETIO_PID_H
#define VIGIE_PROTO_SOCKETIO_PID_H

#include "core/cursor.h"

#include <stdbool.h>

enum { SOCKETIO_PID_LEN = 70, SOCKETIO_PID_RANDOM = 16, SOCKETIO_SID_LEN = 20 };

/* Whose it is; a pid of somebody else, or of another namespace, is none. */
struct socketio_owner {
    const char *nsp;
    const char *company;
    const char *user;
    const char *issuer;
};

/* What a client that heard nothing since may go on from. */
enum socketio_start {
    SOCKETIO_START_SURE = 's', /* the beginning itself: nothing is missing from there on */
    SOCKETIO_START_GAP = 'g'   /* nothing: a gap was told at the beginning, and until it was heard,
                                  which an offset from there on shows, it must be told again */
};

void socketio_pid_write(struct cursor_codec *codec, const struct socketio_owner *owner,
                        enum socketio_start how, int64_t seq,
                        const uint8_t random[SOCKETIO_PID_RANDOM], char pid[SOCKETIO_PID_LEN + 1]);
/* Whether one of us gave that pid to that owner. */
bool socketio_pid_is_of(struct cursor_codec *codec, const struct socketio_owner *owner,
                        const char *pid);

/* The cursor to go on from, for a pid that was found good. `offset`: the last string that the
 * client has heard, or NULL. What cannot be gone on from becomes a cursor that the core tells a gap
 * for: never is more promised than was heard. */
void socketio_resume(struct cursor_codec *codec, const char *company, const char *pid,
                     const char *offset, char cursor[CURSOR_TEXT_MAX]);

/* The public id that belongs to it; nothing leads back. */
void socketio_sid(const char *pid, char sid[SOCKETIO_SID_LEN + 1]);

#endif
