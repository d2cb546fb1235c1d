/* What each type of option takes, to the letter: no sign, no leading zero, no trailing anything. */
#include "app/conf_table.h"

#include <arpa/inet.h>
#include <assert.h>
#include <string.h>

struct unit {
    const char *name;
    int64_t factor;
};

/* The largest last: a number is printed in the largest that divides it. */
static const struct unit duration_units[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {NULL, 0}};
static const struct unit size_units[] = {
    {"B", 1}, {"KiB", 1024}, {"MiB", 1048576}, {"GiB", 1073741824}, {NULL, 0}};

static const struct {
    const char *word;
    bool value;
} bool_words[] = {{"yes", true},  {"no", false},  {"on", true},
                  {"off", false}, {"true", true}, {"false", false}};

static_assert(sizeof(enum log_level) == sizeof(int), "conf_number_read() writes an int");
static_assert(sizeof(enum log_format) == sizeof(int), "conf_number_read() writes an int");

/* Digits at the beginning of `text`; `*rest` is what follows. */
static bool digits_read(const char *text, int64_t *out, const char **rest)
{
    size_t count = strspn(text, "0123456789");
    if (count == 0 || (count > 1 && *text == '0'))
        return false;
    int64_t value = 0;
    for (size_t i = 0; i < count; i++)
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, text[i] - '0', &value))
            return false;
    *out = value;
    *rest = text + count;
    return true;
}

static bool quantity_read(const char *text, const struct unit *units, int64_t *out)
{
    int64_t value;
    const char *suffix;
    if (!digits_read(text, &value, &suffix))
        return false;
    for (; units->name; units++)
        if (strcmp(units->name, suffix) == 0)
            return !__builtin_mul_overflow(value, units->factor, out);
    return false;
}

static bool bool_read(const char *text, bool *out)
{
    for (size_t i = 0; i < sizeof bool_words / sizeof *bool_words; i++)
        if (strcmp(bool_words[i].word, text) == 0) {
            *out = bool_words[i].value;
            return true;
        }
    return false;
}

static bool word_read(const char *const *words, const char *text, int *out)
{
    for (int i = 0; words[i]; i++)
        if (strcmp(words[i], text) == 0) {
            *out = i;
            return true;
        }
    return false;
}

static bool int64_read(const struct conf_option *option, const char *text, int64_t *out)
{
    int64_t value;
    const char *rest;
    bool ok = false;
    if (option->type == CONF_INT)
        ok = digits_read(text, &value, &rest) && *rest == '\0';
    else if (option->type == CONF_SIZE)
        ok = quantity_read(text, size_units, &value);
    else
        ok = quantity_read(text, duration_units, &value);
    if (ok && option->type == CONF_SECONDS) {
        ok = value % 1000 == 0;
        value /= 1000;
    }
    if (!ok || value < option->min || value > option->max)
        return false;
    *out = value;
    return true;
}

bool conf_number_read(const struct conf_option *option, const char *text, void *field)
{
    if (option->type == CONF_BOOL)
        return bool_read(text, field);
    if (option->type == CONF_WORD)
        return word_read(option->words, text, field);
    return int64_read(option, text, field);
}

static bool is_one_of(const char *text, size_t len, const char *allowed)
{
    for (size_t i = 0; i < len; i++)
        if (!strchr(allowed, text[i]))
            return false;
    return true;
}

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

/* A name or address and maybe a port, as browsers write them. */
static bool host_ok(const char *text)
{
    size_t len = *text == '[' ? strcspn(text, "]") + 1 : strcspn(text, ":");
    if (len == 0 || len > 255 || len > strlen(text))
        return false;
    if (*text == '[' ? !is_one_of(text + 1, len - 2, DIGITS "abcdef:.") || len < 4
                     : !is_one_of(text, len, LOWER DIGITS "-._"))
        return false;
    if (text[len] == '\0')
        return true;
    int64_t port;
    const char *rest;
    return text[len] == ':' && digits_read(text + len + 1, &port, &rest) && *rest == '\0' &&
           port > 0 && port <= 65535;
}

static bool ends_with(const char *text, const char *tail)
{
    size_t len = strlen(text);
    size_t tail_len = strlen(tail);
    return len >= tail_len && strcmp(text + len - tail_len, tail) == 0;
}

