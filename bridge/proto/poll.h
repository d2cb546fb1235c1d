/* poll.h - long poll: one request, one session, one answer.
 *
 *     {"events":[…],"cursor":"…"}                      events as on the native door
 *     {"events":[…],"gap":"retention","cursor":"…"}    refetch, then go on from the cursor
 *
 * Stateless between two requests: the cursor of the answer is all that the next one needs. */
#ifndef VIGIE_PROTO_POLL_H
#define VIGIE_PROTO_POLL_H

#include "core/session.h"

/* Event frames are those of the native door, from the same cache; what else the core says becomes
 * short notes that poll_body() understands. */
extern const struct protocol poll_protocol;

/* Whether the session has something that ends the waiting: events and nothing more to catch up, a
 * queue that is half full, a gap. */
bool poll_is_due(const struct session *session);

/* Takes what is queued and writes the whole answer. `body` is empty with a ceiling that holds the
 * session's queue. */
void poll_body(struct session *session, struct buf *body);

#endif
