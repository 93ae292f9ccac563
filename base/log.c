#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

static _Atomic int threshold = KAS_LOG_INFO;

static const char *const names[] = {"debug", "info", "warning", "error", "critical"};

void kas_log_set_level(kas_log_level level)
{
    atomic_store_explicit(&threshold, (int)level, memory_order_relaxed);
}

bool kas_log_parse_level(const char *text, kas_log_level *out)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; ++i) {
        if (strcmp(text, names[i]) == 0) {
            *out = (kas_log_level)i;
            return true;
        }
    }
    return false;
}

static bool area_is_debugged(const char *area)
{
    const char *list = getenv("KASMINA_DEBUG");
    size_t length = strlen(area);
    while (list && *list) {
        size_t item = strcspn(list, ",");
        if ((item == length && strncmp(list, area, item) == 0) || (item == 3 && strncmp(list, "all", 3) == 0))
            return true;
        list += item + (list[item] == ',');
    }
    return false;
}

bool kas_log_enabled(kas_log_level level, const char *area)
{
    if ((int)level >= atomic_load_explicit(&threshold, memory_order_relaxed)) return true;
    return level == KAS_LOG_DEBUG && area_is_debugged(area);
}

void kas_log_write(kas_log_level level, const char *area, const char *format, ...)
{
    char line[2048], stamp[KAS_TIMESTAMP_SIZE];
    kas_format_utc(kas_wall_ns(), stamp);
    int head = snprintf(line, sizeof line, "%s %s %s: ", stamp, names[level], area);
    size_t used = head < 0 ? 0 : (size_t)head;
    va_list args;
    va_start(args, format);
    int body = vsnprintf(line + used, sizeof line - used - 1, format, args);
    va_end(args);
    size_t end = used + (body < 0 ? 0 : (size_t)body);
    if (end > sizeof line - 2) end = sizeof line - 2;
    for (size_t i = 0; i < end; ++i)
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f) line[i] = '?';
    line[end++] = '\n';
    ssize_t ignored = write(STDERR_FILENO, line, end); /* nothing is left to tell it to */
    (void)ignored;
}
