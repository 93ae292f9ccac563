/* What the state tells: plain copies. */
#include <string.h>

#include "base/half.h"
#include "engine/state/rules.h"

uint32_t kas_state_epoch(const kas_state *state)
{
    return state->now.epoch;
}

uint32_t kas_state_staged(const kas_state *state)
{
    return state->now.staged;
}

size_t kas_state_layer_count(const kas_state *state)
{
    return state->layers_in_order.count;
}

/* ---- layers and seeds ---- */

static void fill_layer(const kas_state *state, const kas_layer *layer, kas_layer_info *out)
{
    *out = (kas_layer_info){.size = sizeof *out,
                            .layer_id = layer->layer_id,
                            .input_size = layer->input_size,
                            .output_size = layer->output_size,
                            .num_seeds = layer->num_seeds,
                            .bias = layer->bias,
                            .math = layer->math,
                            .serving = layer->serving,
                            .generation = layer->generation,
                            .epoch = state->now.epoch,
                            .fossils = layer->fossil_count,
                            .revision = layer->revision,
                            .created_at_ns = layer->created_at_ns};
    memcpy(out->name, layer->name, sizeof out->name);
    memcpy(out->device, layer->device, sizeof out->device);
    kas_sha256_hex(&layer->weights_sha256, out->weights_sha256);
    out->replica_count = layer->replica_count;
    for (uint32_t i = 0; i < layer->replica_count; ++i) {
        memcpy(out->replicas[i].device, layer->replicas[i]->device, sizeof out->replicas[i].device);
        out->replicas[i].ready = layer->replicas[i]->ready;
        out->replicas[i].lost = layer->replicas[i]->lost;
    }
    for (uint32_t i = 0; i < layer->num_seeds; ++i) {
        out->active_seeds += kas_seed_state(layer, i) == KAS_SEED_ACTIVE;
        out->has_active_seeds |= kas_seed_live(layer, i);
    }
}

kas_status kas_state_layer_info(const kas_state *state, const char *name, kas_layer_info *out)
{
    const kas_layer *layer = kas_layer_find(state, name);
    if (!layer) return kas_fail(KAS_NOT_FOUND, CALLER, "there is no layer %s", name);
    fill_layer(state, layer, out);
    return NULL;
}

static bool is_held_by(const kas_entry *entry, const kas_layer *layer)
{
    for (const kas_link *link = entry->users.next; link != &entry->users; link = link->next)
        if (KAS_OWNER(link, kas_hold, link)->layer == layer) return true;
    return false;
}

uint64_t kas_state_layer_kernel_bytes(const kas_state *state, const char *name, kas_resource *weights)
{
    const kas_layer *layer = kas_layer_find(state, name);
    uint64_t bytes = 0;
    *weights = layer ? layer->weights : 0;
    if (!layer) return 0;
    for (const kas_link *link = state->entries_in_order.next; link != &state->entries_in_order;
         link = link->next) {
        const kas_entry *entry = KAS_OWNER(link, kas_entry, all);
        if (!strcmp(entry->device, layer->device) && is_held_by(entry, layer)) bytes += entry->device_bytes;
    }
    return bytes;
}

bool kas_state_layer_uid(const kas_state *state, const char *name, uint64_t *uid)
{
    const kas_layer *layer = kas_layer_find(state, name);
    if (!layer) return false;
    *uid = layer->uid;
    return true;
}

size_t kas_state_list_layers(const kas_state *state, const char *after, kas_layer_info *out, size_t capacity)
{
    size_t from = kas_sorted_after(&state->layers_in_order, after), count = 0;
    for (; count < capacity && from + count < state->layers_in_order.count; ++count)
        fill_layer(state, state->layers_in_order.items[from + count].object, &out[count]);
    return count;
}

