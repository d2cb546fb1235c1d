/* engineio.h - Engine.IO v4, the server's side: one connection of a stock client, by HTTP long
 * polling, by WebSocket, or from the one to the other.
 *
 *     handshake --> polling --2probe--> polling and a probe --5--> websocket --> closed
 *     handshake ------------------------------------------------> websocket --> closed
 *
 * Pure: it knows requests and sockets only as the structs below, which the socket's side embeds in
 * what it keeps of them, and speaks through `struct engine_edge`. What the messages mean is for
 * `struct engine_upper`: Socket.IO (socketio.h), or an echo in the conformance tests.
 *
 * Nothing here calls back into whoever called it with a struct that is already detached: once a
 * request was answered or a socket hung up, `engine` in it is NULL. The edge's functions must not
 * call in here; of `upper`'s all may send and wake, only text() and binary() may close. A closed
 * engine's memory goes in the next engines_tick(): until then calls with it do nothing.
 *
 * Sources: the Engine.IO protocol, revision 4; what engine.io 6.6 answers (measured). */
#ifndef VIGIE_PROTO_ENGINEIO_H
#define VIGIE_PROTO_ENGINEIO_H

#include "base/metrics.h"
#include "core/outq.h"
#include "core/protocol.h"

#include <stdbool.h>
#include <stdint.h>
#include <uthash.h>

enum {
    ENGINE_SID_LEN = 20, /* 120 random bits in base64url: it is a bearer secret, never logged */
    ENGINE_ADDRESS_MAX = 64,
    ENGINE_PACKETS_MAX = 1000, /* in one POST */
};

/* The errors of the protocol: 400 (ENGINE_FORBIDDEN: 403) with {"code":N,"message":"…"}. */
enum engine_error {
    ENGINE_UNKNOWN_TRANSPORT,
    ENGINE_UNKNOWN_SID,
    ENGINE_BAD_METHOD,
    ENGINE_BAD_REQUEST,
    ENGINE_FORBIDDEN, /* the origin is not listed */
    ENGINE_UNSUPPORTED_VERSION,
    ENGINE_UNAVAILABLE, /* ours: 503, code 6; a stock client's pause grows on nothing else */
    ENGINE_ERROR_COUNT,
    ENGINE_OK = ENGINE_ERROR_COUNT
};
extern const char *const engine_error_names[ENGINE_ERROR_COUNT]; /* for metric and log */
unsigned engine_error_status(enum engine_error error);
/* The JSON body, static. */
const char *engine_error_body(enum engine_error error);

enum engine_method { ENGINE_GET, ENGINE_POST, ENGINE_OTHER };

/* What a request says of itself; texts borrowed, NULL when the argument is absent. */
struct engine_request {
    enum engine_method method;
    bool upgrade;          /* it is a WebSocket handshake */
    const char *version;   /* EIO */
    const char *transport; /* transport */
    const char *sid;       /* sid */
    const char *stamp;     /* t: stock clients give each request another */
    const char *address;   /* of the peer, without port, for log lines */
    const char *network;   /* what it counts under; NULL: the address */
    bool octets;           /* the body is application/octet-stream */
};

struct engine;

/* One HTTP request under way: a held GET, or a POST whose body is being read. Embedded by the edge,
 * zeroed before use. */
struct engine_http {
    struct engine *engine; /* NULL: answered, or never attached */
    bool post;
};

/* One WebSocket. Embedded by the edge, zeroed before use. */
struct engine_socket {
    struct engine *engine; /* NULL: hung up by us, or never attached */
    bool probe;            /* not the transport yet */
};