static bool origin_ok(const char *text)
{
    const char *colon = strstr(text, "://");
    if (!colon || !strchr(LOWER, *text) || strlen(text) > 512 ||
        !is_one_of(text, (size_t)(colon - text), LOWER DIGITS "+-."))
        return false;
    bool http = strncmp(text, "http:", 5) == 0;
    bool https = strncmp(text, "https:", 6) == 0;
    if ((http && ends_with(colon + 3, ":80")) || (https && ends_with(colon + 3, ":443")))
        return false; /* a browser leaves the scheme's own port out */
    return host_ok(colon + 3);
}

static bool address_ok(const char *text)
{
    struct in6_addr any;
    return inet_pton(AF_INET, text, &any) == 1 || inet_pton(AF_INET6, text, &any) == 1;
}

/* "*", "kind:*", "kind:{company}" or "kind:id". */
static bool room_ok(const char *text)
{
    if (strcmp(text, "*") == 0)
        return true;
    size_t kind = strspn(text, LOWER DIGITS "_-");
    size_t len = strlen(text);
    if (kind == 0 || text[kind] != ':' || text[kind + 1] == '\0' || len > 200)
        return false;
    const char *id = text + kind + 1;
    return strcmp(id, "*") == 0 || strcmp(id, "{company}") == 0 || !strpbrk(id, "*{}");
}

enum { NAMESPACE_BYTES_MAX = 64 };

/* "/name": on the wire a comma ends it and a question mark begins what is ignored. */
static bool namespace_ok(const char *text)
{
    size_t len = strlen(text);
    return *text == '/' && len > 1 && len <= NAMESPACE_BYTES_MAX &&
           is_one_of(text, len, LOWER UPPER DIGITS "/_-.:~@");
}

static bool length_ok(const char *text, int64_t min, int64_t max)
{
    int64_t len = (int64_t)strlen(text);
    return len >= min && len <= max;
}

bool conf_text_ok(const struct conf_option *option, const char *text)
{
    union {
        bool yes;
        int word;
        int64_t number;
    } scratch;
    switch (option->type) {
    case CONF_BOOL:
    case CONF_INT:
    case CONF_DURATION:
    case CONF_SECONDS:
    case CONF_SIZE:
    case CONF_WORD:
        return conf_number_read(option, text, &scratch);
    case CONF_ALGORITHM:
        return *text == '\0' || word_read(option->words, text, &scratch.word);
    case CONF_TEXT:
    case CONF_PATH:
        return length_ok(text, option->min, option->max);
    case CONF_ADDRESS:
        return address_ok(text);
    case CONF_URL:
        return length_ok(text, option->min, option->max) &&
               (strncmp(text, "postgresql://", 13) == 0 || strncmp(text, "postgres://", 11) == 0);
    case CONF_ORIGINS:
        return origin_ok(text);
    case CONF_HOSTS:
        return host_ok(text);
    case CONF_COMPANIES:
        return length_ok(text, 1, 64);
    case CONF_NAMESPACES:
        return namespace_ok(text);
    case CONF_ROOMS:
        return room_ok(text);
    }
    return false;
}

bool conf_type_is_list(enum conf_type type)
{
    return type >= CONF_ORIGINS;
}

const char *conf_type_name(enum conf_type type)
{
    static const char *const names[] = {
        [CONF_BOOL] = "yes or no",
        [CONF_INT] = "whole number",
        [CONF_DURATION] = "duration",
        [CONF_SECONDS] = "duration of whole seconds",
        [CONF_SIZE] = "size",
        [CONF_WORD] = "word",
        [CONF_ALGORITHM] = "word",
        [CONF_TEXT] = "text",
        [CONF_PATH] = "path",
        [CONF_ADDRESS] = "numeric address",
        [CONF_URL] = "URL",
        [CONF_ORIGINS] = "list of origins",
        [CONF_HOSTS] = "list of hosts",
        [CONF_COMPANIES] = "list of companies",
        [CONF_NAMESPACES] = "list of namespaces",
        [CONF_ROOMS] = "list of rooms",
    };
    return names[type];
}

static void quantity_print(int64_t value, const struct unit *units, struct buf *out)
{
    const struct unit *best = units;
    for (const struct unit *unit = units; unit->name; unit++)
        if (value != 0 && value % unit->factor == 0)
            best = unit;
    buf_fmt(out, "%lld%s", (long long)(value / best->factor), best->name);
}

static void int64_print(enum conf_type type, int64_t value, struct buf *out)
{
    if (type == CONF_INT)
        buf_fmt(out, "%lld", (long long)value);
    else if (type == CONF_SIZE)
        quantity_print(value, size_units, out);
    else
        quantity_print(type == CONF_SECONDS ? value * 1000 : value, duration_units, out);
}

