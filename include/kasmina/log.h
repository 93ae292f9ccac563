/* What Kasmina has to say beside its answers: one line an event, for operators. By default warnings and what
 * is graver go to stderr; `info` tells of each change of a layer or seed, too. There is one log for the whole
 * process, whatever the number of engines. */
#ifndef KASMINA_LOG_H
#define KASMINA_LOG_H

#include <kasmina/export.h>

typedef enum kas_log_level {
    KAS_LOG_DEBUG = 0,
    KAS_LOG_INFO,
    KAS_LOG_WARNING,
    KAS_LOG_ERROR,
    KAS_LOG_CRITICAL, /* somebody should look at it now */
    KAS_LOG_OFF,      /* as a threshold: nothing is said */
} kas_log_level;

/* `area` ("control", "cuda" …) and `message` (printable, without a line break) are valid during the call.
 * Lines come from any thread, one at a time. The function must return soon, since what the line is about
 * waits for it, and must call nothing of Kasmina. */
typedef void kas_log_sink(void *user, kas_log_level level, const char *area, const char *message);

/* From now on, lines of `level` and above go to `sink`; NULL: to stderr, with the time before them. When this
 * returns, an earlier sink runs nowhere and is not called again, so that its `user` may be freed. Areas that
 * the environment's KASMINA_DEBUG names ("cuda,vulkan", "all") say their debug lines at every level.
 *
 * Any thread, at any time, also while engines work; not from within a sink. */
KAS_API void kas_log_set(kas_log_level level, kas_log_sink *sink, void *user);

#endif
