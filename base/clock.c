#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now); /* cannot fail for these clocks with a valid pointer */
    return (int64_t)now.tv_sec * KAS_NS_PER_S + now.tv_nsec;
}

int64_t kas_monotonic_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t kas_wall_ns(void)
{
    return read_clock(CLOCK_REALTIME);
}

void kas_format_utc(int64_t wall_ns, char out[KAS_TIMESTAMP_SIZE])
{
    int64_t ms = wall_ns / KAS_NS_PER_MS - (wall_ns % KAS_NS_PER_MS < 0);
    int64_t rest = ms % 1000;
    if (rest < 0) rest += 1000;
    time_t seconds = (time_t)((ms - rest) / 1000);
    struct tm parts;
    gmtime_r(&seconds, &parts); /* 64-bit nanoseconds span 1677–2262: always representable */
    char text[64];
    snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", parts.tm_year + 1900, parts.tm_mon + 1,
             parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, (int)rest);
    snprintf(out, KAS_TIMESTAMP_SIZE, "%.24s", text);
}
