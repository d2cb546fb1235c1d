#include "app/conf_url.h"

#include "base/buf.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct url {
    char *host; /* owned, or NULL: not said */
    char *hostaddr;
    char *sslmode;
    bool secret;
    bool service;
};

const char *conf_environ_find(char *const *environment, const char *name)
{
    size_t len = strlen(name);
    for (; environment && *environment; environment++)
        if (strncmp(*environment, name, len) == 0 && (*environment)[len] == '=')
            return *environment + len + 1;
    return NULL;
}

static int hex(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    return -1;
}

/* The text with its %XX decoded, owned; NULL for a bad escape or %00. */
static char *decode(const char *text, size_t len)
{
    char *out = mem_dup(text, len);
    char *to = out;
    for (size_t i = 0; i < len; i++) {
        if (text[i] != '%') {
            *to++ = text[i];
            continue;
        }
        int high = len - i > 2 ? hex(text[i + 1]) : -1;
        int low = len - i > 2 ? hex(text[i + 2]) : -1;
        if (high < 0 || low < 0 || high + low == 0) {
            free(out);
            return NULL;
        }
        *to++ = (char)(high * 16 + low);
        i += 2;
    }
    *to = '\0';
    return out;
}

static bool is_any_of(const char *key, const char *const *names)
{
    for (; *names; names++)
        if (strcmp(key, *names) == 0)
            return true;
    return false;
}

/* Takes `value`. The last one said counts, as with libpq. */
static void replace(char **field, char *value)
{
    free(*field);
    *field = value;
}

/* Takes `value`. */
static void take_parameter(struct url *url, const char *key, char *value)
{
    static const char *const secrets[] = {
        "password",         "sslpassword",      "oauth_client_secret",
        "scram_client_key", "scram_server_key", NULL};
    if (strcmp(key, "host") == 0) {
        replace(&url->host, value);
        return;
    }
    if (strcmp(key, "hostaddr") == 0) {
        replace(&url->hostaddr, value);
        return;
    }
    if (strcmp(key, "sslmode") == 0) {
        replace(&url->sslmode, value);
        return;
    }
    if (strcmp(key, "ssl") == 0 && strcmp(value, "true") == 0) /* as JDBC says it */
        replace(&url->sslmode, mem_strdup("require"));
    url->secret = url->secret || is_any_of(key, secrets);
    url->service = url->service || strcmp(key, "service") == 0;
    free(value);
}

/* key=value&key=value */
static bool read_parameters(struct url *url, const char *at)
{
    while (*at) {
        size_t len = strcspn(at, "&");
        const char *equals = memchr(at, '=', len);
        if (!equals)
            return false;
        char *key = decode(at, (size_t)(equals - at));
        char *value = decode(equals + 1, len - (size_t)(equals - at) - 1);
        bool ok = key && value;
        if (ok) {
            take_parameter(url, key, value);
            value = NULL;
        }
        free(key);
        free(value);
        if (!ok)
            return false;
        at += len;
        at += *at == '&';
    }
    return true;
}

/* One of host[:port], [v6][:port]; returns where it ends, or NULL. The name is put to `names`. */
static const char *read_host(const char *at, struct buf *names)
{
    size_t len;
    if (*at == '[') {
        at++;
        len = strcspn(at, "]");
        if (at[len] != ']')
            return NULL;
    } else {
        len = strcspn(at, ":/?,");
    }
    buf_add(names, at, len);
    at += len;
    at += *at == ']';
    if (*at && !strchr(":/?,", *at))
        return NULL;
    return at + (*at == ':' ? strcspn(at, "/?,") : 0);
}

/* user[:password]@, when there is one: returns what follows. */
static const char *skip_user(struct url *url, const char *at)
{
    size_t len = strcspn(at, "@/");
    if (at[len] != '@')
        return at;
    url->secret = memchr(at, ':', len) != NULL;
    return at + len + 1;
}

static bool read_hosts(struct url *url, const char **at)
{
    struct buf names;
    buf_init(&names, strlen(*at));
    const char *from = read_host(*at, &names);
    while (from && *from == ',') {
        buf_char(&names, ',');
        from = read_host(from + 1, &names);
    }
    char *decoded = from ? decode(names.bytes, names.len) : NULL;
    buf_free(&names);
    if (!decoded)
        return false;
    if (*decoded)
        url->host = decoded;
    else
        free(decoded);
    *at = from;
    return true;
}

static bool url_read(struct url *url, const char *text)
{
    const char *at = strstr(text, "://");
    if (!at)
        return false;
    at = skip_user(url, at + 3);
    if (!read_hosts(url, &at))
        return false;
    at += strcspn(at, "?");
    return *at == '\0' || read_parameters(url, at + 1);
}

static bool is_local_name(const char *name, size_t len)
{
    if (len == 0 || *name == '/' || *name == '@')
        return true;
    char copy[64];
    if (len >= sizeof copy)
        return false;
    memcpy(copy, name, len);
    copy[len] = '\0';
    struct in_addr v4;
    if (inet_pton(AF_INET, copy, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    return strcmp(copy, "localhost") == 0 || strcmp(copy, "::1") == 0;
}

/* Whether each of a comma-separated list is this machine. */
static bool is_local(const char *names)
{
    for (;;) {
        size_t len = strcspn(names, ",");
        if (!is_local_name(names, len))
            return false;
        if (names[len] == '\0')
            return true;
        names += len + 1;
    }
}

/* What the URL says, else what the environment says, else nothing. */
static const char *said(const char *value, char *const *environment, const char *name)
{
    const char *found = value ? value : conf_environ_find(environment, name);
    return found ? found : "";
}

static enum conf_url_verdict judge(const struct url *url, char *const *environment)
{
    static const char *const verified[] = {"verify-full", "verify-ca", NULL};
    if (url->secret)
        return CONF_URL_SECRET;
    if (url->service || conf_environ_find(environment, "PGSERVICE"))
        return CONF_URL_SERVICE;
    if (is_local(said(url->host, environment, "PGHOST")) &&
        is_local(said(url->hostaddr, environment, "PGHOSTADDR")))
        return CONF_URL_OK;
    const char *sslmode = said(url->sslmode, environment, "PGSSLMODE");
    if (is_any_of(sslmode, verified))
        return CONF_URL_OK;
    return strcmp(sslmode, "require") == 0 ? CONF_URL_UNVERIFIED : CONF_URL_PLAINTEXT;
}

enum conf_url_verdict conf_url_judge(const char *text, char *const *environment)
{
    struct url url = {.host = NULL};
    bool ok = url_read(&url, text);
    /* a password is worth its own words, however broken the rest is */
    enum conf_url_verdict verdict =
        ok || url.secret ? judge(&url, environment) : CONF_URL_MALFORMED;
    free(url.host);
    free(url.hostaddr);
    free(url.sslmode);
    return verdict;
}
