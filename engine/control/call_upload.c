/* Uploads: the bytes are decoded, at the call's turn stored, and only then bound to their id. So an id whose
 * upload fails is as if it had never been asked for, and an id that is bound has its bytes. What is stored is
 * not listed before it is bound, so that nobody finds it; room in the catalog is held for it meanwhile, so
 * that nothing can fail any more once it is bound. */
#include <string.h>

#include "base/log.h"
#include "engine/control/call.h"
#include "engine/control/find.h"

/* ---- decoding ---- */

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

static kas_status decode(kas_call *call)
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

static void run_decode(kas_task *task)
{
    kas_call *call = kas_call_of_task(task);
    kas_call_prepared(call, decode(call));
}

/* ---- storing ---- */

/* The bytes before the record: a record says that they are there. */
static kas_status write_files(kas_call *call)
{
    kas_disk_tier *disk = call->engine->disk;
    KAS_TRY(kas_disk_tier_write(disk, &call->record->checksum, call->bytes, call->size_bytes));
    return kas_disk_tier_write_record(disk, call->record);
}

static void remove_files(const kas_call *call, bool last)
{
    kas_status status = kas_disk_tier_remove(call->engine->disk, call->record, last);
    if (status)
        kas_warning("cache", "artifact %s is not kept, but something of it stays on the disk: %s",
                    call->record->artifact_id, kas_status_message(status));
    kas_status_free(status);
}

/* Takes back what was stored, as far as neither this id, from before, nor another one needs it. */
static void discard(const kas_call *call)
{
    kas_engine *engine = call->engine;
    const kas_sha256 *checksum = &call->record->checksum;
    const kas_record *known = kas_catalog_find(engine->catalog, call->record->artifact_id);
    const bool shared = kas_catalog_has_other(engine->catalog, call->record);
    if (engine->disk && !(known && known->uploaded)) remove_files(call, !shared);
    if (!shared && !(known && kas_sha256_equal(&known->checksum, checksum)))
        kas_host_tier_remove(engine->host, checksum);
    kas_record_release(known);
    kas_catalog_give_room(engine->catalog);
}

/* Another call may have bound the id since it was decoded. */
static kas_status store(kas_call *call)
{
    kas_engine *engine = call->engine;
    KAS_TRY(check_unbound(call, &call->record->checksum));
    KAS_TRY(kas_catalog_hold_room(engine->catalog, call->record->artifact_id));
    kas_status status = engine->disk ? write_files(call) : NULL;
    if (!status) status = kas_host_tier_put(engine->host, call->decoded, !engine->disk);
    if (status) discard(call);
    return status;
}

static void run_store(kas_task *task)
{
    kas_call *call = kas_call_of_task(task);
    kas_call_prepared(call, store(call));
}

static void run_discard(kas_task *task)
{
    kas_call *call = kas_call_of_task(task);
    discard(call);
    kas_call_prepared(call, call->status);
}

/* ---- on the control thread ---- */

static void end(kas_call *call)
{
    kas_call_end_turn(call);
    kas_call_finish(call, call->status, &call->reply);
}

static bool handle_discarded(kas_message *message)
{
    kas_call *call = kas_call_of_message(message);
    kas_control_ended(call->engine);
    end(call);
    return true;
}

void kas_call_bound(kas_call *call, kas_status status)
{
    kas_catalog *catalog = call->engine->catalog;
    call->status = status;
    if (status) {
        kas_call_prepare(call, run_discard, handle_discarded);
        return;
    }
    const kas_record *known = kas_catalog_find(catalog, call->record->artifact_id);
    call->reply.created = !known;
    kas_record_release(known);
    kas_catalog_put_held(catalog, call->record);
    end(call);
}

static bool handle_stored(kas_message *message)
{
    kas_call *call = kas_call_of_message(message);
    kas_control_ended(call->engine);
    if (!call->status) return kas_call_apply(call);
    end(call);
    return true;
}

static void begin_store(kas_call *call)
{
    kas_call_prepare(call, run_store, handle_stored);
}

static bool handle_decoded(kas_message *message)
{
    kas_call *call = kas_call_of_message(message);
    kas_control_ended(call->engine);
    if (call->status)
        kas_call_finish(call, call->status, NULL);
    else
        kas_call_take_turn(call, begin_store);
    return true;
}

void kas_call_put_kernel(kas_call *call)
{
    kas_call_prepare(call, run_decode, handle_decoded);
}
