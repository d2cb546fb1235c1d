/* What no single option can tell: whether they fit together, this machine, and the files they name.
 */
#include "app/conf_private.h"
#include "app/conf_url.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SPARE_DESCRIPTORS = 64 }; /* listeners, libpq, epoll, the files of a reload */

struct checker {
    struct conf *conf;
    char *const *environment;
    struct conf_complaints *complaints;
};

void conf_warn(struct conf *conf, const char *format, ...)
{
    struct conf_list *list = &conf->warnings;
    const char **items = conf_own(conf, mem_new((list->count + 1) * sizeof *items));
    if (list->count)
        memcpy(items, list->items, list->count * sizeof *items);
    char line[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    items[list->count++] = conf_own(conf, mem_strdup(line));
    list->items = items;
}

/* Complains about an option that is not in an issuer, where its value stands. */
#define COMPLAIN(checker, section, key, ...)                                                       \
    conf_complain_option((checker)->complaints, (checker)->conf->inner->origins,                   \
                         conf_option_index(section, key), section, __VA_ARGS__)

/* Whether the option was taken: what is built on one that was not would be noise. */
static bool sound(const struct checker *checker, const char *section, const char *key)
{
    return !checker->conf->inner->origins[conf_option_index(section, key)].broken;
}

static bool is_loopback(const char *address)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, address, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    return inet_pton(AF_INET6, address, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

static void check_listen(struct checker *checker)
{
    const struct conf *conf = checker->conf;
    bool known = sound(checker, "listen", "tls") && sound(checker, "listen", "address") &&
                 sound(checker, "listen", "behind_proxy");
    if (known && !conf->listen.tls && !conf->listen.behind_proxy &&
        !is_loopback(conf->listen.address))
        COMPLAIN(checker, "listen", "tls",
                 "expected on: off is for a loopback address, or behind_proxy: yes");
    if (known && conf->listen.tls && *conf->listen.certificate == '\0')
        COMPLAIN(checker, "listen", "certificate", "expected a file, since tls is on");
    if (known && conf->listen.tls && *conf->listen.private_key == '\0')
        COMPLAIN(checker, "listen", "private_key", "expected a file, since tls is on");
    if (sound(checker, "listen", "port") && sound(checker, "admin", "port") &&
        conf->admin.port != 0 && conf->admin.port == conf->listen.port &&
        strcmp(conf->admin.address, conf->listen.address) == 0)
        COMPLAIN(checker, "admin", "port", "expected another port than that of listen");
    if (!is_loopback(conf->admin.address))
        conf_warn(checker->conf,
                  "admin.address: %s is not a loopback address; metrics are served there without "
                  "TLS or password",
                  conf->admin.address);
}

static bool comes_twice(const struct conf_list *list, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (strcmp(list->items[i], list->items[index]) == 0)
            return true;
    return false;
}

static void check_namespaces(struct checker *checker)
{
    const struct conf_list *list = &checker->conf->socketio.namespaces;
    for (size_t i = 0; i < list->count; i++)
        if (comes_twice(list, i))
            COMPLAIN(checker, "socketio", "namespaces", "expected each once, found \"%s\" again",
                     list->items[i]);
}

/* It is served to everybody: a key that was named here by mistake must not be. */
static void check_client_file(struct checker *checker)
{
    const char *file = checker->conf->socketio.client_file;
    size_t len = strlen(file);
    if (len && (len < 4 || strcmp(file + len - 3, ".js") != 0))
        COMPLAIN(checker, "socketio", "client_file",
                 "expected a file NAME.js, found %s: it is served to everybody", file);
}

static void check_database(struct checker *checker)
{
    const struct conf *conf = checker->conf;
    if (sound(checker, "database", "reconnect_min") &&
        sound(checker, "database", "reconnect_max") &&
        conf->database.reconnect_min_ms > conf->database.reconnect_max_ms)
        COMPLAIN(checker, "database", "reconnect_max", "expected at least reconnect_min");
    if (sound(checker, "database", "busy_poll") && sound(checker, "database", "safety_poll") &&
        conf->database.busy_poll_ms > conf->database.safety_poll_ms)
        COMPLAIN(checker, "database", "safety_poll", "expected at least busy_poll");
    if (conf_environ_find(checker->environment, "PGPASSWORD"))
        conf_warn(checker->conf, "PGPASSWORD is in the environment, where others may read it; "
                                 "passfile= in database.url names a file instead");
}

static void check_url(struct checker *checker)
{
    const struct conf *conf = checker->conf;
    if (!sound(checker, "database", "url"))
        return;
    switch (conf_url_judge(conf->database.url, checker->environment)) {
    case CONF_URL_OK:
        return;
    case CONF_URL_MALFORMED:
        COMPLAIN(
            checker, "database", "url",
            "expected postgresql://USER@HOST/DATABASE?KEY=VALUE, with %%XX for what is special");
        return;
    case CONF_URL_SECRET:
        COMPLAIN(checker, "database", "url",
                 "expected no password in it: put it in a file and name that with passfile=");
        return;
    case CONF_URL_SERVICE:
        if (!conf->database.insecure)
            COMPLAIN(checker, "database", "url",
                     "expected a host in it instead of a service, so that TLS can be checked "
                     "(or insecure: yes)");
        return;
    case CONF_URL_PLAINTEXT:
        if (!conf->database.insecure)
            COMPLAIN(checker, "database", "url",
                     "expected sslmode=verify-full (or verify-ca), since the host is not this "
                     "machine (or insecure: yes)");
        return;
    case CONF_URL_UNVERIFIED:
        conf_warn(checker->conf, "database.url: sslmode=require does not check who answers; "
                                 "verify-full does");
    }
}

static void check_limits(struct checker *checker)
{
    const struct conf *conf = checker->conf;
    if (sound(checker, "limits", "queue_bytes") && sound(checker, "limits", "queue_total_bytes") &&
        conf->limits.queue_bytes > conf->limits.queue_total_bytes)
        COMPLAIN(checker, "limits", "queue_total_bytes", "expected at least queue_bytes");
    struct rlimit files;
    uint64_t need = (uint64_t)conf->limits.sessions + SPARE_DESCRIPTORS;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur != RLIM_INFINITY &&
        files.rlim_cur < need)
        conf_warn(checker->conf,
                  "limits.sessions: %lld sessions need %llu file descriptors, this process may "
                  "open %llu (LimitNOFILE=, ulimit -n)",
                  (long long)conf->limits.sessions, (unsigned long long)need,
                  (unsigned long long)files.rlim_cur);
}

/* ---- issuers ---- */

struct issuer_check {
    struct checker *checker;
    const struct conf_issuer *issuer;
    const struct conf_origin *origins;
    char path[48];
};

static void complain_issuer(const struct issuer_check *check, const char *key, const char *text)
{
    size_t index = conf_option_index("issuers", key);
    if (!check->origins[index].broken)
        conf_complain_option(check->checker->complaints, check->origins, index, check->path, "%s",
                             text);
}

static void check_issuer_keys(const struct issuer_check *check)
{
    const struct conf_issuer *issuer = check->issuer;
    bool key = *issuer->key_file != '\0';
    bool jwks = *issuer->jwks_file != '\0';
    bool hmac = strncmp(issuer->algorithm, "HS", 2) == 0;
    if (key && jwks)
        complain_issuer(check, "jwks_file", "expected either this or key_file, not both");
    if (!key && !jwks && !check->origins[conf_option_index("issuers", "jwks_file")].broken)
        complain_issuer(check, "key_file", "expected a file, here or as jwks_file");
    if (key && *issuer->algorithm == '\0')
        complain_issuer(check, "algorithm", "expected one, since key_file does not tell");
    if (jwks && !key && hmac)
        complain_issuer(check, "algorithm",
                        "expected an RS or ES algorithm: secrets are not taken from a jwks_file");
    if (jwks && !key && *issuer->kid)
        complain_issuer(check, "kid", "expected none: the keys of a jwks_file have their own");
}

static void check_issuer_twins(const struct issuer_check *check, size_t number)
{
    for (size_t i = 0; i < number; i++) {
        const struct conf_issuer *other = &check->checker->conf->issuers[i];
        if (!other->name)
            continue;
        if (*other->name && strcmp(other->name, check->issuer->name) == 0)
            complain_issuer(check, "name", "expected another name than that of an issuer before");
        if (*other->iss && strcmp(other->iss, check->issuer->iss) == 0)
            complain_issuer(check, "iss", "expected another iss than that of an issuer before");
    }
}

static void check_issuers(struct checker *checker)
{
    struct conf *conf = checker->conf;
    for (size_t i = 0; i < conf->issuer_count; i++) {
        struct issuer_check check = {
            .checker = checker,
            .issuer = &conf->issuers[i],
            .origins = conf->inner->issuer_origins[i],
        };
        if (!check.issuer->name)
            continue; /* it is no map */
        snprintf(check.path, sizeof check.path, "issuers[%zu]", i);
        check_issuer_keys(&check);
        check_issuer_twins(&check, i);
        if (check.issuer->companies.count == 0)
            conf_warn(conf, "%s.companies: %s may speak for no company", check.path,
                      check.issuer->name);
    }
}

/* ---- files ---- */

static void warn_readable(struct conf *conf, const char *what, const char *path)
{
    struct stat info;
    if (*path && stat(path, &info) == 0 && (info.st_mode & S_IROTH))
        conf_warn(conf, "%s: %s can be read by every user of this machine", what, path);
}

static void warn_secrets(struct conf *conf)
{
    if (conf->listen.tls)
        warn_readable(conf, "listen.private_key", conf->listen.private_key);
    for (size_t i = 0; i < conf->issuer_count; i++) {
        const struct conf_issuer *issuer = &conf->issuers[i];
        if (issuer->name && strncmp(issuer->algorithm, "HS", 2) == 0)
            warn_readable(conf, "issuers.key_file", issuer->key_file);
    }
}

void conf_check(struct conf *conf, char *const *environment, struct conf_complaints *complaints)
{
    struct checker checker = {conf, environment, complaints};
    check_listen(&checker);
    check_namespaces(&checker);
    check_client_file(&checker);
    check_database(&checker);
    check_url(&checker);
    check_limits(&checker);
    check_issuers(&checker);
    warn_secrets(conf);
}

/* What is wrong with a file or folder, or NULL. */
static const char *fault(const char *path, bool folder)
{
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return strerror(errno);
    struct stat info;
    const char *why = NULL;
    if (fstat(fd, &info) != 0)
        why = strerror(errno);
    else if (folder ? !S_ISDIR(info.st_mode) : !S_ISREG(info.st_mode))
        why = folder ? "it is no folder" : "it is no regular file";
    else if (info.st_mode & S_IWOTH && !folder)
        why = "every user of this machine may write it";
    else if (!folder && info.st_size == 0)
        why = "it is empty";
    close(fd);
    return why;
}

struct named_file {
    const struct conf_origin *origins;
    const char *section;
    const char *key;
    const char *path; /* of the section, as shown */
    const char *file;
};

static void check_file(struct conf_complaints *complaints, const struct named_file *named)
{
    bool folder = strcmp(named->section, "demo") == 0;
    const char *why = *named->file ? fault(named->file, folder) : NULL;
    if (why)
        conf_complain_option(
            complaints, named->origins, conf_option_index(named->section, named->key), named->path,
            "expected a readable %s %s: %s", folder ? "folder" : "file", named->file, why);
}

bool conf_check_files(const struct conf *conf, struct buf *errors)
{
    struct conf_complaints complaints = {.file = conf->inner->file, .out = errors};
    const struct conf_origin *origins = conf->inner->origins;
    if (conf->listen.tls) {
        check_file(&complaints, &(struct named_file){origins, "listen", "certificate", "listen",
                                                     conf->listen.certificate});
        check_file(&complaints, &(struct named_file){origins, "listen", "private_key", "listen",
                                                     conf->listen.private_key});
    }
    if (conf->socketio.enabled)
        check_file(&complaints, &(struct named_file){origins, "socketio", "client_file", "socketio",
                                                     conf->socketio.client_file});
    if (conf->demo.enabled)
        check_file(&complaints, &(struct named_file){origins, "demo", "directory", "demo",
                                                     conf->demo.directory});
    for (size_t i = 0; i < conf->issuer_count; i++) {
        const struct conf_issuer *issuer = &conf->issuers[i];
        const struct conf_origin *own = conf->inner->issuer_origins[i];
        char path[48];
        snprintf(path, sizeof path, "issuers[%zu]", i);
        check_file(&complaints,
                   &(struct named_file){own, "issuers", "key_file", path, issuer->key_file});
        check_file(&complaints,
                   &(struct named_file){own, "issuers", "jwks_file", path, issuer->jwks_file});
    }
    return complaints.count == 0;
}

void conf_blame(const struct conf *conf, const char *section, const char *key, const char *why,
                struct buf *errors)
{
    struct conf_complaints complaints = {.file = conf->inner->file, .out = errors};
    conf_complain_option(&complaints, conf->inner->origins, conf_option_index(section, key),
                         section, "%s", why);
}

void conf_blame_issuer(const struct conf *conf, size_t issuer, const char *key, const char *why,
                       struct buf *errors)
{
    struct conf_complaints complaints = {.file = conf->inner->file, .out = errors};
    char path[48];
    snprintf(path, sizeof path, "issuers[%zu]", issuer);
    conf_complain_option(&complaints, conf->inner->issuer_origins[issuer],
                         conf_option_index("issuers", key), path, "%s", why);
}
