/* The digest of a state: SHA-256 over all that apply can read or change, object by object in the order of
 * names or numbers, with numbers in place of pointers. */
#include <string.h>

#include "engine/state/rules.h"

typedef struct sha256_ctx digest;

static void add_bytes(digest *d, const void *bytes, size_t size_bytes)
{
    sha256_update(d, size_bytes, bytes);
}

static void add(digest *d, uint64_t number) /* little-endian, whatever the machine */
{
    uint8_t bytes[8];
    for (int i = 0; i < 8; ++i)
        bytes[i] = (uint8_t)(number >> 8 * i);
    add_bytes(d, bytes, sizeof bytes);
}

static void add_time(digest *d, int64_t time_ns)
{
    add(d, (uint64_t)time_ns);
}

static void add_text(digest *d, const char *text)
{
    size_t length = strlen(text);
    add(d, length);
    add_bytes(d, text, length);
}

static void add_float(digest *d, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    add(d, bits);
}

static void add_double(digest *d, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    add(d, bits);
}

static void add_checksum(digest *d, const kas_sha256 *checksum)
{
    add_bytes(d, checksum->bytes, sizeof checksum->bytes);
}

/* ---- parts ---- */

static void add_wish(digest *d, const kas_wish *wish)
{
    add_text(d, wish->artifact_id);
    add(d, wish->has_alpha);
    add_float(d, wish->alpha);
    add(d, wish->ramp.unit);
    add(d, wish->ramp.length);
    add(d, wish->ramp.curve);
}

static void add_ramp(digest *d, const kas_ramp_run *ramp)
{
    add(d, ramp->unit);
    add(d, ramp->curve);
    add_float(d, ramp->from);
    add_float(d, ramp->to);
    add(d, ramp->length);
    add(d, ramp->done);
    add(d, ramp->published);
    add_time(d, ramp->start_ns);
}

static void add_error(digest *d, const kas_error_info *error)
{
    add(d, error->type);
    add(d, error->code);
    add_time(d, error->at_ns);
    add_text(d, error->detail);
}

static void add_facts(digest *d, const kas_kernel_facts *facts)
{
    add(d, facts->input_size);
    add(d, facts->output_size);
    add_text(d, facts->input_shape);
    add_text(d, facts->output_shape);
    add(d, facts->parameter_count);
    add_double(d, facts->memory_footprint_mb);
    add(d, facts->device_kinds);
    add_float(d, facts->confidence);
    add_float(d, facts->score);
    add(d, facts->affine);
}

static void add_slot(digest *d, const kas_slot *slot)
{
    add(d, slot->hold.entry ? slot->hold.entry->number : 0);
    add(d, slot->shown ? slot->shown->number : 0);
    add(d, slot->binding);
    add(d, slot->revision);
    add(d, slot->load ? slot->load->info.id : 0);
    add_wish(d, &slot->wish);
    add(d, slot->from_recovery);
    add(d, slot->epoch_before_load);
    add_ramp(d, &slot->ramp);
    add(d, kas_list_linked(&slot->recovering));
    add_time(d, slot->recover_at_ns);
    add(d, slot->staged != NULL);
    add_error(d, &slot->last_error);
    add_text(d, slot->artifact_id);
    add(d, slot->load_failures);
    add(d, slot->kernel_faults);
    add(d, slot->has_health);
    add(d, slot->recent[0]);
    add(d, slot->recent[1]);
    add(d, slot->recent_count);
    add(d, slot->recent_at);
    add_float(d, slot->fossil_alpha);
}

static void add_seed(digest *d, const kas_layer *layer, uint32_t seed)
{
    const kas_seed_arrays *seeds = &layer->seeds;
    add(d, seeds->lifecycle_state[seed]);
    add(d, seeds->active_kernel_id[seed]);
    add(d, seeds->alpha_blend[seed]);
    add_float(d, seeds->health_accumulator[seed]);
    add(d, seeds->last_update_epoch[seed]);
    add(d, seeds->exec_latency_us[seed]);
    add(d, seeds->error_count[seed]);
    add(d, seeds->fallback_active[seed]);
    add_slot(d, &layer->slots[seed]);
}

static void add_move(digest *d, const kas_layer *layer, const kas_move *move)
{
    add(d, move->operation ? move->operation->info.id : 0);
    add(d, move->stays);
    add(d, move->ready);
    add(d, move->joined);
    add(d, move->lost);
    add(d, move->flees);
    add(d, move->wait);
    add(d, move->tried);
    add(d, move->ahead);
    add(d, move->gave_up);
    add(d, move->stale);
    add(d, move->device_kind);
    add_text(d, move->device);
    add(d, move->weights.of);
    add(d, move->weights.copy);
    add(d, move->staged.of);
    add(d, move->staged.copy);
    for (uint32_t i = 0; i < 2 * layer->num_seeds; ++i)
        add(d, move->holds[i].entry ? move->holds[i].entry->number : 0);
}

