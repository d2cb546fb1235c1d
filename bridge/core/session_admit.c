/* Being let in, and being looked at anew with each token. */
#include "core/session_private.h"

#include "base/log.h"
#include "base/rate.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum {
    WARN_AHEAD_US = 60000000,
    RENEWAL_EVERY_MS = 6000, /* looking at a signature is dear: so often, */
    RENEWAL_BURST = 10,      /* but for so many that were saved up */
};

static struct user *user_get(struct company *company, const char *name, const char *issuer)
{
    size_t name_size = strlen(name) + 1;
    size_t key_len = name_size + strlen(issuer);
    struct user *user = mem_new(sizeof *user + key_len + 1);
    memcpy(user->name, name, name_size);
    memcpy(user->name + name_size, issuer, key_len - name_size);
    struct user *known = NULL;
    HASH_FIND(hh, company->users, user->name, key_len, known);
    if (known) {
        free(user);
        return known;
    }
    HASH_ADD_KEYPTR(hh, company->users, user->name, key_len, user);
    return user;
}

static void enter_user(struct session *session, const struct identity *identity)
{
    session->user = user_get(session->company, identity->user, identity->issuer);
    DL_APPEND(session->user->sessions, session);
    session->user->count++;
    if (session->user->count <= session->hub->options.limits.sessions_per_user)
        return;
    session->hub->metrics.rejected_limits[LIMIT_USER]++;
    session_close(session->user->sessions, CLOSE_REPLACED); /* the oldest; never the only one */
}

static void enter_room(struct session *session, const char *kind, const char *name)
{
    char room[EVENT_ROOM_BYTES_MAX + 1];
    int len = snprintf(room, sizeof room, "%s:%s", kind, name);
    assert(len > 0 && len < (int)sizeof room);
    room_join(session->company, room, session);
}

static char *join_roles(const struct identity *identity)
{
    struct buf roles;
    buf_init(&roles, 4096);
    for (size_t i = 0; i < identity->role_count; i++) {
        if (i)
            buf_char(&roles, '\n');
        buf_str(&roles, identity->roles[i]);
    }
    assert(!roles.overflow);
    return buf_take(&roles);
}

/* Those that a renewal brings are told, as those that it takes are; the first ones `ready` lists.
 */
static void enter_roles(struct session *session, const struct identity *identity)
{
    bool told = session->state == SESSION_CATCHING_UP || session->state == SESSION_LIVE;
    free(session->roles);
    session->roles = join_roles(identity);
    for (size_t i = 0; i < identity->role_count && session->state != SESSION_CLOSED; i++) {
        char room[EVENT_ROOM_BYTES_MAX + 1];
        snprintf(room, sizeof room, "role:%s", identity->roles[i]);
        if (session_take_seat(session, room) && told)
            session_tell_joined(session, room, -1);
    }
}

/* A minute ahead, or a quarter of the life of a very short token: warned at once of each, a client
 * would do nothing but renew. */
static int64_t warning_due(int64_t expires_us, int64_t now_us)
{
    int64_t quarter_us = (expires_us - now_us) / 4;
    return expires_us - (quarter_us < WARN_AHEAD_US ? quarter_us : WARN_AHEAD_US);
}

static void take_expiry(struct session *session, const struct identity *identity)
{
    struct hub *hub = session->hub;
    int64_t end_us = identity->expires_at_us + identity->leeway_us;
    int64_t left_ms = (end_us - hub->options.wall_us()) / 1000;
    session->expires_us = identity->expires_at_us;
    session->leeway_us = identity->leeway_us;
    session->expires_ms = hub->options.mono_ms() + left_ms;
    session->warn_us = warning_due(identity->expires_at_us, hub->options.wall_us());
    session->warned = false;
}

int64_t session_expires_in_s(const struct session *session)
{
    int64_t left_us = session->expires_us - session->hub->options.wall_us();
    return left_us > 0 ? left_us / 1000000 : 0;
}

static void log_open(const struct session *session)
{
    char id[20];
    snprintf(id, sizeof id, "%016" PRIx64, session->id);
    LOG_LINE(SESSION_LOG(session), "session_open", LOG_S("session", id),
             LOG_S("company", session->company->id), LOG_S("user", session->user->name),
             LOG_S("issuer", session->issuer), LOG_S("address", session->address),
             LOG_S("protocol", session->protocol->name));
}

/* Where it begins: after its cursor, or now. */
static void take_cursor(struct session *session, const char *text)
{
    session->pos = session->hub->position;
    if (!text)
        return;
    int64_t seq = 0;
    switch (cursor_read(session->hub->codec, session->company->id, text, &seq)) {
    case CURSOR_OK:
        session->pos = seq;
        session->resumed = true;
        return;
    case CURSOR_UNREADABLE:
        session->gap = GAP_CURSOR;
        return;
    case CURSOR_EPOCH:
        session->gap = GAP_EPOCH;
    }
}

