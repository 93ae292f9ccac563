/* Device memory of the host: plain memory, aligned for its vectors. */
#include "backends/host/host.h"

#include "base/alloc.h"

typedef struct host_buffer {
    kas_buffer base;
    void *memory;
} host_buffer;

static kas_status init(kas_buffer *buffer)
{
    host_buffer *self = (host_buffer *)buffer;
    self->memory = kas_alloc_aligned(buffer->device->limits.buffer_alignment, buffer->size_bytes);
    if (!self->memory) return kas_fail(KAS_OUT_OF_MEMORY, DEVICE, "the host's memory is out");
    return NULL;
}

static void finish(kas_buffer *buffer)
{
    kas_free(((host_buffer *)buffer)->memory);
}

static void *host(kas_buffer *buffer)
{
    return ((host_buffer *)buffer)->memory;
}

const kas_buffer_ops kas_host_buffer_ops = {
    .size_bytes = sizeof(host_buffer), .init = init, .finish = finish, .host = host};
