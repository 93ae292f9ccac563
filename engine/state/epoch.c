/* The boundary of an epoch: all that is staged for it, or for an earlier one, takes effect in one
 * publication.
 *
 * A staged load that is not ready makes the advance a conflict, or is dropped, as the caller chooses. What
 * was allowed when it was staged is checked again; what no longer is, is dropped and listed. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/state/rules.h"

static kas_staged *first_due(const kas_state *state, uint32_t epoch)
{
    if (kas_list_empty(&state->staged)) return NULL;
    kas_staged *staged = KAS_OWNER(state->staged.next, kas_staged, all);
    return staged->at_epoch <= epoch ? staged : NULL;
}

static size_t count_due(const kas_state *state, uint32_t epoch, size_t *unready)
{
    size_t due = 0;
    *unready = 0;
    for (const kas_link *link = state->staged.next; link != &state->staged; link = link->next) {
        const kas_staged *staged = KAS_OWNER(link, kas_staged, all);
        if (staged->at_epoch > epoch) break;
        ++due;
        *unready += !kas_staged_ready(staged);
    }
    return due;
}

static void list_failed(kas_state *state, const kas_staged *staged, const char *reason)
{
    kas_reply *reply = &state->pending.reply;
    kas_epoch_failure *failure = &reply->failed[reply->failed_count++];
    memcpy(failure->layer, staged->layer->name, sizeof failure->layer);
    failure->seed = staged->seed;
    failure->operation = staged->load;
    snprintf(failure->reason, sizeof failure->reason, "%.95s", reason);
}

static const char *unready_reason(const kas_staged *staged)
{
    return staged->running ? "not_ready" : "load_failed";
}

static kas_status refuse_unready(kas_state *state, uint32_t epoch, size_t unready)
{
    for (const kas_link *link = state->staged.next; link != &state->staged; link = link->next) {
        const kas_staged *staged = KAS_OWNER(link, kas_staged, all);
        if (staged->at_epoch > epoch) break;
        if (!kas_staged_ready(staged)) list_failed(state, staged, unready_reason(staged));
    }
    return kas_with_reason(
        kas_fail(KAS_CONFLICT, CALLER,
                 "%zu staged loads for epoch %u are not ready: wait for their operations, or "
                 "advance with on_unready skip to drop them",
                 unready, epoch),
        "unready");
}

static kas_status check_due(kas_state *state, const kas_staged *staged)
{
    if (staged->seed < 0) return NULL;
    KAS_TRY(kas_change_check(state, staged->layer, (uint32_t)staged->seed, staged->change));
    return staged->change == KAS_CHANGE_LOAD ? kas_artifact_check_quarantine(staged->hold.entry->content)
                                             : NULL;
}

static kas_status make_due(kas_state *state, kas_staged *staged)
{
    kas_layer *layer = staged->layer;
    if (staged->seed < 0)
        return kas_layer_set_weights(state, layer, staged->weights, &staged->weights_sha256);
    uint32_t seed = (uint32_t)staged->seed;
    if (staged->change == KAS_CHANGE_LOAD)
        return kas_load_at_once(state, layer, seed, &staged->wish, staged->hold.entry);
    return kas_change_make(state, layer, seed, staged->change, &staged->wish);
}

static kas_status take_due(kas_state *state, kas_staged *staged)
{
    if (!kas_staged_ready(staged)) {
        list_failed(state, staged, unready_reason(staged));
        return kas_staged_remove(state, staged, true);
    }
    kas_status refusal = check_due(state, staged);
    if (kas_status_code(refusal) == KAS_OUT_OF_MEMORY) return refusal;
    if (refusal) {
        list_failed(state, staged, kas_status_message(refusal));
        kas_status_free(refusal);
        kas_reply *reply = &state->pending.reply; /* the advance itself is not refused */
        reply->state = NULL;
        memset(reply->allowed, 0, sizeof reply->allowed);
        return kas_staged_remove(state, staged, true);
    }
    KAS_TRY(make_due(state, staged));
    ++state->pending.reply.applied;
    return kas_staged_remove(state, staged, false);
}

kas_status kas_advance_epoch(kas_state *state, const kas_command *command)
{
    uint32_t epoch = command->advance.epoch;
    if (epoch <= state->now.epoch)
        return kas_with_reason(kas_fail(KAS_CONFLICT, CALLER, "the epoch is %u and must grow; %u does not",
                                        state->now.epoch, epoch),
                               "epoch");
    size_t unready, due = count_due(state, epoch, &unready);
    if (due) {
        state->pending.reply.failed = kas_calloc(due, sizeof *state->pending.reply.failed);
        if (!state->pending.reply.failed) return kas_out_of_memory();
    }
    if (unready && !command->advance.skip_unready) return refuse_unready(state, epoch, unready);
    state->now.epoch = epoch;
    for (kas_staged *staged = first_due(state, epoch); staged; staged = first_due(state, epoch))
        KAS_TRY(take_due(state, staged));
    for (size_t i = 0; i < state->layers_in_order.count; ++i) /* every answer names the epoch */
        KAS_TRY(kas_layer_mark(state, state->layers_in_order.items[i].object, KAS_MARK_VIEW));
    return NULL;
}
