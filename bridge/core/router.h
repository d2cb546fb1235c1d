/* router.h - from an event to the sessions that may see it. */
#ifndef VIGIE_CORE_ROUTER_H
#define VIGIE_CORE_ROUTER_H

#include "core/hub.h"

/* Publishes the next events of the feed, in order, borrowed; `position` is that of the last one.
 * Queues only: hub_flush() writes. */
void router_publish(struct hub *hub, struct event **events, size_t count, int64_t position);

#endif
