/* What the self test cannot go on without. It runs in a process of its own (`kasmina devices --selftest`, or
 * a test program): where one of these fails it says so on stderr and ends the process with exit code 1. */
#ifndef KAS_SELFTEST_NEED_H
#define KAS_SELFTEST_NEED_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

/* No failure; `what` begins the message. */
void selftest_need(kas_status status, const char *what);

/* `what` is needed and not there unless `there`. */
void selftest_check(bool there, const char *what);

/* Zeroed memory, to be freed with kas_free. */
void *selftest_alloc(size_t count, size_t size_bytes);

#endif
