/* From the tree and the environment to the fields, along the table. An option that is wrong is
 * complained about and left at its default, so that the rest can be judged too. */
#include "app/conf_guess.h"
#include "app/conf_private.h"
#include "app/conf_url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHANNEL_KEY_MAX = 57, FOUND_MAX = 60 };

struct reader {
    struct conf *conf;
    char *const *environment;
    struct conf_complaints *complaints;
};

/* A section of the file, or one issuer's, or one channel's: a map and the struct it fills. */
struct scope {
    const struct conf_section *section;
    const struct conf_node *map; /* NULL: it is not in the file */
    unsigned line;
    const char *path;
    char *base;
    struct conf_origin *origins;
};

void *conf_own(struct conf *conf, void *memory)
{
    struct conf_private *inner = conf->inner;
    size_t count = inner->owned_count;
    if ((count & (count - 1)) == 0) /* full, at each power of two */
        inner->owned = mem_resize(inner->owned, count ? count * 2 : 1, sizeof *inner->owned);
    inner->owned[inner->owned_count++] = memory;
    return memory;
}

size_t conf_option_index(const char *section, const char *key)
{
    for (size_t i = 0; i < conf_option_count; i++)
        if (strcmp(conf_options[i].section, section) == 0 && strcmp(conf_options[i].key, key) == 0)
            return i;
    abort(); /* a name in our own source that is not in our own table */
}

void conf_complain_option(struct conf_complaints *complaints, const struct conf_origin *origins,
                          size_t index, const char *path, const char *format, ...)
{
    struct buf where;
    buf_init(&where, 8192);
    if (origins[index].source == CONF_FROM_ENVIRONMENT)
        conf_env_name(&conf_options[index], &where);
    else
        buf_fmt(&where, "%s:%u: %s.%s", complaints->file, origins[index].line, path,
                conf_options[index].key);
    va_list args;
    va_start(args, format);
    conf_vcomplain(complaints, where.bytes ? where.bytes : "", format, args);
    va_end(args);
    buf_free(&where);
}

/* ---- values ---- */

/* How much of a foreign text a complaint shows, never cutting a character in two. */
static int shown(const char *text)
{
    size_t len = strlen(text);
    if (len > FOUND_MAX)
        for (len = FOUND_MAX; len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80;)
            len--;
    return (int)len;
}

static void complain_value(struct reader *reader, const struct scope *scope, size_t index,
                           const char *found)
{
    const struct conf_option *option = &conf_options[index];
    struct buf expected;
    buf_init(&expected, 1024);
    conf_expected(option, &expected);
    scope->origins[index].broken = true;
    if (!found || option->type == CONF_URL) /* it may hold a secret */
        conf_complain_option(reader->complaints, scope->origins, index, scope->path, "expected %s",
                             expected.bytes);
    else
        conf_complain_option(reader->complaints, scope->origins, index, scope->path,
                             "expected %s, found \"%.*s\"", expected.bytes, shown(found), found);
    buf_free(&expected);
}

/* An absolute path, from the configuration's directory when it is relative. */
static char *resolve(const struct conf *conf, const char *path)
{
    if (*path == '/' || *path == '\0')
        return mem_strdup(path);
    const char *directory = conf->inner->directory;
    size_t size = strlen(directory) + strlen(path) + 2;
    char *whole = mem_new(size);
    snprintf(whole, size, "%s/%s", strcmp(directory, "/") == 0 ? "" : directory, path);
    return whole;
}

static bool is_text(enum conf_type type)
{
    return type >= CONF_ALGORITHM && !conf_type_is_list(type);
}

/* Fills the field of a single value that conf_text_ok() has taken. */
static void fill(struct conf *conf, const struct conf_option *option, const char *text, char *field)
{
    if (is_text(option->type)) {
        char *copy = option->type == CONF_PATH ? resolve(conf, text) : mem_strdup(text);
        *(const char **)(void *)field = conf_own(conf, copy);
    } else if (!conf_number_read(option, text, field)) {
        abort(); /* conf_text_ok() and conf_number_read() differ */
    }
}

