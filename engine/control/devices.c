/* Opened devices, and what kind each is. */
#include "engine/control/devices.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "engine/state/command.h"

kas_status kas_devices_init(kas_devices *devices, const char *automatic)
{
    *devices = (kas_devices){0};
    if (automatic && strlen(automatic) >= sizeof devices->automatic)
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "%s: not the name of a device", automatic);
    snprintf(devices->automatic, sizeof devices->automatic, "%s", automatic ? automatic : "auto");
    pthread_mutex_init(&devices->lock, NULL);
    return NULL;
}

/* Destroys those that have come back; lock held. */
static void reap_stranded(kas_devices *devices)
{
    size_t kept = 0;
    for (size_t i = 0; i < devices->stranded_count; ++i) {
        if (kas_queue_idle(devices->stranded[i]))
            kas_queue_destroy(devices->stranded[i]);
        else
            devices->stranded[kept++] = devices->stranded[i];
    }
    devices->stranded_count = kept;
}

void kas_devices_put_away(kas_devices *devices, kas_queue *queue)
{
    if (kas_queue_idle(queue)) {
        kas_queue_destroy(queue);
        return;
    }
    pthread_mutex_lock(&devices->lock);
    reap_stranded(devices);
    bool kept = devices->stranded_count < KAS_DEVICES_MAX;
    if (kept) devices->stranded[devices->stranded_count++] = queue;
    pthread_mutex_unlock(&devices->lock);
    if (!kept) kas_error("device", "a queue that its device has not come back from is given up");
}

void kas_devices_finish(kas_devices *devices)
{
    reap_stranded(devices);
    for (size_t i = 0; i < devices->count; ++i)
        kas_device_release(devices->opened[i]);
    pthread_mutex_destroy(&devices->lock);
}

static kas_device *find(const kas_devices *devices, const char *id) /* lock held */
{
    for (size_t i = 0; i < devices->count; ++i)
        if (!strcmp(kas_device_id(devices->opened[i]), id)) return devices->opened[i];
    return NULL;
}

static kas_status open_new(kas_devices *devices, const char *id, kas_device **out) /* lock held */
{
    kas_device *device;
    KAS_TRY(kas_device_open(id, &device));
    kas_device *known = find(devices, kas_device_id(device)); /* "auto" may name one that is open already */
    if (known || devices->count == KAS_DEVICES_MAX) {
        kas_device_release(device);
        if (!known)
            return kas_fail(KAS_NO_ROOM, CALLER, "%d devices are open, which is the limit", KAS_DEVICES_MAX);
        *out = known;
        return NULL;
    }
    devices->opened[devices->count++] = device;
    *out = device;
    return NULL;
}

kas_status kas_devices_open(kas_devices *devices, const char *id, kas_device **out)
{
    if (!id || !*id || !strcmp(id, "auto")) id = devices->automatic;
    kas_status status = NULL;
    pthread_mutex_lock(&devices->lock);
    *out = find(devices, id);
    if (!*out) status = open_new(devices, id, out);
    pthread_mutex_unlock(&devices->lock);
    return status;
}

kas_device *kas_devices_find(kas_devices *devices, const char *id)
{
    pthread_mutex_lock(&devices->lock);
    kas_device *device = find(devices, id);
    pthread_mutex_unlock(&devices->lock);
    return device;
}

bool kas_devices_any_lost(kas_devices *devices, char id[KAS_DEVICE_ID_SIZE])
{
    bool lost = false;
    pthread_mutex_lock(&devices->lock);
    for (size_t i = 0; i < devices->count && !lost; ++i) {
        kas_device_info info;
        kas_device_get_info(devices->opened[i], &info);
        lost = info.state == KAS_DEVICE_IS_LOST;
        if (lost) memcpy(id, info.id, KAS_DEVICE_ID_SIZE);
    }
    pthread_mutex_unlock(&devices->lock);
    return lost;
}

uint32_t kas_device_kind_bit(kas_device *device)
{
    static const struct {
        const char *name;
        uint32_t bit;
    } kinds[] = {{"cpu", KAS_KIND_CPU},
                 {"cuda", KAS_KIND_CUDA},
                 {"opencl", KAS_KIND_OPENCL},
                 {"vulkan", KAS_KIND_VULKAN}};
    kas_device_info info;
    kas_device_get_info(device, &info);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; ++i)
        if (!strcmp(kinds[i].name, info.kind)) return kinds[i].bit;
    return KAS_KIND_UNKNOWN;
}