static void fill_staged(const kas_staged *staged, kas_staged_info *out)
{
    out->change = staged->change;
    out->at_epoch = staged->at_epoch;
    memcpy(out->artifact_id, staged->wish.artifact_id, sizeof out->artifact_id);
    out->has_alpha = staged->wish.has_alpha;
    out->alpha = staged->wish.alpha;
}

static uint64_t operation_of(const kas_slot *slot)
{
    if (slot->load) return slot->load->info.id;
    return slot->staged && slot->staged->running ? slot->staged->load : 0;
}

static void fill_seed(const kas_layer *layer, uint32_t seed, kas_seed_info *out)
{
    const kas_seed_arrays *seeds = &layer->seeds;
    const kas_slot *slot = &layer->slots[seed];
    *out = (kas_seed_info){.size = sizeof *out,
                           .index = seed,
                           .lifecycle_state = kas_seed_state(layer, seed),
                           .active_kernel_id = seeds->active_kernel_id[seed],
                           .alpha_blend = kas_half_to_float(seeds->alpha_blend[seed]),
                           .has_alpha_target = slot->ramp.unit != KAS_RAMP_NONE,
                           .alpha_target = slot->ramp.to,
                           .health_accumulator = seeds->health_accumulator[seed],
                           .last_update_epoch = seeds->last_update_epoch[seed],
                           .exec_latency_us = seeds->exec_latency_us[seed],
                           .error_count = seeds->error_count[seed],
                           .fallback_active = seeds->fallback_active[seed],
                           .operation = operation_of(slot),
                           .revision = slot->revision,
                           .last_error = slot->last_error};
    memcpy(out->layer, layer->name, sizeof out->layer);
    memcpy(out->artifact_id, slot->artifact_id, sizeof out->artifact_id);
    out->pinned =
        out->lifecycle_state == KAS_SEED_FOSSILIZED || (slot->hold.entry && slot->hold.entry->content->pins);
    out->contributing = kas_seed_live(layer, seed) && out->alpha_blend > 0;
    if (slot->staged) fill_staged(slot->staged, &out->staged);
}

kas_status kas_state_seed_info(const kas_state *state, const char *name, uint32_t seed, kas_seed_info *out)
{
    const kas_layer *layer = kas_layer_find(state, name);
    if (!layer) return kas_fail(KAS_NOT_FOUND, CALLER, "there is no layer %s", name);
    if (seed >= layer->num_seeds)
        return kas_fail(KAS_NOT_FOUND, CALLER, "layer %s has no seed %u: it has %u, numbered from 0", name,
                        seed, layer->num_seeds);
    fill_seed(layer, seed, out);
    return NULL;
}

/* ---- operations ---- */

kas_status kas_state_operation_info(const kas_state *state, uint64_t operation, kas_operation_info *out)
{
    const kas_operation *found = kas_operation_find(state, operation);
    if (!found)
        return kas_fail(KAS_NOT_FOUND, CALLER, "there is no operation op-%llu",
                        (unsigned long long)operation);
    *out = found->info;
    return NULL;
}

static const kas_link *first_after(const kas_state *state, uint64_t after)
{
    const kas_operation *known = after ? kas_operation_find(state, after) : NULL;
    if (known) return known->all.next;
    const kas_link *link = state->operations_in_order.next;
    while (link != &state->operations_in_order && KAS_OWNER(link, kas_operation, all)->info.id <= after)
        link = link->next;
    return link;
}

size_t kas_state_list_operations(const kas_state *state, uint64_t after, kas_operation_info *out,
                                 size_t capacity)
{
    size_t count = 0;
    const kas_link *link = first_after(state, after);
    for (; count < capacity && link != &state->operations_in_order; link = link->next)
        out[count++] = KAS_OWNER(link, kas_operation, all)->info;
    return count;
}

/* ---- the cache ---- */