/* The way out, to the sockets' side. */
struct engine_edge {
    /* Answers a request; `http` is detached already and is the edge's again. The body is copied.
     * Content type: text/plain; charset=UTF-8, or JSON when `json`. */
    void (*answer)(struct engine_http *http, unsigned status, bool json, const char *body,
                   size_t len);
    /* Ends a request's connection without an answer (the older of two POSTs). Detached already. */
    void (*abort)(struct engine_http *http);
    /* There is something to write: engine_fill() until it gives 0, when the socket takes it. */
    void (*wake)(struct engine_socket *socket);
    /* Writes `last` (whole WebSocket frames, copied; often none) and nothing more of ours, then
     * the close frame of the reason, never CLOSE_CLIENT; of CLOSE_DEAD nothing. Detached already.
     */
    void (*hang_up)(struct engine_socket *socket, enum close_reason reason,
                    const unsigned char *last, size_t len);
};

/* One packet on its way out: head and body are written one after the other, as one packet. */
struct engine_packet {
    char head[80]; /* begins with the packet type, as '4' */
    size_t head_len;
    const void *body; /* borrowed until pop() */
    size_t len;
    bool binary; /* a binary message: `head` is empty */
};

/* What is above: one object for each engine. All functions are set. */
struct engine_upper {
    /* A new engine; the value is kept for the calls below. */
    void *(*open)(void *arg, struct engine *engine);
    /* The payload of one message packet. False: it broke the rules above, the engine is closed. */
    bool (*text)(void *state, const char *text, size_t len);
    bool (*binary)(void *state, const void *bytes, size_t len);
    /* The next packet to send, without taking it; false when nothing waits. */
    bool (*peek)(void *state, struct engine_packet *packet);
    void (*pop)(void *state);
    /* All that was waiting has been taken; more may come of it. */
    void (*drained)(void *state);
    /* Somebody known speaks through it: it counts no longer as unauthenticated. Asked again and
     * again; when it turns false the time to become known begins anew. */
    bool (*is_known)(const void *state);
    /* The end, for whatever reason: frees the state. */
    void (*closed)(void *state, enum close_reason reason);
};

struct engine_options {
    int64_t ping_interval_ms;
    int64_t ping_timeout_ms;
    int64_t upgrade_timeout_ms;
    int64_t auth_timeout_ms;     /* not known by then: closed */
    size_t max_payload_bytes;    /* of one POST and of one WebSocket message */
    unsigned packets_per_second; /* with a burst of twice as many; beyond: closed, rate_limited */
    unsigned max_engines;
    unsigned max_per_address;
    unsigned max_unauthenticated;
    struct metrics *metrics;
    int64_t (*mono_ms)(void);
    void (*random)(void *bytes, size_t len);
    const struct engine_edge *edge;
    const struct engine_upper *upper;
    void *upper_arg;
};

/* All engines of a door. */
struct engines;

/* Copies the options. Never NULL. */
struct engines *engines_new(const struct engine_options *options);
/* Closes what is left without a word. NULL is allowed. */
void engines_free(struct engines *engines);
/* Ceilings and times from now on; edge, upper and clocks stay. An engine keeps the heartbeat that
 * its client was told. */
void engines_set_options(struct engines *engines, const struct engine_options *options);
unsigned engines_count(const struct engines *engines);
/* Those that poll and have not ended: each of their requests may be a connection of its own. */
unsigned engines_polling(const struct engines *engines);
/* To be called every 100 ms: pings, deadlines. */
void engines_tick(struct engines *engines);
/* From now on handshakes are ENGINE_UNAVAILABLE. Engines that nobody known speaks through are
 * closed, the others go on. */
void engines_refuse(struct engines *engines);
/* Counts an error that the edge answered by itself (ENGINE_FORBIDDEN). */
void engines_note_error(struct engines *engines, enum engine_error error);

/* ---- requests: the edge has checked Host and Origin ---- */

/* A GET, or any method whose body does not matter, complete with its headers. A GET that a browser
 * repeats by itself, for its answer was lost on the way, closes the engine. Answers through the
 * edge, at once or when there is something to say; from then on `http->engine` is set until it is
 * answered. `available`: a handshake may open an engine (else ENGINE_UNAVAILABLE). */
