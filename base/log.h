/* The log, as <kasmina/log.h> describes it: one line an event, on stderr as
 * `2026-01-31T12:00:00.123Z level area: message` unless an embedder takes the lines.
 *
 * Thread-safe: a line is written by one write call, of the thread that logs unless log_writer.h has one. Text
 * from outside is made printable. An embedder's sink runs on the thread that logs, which may hold locks: that
 * is why a sink may call nothing of ours. KASMINA_DEBUG=area,area (or `all`) turns on debug lines by area. */
#ifndef KAS_BASE_LOG_H
#define KAS_BASE_LOG_H

#include <kasmina/log.h>
#include <stdbool.h>

void kas_log_set_level(kas_log_level level); /* alone */
/* In a process forked from one with threads, of which any may hold the sink's lock: from now on critical
 * lines and those of KASMINA_DEBUG, to stderr. */
void kas_log_forked(void);
bool kas_log_parse_level(const char *text, kas_log_level *out); /* "debug" … "critical" */
bool kas_log_enabled(kas_log_level level, const char *area);
void kas_log_write(kas_log_level level, const char *area, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define kas_log(level, area, ...)                                                                            \
    do {                                                                                                     \
        if (kas_log_enabled((level), (area))) kas_log_write((level), (area), __VA_ARGS__);                   \
    } while (0)
#define kas_debug(area, ...)   kas_log(KAS_LOG_DEBUG, area, __VA_ARGS__)
#define kas_info(area, ...)    kas_log(KAS_LOG_INFO, area, __VA_ARGS__)
#define kas_warning(area, ...) kas_log(KAS_LOG_WARNING, area, __VA_ARGS__)
#define kas_error(area, ...)   kas_log(KAS_LOG_ERROR, area, __VA_ARGS__)

#endif
