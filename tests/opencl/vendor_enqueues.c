/* The second vendor's commands and their events (vendor.h). The backend waits for no events in any of them.
 */
#define CL_TARGET_OPENCL_VERSION 210
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#include "tests/opencl/vendor_enqueues.h"

/* After these nobody can tell what is under way, so that the device is given up. Here it has ended: what it
 * was given is its caller's again, as on a device that is gone. */
#define MAY_FAIL_FOR_GOOD(call, queue)                                                                       \
    do {                                                                                                     \
        cl_int fault_ = fault(call);                                                                         \
        if (fault_ != CL_SUCCESS) {                                                                          \
            first->clFinish(queue);                                                                          \
            return fault_;                                                                                   \
        }                                                                                                    \
    } while (0)

static cl_command_queue queue_of(cl_event event)
{
    cl_command_queue queue = NULL;
    first->clGetEventInfo(event, CL_EVENT_COMMAND_QUEUE, sizeof queue, &queue, NULL);
    return queue;
}

cl_int vendor_enqueue_kernel(cl_command_queue queue, cl_kernel kernel, cl_uint dimensions,
                             const size_t *offset, const size_t *global, const size_t *local, cl_uint waits,
                             const cl_event *wait_for, cl_event *event)
{
    MAY_FAIL("clEnqueueNDRangeKernel");
    cl_int code = first->clEnqueueNDRangeKernel(inner(queue, QUEUE), inner(kernel, KERNEL), dimensions,
                                                offset, global, local, waits, wait_for, event);
    if (((const object *)kernel)->subgroups) atomic_fetch_add(&vendor.subgroup_launches, 1);
    return enqueued(code, event);
}

cl_int vendor_enqueue_write(cl_command_queue queue, cl_mem memory, cl_bool blocking, size_t offset,
                            size_t size, const void *from, cl_uint waits, const cl_event *wait_for,
                            cl_event *event)
{
    MAY_FAIL("clEnqueueWriteBuffer");
    cl_int code = first->clEnqueueWriteBuffer(inner(queue, QUEUE), inner(memory, MEMORY), blocking, offset,
                                              size, from, waits, wait_for, event);
    return enqueued(code, event);
}

cl_int vendor_enqueue_read(cl_command_queue queue, cl_mem memory, cl_bool blocking, size_t offset,
                           size_t size, void *to, cl_uint waits, const cl_event *wait_for, cl_event *event)
{
    MAY_FAIL("clEnqueueReadBuffer");
    cl_int code = first->clEnqueueReadBuffer(inner(queue, QUEUE), inner(memory, MEMORY), blocking, offset,
                                             size, to, waits, wait_for, event);
    return enqueued(code, event);
}

cl_int vendor_enqueue_fill(cl_command_queue queue, cl_mem memory, const void *pattern, size_t pattern_size,
                           size_t offset, size_t size, cl_uint waits, const cl_event *wait_for,
                           cl_event *event)
{
    MAY_FAIL("clEnqueueFillBuffer");
    cl_int code = first->clEnqueueFillBuffer(inner(queue, QUEUE), inner(memory, MEMORY), pattern,
                                             pattern_size, offset, size, waits, wait_for, event);
    return enqueued(code, event);
}

cl_int vendor_enqueue_marker(cl_command_queue queue, cl_uint waits, const cl_event *wait_for, cl_event *event)
{
    MAY_FAIL_FOR_GOOD("clEnqueueMarkerWithWaitList", inner(queue, QUEUE));
    cl_int code = first->clEnqueueMarkerWithWaitList(inner(queue, QUEUE), waits, wait_for, event);
    return enqueued(code, event);
}

cl_int vendor_flush(cl_command_queue queue)
{
    MAY_FAIL_FOR_GOOD("clFlush", inner(queue, QUEUE));
    atomic_store(&vendor.flushed, atomic_load(&vendor.enqueued));
    return first->clFlush(inner(queue, QUEUE));
}

/* The state that a command is said to be in. */
static cl_int shown(const object *event, cl_int state)
{
    if (event->number > atomic_load(&vendor.flushed)) return CL_QUEUED;
    if (atomic_load(&vendor.holds)) return CL_SUBMITTED;
    if (state == CL_COMPLETE && event->number > atomic_load(&vendor.seen))
        atomic_store(&vendor.seen, event->number);
    return state;
}

cl_int vendor_event_info(cl_event event, cl_event_info what, size_t size, void *out, size_t *needed)
{
    MAY_FAIL_FOR_GOOD("clGetEventInfo", queue_of(inner(event, EVENT)));
    cl_int code = first->clGetEventInfo(inner(event, EVENT), what, size, out, needed);
    if (code == CL_SUCCESS && what == CL_EVENT_COMMAND_EXECUTION_STATUS)
        *(cl_int *)out = shown((const object *)event, *(const cl_int *)out);
    return code;
}

cl_int vendor_event_profile(cl_event event, cl_profiling_info what, size_t size, void *out, size_t *needed)
{
    MAY_FAIL("clGetEventProfilingInfo");
    return first->clGetEventProfilingInfo(inner(event, EVENT), what, size, out, needed);
}

cl_int vendor_release_event(cl_event event)
{
    cl_int code = first->clReleaseEvent(inner(event, EVENT));
    drop(event);
    return code;
}