static void fill_entry(const kas_entry *entry, kas_cache_entry_info *out)
{
    memset(out, 0, sizeof *out);
    memcpy(out->artifact_id, entry->content->first_id, sizeof out->artifact_id);
    out->checksum = entry->content->checksum;
    memcpy(out->device, entry->device, sizeof out->device);
    out->ready = entry->kernel != 0;
    out->pinned = entry->content->pins > 0;
    out->quarantined = entry->content->quarantined;
    out->device_bytes = entry->device_bytes;
    out->hits = entry->hits;
    out->last_accessed_ns = entry->last_accessed_ns;
    out->facts = entry->facts;
    out->uses = entry->uses;
    const size_t room = sizeof out->used_by / sizeof *out->used_by;
    for (const kas_link *link = entry->users.next; link != &entry->users && out->use_count < room;
         link = link->next) {
        const kas_hold *hold = KAS_OWNER(link, kas_hold, link);
        memcpy(out->used_by[out->use_count].layer, hold->layer->name, KAS_NAME_SIZE);
        out->used_by[out->use_count++].seed = hold->seed;
    }
}

size_t kas_state_list_cache(const kas_state *state, size_t from, kas_cache_entry_info *out, size_t capacity)
{
    size_t count = 0, index = 0;
    for (const kas_link *link = state->entries_in_order.next; link != &state->entries_in_order;
         link = link->next) {
        const kas_entry *entry = KAS_OWNER(link, kas_entry, all);
        if (entry->lost || index++ < from) continue;
        if (count == capacity) break;
        fill_entry(entry, &out[count++]);
    }
    return count;
}

void kas_state_cache_stats(const kas_state *state, kas_cache_stats *out)
{
    *out = (kas_cache_stats){.entries = state->now.cache_entries,
                             .max_entries = state->limits.cache_entries,
                             .total_bytes = state->now.cache_bytes,
                             .max_bytes = state->limits.cache_bytes,
                             .hits = state->now.hits,
                             .misses = state->now.misses,
                             .evictions = state->now.evictions,
                             .compatibility_checks = state->now.compatibility_checks,
                             .compatibility_failures = state->now.compatibility_failures};
    for (const kas_link *link = state->entries_in_order.next; link != &state->entries_in_order;
         link = link->next) {
        const kas_entry *entry = KAS_OWNER(link, kas_entry, all);
        if (!entry->lost) out->total_parameters += entry->facts.parameter_count;
    }
}

bool kas_state_binding(const kas_state *state, const char *artifact_id, kas_sha256 *out)
{
    const kas_binding *binding = kas_binding_find(state, artifact_id);
    if (binding) *out = binding->content->checksum;
    return binding != NULL;
}

bool kas_state_pinned(const kas_state *state, const char *artifact_id)
{
    const kas_binding *binding = kas_binding_find(state, artifact_id);
    return binding && binding->pinned;
}

size_t kas_state_list_bindings(const kas_state *state, const char *after, char (*ids)[KAS_NAME_SIZE],
                               kas_sha256 *checksums, size_t capacity)
{
    const kas_sorted *sorted = &state->bindings_in_order;
    size_t from = kas_sorted_after(sorted, after), count = 0;
    for (; count < capacity && from + count < sorted->count; ++count) {
        const kas_binding *binding = sorted->items[from + count].object;
        memcpy(ids[count], binding->artifact_id, KAS_NAME_SIZE);
        checksums[count] = binding->content->checksum;
    }
    return count;
}

size_t kas_state_list_quarantine(const kas_state *state, size_t from, kas_quarantine_info *out,
                                 size_t capacity)
{
    size_t count = 0, index = 0;
    for (const kas_link *link = state->contents_in_order.next; link != &state->contents_in_order;
         link = link->next) {
        const kas_content *content = KAS_OWNER(link, kas_content, all);
        if (!content->quarantined || index++ < from) continue;
        if (count == capacity) break;
        out[count].checksum = content->checksum;
        out[count].since_ns = content->quarantined_at_ns;
        memcpy(out[count++].reason, content->reason, sizeof out->reason);
    }
    return count;
}
