/* wsframe.h - RFC 6455 frames as a server writes them: never masked, never fragmented. */
#ifndef VIGIE_PROTO_WSFRAME_H
#define VIGIE_PROTO_WSFRAME_H

#include "core/frame.h"

enum { WSFRAME_TEXT = 0x1, WSFRAME_BINARY = 0x2, WSFRAME_CLOSE = 0x8, WSFRAME_PING = 0x9 };
enum { WSFRAME_HEADER_MAX = 10 };

/* A whole frame with its header, ready for the socket; the caller owns it. */
struct frame *wsframe_new(unsigned opcode, const void *payload, size_t len) MUST_USE;

/* What such a frame carries, without its header: `*len` bytes, borrowed from it. */
const void *wsframe_payload(const struct frame *frame, size_t *len);

/* The header alone, for `len` bytes of payload; returns its size. */
size_t wsframe_header(unsigned char header[WSFRAME_HEADER_MAX], unsigned opcode, size_t len);

#endif
