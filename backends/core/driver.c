/* Which devices there are, and the one object that stands for each opened one. */
#include <string.h>

#include "backends/core/backend.h"
#include "backends/core/choose.h"
#include "backends/core/lost.h"
#include "base/alloc.h"

/* Guards the list of opened devices, the first and the last reference of each, and opening and closing as
 * such: which take a driver seconds, so nothing else waits for it. */
static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static kas_device *opened;

static _Atomic uint32_t threads_wanted;

void kas_device_use_threads(uint32_t threads)
{
    atomic_store(&threads_wanted, threads);
}

uint32_t kas_threads_wanted(void)
{
    return atomic_load(&threads_wanted);
}

size_t kas_driver_count(void)
{
    return kas_driver_total;
}

const kas_driver *kas_driver_at(size_t index)
{
    return index < kas_driver_total ? kas_drivers[index] : NULL;
}

const char *kas_driver_name(const kas_driver *driver)
{
    return driver->name;
}

kas_status kas_driver_list(const kas_driver *driver, kas_device_info *infos, size_t capacity, size_t *count)
{
    *count = 0;
    return kas_annotate(driver->list(infos, capacity, count), "listing %s devices", driver->name);
}

static kas_device *find_opened(const kas_driver *driver, uint32_t index)
{
    for (kas_device *device = opened; device; device = device->next) {
        bool lost = atomic_load(
            &device->lost); /* a lost one is not given out again: opening is how one starts anew */
        if (device->ops == driver->device && device->index == index && !lost) return device;
    }
    return NULL;
}

static kas_status open_new(const kas_driver *driver, uint32_t index, kas_device **out)
{
    kas_device *device = kas_calloc(1, driver->device->size_bytes);
    if (!device) return kas_out_of_memory();
    device->ops = driver->device;
    device->index = index;
    atomic_init(&device->references, 1);
    pthread_mutex_init(&device->lock, NULL);
    pthread_mutex_init(&device->loss_lock, NULL);
    kas_status status = driver->device->init(device, index);
    if (status) {
        pthread_mutex_destroy(&device->loss_lock);
        pthread_mutex_destroy(&device->lock);
        kas_free(device);
        return status;
    }
    device->next = opened;
    opened = device;
    *out = device;
    return NULL;
}

kas_status kas_device_open(const char *id, kas_device **out)
{
    *out = NULL;
    kas_choice choice;
    KAS_TRY(kas_choose(id, &choice));
    pthread_mutex_lock(&registry_lock);
    kas_status status = NULL;
    kas_device *device = find_opened(choice.driver, choice.index);
    if (device)
        kas_device_retain(device);
    else
        status = open_new(choice.driver, choice.index, &device);
    pthread_mutex_unlock(&registry_lock);
    if (kas_status_code(status) == KAS_NOT_FOUND) {
        kas_status_free(status);
        return kas_no_such_device(id);
    }
    if (!status) *out = device;
    return status;
}

kas_device *kas_device_retain(kas_device *device)
{
    atomic_fetch_add_explicit(&device->references, 1, memory_order_relaxed);
    return device;
}

static void close_device(kas_device *device)
{
    for (kas_device **link = &opened; *link; link = &(*link)->next) {
        if (*link != device) continue;
        *link = device->next;
        break;
    }
    for (size_t i = 0; i < KAS_KERNEL_COUNT; ++i) {
        kas_program *program = atomic_load(&device->programs[i]);
        if (program) device->ops->program->finish(program);
        kas_free(program);
    }
    device->ops->finish(device);
    pthread_mutex_destroy(&device->loss_lock);
    pthread_mutex_destroy(&device->lock);
    kas_free(device);
}

/* Gives up a reference that is not the last one. */
static bool drop_shared(kas_device *device)
{
    size_t references = atomic_load_explicit(&device->references, memory_order_relaxed);
    while (references > 1)
        if (atomic_compare_exchange_weak_explicit(&device->references, &references, references - 1,
                                                  memory_order_release, memory_order_relaxed))
            return true;
    return false;
}

void kas_device_release(kas_device *device)
{
    if (!device || drop_shared(device)) return;
    pthread_mutex_lock(&registry_lock);
    if (atomic_fetch_sub_explicit(&device->references, 1, memory_order_acq_rel) == 1) close_device(device);
    pthread_mutex_unlock(&registry_lock);
}
