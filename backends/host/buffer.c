/* Device memory of the host: plain memory, aligned for its vectors; large buffers lie on large pages where
 * the system has them, as products pass over more small ones than a processor's TLB holds. */
#include "backends/host/host.h"

#include <sys/mman.h>

#include "base/alloc.h"

enum { LARGE_PAGE_BYTES = 2 << 20 };

typedef struct host_buffer {
    kas_buffer base;
    void *memory;
} host_buffer;

static kas_status init(kas_buffer *buffer)
{
    host_buffer *self = (host_buffer *)buffer;
    size_t whole_pages_bytes = buffer->size_bytes & ~(size_t)(LARGE_PAGE_BYTES - 1);
    size_t alignment = whole_pages_bytes > 0 ? LARGE_PAGE_BYTES : buffer->device->limits.buffer_alignment;
    self->memory = kas_alloc_aligned(alignment, buffer->size_bytes);
    if (!self->memory) return kas_fail(KAS_OUT_OF_MEMORY, DEVICE, "the host's memory is out");
    if (whole_pages_bytes > 0) /* advice: refused, it costs speed alone */
        (void)madvise(self->memory, whole_pages_bytes, MADV_HUGEPAGE);
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
