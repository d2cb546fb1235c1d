#include "app/setup.h"

#include <stdlib.h>
#include <string.h>

static struct issuer_options issuer(const struct conf_issuer *from)
{
    return (struct issuer_options){
        .name = from->name,
        .iss = from->iss,
        .audience = from->audience,
        .algorithm = from->algorithm[0] ? from->algorithm : NULL,
        .key_file = from->key_file[0] ? from->key_file : NULL,
        .jwks_file = from->jwks_file[0] ? from->jwks_file : NULL,
        .kid = from->kid,
        .typ = from->typ,
        .company_claim = from->company_claim,
        .user_claim = from->user_claim,
        .role_claim = from->role_claim,
        .companies = from->companies.items,
        .company_count = from->companies.count,
        .leeway_s = from->leeway_s,
        .max_ttl_s = from->max_ttl_s,
    };
}

struct verifier *setup_verifier(const struct conf *conf, struct err *err)
{
    struct issuer_options *issuers = mem_resize(NULL, conf->issuer_count, sizeof *issuers);
    for (size_t i = 0; i < conf->issuer_count; i++)
        issuers[i] = issuer(&conf->issuers[i]);
    struct verifier *verifier = verifier_new(issuers, conf->issuer_count, err);
    free(issuers);
    return verifier;
}

static char *pattern(const struct conf_room *room)
{
    struct buf text;
    buf_init(&text, EVENT_ROOM_BYTES_MAX * 2);
    buf_str(&text, room->text);
    if (room->form == CONF_ROOM_KIND)
        buf_str(&text, "*");
    if (room->form == CONF_ROOM_COMPANY)
        buf_str(&text, "{company}");
    return buf_take(&text);
}

static void take_channel(struct channel_rule *rule, const struct conf_channel *from)
{
    const char **patterns = mem_resize(NULL, from->room_count, sizeof *patterns);
    for (size_t i = 0; i < from->room_count; i++)
        patterns[i] = pattern(&from->rooms[i]);
    *rule = (struct channel_rule){mem_strdup(from->channel), patterns, from->room_count};
}

struct channel_map *setup_channels(const struct conf *conf)
{
    struct channel_map *map = mem_new(sizeof *map);
    struct channel_rule *rules = mem_resize(NULL, conf->channel_count, sizeof *rules);
    for (size_t i = 0; i < conf->channel_count; i++)
        take_channel(&rules[i], &conf->channels[i]);
    *map = (struct channel_map){rules, conf->channel_count};
    return map;
}

/* The map owns what its const pointers lend. */
static void give_back(const void *memory)
{
    free((void *)(uintptr_t)memory);
}

void setup_channels_free(struct channel_map *map)
{
    if (!map)
        return;
    for (size_t i = 0; i < map->count; i++) {
        for (size_t p = 0; p < map->rules[i].pattern_count; p++)
            give_back(map->rules[i].patterns[p]);
        give_back(map->rules[i].patterns);
        give_back(map->rules[i].channel);
    }
    give_back(map->rules);
    free(map);
}

struct hub_limits setup_limits(const struct conf *conf)
{
    return (struct hub_limits){
        .sessions_per_user = (unsigned)conf->limits.sessions_per_user,
        .sessions_per_company = (unsigned)conf->limits.sessions_per_company,
        .rooms_per_session = (unsigned)conf->limits.rooms_per_session,
        .messages_per_second = (unsigned)conf->limits.messages_per_second,
        .queue_bytes = (size_t)conf->limits.queue_bytes,
        .queue_total_bytes = (size_t)conf->limits.queue_total_bytes,
        .auth_timeout_ms = conf->limits.auth_timeout_ms,
        .slow_timeout_ms = conf->limits.slow_timeout_ms,
        .max_session_ms = conf->limits.max_session_ms,
    };
}

void setup_hub(const struct conf *conf, struct hub_options *options)
{
    options->limits = setup_limits(conf);
    options->history_bytes = (size_t)conf->history.bytes;
    options->history_age_ms = conf->history.age_ms;
    options->heartbeat_ms = conf->heartbeat.interval_ms;
    options->heartbeat_timeout_ms = conf->heartbeat.timeout_ms;
}

void setup_server(const struct conf *conf, struct server_options *options)
{
    options->address = conf->listen.address;
    options->port = (int)conf->listen.port;
    options->tls = conf->listen.tls;
    options->certificate = conf->listen.certificate;
    options->private_key = conf->listen.private_key;
    options->origins = (struct server_list){conf->listen.origins.items, conf->listen.origins.count};
    options->hosts = (struct server_list){conf->listen.hosts.items, conf->listen.hosts.count};
    options->site = conf->demo.enabled ? conf->demo.directory : NULL;
    options->admin_address = conf->admin.address;
    options->admin_port = (int)conf->admin.port;
    options->max_sessions = (unsigned)conf->limits.sessions;
    options->max_per_address = (unsigned)conf->limits.sessions_per_address;
    options->max_unauthenticated = (unsigned)conf->limits.unauthenticated;
    options->max_message_bytes = (size_t)conf->limits.message_bytes;
    options->header_timeout_ms = conf->limits.header_timeout_ms;
}

void setup_source(const struct conf *conf, const char **channels, struct source_options *options)
{
    for (size_t i = 0; i < conf->channel_count; i++)
        channels[i] = conf->channels[i].channel;
    options->url = conf->database.url;
    options->channels = channels;
    options->channel_count = conf->channel_count;
    options->reconnect_min_ms = conf->database.reconnect_min_ms;
    options->reconnect_max_ms = conf->database.reconnect_max_ms;
    options->safety_poll_ms = conf->database.safety_poll_ms;
    options->busy_poll_ms = conf->database.busy_poll_ms;
    options->statement_timeout_ms = conf->database.statement_timeout_ms;
    options->batch_rows = (int)conf->database.batch_rows;
}
