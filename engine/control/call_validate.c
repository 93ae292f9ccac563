/* Validation: decode, check, report, keep nothing. What is wrong with an artifact is the answer, not a
 * failure. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/control/call.h"
#include "engine/control/find.h"

static void add_reason(kas_validation *out, kas_status refusal)
{
    if (out->reason_count < KAS_REASONS_MAX)
        snprintf(out->reasons[out->reason_count++], KAS_DETAIL_SIZE, "%s", kas_status_message(refusal));
    kas_status_free(refusal);
}

/* Whether the failure says something about the artifact, so that it belongs into the report. */
static bool is_refusal(kas_status status)
{
    kas_code code = kas_status_code(status);
    return code == KAS_INVALID_ARTIFACT || code == KAS_MALFORMED || code == KAS_TOO_LARGE ||
           code == KAS_UNSUPPORTED || code == KAS_INCOMPATIBLE_KERNEL || code == KAS_CONFLICT;
}

static kas_status describe(const kas_found *found, kas_validation *out)
{
    const kas_artifact *artifact = kas_decoded_artifact(found->decoded);
    out->valid = true;
    snprintf(out->format, sizeof out->format, "%s", kas_format_name(artifact->format));
    for (size_t i = 0; i < artifact->operator_count && i < KAS_OPERATORS_MAX; ++i)
        snprintf(out->operators[out->operator_count++], sizeof out->operators[0], "%s",
                 artifact->operators[i]);
    return kas_metadata_text(&found->record->metadata, &out->metadata_json);
}

/* ---- with a layer ---- */

static kas_status check_state(kas_engine *engine, const char *layer, const kas_kernel_facts *facts,
                              kas_layer_info *info, kas_status *refusal)
{
    pthread_rwlock_rdlock(&engine->state_lock);
    kas_status status = kas_state_layer_info(engine->state, layer, info);
    *refusal = status ? NULL : kas_state_compatible(engine->state, layer, facts, 0);
    pthread_rwlock_unlock(&engine->state_lock);
    return status;
}

/* The device's word: whether it has every operator. */
static kas_status check_device(kas_engine *engine, const kas_layer_info *layer, const kas_found *found)
{
    kas_device *device;
    kas_segment_plan *plan;
    KAS_TRY(kas_devices_open(&engine->devices, layer->device, &device));
    KAS_TRY(
        kas_segment_plan_create(device, kas_decoded_artifact(found->decoded)->graph, KAS_ROWS_MAX, &plan));
    kas_segment_plan_destroy(plan);
    return NULL;
}

static kas_status compare(kas_call *call, const kas_found *found)
{
    kas_kernel_facts facts;
    kas_layer_info layer;
    kas_status refusal;
    kas_find_facts(&found->record->metadata, &facts);
    KAS_TRY(check_state(call->engine, call->command.layer, &facts, &layer, &refusal));
    if (!refusal) refusal = check_device(call->engine, &layer, found);
    call->validation->has_compatible = true;
    call->validation->compatible = !refusal;
    if (!refusal) return NULL;
    if (!is_refusal(refusal)) return refusal;
    add_reason(call->validation, refusal);
    return NULL;
}

/* ---- the task ---- */

static kas_status decode_given(kas_call *call, kas_found *out)
{
    kas_engine *engine = call->engine;
    kas_artifact artifact = {0};
    KAS_TRY(kas_artifact_decode(call->bytes, call->size_bytes, NULL, &engine->limits, &artifact));
    kas_status status = kas_decoded_create(&artifact, &out->decoded);
    if (status) kas_artifact_finish(&artifact);
    KAS_TRY(status);
    const char *id = call->command.artifact_id[0] ? call->command.artifact_id : "unnamed";
    return kas_find_derive(engine, id, kas_decoded_artifact(out->decoded), false, &out->record);
}

static kas_status find_named(kas_call *call, kas_found *out)
{
    kas_engine *engine = call->engine;
    kas_sha256 bound;
    pthread_rwlock_rdlock(&engine->state_lock);
    bool is_bound = kas_state_binding(engine->state, call->command.artifact_id, &bound);
    pthread_rwlock_unlock(&engine->state_lock);
    return kas_find(engine, call->command.artifact_id, is_bound ? &bound : NULL, NULL, out);
}

static kas_status check_layer(kas_call *call)
{
    if (!call->command.layer[0]) return NULL;
    kas_layer_info layer;
    pthread_rwlock_rdlock(&call->engine->state_lock);
    kas_status status = kas_state_layer_info(call->engine->state, call->command.layer, &layer);
    pthread_rwlock_unlock(&call->engine->state_lock);
    return status;
}

static kas_status validate(kas_call *call)
{
    kas_validation *out = call->validation;
    *out = (kas_validation){.size = sizeof *out};
    KAS_TRY(check_layer(call));
    if (call->bytes)
        snprintf(out->format, sizeof out->format, "%s",
                 kas_format_name(kas_artifact_sniff(call->bytes, call->size_bytes, NULL)));
    kas_found found = {0};
    kas_status status = call->bytes ? decode_given(call, &found) : find_named(call, &found);
    if (status && is_refusal(status)) {
        add_reason(out, status);
        status = NULL;
    } else if (!status) {
        status = describe(&found, out);
        if (!status && call->command.layer[0]) status = compare(call, &found);
    }
    kas_found_finish(&found);
    return status;
}

static void run_validate(kas_task *task)
{
    kas_call *call = kas_call_of_task(task);
    kas_call_prepared(call, validate(call));
}

static bool handle_validated(kas_message *message)
{
    kas_call *call = kas_call_of_message(message);
    kas_control_ended(call->engine);
    kas_call_finish(call, call->status, NULL);
    return true;
}

void kas_call_validate(kas_call *call)
{
    kas_call_prepare(call, run_validate, handle_validated);
}

void kas_validation_finish(kas_validation *validation)
{
    kas_free(validation->metadata_json);
    *validation = (kas_validation){.size = validation->size};
}
