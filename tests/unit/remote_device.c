#include "tests/unit/remote_device.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/core/lost.h"
#include "backends/host/driver.h"
#include "backends/host/host.h"
#include "base/alloc.h"
#include "base/clock.h"

enum { HUNG_MAX = 256 };

static atomic_uint waits_left, completed_before; /* of the hang to come */
static atomic_bool hangs_for_good, freeing_forbidden;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards what hangs */
static kas_queue *hung[HUNG_MAX];
static uint32_t hung_count;
static atomic_size_t room = SIZE_MAX;
static atomic_bool fast_is_there;
static atomic_uint fast_starts;

static void need(bool condition, const char *what)
{
    if (condition) return;
    fprintf(stderr, "the remote device: %s\n", what);
    abort();
}

void remote_device_hang(uint32_t nth, uint32_t completed)
{
    atomic_store(&completed_before, completed);
    atomic_store(&waits_left, nth);
}

void remote_device_hang_for_good(void)
{
    atomic_store(&completed_before, 0);
    atomic_store(&hangs_for_good, true);
}

void remote_device_recover(void)
{
    pthread_mutex_lock(&lock);
    need(hung_count > 0, "nothing hangs");
    for (uint32_t i = 0; i < hung_count; ++i) {
        kas_progress progress = {0};
        need(!kas_host_queue_ops.wait(hung[i], KAS_NEVER, &progress), "what hung fails");
    }
    hung_count = 0;
    atomic_store(&hangs_for_good, false);
    pthread_mutex_unlock(&lock);
}

void remote_device_forbid_freeing(bool forbidden)
{
    atomic_store(&freeing_forbidden, forbidden);
}

static bool begins_to_hang(void)
{
    if (atomic_load(&hangs_for_good)) return true;
    uint32_t left = atomic_load(&waits_left);
    while (left > 0 && !atomic_compare_exchange_weak(&waits_left, &left, left - 1))
        ;
    return left == 1;
}

static kas_status wait_or_hang(kas_queue *queue, int64_t deadline_ns, kas_progress *progress)
{
    (void)deadline_ns; /* what does not hang is in time */
    if (!begins_to_hang()) return kas_host_queue_ops.wait(queue, KAS_NEVER, progress);
    pthread_mutex_lock(&lock);
    need(hung_count < HUNG_MAX, "too much hangs");
    hung[hung_count++] = queue;
    pthread_mutex_unlock(&lock);
    progress->completed = atomic_load(&completed_before);
    memset(progress->elapsed_ns, 0, sizeof progress->elapsed_ns); /* not known */
    return kas_fail(KAS_DEADLINE, DEVICE, "remote:0 hangs");
}

static bool is_idle(kas_queue *queue)
{
    bool idle = true;
    pthread_mutex_lock(&lock);
    for (uint32_t i = 0; i < hung_count; ++i)
        idle &= hung[i] != queue;
    pthread_mutex_unlock(&lock);
    return idle;
}

static void finish_queue(kas_queue *queue)
{
    need(!atomic_load(&freeing_forbidden), "a queue of it is destroyed while it hangs");
    kas_host_queue_ops.finish(queue);
}

static void finish_buffer(kas_buffer *buffer)
{
    need(!atomic_load(&freeing_forbidden), "memory of it is freed while it hangs");
    kas_host_buffer_ops.finish(buffer);
}

void remote_device_set_room(size_t bytes)
{
    atomic_store(&room, bytes);
}

static size_t memory_free(kas_device *device)
{
    size_t all = atomic_load(&room), used = atomic_load(&device->used_bytes);
    return all > used ? all - used : 0;
}

static kas_status init_buffer(kas_buffer *buffer)
{
    if (buffer->size_bytes > memory_free(buffer->device))
        return kas_fail(KAS_OUT_OF_MEMORY, DEVICE, "%s has no %zu bytes left", kas_device_id(buffer->device),
                        buffer->size_bytes);
    return kas_host_buffer_ops.init(buffer);
}

void remote_device_lose(kas_device *device)
{
    kas_status_free(kas_device_outcome(device, kas_fail(KAS_DEVICE_LOST, DEVICE, "it fell off its bus")));
}

void remote_device_say_fast(kas_device *device, uint64_t acts, bool there)
{
    device->limits.fast_acts[KAS_WEIGHT_F32] = acts;
    atomic_store(&fast_is_there, there);
    atomic_store(&fast_starts, 0);
}

unsigned remote_device_fast_starts(void)
{
    return atomic_load(&fast_starts);
}

static uint32_t start_fast_product(kas_device *device, char name[KAS_DEVICE_FAST_SIZE])
{
    char thread[16] = "";
    (void)device;
    (void)pthread_getname_np(pthread_self(), thread, sizeof thread);
    need(strcmp(thread, "kas-control") != 0, "the control thread waits for a fast product");
    atomic_fetch_add(&fast_starts, 1);
    if (!atomic_load(&fast_is_there)) return 0;
    snprintf(name, KAS_DEVICE_FAST_SIZE, "the host's own");
    return 1u << KAS_WEIGHT_F32;
}

static kas_status init(kas_device *device, uint32_t index)
{
    KAS_TRY(kas_host_driver.device->init(device, index));
    device->limits.host_pointers = false;
    device->limits.immediate = false;
    return NULL;
}

kas_device *remote_device_open(void)
{
    kas_device *device = NULL;
    need(!remote_device_open_as("remote:0", &device), "it cannot be opened");
    return device;
}

static kas_status open_with(const kas_device_ops *ops, const char *id, kas_device **out)
{
    kas_device *device = kas_calloc(1, ops->size_bytes);
    if (!device) return kas_out_of_memory();
    device->ops = ops;
    device->references = 1;
    pthread_mutex_init(&device->lock, NULL);
    pthread_mutex_init(&device->loss_lock, NULL);
    kas_status status = ops->init(device, 0);
    if (status) {
        pthread_mutex_destroy(&device->loss_lock);
        pthread_mutex_destroy(&device->lock);
        kas_free(device);
        return status;
    }
    snprintf(device->info.id, sizeof device->info.id, "%s", id);
    *out = device;
    return NULL;
}

kas_status remote_device_open_as(const char *id, kas_device **out)
{
    static kas_device_ops ops;
    static kas_queue_ops queue;
    static kas_buffer_ops buffer;
    buffer = kas_host_buffer_ops;
    buffer.init = init_buffer;
    buffer.finish = finish_buffer;
    queue = kas_host_queue_ops;
    queue.wait = wait_or_hang;
    queue.idle = is_idle;
    queue.finish = finish_queue;
    queue.run = NULL;
    ops = *kas_host_driver.device;
    ops.queue = &queue;
    ops.buffer = &buffer;
    ops.memory_free = memory_free;
    ops.start_fast_product = start_fast_product;
    ops.init = init;
    return open_with(&ops, id, out);
}
