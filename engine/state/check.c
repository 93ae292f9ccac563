/* Everything that must hold between two commands, whatever the commands were. */
#include <stdlib.h>
#include <string.h>

#include "engine/state/rules.h"

static kas_status broken(const char *what, const char *name, int64_t number)
{
    return kas_fail(KAS_INTERNAL, ENGINE, "broken invariant: %s (%s %lld)", what, name, (long long)number);
}

/* ---- seeds ---- */

static const char *check_bound(const kas_layer *layer, uint32_t seed)
{
    const kas_slot *slot = &layer->slots[seed];
    bool bound = slot->hold.entry != NULL;
    if (bound != (layer->seeds.active_kernel_id[seed] != 0)) return "kernel id and kernel of a seed differ";
    if (bound != (slot->artifact_id[0] != 0)) return "artifact id and kernel of a seed differ";
    if (bound && !slot->hold.entry->kernel) return "a seed is bound to a kernel that is not there yet";
    if (bound && strcmp(slot->hold.entry->device, layer->device) != 0)
        return "a seed's kernel is on another device";
    if (!bound && (layer->seeds.alpha_blend[seed] || slot->binding || slot->ramp.unit))
        return "a seed without a kernel has an alpha, a binding or a ramp";
    if (layer->seeds.alpha_blend[seed] > 0x3c00) return "alpha is not in [0, 1]";
    if (slot->hold.layer != layer || slot->hold.seed != seed) return "a seed's hold is of another seed";
    return NULL;
}

static const char *check_lifecycle(const kas_layer *layer, uint32_t seed)
{
    const kas_slot *slot = &layer->slots[seed];
    const kas_seed_arrays *seeds = &layer->seeds;
    bool bound = slot->hold.entry != NULL;
    kas_lifecycle state = kas_seed_state(layer, seed);
    if ((slot->load != NULL) != (state == KAS_SEED_LOADING)) return "LOADING and a running load differ";
    if (kas_list_linked(&slot->recovering) && state != KAS_SEED_ERROR_RECOVERY)
        return "a retry waits elsewhere";
    switch (state) {
    case KAS_SEED_DORMANT:
        return bound || seeds->error_count[seed] || seeds->fallback_active[seed] ? "DORMANT with remains"
                                                                                 : NULL;
    case KAS_SEED_LOADING:
        if (slot->load->layer != layer || slot->load->seed != seed) return "a load is of another seed";
        return bound && slot->from_recovery ? "LOADING over a kernel that failed" : NULL;
    case KAS_SEED_ACTIVE:
        return !bound || !slot->binding || seeds->fallback_active[seed] ? "ACTIVE without" : NULL;
    case KAS_SEED_ERROR_RECOVERY:
        return slot->binding || !seeds->fallback_active[seed] || slot->ramp.unit ? "ERROR_RECOVERY in service"
                                                                                 : NULL;
    case KAS_SEED_FOSSILIZED:
        return !bound || !slot->binding || slot->ramp.unit ? "FOSSILIZED without" : NULL;
    }
    return "no such lifecycle state";
}

static const char *check_ramp(const kas_slot *slot)
{
    const kas_ramp_run *ramp = &slot->ramp;
    if ((ramp->unit == KAS_RAMP_MS) != kas_list_linked(&slot->ramping))
        return "a ramp over time is not listed";
    if (ramp->unit && (!ramp->length || ramp->done > ramp->length || ramp->published > ramp->done))
        return "a ramp is past its end";
    return NULL;
}

static const char *check_seed(const kas_layer *layer, uint32_t seed)
{
    const kas_slot *slot = &layer->slots[seed];
    const char *wrong = check_bound(layer, seed);
    if (!wrong) wrong = check_lifecycle(layer, seed);
    if (!wrong) wrong = check_ramp(slot);
    if (wrong) return wrong;
    if (slot->shown != (kas_seed_shows(layer, seed) ? slot->hold.entry : NULL))
        return "a view shows something else";
    if (slot->staged && (slot->staged->layer != layer || slot->staged->seed != (int32_t)seed))
        return "a staged change is of another seed";
    return NULL;
}

/* ---- layers ---- */

