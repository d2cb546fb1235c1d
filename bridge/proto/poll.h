/* poll.h - long poll: one request, one session, one answer.
 *
 *     {"events":[…],"cursor":"…"}                            events as on the native door
 *     {"events":[…],"gap":"retention","cursor":"…"}          refetch, then go on from the cursor
 *     {"events":[…],"cursor":"…","retry_after_ms":1830}      the bridge stops: come back then
 *
 * Stateless between two requests: the cursor of the answer is all that the next one needs. A
 * request without a cursor is answered at once, so that a client has one before it looks at
 * anything else: what happens from then on is in its next answer, whatever becomes of the
 * connection. */
#ifndef VIGIE_PROTO_POLL_H
#define VIGIE_PROTO_POLL_H

#include "base/buf.h"
#include "core/session.h"

/* Event frames are those of the native door, from the same cache; what else the core says becomes
 * short notes that poll_body() understands. */
extern const struct protocol poll_protocol;

/* Whether the session has something that ends the waiting: events and nothing more to catch up
 * within its queue, a gap, the bridge's end, a first cursor. To be called in the transport's
 * flush(); it also does what flush() owes to the session, so it may close it. */
bool poll_is_due(struct session *session);

/* Why a room that the request asked for is not given: "forbidden", "unavailable" or
 * "too_many_rooms"; NULL when all are. An answer without its events, and with a cursor behind them,
 * would lose them in silence: the request is refused instead. */
const char *poll_refusal(struct session *session);

/* Takes what is queued and writes the whole answer; also before the session is due, when its time
 * is over. `body` is empty, with a ceiling of POLL_FRAME_BYTES more than session->outq.used_bytes.
 * Not to be called for a session that is closed. */
enum { POLL_FRAME_BYTES = 256 };
void poll_body(struct session *session, struct buf *body);

#endif
