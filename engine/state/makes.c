/* Makes: an artifact on its way to a device, once, for all the loads that wait for it.
 *
 * A make first resolves (the bytes are found, verified, decoded and planned), then uploads into memory that
 * was reserved in between, when its exact size and the kernel's facts are known and each waiting load has
 * been checked against them. An id that was not bound to a checksum when its make began may turn out to be
 * bytes that are on the device or being made under another id: its loads then go over to that one. A make
 * lasts as long as somebody waits for it. */
#include <stdio.h>
#include <string.h>

#include "engine/state/rules.h"

/* ---- finding ---- */

static kas_make *make_by_id(const kas_state *state, uint64_t id)
{
    kas_map_node *node = kas_map_first(&state->makes, kas_map_hash_number(id));
    for (; node; node = kas_map_next(node)) {
        kas_make *make = KAS_OWNER(node, kas_make, by_id);
        if (make->id == id) return make;
    }
    return NULL;
}

static uint64_t hash_artifact(const char *artifact_id, const char *device)
{
    return kas_fnv1a(artifact_id, strlen(artifact_id)) * 31 + kas_fnv1a(device, strlen(device));
}

kas_make *kas_make_find(const kas_state *state, const char *artifact_id, const char *device)
{
    kas_map_node *node = kas_map_first(&state->makes_by_artifact, hash_artifact(artifact_id, device));
    for (; node; node = kas_map_next(node)) {
        kas_make *make = KAS_OWNER(node, kas_make, by_artifact);
        if (!strcmp(make->artifact_id, artifact_id) && !strcmp(make->device, device)) return make;
    }
    const kas_binding *binding = kas_binding_find(state, artifact_id);
    if (!binding) return NULL;
    const kas_link *makes = &binding->content->makes;
    for (const kas_link *link = makes->next; link != makes; link = link->next) {
        kas_make *make = KAS_OWNER(link, kas_make, of_content);
        if (!strcmp(make->device, device)) return make;
    }
    return NULL;
}

kas_status kas_make_edit(kas_state *state, kas_make *make)
{
    if (make->touched == state->pending.serial) return NULL;
    KAS_TRY(kas_undo_save(&state->undo, make, sizeof *make));
    make->touched = state->pending.serial;
    return NULL;
}

/* ---- begin and end ---- */

static kas_status emit_make(kas_state *state, kas_effect_kind kind, const kas_make *make)
{
    kas_effect *effect;
    KAS_TRY(kas_emit(state, kind, NULL, 0, &effect));
    effect->make.make = make->id;
    memcpy(effect->make.artifact_id, make->artifact_id, sizeof effect->make.artifact_id);
    memcpy(effect->make.device, make->device, sizeof effect->make.device);
    if (make->content) {
        effect->make.has_checksum = true;
        effect->make.checksum = make->content->checksum;
    }
    return NULL;
}

static kas_status begin(kas_state *state, const char *artifact_id, kas_content *content, const char *device,
                        uint32_t device_kind, kas_make **out)
{
    void *block;
    KAS_TRY(kas_undo_alloc(&state->undo, sizeof(kas_make), &block));
    kas_make *make = block;
    kas_list_init(&make->waiters);
    make->id = ++state->now.last_make;
    make->content = content;
    make->device_kind = device_kind;
    memcpy(make->artifact_id, artifact_id, strlen(artifact_id) + 1);
    memcpy(make->device, device, strnlen(device, KAS_DEVICE_NAME_SIZE - 1));
    KAS_TRY(kas_map_insert(&state->makes, &state->undo, &make->by_id, kas_map_hash_number(make->id)));
    KAS_TRY(kas_map_insert(&state->makes_by_artifact, &state->undo, &make->by_artifact,
                           hash_artifact(make->artifact_id, make->device)));
    KAS_TRY(kas_list_append(&state->undo, &state->makes_in_order, &make->all));
    if (content) KAS_TRY(kas_list_append(&state->undo, &content->makes, &make->of_content));
    *out = make;
    return emit_make(state, KAS_EFFECT_RESOLVE, make);
}

static kas_status end(kas_state *state, kas_make *make)
{
    if (make->entry && !make->entry->kernel) KAS_TRY(kas_cache_remove(state, make->entry));
    KAS_TRY(kas_map_remove(&state->makes, &state->undo, &make->by_id));
    KAS_TRY(kas_map_remove(&state->makes_by_artifact, &state->undo, &make->by_artifact));
    KAS_TRY(kas_list_remove(&state->undo, &make->all));
    KAS_TRY(kas_list_remove(&state->undo, &make->of_content));
    return kas_undo_drop(&state->undo, make);
}

static kas_status abandon(kas_state *state, kas_make *make)
{
    KAS_TRY(emit_make(state, KAS_EFFECT_ABANDON, make));
    return end(state, make);
}

/* ---- waiting ---- */

