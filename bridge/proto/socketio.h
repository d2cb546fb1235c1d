/* socketio.h - Socket.IO v5 over Engine.IO: namespaces, each a session of the core.
 *
 *     engine 1 --- 1 client 1 --- n sockets (one a namespace joined) 1 --- 1 session
 *
 * A CONNECT is always answered: with CONNECT and a sid once the session is ready, with
 * CONNECT_ERROR when the token is refused, or by the end of the connection when the database does
 * not answer in time (a stock client then comes back, and is told 503).
 *
 * Recovery is stateless. The pid that a client is given holds where it began, sealed, and a MAC
 * over that, the namespace and the person; each event carries its cursor as last argument, which
 * a stock client brings back as `offset`. So any bridge that has the key can go on from there, also
 * one that was started since. The token is verified again each time. Where the way back is not
 * certain the pid is a new one, which makes `recovered` false, and the event `vigie:gap` says why.
 *
 * A stock client takes the last argument of any event for its offset when that is a string. So what
 * is no event of the database ends with a cursor too: the last one that went out before it.
 *
 * What a stock client may emit: `vigie:join` and `vigie:leave` (room, acknowledgement),
 * `vigie:auth` ({token}, acknowledgement). Anything else is acknowledged as unsupported, never an
 * error. Attachments are read and dropped; none is ever sent.
 *
 * An event whose name a stock client's decoder refuses (socketio_is_reserved()) would bring it back
 * in a loop for ever. The rules of the database refuse such names; should one come all the same, it
 * goes out as `vigie:renamed:NAME` and is counted.
 *
 * Sources: Socket.IO protocol, revision 5; what socket.io-client 4.8 does on each answer
 * (measured). */
#ifndef VIGIE_PROTO_SOCKETIO_H
#define VIGIE_PROTO_SOCKETIO_H

#include "core/session.h"
#include "proto/engineio.h"

enum {
    SOCKETIO_NAMESPACES_MAX = 16,
    SOCKETIO_NAMESPACE_BYTES_MAX = 64,
    SOCKETIO_ATTACHMENTS_MAX = 10,
};

/* How a session of this door speaks: its frames are Socket.IO packets without the engine's digit
 * and without the namespace, as 2["devis:signed",{…},"cursor"], so that one encoding serves all
 * namespaces and both transports. */
extern const struct protocol socketio_protocol;
/* What the door of engines is given; upper_arg is a struct socketio. */
extern const struct engine_upper socketio_upper;

struct socket;
struct socketio_packet;

struct socketio_bytes {
    unsigned char *bytes;
    size_t len;
};

/* What a program does that is not the bridge: the one that the conformance suites run against. */
struct socketio_hooks {
    /* `socket` was let in, by CONNECT with `auth` (a json_t object, or NULL). */
    void (*on_connect)(struct socket *socket, const void *auth);
    /* True: it was handled. `attachments`: as many as the packet says, dropped afterwards. */
    bool (*on_event)(struct socket *socket, const struct socketio_packet *packet,
                     const struct socketio_bytes *attachments);
};

struct socketio_options {
    struct hub *hub;
    const char *const *namespaces; /* beside "/": '/' and printable ASCII, no ',' '?' */
    size_t namespace_count;        /* at most SOCKETIO_NAMESPACES_MAX */
    size_t max_payload_bytes;      /* of the attachments of one packet together */
    struct metrics *metrics;
    const struct socketio_hooks *hooks; /* NULL in the bridge; borrowed. Only with no_recovery */
    bool no_recovery;                   /* CONNECT is answered without pid */
};

/* The door: what all clients share. Copies the options; never NULL. */
struct socketio;
struct socketio *socketio_new(const struct socketio_options *options);
/* Every engine must be gone. NULL is allowed. */
void socketio_free(struct socketio *door);
/* What waited for the end of the turn: answers that belong to no session go out, engines end,
 * sessions are told that they are gone. To be called each turn, after hub_flush() and before
 * hub_reap(). */
void socketio_settle(struct socketio *door);

/* For hooks: a packet (as 2["name",1], without engine's digit, namespace and attachments' bytes),
 * and the bytes of an attachment. */
void socketio_say(struct socket *socket, const char *packet, size_t len);
void socketio_say_bytes(struct socket *socket, const void *bytes, size_t len);
const char *socketio_namespace(const struct socket *socket);

/* ---- pure parts, for tests and fuzzing ---- */

enum socketio_type {
    SOCKETIO_CONNECT,
    SOCKETIO_DISCONNECT,
    SOCKETIO_EVENT,
    SOCKETIO_ACK,
    SOCKETIO_CONNECT_ERROR,
    SOCKETIO_BINARY_EVENT,
    SOCKETIO_BINARY_ACK,
    SOCKETIO_BAD
};

/* One packet; its texts live in `json` and in the bytes given until socketio_packet_free(). */
struct socketio_packet {
    enum socketio_type type;
    unsigned attachments;
    /* "/" when none was named; without a query; printable ASCII without a comma */
    char nsp[SOCKETIO_NAMESPACE_BYTES_MAX + 1];
    int64_t id; /* below 0: no acknowledgement wanted */
    void *json; /* object, array or NULL */
};

/* Never fails: what breaks a rule of the protocol is SOCKETIO_BAD (a type or number that is none,
 * too many attachments, a name that is too long, JSON that does not parse or is not what the type
 * asks for, an event without a name or with a reserved one). */
void socketio_parse(const char *text, size_t len, struct socketio_packet *packet);
void socketio_packet_free(struct socketio_packet *packet);

/* Whether a client's decoder would refuse an event of that name and come back in a loop. */
bool socketio_is_reserved(const char *name);

#endif
