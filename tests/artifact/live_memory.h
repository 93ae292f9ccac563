/* What base/alloc.h and Jansson have allocated, in bytes: counted by wrapping the C library's calls (the test
 * program is linked with -Wl,--wrap for each). One thread. */
#ifndef KAS_TESTS_LIVE_MEMORY_H
#define KAS_TESTS_LIVE_MEMORY_H

#include <stddef.h>

void live_memory_watch_jansson(void); /* before the first use of Jansson */
size_t live_memory_bytes(void);
size_t live_memory_peak_bytes(void); /* since live_memory_restart_peak */
void live_memory_restart_peak(void);

#endif
