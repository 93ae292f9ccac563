/* The shortest way of a list to the processor: one launch, on the calling thread alone, straight over its
 * caller's memory. What is worth a helper, and lists of several launches, go through the queue. */
#include "backends/host/host.h"
#include "base/clock.h"

#define WORK_WORTH_HELPERS 1.2e6 /* multiply-adds; as in pool.c */
#define WORK_WORTH_A_LOOK  5e6   /* at the clock */
enum { LOOKS_MAX = 8 };          /* and no more than these, however long it takes */

static char *fixed(const kas_binding *binding)
{
    return (char *)kas_host_buffer_memory(binding->buffer);
}

static void plan(kas_host_task *task, const kas_host_device *device, const kas_launch *launch,
                 void *const *slots, uint32_t rows)
{
    const kas_kernel_info *info = kas_kernel_get_info(launch->kernel);
    for (uint32_t b = 0; b < info->buffers; ++b) {
        const kas_binding *binding = &launch->bindings[b];
        char *base = binding->slot == KAS_SLOT_FIXED ? fixed(binding) : slots[binding->slot];
        task->buffers[b] = base + binding->offset_bytes;
    }
    task->args = launch->args;
    task->rows = rows;
    device->isa->plans[launch->kernel](task, kas_host_pool_threads(device->pool));
}

/* In a few pieces where it takes long, with a look at the clock before each but the first. */
static bool run_until(const kas_host_task *task, int64_t deadline_ns)
{
    size_t looks = (size_t)(task->work / WORK_WORTH_A_LOOK);
    if (looks > LOOKS_MAX) looks = LOOKS_MAX;
    size_t piece = looks ? task->parts / (looks + 1) + 1 : task->parts;
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
    const kas_host_device *device = (const kas_host_device *)queue->device;
    const kas_launch *launch = list->launches;
    if (list->count != 1 || !device->isa->plans[launch->kernel]) return false;
    kas_host_task task = {0};
    plan(&task, device, launch, slots, rows);
    if (task.work >= WORK_WORTH_HELPERS && kas_host_pool_threads(device->pool) > 1) return false;
    if (!run_until(&task, deadline_ns))
        *outcome = kas_fail(KAS_DEADLINE, KERNEL, "\"%s\": the deadline passed", list->label);
    return true;
}
