#include "backends/opencl/replay.h"
#include "base/alloc.h"

enum { VIEWS_MAX = 4096 }; /* offsets that launches name in one buffer */

static kas_status init(kas_buffer *base)
{
    kas_opencl_buffer *buffer = (kas_opencl_buffer *)base;
    kas_opencl_device *device = kas_opencl_device_of(base->device);
    cl_int code;
    buffer->memory =
        device->cl->clCreateBuffer(device->context, CL_MEM_READ_WRITE, base->size_bytes, NULL, &code);
    if (code != CL_SUCCESS) return kas_opencl_fail(code, "clCreateBuffer");
    pthread_mutex_init(&buffer->lock, NULL);
    return NULL;
}

static void finish(kas_buffer *base)
{
    kas_opencl_buffer *buffer = (kas_opencl_buffer *)base;
    kas_opencl_device *device = kas_opencl_device_of(base->device);
    kas_opencl_replays_forget(device, base);
    if (!atomic_load(&base->device->lost)) {
        for (size_t i = 0; i < buffer->view_count; ++i)
            device->cl->clReleaseMemObject(buffer->views[i].memory);
        device->cl->clReleaseMemObject(buffer->memory);
    }
    kas_free(buffer->views);
    pthread_mutex_destroy(&buffer->lock);
}

static cl_mem find_view(const kas_opencl_buffer *buffer, size_t offset)
{
    for (size_t i = 0; i < buffer->view_count; ++i)
        if (buffer->views[i].offset == offset) return buffer->views[i].memory;
    return NULL;
}

/* Under the buffer's lock. A view reaches to the buffer's end, since a binding names no length: views
 * overlap, but what one kernel reads through one and writes through another never does. */
static kas_status add_view(kas_opencl_buffer *buffer, size_t offset, cl_mem *out)
{
    kas_opencl_device *device = kas_opencl_device_of(buffer->base.device);
    if (!kas_grow((void **)&buffer->views, &buffer->view_capacity, buffer->view_count + 1, VIEWS_MAX,
                  sizeof *buffer->views))
        return kas_out_of_memory();
    cl_buffer_region region = {.origin = offset, .size = buffer->base.size_bytes - offset};
    cl_int code;
    *out = device->cl->clCreateSubBuffer(buffer->memory, CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION,
                                         &region, &code);
    if (code != CL_SUCCESS) return kas_opencl_fail(code, "clCreateSubBuffer");
    buffer->views[buffer->view_count++] = (kas_opencl_view){.offset = offset, .memory = *out};
    return NULL;
}

kas_status kas_opencl_buffer_view(kas_buffer *base, size_t offset, cl_mem *out)
{
    kas_opencl_buffer *buffer = (kas_opencl_buffer *)base;
    *out = buffer->memory;
    if (offset == 0) return NULL;
    pthread_mutex_lock(&buffer->lock);
    *out = find_view(buffer, offset);
    kas_status status = *out ? NULL : add_view(buffer, offset, out);
    pthread_mutex_unlock(&buffer->lock);
    return status;
}

const kas_buffer_ops kas_opencl_buffer_ops = {
    .size_bytes = sizeof(kas_opencl_buffer),
    .init = init,
    .finish = finish,
};
