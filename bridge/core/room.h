/* room.h - companies, their rooms, and who is in which.
 *
 * A room is found inside its company object, never by a joined string: there is no name with which
 * a session of one company could reach a room of another. A room lives while it has members; a
 * company lives while it has sessions or remembered events. */
#ifndef VIGIE_CORE_ROOM_H
#define VIGIE_CORE_ROOM_H

#include "core/event.h"
#include "core/protocol.h"

#include <stdbool.h>
#include <uthash.h>

struct session;
struct company;

/* One seat: a session in a room, known from both sides, so that leaving is O(1). */
struct seat {
    struct room *room;
    unsigned index; /* in room->members */
};

struct room {
    UT_hash_handle hh;
    struct company *company;
    struct session **members; /* dense, in no order */
    unsigned count;
    unsigned capacity;
    char name[];
};

/* The sessions of one user, for the limits per user. Two issuers may each have a user of that name:
 * they share the room `user:{name}`, not the limits. */
struct user {
    UT_hash_handle hh;
    struct session *sessions; /* utlist, oldest first */
    unsigned count;
    unsigned pending; /* questions to the database that wait for an answer, of all of them */
    char name[];      /* and behind its end the issuer's: both are the key */
};

/* A frame that all live sessions of a company and a protocol share. */
struct heartbeat {
    const struct protocol *protocol;
    struct frame *frame; /* of `seq`, or NULL */
    int64_t seq;
};

struct company {
    UT_hash_handle hh;
    struct room *rooms;
    struct user *users;
    unsigned session_count;
    struct event **events; /* a ring of remembered events, in order of seq; see history.c */
    unsigned event_capacity;
    unsigned event_head;
    unsigned event_count;
    struct heartbeat heartbeats[PROTOCOL_COUNT];
    char id[];
};

struct company *company_find(struct company *companies, const char *id);
/* Finds or makes it. */
struct company *company_get(struct company **companies, const char *id);
/* Frees it when nothing needs it any more. */
void company_release(struct company **companies, struct company *company);
void company_forget_heartbeats(struct company *company);

struct room *room_find(struct company *company, const char *name);
/* Seats the session; it must not sit there already, and have a free place in its own list. */
void room_join(struct company *company, const char *name, struct session *session);
/* Takes back the session's seat `index`; an empty room is freed. */
void room_leave(struct session *session, unsigned index);

#endif
