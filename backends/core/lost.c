/* Loss, and hangs that come before it. While work of a device is late nothing is given back to its driver,
 * which might wait for it; once the device is lost for that, nothing ever is. A device that is lost for
 * another reason is asked for nothing either, but by `finish` slots, which free what is the host's alone. */
#include "backends/core/lost.h"

#include <stdio.h>

/* Devices that are lost with work that may still run, so that what they keep is never out of reach: a leak is
 * told from it. */
static _Atomic(kas_device *) silent_devices;

bool kas_device_is_lost(const kas_device *device)
{
    return atomic_load_explicit(&device->lost, memory_order_acquire);
}

const char *kas_device_lost_reason(const kas_device *device)
{
    return kas_device_is_lost(device) ? device->lost_reason : "";
}

kas_status kas_device_check(kas_device *device)
{
    if (!kas_device_is_lost(device)) return NULL;
    return kas_fail(KAS_DEVICE_LOST, DEVICE, "device %s is lost: %s", device->info.id, device->lost_reason);
}

static void note_silent(kas_device *device)
{
    if (atomic_exchange(&device->silent, true)) return;
    device->next_silent = atomic_load(&silent_devices);
    while (!atomic_compare_exchange_weak(&silent_devices, &device->next_silent, device))
        ;
}

void kas_device_lose(kas_device *device, const char *reason, bool silent)
{
    if (silent) note_silent(device);
    pthread_mutex_lock(&device->loss_lock);
    if (!atomic_load(&device->lost)) { /* written once: whoever sees `lost` may read it without the lock */
        snprintf(device->lost_reason, sizeof device->lost_reason, "%s", reason);
        atomic_store_explicit(&device->lost, true, memory_order_release);
    }
    pthread_mutex_unlock(&device->loss_lock);
}

kas_status kas_device_outcome(kas_device *device, kas_status status)
{
    if (kas_status_code(status) == KAS_DEVICE_LOST)
        kas_device_lose(device, kas_status_message(status), false);
    return status;
}

/* ---- what is not freed ---- */

static void free_kept(kas_device *device)
{
    kas_kept *thing = atomic_exchange(&device->kept, NULL);
    for (kas_kept *next; thing; thing = next) {
        next = thing->next;
        thing->free(thing);
    }
}

bool kas_device_keeps(kas_device *device, kas_kept *thing, void (*free)(kas_kept *thing))
{
    if (atomic_load(&device->late_queues) == 0 && !atomic_load(&device->silent)) return false;
    thing->free = free;
    kas_device_retain(device); /* for the look below: the thing may be gone then, with its reference */
    thing->next = atomic_load(&device->kept);
    while (!atomic_compare_exchange_weak(&device->kept, &thing->next, thing))
        ;
    if (atomic_load(&device->late_queues) == 0 && !atomic_load(&device->silent)) /* it came back just then */
        free_kept(device);
    kas_device_release(device);
    return true;
}

void kas_device_late(kas_device *device)
{
    atomic_fetch_add(&device->late_queues, 1);
}

void kas_device_came_back(kas_device *device)
{
    if (atomic_fetch_sub(&device->late_queues, 1) == 1 && !atomic_load(&device->silent)) free_kept(device);
}