static const char *check_fossils(const kas_layer *layer)
{
    uint32_t fossilized = 0;
    for (uint32_t i = 0; i < layer->num_seeds; ++i)
        fossilized += kas_seed_state(layer, i) == KAS_SEED_FOSSILIZED;
    if (fossilized != layer->fossil_count) return "FOSSILIZED seeds and fossils differ";
    for (uint32_t i = 0; i < layer->fossil_count; ++i)
        if (kas_seed_state(layer, layer->fossils[i]) != KAS_SEED_FOSSILIZED)
            return "a fossil is not FOSSILIZED";
    if (layer->folded_fossils > layer->fossil_count) return "more fossils are folded than there are";
    if ((layer->folded_fossils > 0) != (layer->folded_weights != 0))
        return "folded weights and fossils differ";
    if (layer->fold && layer->fold_fossils <= layer->folded_fossils) return "a fold runs that folds nothing";
    return NULL;
}

static const char *check_move(const kas_layer *layer, const kas_move *move)
{
    if (move->layer != layer || (move->operation && move->operation->layer != layer))
        return "a move's operation is another's";
    if (move->lost ? move->operation || move->ready : !move->operation && !move->ready)
        return "a replica is neither ready nor made nor lost, or lost and more";
    if (move->ready && !move->operation && !kas_replica_is_prepared(move))
        return "a replica does not get ready for what is staged";
    if (move->lost && (!move->stays || move->weights.copy)) return "a lost replica has weights, or is none";
    if (move->ready && !kas_move_has_all(move)) return "a replica lacks what its layer has";
    if (!strcmp(move->device, layer->device)) return "a layer moves to where it is";
    for (uint32_t i = 0; i < 2 * layer->num_seeds; ++i) {
        const kas_hold *hold = &move->holds[i];
        if (hold->layer != layer || hold->seed != i % layer->num_seeds)
            return "a move's hold is of another seed";
        if (hold->entry && move->lost) return "a lost replica holds a kernel";
        if (hold->entry && (!hold->entry->kernel || strcmp(hold->entry->device, move->device) != 0))
            return "a move holds a kernel that is elsewhere";
    }
    return NULL;
}

static const char *check_layer(const kas_state *state, const kas_layer *layer)
{
    if (layer->marks) return "a layer is still marked";
    if (kas_layer_find(state, layer->name) != layer) return "a layer is not found by its name";
    if (kas_layer_by_uid(state, layer->uid) != layer) return "a layer is not found by its uid";
    if (layer->control_crc != kas_seeds_control_crc(layer))
        return "the CRC-32C of the control fields differs";
    if (layer->generation < layer->published_generation ||
        layer->generation > layer->published_generation + layer->view_steps)
        return "the generation is none of the present view's";
    if (layer->layer_id >= state->now.free_layer_id && layer->layer_id == state->now.free_layer_id)
        return "the next layer id is taken";
    if (kas_list_linked(&layer->flight.waiting) && (layer->move || !layer->flight.tries))
        return "a layer waits to be moved that moves, or never failed to";
    const char *wrong = layer->move ? check_move(layer, layer->move) : NULL;
    for (uint32_t i = 0; i < layer->replica_count && !wrong; ++i)
        wrong = check_move(layer, layer->replicas[i]);
    return wrong ? wrong : check_fossils(layer);
}

static kas_status check_layers(const kas_state *state)
{
    const kas_sorted *sorted = &state->layers_in_order;
    size_t ramping = 0, recovering = 0, fleeing = 0;
    for (size_t i = 0; i < sorted->count; ++i) {
        const kas_layer *layer = sorted->items[i].object;
        if (i && strcmp(sorted->items[i - 1].name, layer->name) >= 0)
            return broken("layers are not in order", layer->name, 0);
        const char *wrong = check_layer(state, layer);
        if (wrong) return broken(wrong, layer->name, -1);
        fleeing += kas_list_linked(&layer->flight.waiting);
        for (uint32_t seed = 0; seed < layer->num_seeds; ++seed) {
            wrong = check_seed(layer, seed);
            if (wrong) return broken(wrong, layer->name, seed);
            ramping += kas_list_linked(&layer->slots[seed].ramping);
            recovering += kas_list_linked(&layer->slots[seed].recovering);
        }
    }
    for (const kas_link *link = state->ramping.next; link != &state->ramping; link = link->next)
        --ramping;
    for (const kas_link *link = state->recovering.next; link != &state->recovering; link = link->next)
        --recovering;
    for (const kas_link *link = state->fleeing.next; link != &state->fleeing; link = link->next)
        --fleeing;
    if (fleeing) return broken("layers that wait to be moved are miscounted", "state", 0);
    return ramping || recovering ? broken("seeds that ramp or wait for a retry are miscounted", "state", 0)
                                 : NULL;
}

