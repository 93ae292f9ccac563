/* Commands of the second vendor (vendor.h) that are late: the first driver has them, and begins none before
 * it is told to. Of its own module only. */
#ifndef KAS_TESTS_OPENCL_VENDOR_LATE_H
#define KAS_TESTS_OPENCL_VENDOR_LATE_H

#include "tests/opencl/vendor_handles.h"

/* What a command that is enqueued now in the first driver's queue waits for; NULL: nothing. Valid until it
 * has been enqueued. The host memory that it reads or writes, which may be none, is noted. */
const cl_event *vendor_gate(cl_command_queue queue, const void *host, size_t size_bytes);

/* See vendor_control. */
void vendor_run_on(void);
bool vendor_touches(const void *block, size_t size_bytes);

#endif
