#include "app/conf.h"

#include "app/conf_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define DATABASE "database:\n  url: \"postgresql://vigie_bridge@/app?host=/run/postgresql\"\n"
#define CHANNELS "channels:\n  devis: {}\n"
#define ISSUERS                                                                                    \
    "issuers:\n  - name: main\n    iss: https://id.example.fr/\n    aud: vigie\n"                  \
    "    algorithm: RS256\n    key_file: main.pem\n"
#define MINIMAL DATABASE CHANNELS ISSUERS /* ten lines */

/* Other variables of this process do not matter to conf_parse(). */
static char *const no_environ[] = {NULL};

static struct buf errors;

static int empty_errors(void **state)
{
    (void)state;
    buf_init(&errors, CONF_ERRORS_BYTES_MAX);
    return 0;
}

static int free_errors(void **state)
{
    (void)state;
    buf_free(&errors);
    return 0;
}

static struct conf *parse(const char *text, char *const *environment)
{
    return conf_parse("vigie.yaml", text, strlen(text), environment, &errors);
}

static struct conf *accepted_with(const char *text, char *const *environment)
{
    buf_clear(&errors);
    struct conf *conf = parse(text, environment);
    if (!conf)
        fail_msg("refused: %s", errors.bytes);
    assert_int_equal(errors.len, 0);
    return conf;
}

static struct conf *accepted(const char *text)
{
    return accepted_with(text, no_environ);
}

/* Refused, with exactly these lines. */
static void refused_bytes(const char *text, size_t len, const char *lines)
{
    buf_clear(&errors);
    struct conf *conf = conf_parse("vigie.yaml", text, len, no_environ, &errors);
    if (conf)
        fail_msg("taken: %s", text);
    assert_string_equal(errors.bytes, lines);
}

static void refused(const char *text, const char *lines)
{
    refused_bytes(text, strlen(text), lines);
}

static void refused_environ(const char *text, char *const *environment, const char *lines)
{
    buf_clear(&errors);
    assert_null(parse(text, environment));
    assert_string_equal(errors.bytes, lines);
}

static bool warned(const struct conf *conf, const char *part)
{
    for (size_t i = 0; i < conf->warnings.count; i++)
        if (strstr(conf->warnings.items[i], part))
            return true;
    return false;
}

/* ---- what is taken ---- */

static void what_is_not_said_is_the_default(void **state)
{
    (void)state;
    struct conf *conf = accepted(MINIMAL);
    assert_string_equal(conf->listen.address, "127.0.0.1");
    assert_int_equal(conf->listen.port, 8443);
    assert_true(conf->listen.tls);
    assert_int_equal(conf->listen.origins.count, 0);
    assert_int_equal(conf->admin.port, 9464);
    assert_int_equal(conf->database.reconnect_min_ms, 200);
    assert_int_equal(conf->database.busy_poll_ms, 4);
    assert_int_equal(conf->limits.queue_bytes, 256 * 1024);
    assert_int_equal(conf->limits.queue_total_bytes, 256 * 1024 * 1024);
    assert_int_equal(conf->limits.max_session_ms, 24 * 3600 * 1000);
    assert_int_equal(conf->history.age_ms, 600 * 1000);
    assert_true(conf->socketio.enabled);
    assert_int_equal(conf->socketio.namespaces.count, 0);
    assert_string_equal(conf->socketio.client_file, "");
    assert_int_equal(conf->socketio.upgrade_timeout_ms, 10000);
    assert_true(conf->streams.enabled);
    assert_int_equal(conf->streams.retry_ms, 2000);
    assert_int_equal(conf->streams.poll_hold_ms, 25000);
    assert_int_equal(conf->streams.ticket_ttl_ms, 30000);
    assert_int_equal(conf->streams.tickets, 10000);
    assert_int_equal(conf->log.level, LOG_INFO);
    assert_int_equal(conf->log.format, LOG_LOGFMT);
    assert_string_equal(conf->issuers[0].typ, "JWT");
    assert_string_equal(conf->issuers[0].user_claim, "sub");
    assert_int_equal(conf->issuers[0].max_ttl_s, 24 * 3600);
    conf_free(conf);
}

static void what_the_file_says_is_taken(void **state)
{
    (void)state;
    struct conf *conf =
        accepted(MINIMAL "listen:\n  address: '::1'\n  port: 0\n  tls: off\n"
                         "  origins: [\"https://app.example.fr\", 'http://localhost:5173']\n"
                         "  hosts: [rt.example.fr, \"[::1]:8443\"]\n"
                         "limits:\n  auth_timeout: 1500ms\n  message_bytes: 1MiB\n"
                         "log:\n  format: json\n  level: debug\n");
    assert_string_equal(conf->listen.address, "::1");
    assert_int_equal(conf->listen.port, 0);
    assert_false(conf->listen.tls);
    assert_int_equal(conf->listen.origins.count, 2);
    assert_string_equal(conf->listen.origins.items[1], "http://localhost:5173");
    assert_string_equal(conf->listen.hosts.items[1], "[::1]:8443");
    assert_int_equal(conf->limits.auth_timeout_ms, 1500);
    assert_int_equal(conf->limits.message_bytes, 1024 * 1024);
    assert_int_equal(conf->log.format, LOG_JSON);
    assert_int_equal(conf->log.level, LOG_DEBUG);
    conf_free(conf);
}

static void yes_no_on_off_true_and_false_are_the_booleans(void **state)
{
    (void)state;
    static const char *const words[] = {"yes", "on", "true", "no", "off", "false"};
    for (size_t i = 0; i < 6; i++) {
        char text[1024];
        snprintf(text, sizeof text, MINIMAL "demo:\n  enabled: %s\n", words[i]);
        struct conf *conf = accepted(text);
        assert_int_equal(conf->demo.enabled, i < 3);
        conf_free(conf);
    }
    static const char *const others[] = {"maybe", "Yes", "TRUE", "y", "1", "0", "On"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        char text[1024];
        char line[256];
        snprintf(text, sizeof text, MINIMAL "demo:\n  enabled: %s\n", others[i]);
        snprintf(line, sizeof line,
                 "vigie.yaml:12: demo.enabled: expected one of yes, no, on, off, true, false, "
                 "found \"%s\"\n",
                 others[i]);
        refused(text, line);
    }
}

static void a_relative_path_begins_at_the_file_s_directory(void **state)
{
    (void)state;
    const char *text = MINIMAL "demo: {directory: /srv/demo}\n";
    struct conf *conf = conf_parse("/usr/vigie.yaml", text, strlen(text), NULL, &errors);
    assert_non_null(conf);
    assert_string_equal(conf->listen.certificate, "/usr/cert.pem");
    assert_string_equal(conf->issuers[0].key_file, "/usr/main.pem");
    assert_string_equal(conf->issuers[0].jwks_file, "");
    assert_string_equal(conf->demo.directory, "/srv/demo");
    conf_free(conf);
    conf = conf_parse("/vigie.yaml", text, strlen(text), NULL, &errors);
    assert_string_equal(conf->listen.certificate, "/cert.pem");
    conf_free(conf);
    conf = accepted(text);
    char here[4096];
    assert_non_null(getcwd(here, sizeof here - 16));
    strcat(here, "/cert.pem");
    assert_string_equal(conf->listen.certificate, here);
    conf_free(conf);
}

