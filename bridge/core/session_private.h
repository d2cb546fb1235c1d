/* session_private.h - what the files of a session share. */
#ifndef VIGIE_CORE_SESSION_PRIVATE_H
#define VIGIE_CORE_SESSION_PRIVATE_H

#include "core/session.h"

enum {
    REPLAY_ROWS_FIRST = 32,
    OWN_BYTES = 16384, /* of the queue, beyond its budget: for what is said to one session alone */
};

/* The level of its log lines. */
#define SESSION_LOG(session) ((session)->protocol->brief ? LOG_DEBUG : LOG_INFO)

/* session.c */
void session_set_state(struct session *session, enum session_state state);
/* False when the queue is full; the frame is not consumed. */
bool session_push(struct session *session, struct frame *frame);
void session_write_cursor(const struct session *session, int64_t seq, char text[CURSOR_TEXT_MAX]);
/* Up to where everything was queued to it. Live, that is as far as the hub; or further, after a
 * resume that began on a bridge that has read more. */
int64_t session_reached(const struct session *session);

/* session_admit.c */
/* Whole seconds that the token still lives, not below 0. */
int64_t session_expires_in_s(const struct session *session);

/* session_rooms.c */
/* Its seat in that room, or -1. */
int session_seat_of(const struct session *session, const char *name);
/* Sits down; false when it sat there already. */
bool session_take_seat(struct session *session, const char *room);
void session_tell_joined(struct session *session, const char *room, int64_t id);
/* Company, user and roles: nobody asks for them, nobody leaves them. */
bool session_room_is_given(const char *room);
/* Asks for it, or refuses. */
void session_want_room(struct session *session, const char *room, int64_t id);
/* Tells the refusals that waited for `ready`. */
void session_tell_refusals(struct session *session);
void session_forget_refusals(struct session *session);
/* Whatever the answers to open questions are, they open nothing any more. */
void session_disown_pending(struct session *session);

#endif
