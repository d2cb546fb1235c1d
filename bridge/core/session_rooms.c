/* Rooms on request: the database says who may join. */
#include "core/session_private.h"

#include "core/text.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum {
    PENDING_MAX = 64,
    USER_PENDING_MAX = 256, /* in all sessions: a part of what waits for a company */
};

/* ---- seats ---- */

int session_seat_of(const struct session *session, const char *name)
{
    struct room *room = room_find(session->company, name);
    for (unsigned i = 0; room && i < session->seat_count; i++)
        if (session->seats[i].room == room)
            return (int)i;
    return -1;
}

/* True when it did not sit there before. */
bool session_take_seat(struct session *session, const char *room)
{
    if (session_seat_of(session, room) >= 0)
        return false;
    room_join(session->company, room, session);
    /* live, the room counts from now on: a later step back must not bring what was before */
    if (session->state == SESSION_LIVE && session->hub->position > session->pos)
        session->pos = session->hub->position;
    return true;
}

void session_tell_joined(struct session *session, const char *room, int64_t id)
{
    char cursor[CURSOR_TEXT_MAX];
    session_write_cursor(session, session_reached(session), cursor);
    session_send(session, session->protocol->joined(room, id, cursor));
}

bool session_room_is_given(const char *room)
{
    return strncmp(room, "company:", 8) == 0 || strncmp(room, "user:", 5) == 0 ||
           strncmp(room, "role:", 5) == 0;
}

/* ---- asking ---- */

/* Rooms are asked for by one who is known and has heard `ready`. */
static bool may_talk(struct session *session)
{
    if (session->state == SESSION_ACCEPTED)
        session_close(session, CLOSE_UNAUTHORIZED);
    else if (session->state == SESSION_ADMITTED)
        session_close(session, CLOSE_BAD_REQUEST);
    return session->state == SESSION_CATCHING_UP || session->state == SESSION_LIVE;
}

static bool may_not_ask(const char *room)
{
    size_t len = strlen(room);
    const char *colon = strchr(room, ':');
    if (!text_is_name(room, len, EVENT_ROOM_BYTES_MAX) || !colon || colon == room || !colon[1])
        return true;
    return session_room_is_given(room); /* and only from there */
}

static void say_joined(struct session *session, const char *room, int64_t id)
{
    session->hub->metrics.joins[JOIN_OK]++;
    if (session->state != SESSION_ADMITTED) /* then `ready` will list it */
        session_tell_joined(session, room, id);
}

/* Before `ready` nothing is said; a door whose `ready` lists no rooms tells it afterwards. */
static void keep_refusal(struct session *session, const char *room, const char *code)
{
    if (!session->protocol->refused)
        return;
    struct refusal *refusal = mem_new(sizeof *refusal + strlen(room) + 1);
    refusal->code = code;
    strcpy(refusal->room, room);
    LL_APPEND(session->refusals, refusal);
}

void session_forget_refusals(struct session *session)
{
    struct refusal *refusal;
    struct refusal *next;
    LL_FOREACH_SAFE(session->refusals, refusal, next)
    free(refusal);
    session->refusals = NULL;
}

void session_tell_refusals(struct session *session)
{
    struct refusal *refusal;
    LL_FOREACH(session->refusals, refusal)
    session_send(session, session->protocol->refused(refusal->room, refusal->code));
    session_forget_refusals(session);
}

static void refuse(struct session *session, enum join_result result, const char *room,
                   const char *code, int64_t id)
{
    session->hub->metrics.joins[result]++;
    if (session->state == SESSION_ADMITTED)
        keep_refusal(session, room, code);
    else
        session_send(session, session->protocol->error(code, id));
}

static void put_roles(const struct session *session, struct buf *out)
{
    buf_str(out, "\"roles\":[");
    for (const char *role = session->roles; role && *role;) {
        size_t len = strcspn(role, "\n");
        if (role != session->roles)
            buf_char(out, ',');
        buf_json(out, role, len);
        role += len + (role[len] == '\n');
    }
    buf_char(out, ']');
}

/* The verified claims, written anew by us; the token itself never goes to the database. */
static char *claims_json(const struct session *session)
{
    struct buf out;
    buf_init(&out, 16384);
    buf_str(&out, "{\"company\":");
    buf_json(&out, session->company->id, strlen(session->company->id));
    buf_str(&out, ",\"user\":");
    buf_json(&out, session->user->name, strlen(session->user->name));
    buf_str(&out, ",\"role\":");
    buf_json(&out, session->roles, strcspn(session->roles, "\n"));
    buf_char(&out, ',');
    put_roles(session, &out);
    buf_char(&out, '}');
    assert(!out.overflow);
    return buf_take(&out);
}

static struct pending_join *pending_of(const struct session *session, uint8_t tag)
{
    for (unsigned i = 0; i < session->pending_count; i++)
        if (session->pending[i].tag == tag)
            return &session->pending[i];
    return NULL;
}

bool session_awaits(const struct session *session, uint8_t tag)
{
    if (tag == TICKET_REPLAY)
        return session->asking && session->state != SESSION_LIVE;
    const struct pending_join *join = pending_of(session, tag);
    return join && join->room;
}