static void rooms_are_told_apart_by_their_form(void **state)
{
    (void)state;
    struct conf *conf = accepted(
        DATABASE "channels:\n  devis: {rooms: ['*']}\n"
                 "  a: {rooms: ['company:*', 'wall:{company}', 'wall:all']}\n  b: {}\n" ISSUERS);
    assert_int_equal(conf->channel_count, 3);
    assert_string_equal(conf->channels[0].key, "devis");
    assert_string_equal(conf->channels[0].channel, "vigie_devis");
    assert_int_equal(conf->channels[0].rooms[0].form, CONF_ROOM_ALL);
    const struct conf_room *rooms = conf->channels[1].rooms;
    assert_int_equal(conf->channels[1].room_count, 3);
    assert_int_equal(rooms[0].form, CONF_ROOM_KIND);
    assert_string_equal(rooms[0].text, "company:");
    assert_int_equal(rooms[1].form, CONF_ROOM_COMPANY);
    assert_string_equal(rooms[1].text, "wall:");
    assert_int_equal(rooms[2].form, CONF_ROOM_LITERAL);
    assert_string_equal(rooms[2].text, "wall:all");
    assert_int_equal(conf->channels[2].room_count, 1);
    assert_int_equal(conf->channels[2].rooms[0].form, CONF_ROOM_ALL);
    conf_free(conf);
}

static void only_the_first_issuer_speaks_for_all_unless_told(void **state)
{
    (void)state;
    struct conf *conf = accepted(MINIMAL "  - {name: b, iss: b, aud: v, jwks_file: b.jwks}\n"
                                         "  - {name: c, iss: c, aud: v, jwks_file: c.jwks, "
                                         "companies: ['42', '7']}\n");
    assert_int_equal(conf->issuers[0].companies.count, 1);
    assert_string_equal(conf->issuers[0].companies.items[0], "*");
    assert_int_equal(conf->issuers[1].companies.count, 0);
    assert_true(warned(conf, "issuers[1].companies: b may speak for no company"));
    assert_int_equal(conf->issuers[2].companies.count, 2);
    assert_string_equal(conf->issuers[2].companies.items[1], "7");
    conf_free(conf);
}

static void an_issuer_s_claims_can_be_called_otherwise(void **state)
{
    (void)state;
    struct conf *conf =
        accepted(MINIMAL "    claims: {company: tenant, role: roles}\n    leeway: 1m\n");
    assert_string_equal(conf->issuers[0].company_claim, "tenant");
    assert_string_equal(conf->issuers[0].user_claim, "sub");
    assert_string_equal(conf->issuers[0].role_claim, "roles");
    assert_int_equal(conf->issuers[0].leeway_s, 60);
    conf_free(conf);
}

/* ---- the malformed corpus (F17) ---- */

static void an_empty_file_is_refused(void **state)
{
    (void)state;
    refused("", "vigie.yaml:1: expected a configuration, the file is empty\n");
    refused("# nothing\n", "vigie.yaml:1: expected a configuration, the file is empty\n");
    refused("---\n", "vigie.yaml:2: expected a map of sections, found a value\n");
    refused("- a\n", "vigie.yaml:1: expected a map of sections, found a list\n");
}

static void bytes_that_are_no_text_are_refused(void **state)
{
    (void)state;
    const char nul[] = "log:\n  level: in\0fo\n";
    refused_bytes(nul, sizeof nul - 1, "vigie.yaml:2: expected text, here is a NUL byte\n");
    refused("\xef\xbb\xbflog: {}\n", "vigie.yaml:1: expected UTF-8 without a byte order mark\n");
    refused_bytes("\xff\xfel\0", 4, "vigie.yaml:1: expected UTF-8, this is UTF-16\n");
    refused("a: b\nlog: \xc3\x28\n",
            "vigie.yaml:2: expected UTF-8 text: invalid trailing UTF-8 octet\n");
    refused(MINIMAL "listen:\n  certificate: \"a\\0b\"\n",
            "vigie.yaml:12: expected text on one line without control characters\n");
    refused(MINIMAL "listen:\n  hosts: [\"a\\nb\"]\n",
            "vigie.yaml:12: expected text on one line without control characters\n");
}

static void tabs_are_named_as_such(void **state)
{
    (void)state;
    refused("log:\n\tlevel: info\n",
            "vigie.yaml:2: expected spaces: YAML is not indented with tabs\n");
    refused("a: [\nb: }\n", "vigie.yaml:2: expected YAML: while parsing a flow node, did not find "
                            "expected node content\n");
}

static void a_second_document_is_refused(void **state)
{
    (void)state;
    refused(MINIMAL "---\nlog: {level: debug}\n",
            "vigie.yaml:11: expected one document, here a second begins\n");
}

static void aliases_anchors_and_tags_are_refused(void **state)
{
    (void)state;
    refused("a: &x [1]\nb: *x\n", "vigie.yaml:1: expected no anchor (&x)\n"
                                  "vigie.yaml:2: expected the value itself, no alias\n");
    refused(MINIMAL "log:\n  level: !!str info\n",
            "vigie.yaml:12: expected no tag (tag:yaml.org,2002:str)\n");
}

static void an_alias_bomb_does_not_go_off(void **state)
{
    (void)state;
    refused("a: &a [x,x,x,x]\nb: &b [*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b]\n",
            "vigie.yaml:1: expected no anchor (&a)\n"
            "vigie.yaml:2: expected no anchor (&b)\n"
            "vigie.yaml:2: expected the value itself, no alias\n");
}

static void a_key_comes_once(void **state)
{
    (void)state;
    refused(MINIMAL "log:\n  level: info\n  level: debug\n",
            "vigie.yaml:13: expected level once, it is on line 12 already\n");
    refused(MINIMAL "log: {}\nlog: {}\n",
            "vigie.yaml:12: expected log once, it is on line 11 already\n");
    refused(DATABASE "channels:\n  a: {}\n  a: {}\n" ISSUERS,
            "vigie.yaml:5: expected a once, it is on line 4 already\n");
}

static void an_unknown_key_is_refused_with_the_nearest_one(void **state)
{
    (void)state;
    refused(MINIMAL "lisen: {}\nlisten:\n  prot: 1\n  zzzzzz: 1\n",
            "vigie.yaml:11: lisen: expected a known key, did you mean listen?\n"
            "vigie.yaml:13: listen.prot: expected a known key, did you mean port?\n"
            "vigie.yaml:14: listen.zzzzzz: expected a known key\n");
    refused(MINIMAL "    audience: x\n    claims: {usr: x}\nclaims: {}\n",
            "vigie.yaml:13: claims: expected a known key\n"
            "vigie.yaml:11: issuers[0].audience: expected a known key\n"
            "vigie.yaml:12: issuers[0].claims.usr: expected a known key, did you mean user?\n");
    refused(DATABASE "channels:\n  a: {room: []}\n" ISSUERS,
            "vigie.yaml:4: channels.a.room: expected a known key, did you mean rooms?\n");
}

static void a_number_is_digits_and_nothing_else(void **state)
{
    (void)state;
    static const char *const wrong[] = {"443x", "010",  "0x1bb", "4_43", "+443",
                                        "-1",   "4.43", "65536", "1e3",  "99999999999999999999"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char text[1024];
        char line[256];
        snprintf(text, sizeof text, MINIMAL "listen:\n  port: %s\n", wrong[i]);
        snprintf(line, sizeof line,
                 "vigie.yaml:12: listen.port: expected a whole number from 0 to 65535, found "
                 "\"%s\"\n",
                 wrong[i]);
        refused(text, line);
    }
    refused(MINIMAL "listen:\n  port: '8443'\n",
            "vigie.yaml:12: listen.port: expected a whole number from 0 to 65535, found a text in "
            "quotes\n");
    refused(MINIMAL "listen:\n  port:\n", "vigie.yaml:12: listen.port: expected a whole number "
                                          "from 0 to 65535, found nothing\n");
    refused(MINIMAL "listen:\n  port: [1]\n", "vigie.yaml:12: listen.port: expected a whole number "
                                              "from 0 to 65535, found a list\n");
}

