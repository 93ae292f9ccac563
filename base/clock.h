/* Time. Code that decides by time takes a kas_clock, so that tests run it under a virtual one; code that only
 * measures or stamps a log line may call the functions below directly. */
#ifndef KAS_BASE_CLOCK_H
#define KAS_BASE_CLOCK_H

#include <stdint.h>

#define KAS_NS_PER_US 1000ll
#define KAS_NS_PER_MS 1000000ll
#define KAS_NS_PER_S  1000000000ll
#define KAS_NEVER     INT64_MAX

int64_t kas_monotonic_ns(void); /* since an arbitrary start; never goes back */
int64_t kas_wall_ns(void);      /* since 1970-01-01T00:00:00Z */

enum { KAS_TIMESTAMP_SIZE = 25 };
/* "2026-01-31T12:00:00.123Z" and a NUL. Times outside the years 0–9999 are clamped. */
void kas_format_utc(int64_t wall_ns, char out[KAS_TIMESTAMP_SIZE]);

#endif