static kas_status join(kas_state *state, kas_make *make, kas_operation *operation)
{
    KAS_TRY(kas_operation_edit(state, operation));
    KAS_TRY(kas_list_remove(&state->undo, &operation->waiting));
    operation->make = make;
    operation->info.state = make->started ? KAS_OPERATION_RUNNING : KAS_OPERATION_QUEUED;
    operation->info.stage = make->stage;
    operation->info.tier = make->tier;
    operation->info.bytes_done = make->bytes_done;
    operation->info.bytes_total = make->bytes_total;
    return kas_list_append(&state->undo, &make->waiters, &operation->waiting);
}

static kas_status take_ready(kas_state *state, kas_operation *operation, kas_entry *entry,
                             uint32_t device_kind)
{
    KAS_TRY(kas_operation_edit(state, operation));
    operation->info.tier = KAS_TIER_DEVICE;
    kas_status refusal = kas_load_check(state, operation, device_kind, entry->content, &entry->facts);
    if (refusal) return kas_load_refuse(state, operation, refusal);
    return kas_load_succeed(state, operation, entry);
}

static kas_status join_running(kas_state *state, kas_operation *operation, kas_make *make)
{
    if (make->entry) {
        kas_status refusal =
            kas_load_check(state, operation, make->device_kind, make->content, &make->entry->facts);
        if (refusal) return kas_load_refuse(state, operation, refusal);
    }
    return join(state, make, operation);
}

static kas_status wait_for(kas_state *state, kas_operation *operation, const char *artifact_id,
                           const char *device, uint32_t device_kind, bool counts)
{
    const kas_binding *binding = kas_binding_find(state, artifact_id);
    kas_entry *entry = binding ? kas_cache_find(binding->content, device) : NULL;
    if (entry && entry->kernel) {
        state->now.hits += counts;
        if (counts) KAS_TRY(kas_cache_hit(state, entry));
        return take_ready(state, operation, entry, device_kind);
    }
    kas_make *make = kas_make_find(state, artifact_id, device);
    if (make) {
        state->now.hits += counts;
        KAS_TRY(kas_make_edit(state, make));
        make->hits += counts && !make->entry;
        if (counts && make->entry) KAS_TRY(kas_cache_hit(state, make->entry));
        return join_running(state, operation, make);
    }
    state->now.misses += counts;
    KAS_TRY(begin(state, artifact_id, binding ? binding->content : NULL, device, device_kind, &make));
    return join(state, make, operation);
}

kas_status kas_make_wait(kas_state *state, kas_operation *operation, const char *artifact_id,
                         const char *device, uint32_t device_kind)
{
    return wait_for(state, operation, artifact_id, device, device_kind,
                    operation->info.kind == KAS_OPERATION_LOAD);
}

kas_status kas_make_redirect(kas_state *state, kas_operation *operation, const char *device,
                             uint32_t device_kind)
{
    KAS_TRY(kas_make_leave(state, operation));
    return wait_for(state, operation, operation->info.artifact_id, device, device_kind, false);
}

kas_status kas_make_leave(kas_state *state, kas_operation *operation)
{
    kas_make *make = operation->make;
    if (!make) return NULL;
    KAS_TRY(kas_operation_edit(state, operation));
    KAS_TRY(kas_list_remove(&state->undo, &operation->waiting));
    operation->make = NULL;
    return kas_list_empty(&make->waiters) ? abandon(state, make) : NULL;
}

/* ---- what carriers answer ---- */

static kas_operation *first_waiter(const kas_make *make)
{
    return kas_list_empty(&make->waiters) ? NULL : KAS_OWNER(make->waiters.next, kas_operation, waiting);
}

/* Takes a waiter out without a thought for the make, whose end its caller sees to. */
static kas_status detach(kas_state *state, kas_operation *waiter)
{
    KAS_TRY(kas_operation_edit(state, waiter));
    KAS_TRY(kas_list_remove(&state->undo, &waiter->waiting));
    waiter->make = NULL;
    return NULL;
}

static kas_status fail_all(kas_state *state, kas_make *make, const kas_failure *failure)
{
    for (kas_operation *waiter = first_waiter(make); waiter; waiter = first_waiter(make)) {
        KAS_TRY(detach(state, waiter));
        KAS_TRY(kas_load_fail(state, waiter, failure));
    }
    return NULL;
}

/* Everybody who waits shows how far the make is. */
static kas_status show_progress(kas_state *state, kas_make *make)
{
    for (kas_link *link = make->waiters.next; link != &make->waiters; link = link->next) {
        kas_operation *waiter = KAS_OWNER(link, kas_operation, waiting);
        KAS_TRY(kas_operation_edit(state, waiter));
        waiter->info.state = KAS_OPERATION_RUNNING;
        waiter->info.stage = make->stage;
        waiter->info.tier = make->tier;
        waiter->info.bytes_done = make->bytes_done;
        waiter->info.bytes_total = make->bytes_total;
        KAS_TRY(kas_operation_changed(state, waiter));
    }
    return NULL;
}

kas_status kas_make_progress(kas_state *state, const kas_command *command)
{
    kas_make *make = make_by_id(state, command->progress.make);
    if (!make) return NULL;
    KAS_TRY(kas_make_edit(state, make));
    make->started = true;
    make->stage = command->progress.stage;
    make->tier = command->progress.tier;
    make->bytes_done = command->progress.bytes_done;
    make->bytes_total = command->progress.bytes_total;
    return show_progress(state, make);
}