static void a_duration_has_a_unit_and_a_range(void **state)
{
    (void)state;
    static const char *const wrong[] = {"5",    "5 s", "5sec", "5S",  "s",  "0.5s",
                                        "99ms", "6m",  "05s",  "-5s", "1d", "9223372036854775807h"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char text[1024];
        char line[256];
        snprintf(text, sizeof text, MINIMAL "limits:\n  auth_timeout: %s\n", wrong[i]);
        snprintf(line, sizeof line,
                 "vigie.yaml:12: limits.auth_timeout: expected a duration such as 200ms, 30s, 10m "
                 "or 24h, from 100ms to 5m, found \"%s\"\n",
                 wrong[i]);
        refused(text, line);
    }
    refused(MINIMAL "    leeway: 1500ms\n",
            "vigie.yaml:11: issuers[0].leeway: expected a duration of whole seconds such as 30s, "
            "10m or 24h, from 0ms to 5m, found \"1500ms\"\n");
}

static void a_size_has_a_binary_unit_and_a_range(void **state)
{
    (void)state;
    static const char *const wrong[] = {"8192", "8KB", "8kib", "8K", "8 KiB", "512B", "2MiB"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char text[1024];
        char line[256];
        snprintf(text, sizeof text, MINIMAL "limits:\n  message_bytes: %s\n", wrong[i]);
        snprintf(line, sizeof line,
                 "vigie.yaml:12: limits.message_bytes: expected a size such as 512B, 8KiB, 32MiB "
                 "or 1GiB, from 1KiB to 1MiB, found \"%s\"\n",
                 wrong[i]);
        refused(text, line);
    }
}

static void one_mebibyte_is_too_large(void **state)
{
    (void)state;
    size_t len = 1024 * 1024;
    char *text = malloc(len);
    memset(text, '#', len);
    refused_bytes(text, len, "vigie.yaml:1: expected at most 256 KiB\n");
    free(text);
}

static void a_huge_list_is_refused(void **state)
{
    (void)state;
    struct buf text;
    buf_init(&text, CONF_FILE_BYTES_MAX);
    buf_str(&text, MINIMAL "listen:\n  origins:\n");
    for (int i = 0; i < 300; i++)
        buf_str(&text, "  - https://a.fr\n");
    refused(text.bytes, "vigie.yaml:13: listen.origins: expected 0 to 256 entries, found 300\n");
    for (int i = 0; i < 1000; i++)
        buf_str(&text, "  - https://a.fr\n");
    refused(text.bytes, "vigie.yaml:1037: expected at most 1024 entries\n");
    buf_free(&text);
}

static void deep_nesting_is_refused(void **state)
{
    (void)state;
    char text[100001] = "a: ";
    memset(text + 3, '[', sizeof text - 4);
    refused(text, "vigie.yaml:1: expected at most 8 levels\n");
    refused("a: [[[[[[[[]]]]]]]]\n", "vigie.yaml:1: expected at most 8 levels\n");
    refused(MINIMAL "a: [[[[[[[]]]]]]]\n", "vigie.yaml:11: a: expected a known key\n");
}

static void a_thousand_errors_end_in_one_line(void **state)
{
    (void)state;
    struct buf text;
    buf_init(&text, CONF_FILE_BYTES_MAX);
    buf_str(&text, MINIMAL);
    for (int i = 0; i < 1000; i++)
        buf_fmt(&text, "wrong%d: 1\n", i);
    assert_null(parse(text.bytes, no_environ));
    size_t lines = 0;
    for (const char *at = errors.bytes; (at = strchr(at, '\n')); at++)
        lines++;
    assert_int_equal(lines, 100);
    assert_non_null(strstr(errors.bytes, "\nvigie.yaml: there are further errors\n"));
    assert_false(errors.overflow);
    buf_free(&text);
}

static void every_error_is_said_at_once(void **state)
{
    (void)state;
    refused(
        "listen:\n  port: 443x\n  tls: maybe\n  adress: '::'\nlimits:\n  sessions: 0\n"
        "database:\n  url: mysql://x\nchannels: {}\nissuers:\n  - name: a\n    algorithm: none\n",
        "vigie.yaml:4: listen.adress: expected a known key, did you mean address?\n"
        "vigie.yaml:2: listen.port: expected a whole number from 0 to 65535, found \"443x\"\n"
        "vigie.yaml:3: listen.tls: expected one of yes, no, on, off, true, false, found "
        "\"maybe\"\n"
        "vigie.yaml:8: database.url: expected a postgresql:// URL of 1 to 2048 bytes\n"
        "vigie.yaml:6: limits.sessions: expected a whole number from 1 to 1000000, found \"0\"\n"
        "vigie.yaml:9: channels: expected at least one, such as devis: {}\n"
        "vigie.yaml:11: issuers[0].iss: expected, there is no default\n"
        "vigie.yaml:11: issuers[0].aud: expected, there is no default\n"
        "vigie.yaml:12: issuers[0].algorithm: expected one of HS256, HS384, HS512, RS256, "
        "RS384, RS512, ES256, ES384, ES512, found \"none\"\n"
        "vigie.yaml:11: issuers[0].key_file: expected a file, here or as jwks_file\n");
}

/* ---- one refusal each ---- */

static void what_has_no_default_must_be_given(void **state)
{
    (void)state;
    refused(CHANNELS ISSUERS, "vigie.yaml:1: database.url: expected, there is no default\n");
    refused(DATABASE ISSUERS, "vigie.yaml:1: channels: expected at least one, such as devis: {}\n");
    refused(DATABASE CHANNELS, "vigie.yaml:1: issuers: expected a list of at least one issuer\n");
    refused(DATABASE CHANNELS "issuers: []\n",
            "vigie.yaml:5: issuers: expected a list of at least one issuer\n");
    refused(DATABASE CHANNELS "issuers: {name: a}\n",
            "vigie.yaml:5: issuers: expected a list of at least one issuer\n");
    refused(DATABASE CHANNELS "issuers: [main]\n",
            "vigie.yaml:5: issuers[0]: expected a map, found a value\n");
}

static void a_section_is_a_map(void **state)
{
    (void)state;
    refused(MINIMAL "log: debug\n", "vigie.yaml:11: log: expected a map, found a value\n");
    refused(MINIMAL "log:\n", "vigie.yaml:11: log: expected a map, found nothing\n");
    refused(MINIMAL "log: [level]\n", "vigie.yaml:11: log: expected a map, found a list\n");
    refused(DATABASE "channels:\n  devis:\n" ISSUERS,
            "vigie.yaml:4: channels.devis: expected a map, found nothing\n");
    refused(DATABASE "channels: [devis]\n" ISSUERS,
            "vigie.yaml:3: channels: expected a map, found a list\n");
}

static void an_address_is_numeric(void **state)
{
    (void)state;
    refused(MINIMAL "listen:\n  address: localhost\n",
            "vigie.yaml:12: listen.address: expected a numeric address, IPv4 or IPv6, found "
            "\"localhost\"\n");
    refused(MINIMAL "admin:\n  address: 127.1\n",
            "vigie.yaml:12: admin.address: expected a numeric address, IPv4 or IPv6, found "
            "\"127.1\"\n");
}

