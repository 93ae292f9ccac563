/* Opened devices, what kind each is, and the choice of one. */
#include "engine/control/devices.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "engine/state/command.h"

enum { REASONS_MAX = 1024 };

/* ---- this machine's drivers ---- */

static kas_status list_drivers(void *self, kas_device_info *infos, size_t capacity, size_t *count)
{
    (void)self;
    *count = 0;
    for (size_t i = 0; i < kas_driver_count() && *count < capacity; ++i) {
        const kas_driver *driver = kas_driver_at(i);
        size_t found = 0, room = capacity - *count;
        kas_status status = kas_driver_list(driver, infos + *count, room, &found);
        if (status)
            kas_warning("device", "%s has no devices for now: %s", kas_driver_name(driver),
                        kas_status_message(status));
        *count += status ? 0 : found < room ? found : room;
        kas_status_free(status);
    }
    return NULL;
}

static kas_status open_of_driver(void *self, const char *id, kas_device **out)
{
    (void)self;
    return kas_device_open(id, out);
}

static const kas_device_source drivers = {.list = list_drivers, .open = open_of_driver};

/* ---- opened devices ---- */

kas_status kas_devices_init(kas_devices *devices, const char *automatic, const kas_device_source *source)
{
    *devices = (kas_devices){.source = source ? source : &drivers};
    if (automatic && strlen(automatic) >= sizeof devices->automatic)
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "%s: not the name of a device", automatic);
    if (automatic && strcmp(automatic, "auto") != 0)
        snprintf(devices->automatic, sizeof devices->automatic, "%s", automatic);
    pthread_mutex_init(&devices->opening, NULL);
    pthread_mutex_init(&devices->lock, NULL);
    return NULL;
}

static void give_up(kas_queue *queue)
{
    if (!kas_queue_idle(queue)) kas_queue_give_up(queue);
    kas_queue_destroy(queue);
}

/* Lock held. */
static void reap_stranded(kas_devices *devices)
{
    size_t kept = 0;
    for (size_t i = 0; i < devices->stranded_count; ++i) {
        stranded_queue *queue = &devices->stranded[i];
        if (kas_queue_idle(queue->queue) || kas_device_is_lost(queue->device))
            kas_queue_destroy(queue->queue);
        else
            devices->stranded[kept++] = *queue;
    }
    devices->stranded_count = kept;
}

bool kas_devices_reap(kas_devices *devices)
{
    pthread_mutex_lock(&devices->lock);
    reap_stranded(devices);
    bool waiting = devices->stranded_count > 0;
    pthread_mutex_unlock(&devices->lock);
    return waiting;
}

bool kas_devices_put_away(kas_devices *devices, kas_device *device, kas_queue *queue)
{
    bool idle = kas_queue_idle(queue), kept = false;
    if (!idle) {
        pthread_mutex_lock(&devices->lock);
        reap_stranded(devices);
        kept = devices->stranded_count < KAS_DEVICES_MAX;
        if (kept)
            devices->stranded[devices->stranded_count++] = (stranded_queue){.device = device, .queue = queue};
        pthread_mutex_unlock(&devices->lock);
    }
    if (!kept) give_up(queue);
    return idle;
}

void kas_devices_give_up(kas_devices *devices)
{
    pthread_mutex_lock(&devices->lock);
    for (size_t i = 0; i < devices->stranded_count; ++i)
        give_up(devices->stranded[i].queue);
    devices->stranded_count = 0;
    pthread_mutex_unlock(&devices->lock);
}

void kas_devices_finish(kas_devices *devices)
{
    kas_devices_give_up(devices);
    for (size_t i = 0; i < devices->count; ++i)
        kas_device_release(devices->opened[i]);
    pthread_mutex_destroy(&devices->lock);
    pthread_mutex_destroy(&devices->opening);
}

static kas_device *find(const kas_devices *devices, const char *id) /* lock held */
{
    for (size_t i = 0; i < devices->count; ++i)
        if (!strcmp(kas_device_id(devices->opened[i]), id)) return devices->opened[i];
    return NULL;
}

/* The one that is known by this device's id, which becomes it when there is none; NULL: there are too many.
 */
static kas_device *enter(kas_devices *devices, kas_device *device)
{
    pthread_mutex_lock(&devices->lock);
    kas_device *known = find(devices, kas_device_id(device)); /* opened under another of its names */
    if (!known && devices->count < KAS_DEVICES_MAX) devices->opened[devices->count++] = known = device;
    pthread_mutex_unlock(&devices->lock);
    return known;
}

static kas_status open_new(kas_devices *devices, const char *id, kas_device **out) /* `opening` held */
{
    kas_device *device;
    KAS_TRY(devices->source->open(devices->source->self, id, &device));
    *out = enter(devices, device);
    if (*out != device) kas_device_release(device);
    if (*out) return NULL;
    return kas_fail(KAS_NO_ROOM, CALLER, "%d devices are open, which is the limit", KAS_DEVICES_MAX);
}