/* ---- the cache ---- */

static uint32_t count_shown(const kas_state *state, const kas_entry *entry)
{
    uint32_t shown = 0;
    for (size_t i = 0; i < state->layers_in_order.count; ++i) {
        const kas_layer *layer = state->layers_in_order.items[i].object;
        for (uint32_t seed = 0; seed < layer->num_seeds; ++seed)
            shown += layer->slots[seed].shown == entry;
        for (uint32_t r = 0; r < layer->replica_count; ++r)
            for (uint32_t seed = 0; seed < layer->num_seeds; ++seed)
                shown += layer->replicas[r]->shown[seed] == entry;
    }
    return shown;
}

static const char *check_entry(const kas_state *state, const kas_entry *entry)
{
    uint32_t uses = 0;
    for (const kas_link *link = entry->users.next; link != &entry->users; link = link->next, ++uses)
        if (KAS_OWNER(link, kas_hold, link)->entry != entry) return "a user holds another entry";
    if (uses != entry->uses) return "the users of an entry are miscounted";
    if (count_shown(state, entry) != entry->published) return "the views of an entry are miscounted";
    if ((entry->make != NULL) == (entry->kernel != 0))
        return "an entry is neither being made nor there, or both";
    if (entry->make && entry->make->entry != entry) return "an entry's make makes another";
    if (entry->draining && (entry->published || !entry->kernel)) return "an entry drains that is shown";
    bool idle = entry->kernel && !entry->uses && !entry->published && !entry->draining;
    if (entry->doomed && (idle || (entry->uses && !entry->lost))) return "a doomed entry is idle or in use";
    if (entry->lost && !entry->doomed) return "a lost entry can be found";
    bool cold = idle && !entry->content->pins && !entry->doomed;
    if (cold != kas_list_linked(&entry->cold)) return "what may be evicted is not what the list says";
    if (!entry->doomed && kas_cache_find(entry->content, entry->device) != entry)
        return "an entry is not found";
    return NULL;
}

static kas_status check_cache(const kas_state *state)
{
    uint64_t bytes = 0, cold_bytes = 0;
    uint32_t entries = 0, cold = 0;
    for (const kas_link *link = state->entries_in_order.next; link != &state->entries_in_order;
         link = link->next) {
        const kas_entry *entry = KAS_OWNER(link, kas_entry, all);
        const char *wrong = check_entry(state, entry);
        if (wrong) return broken(wrong, "entry", (int64_t)entry->number);
        if (entry->lost) continue;
        bytes += entry->device_bytes;
        ++entries;
        if (!kas_list_linked(&entry->cold)) continue;
        cold_bytes += entry->device_bytes;
        ++cold;
    }
    if (bytes != state->now.cache_bytes || entries != state->now.cache_entries)
        return broken("the cache is miscounted", "entries", entries);
    if (cold_bytes != state->now.cold_bytes || cold != state->now.cold_entries)
        return broken("what may be evicted is miscounted", "entries", cold);
    if (bytes > state->limits.cache_bytes || entries > state->limits.cache_entries)
        return broken("the cache is beyond its limits", "entries", entries);
    return NULL;
}

static kas_status check_contents(const kas_state *state)
{
    for (const kas_link *link = state->contents_in_order.next; link != &state->contents_in_order;
         link = link->next) {
        const kas_content *content = KAS_OWNER(link, kas_content, all);
        uint32_t pins = 0;
        for (size_t i = 0; i < state->bindings_in_order.count; ++i) {
            const kas_binding *binding = state->bindings_in_order.items[i].object;
            pins += binding->content == content && binding->pinned;
        }
        if (pins != content->pins) return broken("pins are miscounted", content->first_id, pins);
    }
    return NULL;
}

/* ---- makes, operations, staged changes ---- */