/* The bytes are known already, under another id: its loads go over to what there is. */
static kas_status merge(kas_state *state, kas_make *make, kas_entry *entry)
{
    for (kas_operation *waiter = first_waiter(make); waiter; waiter = first_waiter(make)) {
        KAS_TRY(detach(state, waiter));
        if (entry->make)
            KAS_TRY(join_running(state, waiter, entry->make));
        else
            KAS_TRY(take_ready(state, waiter, entry, make->device_kind));
    }
    return abandon(state, make);
}

static kas_status check_waiters(kas_state *state, kas_make *make, const kas_kernel_facts *facts)
{
    for (kas_link *link = make->waiters.next, *next; link != &make->waiters; link = next) {
        next = link->next;
        kas_operation *waiter = KAS_OWNER(link, kas_operation, waiting);
        kas_status refusal = kas_load_check(state, waiter, make->device_kind, make->content, facts);
        if (!refusal) continue;
        kas_status detached = detach(state, waiter);
        if (detached) return kas_join(detached, refusal);
        KAS_TRY(kas_load_refuse(state, waiter, refusal));
    }
    return NULL;
}

/* Nobody gets this kernel, for the same reason. */
static kas_status refuse_all(kas_state *state, kas_make *make, kas_status refusal, kas_error_type type)
{
    kas_failure failure = {
        .code = kas_status_code(refusal), .type = type, .reason = kas_status_reason(refusal)};
    snprintf(failure.detail, sizeof failure.detail, "%s", kas_status_message(refusal));
    if (failure.code == KAS_OUT_OF_MEMORY) return refusal;
    kas_status_free(refusal);
    KAS_TRY(fail_all(state, make, &failure));
    return abandon(state, make);
}

static kas_status note_resolved(kas_state *state, kas_make *make, const kas_command *command,
                                kas_content *content)
{
    KAS_TRY(kas_make_edit(state, make));
    make->started = true;
    make->stage = KAS_STAGE_COMPILE;
    make->tier = command->resolved.tier;
    if (!make->content) {
        make->content = content;
        KAS_TRY(kas_list_append(&state->undo, &content->makes, &make->of_content));
    }
    return show_progress(state, make);
}

kas_status kas_make_resolved(kas_state *state, const kas_command *command)
{
    kas_make *make = make_by_id(state, command->resolved.make);
    if (!make || make->entry) return NULL;
    kas_content *content;
    kas_status refusal = kas_artifact_bind(state, make->artifact_id, &command->resolved.checksum, &content);
    if (refusal) return refuse_all(state, make, refusal, KAS_ERROR_KERNEL_VALIDATION);
    KAS_TRY(note_resolved(state, make, command, content));
    kas_entry *known = kas_cache_find(content, make->device);
    if (known) return merge(state, make, known);
    KAS_TRY(check_waiters(state, make, &command->resolved.facts));
    if (kas_list_empty(&make->waiters)) return abandon(state, make);
    refusal = kas_cache_reserve(state, make, &command->resolved.facts, command->resolved.device_bytes);
    if (refusal) return refuse_all(state, make, refusal, KAS_ERROR_MEMORY_OVERFLOW);
    return emit_make(state, KAS_EFFECT_UPLOAD, make);
}

static kas_status install(kas_state *state, kas_entry *entry, kas_resource kernel)
{
    KAS_TRY(kas_entry_edit(state, entry));
    entry->kernel = kernel;
    entry->make = NULL;
    entry->last_accessed_ns = state->now.wall_ns;
    return kas_map_insert(&state->entries_by_kernel, &state->undo, &entry->by_kernel,
                          kas_map_hash_number(kernel));
}

kas_status kas_make_ready(kas_state *state, const kas_command *command)
{
    kas_make *make = make_by_id(state, command->ready.make);
    if (!make || !make->entry || !command->ready.kernel) return NULL;
    kas_entry *entry = make->entry;
    KAS_TRY(install(state, entry, command->ready.kernel));
    for (kas_operation *waiter = first_waiter(make); waiter; waiter = first_waiter(make)) {
        KAS_TRY(detach(state, waiter));
        kas_status refusal =
            kas_load_check_quarantine(waiter, entry->content); /* it may have got there meanwhile */
        if (refusal)
            KAS_TRY(kas_load_refuse(state, waiter, refusal));
        else
            KAS_TRY(kas_load_succeed(state, waiter, entry));
    }
    KAS_TRY(kas_entry_settle(state, entry));
    return end(state, make);
}

kas_status kas_make_failed(kas_state *state, const kas_command *command)
{
    kas_make *make = make_by_id(state, command->failed.make);
    if (!make) return NULL;
    kas_failure failure = {
        .code = command->failed.code, .type = command->failed.error_type, .reason = command->failed.reason};
    memcpy(failure.detail, command->failed.detail, sizeof failure.detail);
    failure.detail[sizeof failure.detail - 1] = 0;
    KAS_TRY(fail_all(state, make, &failure));
    return end(state, make);
}
