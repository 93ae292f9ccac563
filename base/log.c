#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log_writer.h"

enum { LINE_SIZE = 2048 };

static _Atomic int threshold = KAS_LOG_WARNING;

/* Guards `sink`, and is held while it is called: whoever replaces it waits for that. Not taken where there is
 * none. */
static pthread_mutex_t sink_lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    kas_log_sink *call;
    void *user;
} sink;
static atomic_bool has_sink;

static const char *const names[] = {"debug", "info", "warning", "error", "critical"};

void kas_log_set_level(kas_log_level level)
{
    atomic_store_explicit(&threshold, (int)level, memory_order_relaxed);
}

void kas_log_set(kas_log_level level, kas_log_sink *call, void *user)
{
    pthread_mutex_lock(&sink_lock);
    sink.call = call;
    sink.user = user;
    atomic_store(&has_sink, call != NULL);
    kas_log_set_level(level);
    pthread_mutex_unlock(&sink_lock);
}

void kas_log_forked(void)
{
    atomic_store(&has_sink, false);
    kas_log_writer_forked();
    kas_log_set_level(KAS_LOG_CRITICAL);
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

static void write_line(kas_log_level level, const char *area, const char *message)
{
    char line[LINE_SIZE + 128], stamp[KAS_TIMESTAMP_SIZE];
    kas_format_utc(kas_wall_ns(), stamp);
    int length = snprintf(line, sizeof line - 1, "%s %s %s: %s", stamp, names[level], area, message);
    size_t end = length < 0 ? 0 : (size_t)length;
    if (end > sizeof line - 2) end = sizeof line - 2;
    line[end++] = '\n';
    if (kas_log_writer_put(line, end)) return;
    ssize_t ignored = write(STDERR_FILENO, line, end); /* nothing is left to tell it to */
    (void)ignored;
}

static bool give_to_sink(kas_log_level level, const char *area, const char *message)
{
    if (!atomic_load(&has_sink)) return false;
    pthread_mutex_lock(&sink_lock);
    const bool taken = sink.call != NULL;
    if (taken) sink.call(sink.user, level, area, message);
    pthread_mutex_unlock(&sink_lock);
    return taken;
}

void kas_log_write(kas_log_level level, const char *area, const char *format, ...)
{
    char message[LINE_SIZE];
    va_list args;
    va_start(args, format);
    if (vsnprintf(message, sizeof message, format, args) < 0) message[0] = '\0';
    va_end(args);
    for (char *at = message; *at; ++at)
        if ((unsigned char)*at < 0x20 || *at == 0x7f) *at = '?';
    if (!give_to_sink(level, area, message)) write_line(level, area, message);
}