static void an_origin_is_what_a_browser_sends(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "*",
        "null",
        "app.example.fr",
        "https://app.example.fr/",
        "https://App.example.fr",
        "https://app.example.fr:443",
        "http://app.example.fr:80",
        "https://app.example.fr:0",
        "https://app.example.fr:x",
        "https://",
        "://a",
        "https://a b",
        "https://*.example.fr",
        "https://[::1",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char text[1024];
        snprintf(text, sizeof text, MINIMAL "listen:\n  origins:\n    - \"%s\"\n", wrong[i]);
        assert_null(parse(text, no_environ));
        char start[64];
        snprintf(start, sizeof start, "vigie.yaml:13: listen.origins: expected an origin");
        assert_memory_equal(errors.bytes, start, strlen(start));
        buf_clear(&errors);
    }
    refused(MINIMAL "listen:\n  origins: https://a.fr\n",
            "vigie.yaml:12: listen.origins: expected a list such as [\"…\"], found a value\n");
}

static void a_namespace_begins_with_a_slash_and_is_not_the_one_that_is_always_there(void **state)
{
    (void)state;
    static const char *const wrong[] = {"", "/", "messaging", "/a,b", "/a?b", "/a b", "/é"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char text[1024];
        snprintf(text, sizeof text, MINIMAL "socketio:\n  namespaces:\n    - \"%s\"\n", wrong[i]);
        assert_null(parse(text, no_environ));
        char start[80];
        snprintf(start, sizeof start, "vigie.yaml:13: socketio.namespaces: expected a namespace");
        assert_memory_equal(errors.bytes, start, strlen(start));
        buf_clear(&errors);
    }
    struct conf *conf = accepted(MINIMAL "socketio: {namespaces: [/messaging, /Ops/live]}\n");
    assert_int_equal(conf->socketio.namespaces.count, 2);
    assert_string_equal(conf->socketio.namespaces.items[1], "/Ops/live");
    conf_free(conf);
}

static void a_namespace_has_at_most_64_bytes(void **state)
{
    (void)state;
    char text[1024];
    for (int len = 64; len <= 65; len++) {
        snprintf(text, sizeof text, MINIMAL "socketio: {namespaces: [/%0*d]}\n", len - 1, 7);
        struct conf *conf = parse(text, no_environ);
        assert_int_equal(conf != NULL, len == 64);
        conf_free(conf);
    }
}

static void namespaces_come_once_and_are_few(void **state)
{
    (void)state;
    refused(MINIMAL "socketio:\n  namespaces:\n    - /a\n    - /b\n    - /a\n",
            "vigie.yaml:13: socketio.namespaces: expected each once, found \"/a\" again\n");
    struct buf text;
    buf_init(&text, 4096);
    buf_str(&text, MINIMAL "socketio: {namespaces: [");
    for (int i = 0; i < 17; i++)
        buf_fmt(&text, "%s/n%d", i ? ", " : "", i);
    buf_str(&text, "]}\n");
    refused(text.bytes, "vigie.yaml:11: socketio.namespaces: expected 0 to 16 entries, found 17\n");
    buf_free(&text);
}

static void a_host_is_a_name_in_lower_case(void **state)
{
    (void)state;
    refused(MINIMAL "listen:\n  hosts: [Rt.example.fr, 'a/b', a.fr]\n",
            "vigie.yaml:12: listen.hosts: expected a host name in lower case, with or without a "
            "port, found \"Rt.example.fr\"\n"
            "vigie.yaml:12: listen.hosts: expected a host name in lower case, with or without a "
            "port, found \"a/b\"\n");
}

static void a_channel_is_named_as_postgresql_would(void **state)
{
    (void)state;
    static const char *const wrong[] = {"Devis", "1a", "a-b", "é", "''"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char text[1024];
        snprintf(text, sizeof text, DATABASE "channels:\n  %s: {}\n" ISSUERS, wrong[i]);
        assert_null(parse(text, no_environ));
        assert_non_null(strstr(errors.bytes, "expected a table's name that matches"));
        assert_memory_equal(errors.bytes, "vigie.yaml:4: channels.", 23);
        buf_clear(&errors);
    }
    char name[59];
    char text[1024];
    memset(name, 'a', 58);
    name[58] = '\0';
    snprintf(text, sizeof text, DATABASE "channels:\n  %s: {}\n" ISSUERS, name);
    assert_null(parse(text, no_environ));
    buf_clear(&errors);
    name[57] = '\0';
    snprintf(text, sizeof text, DATABASE "channels:\n  %s: {}\n" ISSUERS, name);
    struct conf *conf = accepted(text);
    assert_int_equal(strlen(conf->channels[0].channel), 63);
    conf_free(conf);
}

static void a_room_has_one_of_four_forms(void **state)
{
    (void)state;
    static const char *const wrong[] = {"wall",    "wall:",  "wall:{user}", "wall:x{company}",
                                        "wall:a*", "Wall:a", "**",          ":a"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char text[1024];
        char line[256];
        snprintf(text, sizeof text, DATABASE "channels:\n  a:\n    rooms: ['%s']\n" ISSUERS,
                 wrong[i]);
        snprintf(line, sizeof line,
                 "vigie.yaml:5: channels.a.rooms: expected *, KIND:*, KIND:{company} or KIND:ID "
                 "with KIND of [a-z0-9_-], found \"%s\"\n",
                 wrong[i]);
        refused(text, line);
    }
    refused(DATABASE "channels: {a: {rooms: []}}\n" ISSUERS,
            "vigie.yaml:3: channels.a.rooms: expected 1 to 64 entries, found 0\n");
}

static void tls_is_off_only_where_nobody_listens_in(void **state)
{
    (void)state;
    refused(MINIMAL "listen:\n  address: 0.0.0.0\n  tls: off\n",
            "vigie.yaml:13: listen.tls: expected on: off is for a loopback address, or "
            "behind_proxy: yes\n");
    refused(MINIMAL "listen: {address: '::', tls: no}\n",
            "vigie.yaml:11: listen.tls: expected on: off is for a loopback address, or "
            "behind_proxy: yes\n");
    conf_free(accepted(MINIMAL "listen: {address: 127.8.0.1, tls: off}\n"));
    conf_free(accepted(MINIMAL "listen: {address: 0.0.0.0, tls: off, behind_proxy: yes}\n"));
    refused(MINIMAL "listen:\n  certificate: ''\n  private_key: \"\"\n",
            "vigie.yaml:12: listen.certificate: expected a file, since tls is on\n"
            "vigie.yaml:13: listen.private_key: expected a file, since tls is on\n");
}

static void options_that_contradict_each_other_are_refused(void **state)
{
    (void)state;
    refused(MINIMAL "admin: {port: 8443}\n",
            "vigie.yaml:11: admin.port: expected another port than that of listen\n");
    refused(MINIMAL "limits: {queue_bytes: 2MiB, queue_total_bytes: 1MiB}\n",
            "vigie.yaml:11: limits.queue_total_bytes: expected at least queue_bytes\n");
    refused(
        "database:\n  url: postgresql:///app\n  reconnect_min: 1m\n  busy_poll: 900ms\n" CHANNELS
            ISSUERS,
        "vigie.yaml:1: database.reconnect_max: expected at least reconnect_min\n"
        "vigie.yaml:1: database.safety_poll: expected at least busy_poll\n");
    conf_free(accepted(MINIMAL "admin: {port: 0}\nlisten: {port: 0}\n"));
}

