/* The configuration as text: what is in effect, what differs, and the reference of every option. */
#include "app/conf_private.h"

#include <string.h>

static const void *field_of(const void *base, const struct conf_option *option)
{
    return (const char *)base + option->offset;
}

static void print_origin(const struct conf *conf, const struct conf_origin *origin, struct buf *out)
{
    switch (origin->source) {
    case CONF_FROM_DEFAULT:
        buf_str(out, " # default\n");
        return;
    case CONF_FROM_FILE:
        buf_fmt(out, " # %s:%u\n", conf->inner->file, origin->line);
        return;
    case CONF_FROM_ENVIRONMENT:
        buf_str(out, " # environment\n");
    }
}

/* Every option of a section that lies in `base`, each behind `indent`. */
static void print_options(const struct conf *conf, const char *section, const void *base,
                          const struct conf_origin *origins, const char *indent, struct buf *out)
{
    for (size_t i = 0; i < conf_option_count; i++) {
        if (strcmp(conf_options[i].section, section) != 0)
            continue;
        buf_fmt(out, "%s%s: ", indent, conf_options[i].key);
        conf_field_print(&conf_options[i], field_of(base, &conf_options[i]), out);
        print_origin(conf, &origins[i], out);
    }
}

static void print_room(const struct conf_room *room, struct buf *out)
{
    static const char *const tails[] = {
        [CONF_ROOM_ALL] = "",
        [CONF_ROOM_KIND] = "*",
        [CONF_ROOM_COMPANY] = "{company}",
        [CONF_ROOM_LITERAL] = "",
    };
    struct buf whole;
    buf_init(&whole, 512);
    buf_fmt(&whole, "%s%s", room->text, tails[room->form]);
    buf_json(out, whole.bytes, whole.len);
    buf_free(&whole);
}

static void print_channels(const struct conf *conf, struct buf *out)
{
    buf_str(out, "channels:\n");
    for (size_t i = 0; i < conf->channel_count; i++) {
        const struct conf_channel *channel = &conf->channels[i];
        buf_str(out, "  ");
        buf_json(out, channel->key,
                 strlen(channel->key)); /* null and on are names of tables, too */
        buf_str(out, ": {rooms: [");
        for (size_t j = 0; j < channel->room_count; j++) {
            buf_str(out, j ? ", " : "");
            print_room(&channel->rooms[j], out);
        }
        buf_fmt(out, "]} # %s:%u\n", conf->inner->file, conf->inner->channel_lines[i]);
    }
}

static void print_issuers(const struct conf *conf, struct buf *out)
{
    buf_str(out, "issuers:\n");
    for (size_t i = 0; i < conf->issuer_count; i++) {
        const struct conf_origin *origins = conf->inner->issuer_origins[i];
        buf_fmt(out, "  - # issuers[%zu]\n", i);
        print_options(conf, "issuers", &conf->issuers[i], origins, "    ", out);
        buf_str(out, "    claims:\n");
        print_options(conf, "claims", &conf->issuers[i], origins, "      ", out);
    }
}

void conf_print(const struct conf *conf, struct buf *out)
{
    for (size_t i = 0; i < conf_section_count; i++) {
        const struct conf_section *section = &conf_sections[i];
        if (strcmp(section->name, "channels") == 0) {
            print_channels(conf, out);
        } else if (strcmp(section->name, "issuers") == 0) {
            print_issuers(conf, out);
        } else if (section->base == CONF_BASE_CONF) {
            buf_fmt(out, "%s:\n", section->name);
            print_options(conf, section->name, conf, conf->inner->origins, "  ", out);
        }
    }
}

/* ---- reload ---- */

static bool same_option(const struct conf_option *option, const struct conf *a,
                        const struct conf *b)
{
    struct buf one;
    struct buf other;
    buf_init(&one, CONF_FILE_BYTES_MAX);
    buf_init(&other, CONF_FILE_BYTES_MAX);
    conf_field_print(option, field_of(a, option), &one);
    conf_field_print(option, field_of(b, option), &other);
    bool same = strcmp(one.bytes, other.bytes) == 0;
    buf_free(&one);
    buf_free(&other);
    return same;
}

static bool has_channel(const struct conf *conf, const char *key)
{
    for (size_t i = 0; i < conf->channel_count; i++)
        if (strcmp(conf->channels[i].key, key) == 0)
            return true;
    return false;
}

/* Whether the same tables are LISTENed to; their rooms may differ. */
static bool same_channels(const struct conf *a, const struct conf *b)
{
    bool same = a->channel_count == b->channel_count;
    for (size_t i = 0; same && i < a->channel_count; i++)
        same = has_channel(b, a->channels[i].key);
    return same;
}

bool conf_reload_check(const struct conf *old, const struct conf *now, struct buf *needs_restart)
{
    bool all = true;
    for (size_t i = 0; i < conf_option_count; i++) {
        const struct conf_option *option = &conf_options[i];
        if (option->reloadable || conf_section_find(option->section)->base != CONF_BASE_CONF ||
            same_option(option, old, now))
            continue;
        buf_fmt(needs_restart, "%s.%s\n", option->section, option->key);
        all = false;
    }
    if (!same_channels(old, now)) {
        buf_str(needs_restart, "channels\n");
        all = false;
    }
    return all;
}

/* ---- the reference ---- */

static void reference_default(const struct conf_option *option, struct buf *out)
{
    bool quoted = conf_type_is_list(option->type);
    if (!option->fallback)
        buf_str(out, "must be given");
    else if (quoted && *option->fallback)
        buf_fmt(out, "`[\"%s\"]`", option->fallback);
    else if (quoted)
        buf_str(out, strcmp(option->key, "companies") == 0 ? "see below" : "`[]`");
    else
        buf_fmt(out, "`%s`", *option->fallback ? option->fallback : "\"\"");
}

static void reference_option(const struct conf_option *option, struct buf *out)
{
    buf_str(out, "\n### ");
    conf_option_path(option, out);
    buf_str(out,
            "\n\n| type | default | range | reloadable | environment |\n|---|---|---|---|---|\n");
    buf_fmt(out, "| %s | ", conf_type_name(option->type));
    reference_default(option, out);
    buf_str(out, " | ");
    conf_range(option, out);
    buf_fmt(out, " | %s | ", option->reloadable ? "yes" : "no");
    struct buf name;
    buf_init(&name, CONF_FILE_BYTES_MAX);
    conf_env_name(option, &name);
    buf_fmt(out, name.len ? "`%s`" : "%s", name.len ? name.bytes : "-");
    buf_free(&name);
    buf_fmt(out, " |\n\n%s\n", option->help);
}

void conf_print_reference(struct buf *out)
{
    for (size_t i = 0; i < conf_section_count; i++) {
        buf_fmt(out, "%s## %s\n\n%s\n", i ? "\n" : "", conf_sections[i].path,
                conf_sections[i].help);
        for (size_t j = 0; j < conf_option_count; j++)
            if (strcmp(conf_options[j].section, conf_sections[i].name) == 0)
                reference_option(&conf_options[j], out);
    }
}