static void fill_rooms(struct conf *conf, const struct conf_list *list, char *field)
{
    struct conf_room *rooms = conf_own(conf, mem_new((list->count + 1) * sizeof *rooms));
    for (size_t i = 0; i < list->count; i++) {
        const char *text = list->items[i];
        size_t kind = strcspn(text, ":") + 1;
        bool prefix = text[0] != '*';
        bool any = prefix && strcmp(text + kind, "*") == 0;
        bool company = prefix && strcmp(text + kind, "{company}") == 0;
        rooms[i].form = !prefix   ? CONF_ROOM_ALL
                        : any     ? CONF_ROOM_KIND
                        : company ? CONF_ROOM_COMPANY
                                  : CONF_ROOM_LITERAL;
        rooms[i].text = any || company ? conf_own(conf, mem_dup(text, kind)) : text;
    }
    struct conf_channel *channel =
        (void *)(field - offsetof(struct conf_channel, rooms)); /* the only list of its kind */
    channel->rooms = rooms;
    channel->room_count = list->count;
}

static void fill_list(struct conf *conf, const struct conf_option *option,
                      const struct conf_list *list, char *field)
{
    if (option->type == CONF_ROOMS)
        fill_rooms(conf, list, field);
    else
        *(struct conf_list *)(void *)field = *list;
}

/* Copies the entries that are as they should be; complains about the others. */
static struct conf_list take_entries(struct reader *reader, const struct scope *scope, size_t index,
                                     const char *const *texts, const unsigned *lines, size_t count)
{
    struct conf_list list = {NULL, 0};
    const char **items = conf_own(reader->conf, mem_new((count + 1) * sizeof *items));
    unsigned line = scope->origins[index].line;
    for (size_t i = 0; i < count; i++) {
        scope->origins[index].line = lines ? lines[i] : line;
        if (texts[i] && conf_text_ok(&conf_options[index], texts[i]))
            items[list.count++] = conf_own(reader->conf, mem_strdup(texts[i]));
        else
            complain_value(reader, scope, index, texts[i]);
    }
    scope->origins[index].line = line;
    list.items = items;
    return list;
}

static void read_entries(struct reader *reader, const struct scope *scope, size_t index,
                         const char *const *texts, const unsigned *lines, size_t count)
{
    const struct conf_option *option = &conf_options[index];
    if ((int64_t)count < option->min || (int64_t)count > option->max) {
        scope->origins[index].broken = true;
        conf_complain_option(reader->complaints, scope->origins, index, scope->path,
                             "expected %lld to %lld entries, found %zu", (long long)option->min,
                             (long long)option->max, count);
        return;
    }
    struct conf_list list = take_entries(reader, scope, index, texts, lines, count);
    fill_list(reader->conf, option, &list, scope->base + option->offset);
}

/* Nothing, in one of YAML's five ways to write it. */
static bool is_null(const struct conf_node *node)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};
    if (node->kind != CONF_SCALAR || node->quoted)
        return false;
    for (size_t i = 0; i < sizeof nulls / sizeof *nulls; i++)
        if (strcmp(node->text, nulls[i]) == 0)
            return true;
    return false;
}

static void read_list_node(struct reader *reader, const struct scope *scope, size_t index,
                           const struct conf_node *node)
{
    if (node->kind != CONF_SEQUENCE) {
        scope->origins[index].broken = true;
        conf_complain_option(reader->complaints, scope->origins, index, scope->path,
                             "expected a list such as [\"…\"], found %s",
                             conf_kind_name(node->kind));
        return;
    }
    const char **texts = mem_new((node->child_count + 1) * sizeof *texts);
    unsigned *lines = mem_new((node->child_count + 1) * sizeof *lines);
    size_t count = 0;
    bool broken = false;
    for (const struct conf_node *entry = node->children; entry; entry = entry->next) {
        broken = broken || entry->broken;
        lines[count] = entry->line;
        texts[count++] = entry->kind == CONF_SCALAR && !is_null(entry) ? entry->text : NULL;
    }
    scope->origins[index].broken = broken;
    if (!broken)
        read_entries(reader, scope, index, texts, lines, count);
    free(texts);
    free(lines);
}

