/* What a client sends. False, all the way up: it broke the protocol, its connection ends. */
#include "proto/socketio_private.h"

#include "base/rate.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum {
    ROOMS_MAX = 64,
    CONNECT_EVERY_MS = 2000, /* a CONNECT has the price of a signature: so often, */
    CONNECT_BURST = 2 * (SOCKETIO_NAMESPACES_MAX + 1) /* but for so many that were saved up */
};

static int find_namespace(const struct socketio *door, const char *name)
{
    for (unsigned i = 0; i <= door->options.namespace_count; i++)
        if (strcmp(socketio_name_of(door, i), name) == 0)
            return (int)i;
    return -1;
}

static struct socket *find_socket(const struct client *client, int nsp)
{
    struct socket *socket;
    DL_FOREACH(client->sockets, socket)
    if ((int)socket->nsp == nsp)
        return socket;
    return NULL;
}

/* Taken away by us, and the client may not have heard of it yet. */
static bool is_dismissed(const struct client *client, int nsp)
{
    return nsp >= 0 && client->dismissed & UINT32_C(1) << nsp;
}

/* ---- CONNECT ---- */

static bool may_connect(struct client *client)
{
    int64_t now_ms = client->door->options.hub->options.mono_ms();
    return rate_spend(&client->connects_ms, now_ms, CONNECT_EVERY_MS,
                      CONNECT_EVERY_MS * CONNECT_BURST);
}

/* The connection that had that pid is half open: its client is here. */
static void take_over(struct socketio *door, const char *pid)
{
    struct socket *old = NULL;
    HASH_FIND_STR(door->by_pid, pid, old);
    if (!old)
        return;
    struct client *client = old->client;
    client->dismissed |= UINT32_C(1) << old->nsp;
    socketio_drop(old, CLOSE_CLIENT);
    if (!client->sockets)
        socketio_end(client, CLOSE_CLIENT);
}

/* Any string is taken, "" for what is none: the core finds that it is no cursor. */
static const char *take_offset(const json_t *auth)
{
    const json_t *offset = json_object_get(auth, "offset");
    if (!offset || json_is_null(offset))
        return NULL;
    return json_is_string(offset) ? json_string_value(offset) : "";
}

/* Where it wants to go on from; false when it comes for the first time. */
static bool claim(struct socket *socket, const struct identity *identity, const json_t *auth,
                  char cursor[CURSOR_TEXT_MAX])
{
    const struct socketio *door = socket->door;
    struct cursor_codec *codec = door->options.hub->codec;
    const json_t *value = json_object_get(auth, "pid");
    const char *pid = json_string_value(value);
    const char *offset = take_offset(auth);
    if (!value || json_is_null(value) || door->options.no_recovery || !codec)
        return false;
    const struct socketio_owner owner = {socketio_namespace(socket), identity->company,
                                         identity->user, identity->issuer};
    socket->offered = offset != NULL;
    if (offset && strlen(offset) == SEAL_TEXT_LEN)
        strcpy(socket->offset, offset);
    cursor[0] = '\0';
    if (!pid || !socketio_pid_is_of(codec, &owner, pid))
        return true;
    take_over(socket->door, pid);
    socketio_set_pid(socket, pid);
    socketio_resume(codec, identity->company, pid, offset, cursor);
    return true;
}

static bool take_rooms(const json_t *auth, const char **rooms, size_t *count)
{
    const json_t *wanted = json_object_get(auth, "rooms");
    if (!wanted)
        return true;
    if (!json_is_array(wanted) || json_array_size(wanted) > ROOMS_MAX)
        return false;
    for (; *count < json_array_size(wanted); ++*count) {
        rooms[*count] = json_string_value(json_array_get(wanted, *count));
        if (!rooms[*count])
            return false;
    }
    return true;
}

