/* echo.h - what stands in place of the product when the protocols themselves are tested. */
#ifndef VIGIE_TESTS_CONFORMANCE_ECHO_H
#define VIGIE_TESTS_CONFORMANCE_ECHO_H

#include "proto/engineio.h"
#include "proto/socketio.h"

/* Above Engine.IO alone: every message comes back as it came. Its upper_arg is not used. */
extern const struct engine_upper echo_upper;

/* Above Socket.IO: `auth` tells what a CONNECT brought, `message` (of "/") comes back as
 * `message-back`, `message-with-ack` is acknowledged with its arguments; bytes included. */
extern const struct socketio_hooks echo_hooks;

#endif