/* That it is not even of the right kind. */
static void complain_kind(struct reader *reader, const struct scope *scope, size_t index,
                          const struct conf_node *node)
{
    const char *found = node->kind != CONF_SCALAR ? conf_kind_name(node->kind)
                        : is_null(node)           ? "nothing"
                                                  : "a text in quotes";
    struct buf expected;
    buf_init(&expected, 1024);
    conf_expected(&conf_options[index], &expected);
    scope->origins[index].broken = true;
    conf_complain_option(reader->complaints, scope->origins, index, scope->path,
                         "expected %s, found %s", expected.bytes, found);
    buf_free(&expected);
}

static void read_single_node(struct reader *reader, const struct scope *scope, size_t index,
                             const struct conf_node *node)
{
    const struct conf_option *option = &conf_options[index];
    bool quoted = node->quoted && !is_text(option->type);
    if (node->broken)
        scope->origins[index].broken = true;
    else if (node->kind != CONF_SCALAR || is_null(node) || quoted)
        complain_kind(reader, scope, index, node);
    else if (!conf_text_ok(option, node->text))
        complain_value(reader, scope, index, node->text);
    else
        fill(reader->conf, option, node->text, scope->base + option->offset);
}

/* ---- the environment ---- */

static void read_env_list(struct reader *reader, const struct scope *scope, size_t index,
                          const char *value)
{
    char *copy = conf_own(reader->conf, mem_strdup(value));
    const char **texts = mem_new((strlen(value) + 2) * sizeof *texts);
    size_t count = 0;
    for (char *at = copy; at && *copy;) {
        texts[count++] = at;
        at = strchr(at, ',');
        if (at)
            *at++ = '\0';
    }
    read_entries(reader, scope, index, texts, NULL, count);
    free(texts);
}

static void read_env(struct reader *reader, const struct scope *scope, size_t index,
                     const char *value)
{
    const struct conf_option *option = &conf_options[index];
    scope->origins[index] =
        (struct conf_origin){CONF_FROM_ENVIRONMENT, scope->line, scope->origins[index].broken};
    bool control = false;
    for (const char *at = value; *at; at++)
        control = control || (unsigned char)*at < 0x20 || *at == 0x7f;
    if (control)
        complain_value(reader, scope, index, NULL);
    else if (conf_type_is_list(option->type))
        read_env_list(reader, scope, index, value);
    else if (!conf_text_ok(option, value))
        complain_value(reader, scope, index, value);
    else
        fill(reader->conf, option, value, scope->base + option->offset);
}

/* The environment's value of an option, or NULL. */
static const char *env_value(const struct reader *reader, const struct conf_option *option)
{
    struct buf name;
    buf_init(&name, 256);
    conf_env_name(option, &name);
    const char *value = name.len ? conf_environ_find(reader->environment, name.bytes) : NULL;
    buf_free(&name);
    return value;
}

/* ---- sections ---- */

static void complain_unknown(struct reader *reader, const struct conf_node *node, const char *path,
                             const struct conf_guess *guess)
{
    const char *dot = *path ? "." : "";
    if (*guess->word)
        conf_complain(reader->complaints, node->key_line,
                      "%s%s%.*s: expected a known key, did you mean %s?", path, dot,
                      shown(node->key), node->key, guess->word);
    else
        conf_complain(reader->complaints, node->key_line, "%s%s%.*s: expected a known key", path,
                      dot, shown(node->key), node->key);
}

static bool in_section(const struct conf_option *option, const struct scope *scope)
{
    return strcmp(option->section, scope->section->name) == 0;
}

static void check_keys(struct reader *reader, const struct scope *scope)
{
    bool issuer = strcmp(scope->section->name, "issuers") == 0;
    for (const struct conf_node *node = scope->map->children; node; node = node->next) {
        bool known = issuer && strcmp(node->key, "claims") == 0;
        struct conf_guess guess = {.word = ""};
        for (size_t i = 0; i < conf_option_count; i++)
            if (in_section(&conf_options[i], scope)) {
                known = known || strcmp(conf_options[i].key, node->key) == 0;
                conf_guess_try(&guess, node->key, conf_options[i].key);
            }
        if (!known)
            complain_unknown(reader, node, scope->path, &guess);
    }
}

