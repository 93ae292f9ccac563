/* The host device, "host:0": this machine's processors, always there. Its limits have host_pointers and
 * immediate.
 *
 * Environment, read when the device is opened (once a process unless it is closed in between):
 *   KASMINA_THREADS    threads that compute one pass together, the caller's among them, where
 * kas_device_use_threads says nothing (default: the processors that this process may use, at most 64)
 *   KASMINA_HOST_ISA   instruction set to use instead of the best one: avx512, avx2, sse2, neon, or portable
 * (the device kernels as plain C, no packed product); one that this processor lacks is refused */
#ifndef KAS_HOST_DRIVER_H
#define KAS_HOST_DRIVER_H

#include "backends/core/device.h"

extern const kas_driver kas_host_driver;

/* The instruction sets built in that this processor has, best first; NULL after the last. Static. */
const char *kas_host_isa_name(size_t index);
/* The one that an opened host device uses. */
const char *kas_host_device_isa(const kas_device *device);

#endif
