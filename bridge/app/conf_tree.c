#include "app/conf_tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum {
    DEPTH_MAX = 8,     /* the deepest option lies at 4 */
    ENTRIES_MAX = 1024 /* of one map or list; keys are compared pairwise */
};

struct tree_parser {
    yaml_parser_t yaml;
    const char *text;
    size_t len;
    struct conf_complaints *complaints;
    unsigned depth;
};

void conf_vcomplain(struct conf_complaints *complaints, const char *where, const char *format,
                    va_list args)
{
    complaints->count++;
    if (complaints->count == CONF_COMPLAINTS_MAX)
        buf_fmt(complaints->out, "%s: there are further errors\n", complaints->file);
    if (complaints->count >= CONF_COMPLAINTS_MAX)
        return;
    char line[1024];
    vsnprintf(line, sizeof line, format, args);
    buf_fmt(complaints->out, "%s: %s\n", where, line);
}

void conf_complain(struct conf_complaints *complaints, unsigned line, const char *format, ...)
{
    struct buf where;
    buf_init(&where, 8192);
    buf_fmt(&where, "%s:%u", complaints->file, line);
    va_list args;
    va_start(args, format);
    conf_vcomplain(complaints, where.bytes ? where.bytes : "", format, args);
    va_end(args);
    buf_free(&where);
}

void conf_complain_at(struct conf_complaints *complaints, const char *where, const char *format,
                      ...)
{
    va_list args;
    va_start(args, format);
    conf_vcomplain(complaints, where, format, args);
    va_end(args);
}

const char *conf_kind_name(enum conf_kind kind)
{
    switch (kind) {
    case CONF_SCALAR:
        return "a value";
    case CONF_SEQUENCE:
        return "a list";
    case CONF_MAP:
        return "a map";
    }
    return "";
}

void conf_tree_free(struct conf_node *node)
{
    while (node) {
        struct conf_node *next = node->next;
        conf_tree_free(node->children);
        free(node->key);
        free(node->text);
        free(node);
        node = next;
    }
}

const struct conf_node *conf_tree_find(const struct conf_node *map, const char *key)
{
    for (const struct conf_node *node = map->children; node; node = node->next)
        if (strcmp(node->key, key) == 0)
            return node;
    return NULL;
}

static unsigned line_of(yaml_mark_t mark)
{
    return (unsigned)mark.line + 1;
}

/* libyaml gives an offset only, when it is the bytes that are wrong. */
static unsigned line_at(const struct tree_parser *parser, size_t offset)
{
    unsigned line = 1;
    for (size_t i = 0; i < offset && i < parser->len; i++)
        line += parser->text[i] == '\n';
    return line;
}

/* Whether that line is indented with a tab, which libyaml says in other words. */
static bool tab_indents(const struct tree_parser *parser, unsigned line)
{
    const char *at = parser->text;
    const char *end = parser->text + parser->len;
    for (unsigned i = 1; i < line && at; i++) {
        at = memchr(at, '\n', (size_t)(end - at));
        at = at ? at + 1 : NULL;
    }
    while (at && at < end && *at == ' ')
        at++;
    return at && at < end && *at == '\t';
}

static bool not_yaml(struct tree_parser *parser)
{
    const yaml_parser_t *yaml = &parser->yaml;
    const char *problem = yaml->problem ? yaml->problem : "it cannot be read";
    if (yaml->error == YAML_READER_ERROR) {
        conf_complain(parser->complaints, line_at(parser, yaml->problem_offset),
                      "expected UTF-8 text: %s", problem);
        return false;
    }
    unsigned line = line_of(yaml->problem_mark);
    if (tab_indents(parser, line))
        conf_complain(parser->complaints, line, "expected spaces: YAML is not indented with tabs");
    else
        conf_complain(parser->complaints, line, "expected YAML: %s%s%s",
                      yaml->context ? yaml->context : "", yaml->context ? ", " : "", problem);
    return false;
}

static bool next_event(struct tree_parser *parser, yaml_event_t *event)
{
    return yaml_parser_parse(&parser->yaml, event) ? true : not_yaml(parser);
}

