/* A thread that writes the log's lines, for a server: whoever logs puts its line into a ring and goes on, so
 * that a reader of stderr who hangs holds up nothing. When the ring is full lines are lost, and counted: the
 * next line that has room says how many. Without it, and with an embedder's sink, lines are written by who
 * logs.
 *
 * One for the process. Any thread. */
#ifndef KAS_BASE_LOG_WRITER_H
#define KAS_BASE_LOG_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum { KAS_LOG_RING_BYTES = 256 * 1024 };

/* From now on lines for stderr are the thread's. The thread has the caller's signal mask. Not while it runs.
 */
kas_status kas_log_writer_start(void) KAS_MUST_USE;
/* Waits until everything is written, at most that long, and ends the thread; lines are written by who logs
 * again. False: the time was over first, so that somebody hangs: the thread stays with what is left, and
 * lines go on to be put into the ring. Nothing to do, and true, where it does not run. */
bool kas_log_writer_stop(int64_t wait_ns);

/* For log.c: a whole line, its end included. False: no thread writes. */
bool kas_log_writer_put(const char *line, size_t length);
void kas_log_writer_forked(void); /* in a forked process, which has no such thread */

#endif
