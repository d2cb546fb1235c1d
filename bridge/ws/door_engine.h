/* door_engine.h - requests and WebSockets at the path of Engine.IO, mapped onto proto/engineio.
 *
 * What an engine has to write waits for the end of the turn and leaves then, as one write. */
#ifndef VIGIE_WS_DOOR_ENGINE_H
#define VIGIE_WS_DOOR_ENGINE_H

#include "base/err.h"
#include "ws/exchange.h"

extern const struct door door_engine;
/* The client that a page may load: socket.io.js and socket.io.min.js. */
extern const struct door door_client_file;

/* Engines, as the options ask for them; or none. False with `err`. */
bool door_engine_make(struct server *server, struct err *err);
void door_engine_set_options(struct server *server);
/* Every connection must be gone. */
void door_engine_free(struct server *server);

bool door_engine_is_at(const struct server *server, const char *path);
bool door_engine_has_file_at(const struct server *server, const char *path);

/* Writes what the engines woke for in this turn. True when they woke for more. */
bool door_engine_flush(struct server *server);

#endif