static bool has_room_for(struct session *session, const struct identity *identity)
{
    struct company *company = company_find(session->hub->companies, identity->company);
    if (!company || company->session_count < session->hub->options.limits.sessions_per_company)
        return true;
    session->hub->metrics.rejected_limits[LIMIT_COMPANY]++;
    return false;
}

void session_admit(struct session *session, const struct identity *identity, const char *cursor,
                   const char *const *rooms, size_t room_count)
{
    assert(session->state == SESSION_ACCEPTED);
    struct hub *hub = session->hub;
    if (!hub->codec) {
        session_close(session, CLOSE_OVERLOADED); /* the database was never there yet: come back */
        return;
    }
    if (!has_room_for(session, identity)) {
        session_close(session, CLOSE_RATE_LIMITED);
        return;
    }
    session->company = company_get(&hub->companies, identity->company);
    session->company->session_count++;
    session->issuer = mem_strdup(identity->issuer);
    enter_user(session, identity);
    enter_room(session, "company", identity->company);
    enter_room(session, "user", identity->user);
    enter_roles(session, identity);
    take_expiry(session, identity);
    take_cursor(session, cursor);
    session->admitted_ms = session->beat_ms = hub->options.mono_ms();
    session_set_state(session, SESSION_ADMITTED);
    log_open(session);
    for (size_t i = 0; i < room_count; i++)
        session_want_room(session, rooms[i], -1);
    if (session->state == SESSION_ADMITTED)
        session_catch_up(session);
}

static bool same_person(const struct session *session, const struct identity *identity)
{
    return strcmp(session->company->id, identity->company) == 0 &&
           strcmp(session->user->name, identity->user) == 0 &&
           strcmp(session->issuer, identity->issuer) == 0;
}

static bool has_role(const struct identity *identity, const char *role)
{
    for (size_t i = 0; i < identity->role_count; i++)
        if (strcmp(identity->roles[i], role) == 0)
            return true;
    return false;
}

static bool is_lost_role(const char *room, const struct identity *identity)
{
    return strncmp(room, "role:", 5) == 0 && !has_role(identity, room + 5);
}

static bool loses_a_role(const struct session *session, const struct identity *identity)
{
    for (unsigned i = 0; i < session->seat_count; i++)
        if (is_lost_role(session->seats[i].room->name, identity))
            return true;
    return false;
}

/* Rights are looked at anew with each token: roles that it no longer names are left, and with a
 * lost role every room on request too, since it may have been what opened it, or is just opening
 * it: the client asks again. */
static void leave_lost_roles(struct session *session, const struct identity *identity)
{
    bool demoted = loses_a_role(session, identity);
    if (demoted)
        session_disown_pending(session);
    for (unsigned i = session->seat_count; i-- > 0 && session->state != SESSION_CLOSED;) {
        const char *name = session->seats[i].room->name;
        if (!is_lost_role(name, identity) && !(demoted && !session_room_is_given(name)))
            continue;
        struct frame *left = session->protocol->left(name, -1);
        room_leave(session, i);
        session_send(session, left);
    }
}

/* A renewal has the price of a signature, which is more than what a message costs. */
static bool may_renew(struct session *session)
{
    int64_t now_ms = session->hub->options.mono_ms();
    if (rate_spend(&session->renewals_ms, now_ms, RENEWAL_EVERY_MS,
                   RENEWAL_EVERY_MS * RENEWAL_BURST))
        return true;
    session->hub->metrics.rejected_limits[LIMIT_RENEWALS]++;
    session_close(session, CLOSE_RATE_LIMITED);
    return false;
}

static void renew(struct session *session, const struct identity *identity)
{
    if (!same_person(session, identity)) {
        session_close(session, CLOSE_FORBIDDEN);
        return;
    }
    session->hub->metrics.renewals[0]++;
    take_expiry(session, identity);
    leave_lost_roles(session, identity);
    if (session->state == SESSION_CLOSED)
        return;
    enter_roles(session, identity);
    if (session->state == SESSION_CLOSED)
        return;
    session_send(session, session->protocol->renewed(session_expires_in_s(session)));
}

void session_auth(struct session *session, const char *token, size_t token_len, const char *cursor,
                  const char *const *rooms, size_t room_count)
{
    struct hub *hub = session->hub;
    struct identity identity;
    if (session->state == SESSION_CLOSED)
        return;
    if (session->state == SESSION_ADMITTED) {
        session_close(session, CLOSE_BAD_REQUEST); /* one question at a time until `ready` */
        return;
    }
    if (session->state != SESSION_ACCEPTED && !may_renew(session))
        return;
    if (!hub->options.verify(hub->options.arg, token, token_len, session->address, &identity)) {
        session_close(session, CLOSE_UNAUTHORIZED);
        return;
    }
    if (session->state == SESSION_ACCEPTED)
        session_admit(session, &identity, cursor, rooms, room_count);
    else
        renew(session, &identity);
}