static void add_replica(digest *d, const kas_layer *layer, const kas_move *replica)
{
    add_move(d, layer, replica);
    for (uint32_t i = 0; i < layer->num_seeds; ++i)
        add(d, replica->shown[i] ? replica->shown[i]->number : 0);
}

static void add_flight(digest *d, const kas_flight *flight)
{
    bool waits = kas_list_linked(&flight->waiting);
    add(d, waits);
    add(d, flight->tries);
    if (flight->tries) add(d, flight->code);
    if (waits) add_time(d, flight->at_ns);
    add_text(d, flight->device);
}

static void add_layer(digest *d, const kas_layer *layer)
{
    add_text(d, layer->name);
    add(d, layer->uid);
    add(d, (uint64_t)layer->layer_id);
    add(d, layer->input_size);
    add(d, layer->output_size);
    add(d, layer->num_seeds);
    add(d, layer->device_kind);
    add_text(d, layer->device);
    add(d, layer->math);
    add(d, layer->bias);
    add(d, layer->serving);
    add(d, layer->control_crc);
    add(d, layer->generation);
    add(d, layer->published_generation);
    add(d, layer->view_steps);
    add(d, layer->revision);
    add(d, layer->weights);
    add(d, layer->folded_weights);
    add_checksum(d, &layer->weights_sha256);
    add_time(d, layer->created_at_ns);
    add(d, layer->fold);
    add(d, layer->fold_fossils);
    add(d, layer->folded_fossils);
    add(d, layer->fossil_count);
    add_bytes(d, layer->fossils, layer->fossil_count);
    add(d, layer->staged_weights != NULL);
    add(d, layer->move != NULL);
    if (layer->move) add_move(d, layer, layer->move);
    add_flight(d, &layer->flight);
    add(d, layer->replica_count);
    for (uint32_t i = 0; i < layer->replica_count; ++i)
        add_replica(d, layer, layer->replicas[i]);
    for (uint32_t i = 0; i < layer->num_seeds; ++i)
        add_seed(d, layer, i);
}

static void add_content(digest *d, const kas_content *content)
{
    add(d, content->number);
    add_checksum(d, &content->checksum);
    add_text(d, content->first_id);
    add(d, content->pins);
    add(d, content->quarantined);
    add_time(d, content->quarantined_at_ns);
    add_text(d, content->reason);
    add(d, content->fault_count);
    for (uint32_t i = 0; i < content->fault_count; ++i)
        add_time(d, content->faults_ns[i]);
}

static void add_binding(digest *d, const kas_binding *binding)
{
    add_text(d, binding->artifact_id);
    add(d, binding->content->number);
    add(d, binding->kernel_id);
    add(d, binding->pinned);
}

static void add_entry(digest *d, const kas_entry *entry)
{
    add(d, entry->number);
    add(d, entry->content->number);
    add(d, entry->make ? entry->make->id : 0);
    add(d, entry->kernel);
    add(d, entry->device_bytes);
    add(d, entry->hits);
    add_time(d, entry->last_accessed_ns);
    add(d, entry->uses);
    add(d, entry->published);
    add(d, entry->draining);
    add(d, entry->doomed);
    add(d, entry->lost);
    add_text(d, entry->device);
    add_facts(d, &entry->facts);
    for (const kas_link *link = entry->users.next; link != &entry->users; link = link->next) {
        const kas_hold *hold = KAS_OWNER(link, kas_hold, link);
        add(d, hold->layer->uid);
        add(d, hold->seed);
    }
}

static void add_make(digest *d, const kas_make *make)
{
    add(d, make->id);
    add(d, make->content ? make->content->number : 0);
    add(d, make->entry ? make->entry->number : 0);
    add(d, make->hits);
    add(d, make->stage);
    add(d, make->tier);
    add(d, make->bytes_done);
    add(d, make->bytes_total);
    add(d, make->started);
    add(d, make->device_kind);
    add_text(d, make->artifact_id);
    add_text(d, make->device);
    for (const kas_link *link = make->waiters.next; link != &make->waiters; link = link->next)
        add(d, KAS_OWNER(link, kas_operation, waiting)->info.id);
}

static void add_operation(digest *d, const kas_operation *operation)
{
    const kas_operation_info *info = &operation->info;
    add(d, operation->make ? operation->make->id : 0);
    add(d, operation->layer ? operation->layer->uid : 0);
    add(d, operation->staged != NULL);
    add_time(d, operation->started_ns);
    add(d, info->id);
    add(d, info->kind);
    add(d, info->state);
    add(d, info->stage);
    add(d, info->tier);
    add(d, info->bytes_done);
    add(d, info->bytes_total);
    add_text(d, info->layer);
    add(d, (uint64_t)info->seed);
    add_text(d, info->artifact_id);
    add_time(d, info->created_at_ns);
    add_time(d, info->finished_at_ns);
    add_time(d, info->duration_ns);
    add(d, info->error_code);
    add_text(d, info->error_reason);
    add(d, info->error_type);
    add_text(d, info->error_detail);
    add_text(d, info->device);
}

