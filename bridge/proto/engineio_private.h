/* engineio_private.h - what the files of engineio share.
 *
 *     engineio.c          the table of engines: ceilings and time
 *     engineio_request.c  from a request or a socket to its engine
 *     engineio_engine.c   one engine: what it hears, when it ends
 *     engineio_probe.c    its way from polling to WebSocket
 *     engineio_packet.c   bytes to packets, base64, the errors
 *     engineio_out.c      packets to bytes: bodies and frames */
#ifndef VIGIE_PROTO_ENGINEIO_PRIVATE_H
#define VIGIE_PROTO_ENGINEIO_PRIVATE_H

#include "base/buf.h"
#include "proto/engineio.h"

enum {
    ENGINE_CONTROL_MAX = 256,     /* packets of engine_send() that may wait, */
    ENGINE_CONTROL_BYTES = 65536, /* and their bytes */
    ENGINE_KEEP_MS = 10000,       /* last words wait for a GET as long as this */
    ENGINE_STAMP_MAX = 32,        /* longer ones are not told apart */
    ENGINE_SEPARATOR = 0x1e,
};

enum engine_stage {
    ENGINE_POLLING,
    ENGINE_WEBSOCKET,
    ENGINE_KEPT, /* ended; only its last words are left, for the next GET */
    ENGINE_ENDED
};

enum upgrade_result { UPGRADE_OK, UPGRADE_FAILED, UPGRADE_TIMEOUT, UPGRADE_RESULT_COUNT };
enum engine_limit {
    LIMIT_ENGINES,
    LIMIT_ADDRESS,
    LIMIT_UNAUTHENTICATED,
    LIMIT_PAYLOAD,
    ENGINE_LIMIT_COUNT
};

/* Those that came from one address. */
struct engine_peer {
    unsigned count;
    UT_hash_handle hh;
    char address[ENGINE_ADDRESS_MAX];
};

struct engine {
    struct engines *owner;
    void *state; /* of what is above; NULL once it was told the end */
    struct engine_peer *peer;
    uint8_t stage;
    bool known;
    bool held;           /* no GET is answered: it would be in the midst of a POST or an answer */
    bool pong_refreshed; /* once for each ping */
    bool probed;         /* 2probe was heard: no GET waits any more */
    bool probe_owed;     /* 3probe was not written yet */
    char sid[ENGINE_SID_LEN + 1];
    char address[ENGINE_ADDRESS_MAX];
    char stamp[ENGINE_STAMP_MAX]; /* of the last GET; empty: it had none */
    struct engine_http *get;
    struct engine_http *post; /* its body is being read */
    struct engine_socket *socket;
    struct engine_socket *probe;
    struct outq control; /* packets of ours, as text */
    char *last;          /* what a kept engine has to say */
    size_t last_len;
    int64_t opened_ms;
    int64_t ping_interval_ms; /* as the client was told */
    int64_t ping_timeout_ms;
    int64_t ping_ms;  /* when the next ping is due */
    int64_t pong_ms;  /* the answer to the last one, else dead; 0: none is out */
    int64_t known_ms; /* known by then, or closed */
    int64_t probe_ms; /* upgraded by then, or the probe is dropped */
    int64_t probed_ms;
    int64_t keep_ms;
    int64_t speech; /* thousandths of packets that it may still send at once */
    int64_t speech_ms;
    UT_hash_handle hh;
    struct engine *prev; /* in the order of visits */
    struct engine *next;
};

struct engines {
    struct engine_options options;
    struct engine *by_sid; /* with the kept ones */
    struct engine *visits; /* the same; the first is the next to be visited */
    struct engine *closed; /* freed in the next tick */
    struct engine_peer *peers;
    unsigned unauthenticated;
    bool refusing;
    unsigned ticks;
    unsigned slice; /* of the visits, for each tick of a second */
    double *living; /* by transport */
    double *errors;
    double *upgrades;
    double *ended;
    double *limits;
    struct histogram *upgrade_seconds;
};

static inline bool engine_lives(const struct engine *engine)
{
    return engine->stage == ENGINE_POLLING || engine->stage == ENGINE_WEBSOCKET;
}

static inline int64_t engine_now(const struct engine *engine)
{
    return engine->owner->options.mono_ms();
}

/* ---- engineio_engine.c ---- */

/* What a GET that waits hears when its engine ends. */
enum engine_farewell {
    FAREWELL_CLOSE, /* the words that wait and `1` */
    FAREWELL_NOOP,  /* `6`: it was the client's wish */
    FAREWELL_KEEP   /* as CLOSE; without a GET it is kept for the next one */
};
void engine_end(struct engine *engine, enum close_reason reason, enum engine_farewell farewell);
/* One packet. False: it broke a rule, and ended the engine. */
bool engine_hear(struct engine *engine, const struct engine_part *part);
bool engine_hear_binary(struct engine *engine, const void *bytes, size_t len);
/* Counts a packet. False: one too many, and the engine is ended. */
bool engine_spend(struct engine *engine);
/* What is due is done. False: the engine is ended, or kept, or gone. */
bool engine_visit(struct engine *engine, int64_t now_ms);
/* `http` is the edge's again. */
void engine_detach(struct engine *engine, struct engine_http *http);
void engine_note_known(struct engine *engine, int64_t now_ms);

/* ---- engineio_probe.c ---- */

void engine_attach_probe(struct engine *engine, struct engine_socket *socket);
/* One message of the socket that is not the transport yet. */
void engine_probe_text(struct engine *engine, const char *text, size_t len);
void engine_drop_probe(struct engine *engine, enum close_reason reason, enum upgrade_result result);
/* The probe has detached itself or was detached. */
void engine_forget_probe(struct engine *engine, enum upgrade_result result);

/* ---- engineio.c ---- */

bool engines_have_room(struct engines *engines, const struct engine_request *request);
struct engine *engine_open(struct engines *engines, const struct engine_request *request,
                           enum engine_stage stage);
struct buf engine_open_packet(const struct engine *engine);
void engine_tell_open(struct engine *engine);

/* Out of the table and the ceilings; freed with the next tick. */
void engines_bury(struct engine *engine);

/* ---- engineio_out.c ---- */

/* Answers the waiting GET, if there is something to say (once probed: at once). */
void engine_answer_get(struct engine *engine);
/* All packets of ours that wait, as the beginning of a polling body or as frames. */
void engine_put_control(struct engine *engine, struct buf *out);
void engine_put_control_frames(struct engine *engine, struct buf *out);

/* ---- engineio_packet.c ---- */

struct engine_part engine_part_of(const char *text, size_t len);
/* Base64 with padding, strictly: the bytes, owned by the caller, or NULL. */
void *engine_base64_decode(const char *text, size_t len, size_t *out_len);
void engine_base64_add(struct buf *out, const void *bytes, size_t len);

#endif