static void an_issuer_has_one_source_of_keys(void **state)
{
    (void)state;
    refused(MINIMAL "    jwks_file: a.jwks\n",
            "vigie.yaml:11: issuers[0].jwks_file: expected either this or key_file, not both\n");
    refused(DATABASE CHANNELS "issuers:\n- {name: a, iss: a, aud: a}\n",
            "vigie.yaml:6: issuers[0].key_file: expected a file, here or as jwks_file\n");
    refused(DATABASE CHANNELS "issuers:\n- {name: a, iss: a, aud: a, key_file: k}\n",
            "vigie.yaml:6: issuers[0].algorithm: expected one, since key_file does not tell\n");
    refused(
        DATABASE CHANNELS
        "issuers:\n- {name: a, iss: a, aud: a, jwks_file: k, algorithm: HS256, kid: x}\n",
        "vigie.yaml:6: issuers[0].algorithm: expected an RS or ES algorithm: secrets are not "
        "taken from a jwks_file\n"
        "vigie.yaml:6: issuers[0].kid: expected none: the keys of a jwks_file have their own\n");
}

static void two_issuers_are_told_apart(void **state)
{
    (void)state;
    refused(MINIMAL "  - name: main\n    iss: https://id.example.fr/\n    aud: b\n"
                    "    jwks_file: b\n    companies: ['*']\n",
            "vigie.yaml:11: issuers[1].name: expected another name than that of an issuer before\n"
            "vigie.yaml:12: issuers[1].iss: expected another iss than that of an issuer before\n");
}

/* ---- the database's URL ---- */

static void url_line(const char *url, const char *complaint)
{
    char text[2048];
    snprintf(text, sizeof text, "database:\n  url: \"%s\"\n" CHANNELS ISSUERS, url);
    if (complaint) {
        char line[512];
        snprintf(line, sizeof line, "vigie.yaml:2: database.url: %s\n", complaint);
        refused(text, line);
    } else {
        conf_free(accepted(text));
    }
}

static void a_password_in_the_url_is_refused_and_never_shown(void **state)
{
    (void)state;
    static const char *const urls[] = {
        "postgresql://vigie:s3cret@/app",
        "postgresql://vigie:@/app",
        "postgres://vigie:s3cret@db.example.fr/app?sslmode=verify-full",
        "postgresql:///app?password=s3cret",
        "postgresql:///app?pass%77ord=s3cret",
        "postgresql:///app?host=/run&sslpassword=s3cret",
        "postgresql://vigie:s3cret@[::1/app",
    };
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        url_line(urls[i], "expected no password in it: put it in a file and name that with "
                          "passfile=");
        assert_null(strstr(errors.bytes, "s3cret"));
    }
    url_line("mysql://vigie:s3cret@/app", "expected a postgresql:// URL of 1 to 2048 bytes");
    url_line("postgresql:///app?passfile=/run/credentials/vigie.service/pgpass", NULL);
}

static void a_malformed_url_is_refused(void **state)
{
    (void)state;
    static const char *const urls[] = {"postgresql://[::1/app",      "postgresql://[::1]x/app",
                                       "postgresql:///app?host",     "postgresql:///app?host=%2",
                                       "postgresql:///app?host=%zz", "postgresql:///app?host=%00"};
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++)
        url_line(urls[i], "expected postgresql://USER@HOST/DATABASE?KEY=VALUE, with %XX for what "
                          "is special");
}

static void a_database_elsewhere_needs_tls_that_is_made_sure_of(void **state)
{
    (void)state;
    static const char *const urls[] = {
        "postgresql://vigie@db.example.fr/app",
        "postgresql://vigie@10.0.0.1:5433/app?sslmode=prefer",
        "postgresql://vigie@db/app?sslmode=disable",
        "postgresql://vigie@db/app?sslmode=allow",
        "postgresql://vigie@db/app?sslmode=verify-full&sslmode=disable",
        "postgresql://localhost,db.example.fr/app",
        "postgresql://vigie@[2001:db8::1]/app",
        "postgresql:///app?host=db.example.fr",
        "postgresql:///app?h%6fst=db.example.fr",
        "postgresql://localhost/app?hostaddr=10.0.0.1",
        "postgresql://local%68ost.evil.fr/app",
    };
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++)
        url_line(urls[i], "expected sslmode=verify-full (or verify-ca), since the host is not this "
                          "machine (or insecure: yes)");
    url_line("postgresql:///app?service=prod", "expected a host in it instead of a service, so "
                                               "that TLS can be checked (or insecure: yes)");
    static const char *const good[] = {
        "postgresql:///app",
        "postgresql://vigie@/app?host=/run/postgresql",
        "postgresql://%2Frun%2Fpostgresql/app",
        "postgresql://vigie@localhost:5433/app",
        "postgresql://127.0.0.1/app",
        "postgresql://[::1]:5432/app",
        "postgresql://vigie@db/app?sslmode=verify-full&sslrootcert=/etc/ca.pem",
        "postgresql://vigie@a:1,b:2/app?sslmode=verify-ca",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        url_line(good[i], NULL);
    conf_free(accepted("database: {url: 'postgresql://db/app', insecure: yes}\n" CHANNELS ISSUERS));
}

static void unverified_tls_is_a_warning(void **state)
{
    (void)state;
    struct conf *conf =
        accepted("database: {url: 'postgresql://db/app?sslmode=require'}\n" CHANNELS ISSUERS);
    assert_true(warned(conf, "sslmode=require does not check who answers"));
    conf_free(conf);
}

static void what_libpq_takes_from_the_environment_counts(void **state)
{
    (void)state;
    const char *text = "database: {url: 'postgresql:///app'}\n" CHANNELS ISSUERS;
    char *elsewhere[] = {(char[]){"PGHOST=db.example.fr"}, NULL};
    refused_environ(
        text, elsewhere,
        "vigie.yaml:1: database.url: expected sslmode=verify-full (or verify-ca), since "
        "the host is not this machine (or insecure: yes)\n");
    buf_clear(&errors);
    char *verified[] = {(char[]){"PGHOST=db.example.fr"}, (char[]){"PGSSLMODE=verify-full"},
                        (char[]){"PGPASSWORD=x"}, NULL};
    struct conf *conf = parse(text, verified);
    assert_non_null(conf);
    assert_true(warned(conf, "PGPASSWORD is in the environment"));
    conf_free(conf);
}

/* ---- the environment ---- */

static void the_environment_goes_over_the_file(void **state)
{
    (void)state;
    char *environment[] = {(char[]){"VIGIE_LISTEN_PORT=9443"},
                           (char[]){"VIGIE_LISTEN_ORIGINS=https://a.fr,https://b.fr"},
                           (char[]){"VIGIE_LISTEN_HOSTS="},
                           (char[]){"VIGIE_DATABASE_URL=postgresql:///other"},
                           (char[]){"VIGIE_LOG_LEVEL=debug"},
                           (char[]){"PATH=/bin"},
                           NULL};
    struct conf *conf = accepted_with(
        CHANNELS ISSUERS "listen: {port: 1, hosts: [a.fr], origins: ['https://c.fr']}\n",
        environment);
    assert_int_equal(conf->listen.port, 9443);
    assert_int_equal(conf->listen.origins.count, 2);
    assert_string_equal(conf->listen.origins.items[1], "https://b.fr");
    assert_int_equal(conf->listen.hosts.count, 0);
    assert_string_equal(conf->database.url, "postgresql:///other");
    assert_int_equal(conf->log.level, LOG_DEBUG);
    conf_free(conf);
}

