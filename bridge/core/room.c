#include "core/room.h"

#include "core/session.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct company *company_find(struct company *companies, const char *id)
{
    struct company *company = NULL;
    HASH_FIND_STR(companies, id, company);
    return company;
}

struct company *company_get(struct company **companies, const char *id)
{
    struct company *company = company_find(*companies, id);
    if (company)
        return company;
    company = mem_new(sizeof *company + strlen(id) + 1);
    strcpy(company->id, id);
    HASH_ADD_STR(*companies, id, company);
    return company;
}

void company_forget_heartbeats(struct company *company)
{
    for (int i = 0; i < PROTOCOL_COUNT; i++)
        frame_unref(company->heartbeats[i].frame);
    memset(company->heartbeats, 0, sizeof company->heartbeats);
}

void company_release(struct company **companies, struct company *company)
{
    if (company->session_count || company->event_count)
        return;
    assert(!company->rooms && !company->users);
    HASH_DEL(*companies, company);
    company_forget_heartbeats(company);
    free(company->events);
    free(company);
}

struct room *room_find(struct company *company, const char *name)
{
    struct room *room = NULL;
    HASH_FIND_STR(company->rooms, name, room);
    return room;
}

static struct room *room_get(struct company *company, const char *name)
{
    struct room *room = room_find(company, name);
    if (room)
        return room;
    room = mem_new(sizeof *room + strlen(name) + 1);
    room->company = company;
    strcpy(room->name, name);
    HASH_ADD_STR(company->rooms, name, room);
    return room;
}

void room_join(struct company *company, const char *name, struct session *session)
{
    assert(session->company == company);
    struct room *room = room_get(company, name);
    if (room->count == room->capacity) {
        room->capacity = room->capacity ? room->capacity * 2 : 4;
        room->members = mem_resize(room->members, room->capacity, sizeof(struct session *));
    }
    session->seats = mem_resize(session->seats, session->seat_count + 1, sizeof(struct seat));
    session->seats[session->seat_count++] = (struct seat){room, room->count};
    room->members[room->count++] = session;
}

/* The member that takes over a freed place learns its new index. */
static void reseat(struct room *room, unsigned index)
{
    struct session *moved = room->members[index];
    for (unsigned i = 0; i < moved->seat_count; i++)
        if (moved->seats[i].room == room)
            moved->seats[i].index = index;
}

void room_leave(struct session *session, unsigned index)
{
    struct seat seat = session->seats[index];
    session->seats[index] = session->seats[--session->seat_count];
    struct room *room = seat.room;
    assert(room->members[seat.index] == session);
    room->members[seat.index] = room->members[--room->count];
    if (room->count) {
        if (seat.index < room->count)
            reseat(room, seat.index);
        return;
    }
    HASH_DEL(room->company->rooms, room);
    free(room->members);
    free(room);
}
