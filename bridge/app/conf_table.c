#include "app/conf_table.h"

#include <string.h>

/* Wide enough for every product of them. */
#define MS INT64_C(1)
#define SECOND (1000 * MS)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define KIB INT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

enum { PORT_MAX = 65535, PATH_BYTES_MAX = 4096, URL_BYTES_MAX = 2048, NAMESPACES_MAX = 16 };

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define AT(field) offsetof(struct conf, field)
#define ISSUER_AT(field) offsetof(struct conf_issuer, field)

/* In the order of enum log_format and enum log_level. */
static const char *const format_words[] = {"logfmt", "json", NULL};
static const char *const level_words[] = {"error", "warn", "info", "debug", NULL};
static const char *const algorithm_words[] = {"HS256", "HS384", "HS512", "RS256", "RS384",
                                              "RS512", "ES256", "ES384", "ES512", NULL};

const struct conf_section conf_sections[] = {
    {"listen", "listen", CONF_BASE_CONF, "The public listener: WebSocket and its HTTP doors."},
    {"admin", "admin", CONF_BASE_CONF,
     "The operator's listener, plain HTTP: `/healthz`, `/readyz`, `/metrics`. Keep it private."},
    {"socketio", "socketio", CONF_BASE_CONF,
     "The Socket.IO door at `/socket.io/`, for stock clients of version 4. Its heartbeat is that "
     "of "
     "`heartbeat`, the largest request `limits.message_bytes`."},
    {"streams", "streams", CONF_BASE_CONF,
     "The doors that are plain HTTP: `/events` (Server-Sent Events), `/poll` (long poll) and "
     "`/ticket`."},
    {"demo", "demo", CONF_BASE_CONF, "A folder of static files on the public listener."},
    {"database", "database", CONF_BASE_CONF, "Where the events come from."},
    {"channels", "channels.NAME", CONF_BASE_CHANNEL,
     "The tables listened to, at least one. `NAME` is the table's name in lower case: "
     "`devis` is PostgreSQL's channel `vigie_devis`. It matches `^[a-z_][a-z0-9_]{0,56}$`. One "
     "more or "
     "one less needs a restart; the rooms of one do not."},
    {"issuers", "issuers[]", CONF_BASE_ISSUER,
     "Who may sign tokens, at least one. A token is judged by the issuer that its `iss` names."},
    {"claims", "issuers[].claims", CONF_BASE_ISSUER, "Which claims say who is speaking."},
    {"limits", "limits", CONF_BASE_CONF,
     "Ceilings for what peers can ask for. Those already over a lowered one stay."},
    {"history", "history", CONF_BASE_CONF,
     "The last events in memory: who comes back soon is served without asking the database."},
    {"heartbeat", "heartbeat", CONF_BASE_CONF, "How silence is told from a dead connection."},
    {"drain", "drain", CONF_BASE_CONF, "How the bridge stops on SIGTERM."},
    {"log", "log", CONF_BASE_CONF, "The lines on standard error."},
};
const size_t conf_section_count = COUNT(conf_sections);

