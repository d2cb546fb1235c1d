#include "app/setup.h"

#include <stdio.h>
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

static struct verifier *load_verifier(const struct conf *conf, struct err *err)
{
    struct issuer_options *issuers = mem_resize(NULL, conf->issuer_count, sizeof *issuers);
    for (size_t i = 0; i < conf->issuer_count; i++)
        issuers[i] = issuer(&conf->issuers[i]);
    struct verifier *verifier = verifier_new(issuers, conf->issuer_count, err);
    free(issuers);
    return verifier;
}

/* The option that a complaint begins with ("key_file …"), or the issuer's name. */
static const char *option_of(const char *why)
{
    static const char *const keys[] = {"key_file", "jwks_file", "algorithm",
                                       "kid",      "typ",       "companies"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (strncmp(why, keys[i], strlen(keys[i])) == 0)
            return keys[i];
    return "name";
}

/* A complaint of auth/ begins with "issuer NAME: "; one about two issuers is the later one's. */
static void blame_issuer(const struct conf *conf, const char *why, struct buf *errors)
{
    for (size_t i = 0; i < conf->issuer_count; i++) {
        char head[128];
        snprintf(head, sizeof head, "issuer %s: ", conf->issuers[i].name);
        if (strncmp(why, head, strlen(head)) != 0)
            continue;
        conf_blame_issuer(conf, i, option_of(why + strlen(head)), why, errors);
        return;
    }
    conf_blame_issuer(conf, conf->issuer_count - 1, "name", why, errors);
}

static bool check_pair(const struct conf *conf, struct buf *errors)
{
    struct err err = {""};
    const char *certificate = conf->listen.certificate;
    const char *private_key = conf->listen.private_key;
    if (!conf->listen.tls || server_check_tls(certificate, private_key, &err))
        return true;
    bool key = strncmp(err.text, private_key, strlen(private_key)) == 0;
    conf_blame(conf, "listen", key ? "private_key" : "certificate", err.text, errors);
    return false;
}

struct verifier *setup_keys(const struct conf *conf, struct buf *errors)
{
    struct err err = {""};
    if (!conf_check_files(conf, errors))
        return NULL;
    struct verifier *verifier = load_verifier(conf, &err);
    if (!verifier)
        blame_issuer(conf, err.text, errors);
    if (check_pair(conf, errors) && verifier)
        return verifier;
    verifier_free(verifier);
    return NULL;
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

static void setup_engine(const struct conf *conf, struct server_options *options)
{
    options->engine.ping_interval_ms = conf->heartbeat.interval_ms;
    options->engine.ping_timeout_ms = conf->heartbeat.timeout_ms;
    options->engine.upgrade_timeout_ms = conf->socketio.upgrade_timeout_ms;
    options->engine.auth_timeout_ms = conf->limits.auth_timeout_ms;
    options->engine.packets_per_second = (unsigned)conf->limits.messages_per_second;
    options->engine_path = "/socket.io";
    options->client_file = conf->socketio.client_file[0] ? conf->socketio.client_file : NULL;
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
    options->streams = conf->streams.enabled;
    options->retry_ms = conf->streams.retry_ms;
    options->poll_hold_ms = conf->streams.poll_hold_ms;
    options->ticket_ttl_ms = conf->streams.ticket_ttl_ms;
    options->tickets = (size_t)conf->streams.tickets;
    setup_engine(conf, options);
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
