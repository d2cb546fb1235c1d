#include "core/ticket.h"

#include "base/base64url.h"
#include "base/mac.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

_Static_assert(BASE64URL_LEN(TICKET_BYTES) + 1 == TICKET_TEXT_MAX, "a ticket is one text");

/* What became of tickets; refused: none was given. */
enum result {
    RESULT_ISSUED,
    RESULT_TAKEN,
    RESULT_UNKNOWN,
    RESULT_EXPIRED,
    RESULT_REFUSED,
    RESULT_COUNT
};
static const char *const result_names[RESULT_COUNT] = {"issued", "taken", "unknown", "expired",
                                                       "refused"};

struct ticket {
    UT_hash_handle hh;
    uint8_t digest[MAC_BYTES]; /* the key */
    struct holder *holder;
    struct ticket *prev; /* in store->oldest */
    struct ticket *next;
    struct ticket *older; /* in holder->tickets */
    struct ticket *newer;
    struct identity *identity;
    int64_t expires_ms;
};

/* Whoever has tickets waiting. */
struct holder {
    UT_hash_handle hh;
    struct ticket *tickets; /* oldest first, at least one */
    unsigned count;
    size_t key_len;
    char key[]; /* company, user and issuer, with the NULs in between */
};

struct ticket_store {
    struct ticket_options options;
    struct ticket *tickets;
    struct ticket *oldest; /* all of them, in the order of issue */
    struct holder *holders;
    double *results;
};

struct ticket_store *ticket_store_new(const struct ticket_options *options)
{
    struct ticket_store *store = mem_new(sizeof *store);
    const struct metric_def def = {
        "vigie_tickets_total", METRIC_COUNTER, "one-time tickets, by what became of them", "result",
        result_names,          RESULT_COUNT};
    store->options = *options;
    store->results = metrics_register(options->metrics, &def);
    return store;
}

void ticket_store_limit(struct ticket_store *store, int64_t ttl_ms, size_t max)
{
    store->options.ttl_ms = ttl_ms;
    store->options.max = max;
}

size_t ticket_count(const struct ticket_store *store)
{
    return HASH_COUNT(store->tickets);
}

/* ---- who holds how many ---- */

static struct holder *holder_new(const struct identity *identity)
{
    size_t company = strlen(identity->company) + 1;
    size_t user = strlen(identity->user) + 1;
    size_t issuer = strlen(identity->issuer);
    struct holder *holder = mem_new(sizeof *holder + company + user + issuer + 1);
    memcpy(holder->key, identity->company, company);
    memcpy(holder->key + company, identity->user, user);
    memcpy(holder->key + company + user, identity->issuer, issuer);
    holder->key_len = company + user + issuer;
    return holder;
}

static struct holder *holder_get(struct ticket_store *store, const struct identity *identity)
{
    struct holder *holder = holder_new(identity);
    struct holder *known = NULL;
    HASH_FIND(hh, store->holders, holder->key, holder->key_len, known);
    if (known) {
        free(holder);
        return known;
    }
    HASH_ADD_KEYPTR(hh, store->holders, holder->key, holder->key_len, holder);
    return holder;
}

static void holder_release(struct ticket_store *store, struct holder *holder)
{
    if (holder->count)
        return;
    HASH_DEL(store->holders, holder);
    free(holder);
}

/* ---- one ticket ---- */

/* Out of the store; its identity is the caller's. */
static struct identity *withdraw(struct ticket_store *store, struct ticket *ticket)
{
    struct holder *holder = ticket->holder;
    struct identity *identity = ticket->identity;
    HASH_DEL(store->tickets, ticket);
    DL_DELETE(store->oldest, ticket);
    DL_DELETE2(holder->tickets, ticket, older, newer);
    holder->count--;
    holder_release(store, holder);
    free(ticket);
    return identity;
}

static void forget(struct ticket_store *store, struct ticket *ticket)
{
    store->results[RESULT_EXPIRED]++;
    identity_free(withdraw(store, ticket));
}

static void keep(struct ticket_store *store, struct holder *holder, const char *text,
                 const struct identity *identity)
{
    struct ticket *ticket = mem_new(sizeof *ticket);
    mac_sha256(text, strlen(text), ticket->digest);
    ticket->holder = holder;
    ticket->identity = identity_copy(identity);
    ticket->expires_ms = store->options.mono_ms() + store->options.ttl_ms;
    HASH_ADD(hh, store->tickets, digest, sizeof ticket->digest, ticket);
    DL_APPEND(store->oldest, ticket);
    DL_APPEND2(holder->tickets, ticket, older, newer);
    holder->count++;
}

bool ticket_issue(struct ticket_store *store, const struct identity *identity,
                  char text[TICKET_TEXT_MAX])
{
    uint8_t bytes[TICKET_BYTES];
    struct holder *holder = holder_get(store, identity);
    bool full = holder->count >= TICKETS_PER_USER;
    if (!full && ticket_count(store) >= store->options.max) {
        store->results[RESULT_REFUSED]++;
        holder_release(store, holder);
        return false;
    }
    store->options.random(bytes, sizeof bytes);
    base64url_encode(bytes, sizeof bytes, text);
    keep(store, holder, text, identity);
    if (full)
        forget(store, holder->tickets);
    store->results[RESULT_ISSUED]++;
    return true;
}

/* Its own time, and that of the token behind it. */
static bool is_over(const struct ticket_store *store, const struct ticket *ticket)
{
    const struct identity *identity = ticket->identity;
    return store->options.mono_ms() >= ticket->expires_ms ||
           store->options.wall_us() >= identity->expires_at_us + identity->leeway_us;
}

struct identity *ticket_take(struct ticket_store *store, const char *text)
{
    uint8_t digest[MAC_BYTES];
    struct ticket *ticket = NULL;
    mac_sha256(text, strlen(text), digest);
    HASH_FIND(hh, store->tickets, digest, sizeof digest, ticket);
    if (!ticket) {
        store->results[RESULT_UNKNOWN]++;
        return NULL;
    }
    if (is_over(store, ticket)) {
        forget(store, ticket);
        return NULL;
    }
    store->results[RESULT_TAKEN]++;
    return withdraw(store, ticket);
}

void ticket_tick(struct ticket_store *store)
{
    /* after a change of the time that tickets have, a younger one may wait here for an older one:
     * it is worth nothing all the same */
    while (store->oldest && is_over(store, store->oldest))
        forget(store, store->oldest);
}

void ticket_store_free(struct ticket_store *store)
{
    if (!store)
        return;
    while (store->oldest)
        identity_free(withdraw(store, store->oldest));
    free(store);
}
