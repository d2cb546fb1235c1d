/* stream.h - what a request to /events, /poll or /ticket asks for. */
#ifndef VIGIE_PROTO_STREAM_H
#define VIGIE_PROTO_STREAM_H

#include <stdbool.h>
#include <stddef.h>

enum { STREAM_ROOMS_MAX = 64, STREAM_TICKET_LEN = 43 };

/* Texts borrowed from the arguments. */
struct stream_request {
    const char *cursor; /* NULL: none */
    const char *ticket; /* NULL: none */
    const char *rooms[STREAM_ROOMS_MAX];
    size_t room_count;
};

/* Takes one query argument, decoded, as "name=value" with a NUL behind its `len` bytes:
 *
 *     cursor=, last_event_id=   the same thing: where to go on; empty: nowhere
 *     ticket=                   43 characters of base64url
 *     room=                     a room on request; again for each, at most STREAM_ROOMS_MAX
 *
 * Unknown names are ignored. False when it is refused: a token in the URL, a second cursor or
 * ticket, too many rooms or one without a name, a ticket that cannot be one, a NUL inside. */
bool stream_take(struct stream_request *request, const char *argument, size_t len);

/* The header Last-Event-ID, NULL or empty when there is none; given after the arguments, it wins:
 * an EventSource comes back with the URL it began with, and with what it has heard since. */
void stream_take_header(struct stream_request *request, const char *last_event_id);

#endif
