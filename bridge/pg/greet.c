#include "pg/greet.h"

#include "sql/hello.h"
#include "sql/session.h"

#include <string.h>

#define POOLER_ADVICE "give the URL of PostgreSQL itself, or of a pool in session mode"

static int hex_digit(char c)
{
    const char *digits = "0123456789abcdef";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

static bool read_key(uint8_t key[SOURCE_KEY_BYTES], const char *hex)
{
    if (strlen(hex) != 2 * (size_t)SOURCE_KEY_BYTES)
        return false;
    for (size_t i = 0; i < SOURCE_KEY_BYTES; i++) {
        int high = hex_digit(hex[2 * i]);
        int low = hex_digit(hex[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        key[i] = (uint8_t)(high * 16 + low);
    }
    return true;
}

static bool read_hello(struct source_hello *hello, const PGresult *row)
{
    const char *epoch = PQgetvalue(row, 0, 1);
    if (!*epoch || strlen(epoch) >= sizeof hello->epoch)
        return false;
    memcpy(hello->epoch, epoch, strlen(epoch) + 1);
    hello->last_seq = result_number(row, 0, 3);
    hello->floor_seq = result_number(row, 0, 4);
    hello->server_version = (int)result_number(row, 0, 6);
    return read_key(hello->cursor_key, PQgetvalue(row, 0, 2));
}

static void lose_standby(struct greet *greet)
{
    link_lose(greet->link, REASON_STANDBY,
              "this server is a standby: a feed is read from the primary; name all servers in the "
              "URL, and the primary will be found");
}

static void refuse_hello(struct greet *greet, const PGresult *result)
{
    char line[REASON_TEXT_MAX];
    reason_line(line, sizeof line, result_message(result));
    enum reason reason = reason_of_sqlstate(result_sqlstate(result), REASON_QUERY);
    const char *advice = "vigie.hello() failed";
    if (reason == REASON_SCHEMA_MISSING)
        advice = "the schema vigie is missing here, or not whole: deploy the migrations";
    if (reason == REASON_RIGHTS)
        advice = "our role may not call the schema vigie: connect as vigie_bridge or a member";
    link_lose(greet->link, reason, "%s (%s)", advice, line);
}

static void on_hello(void *arg, const PGresult *result);

/* After a restore the log moves in by steps of a second at most, one for each hello: as long as it
 * has no end to tell, it is not done. */
static bool still_moving_in(const PGresult *row)
{
    return PQgetisnull(row, 0, 3);
}

static void say_hello(struct greet *greet)
{
    link_send(greet->link, sql_hello, NULL, 0, on_hello, greet);
}

static void on_hello(void *arg, const PGresult *result)
{
    struct greet *greet = arg;
    struct source_hello hello = {0};
    if (!result_ok(result)) {
        refuse_hello(greet, result);
        return;
    }
    int64_t version = PQntuples(result) == 1 ? result_number(result, 0, 0) : 0;
    if (version != SOURCE_SCHEMA_VERSION)
        link_lose(greet->link, REASON_SCHEMA_VERSION,
                  "the schema vigie has version %lld, this bridge needs version %d",
                  (long long)version, SOURCE_SCHEMA_VERSION);
    else if (*PQgetvalue(result, 0, 5) == 't')
        lose_standby(greet);
    else if (still_moving_in(result))
        say_hello(greet);
    else if (!read_hello(&hello, result))
        link_lose(greet->link, REASON_SCHEMA_VERSION,
                  "vigie.hello() gave no epoch or no key that this bridge could use");
    else
        greet->on_greeted(greet->arg, &hello);
}

/* A pool that hands each statement to any server process loses LISTEN and the bell lock. */
static bool kept_session(const struct greet *greet, const PGresult *row)
{
    return result_number(row, 0, 0) == greet->backend_pid &&
           result_number(row, 0, 2) >= (int64_t)listen_count(greet->listen);
}

static void on_session_again(void *arg, const PGresult *result)
{
    struct greet *greet = arg;
    if (!result_ok(result))
        link_refuse(greet->link, result, "session.sql");
    else if (!kept_session(greet, result))
        link_lose(
            greet->link, REASON_POOLER,
            "a pooler shares this session with others, so that LISTEN is not kept: " POOLER_ADVICE);
    else
        say_hello(greet);
}

static void on_listening(void *arg, const PGresult *result)
{
    struct greet *greet = arg;
    if (result_ok(result))
        link_send(greet->link, sql_session, NULL, 0, on_session_again, greet);
    else
        link_refuse(greet->link, result, "LISTEN");
}

static void on_session(void *arg, const PGresult *result)
{
    struct greet *greet = arg;
    if (!result_ok(result)) {
        link_refuse(greet->link, result, "session.sql");
        return;
    }
    greet->backend_pid = (int)result_number(result, 0, 0);
    if (*PQgetvalue(result, 0, 1) == 't')
        lose_standby(greet);
    else
        listen_send(greet->listen, greet->link, on_listening, greet);
}

void greet_begin(struct greet *greet)
{
    greet->backend_pid = 0;
    link_send(greet->link, sql_session, NULL, 0, on_session, greet);
}
