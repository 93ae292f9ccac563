/* Entry points of the second vendor (vendor.h) that enqueue commands or ask for them. Of its own module only.
 */
#ifndef KAS_TESTS_OPENCL_VENDOR_ENQUEUES_H
#define KAS_TESTS_OPENCL_VENDOR_ENQUEUES_H

#include "tests/opencl/vendor_handles.h"

cl_int vendor_enqueue_kernel(cl_command_queue queue, cl_kernel kernel, cl_uint dimensions,
                             const size_t *offset, const size_t *global, const size_t *local, cl_uint waits,
                             const cl_event *wait_for, cl_event *event);
cl_int vendor_enqueue_write(cl_command_queue queue, cl_mem memory, cl_bool blocking, size_t offset,
                            size_t size, const void *from, cl_uint waits, const cl_event *wait_for,
                            cl_event *event);
cl_int vendor_enqueue_read(cl_command_queue queue, cl_mem memory, cl_bool blocking, size_t offset,
                           size_t size, void *to, cl_uint waits, const cl_event *wait_for, cl_event *event);
cl_int vendor_enqueue_fill(cl_command_queue queue, cl_mem memory, const void *pattern, size_t pattern_size,
                           size_t offset, size_t size, cl_uint waits, const cl_event *wait_for,
                           cl_event *event);
cl_int vendor_enqueue_marker(cl_command_queue queue, cl_uint waits, const cl_event *wait_for,
                             cl_event *event);
cl_int vendor_flush(cl_command_queue queue);
cl_int vendor_event_info(cl_event event, cl_event_info what, size_t size, void *out, size_t *needed);
cl_int vendor_event_profile(cl_event event, cl_profiling_info what, size_t size, void *out, size_t *needed);
cl_int vendor_release_event(cl_event event);

#endif
