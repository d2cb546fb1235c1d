#include "pg/listen.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

enum {
    CHANNEL_BYTES_MAX = 63, /* NAMEDATALEN - 1: LISTEN cuts longer ones with a notice */
    STATEMENT_MAX = 1024 * 1024,
};

struct listen {
    char **channels;
    size_t count;
};

static bool has(const struct listen *listen, const char *channel)
{
    for (size_t i = 0; i < listen->count; i++) {
        if (strcmp(listen->channels[i], channel) == 0)
            return true;
    }
    return false;
}

static void add(struct listen *listen, const char *channel)
{
    if (has(listen, channel))
        return;
    listen->channels = mem_resize(listen->channels, listen->count + 1, sizeof(char *));
    listen->channels[listen->count++] = mem_strdup(channel);
}

struct listen *listen_new(const char *const *channels, size_t count, struct err *err)
{
    struct listen *listen = mem_new(sizeof *listen);
    add(listen, LISTEN_FEED);
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(channels[i]);
        if (len == 0 || len > CHANNEL_BYTES_MAX) {
            err_set(err, "channel \"%s\" has %zu bytes: PostgreSQL takes 1 to %d", channels[i], len,
                    CHANNEL_BYTES_MAX);
            listen_free(listen);
            return NULL;
        }
        add(listen, channels[i]);
    }
    return listen;
}

void listen_free(struct listen *listen)
{
    if (!listen)
        return;
    for (size_t i = 0; i < listen->count; i++)
        free(listen->channels[i]);
    free(listen->channels);
    free(listen);
}

size_t listen_count(const struct listen *listen)
{
    return listen->count;
}

void listen_send(const struct listen *listen, struct link *link, link_reply_fn *fn, void *arg)
{
    struct buf sql;
    buf_init(&sql, STATEMENT_MAX);
    for (size_t i = 0; i < listen->count; i++) {
        buf_str(&sql, "LISTEN ");
        link_identifier(link, &sql, listen->channels[i]);
        buf_str(&sql, ";");
    }
    if (sql.overflow)
        link_lose(link, REASON_QUERY, "too many channels: %zu", listen->count);
    else if (link_ready(link))
        link_send(link, sql.bytes, NULL, 0, fn, arg);
    buf_free(&sql);
}

bool listen_bell(const PGnotify *notify, int own_pid, enum pace_bell *bell)
{
    bool feed = strcmp(notify->relname, LISTEN_FEED) == 0;
    if (feed && notify->be_pid == own_pid)
        return false;
    *bell = feed ? PACE_BELL_FEED : PACE_BELL_TABLE;
    return true;
}
