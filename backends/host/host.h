/* The host backend's objects. */
#ifndef KAS_HOST_HOST_H
#define KAS_HOST_HOST_H

#include "backends/core/backend.h"
#include "backends/host/isa.h"
#include "backends/host/pool.h"

typedef struct kas_host_device {
    kas_device base;
    const kas_host_isa *isa;
    kas_host_pool *pool;
} kas_host_device;

/* direct.c: lists that are ready to run at once, and kas_queue_ops.run */
extern const kas_list_ops kas_host_list_ops;
bool kas_host_run_directly(kas_queue *queue, const kas_list *list, void *const *slots, uint32_t rows,
                           int64_t deadline_ns, kas_status *outcome);

extern const kas_buffer_ops kas_host_buffer_ops;
extern const kas_program_ops kas_host_program_ops;
extern const kas_queue_ops kas_host_queue_ops;

#endif
