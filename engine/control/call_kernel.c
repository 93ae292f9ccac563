/* Calls about artifacts that are known: preload, evict. */
#include <string.h>

#include "engine/control/call.h"

/* The end of a preparation that is followed by its command. */
static bool handle_prepared(kas_message *message)
{
    kas_call *call = kas_call_of_message(message);
    kas_control_ended(call->engine);
    if (!call->status) return kas_call_apply(call);
    kas_call_finish(call, call->status, NULL);
    return true;
}

/* ---- preload: the device may have to be opened, which is slow ---- */

static kas_status open_device(kas_call *call)
{
    kas_device *device;
    KAS_TRY(kas_devices_open(&call->engine->devices, call->device, &device));
    memcpy(call->command.preload.device, kas_device_id(device), strlen(kas_device_id(device)) + 1);
    call->command.preload.device_kind = kas_device_kind_bit(device);
    return NULL;
}

static void run_preload(kas_task *task)
{
    kas_call *call = kas_call_of_task(task);
    kas_call_prepared(call, open_device(call));
}

void kas_call_preload(kas_call *call)
{
    kas_call_prepare(call, run_preload, handle_prepared);
}

/* ---- evict: from every tier below the device's, which the state has done; at its turn ---- */

/* The disk first: where it does not let go, the artifact is still there, for another try too. */
static kas_status evict(kas_engine *engine, const kas_record *record)
{
    bool last = !kas_catalog_has_other(engine->catalog, record);
    if (engine->disk && record->uploaded) KAS_TRY(kas_disk_tier_remove(engine->disk, record, last));
    kas_catalog_remove(engine->catalog, record->artifact_id);
    if (last) kas_host_tier_remove(engine->host, &record->checksum);
    return NULL;
}

static kas_status evict_known(kas_engine *engine, const char *artifact_id)
{
    const kas_record *record = kas_catalog_find(engine->catalog, artifact_id);
    kas_status status = record ? evict(engine, record) : NULL;
    kas_record_release(record);
    return status;
}

static void run_evict(kas_task *task)
{
    kas_call *call = kas_call_of_task(task);
    kas_call_prepared(call, evict_known(call->engine, call->command.artifact_id));
}

static bool handle_evicted(kas_message *message)
{
    kas_call *call = kas_call_of_message(message);
    kas_control_ended(call->engine);
    kas_call_end_turn(call);
    kas_call_finish(call, call->status, &call->reply);
    return true;
}

static void begin_evict(kas_call *call)
{
    kas_call_prepare(call, run_evict, handle_evicted);
}

void kas_call_evict_kernel(kas_call *call)
{
    kas_call_take_turn(call, begin_evict);
}