const struct conf_option conf_options[] = {
    {"listen", "address", CONF_ADDRESS, false, "127.0.0.1", 0, 0, NULL, AT(listen.address),
     "The address to listen on. `0.0.0.0` is every IPv4 address, `::` every address."},
    {"listen", "port", CONF_INT, false, "8443", 0, PORT_MAX, NULL, AT(listen.port),
     "The TCP port. 0 takes any free one and logs it (`event=listening port=…`)."},
    {"listen", "tls", CONF_BOOL, false, "on", 0, 0, NULL, AT(listen.tls),
     "TLS 1.2 or 1.3. Off is refused unless the address is a loopback one or `behind_proxy` is "
     "yes."},
    {"listen", "certificate", CONF_PATH, true, "cert.pem", 0, PATH_BYTES_MAX, NULL,
     AT(listen.certificate), "The certificate chain, PEM, server first. Unused with tls off."},
    {"listen", "private_key", CONF_PATH, true, "key.pem", 0, PATH_BYTES_MAX, NULL,
     AT(listen.private_key), "The certificate's private key, PEM. Unused with tls off."},
    {"listen", "behind_proxy", CONF_BOOL, false, "no", 0, 0, NULL, AT(listen.behind_proxy),
     "A reverse proxy stands in front, and nobody else can reach this port."},
    {"listen", "origins", CONF_ORIGINS, true, "", 0, 256, NULL, AT(listen.origins),
     "The pages that may connect, exactly as a browser sends `Origin`: scheme, host in lower case, "
     "port unless it is the scheme's own, no slash at the end. A browser on another page gets 403. "
     "Pages that the bridge itself serves must be listed too. What sends no `Origin` is no "
     "browser, "
     "and is let through to present its token."},
    {"listen", "hosts", CONF_HOSTS, true, "", 0, 256, NULL, AT(listen.hosts),
     "The `Host` headers answered, in lower case, with the port when it is not the default one. "
     "Empty: any."},

    {"admin", "address", CONF_ADDRESS, false, "127.0.0.1", 0, 0, NULL, AT(admin.address),
     "The address to listen on. There is no TLS and no password here."},
    {"admin", "port", CONF_INT, false, "9464", 0, PORT_MAX, NULL, AT(admin.port),
     "The TCP port. 0 takes any free one and logs it (`event=admin_listening port=…`)."},

    {"socketio", "enabled", CONF_BOOL, false, "yes", 0, 0, NULL, AT(socketio.enabled),
     "Serve it. No: its address is answered with 404."},
    {"socketio", "namespaces", CONF_NAMESPACES, false, "", 0, NAMESPACES_MAX, NULL,
     AT(socketio.namespaces),
     "The namespaces that a client may connect to beside `/`, each beginning with `/`, at most 64 "
     "bytes. All of them carry the same events: this is for dashboards that name one. Any other is "
     "answered `Invalid namespace`."},
    {"socketio", "client_file", CONF_PATH, false, "", 0, PATH_BYTES_MAX, NULL,
     AT(socketio.client_file),
     "A `socket.io.min.js` to serve at `/socket.io/socket.io.js`, for pages that load the client "
     "from the server. Vigie brings none. Empty: 404."},
    {"socketio", "upgrade_timeout", CONF_DURATION, true, "10s", 100 * MS, MINUTE, NULL,
     AT(socketio.upgrade_timeout_ms),
     "How long a client may take from polling to WebSocket; one that does not make it goes on "
     "polling."},

    {"streams", "enabled", CONF_BOOL, false, "yes", 0, 0, NULL, AT(streams.enabled),
     "Serve them. No: their addresses are answered with 404."},
    {"streams", "retry", CONF_DURATION, true, "2s", 100 * MS, 5 * MINUTE, NULL,
     AT(streams.retry_ms), "How long an `EventSource` is told to wait before it comes back."},
    {"streams", "poll_hold", CONF_DURATION, true, "25s", 100 * MS, 5 * MINUTE, NULL,
     AT(streams.poll_hold_ms),
     "How long a request to `/poll` waits for an event. Below every proxy's idle timeout."},
    {"streams", "ticket_ttl", CONF_DURATION, true, "30s", 1 * SECOND, 5 * MINUTE, NULL,
     AT(streams.ticket_ttl_ms), "How long a ticket may be used, once."},
    {"streams", "tickets", CONF_INT, true, "10000", 1, 1000000, NULL, AT(streams.tickets),
     "Tickets that wait to be used, of all users together; one more is refused with 503. Of one "
     "user 16 may wait: one more, and the oldest is void."},

    {"demo", "enabled", CONF_BOOL, false, "no", 0, 0, NULL, AT(demo.enabled),
     "Serve `directory` at `/` and `/demo`. Not meant for production."},
    {"demo", "directory", CONF_PATH, false, "demo", 1, PATH_BYTES_MAX, NULL, AT(demo.directory),
     "The folder with `index.html`. Unused unless enabled."},

    {"database", "url", CONF_URL, false, NULL, 1, URL_BYTES_MAX, NULL, AT(database.url),
     "A `postgresql://` URL as libpq takes it. A password in it is refused: name a file with "
     "`passfile=`, or use peer or certificate authentication. A host that is not this machine "
     "needs "
     "`sslmode=verify-full` (or `verify-ca`)."},
    {"database", "insecure", CONF_BOOL, false, "no", 0, 0, NULL, AT(database.insecure),
     "Take a database on another machine without TLS that is made sure of."},
    {"database", "reconnect_min", CONF_DURATION, false, "200ms", 10 * MS, HOUR, NULL,
     AT(database.reconnect_min_ms), "The first pause before a lost connection is tried again."},
    {"database", "reconnect_max", CONF_DURATION, false, "30s", 10 * MS, HOUR, NULL,
     AT(database.reconnect_max_ms), "The longest pause; in between it doubles, with jitter."},
    {"database", "safety_poll", CONF_DURATION, false, "500ms", 10 * MS, MINUTE, NULL,
     AT(database.safety_poll_ms),
     "How often to look without a bell: bounds what a lost bell costs."},
    {"database", "busy_poll", CONF_DURATION, false, "4ms", 1 * MS, SECOND, NULL,
     AT(database.busy_poll_ms), "How often to look while events keep coming."},
    {"database", "batch", CONF_INT, false, "500", 1, 10000, NULL, AT(database.batch_rows),
     "Events fetched at a time, at most."},
    {"database", "statement_timeout", CONF_DURATION, false, "5s", 100 * MS, MINUTE, NULL,
     AT(database.statement_timeout_ms), "The longest a query of the bridge may take."},

    {"channels", "rooms", CONF_ROOMS, true, "*", 1, 64, NULL, offsetof(struct conf_channel, rooms),
     "The rooms an event of this table goes to. `*`: those of the rule. `company:*`: those of the "
     "rule whose kind is `company`. `wall:{company}`: this room in addition, with the event's "
     "company "
     "for `{company}`. `wall:all`: this room in addition. Never a room of another company."},

    {"issuers", "name", CONF_TEXT, true, NULL, 1, 63, NULL, ISSUER_AT(name),
     "What logs and metrics call it. Each issuer has its own."},
    {"issuers", "iss", CONF_TEXT, true, NULL, 1, 512, NULL, ISSUER_AT(iss),
     "The token's `iss`, exactly. Each issuer has its own."},
    {"issuers", "aud", CONF_TEXT, true, NULL, 1, 512, NULL, ISSUER_AT(audience),
     "What the token's `aud` must be, or contain."},
    {"issuers", "algorithm", CONF_ALGORITHM, true, "", 0, 5, algorithm_words, ISSUER_AT(algorithm),
     "The only algorithm taken with `key_file`, which needs one, and with keys of `jwks_file` that "
     "name none. HS algorithms need a `key_file`."},
    {"issuers", "key_file", CONF_PATH, true, "", 0, PATH_BYTES_MAX, NULL, ISSUER_AT(key_file),
     "RS and ES: the public key, PEM. HS: the secret's bytes, or `base64:` and the secret, at "
     "least "
     "as long as the hash. Either this or `jwks_file`."},
    {"issuers", "jwks_file", CONF_PATH, true, "", 0, PATH_BYTES_MAX, NULL, ISSUER_AT(jwks_file),
     "The public keys as a JSON Web Key Set, at most 64 KiB and 32 keys."},
    {"issuers", "kid", CONF_TEXT, true, "", 0, 128, NULL, ISSUER_AT(kid),
     "The `kid` that goes with `key_file`. Empty: the token must carry none."},
    {"issuers", "typ", CONF_TEXT, true, "JWT", 1, 64, NULL, ISSUER_AT(typ),
     "The token's `typ`. `JWT` also takes a token without; any other must be there."},
    {"issuers", "companies", CONF_COMPANIES, true, "", 0, 1024, NULL, ISSUER_AT(companies),
     "The companies it may speak for, exactly, or `*` for any. Default: `*` for the first issuer, "
     "none for the others."},
    {"issuers", "leeway", CONF_SECONDS, true, "30s", 0, 5 * MINUTE / SECOND, NULL,
     ISSUER_AT(leeway_s), "How far its clock may be off."},
    {"issuers", "max_ttl", CONF_SECONDS, true, "24h", MINUTE / SECOND, 30 * DAY / SECOND, NULL,
     ISSUER_AT(max_ttl_s), "A token that expires later than this from now is refused."},

    {"claims", "company", CONF_TEXT, true, "company", 1, 128, NULL, ISSUER_AT(company_claim),
     "The claim that holds the company."},
    {"claims", "user", CONF_TEXT, true, "sub", 1, 128, NULL, ISSUER_AT(user_claim),
     "The claim that holds the user."},
    {"claims", "role", CONF_TEXT, true, "role", 1, 128, NULL, ISSUER_AT(role_claim),
     "The claim that holds the role, or a list of roles. A token without it has none."},

    {"limits", "sessions", CONF_INT, true, "10000", 1, 1000000, NULL, AT(limits.sessions),
     "Connections in all. Each needs a file descriptor: see `LimitNOFILE` in the unit."},
    {"limits", "sessions_per_address", CONF_INT, true, "100", 1, 1000000, NULL,
     AT(limits.sessions_per_address),
     "Connections from one address (IPv6: one /64). Behind a proxy all come from the proxy's."},
    {"limits", "sessions_per_user", CONF_INT, true, "20", 1, 1000000, NULL,
     AT(limits.sessions_per_user), "Connections of one user of one issuer."},
    {"limits", "sessions_per_company", CONF_INT, true, "2000", 1, 1000000, NULL,
     AT(limits.sessions_per_company),
     "Connections of one company: one must not starve the others."},
    {"limits", "unauthenticated", CONF_INT, true, "1000", 1, 1000000, NULL,
     AT(limits.unauthenticated), "Connections that have not said who they are yet."},
    {"limits", "auth_timeout", CONF_DURATION, true, "5s", 100 * MS, 5 * MINUTE, NULL,
     AT(limits.auth_timeout_ms), "How long a connection may take to say who it is."},
    {"limits", "message_bytes", CONF_SIZE, true, "8KiB", 1 * KIB, 1 * MIB, NULL,
     AT(limits.message_bytes), "The largest message of a client (close code 1009)."},
    {"limits", "messages_per_second", CONF_INT, true, "20", 1, 10000, NULL,
     AT(limits.messages_per_second),
     "Messages of one client, on average; twice that in a burst. Each part of one counts."},
    {"limits", "rooms_per_session", CONF_INT, true, "64", 1, 4096, NULL,
     AT(limits.rooms_per_session), "Rooms that one connection may be in."},
    {"limits", "queue_bytes", CONF_SIZE, true, "256KiB", 16 * KIB, 64 * MIB, NULL,
     AT(limits.queue_bytes), "What may wait for one slow client before it is sent back to resume."},
    {"limits", "queue_total_bytes", CONF_SIZE, true, "256MiB", 1 * MIB, 64 * GIB, NULL,
     AT(limits.queue_total_bytes),
     "What may wait for all of them; the largest queues are the first to stop growing."},
    {"limits", "slow_timeout", CONF_DURATION, true, "30s", 1 * SECOND, HOUR, NULL,
     AT(limits.slow_timeout_ms), "How long a client may take nothing of what waits for it."},
    {"limits", "max_session", CONF_DURATION, true, "24h", 1 * MINUTE, 30 * DAY, NULL,
     AT(limits.max_session_ms), "The age at which a connection is asked to come back."},
    {"limits", "header_timeout", CONF_DURATION, false, "10s", 1 * SECOND, 5 * MINUTE, NULL,
     AT(limits.header_timeout_ms), "TLS handshake and HTTP header together."},

    {"history", "bytes", CONF_SIZE, false, "32MiB", 64 * KIB, 16 * GIB, NULL, AT(history.bytes),
     "Memory for events, all companies together."},
    {"history", "age", CONF_DURATION, false, "10m", 1 * SECOND, DAY, NULL, AT(history.age_ms),
     "Older events are asked of the database."},

    {"heartbeat", "interval", CONF_DURATION, false, "25s", 1 * SECOND, 10 * MINUTE, NULL,
     AT(heartbeat.interval_ms), "A ping after so much silence. Below every proxy's idle timeout."},
    {"heartbeat", "timeout", CONF_DURATION, false, "10s", 100 * MS, 10 * MINUTE, NULL,
     AT(heartbeat.timeout_ms), "How long the answer may take before the connection is dead."},

    {"drain", "window", CONF_DURATION, true, "30s", 0, 10 * MINUTE, NULL, AT(drain.window_ms),
     "Clients are sent away evenly over this time, to come back elsewhere. Below the unit's "
     "`TimeoutStopSec`."},

    {"log", "format", CONF_WORD, true, "logfmt", 0, 0, format_words, AT(log.format),
     "How a line is written."},
    {"log", "level", CONF_WORD, true, "info", 0, 0, level_words, AT(log.level),
     "The least important line written."},
};
const size_t conf_option_count = COUNT(conf_options);

void conf_upper(const char *text, struct buf *out)
{
    for (; *text; text++)
        buf_char(out, (char)(*text >= 'a' && *text <= 'z' ? *text - 'a' + 'A' : *text));
}

void conf_env_name(const struct conf_option *option, struct buf *out)
{
    if (conf_section_find(option->section)->base != CONF_BASE_CONF)
        return;
    buf_str(out, "VIGIE_");
    conf_upper(option->section, out);
    buf_char(out, '_');
    conf_upper(option->key, out);
}

void conf_option_path(const struct conf_option *option, struct buf *out)
{
    buf_fmt(out, "%s.%s", conf_section_find(option->section)->path, option->key);
}

const struct conf_section *conf_section_find(const char *name)
{
    for (size_t i = 0; i < conf_section_count; i++)
        if (strcmp(conf_sections[i].name, name) == 0)
            return &conf_sections[i];
    return NULL;
}