static void let_in(struct socket *socket, const json_t *auth)
{
    struct session *session = socket->session;
    const struct hub_options *hub = &session->hub->options;
    const json_t *token = json_object_get(auth, "token");
    const char *text = json_is_string(token) ? json_string_value(token) : "";
    const char *rooms[ROOMS_MAX];
    size_t room_count = 0;
    struct identity identity;
    char cursor[CURSOR_TEXT_MAX];
    if (!take_rooms(auth, rooms, &room_count)) {
        session_close(session, CLOSE_BAD_REQUEST);
        return;
    }
    if (!hub->verify(hub->arg, text, strlen(text), session->address, &identity)) {
        session_close(session, CLOSE_UNAUTHORIZED);
        return;
    }
    bool resumes = claim(socket, &identity, auth, cursor);
    session_admit(session, &identity, resumes ? cursor : NULL, rooms, room_count);
}

static void welcome(struct socket *socket, const json_t *auth)
{
    const struct socketio_hooks *hooks = socket->door->options.hooks;
    if (hooks && socket->client && socket->session->state != SESSION_ADMITTED)
        hooks->on_connect(socket, auth);
}

static struct socket *join(struct client *client, unsigned nsp)
{
    struct socket *socket = mem_new(sizeof *socket);
    socket->door = client->door;
    socket->client = client;
    socket->nsp = nsp;
    socket->session = session_new(client->door->options.hub, &socketio_protocol,
                                  &socketio_transport, socket, engine_address(client->engine));
    if (!socket->session) {
        free(socket);
        return NULL;
    }
    client->dismissed &= ~(UINT32_C(1) << nsp);
    DL_APPEND(client->sockets, socket);
    return socket;
}

static bool hear_connect(struct client *client, const struct socketio_packet *packet)
{
    int nsp = find_namespace(client->door, packet->nsp);
    if (find_socket(client, nsp))
        return false;
    if (!may_connect(client)) {
        socketio_end(client, CLOSE_RATE_LIMITED);
        return true;
    }
    if (nsp < 0) {
        socketio_refuse_namespace(client, packet->nsp);
        return true;
    }
    struct socket *socket = join(client, (unsigned)nsp);
    if (socket) {
        let_in(socket, packet->json);
        welcome(socket, packet->json);
    } else {
        socketio_end(client, CLOSE_RESTART);
    }
    return true;
}

static bool hear_disconnect(struct client *client, const struct socketio_packet *packet)
{
    int nsp = find_namespace(client->door, packet->nsp);
    struct socket *socket = find_socket(client, nsp);
    if (!socket)
        return is_dismissed(client, nsp);
    socketio_drop(socket, CLOSE_CLIENT);
    return true;
}

/* ---- events ---- */

static void renew(struct socket *socket, const json_t *argument, int64_t id)
{
    struct session *session = socket->session;
    const json_t *token = json_object_get(argument, "token");
    if (!json_is_string(token)) {
        session_send(session, socketio_protocol.error("bad_request", id));
        return;
    }
    session_auth(session, json_string_value(token), json_string_length(token), NULL, NULL, 0);
    if (id >= 0) /* one that was closed for it takes no more */
        session_send(session, socketio_renewal_ack(session, id));
}

static void visit(struct socket *socket, const json_t *argument, int64_t id, bool joins)
{
    const char *room = json_string_value(argument);
    if (!room)
        session_send(socket->session, socketio_protocol.error("bad_request", id));
    else if (joins)
        session_join(socket->session, room, id);
    else
        session_leave(socket->session, room, id);
}

static void wonder(struct socket *socket, int64_t id)
{
    socket->door->unsupported[0]++;
    if (id >= 0)
        session_send(socket->session, socketio_protocol.error("unsupported", id));
}

/* What it says to us; a number may be a name too, and attachments go with nothing of ours. */
static const char *word_of(const struct socketio_packet *packet)
{
    const char *name = json_string_value(json_array_get(packet->json, 0));
    return name && packet->type == SOCKETIO_EVENT ? name : "";
}

