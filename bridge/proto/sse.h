/* sse.h - Server-Sent Events as a session speaks them (WHATWG HTML, 9.2).
 *
 * Each event has its cursor as `id:`, so that what an EventSource sends back as Last-Event-ID is
 * where it goes on; its name as `event:`; and the payload alone as `data:`. What is no event of the
 * database (ready, gap, expiring, drain, close) has names that begin with `vigie:`, which no rule
 * may use. A heartbeat is a comment and an `id:` without data: it moves Last-Event-ID on and
 * dispatches nothing. */
#ifndef VIGIE_PROTO_SSE_H
#define VIGIE_PROTO_SSE_H

#include "core/session.h"

/* Frames are blocks of the stream, each ending with an empty line. */
extern const struct protocol sse_protocol;

/* `retry:` and a comment, the first bytes of a stream. The caller owns the frame. */
struct frame *sse_preamble(int64_t retry_ms) MUST_USE;
/* The last block: event `vigie:close`, data {"code":4440,"reason":"token_expired"}. */
struct frame *sse_goodbye(enum close_reason reason) MUST_USE;

#endif