static void fill_default(struct reader *reader, const struct scope *scope, size_t index)
{
    const struct conf_option *option = &conf_options[index];
    char *field = scope->base + option->offset;
    if (conf_type_is_list(option->type)) {
        const char **items = conf_own(reader->conf, mem_new(2 * sizeof *items));
        items[0] = option->fallback;
        const struct conf_list list = {items, *option->fallback != '\0'};
        fill_list(reader->conf, option, &list, field);
    } else if (option->fallback) {
        fill(reader->conf, option, option->fallback, field);
    } else {
        *(const char **)(void *)field = ""; /* only texts have no default */
    }
}

static void read_option(struct reader *reader, const struct scope *scope, size_t index)
{
    const struct conf_option *option = &conf_options[index];
    const struct conf_node *node = scope->map ? conf_tree_find(scope->map, option->key) : NULL;
    const char *value = env_value(reader, option);
    scope->origins[index] = (struct conf_origin){CONF_FROM_DEFAULT, scope->line, false};
    fill_default(reader, scope, index);
    if (node) {
        scope->origins[index] = (struct conf_origin){CONF_FROM_FILE, node->line, false};
        if (conf_type_is_list(option->type))
            read_list_node(reader, scope, index, node);
        else
            read_single_node(reader, scope, index, node);
    }
    if (value) {
        read_env(reader, scope, index, value);
    } else if (!node && !option->fallback) {
        scope->origins[index].broken = true;
        conf_complain_option(reader->complaints, scope->origins, index, scope->path,
                             "expected, there is no default");
    }
}

static void read_scope(struct reader *reader, const struct scope *scope)
{
    if (scope->map)
        check_keys(reader, scope);
    for (size_t i = 0; i < conf_option_count; i++)
        if (in_section(&conf_options[i], scope))
            read_option(reader, scope, i);
}

/* The node when it is a map; complains when it is something else. */
static const struct conf_node *as_map(struct reader *reader, const struct conf_node *node,
                                      const char *path)
{
    if (!node || node->kind == CONF_MAP)
        return node;
    conf_complain(reader->complaints, node->line, "%s: expected a map, found %s", path,
                  is_null(node) ? "nothing" : conf_kind_name(node->kind));
    return NULL;
}

static void read_section(struct reader *reader, const struct conf_section *section,
                         const struct conf_node *root)
{
    const struct conf_node *node = conf_tree_find(root, section->name);
    const struct scope scope = {
        .section = section,
        .map = as_map(reader, node, section->path),
        .line = node ? node->key_line : root->line,
        .path = section->path,
        .base = (char *)reader->conf,
        .origins = reader->conf->inner->origins,
    };
    read_scope(reader, &scope);
}

/* ---- channels ---- */

static bool channel_key_ok(const char *key)
{
    size_t len = strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789_");
    return len > 0 && key[len] == '\0' && len <= CHANNEL_KEY_MAX && (*key < '0' || *key > '9');
}

static void read_channel(struct reader *reader, const struct conf_node *node,
                         struct conf_channel *channel)
{
    struct conf *conf = reader->conf;
    if (!channel_key_ok(node->key))
        conf_complain(reader->complaints, node->key_line,
                      "channels.%.*s: expected a table's name that matches ^[a-z_][a-z0-9_]{0,56}$",
                      shown(node->key), node->key);
    size_t size = strlen(node->key) + sizeof "vigie_";
    char *name = conf_own(conf, mem_new(size));
    snprintf(name, size, "vigie_%s", node->key);
    channel->channel = name;
    channel->key = name + strlen("vigie_");
    char path[96];
    snprintf(path, sizeof path, "channels.%.*s", shown(node->key), node->key);
    struct conf_origin *origins = mem_new(conf_option_count * sizeof *origins);
    const struct scope scope = {
        .section = conf_section_find("channels"),
        .map = as_map(reader, node, path),
        .line = node->key_line,
        .path = path,
        .base = (char *)channel,
        .origins = origins,
    };
    read_scope(reader, &scope);
    free(origins);
}

