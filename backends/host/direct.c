/* The shortest way of a list to the processor: one launch, on the calling thread alone, straight over its
 * caller's memory. What can be known of it is prepared when the list is recorded. What is worth a helper, and
 * lists of several launches, go through the queue. */
#include <stddef.h>
#include <string.h>

#include "backends/host/host.h"
#include "base/clock.h"

enum { LOOKS_MAX = 8 }; /* at the clock, however long it takes */

typedef struct host_list {
    kas_list base;
    kas_host_plan *plan; /* NULL: not for the direct way */
    kas_host_task task;  /* but for rows, what a pass binds, and what the plan fills in */
    uint32_t bound;      /* buffers that a pass binds: */
    struct {
        uint8_t buffer, slot;
        size_t offset_bytes;
    } bindings[KAS_KERNEL_MAX_BUFFERS];
} host_list;

static void prepare(host_list *self, const kas_launch *launch)
{
    const kas_kernel_info *info = kas_kernel_get_info(launch->kernel);
    self->task.args = launch->args;
    for (uint32_t b = 0; b < info->buffers; ++b) {
        const kas_binding *binding = &launch->bindings[b];
        if (binding->slot == KAS_SLOT_FIXED) {
            self->task.buffers[b] = (char *)kas_buffer_host(binding->buffer) + binding->offset_bytes;
            continue;
        }
        self->bindings[self->bound].buffer = (uint8_t)b;
        self->bindings[self->bound].slot = binding->slot;
        self->bindings[self->bound++].offset_bytes = binding->offset_bytes;
    }
}

static kas_status init(kas_list *list)
{
    host_list *self = (host_list *)list;
    const kas_host_device *device = (const kas_host_device *)list->device;
    if (list->count != 1) return NULL;
    self->plan = device->isa->plans[list->launches->kernel];
    prepare(self, list->launches);
    return NULL;
}

static void finish(kas_list *list)
{
    (void)list;
}

const kas_list_ops kas_host_list_ops = {.size_bytes = sizeof(host_list), .init = init, .finish = finish};

/* In a few pieces where it takes long, with a look at the clock before each but the first. */
static bool run_until(const kas_host_task *task, int64_t deadline_ns)
{
    if (task->work < KAS_HOST_WORK_PER_LOOK) {
        task->run(task, 0, task->parts);
        return true;
    }
    double looks = task->work / KAS_HOST_WORK_PER_LOOK;
    size_t piece = task->parts / (looks < LOOKS_MAX ? (size_t)looks + 1 : LOOKS_MAX) + 1;
    for (size_t begin = 0; begin < task->parts; begin += piece) {
        if (begin > 0 && kas_monotonic_ns() >= deadline_ns) return false;
        size_t left = task->parts - begin;
        task->run(task, begin, begin + (left < piece ? left : piece));
    }
    return true;
}

bool kas_host_run_directly(kas_queue *queue, const kas_list *list, void *const *slots, uint32_t rows,
                           int64_t deadline_ns, kas_status *outcome)
{
    const host_list *self = (const host_list *)list;
    unsigned threads = kas_host_pool_threads(((const kas_host_device *)queue->device)->pool);
    if (!self->plan) return false;
    kas_host_task task;
    memcpy(&task, &self->task, offsetof(kas_host_task, run)); /* the plan fills in the rest */
    for (uint32_t i = 0; i < self->bound; ++i)
        task.buffers[self->bindings[i].buffer] =
            (char *)slots[self->bindings[i].slot] + self->bindings[i].offset_bytes;
    task.rows = rows;
    self->plan(&task, threads);
    if (threads > 1 && task.work >= 2 * KAS_HOST_WORK_PER_THREAD) return false;
    if (!run_until(&task, deadline_ns))
        *outcome = kas_fail(KAS_DEADLINE, KERNEL, "\"%s\": the deadline passed", list->label);
    return true;
}
