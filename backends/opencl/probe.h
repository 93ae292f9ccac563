/* What OpenCL devices there are, without waking their drivers here: asked, they start threads and take tens
 * of megabytes, for good. So a child process asks, and ends. It also takes the blow where a vendor's library
 * crashes or hangs. */
#ifndef KAS_OPENCL_PROBE_H
#define KAS_OPENCL_PROBE_H

#include "backends/core/device.h"

/* As kas_driver.list. The first answer is kept: which devices a machine has does not change while a process
 * runs. KAS_UNAVAILABLE when the child did not answer, or not in time. Any thread. */
kas_status kas_opencl_probe(kas_device_info *infos, size_t capacity, size_t *count) KAS_MUST_USE;

#endif
