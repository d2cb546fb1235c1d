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

/* Takes one query argument, decoded, as "name=value". Unknown names are ignored. False when it is
 * refused: a token in the URL, a second cursor or ticket, too many rooms, a ticket that cannot be
 * one. `last_event_id` and `cursor` are the same thing; the header, given afterwards with
 * stream_take_header(), wins. */
bool stream_take(struct stream_request *request, const char *argument, size_t len);
void stream_take_header(struct stream_request *request, const char *last_event_id);

#endif