static void act(struct socket *socket, const struct socketio_packet *packet)
{
    const char *word = word_of(packet);
    const json_t *argument = json_array_get(packet->json, 1);
    if (strcmp(word, "vigie:join") == 0)
        visit(socket, argument, packet->id, true);
    else if (strcmp(word, "vigie:leave") == 0)
        visit(socket, argument, packet->id, false);
    else if (strcmp(word, "vigie:auth") == 0)
        renew(socket, argument, packet->id);
    else
        wonder(socket, packet->id);
}

static bool hear_event(struct client *client, const struct socketio_packet *packet)
{
    const struct socketio_hooks *hooks = client->door->options.hooks;
    struct socket *socket = find_socket(client, find_namespace(client->door, packet->nsp));
    if (!socket || !session_spoke(socket->session))
        return true; /* dismissed just now */
    if (packet->type == SOCKETIO_ACK || packet->type == SOCKETIO_BINARY_ACK)
        return true; /* nothing of ours asks for one */
    if (!hooks || !hooks->on_event(socket, packet, client->attachments))
        act(socket, packet);
    return true;
}

/* Whether it may speak in that namespace: not before CONNECT was answered. */
static bool may_speak(const struct client *client, const struct socketio_packet *packet)
{
    int nsp = find_namespace(client->door, packet->nsp);
    const struct socket *socket = find_socket(client, nsp);
    return socket ? socket->answered : is_dismissed(client, nsp);
}

/* ---- packets ---- */

static bool hear(struct client *client, struct socketio_packet *packet)
{
    switch (packet->type) {
    case SOCKETIO_CONNECT:
        return hear_connect(client, packet);
    case SOCKETIO_DISCONNECT:
        return hear_disconnect(client, packet);
    case SOCKETIO_EVENT:
    case SOCKETIO_ACK:
    case SOCKETIO_BINARY_EVENT:
    case SOCKETIO_BINARY_ACK:
        if (!may_speak(client, packet))
            return false;
        if (!packet->attachments)
            return hear_event(client, packet);
        client->packet = *packet; /* until its attachments are here */
        packet->json = NULL;
        return true;
    case SOCKETIO_CONNECT_ERROR:
    case SOCKETIO_BAD:
        break;
    }
    return false;
}

static bool judge(struct client *client, bool fine)
{
    if (!fine)
        client->door->refused[0]++;
    return fine;
}

bool socketio_hear_text(void *state, const char *text, size_t len)
{
    struct client *client = state;
    struct socketio_packet packet;
    if (client->ending)
        return true;
    if (client->packet.json)
        return judge(client, false); /* attachments were announced */
    socketio_parse(text, len, &packet);
    bool fine = hear(client, &packet);
    socketio_packet_free(&packet);
    return judge(client, fine);
}

void socketio_forget_packet(struct client *client)
{
    for (unsigned i = 0; i < client->attachment_count; i++) {
        free(client->attachments[i].bytes);
        client->attachments[i] = (struct socketio_bytes){0};
    }
    client->attachment_count = 0;
    client->attachment_bytes = 0;
    socketio_packet_free(&client->packet);
}

static void keep(struct client *client, const void *bytes, size_t len)
{
    struct socketio_bytes *kept = &client->attachments[client->attachment_count++];
    client->attachment_bytes += len;
    if (!client->door->options.hooks)
        return;
    kept->bytes = mem_new(len + 1);
    kept->len = len;
    memcpy(kept->bytes, bytes, len);
}

bool socketio_hear_binary(void *state, const void *bytes, size_t len)
{
    struct client *client = state;
    size_t left = client->door->options.max_payload_bytes - client->attachment_bytes;
    if (client->ending)
        return true;
    if (!client->packet.json || len > left)
        return judge(client, false);
    keep(client, bytes, len);
    if (client->attachment_count < client->packet.attachments)
        return true;
    bool fine = hear_event(client, &client->packet);
    socketio_forget_packet(client);
    return judge(client, fine);
}