static kas_status open_named(kas_devices *devices, const char *id, kas_device **out)
{
    *out = kas_devices_find(devices, id);
    if (*out) return NULL;
    pthread_mutex_lock(&devices->opening);
    *out = kas_devices_find(devices, id);
    kas_status status = *out ? NULL : open_new(devices, id, out);
    pthread_mutex_unlock(&devices->opening);
    return status;
}

size_t kas_devices_list(kas_devices *devices, kas_device_info *infos, size_t capacity)
{
    size_t count = 0;
    kas_status status = devices->source->list(devices->source->self, infos, capacity, &count);
    if (!status) return count < capacity ? count : capacity;
    kas_warning("device", "listing devices: %s", kas_status_message(status));
    kas_status_free(status);
    return 0;
}

/* ---- choosing ---- */

/* NULL: it is taken; else why it is not. */
static kas_status try_listed(kas_devices *devices, const char *id, kas_take_fn take, void *user,
                             kas_device **out)
{
    kas_device_info info;
    KAS_TRY(open_named(devices, id, out));
    kas_device_get_info(*out, &info);
    if (info.state != KAS_DEVICE_READY)
        return kas_fail(KAS_DEVICE_LOST, DEVICE, "it is lost: %s", kas_device_lost_reason(*out));
    return take ? take(user, *out, info.memory_free_bytes) : NULL;
}

static bool is_candidate(const kas_device_info *listed)
{
    return listed->state == KAS_DEVICE_READY && !listed->software;
}

static bool host_memory_is_out(kas_status status)
{
    return kas_status_code(status) == KAS_OUT_OF_MEMORY && kas_status_blame(status) != KAS_BLAME_DEVICE;
}

/* Success without *out: none was taken, for these reasons. */
static kas_status choose_listed(kas_devices *devices, kas_take_fn take, void *user, kas_text *reasons,
                                kas_device **out)
{
    kas_device_info infos[KAS_DEVICES_MAX];
    size_t count = kas_devices_list(devices, infos, KAS_DEVICES_MAX);
    for (size_t i = 0; i < count; ++i) {
        if (!is_candidate(&infos[i])) continue;
        kas_status status = try_listed(devices, infos[i].id, take, user, out);
        if (!status || host_memory_is_out(status)) return status;
        kas_text_printf(reasons, " %s: %s;", infos[i].id, kas_status_message(status));
        kas_status_free(status);
        *out = NULL;
    }
    return NULL;
}

static kas_status choose(kas_devices *devices, kas_take_fn take, void *user, kas_device **out)
{
    kas_text reasons;
    kas_text_init(&reasons, REASONS_MAX);
    *out = NULL;
    kas_status status = choose_listed(devices, take, user, &reasons, out);
    if (!status && !*out)
        status = kas_fail(KAS_NO_ROOM, CALLER, "no device has room:%s",
                          reasons.bytes ? reasons.bytes : " there is none that \"auto\" may take");
    kas_text_finish(&reasons);
    return status;
}

kas_status kas_devices_choose(kas_devices *devices, const char *id, kas_take_fn take, void *user,
                              kas_device **out)
{
    bool automatic = !id || !*id || !strcmp(id, "auto");
    if (automatic && !devices->automatic[0]) return choose(devices, take, user, out);
    KAS_TRY(open_named(devices, automatic ? devices->automatic : id, out));
    return take ? take(user, *out, UINT64_MAX) : NULL;
}

kas_status kas_devices_open(kas_devices *devices, const char *id, kas_device **out)
{
    return kas_devices_choose(devices, id, NULL, NULL, out);
}

/* ---- looking ---- */

kas_device *kas_devices_find(kas_devices *devices, const char *id)
{
    pthread_mutex_lock(&devices->lock);
    kas_device *device = find(devices, id);
    pthread_mutex_unlock(&devices->lock);
    return device;
}

const kas_device *kas_devices_find_lost(kas_devices *devices)
{
    const kas_device *lost = NULL;
    pthread_mutex_lock(&devices->lock);
    for (size_t i = 0; i < devices->count && !lost; ++i)
        if (!devices->told[i] && kas_device_is_lost(devices->opened[i])) lost = devices->opened[i];
    pthread_mutex_unlock(&devices->lock);
    return lost;
}

void kas_devices_set_told(kas_devices *devices, const kas_device *device)
{
    pthread_mutex_lock(&devices->lock);
    for (size_t i = 0; i < devices->count; ++i)
        devices->told[i] |= devices->opened[i] == device;
    pthread_mutex_unlock(&devices->lock);
}

size_t kas_devices_list_lost(kas_devices *devices, char ids[KAS_DEVICES_MAX][KAS_DEVICE_ID_SIZE])
{
    size_t count = 0;
    pthread_mutex_lock(&devices->lock);
    for (size_t i = 0; i < devices->count; ++i) {
        kas_device_info info;
        kas_device_get_info(devices->opened[i], &info);
        if (info.state == KAS_DEVICE_IS_LOST) memcpy(ids[count++], info.id, KAS_DEVICE_ID_SIZE);
    }
    pthread_mutex_unlock(&devices->lock);
    return count;
}

uint32_t kas_device_kind_bit(kas_device *device)
{
    kas_device_info info;
    kas_device_get_info(device, &info);
    return kas_kind_of_device(info.kind);
}
