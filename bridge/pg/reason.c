#include "pg/reason.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

const char *reason_name(enum reason reason)
{
    switch (reason) {
    case REASON_CONNECT:
        return "connect";
    case REASON_AUTH:
        return "auth";
    case REASON_STANDBY:
        return "standby";
    case REASON_POOLER:
        return "pooler";
    case REASON_SCHEMA_MISSING:
        return "schema_missing";
    case REASON_SCHEMA_VERSION:
        return "schema_version";
    case REASON_RIGHTS:
        return "rights";
    case REASON_TIMEOUT:
        return "timeout";
    case REASON_CLOSED:
        return "closed";
    case REASON_QUERY:
        return "query";
    }
    return "unknown";
}

static const struct {
    const char *sqlstate; /* a whole one, or its class */
    enum reason reason;
} meanings[] = {
    {"28", REASON_AUTH},
    {"25006", REASON_STANDBY},        /* cannot execute … during recovery */
    {"3F000", REASON_SCHEMA_MISSING}, /* schema does not exist */
    {"42P01", REASON_SCHEMA_MISSING}, /* table does not exist */
    {"42883", REASON_SCHEMA_MISSING}, /* function does not exist */
    {"42703", REASON_SCHEMA_VERSION}, /* column does not exist: other functions than ours */
    {"42501", REASON_RIGHTS},
    {"57014", REASON_TIMEOUT}, /* cancelled by statement_timeout */
    {"57P", REASON_CLOSED},    /* terminated by an administrator, a crash, a shutdown */
};

enum reason reason_of_sqlstate(const char *sqlstate, enum reason otherwise)
{
    for (size_t i = 0; sqlstate && i < sizeof meanings / sizeof *meanings; i++) {
        if (strncmp(sqlstate, meanings[i].sqlstate, strlen(meanings[i].sqlstate)) == 0)
            return meanings[i].reason;
    }
    return otherwise;
}

/* What libpq and poolers say without a SQLSTATE, or with one that does not tell. */
static const struct {
    const char *piece;
    enum reason reason;
} sayings[] = {
    {"unsupported startup parameter", REASON_POOLER}, /* pgbouncer takes no `options` */
    {"hot standby mode", REASON_STANDBY},             /* target_session_attrs=primary */
    {"session is read-only", REASON_STANDBY},         /* target_session_attrs=read-write */
    {"no password supplied", REASON_AUTH},
};

static bool is_sqlstate(const char *text)
{
    for (int i = 0; i < 5; i++) {
        if (!isdigit((unsigned char)text[i]) && !isupper((unsigned char)text[i]))
            return false;
    }
    return text[5] == ':';
}

enum reason reason_of_connect_text(const char *text)
{
    for (size_t i = 0; i < sizeof sayings / sizeof *sayings; i++) {
        if (strstr(text, sayings[i].piece))
            return sayings[i].reason;
    }
    /* "FATAL:  28P01: password authentication failed …" */
    for (const char *at = text; (at = strstr(at, ":  ")); at += 3) {
        enum reason reason =
            is_sqlstate(at + 3) ? reason_of_sqlstate(at + 3, REASON_CONNECT) : REASON_CONNECT;
        if (reason != REASON_CONNECT && reason != REASON_CLOSED)
            return reason;
    }
    return REASON_CONNECT;
}

void reason_line(char *line, size_t size, const char *text)
{
    size_t used = 0;
    while (*text) {
        text += strspn(text, " \t"); /* libpq indents what follows */
        size_t len = strcspn(text, "\n");
        bool wanted = len > 0 && strncmp(text, "LOCATION:", 9) != 0;
        for (size_t i = 0; wanted && used > 0 && i < 2 && used + 1 < size; i++)
            line[used++] = "; "[i];
        for (size_t i = 0; wanted && i < len && used + 1 < size; i++)
            line[used++] = text[i];
        text += len + (text[len] == '\n');
    }
    line[used] = '\0';
}

void reason_unquoted(char *line, size_t size, const char *text)
{
    size_t used = 0;
    bool quoted = false;
    for (; *text && *text != '\n' && used + 1 < size; text++) {
        if (*text == '"')
            quoted = !quoted;
        if (!quoted || *text == '"')
            line[used++] = *text;
    }
    line[used] = '\0';
}