static void the_environment_is_judged_as_the_file_is(void **state)
{
    (void)state;
    char *environment[] = {(char[]){"VIGIE_LISTEN_PORT=443x"},
                           (char[]){"VIGIE_LISTEN_ORIGINS=https://a.fr,"},
                           (char[]){"VIGIE_DATABASE_URL=postgresql://a:s3cret@/b"},
                           (char[]){"VIGIE_LOG_LEVEL=in\nfo"},
                           (char[]){"VIGIE_DRAIN_WINDOW="},
                           NULL};
    refused_environ(
        MINIMAL, environment,
        "VIGIE_LISTEN_PORT: expected a whole number from 0 to 65535, found \"443x\"\n"
        "VIGIE_LISTEN_ORIGINS: expected an origin as browsers send it, such as "
        "https://app.example.fr (lower case, no slash at the end, no default port, no wildcard), "
        "found \"\"\n"
        "VIGIE_DRAIN_WINDOW: expected a duration such as 200ms, 30s, 10m or 24h, from 0ms to 10m, "
        "found \"\"\n"
        "VIGIE_LOG_LEVEL: expected one of error, warn, info, debug\n"
        "VIGIE_DATABASE_URL: expected no password in it: put it in a file and name that with "
        "passfile=\n");
}

static void a_misspelt_variable_is_refused(void **state)
{
    (void)state;
    char *environment[] = {(char[]){"VIGIE_LISTEN_PROT=1"}, (char[]){"VIGIE_ISSUERS=x"},
                           (char[]){"VIGIE_CHANNELS_DEVIS=x"}, NULL};
    refused_environ(MINIMAL, environment,
                    "VIGIE_LISTEN_PROT: expected the name of an option, did you mean "
                    "VIGIE_LISTEN_PORT?\n"
                    "VIGIE_ISSUERS: expected the name of an option\n"
                    "VIGIE_CHANNELS_DEVIS: expected the name of an option\n");
}

static void a_variable_of_an_orchestrator_is_only_a_warning(void **state)
{
    (void)state;
    char *environment[] = {(char[]){"VIGIE_SERVICE_HOST=10.0.0.1"}, (char[]){"VIGIE_LISEN_PORT=1"},
                           NULL};
    struct conf *conf = accepted_with(MINIMAL, environment);
    assert_true(warned(conf, "VIGIE_SERVICE_HOST is no option and is ignored"));
    assert_true(warned(conf, "VIGIE_LISEN_PORT is no option and is ignored, did you mean "
                             "VIGIE_LISTEN_PORT?"));
    conf_free(conf);
}

static void every_option_of_a_section_has_its_variable(void **state)
{
    (void)state;
    struct buf name;
    buf_init(&name, 256);
    for (size_t i = 0; i < conf_option_count; i++) {
        buf_clear(&name);
        conf_env_name(&conf_options[i], &name);
        if (conf_section_find(conf_options[i].section)->base != CONF_BASE_CONF)
            continue;
        buf_str(&name, "=\001");
        char *environment[] = {name.bytes, NULL};
        buf_clear(&errors);
        assert_null(parse(MINIMAL, environment));
        name.bytes[name.len - 2] = ':';
        name.bytes[name.len - 1] = ' ';
        assert_memory_equal(errors.bytes, name.bytes, name.len);
    }
    buf_free(&name);
}

/* ---- the machine ---- */