/* What lets one part of a file mean another, or a value be of a type that is not ours. */
static void check_plain(struct tree_parser *parser, unsigned line, const yaml_char_t *anchor,
                        const yaml_char_t *tag)
{
    if (anchor)
        conf_complain(parser->complaints, line, "expected no anchor (&%.40s)",
                      (const char *)anchor);
    if (tag)
        conf_complain(parser->complaints, line, "expected no tag (%.40s)", (const char *)tag);
}

static bool has_control(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return true;
    return false;
}

/* The text of a scalar, owned; empty with `*broken` set when it is none that we take. */
static char *scalar_text(struct tree_parser *parser, const yaml_event_t *event, bool *broken)
{
    const char *text = (const char *)event->data.scalar.value;
    size_t len = event->data.scalar.length;
    if (!has_control(text, len))
        return mem_dup(text, len);
    *broken = true;
    conf_complain(parser->complaints, line_of(event->start_mark),
                  "expected text on one line without control characters");
    return mem_dup("", 0);
}

static void read_scalar(struct tree_parser *parser, const yaml_event_t *event,
                        struct conf_node *node)
{
    node->kind = CONF_SCALAR;
    node->text = scalar_text(parser, event, &node->broken);
    node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    check_plain(parser, node->line, event->data.scalar.anchor, event->data.scalar.tag);
}

static bool read_value(struct tree_parser *parser, const yaml_event_t *event,
                       struct conf_node *node);

static bool read_key(struct tree_parser *parser, const yaml_event_t *event, struct conf_node *node)
{
    node->key_line = line_of(event->start_mark);
    if (event->type != YAML_SCALAR_EVENT) {
        conf_complain(parser->complaints, node->key_line, "expected a plain word as key");
        return false;
    }
    check_plain(parser, node->key_line, event->data.scalar.anchor, event->data.scalar.tag);
    bool broken = false; /* said so, and no key of ours is empty */
    node->key = scalar_text(parser, event, &broken);
    return true;
}

static void check_twice(struct tree_parser *parser, const struct conf_node *map,
                        const struct conf_node *node)
{
    const struct conf_node *first = conf_tree_find(map, node->key);
    if (first)
        conf_complain(parser->complaints, node->key_line,
                      "expected %.60s once, it is on line %u already", node->key, first->key_line);
}

/* One entry, of which `event` is the beginning. */
static bool read_entry(struct tree_parser *parser, yaml_event_t *event, struct conf_node *parent,
                       struct conf_node *node)
{
    if (parent->kind == CONF_MAP) {
        if (!read_key(parser, event, node))
            return false;
        check_twice(parser, parent, node);
        yaml_event_delete(event);
        if (!next_event(parser, event))
            return false;
    }
    return read_value(parser, event, node);
}

static bool read_children(struct tree_parser *parser, struct conf_node *parent)
{
    struct conf_node **tail = &parent->children;
    for (;;) {
        yaml_event_t event;
        if (!next_event(parser, &event))
            return false;
        if (event.type == YAML_SEQUENCE_END_EVENT || event.type == YAML_MAPPING_END_EVENT) {
            yaml_event_delete(&event);
            return true;
        }
        if (++parent->child_count > ENTRIES_MAX) {
            conf_complain(parser->complaints, line_of(event.start_mark),
                          "expected at most %d entries", ENTRIES_MAX);
            yaml_event_delete(&event);
            return false;
        }
        struct conf_node *node = mem_new(sizeof *node);
        bool ok = read_entry(parser, &event, parent, node);
        yaml_event_delete(&event);
        if (!ok) {
            conf_tree_free(node);
            return false;
        }
        *tail = node; /* only now: check_twice() looks at those before */
        tail = &node->next;
    }
}

static bool read_collection(struct tree_parser *parser, enum conf_kind kind,
                            const yaml_char_t *anchor, const yaml_char_t *tag,
                            struct conf_node *node)
{
    node->kind = kind;
    check_plain(parser, node->line, anchor, tag);
    if (parser->depth == DEPTH_MAX) {
        conf_complain(parser->complaints, node->line, "expected at most %d levels", DEPTH_MAX);
        return false;
    }
    parser->depth++;
    bool ok = read_children(parser, node);
    parser->depth--;
    return ok;
}

