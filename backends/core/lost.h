/* How core keeps a device's loss sticky; used by every call that reaches a backend. Not for backends. */
#ifndef KAS_CORE_LOST_H
#define KAS_CORE_LOST_H

#include "backends/core/backend.h"

/* The device's KAS_DEVICE_LOST once it has been lost, NULL before. */
kas_status kas_device_check(kas_device *device) KAS_MUST_USE;
/* Passes a backend's outcome on, and takes note where it is KAS_DEVICE_LOST. */
kas_status kas_device_outcome(kas_device *device, kas_status status) KAS_MUST_USE;

/* The device is lost, if it was not before. silent: its work may still run. */
void kas_device_lose(kas_device *device, const char *reason, bool silent);

static inline bool kas_device_is_silent(const kas_device *device)
{
    return atomic_load_explicit(&device->silent, memory_order_acquire);
}

/* For what nobody has any more, and whose freeing would call the driver. While queues are late it is kept,
 * and freed once none is; on a silent device it stays for good. False: it may be freed now. */
bool kas_device_keeps(kas_device *device, kas_kept *thing, void (*free)(kas_kept *thing));

/* A queue's work has passed its deadline and runs on; and it has ended after all. */
void kas_device_late(kas_device *device);
void kas_device_came_back(kas_device *device);

/* Copies a label, cut to fit; NULL is "unnamed". */
void kas_label_copy(char out[KAS_LABEL_SIZE], const char *label);

#endif