static kas_status check_makes(const kas_state *state)
{
    for (const kas_link *link = state->makes_in_order.next; link != &state->makes_in_order;
         link = link->next) {
        const kas_make *make = KAS_OWNER(link, kas_make, all);
        if (kas_list_empty(&make->waiters))
            return broken("nobody waits for a make", "make", (int64_t)make->id);
        for (const kas_link *at = make->waiters.next; at != &make->waiters; at = at->next)
            if (KAS_OWNER(at, kas_operation, waiting)->make != make)
                return broken("an operation waits for another make", "make", (int64_t)make->id);
        if (make->entry && make->entry->make != make)
            return broken("a make's entry is another's", "make", (int64_t)make->id);
        if (make->entry && !make->content)
            return broken("a make has memory but no checksum", "make", (int64_t)make->id);
    }
    return NULL;
}

static const char *check_operation(const kas_operation *operation)
{
    bool ended = operation->info.state >= KAS_OPERATION_SUCCEEDED;
    if (ended != kas_list_linked(&operation->ended))
        return "an operation's end and the list of ended ones differ";
    bool moves = !ended && kas_operation_moves(operation);
    if (moves) {
        const kas_move *move = kas_move_of(operation);
        if (!move) return "a layer does not know of its move";
        return (move->wait != KAS_MOVE_WAITS_NOT) == (operation->make != NULL)
                   ? "a move waits for nothing, or for two things"
                   : NULL;
    }
    if (ended == (operation->make != NULL))
        return "an operation runs without a make, or has one after its end";
    if (!ended && !kas_list_linked(&operation->waiting)) return "an operation runs that does not wait";
    if (ended) return operation->layer || operation->staged ? "an ended operation has a seed" : NULL;
    if (operation->staged)
        return operation->staged->running == operation ? NULL : "a staged load is another's";
    if (!operation->layer)
        return operation->info.kind == KAS_OPERATION_PRELOAD ? NULL : "a load has no layer";
    return operation->layer->slots[operation->seed].load == operation ? NULL
                                                                      : "a seed does not know of its load";
}

static kas_status check_operations(const kas_state *state)
{
    uint64_t before = 0;
    uint32_t ended = 0;
    for (const kas_link *link = state->operations_in_order.next; link != &state->operations_in_order;
         link = link->next) {
        const kas_operation *operation = KAS_OWNER(link, kas_operation, all);
        const char *wrong = check_operation(operation);
        if (!wrong && operation->info.id <= before) wrong = "operations are not in order";
        if (wrong) return broken(wrong, "operation", (int64_t)operation->info.id);
        before = operation->info.id;
        ended += kas_list_linked(&operation->ended);
    }
    if (ended != state->now.ended_operations || ended > state->limits.operations_kept)
        return broken("ended operations are miscounted or too many", "operations", ended);
    return NULL;
}

static const char *check_staged(const kas_state *state, const kas_staged *staged)
{
    const kas_staged *known =
        staged->seed < 0 ? staged->layer->staged_weights : staged->layer->slots[staged->seed].staged;
    if (known != staged) return "a layer or seed does not know of its staged change";
    if (staged->at_epoch <= state->now.epoch) return "a staged change is overdue";
    if (staged->running && staged->hold.entry) return "a staged load is ready and runs";
    return staged->running && staged->running->staged != staged ? "a staged load's operation is another's"
                                                                : NULL;
}

static kas_status check_staging(const kas_state *state)
{
    uint32_t count = 0, epoch = 0;
    for (const kas_link *link = state->staged.next; link != &state->staged; link = link->next, ++count) {
        const kas_staged *staged = KAS_OWNER(link, kas_staged, all);
        const char *wrong = check_staged(state, staged);
        if (!wrong && staged->at_epoch < epoch) wrong = "staged changes are not in order of epoch";
        if (wrong) return broken(wrong, staged->layer->name, staged->seed);
        epoch = staged->at_epoch;
    }
    return count == state->now.staged ? NULL : broken("staged changes are miscounted", "staged", count);
}

kas_status kas_state_check(const kas_state *state)
{
    KAS_TRY(check_layers(state));
    KAS_TRY(check_cache(state));
    KAS_TRY(check_contents(state));
    KAS_TRY(check_makes(state));
    KAS_TRY(check_operations(state));
    KAS_TRY(check_staging(state));
    return state->undo.used ? broken("a change is half done", "undo", (int64_t)state->undo.used) : NULL;
}