/* False ends the reading: what follows would only repeat the complaint. */
static bool read_value(struct tree_parser *parser, const yaml_event_t *event,
                       struct conf_node *node)
{
    node->line = line_of(event->start_mark);
    if (event->type == YAML_SEQUENCE_START_EVENT)
        return read_collection(parser, CONF_SEQUENCE, event->data.sequence_start.anchor,
                               event->data.sequence_start.tag, node);
    if (event->type == YAML_MAPPING_START_EVENT)
        return read_collection(parser, CONF_MAP, event->data.mapping_start.anchor,
                               event->data.mapping_start.tag, node);
    if (event->type == YAML_SCALAR_EVENT) {
        read_scalar(parser, event, node);
        return true;
    }
    conf_complain(parser->complaints, node->line, "expected the value itself, no alias");
    return false;
}

/* Skips to the event that begins the root, into `event`. */
static bool open_document(struct tree_parser *parser, yaml_event_t *event)
{
    for (;;) {
        if (!next_event(parser, event))
            return false;
        if (event->type == YAML_STREAM_END_EVENT) {
            yaml_event_delete(event);
            conf_complain(parser->complaints, 1, "expected a configuration, the file is empty");
            return false;
        }
        if (event->type != YAML_STREAM_START_EVENT && event->type != YAML_DOCUMENT_START_EVENT)
            return true;
        yaml_event_delete(event);
    }
}

static bool close_document(struct tree_parser *parser)
{
    for (;;) {
        yaml_event_t event;
        if (!next_event(parser, &event))
            return false;
        yaml_event_type_t type = event.type;
        unsigned line = line_of(event.start_mark);
        yaml_event_delete(&event);
        if (type == YAML_STREAM_END_EVENT)
            return true;
        if (type == YAML_DOCUMENT_START_EVENT) {
            conf_complain(parser->complaints, line, "expected one document, here a second begins");
            return false;
        }
    }
}

/* What libyaml would take in silence or say badly. */
static bool check_bytes(const char *text, size_t len, struct conf_complaints *complaints)
{
    const struct tree_parser lines = {.text = text, .len = len};
    const char *nul = memchr(text, '\0', len);
    if (len > 1 && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0))
        conf_complain(complaints, 1, "expected UTF-8, this is UTF-16");
    else if (len > 2 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        conf_complain(complaints, 1, "expected UTF-8 without a byte order mark");
    else if (nul)
        conf_complain(complaints, line_at(&lines, (size_t)(nul - text)),
                      "expected text, here is a NUL byte");
    else
        return true;
    return false;
}

static struct conf_node *read_root(struct tree_parser *parser)
{
    yaml_event_t event;
    if (!open_document(parser, &event))
        return NULL;
    struct conf_node *root = mem_new(sizeof *root);
    bool ok = read_value(parser, &event, root);
    yaml_event_delete(&event);
    ok = ok && close_document(parser);
    if (ok && root->kind != CONF_MAP) {
        conf_complain(parser->complaints, root->line, "expected a map of sections, found %s",
                      conf_kind_name(root->kind));
        ok = false;
    }
    if (ok)
        return root;
    conf_tree_free(root);
    return NULL;
}

struct conf_node *conf_tree_parse(const char *text, size_t len, struct conf_complaints *complaints)
{
    if (len == 0) {
        conf_complain(complaints, 1, "expected a configuration, the file is empty");
        return NULL;
    }
    if (!check_bytes(text, len, complaints))
        return NULL;
    struct tree_parser parser = {.text = text, .len = len, .complaints = complaints};
    if (!yaml_parser_initialize(&parser.yaml))
        abort(); /* out of memory: the only way it fails */
    yaml_parser_set_encoding(&parser.yaml, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser.yaml, (const unsigned char *)text, len);
    struct conf_node *root = read_root(&parser);
    yaml_parser_delete(&parser.yaml);
    return root;
}
