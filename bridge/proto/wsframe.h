/* wsframe.h - RFC 6455 frames as a server writes them: never masked, never fragmented. */
#ifndef VIGIE_PROTO_WSFRAME_H
#define VIGIE_PROTO_WSFRAME_H

#include "core/frame.h"

enum { WSFRAME_TEXT = 0x1, WSFRAME_CLOSE = 0x8, WSFRAME_PING = 0x9 };

/* A whole frame with its header, ready for the socket; the caller owns it. */
struct frame *wsframe_new(unsigned opcode, const void *payload, size_t len) MUST_USE;

#endif
