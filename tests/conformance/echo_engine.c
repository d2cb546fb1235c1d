#include "echo.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

struct message {
    struct message *prev;
    struct message *next;
    bool binary;
    size_t len;
    unsigned char bytes[];
};

struct echo {
    struct engine *engine;
    struct message *line;
};

static void *open_echo(void *arg, struct engine *engine)
{
    (void)arg;
    struct echo *echo = mem_new(sizeof *echo);
    echo->engine = engine;
    return echo;
}

static bool queue(struct echo *echo, const void *bytes, size_t len, bool binary)
{
    struct message *message = mem_new(sizeof *message + len);
    message->binary = binary;
    message->len = len;
    if (len)
        memcpy(message->bytes, bytes, len);
    DL_APPEND(echo->line, message);
    engine_wake(echo->engine);
    return true;
}

static bool take_text(void *state, const char *text, size_t len)
{
    return queue(state, text, len, false);
}

static bool take_binary(void *state, const void *bytes, size_t len)
{
    return queue(state, bytes, len, true);
}

static bool peek(void *state, struct engine_packet *packet)
{
    const struct message *first = ((struct echo *)state)->line;
    if (!first)
        return false;
    *packet =
        (struct engine_packet){.body = first->bytes, .len = first->len, .binary = first->binary};
    if (!first->binary)
        packet->head[packet->head_len++] = '4';
    return true;
}

static void pop(void *state)
{
    struct echo *echo = state;
    struct message *first = echo->line;
    DL_DELETE(echo->line, first);
    free(first);
}

static void drained(void *state)
{
    (void)state;
}

static bool is_known(const void *state)
{
    (void)state;
    return true;
}

static void closed(void *state, enum close_reason reason)
{
    (void)reason;
    struct echo *echo = state;
    while (echo->line)
        pop(echo);
    free(echo);
}

const struct engine_upper echo_upper = {
    .open = open_echo,
    .text = take_text,
    .binary = take_binary,
    .peek = peek,
    .pop = pop,
    .drained = drained,
    .is_known = is_known,
    .closed = closed,
};
