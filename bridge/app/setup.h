/* setup.h - from the configuration to the small option structs of each layer. */
#ifndef VIGIE_APP_SETUP_H
#define VIGIE_APP_SETUP_H

#include "app/conf.h"
#include "auth/token.h"
#include "core/channel.h"
#include "core/hub.h"
#include "pg/source.h"
#include "ws/server.h"

/* Everything that can be judged before anything starts: the files, the keys in them, the
 * certificate. The keys, loaded; or NULL, and every complaint is in `errors` with the place of its
 * option. */
struct verifier *setup_keys(const struct conf *conf, struct buf *errors) MUST_USE;

/* The map of channels; freed with setup_channels_free(). Its texts are its own. */
struct channel_map *setup_channels(const struct conf *conf) MUST_USE;
void setup_channels_free(struct channel_map *map);

struct hub_limits setup_limits(const struct conf *conf);
void setup_hub(const struct conf *conf, struct hub_options *options);
void setup_server(const struct conf *conf, struct server_options *options);
/* `channels` takes conf->channel_count names, borrowed from the configuration. */
void setup_source(const struct conf *conf, const char **channels, struct source_options *options);

#endif