static void more_sessions_than_descriptors_is_a_warning(void **state)
{
    (void)state;
    struct rlimit old;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    struct rlimit few = {.rlim_cur = 256, .rlim_max = old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    struct conf *conf = accepted(MINIMAL "limits: {sessions: 193}\n");
    assert_true(warned(conf, "193 sessions need 257 file descriptors, this process may open 256"));
    conf_free(conf);
    conf = accepted(MINIMAL "limits: {sessions: 192}\n");
    assert_false(warned(conf, "descriptors"));
    conf_free(conf);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
}

static void metrics_in_the_open_are_a_warning(void **state)
{
    (void)state;
    struct conf *conf = accepted(MINIMAL "admin: {address: 0.0.0.0}\n");
    assert_true(warned(conf, "admin.address: 0.0.0.0 is not a loopback address"));
    conf_free(conf);
}

/* ---- files ---- */

struct folder {
    char path[64];
};

static int make_folder(void **state)
{
    struct folder *folder = mem_new(sizeof *folder);
    strcpy(folder->path, "/tmp/vigie-conf-XXXXXX");
    *state = folder;
    empty_errors(NULL);
    return mkdtemp(folder->path) ? 0 : -1;
}

static const char *const made_files[] = {"socket.io.min.js", "vigie.yaml", "cert.pem",
                                         "key.pem",          "main.pem",   "pages"};

static void path_in(const struct folder *folder, const char *name, char *path, size_t size)
{
    snprintf(path, size, "%s/%s", folder->path, name);
}

static int remove_folder(void **state)
{
    struct folder *folder = *state;
    char path[128];
    for (size_t i = 0; i < sizeof made_files / sizeof *made_files; i++) {
        path_in(folder, made_files[i], path, sizeof path);
        remove(path);
    }
    int left = rmdir(folder->path);
    free(folder);
    free_errors(NULL);
    return left;
}

static void write_file(const struct folder *folder, const char *name, const char *text, mode_t mode)
{
    char path[128];
    path_in(folder, name, path, sizeof path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static struct conf *load(const struct folder *folder, int *exit_code)
{
    char path[128];
    path_in(folder, "vigie.yaml", path, sizeof path);
    buf_clear(&errors);
    return conf_load(path, no_environ, &errors, exit_code);
}

static void a_file_that_is_not_there_is_exit_66(void **state)
{
    int code = 0;
    assert_null(load(*state, &code));
    assert_int_equal(code, 66);
    assert_non_null(strstr(errors.bytes, "vigie.yaml:1: expected a readable file: No such file"));
}

static void a_file_that_everybody_may_write_is_refused(void **state)
{
    int code = 0;
    write_file(*state, "vigie.yaml", MINIMAL, 0646);
    assert_null(load(*state, &code));
    assert_int_equal(code, 78);
    assert_non_null(strstr(errors.bytes, "vigie.yaml:1: expected a file that not every user may "
                                         "write (chmod o-w)"));
}

static void a_folder_is_no_configuration(void **state)
{
    const struct folder *folder = *state;
    int code = 0;
    assert_null(conf_load(folder->path, no_environ, &errors, &code));
    assert_int_equal(code, 78);
    assert_non_null(strstr(errors.bytes, ":1: expected a regular file"));
}

static void a_file_that_may_not_be_read_is_exit_77(void **state)
{
    if (geteuid() == 0) {
        /* root may read everything: the judgement is made by an unprivileged effective user */
        write_file(*state, "vigie.yaml", MINIMAL, 0000);
        assert_int_equal(seteuid(65534), 0);
    } else {
        write_file(*state, "vigie.yaml", MINIMAL, 0000);
    }
    int code = 0;
    struct conf *conf = load(*state, &code);
    if (getuid() == 0)
        assert_int_equal(seteuid(0), 0);
    assert_null(conf);
    assert_int_equal(code, 77);
}

static void a_mebibyte_on_disk_is_refused(void **state)
{
    char *text = mem_new(1024 * 1024 + 1);
    memset(text, '\n', 1024 * 1024);
    write_file(*state, "vigie.yaml", text, 0600);
    free(text);
    int code = 0;
    assert_null(load(*state, &code));
    assert_int_equal(code, 78);
    assert_non_null(strstr(errors.bytes, "vigie.yaml:1: expected at most 256 KiB"));
}

static void a_good_file_is_loaded(void **state)
{
    int code = -1;
    write_file(*state, "vigie.yaml", MINIMAL, 0640);
    struct conf *conf = load(*state, &code);
    assert_non_null(conf);
    assert_int_equal(code, 0);
    conf_free(conf);
}

static bool has_error(const char *part)
{
    return errors.bytes && strstr(errors.bytes, part);
}

static void every_file_that_is_named_is_looked_at(void **state)
{
    int code = 0;
    write_file(*state, "vigie.yaml", MINIMAL "demo: {enabled: yes, directory: pages}\n", 0600);
    struct conf *conf = load(*state, &code);
    assert_false(conf_check_files(conf, &errors));
    assert_true(has_error(":1: listen.certificate: expected a readable file /tmp/"));
    assert_true(has_error(":1: listen.private_key: expected a readable file"));
    assert_true(has_error(":10: issuers[0].key_file: expected a readable file"));
    assert_true(has_error(":11: demo.directory: expected a readable folder"));

    buf_clear(&errors);
    write_file(*state, "cert.pem", "x", 0644);
    write_file(*state, "key.pem", "", 0600);
    write_file(*state, "main.pem", "x", 0606);
    write_file(*state, "pages", "x", 0600);
    assert_false(conf_check_files(conf, &errors));
    assert_false(has_error("listen.certificate"));
    assert_true(has_error("key.pem: it is empty"));
    assert_true(has_error("main.pem: every user of this machine may write it"));
    assert_true(has_error("pages: it is no folder"));

    buf_clear(&errors);
    char path[128];
    path_in(*state, "pages", path, sizeof path);
    assert_int_equal(remove(path), 0);
    assert_int_equal(mkdir(path, 0755), 0);
    write_file(*state, "key.pem", "x", 0600);
    write_file(*state, "main.pem", "x", 0600);
    assert_true(conf_check_files(conf, &errors));
    assert_false(has_error("expected"));
    conf_free(conf);
}

static void the_client_to_serve_is_looked_at_where_it_is_served(void **state)
{
    int code = 0;
    static const char on[] =
        MINIMAL "listen: {tls: off}\nsocketio: {client_file: socket.io.min.js}\n";
    static const char off[] =
        MINIMAL "listen: {tls: off}\nsocketio: {client_file: x.js, enabled: no}\n";
    write_file(*state, "main.pem", "x", 0600);
    write_file(*state, "vigie.yaml", on, 0600);
    struct conf *conf = load(*state, &code);
    assert_false(conf_check_files(conf, &errors));
    assert_true(has_error(":12: socketio.client_file: expected a readable file /tmp/"));
    assert_true(has_error("/socket.io.min.js: No such file"));
    buf_clear(&errors);
    write_file(*state, "socket.io.min.js", "x", 0644);
    assert_true(conf_check_files(conf, &errors));
    conf_free(conf);

    write_file(*state, "vigie.yaml", off, 0600);
    conf = load(*state, &code);
    assert_true(conf_check_files(conf, &errors));
    conf_free(conf);
}

static void a_file_that_everybody_gets_is_a_script(void **state)
{
    (void)state;
    refused(MINIMAL "socketio: {client_file: /etc/vigie/key.pem}\n",
            "vigie.yaml:11: socketio.client_file: expected a file NAME.js, found "
            "/etc/vigie/key.pem: it is "
            "served to everybody\n");
}

static void tls_off_needs_no_certificate(void **state)
{
    int code = 0;
    write_file(*state, "vigie.yaml", MINIMAL "listen: {tls: off}\n", 0600);
    write_file(*state, "main.pem", "x", 0600);
    struct conf *conf = load(*state, &code);
    assert_true(conf_check_files(conf, &errors));
    conf_free(conf);
}

static void a_secret_that_everybody_may_read_is_a_warning(void **state)
{
    int code = 0;
    write_file(*state, "vigie.yaml", MINIMAL, 0600);
    write_file(*state, "key.pem", "x", 0644);
    write_file(*state, "main.pem", "x", 0644); /* RS256: a public key */
    struct conf *conf = load(*state, &code);
    assert_true(warned(conf, "key.pem can be read by every user of this machine"));
    assert_false(warned(conf, "main.pem"));
    conf_free(conf);
}

/* ---- printing ---- */

static char *printed(const struct conf *conf)
{
    struct buf out;
    buf_init(&out, 1024 * 1024);
    conf_print(conf, &out);
    assert_false(out.overflow);
    return buf_take(&out);
}

/* Without the comments, which say where a value came from. */
static char *printed_values(const struct conf *conf)
{
    char *text = printed(conf);
    char *to = text;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        char *comment = strstr(line, " #");
        size_t len = comment ? (size_t)(comment - line) : strlen(line);
        memmove(to, line, len);
        to += len;
        *to++ = '\n';
    }
    *to = '\0';
    return text;
}

static void what_is_printed_loads_to_the_same(void **state)
{
    (void)state;
    struct conf *conf = accepted(
        DATABASE
        "channels:\n  devis: {rooms: ['*', 'a:{company}', 'b:*', 'c:d']}\n  on: {}\n" ISSUERS
        "    kid: \"a\\\"b é\"\n    leeway: 90s\n"
        "  - {name: b, iss: b, aud: v, jwks_file: b.jwks, companies: ['1']}\n"
        "listen: {port: 9, origins: ['https://a.fr'], hosts: [a.fr, b.fr]}\n"
        "socketio: {namespaces: [/a, /b:c]}\nstreams: {enabled: no, retry: 1500ms}\n"
        "limits: {max_session: 90m, message_bytes: 1536B}\nlog: {level: warn}\n");
    char *first = printed_values(conf);
    char *text = printed(conf);
    struct conf *again = accepted(text);
    char *second = printed_values(again);
    assert_string_equal(first, second);
    assert_non_null(strstr(first, "  message_bytes: 1536B\n"));
    assert_non_null(strstr(first, "  max_session: 90m\n"));
    free(first);
    free(second);
    free(text);
    conf_free(again);
    conf_free(conf);
}

static void what_is_printed_says_where_it_came_from(void **state)
{
    (void)state;
    char *environment[] = {(char[]){"VIGIE_LOG_LEVEL=warn"}, NULL};
    struct conf *conf = accepted_with(MINIMAL "listen:\n  port: 9\n", environment);
    char *text = printed(conf);
    assert_non_null(strstr(text, "  port: 9 # vigie.yaml:12\n"));
    assert_non_null(strstr(text, "  level: warn # environment\n"));
    assert_non_null(strstr(text, "  tls: yes # default\n"));
    assert_non_null(strstr(text, "    iss: \"https://id.example.fr/\" # vigie.yaml:7\n"));
    assert_non_null(strstr(text, "      user: \"sub\" # default\n"));
    assert_non_null(strstr(text, "  \"devis\": {rooms: [\"*\"]} # vigie.yaml:4\n"));
    free(text);
    conf_free(conf);
}

/* ---- reload ---- */

static void a_reload_names_what_needs_a_restart(void **state)
{
    (void)state;
    struct conf *old = accepted(MINIMAL);
    struct conf *now =
        accepted("database: {url: 'postgresql:///b'}\nchannels: {factures: {}}\n" ISSUERS
                 "listen: {port: 1, origins: ['https://a.fr']}\nlimits: {sessions: 5}\nlog: "
                 "{level: warn}\n");
    struct buf keys;
    buf_init(&keys, 4096);
    assert_false(conf_reload_check(old, now, &keys));
    assert_string_equal(keys.bytes, "listen.port\ndatabase.url\nchannels\n");
    buf_clear(&keys);
    assert_true(conf_reload_check(old, old, &keys));
    assert_int_equal(keys.len, 0);
    buf_free(&keys);
    conf_free(old);
    conf_free(now);
}

static void a_reload_takes_rooms_issuers_and_limits(void **state)
{
    (void)state;
    struct conf *old = accepted(DATABASE "channels: {a: {}, b: {}}\n" ISSUERS);
    struct conf *now = accepted(DATABASE "channels: {b: {}, a: {rooms: ['x:*']}}\n"
                                         "issuers: [{name: z, iss: z, aud: z, jwks_file: z}]\n"
                                         "limits: {auth_timeout: 1s, queue_bytes: 1MiB}\n");
    struct buf keys;
    buf_init(&keys, 4096);
    assert_true(conf_reload_check(old, now, &keys));
    assert_int_equal(keys.len, 0);
    buf_free(&keys);
    conf_free(old);
    conf_free(now);
}

static void a_reload_takes_the_times_of_the_doors_but_not_the_doors(void **state)
{
    (void)state;
    struct conf *old = accepted(MINIMAL);
    struct conf *times =
        accepted(MINIMAL "socketio: {upgrade_timeout: 5s}\n"
                         "streams: {retry: 1s, poll_hold: 20s, ticket_ttl: 10s, tickets: 5}\n");
    struct conf *doors =
        accepted(MINIMAL "socketio: {enabled: no, namespaces: [/a], client_file: x.js}\n"
                         "streams: {enabled: no}\n");
    struct buf keys;
    buf_init(&keys, 4096);
    assert_true(conf_reload_check(old, times, &keys));
    assert_false(conf_reload_check(old, doors, &keys));
    assert_string_equal(keys.bytes, "socketio.enabled\nsocketio.namespaces\n"
                                    "socketio.client_file\nstreams.enabled\n");
    buf_free(&keys);
    conf_free(old);
    conf_free(times);
    conf_free(doors);
}

/* ---- the table, the example and the documentation agree ---- */

static void every_default_is_within_its_own_range(void **state)
{
    (void)state;
    for (size_t i = 0; i < conf_option_count; i++) {
        const struct conf_option *option = &conf_options[i];
        assert_non_null(conf_section_find(option->section));
        assert_true(strlen(option->help) > 10);
        if (option->fallback && (*option->fallback || !conf_type_is_list(option->type)))
            assert_true(conf_text_ok(option, option->fallback));
    }
}

static char *read_project(const char *name)
{
    char path[512];
    snprintf(path, sizeof path, TEST_PROJECT "/%s", name);
    FILE *file = fopen(path, "r");
    if (!file)
        fail_msg("%s is missing", path);
    struct buf text;
    buf_init(&text, 1024 * 1024);
    char chunk[4096];
    for (size_t count; (count = fread(chunk, 1, sizeof chunk, file)) > 0;)
        buf_add(&text, chunk, count);
    fclose(file);
    return buf_take(&text);
}

static void the_example_holds_every_option_with_its_default(void **state)
{
    (void)state;
    char *text = read_project("config/vigie.yaml");
    struct conf *conf = accepted(text);
    char *all = printed(conf);
    const char *given = strstr(all, " # default\n");
    if (given)
        fail_msg("not in config/vigie.yaml: %.60s", given - 40);
    struct conf *plain = accepted(MINIMAL);
    char *example = printed_values(conf);
    char *defaults = printed_values(plain);
    char *example_limits = strstr(example, "limits:");
    assert_string_equal(example_limits, strstr(defaults, "limits:"));
    struct buf differ;
    buf_init(&differ, 4096);
    conf_reload_check(conf, plain, &differ);
    assert_string_equal(differ.bytes ? differ.bytes : "", "channels\n");
    buf_free(&differ);
    free(example);
    free(defaults);
    free(all);
    free(text);
    conf_free(plain);
    conf_free(conf);
}

/* After a change of the table: `vigie --print-options` between the two marks. */
static void the_documentation_is_what_the_table_says(void **state)
{
    (void)state;
    static const char begin[] = "<!-- options: printed by vigie --print-options -->\n";
    static const char end[] = "<!-- end of options -->";
    char *text = read_project("docs/configuration.md");
    char *from = strstr(text, begin);
    assert_non_null(from);
    from += strlen(begin);
    char *to = strstr(from, end);
    assert_non_null(to);
    *to = '\0';
    struct buf reference;
    buf_init(&reference, 1024 * 1024);
    conf_print_reference(&reference);
    assert_string_equal(from, reference.bytes);
    buf_free(&reference);
    free(text);
}

#define T(name) cmocka_unit_test_setup_teardown(name, empty_errors, free_errors)
#define F(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(what_is_not_said_is_the_default),
        T(what_the_file_says_is_taken),
        T(yes_no_on_off_true_and_false_are_the_booleans),
        T(a_relative_path_begins_at_the_file_s_directory),
        T(rooms_are_told_apart_by_their_form),
        T(only_the_first_issuer_speaks_for_all_unless_told),
        T(an_issuer_s_claims_can_be_called_otherwise),
        T(an_empty_file_is_refused),
        T(bytes_that_are_no_text_are_refused),
        T(tabs_are_named_as_such),
        T(a_second_document_is_refused),
        T(aliases_anchors_and_tags_are_refused),
        T(an_alias_bomb_does_not_go_off),
        T(a_key_comes_once),
        T(an_unknown_key_is_refused_with_the_nearest_one),
        T(a_number_is_digits_and_nothing_else),
        T(a_duration_has_a_unit_and_a_range),
        T(a_size_has_a_binary_unit_and_a_range),
        T(one_mebibyte_is_too_large),
        T(a_huge_list_is_refused),
        T(deep_nesting_is_refused),
        T(a_thousand_errors_end_in_one_line),
        T(every_error_is_said_at_once),
        T(what_has_no_default_must_be_given),
        T(a_section_is_a_map),
        T(an_address_is_numeric),
        T(an_origin_is_what_a_browser_sends),
        T(a_namespace_begins_with_a_slash_and_is_not_the_one_that_is_always_there),
        T(a_namespace_has_at_most_64_bytes),
        T(namespaces_come_once_and_are_few),
        T(a_host_is_a_name_in_lower_case),
        T(a_channel_is_named_as_postgresql_would),
        T(a_room_has_one_of_four_forms),
        T(tls_is_off_only_where_nobody_listens_in),
        T(options_that_contradict_each_other_are_refused),
        T(an_issuer_has_one_source_of_keys),
        T(two_issuers_are_told_apart),
        T(a_password_in_the_url_is_refused_and_never_shown),
        T(a_malformed_url_is_refused),
        T(a_database_elsewhere_needs_tls_that_is_made_sure_of),
        T(unverified_tls_is_a_warning),
        T(what_libpq_takes_from_the_environment_counts),
        T(the_environment_goes_over_the_file),
        T(the_environment_is_judged_as_the_file_is),
        T(a_misspelt_variable_is_refused),
        T(a_variable_of_an_orchestrator_is_only_a_warning),
        T(every_option_of_a_section_has_its_variable),
        T(more_sessions_than_descriptors_is_a_warning),
        T(metrics_in_the_open_are_a_warning),
        F(a_file_that_is_not_there_is_exit_66),
        F(a_file_that_everybody_may_write_is_refused),
        F(a_folder_is_no_configuration),
        F(a_file_that_may_not_be_read_is_exit_77),
        F(a_mebibyte_on_disk_is_refused),
        F(a_good_file_is_loaded),
        F(every_file_that_is_named_is_looked_at),
        F(the_client_to_serve_is_looked_at_where_it_is_served),
        T(a_file_that_everybody_gets_is_a_script),
        F(tls_off_needs_no_certificate),
        F(a_secret_that_everybody_may_read_is_a_warning),
        T(what_is_printed_loads_to_the_same),
        T(what_is_printed_says_where_it_came_from),
        T(a_reload_names_what_needs_a_restart),
        T(a_reload_takes_rooms_issuers_and_limits),
        T(a_reload_takes_the_times_of_the_doors_but_not_the_doors),
        T(every_default_is_within_its_own_range),
        T(the_example_holds_every_option_with_its_default),
        T(the_documentation_is_what_the_table_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