void engines_request(struct engines *engines, const struct engine_request *request,
                     struct engine_http *http, bool available);
/* A POST, its headers complete. True: read the body and call engine_body(); false: it was
 * answered. The session of an overlapping POST is closed here. */
bool engines_post(struct engines *engines, const struct engine_request *request,
                  struct engine_http *http);
/* Its whole body, at most max_payload_bytes (longer: engine_body_too_long(), 413, the engine
 * lives). Does nothing when `http` was detached meanwhile: an engine that ends while a body is read
 * answers (400, code 1) or aborts before the body is complete. */
void engine_body(struct engine_http *http, const char *bytes, size_t len);
void engine_body_too_long(struct engine_http *http);
/* The connection of a request is gone before its answer: the engine is closed. Does nothing when
 * `http` is detached. */
void engine_http_gone(struct engine_http *http);

/* ---- WebSockets ---- */

/* May this handshake be accepted? ENGINE_OK, or what it is refused with. A second socket of an
 * engine is accepted and then hung up, as the reference does it. */
enum engine_error engines_judge_socket(struct engines *engines,
                                       const struct engine_request *request, bool available);
/* The handshake was accepted. False: it has no business here (a second one), or things changed
 * meanwhile: the edge closes it; `socket` was not attached. */
bool engines_socket(struct engines *engines, const struct engine_request *request,
                    struct engine_socket *socket);
/* One whole message. */
void engine_socket_text(struct engine_socket *socket, const char *text, size_t len);
void engine_socket_binary(struct engine_socket *socket, const void *bytes, size_t len);
/* A frame that is no message (a pong): has the price of a packet. */
void engine_socket_noise(struct engine_socket *socket);
/* A message over max_payload_bytes, or what is no message: the engine is closed for that reason
 * (a probe: only the probe). */
void engine_socket_broken(struct engine_socket *socket, enum close_reason reason);
/* It closed. Does nothing when detached. */
void engine_socket_gone(struct engine_socket *socket);
/* Fills `bytes` with whole WebSocket frames of what waits; 0: nothing, or the next does not fit
 * (never with ENGINE_FILL_BYTES). */
enum { ENGINE_FILL_BYTES = 131072 };
size_t engine_fill(struct engine_socket *socket, unsigned char *bytes, size_t size);

/* ---- for what is above ---- */

/* Something waits in peek(). Cheap; may be called often. */
void engine_wake(struct engine *engine);
/* Queues a packet of its own, before all that peek() gives: `text` begins with the type. The engine
 * is closed (slow_consumer) when too many wait. */
void engine_send(struct engine *engine, const char *text, size_t len);
/* Says goodbye as far as the transport can, and is gone: closed() is called from inside. What
 * engine_send() queued just before goes out first; a polling client that has no GET waiting finds
 * it with its next one, for ten seconds. Does nothing to an engine that is closed. */
void engine_close(struct engine *engine, enum close_reason reason);
const char *engine_address(const struct engine *engine);
void *engine_state(const struct engine *engine);

/* ---- pure parts, for tests and fuzzing ---- */

enum engine_type {
    ENGINE_TYPE_OPEN,
    ENGINE_TYPE_CLOSE,
    ENGINE_TYPE_PING,
    ENGINE_TYPE_PONG,
    ENGINE_TYPE_MESSAGE,
    ENGINE_TYPE_UPGRADE,
    ENGINE_TYPE_NOOP,
    ENGINE_TYPE_BINARY, /* "b" and base64, in a POST */
    ENGINE_TYPE_BAD
};

struct engine_part {
    enum engine_type type;
    const char *bytes; /* behind the type */
    size_t len;
};

/* The next packet of a POST body at `*at`, which moves behind it; false at the end. An empty
 * packet (empty body, two separators, one at the end) is ENGINE_TYPE_BAD. One pass in all. */
bool engine_next_part(const char *bytes, size_t len, size_t *at, struct engine_part *part);

#endif
