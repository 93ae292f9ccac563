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

/* The end of what a silent device may still use, and of what its driver would have to be called to free: it
 * stays as it is until the process ends. */
void kas_keep(kas_kept *thing);

/* Copies a label, cut to fit; NULL is "unnamed". */
void kas_label_copy(char out[KAS_LABEL_SIZE], const char *label);

#endif
