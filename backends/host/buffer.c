/* Device memory of the host: plain memory, aligned for its vectors. */
#include "backends/host/host.h"

#include "base/alloc.h"

static kas_status init(kas_buffer *buffer)
{
    kas_host_buffer *self = (kas_host_buffer *)buffer;
    self->memory = kas_alloc_aligned(buffer->device->limits.buffer_alignment, buffer->size_bytes);
    if (!self->memory) return kas_fail(KAS_OUT_OF_MEMORY, DEVICE, "the host's memory is out");
    return NULL;
}

static void finish(kas_buffer *buffer)
{
    kas_free(((kas_host_buffer *)buffer)->memory);
}

static void *host(kas_buffer *buffer)
{
    return kas_host_buffer_memory(buffer);
}

const kas_buffer_ops kas_host_buffer_ops = {
    .size_bytes = sizeof(kas_host_buffer), .init = init, .finish = finish, .host = host};
