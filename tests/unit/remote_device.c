#include "tests/unit/remote_device.h"

#include <criterion/criterion.h>
#include <stdatomic.h>
#include <stdio.h>

#include "backends/host/driver.h"
#include "backends/host/host.h"
#include "base/alloc.h"
#include "base/clock.h"

static atomic_uint waits_left, completed_before; /* of the hang to come */
static _Atomic(kas_queue *) hung;

void remote_device_hang(uint32_t nth, uint32_t completed)
{
    atomic_store(&completed_before, completed);
    atomic_store(&waits_left, nth);
}

/* What hung runs to its end now, late. */
void remote_device_recover(void)
{
    kas_queue *queue = atomic_load(&hung);
    kas_progress progress = {0};
    cr_assert_not_null(queue, "nothing hangs");
    cr_assert_null(kas_host_queue_ops.wait(queue, KAS_NEVER, &progress));
    atomic_store(&hung, NULL);
}

static kas_status wait_or_hang(kas_queue *queue, int64_t deadline_ns, kas_progress *progress)
{
    (void)deadline_ns; /* what does not hang is in time */
    uint32_t left = atomic_load(&waits_left);
    while (left > 0 && !atomic_compare_exchange_weak(&waits_left, &left, left - 1))
        ;
    if (left != 1) return kas_host_queue_ops.wait(queue, KAS_NEVER, progress);
    atomic_store(&hung, queue);
    progress->completed = atomic_load(&completed_before);
    return kas_fail(KAS_DEADLINE, DEVICE, "remote:0 hangs");
}

static bool is_idle(kas_queue *queue)
{
    return atomic_load(&hung) != queue;
}

static kas_status init(kas_device *device, uint32_t index)
{
    cr_assert_null(kas_host_driver.device->init(device, index));
    snprintf(device->info.id, sizeof device->info.id, "remote:0");
    device->limits.host_pointers = false;
    device->limits.immediate = false;
    return NULL;
}

kas_device *remote_device_open(void)
{
    static kas_device_ops ops;
    static kas_queue_ops queue;
    queue = kas_host_queue_ops;
    queue.wait = wait_or_hang;
    queue.idle = is_idle;
    queue.run = NULL;
    ops = *kas_host_driver.device;
    ops.queue = &queue;
    ops.init = init;
    kas_device *device = kas_calloc(1, ops.size_bytes);
    cr_assert_not_null(device);
    device->ops = &ops;
    device->references = 1;
    pthread_mutex_init(&device->lock, NULL);
    cr_assert_null(ops.init(device, 0));
    return device;
}