/* One that no open question has: an answer must never be taken for that to another room. There are
 * more of them than questions can be open. */
static uint8_t take_tag(struct session *session)
{
    _Static_assert((int)PENDING_MAX < (int)TICKET_REPLAY, "there is always a free tag");
    do
        session->next_tag = (uint8_t)((session->next_tag + 1) % TICKET_REPLAY);
    while (pending_of(session, session->next_tag));
    return session->next_tag;
}

static void add_pending(struct session *session, const char *room, int64_t id)
{
    session->pending =
        mem_resize(session->pending, session->pending_count + 1u, sizeof(struct pending_join));
    uint8_t tag = take_tag(session);
    session->pending[session->pending_count++] =
        (struct pending_join){.room = mem_strdup(room), .id = id, .tag = tag};
    session->user->pending++;
}

static void drop_pending(struct session *session, struct pending_join *join)
{
    free(join->room);
    *join = session->pending[--session->pending_count];
    session->user->pending--;
}

static bool ask_permission(struct session *session, const char *room, int64_t id)
{
    struct hub *hub = session->hub;
    if (session->user->pending >= USER_PENDING_MAX)
        return false;
    add_pending(session, room, id);
    struct pending_join *join = &session->pending[session->pending_count - 1];
    char *claims = claims_json(session);
    bool asked = hub->options.may_join(hub->options.arg, session_ticket(session, join->tag),
                                       session->company->id, claims, room);
    free(claims);
    if (!asked)
        drop_pending(session, join);
    return asked;
}

/* As many rooms as it may have, those asked for among them. */
static bool has_seats_left(const struct session *session)
{
    size_t places = (size_t)session->seat_count + session->pending_count;
    return places < session->hub->options.limits.rooms_per_session &&
           session->pending_count < PENDING_MAX;
}

void session_want_room(struct session *session, const char *room, int64_t id)
{
    double *limits = session->hub->metrics.rejected_limits;
    if (session_seat_of(session, room) >= 0) {
        say_joined(session, room, id);
    } else if (!has_seats_left(session)) {
        limits[LIMIT_ROOMS]++;
        refuse(session, JOIN_REFUSED, room, "too_many_rooms", id);
    } else if (may_not_ask(room)) {
        refuse(session, JOIN_REFUSED, room, "forbidden", id);
    } else if (!ask_permission(session, room, id)) {
        limits[LIMIT_QUESTIONS]++;
        refuse(session, JOIN_UNAVAILABLE, room, "unavailable", id);
    }
}

void session_join(struct session *session, const char *room, int64_t id)
{
    if (may_talk(session))
        session_want_room(session, room, id);
}

static void judge(struct session *session, const char *room, int64_t id, enum permission permission)
{
    switch (permission) {
    case PERMISSION_ALLOWED:
        session_take_seat(session, room);
        say_joined(session, room, id);
        return;
    case PERMISSION_DENIED:
        refuse(session, JOIN_REFUSED, room, "forbidden", id);
        return;
    case PERMISSION_UNKNOWN:
        refuse(session, JOIN_UNAVAILABLE, room, "unavailable", id);
    }
}

void session_join_answered(struct session *session, uint8_t tag, enum permission permission)
{
    struct pending_join *join = pending_of(session, tag);
    if (!join)
        return;
    char *room = join->room;
    int64_t id = join->id;
    join->room = NULL;
    drop_pending(session, join);
    if (room)
        judge(session, room, id, permission);
    free(room);
    if (session->state == SESSION_ADMITTED)
        session_catch_up(session);
}

/* Whatever the answers will be, nobody waits for them any more. */
void session_disown_pending(struct session *session)
{
    for (unsigned i = 0; i < session->pending_count && session->state != SESSION_CLOSED; i++) {
        struct pending_join *join = &session->pending[i];
        if (!join->room)
            continue;
        free(join->room);
        join->room = NULL;
        refuse(session, JOIN_UNAVAILABLE, join->room, "unavailable", join->id);
    }
}

/* Takes back each question for that room; true when there was one. */
static bool withdraw(struct session *session, const char *room)
{
    bool any = false;
    for (unsigned i = 0; i < session->pending_count; i++) {
        struct pending_join *join = &session->pending[i];
        if (!join->room || strcmp(join->room, room) != 0)
            continue;
        free(join->room);
        join->room = NULL;
        any = true;
    }
    return any;
}

void session_leave(struct session *session, const char *room, int64_t id)
{
    if (!may_talk(session))
        return;
    int seat = session_seat_of(session, room);
    bool own = strncmp(room, "company:", 8) == 0 || strncmp(room, "user:", 5) == 0;
    bool withdrawn = withdraw(session, room);
    if ((seat < 0 && !withdrawn) || own) {
        refuse(session, JOIN_REFUSED, room, "forbidden", id);
        return;
    }
    if (seat >= 0)
        room_leave(session, (unsigned)seat);
    session_send(session, session->protocol->left(room, id));
}