static void add_staged(digest *d, const kas_staged *staged)
{
    add(d, staged->layer->uid);
    add(d, (uint64_t)staged->seed);
    add(d, staged->change);
    add(d, staged->at_epoch);
    add(d, staged->load);
    add(d, staged->running != NULL);
    add(d, staged->hold.entry ? staged->hold.entry->number : 0);
    add_wish(d, &staged->wish);
    add(d, staged->weights);
    add_checksum(d, &staged->weights_sha256);
}

static void add_limits(digest *d, const kas_state_limits *limits)
{
    add(d, limits->cache_bytes);
    add(d, limits->cache_entries);
    add(d, limits->layers);
    add(d, limits->parameters);
    add_double(d, limits->memory_footprint_mb);
    add(d, limits->operations_kept);
}

static void add_counters(digest *d, const kas_counters *now)
{
    add_time(d, now->now_ns);
    add_time(d, now->wall_ns);
    add(d, now->epoch);
    add(d, now->staged);
    add_time(d, now->free_layer_id);
    const uint64_t last[] = {now->last_uid,  now->last_binding, now->last_operation, now->last_make,
                             now->last_fold, now->last_entry,   now->last_content};
    for (size_t i = 0; i < sizeof last / sizeof *last; ++i)
        add(d, last[i]);
    add(d, now->ended_operations);
    add_time(d, now->next_ramp_ns);
    add(d, now->cache_bytes);
    add(d, now->cold_bytes);
    add(d, now->cache_entries);
    add(d, now->cold_entries);
    add(d, now->hits);
    add(d, now->misses);
    add(d, now->evictions);
    add(d, now->compatibility_checks);
    add(d, now->compatibility_failures);
}

/* ---- the whole ---- */

/* Lists whose order decides something: numbers of what stands in them. */
static void add_orders(digest *d, const kas_state *state)
{
    for (const kas_link *link = state->cold.next; link != &state->cold; link = link->next)
        add(d, KAS_OWNER(link, kas_entry, cold)->number);
    for (const kas_link *link = state->ended.next; link != &state->ended; link = link->next)
        add(d, KAS_OWNER(link, kas_operation, ended)->info.id);
    for (const kas_link *link = state->fleeing.next; link != &state->fleeing; link = link->next)
        add(d, KAS_OWNER(link, kas_layer, flight.waiting)->uid);
    const kas_link *const seeds[] = {&state->ramping, &state->recovering};
    for (size_t i = 0; i < 2; ++i) {
        size_t offset = i ? offsetof(kas_slot, recovering) : offsetof(kas_slot, ramping);
        for (const kas_link *link = seeds[i]->next; link != seeds[i]; link = link->next) {
            const kas_slot *slot = (const kas_slot *)(const void *)((const char *)link - offset);
            add(d, slot->hold.layer->uid);
            add(d, slot->hold.seed);
        }
    }
}

kas_sha256 kas_state_digest(const kas_state *state)
{
    digest d;
    sha256_init(&d);
    add_limits(&d, &state->limits);
    add_counters(&d, &state->now);
    for (size_t i = 0; i < state->layers_in_order.count; ++i)
        add_layer(&d, state->layers_in_order.items[i].object);
    for (size_t i = 0; i < state->bindings_in_order.count; ++i)
        add_binding(&d, state->bindings_in_order.items[i].object);
    const kas_link *head = &state->contents_in_order;
    for (const kas_link *link = head->next; link != head; link = link->next)
        add_content(&d, KAS_OWNER(link, kas_content, all));
    head = &state->entries_in_order;
    for (const kas_link *link = head->next; link != head; link = link->next)
        add_entry(&d, KAS_OWNER(link, kas_entry, all));
    head = &state->makes_in_order;
    for (const kas_link *link = head->next; link != head; link = link->next)
        add_make(&d, KAS_OWNER(link, kas_make, all));
    head = &state->operations_in_order;
    for (const kas_link *link = head->next; link != head; link = link->next)
        add_operation(&d, KAS_OWNER(link, kas_operation, all));
    head = &state->staged;
    for (const kas_link *link = head->next; link != head; link = link->next)
        add_staged(&d, KAS_OWNER(link, kas_staged, all));
    add_orders(&d, state);
    kas_sha256 result;
    sha256_digest(&d, sizeof result.bytes, result.bytes);
    return result;
}
