/* door_stream.h - the plain HTTP doors: /events (Server-Sent Events), /poll, /ticket.
 *
 * Who asks is known before anything is said: a bearer token, or a ticket got with one. Until the
 * first frame is there no head is written, so that a refusal is a status that every client
 * understands; after it, a stream ends with its own last words. */
#ifndef VIGIE_WS_DOOR_STREAM_H
#define VIGIE_WS_DOOR_STREAM_H

#include "ws/exchange.h"

extern const struct door door_events;
extern const struct door door_poll;
extern const struct door door_ticket;

/* Answers the polls that were held long enough; to be called every 100 ms. */
void door_poll_tick(struct server *server);

#endif
