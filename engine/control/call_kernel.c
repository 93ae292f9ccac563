/* Calls about artifacts: preload, put, evict. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "engine/control/call.h"
#include "engine/control/find.h"

/* The end of a preparation that is followed by its command. */
static bool handle_prepared(kas_message *message)
{
    kas_call *call = kas_call_of_message(message);
    kas_control_ended(call->engine);
    if (!call->status) return kas_call_apply(call);
    kas_call_finish(call, call->status, NULL);
    return true;
}

/* The end of what is done after the state has agreed. */
static bool handle_finished(kas_message *message)
{
    kas_call *call = kas_call_of_message(message);
    kas_control_ended(call->engine);
    kas_call_finish(call, call->status, &call->reply);
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

/* ---- put: decode the bytes, bind the id, and keep them ---- */

static kas_status check_unbound(kas_call *call, const kas_sha256 *checksum)
{
    kas_sha256 bound;
    pthread_rwlock_rdlock(&call->engine->state_lock);
    bool is_bound = kas_state_binding(call->engine->state, call->command.artifact_id, &bound);
    pthread_rwlock_unlock(&call->engine->state_lock);
    if (!is_bound || kas_sha256_equal(&bound, checksum)) return NULL;
    char hex[KAS_SHA256_HEX_SIZE];
    kas_sha256_hex(&bound, hex);
    return kas_fail(
        KAS_CONFLICT, CALLER,
        "artifact %s is bound to other bytes for good (SHA-256 %s); give the new artifact another id",
        call->command.artifact_id, hex);
}

static kas_status decode_put(kas_call *call)
{
    kas_engine *engine = call->engine;
    kas_artifact artifact = {0};
    KAS_TRY(kas_artifact_decode(call->bytes, call->size_bytes, NULL, &engine->limits, &artifact));
    kas_status status = kas_decoded_create(&artifact, &call->decoded);
    if (status) {
        kas_artifact_finish(&artifact);
        return status;
    }
    const kas_artifact *decoded = kas_decoded_artifact(call->decoded);
    KAS_TRY(kas_find_derive(engine, call->command.artifact_id, decoded, true, &call->record));
    KAS_TRY(check_unbound(call, &decoded->checksum));
    call->command.bind.checksum = decoded->checksum;
    return NULL;
}

static void run_put(kas_task *task)
{
    kas_call *call = kas_call_of_task(task);
    kas_call_prepared(call, decode_put(call));
}

void kas_call_put_kernel(kas_call *call)
{
    kas_call_prepare(call, run_put, handle_prepared);
}

/* Where the record is not written, nobody would ever ask for its bytes. It may be there all the same: then it
 * goes first. */
static void drop_unrecorded(kas_engine *engine, const kas_record *record)
{
    const kas_record *known = kas_catalog_find(engine->catalog, record->artifact_id);
    bool needed = (known && known->uploaded) || kas_catalog_has_other(engine->catalog, record);
    kas_record_release(known);
    kas_status status = needed ? NULL : kas_disk_tier_remove(engine->disk, record, true);
    if (status) kas_warning("cache", "%s; the next start removes it", kas_status_message(status));
    kas_status_free(status);
}

/* The bytes before the record: a record says that they are there. */
static kas_status write_put(kas_call *call)
{
    kas_disk_tier *disk = call->engine->disk;
    KAS_TRY(kas_disk_tier_write(disk, &call->record->checksum, call->bytes, call->size_bytes));
    kas_status status = kas_disk_tier_write_record(disk, call->record);
    if (status) drop_unrecorded(call->engine, call->record);
    return status;
}

static kas_status keep_put(kas_call *call)
{
    kas_engine *engine = call->engine;
    if (engine->disk) KAS_TRY(write_put(call));
    KAS_TRY(kas_host_tier_put(engine->host, call->decoded, !engine->disk));
    const kas_record *known = kas_catalog_find(engine->catalog, call->record->artifact_id);
    call->reply.created = !known;
    kas_record_release(known);
    return kas_catalog_put(engine->catalog, call->record);
}

static void run_keep(kas_task *task)
{
    kas_call *call = kas_call_of_task(task);
    pthread_mutex_lock(&call->engine->uploads_lock);
    kas_status status = keep_put(call);
    pthread_mutex_unlock(&call->engine->uploads_lock);
    kas_call_prepared(call, status);
}

void kas_call_keep_kernel(kas_call *call)
{
    kas_call_prepare(call, run_keep, handle_finished);
}

/* ---- evict: from every tier below the device's, which the state has done ---- */

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
    pthread_mutex_lock(&call->engine->uploads_lock);
    kas_status status = evict_known(call->engine, call->command.artifact_id);
    pthread_mutex_unlock(&call->engine->uploads_lock);
    kas_call_prepared(call, status);
}

void kas_call_evict_kernel(kas_call *call)
{
    kas_call_prepare(call, run_evict, handle_finished);
}
