#include "echo.h"

#include "base/buf.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PACKET_MAX = 2 * 1024 * 1024 };

/* An event or acknowledgement with `arguments`; its bytes follow as messages of their own. */
static void say(struct socket *socket, const char *head, int64_t id, const json_t *arguments)
{
    struct buf packet;
    char *text = json_dumps(arguments, JSON_COMPACT | JSON_ENCODE_ANY);
    buf_init(&packet, PACKET_MAX);
    buf_str(&packet, head);
    if (id >= 0)
        buf_fmt(&packet, "%" PRId64, id);
    buf_str(&packet, text);
    socketio_say(socket, packet.bytes, packet.len);
    buf_free(&packet);
    free(text);
}

static void on_connect(struct socket *socket, const void *auth)
{
    /* libjansson's interface is not const; the caller's object is only counted */
    json_t *given = (json_t *)(uintptr_t)auth;
    json_t *event = json_pack("[s, o]", "auth", given ? json_incref(given) : json_object());
    say(socket, "2", -1, event);
    json_decref(event);
}

static void say_all(struct socket *socket, const struct socketio_packet *packet, bool ack,
                    const json_t *arguments, const struct socketio_bytes *attachments)
{
    char head[16] = {0};
    if (packet->attachments)
        snprintf(head, sizeof head, "%c%u-", ack ? '6' : '5', packet->attachments);
    else
        head[0] = ack ? '3' : '2';
    say(socket, head, ack ? packet->id : -1, arguments);
    for (unsigned i = 0; i < packet->attachments; i++)
        socketio_say_bytes(socket, attachments[i].bytes, attachments[i].len);
}

static bool on_event(struct socket *socket, const struct socketio_packet *packet,
                     const struct socketio_bytes *attachments)
{
    const char *name = json_string_value(json_array_get(packet->json, 0));
    if (!name || strcmp(socketio_namespace(socket), "/") != 0)
        return false;
    bool ack = strcmp(name, "message-with-ack") == 0;
    if (!ack && strcmp(name, "message") != 0)
        return false;
    json_t *arguments = json_copy(packet->json);
    if (ack)
        json_array_remove(arguments, 0);
    else
        json_array_set_new(arguments, 0, json_string("message-back"));
    say_all(socket, packet, ack, arguments, attachments);
    json_decref(arguments);
    return true;
}

const struct socketio_hooks echo_hooks = {.on_connect = on_connect, .on_event = on_event};