static void words_print(const char *const *words, struct buf *out)
{
    for (size_t i = 0; words[i]; i++)
        buf_fmt(out, "%s%s", i ? ", " : "", words[i]);
}

void conf_range(const struct conf_option *option, struct buf *out)
{
    switch (option->type) {
    case CONF_INT:
    case CONF_DURATION:
    case CONF_SECONDS:
    case CONF_SIZE:
        int64_print(option->type, option->min, out);
        buf_str(out, " to ");
        int64_print(option->type, option->max, out);
        return;
    case CONF_WORD:
    case CONF_ALGORITHM:
        words_print(option->words, out);
        return;
    case CONF_TEXT:
    case CONF_PATH:
    case CONF_URL:
        buf_fmt(out, "%lld to %lld bytes", (long long)option->min, (long long)option->max);
        return;
    case CONF_ORIGINS:
    case CONF_HOSTS:
    case CONF_COMPANIES:
    case CONF_NAMESPACES:
    case CONF_ROOMS:
        buf_fmt(out, "%lld to %lld entries", (long long)option->min, (long long)option->max);
        return;
    case CONF_BOOL:
        buf_str(out, "yes, no, on, off, true, false");
        return;
    case CONF_ADDRESS:
        buf_str(out, "IPv4 or IPv6");
    }
}

/* The sentence about a type up to its range; NULL: the sentence is whole. */
static const char *expectation(enum conf_type type)
{
    static const char *const texts[] = {
        [CONF_BOOL] = "one of ",
        [CONF_INT] = "a whole number from ",
        [CONF_DURATION] = "a duration such as 200ms, 30s, 10m or 24h, from ",
        [CONF_SECONDS] = "a duration of whole seconds such as 30s, 10m or 24h, from ",
        [CONF_SIZE] = "a size such as 512B, 8KiB, 32MiB or 1GiB, from ",
        [CONF_WORD] = "one of ",
        [CONF_ALGORITHM] = "one of ",
        [CONF_TEXT] = "a text of ",
        [CONF_PATH] = "a path of ",
        [CONF_ADDRESS] = "a numeric address, ",
        [CONF_URL] = "a postgresql:// URL of ",
        [CONF_ORIGINS] =
            ("an origin as browsers send it, such as https://app.example.fr (lower case, "
             "no slash at the end, no default port, no wildcard)"),
        [CONF_HOSTS] = "a host name in lower case, with or without a port",
        [CONF_COMPANIES] = "a company of 1 to 64 bytes, or *",
        [CONF_NAMESPACES] = ("a namespace such as /messaging, of 2 to 64 bytes of "
                             "[A-Za-z0-9/_.:~@-]; / itself is always there"),
        [CONF_ROOMS] = "*, KIND:*, KIND:{company} or KIND:ID with KIND of [a-z0-9_-]",
    };
    return texts[type];
}

void conf_expected(const struct conf_option *option, struct buf *out)
{
    buf_str(out, expectation(option->type));
    if (!conf_type_is_list(option->type))
        conf_range(option, out);
}

static void list_print(const struct conf_list *list, struct buf *out)
{
    buf_char(out, '[');
    for (size_t i = 0; i < list->count; i++) {
        buf_str(out, i ? ", " : "");
        buf_json(out, list->items[i], strlen(list->items[i]));
    }
    buf_char(out, ']');
}

void conf_field_print(const struct conf_option *option, const void *field, struct buf *out)
{
    switch (option->type) {
    case CONF_BOOL:
        buf_str(out, *(const bool *)field ? "yes" : "no");
        return;
    case CONF_INT:
    case CONF_DURATION:
    case CONF_SECONDS:
    case CONF_SIZE:
        int64_print(option->type, *(const int64_t *)field, out);
        return;
    case CONF_WORD:
        buf_str(out, option->words[*(const int *)field]);
        return;
    case CONF_ALGORITHM:
    case CONF_TEXT:
    case CONF_PATH:
    case CONF_ADDRESS:
    case CONF_URL: {
        const char *text = *(const char *const *)field;
        buf_json(out, text, strlen(text));
        return;
    }
    case CONF_ORIGINS:
    case CONF_HOSTS:
    case CONF_COMPANIES:
    case CONF_NAMESPACES:
        list_print(field, out);
        return;
    case CONF_ROOMS:
        break; /* printed by conf_print.c, which knows their forms */
    }
}
