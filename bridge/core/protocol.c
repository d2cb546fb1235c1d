#include "core/protocol.h"

const char *const gap_reason_names[GAP_REASON_COUNT] = {"retention", "overflow", "epoch", "cursor"};

const unsigned short close_codes[CLOSE_REASON_COUNT] = {
    [CLOSE_GOING_AWAY] = 1001,   [CLOSE_RESTART] = 1012,       [CLOSE_PROTOCOL] = 1002,
    [CLOSE_BINARY] = 1003,       [CLOSE_UTF8] = 1007,          [CLOSE_TOO_BIG] = 1009,
    [CLOSE_OVERLOADED] = 1013,   [CLOSE_BAD_REQUEST] = 4400,   [CLOSE_UNAUTHORIZED] = 4401,
    [CLOSE_FORBIDDEN] = 4403,    [CLOSE_AUTH_TIMEOUT] = 4408,  [CLOSE_REPLACED] = 4409,
    [CLOSE_RATE_LIMITED] = 4429, [CLOSE_TOKEN_EXPIRED] = 4440, [CLOSE_SLOW_CONSUMER] = 4450,
    [CLOSE_INTERNAL] = 4500,     [CLOSE_DEAD] = 1006,          [CLOSE_CLIENT] = 1005,
};

const char *const close_names[CLOSE_REASON_COUNT] = {
    [CLOSE_GOING_AWAY] = "going_away",
    [CLOSE_RESTART] = "restart",
    [CLOSE_PROTOCOL] = "protocol",
    [CLOSE_BINARY] = "binary",
    [CLOSE_UTF8] = "utf8",
    [CLOSE_TOO_BIG] = "too_big",
    [CLOSE_OVERLOADED] = "overloaded",
    [CLOSE_BAD_REQUEST] = "bad_request",
    [CLOSE_UNAUTHORIZED] = "unauthorized",
    [CLOSE_FORBIDDEN] = "forbidden",
    [CLOSE_AUTH_TIMEOUT] = "auth_timeout",
    [CLOSE_REPLACED] = "replaced",
    [CLOSE_RATE_LIMITED] = "rate_limited",
    [CLOSE_TOKEN_EXPIRED] = "token_expired",
    [CLOSE_SLOW_CONSUMER] = "slow_consumer",
    [CLOSE_INTERNAL] = "internal",
    [CLOSE_DEAD] = "dead",
    [CLOSE_CLIENT] = "client",
};
