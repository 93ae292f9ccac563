/* For backends: how to wait for a device without blocking in its driver, so that a deadline always holds. */
#ifndef KAS_CORE_POLL_H
#define KAS_CORE_POLL_H

#include <stdint.h>

/* Between two looks at the device, `waited_ns` after the first: yields at first, since most passes take
 * microseconds, then sleeps for longer and longer, up to 200 µs. */
void kas_poll_pause(int64_t waited_ns);

#endif
