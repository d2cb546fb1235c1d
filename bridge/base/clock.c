#include "base/clock.h"

#include <stdio.h>
#include <time.h>

int64_t clock_mono_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_wall_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void clock_stamp(char stamp[CLOCK_STAMP_MAX], int64_t wall_us)
{
    time_t seconds = (time_t)(wall_us / 1000000);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    size_t used = strftime(stamp, CLOCK_STAMP_MAX, "%Y-%m-%dT%H:%M:%S", &utc);
    unsigned millis = (unsigned)((wall_us / 1000) % 1000);
    snprintf(stamp + used, CLOCK_STAMP_MAX - used, ".%03uZ", millis);
}

int64_t clock_parse(const char *stamp)
{
    struct tm utc = {0};
    const char *rest = strptime(stamp, "%Y-%m-%dT%H:%M:%S", &utc);
    if (!rest)
        return -1;
    int64_t micros = 0;
    int64_t unit = 100000;
    if (*rest == '.')
        for (rest++; *rest >= '0' && *rest <= '9' && unit; rest++, unit /= 10)
            micros += (*rest - '0') * unit;
    if (rest[0] != 'Z' || rest[1])
        return -1;
    return (int64_t)timegm(&utc) * 1000000 + micros;
}
