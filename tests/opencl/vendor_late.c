#define CL_TARGET_OPENCL_VERSION 210
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#include "tests/opencl/vendor_late.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

enum { QUEUES_MAX = 16, RANGES_MAX = 256 };

typedef struct range {
    uintptr_t begin, end;
} range;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards all below */
static cl_event gate;                                    /* NULL: nothing is late */
static cl_command_queue queues[QUEUES_MAX];              /* with something late in them */
static size_t queue_count;
static range ranges[RANGES_MAX]; /* of host memory */
static size_t range_count;

/* Under the lock. */
static void close_gate(cl_command_queue queue)
{
    cl_context context;
    cl_int code = first->clGetCommandQueueInfo(queue, CL_QUEUE_CONTEXT, sizeof context, &context, NULL);
    if (code == CL_SUCCESS) gate = first->clCreateUserEvent(context, &code);
    if (code != CL_SUCCESS) abort();
}

/* Under the lock. */
static void note(cl_command_queue queue, const void *host, size_t size_bytes)
{
    size_t at = 0;
    while (at < queue_count && queues[at] != queue)
        ++at;
    if (at == QUEUES_MAX || range_count == RANGES_MAX) abort();
    if (at == queue_count) queues[queue_count++] = queue;
    if (host) ranges[range_count++] = (range){(uintptr_t)host, (uintptr_t)host + size_bytes};
}

const cl_event *vendor_gate(cl_command_queue queue, const void *host, size_t size_bytes)
{
    if (!atomic_load(&vendor.late)) return NULL;
    pthread_mutex_lock(&lock);
    if (!gate) close_gate(queue);
    note(queue, host, size_bytes);
    pthread_mutex_unlock(&lock);
    return &gate;
}

void vendor_run_on(void)
{
    pthread_mutex_lock(&lock);
    atomic_store(&vendor.late, false);
    if (gate && first->clSetUserEventStatus(gate, CL_COMPLETE) != CL_SUCCESS) abort();
    for (size_t i = 0; i < queue_count; ++i)
        if (first->clFinish(queues[i]) != CL_SUCCESS) abort();
    if (gate) first->clReleaseEvent(gate);
    gate = NULL;
    queue_count = range_count = 0;
    pthread_mutex_unlock(&lock);
}

bool vendor_touches(const void *block, size_t size_bytes)
{
    const uintptr_t begin = (uintptr_t)block, end = begin + size_bytes;
    bool touched = false;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < range_count; ++i)
        touched |= ranges[i].begin < end && begin < ranges[i].end;
    pthread_mutex_unlock(&lock);
    return touched;
}