static void read_channels(struct reader *reader, const struct conf_node *root)
{
    const struct conf_node *node = conf_tree_find(root, "channels");
    const struct conf_node *map = as_map(reader, node, "channels");
    if (!node || (map && map->child_count == 0))
        conf_complain(reader->complaints, node ? node->line : root->line,
                      "channels: expected at least one, such as devis: {}");
    if (!map)
        return;
    struct conf *conf = reader->conf;
    struct conf_channel *channels = mem_new((map->child_count + 1) * sizeof *channels);
    conf->channels = conf_own(conf, channels);
    conf->inner->channel_lines = conf_own(conf, mem_new((map->child_count + 1) * sizeof(unsigned)));
    for (const struct conf_node *child = map->children; child; child = child->next) {
        conf->inner->channel_lines[conf->channel_count] = child->key_line;
        read_channel(reader, child, &channels[conf->channel_count++]);
    }
}

/* ---- issuers ---- */

static void read_issuer(struct reader *reader, const struct conf_node *node, size_t number,
                        struct conf_issuer *issuer)
{
    struct conf *conf = reader->conf;
    struct conf_origin *origins = mem_new(conf_option_count * sizeof *origins);
    conf->inner->issuer_origins[number] = conf_own(conf, origins);
    char path[48];
    snprintf(path, sizeof path, "issuers[%zu]", number);
    struct scope scope = {
        .section = conf_section_find("issuers"),
        .map = as_map(reader, node, path),
        .line = node->line,
        .path = path,
        .base = (char *)issuer,
        .origins = origins,
    };
    if (node->kind != CONF_MAP)
        return; /* said so: the keys that it lacks would only be noise */
    read_scope(reader, &scope);
    const struct conf_node *claims = conf_tree_find(node, "claims");
    char claims_path[64];
    snprintf(claims_path, sizeof claims_path, "%s.claims", path);
    scope.section = conf_section_find("claims");
    scope.map = as_map(reader, claims, claims_path);
    scope.line = claims ? claims->key_line : node->line;
    scope.path = claims_path;
    read_scope(reader, &scope);
    size_t companies = conf_option_index("issuers", "companies");
    static const char *const any[] = {"*"};
    if (number == 0 && origins[companies].source == CONF_FROM_DEFAULT)
        issuer->companies = (struct conf_list){any, 1};
}

static void read_issuers(struct reader *reader, const struct conf_node *root)
{
    const struct conf_node *node = conf_tree_find(root, "issuers");
    if (!node || node->kind != CONF_SEQUENCE || node->child_count == 0) {
        conf_complain(reader->complaints, node ? node->line : root->line,
                      "issuers: expected a list of at least one issuer");
        return;
    }
    struct conf *conf = reader->conf;
    size_t count = node->child_count;
    struct conf_issuer *issuers = mem_new(count * sizeof *issuers);
    conf->issuers = conf_own(conf, issuers);
    conf->inner->issuer_origins = conf_own(conf, mem_new(count * sizeof(struct conf_origin *)));
    for (const struct conf_node *child = node->children; child; child = child->next) {
        read_issuer(reader, child, conf->issuer_count, &issuers[conf->issuer_count]);
        conf->issuer_count++;
    }
}

/* ---- the whole ---- */

static void check_sections(struct reader *reader, const struct conf_node *root)
{
    for (const struct conf_node *node = root->children; node; node = node->next) {
        bool known = false;
        struct conf_guess guess = {.word = ""};
        for (size_t i = 0; i < conf_section_count; i++) {
            const char *name = conf_sections[i].name;
            if (strcmp(name, "claims") == 0)
                continue; /* lies in an issuer */
            known = known || strcmp(node->key, name) == 0;
            conf_guess_try(&guess, node->key, name);
        }
        if (!known)
            complain_unknown(reader, node, "", &guess);
    }
}

void conf_read(struct conf *conf, const struct conf_node *root, char *const *environment,
               struct conf_complaints *complaints)
{
    struct reader reader = {conf, environment, complaints};
    conf->inner->origins =
        conf_own(conf, mem_new(conf_option_count * sizeof *conf->inner->origins));
    check_sections(&reader, root);
    for (size_t i = 0; i < conf_section_count; i++)
        if (conf_sections[i].base == CONF_BASE_CONF)
            read_section(&reader, &conf_sections[i], root);
    read_channels(&reader, root);
    read_issuers(&reader, root);
    conf_check_environ(conf, environment, complaints);
}
