/* Composing and freeing plans; see plan.h. */
#include "engine/exec/plan.h"

#include <string.h>

#include "base/half.h"
#include "engine/exec/executor.h"

float kas_plan_alpha(const kas_plan_seed *seed, uint32_t step)
{
    if (!seed->ramp) return seed->alpha;
    uint32_t left = seed->ramp_length - seed->ramp_done;
    uint32_t done = seed->ramp_done + (step < left ? step : left);
    float t = (float)done / (float)seed->ramp_length;
    float value = kas_ramp_value(seed->ramp_from, seed->ramp_to, t, seed->ramp_curve);
    return kas_half_to_float(kas_half_from_float(value));
}

uint32_t kas_plan_steps(const kas_plan *plan)
{
    if (!plan->ramp) return 0;
    uint32_t steps = atomic_load_explicit(&plan->ramp->steps, memory_order_relaxed);
    return steps < plan->ramp_steps_max ? steps : plan->ramp_steps_max;
}

uint64_t kas_plan_seeds(const kas_plan *plan, uint64_t contributions)
{
    uint64_t seeds = 0;
    for (; contributions; contributions &= contributions - 1)
        seeds |= 1ull << plan->seeds[__builtin_ctzll(contributions)].seed;
    return seeds;
}

/* ---- replicas ---- */

typedef enum device_state { SOUND = 0, HANGS, LOST } device_state; /* the lower, the better */

static device_state state_of(const kas_plan *plan)
{
    if (atomic_load_explicit(&plan->set->lost, memory_order_relaxed)) return LOST;
    return atomic_load_explicit(&plan->set->hanging, memory_order_relaxed) > 0 ? HANGS : SOUND;
}

static device_state best_state(const kas_plan *holder)
{
    device_state best = LOST;
    for (const kas_plan *plan = holder; plan; plan = plan->next_replica)
        if (state_of(plan) < best) best = state_of(plan);
    return best;
}

static uint64_t rows_in_flight(const kas_plan *plan)
{
    return atomic_load_explicit(&plan->record->rows_in_flight[plan->set->index], memory_order_relaxed);
}

kas_plan *kas_plan_least_busy(kas_plan *holder)
{
    kas_plan *best = holder;
    for (kas_plan *plan = holder->next_replica; plan; plan = plan->next_replica) {
        device_state state = state_of(plan), least = state_of(best);
        if (state != least ? state < least : rows_in_flight(plan) < rows_in_flight(best)) best = plan;
    }
    return best;
}

kas_plan *kas_plan_on(kas_plan *holder, const kas_context_set *set)
{
    for (kas_plan *plan = holder; plan; plan = plan->next_replica)
        if (plan->set == set) return state_of(plan) > best_state(holder) ? NULL : plan;
    return NULL;
}

bool kas_plan_has_device(const kas_plan *holder)
{
    return best_state(holder) != LOST;
}

bool kas_plan_has_sound_device(const kas_plan *holder)
{
    return best_state(holder) == SOUND;
}

/* The passes of all devices are counted together. */
static void share_ramp(kas_plan *plan, kas_plan *replica)
{
    kas_free(replica->ramp);
    replica->ramp = plan->ramp;
}

void kas_plan_add_replica(kas_plan *plan, kas_plan *replica)
{
    kas_plan *last = plan;
    while (last->next_replica)
        last = last->next_replica;
    last->next_replica = replica;
    replica->holder = plan;
    plan->replicated = replica->replicated = true;
    share_ramp(plan, replica);
}

/* ---- ramps ---- */

static bool is_same_ramp(const kas_plan_seed *a, const kas_plan_seed *b)
{
    return a->ramp && b->ramp && a->seed == b->seed && a->binding == b->binding &&
           a->ramp_length == b->ramp_length && a->ramp_curve == b->ramp_curve &&
           memcmp(&a->ramp_from, &b->ramp_from, sizeof a->ramp_from) == 0 &&
           memcmp(&a->ramp_to, &b->ramp_to, sizeof a->ramp_to) == 0;
}

bool kas_plan_same_ramp(const kas_plan *plan, const kas_plan *old)
{
    if (!plan->ramp || !old->ramp) return false;
    for (uint32_t i = 0; i < plan->seed_count; ++i)
        for (uint32_t j = 0; j < old->seed_count; ++j)
            if (is_same_ramp(&plan->seeds[i], &old->seeds[j])) return true;
    return false;
}

/* ---- segments ---- */

typedef struct resolver {
    kas_resolve_fn resolve;
    void *user;
} resolver;

static kas_list *list_of(const kas_plan *plan, const kas_segment *segment)
{
    return plan->fast ? kas_segment_fast_list(segment) : kas_segment_list(segment);
}

/* Blending in the base's product would take the device's fast one from it. */
static bool blends_in_product(const kas_plan *plan)
{
    return plan->fossil_count == 0 && kas_segment_get_info(plan->base)->single_linear &&
           plan->base_list == kas_segment_list(plan->base);
}

/* The segment of a resource, retained, and counted among the plan's resources. `what` is for messages. */
static kas_status take_segment(kas_plan *plan, const resolver *from, kas_resource resource, const char *what,
                               uint32_t seed, kas_segment **out)
{
    kas_segment *segment = from->resolve(from->user, resource);
    if (!segment)
        return kas_fail(KAS_INTERNAL, ENGINE, "layer %s: %s %u is resource %llu, which nobody holds",
                        plan->name, what, seed, (unsigned long long)resource);
    const kas_segment_info *info = kas_segment_get_info(segment);
    if (info->inputs != plan->inputs || info->outputs != plan->outputs)
        return kas_fail(KAS_INTERNAL, ENGINE, "layer %s maps %u to %u features, but %s %u maps %zu to %zu",
                        plan->name, plan->inputs, plan->outputs, what, seed, info->inputs, info->outputs);
    uintptr_t *uses = kas_id_map_add(&plan->exec->resources, resource);
    if (!uses) return kas_out_of_memory();
    ++*uses;
    plan->resources[plan->resource_count++] = resource;
    *out = kas_segment_retain(segment);
    return NULL;
}

static kas_status take_seeds(kas_plan *plan, const kas_published_layer *layer, const resolver *from)
{
    for (uint32_t i = 0; i < layer->seed_count; ++i) {
        const kas_published_seed *seed = &layer->seeds[i];
        kas_plan_seed *mine = &plan->seeds[plan->seed_count];
        KAS_TRY(take_segment(plan, from, seed->kernel, "the kernel of seed", seed->seed, &mine->segment));
        ++plan->seed_count;
        mine->seed = seed->seed;
        mine->binding = seed->binding;
        mine->list = list_of(plan, mine->segment);
        mine->alpha = seed->alpha;
        if (!seed->ramp || seed->ramp_done >= seed->ramp_length) continue;
        mine->ramp = true;
        mine->ramp_from = seed->ramp_from;
        mine->ramp_to = seed->ramp_to;
        mine->ramp_done = seed->ramp_done;
        mine->ramp_length = seed->ramp_length;
        mine->ramp_curve = seed->ramp_curve;
        uint32_t left = seed->ramp_length - seed->ramp_done;
        if (left > plan->ramp_steps_max) plan->ramp_steps_max = left;
    }
    return NULL;
}

static kas_status take_fossils(kas_plan *plan, const kas_published_layer *layer, const resolver *from)
{
    for (uint32_t i = 0; i < layer->fossil_count; ++i) {
        const kas_published_fossil *fossil = &layer->fossils[i];
        kas_plan_fossil *mine = &plan->fossils[plan->fossil_count];
        KAS_TRY(take_segment(plan, from, fossil->kernel, "the fossil of seed", fossil->seed, &mine->segment));
        ++plan->fossil_count;
        mine->seed = fossil->seed;
        mine->alpha = fossil->alpha;
        mine->binding = fossil->binding;
        mine->list = list_of(plan, mine->segment);
    }
    return NULL;
}

/* ---- lists and estimates ---- */

static kas_status record_lists(kas_plan *plan)
{
    const kas_arena_layout *layout = &plan->layout;
    kas_device *device = plan->set->device;
    kas_blend_shape shape = {.inputs = plan->inputs,
                             .outputs = plan->outputs,
                             .contributions = plan->seed_count,
                             .capacity_rows = layout->rows,
                             .stride_floats = layout->blend_stride / sizeof(float)};
    if (plan->seed_count > 0) {
        KAS_TRY(kas_judge_list(device, &shape, &plan->judge));
        KAS_TRY(kas_blend_list(device, &shape, &plan->blend));
        if (blends_in_product(plan))
            KAS_TRY(kas_linear_blend_list(device, plan->base, &shape, &plan->linear_blend));
    }
    if (plan->fossil_count == 0) return NULL;
    shape.contributions = 1;
    shape.stride_floats = (size_t)layout->rows * plan->outputs;
    KAS_TRY(kas_judge_list(device, &shape, &plan->fossil_judge));
    return kas_blend_list(device, &shape, &plan->fossil_blend);
}

static double ns_per_row(const kas_segment *segment)
{
    return kas_segment_get_info(segment)->ns_per_row;
}

static void estimate(kas_plan *plan)
{
    plan->base_ns_per_row = ns_per_row(plan->base);
    for (uint32_t i = 0; i < plan->fossil_count; ++i)
        plan->base_ns_per_row += ns_per_row(plan->fossils[i].segment) + plan->outputs;
    plan->full_ns_per_row = plan->base_ns_per_row;
    for (uint32_t i = 0; i < plan->seed_count; ++i)
        plan->full_ns_per_row += ns_per_row(plan->seeds[i].segment) + plan->outputs;
}

/* ---- making and freeing ---- */

static bool is_dormant(const kas_plan *plan)
{
    if (plan->fossil_count > 0 || plan->ramp_steps_max > 0) return false;
    for (uint32_t i = 0; i < plan->seed_count; ++i)
        if (plan->seeds[i].alpha > 0.0f) return false;
    return true;
}

static void free_memory(kas_plan *plan)
{
    kas_free(plan->resources);
    kas_free(plan->fossils);
    kas_free(plan->seeds);
    if (plan->holder == plan) kas_free(plan->ramp);
    kas_free(plan);
}

static kas_status allocate(kas_exec *exec, const kas_published_layer *layer, kas_plan **out)
{
    kas_plan *plan = *out = kas_calloc(1, sizeof *plan);
    if (!plan) return kas_out_of_memory();
    plan->exec = exec;
    plan->holder = plan;
    plan->uid = layer->uid;
    plan->generation = layer->generation;
    plan->inputs = layer->input_size;
    plan->outputs = layer->output_size;
    plan->serving = layer->serving;
    plan->fast = layer->math == KAS_MATH_FAST;
    memcpy(plan->name, layer->name, sizeof plan->name);
    plan->name_length = (uint32_t)strlen(plan->name);
    plan->name_hash = kas_name_hash(plan->name, plan->name_length);
    plan->seeds = kas_calloc(layer->seed_count + 1u, sizeof *plan->seeds);
    plan->fossils = kas_calloc(layer->fossil_count + 1u, sizeof *plan->fossils);
    plan->resources =
        kas_calloc((size_t)layer->seed_count + layer->fossil_count + 1u, sizeof *plan->resources);
    if (plan->seeds && plan->fossils && plan->resources) return NULL;
    free_memory(plan);
    return kas_out_of_memory();
}

static bool device_is_full(kas_status status)
{
    return kas_status_code(status) == KAS_OUT_OF_MEMORY && kas_status_blame(status) == KAS_BLAME_DEVICE;
}

/* Lays the plan out for so many rows of a submission, and has workspaces for it. */
static kas_status take_workspaces(kas_plan *plan, uint32_t rows, bool small)
{
    kas_workspace_pool *pool;
    KAS_TRY(kas_plan_lay_out(plan, rows, small));
    KAS_TRY(kas_workspace_pool_get(&plan->exec->pools, plan->set, plan->layout.total_bytes,
                                   plan->layout.mirror_bytes, &pool));
    plan->pool = pool;
    return NULL;
}

/* For half as many rows again and again, until the device has room or they are taken that others have there.
 */
static kas_status take_smaller_workspaces(kas_plan *plan, kas_status status)
{
    while (device_is_full(status) && plan->layout.rows > 1) {
        kas_status_free(status);
        status = take_workspaces(plan, plan->layout.rows / 2, true);
    }
    return status;
}

static kas_status compose(kas_plan *plan, const kas_published_layer *layer, kas_device *device,
                          const resolver *from, bool whole)
{
    kas_exec *exec = plan->exec;
    KAS_TRY(kas_exec_contexts(exec, device, &plan->set));
    KAS_TRY(kas_layer_record_get(&exec->records, layer->uid, plan->set, &plan->record));
    plan->counters = plan->record->counters[plan->set->index];
    KAS_TRY(take_segment(plan, from, layer->weights, "the base of generation", (uint32_t)layer->generation,
                         &plan->base));
    KAS_TRY(take_fossils(plan, layer, from));
    KAS_TRY(take_seeds(plan, layer, from));
    plan->base_list = list_of(plan, plan->base);
    plan->needs_work = kas_segment_get_info(plan->base)->work_bytes > 0;
    plan->dormant = is_dormant(plan);
    if (plan->ramp_steps_max > 0) {
        plan->ramp = kas_calloc(1, sizeof *plan->ramp);
        if (!plan->ramp) return kas_out_of_memory();
    }
    kas_status status = take_workspaces(plan, exec->options.rows_max, false);
    if (!whole) status = take_smaller_workspaces(plan, status);
    KAS_TRY(status);
    KAS_TRY(record_lists(plan));
    estimate(plan);
    return NULL;
}

static kas_status create(kas_exec *exec, const kas_published_layer *layer, kas_device *device,
                         const resolver *from, bool whole, kas_plan **out)
{
    kas_plan *plan;
    KAS_TRY(allocate(exec, layer, &plan));
    if (plan->fast) (void)kas_device_fast_types(device); /* without the lock: it may take a second */
    pthread_mutex_lock(&exec->control_lock);
    kas_status status = compose(plan, layer, device, from, whole);
    pthread_mutex_unlock(&exec->control_lock);
    if (status) {
        kas_plan_destroy(plan);
        return kas_annotate(status, "composing the plan of layer %s", layer->name);
    }
    *out = plan;
    return NULL;
}

kas_status kas_plan_create(kas_exec *exec, const kas_published_layer *layer, kas_device *device,
                           kas_resolve_fn resolve, void *user, kas_plan **out)
{
    return create(exec, layer, device, &(resolver){.resolve = resolve, .user = user}, false, out);
}

kas_status kas_plan_create_whole(kas_exec *exec, const kas_published_layer *layer, kas_device *device,
                                 kas_resolve_fn resolve, void *user, kas_plan **out)
{
    return create(exec, layer, device, &(resolver){.resolve = resolve, .user = user}, true, out);
}

/* Drops the plan's references; moves those that were the last to the front of plan->resources. Returns how
 * many. */
static uint32_t drop_resources(kas_plan *plan)
{
    uint32_t drained = 0;
    for (uint32_t i = 0; i < plan->resource_count; ++i) {
        uintptr_t *uses = kas_id_map_find(&plan->exec->resources, plan->resources[i]);
        if (--*uses > 0) continue;
        kas_id_map_remove(&plan->exec->resources, plan->resources[i]);
        plan->resources[drained++] = plan->resources[i];
    }
    return drained;
}

static void release_parts(kas_plan *plan)
{
    kas_segment_release(plan->base);
    for (uint32_t i = 0; i < plan->seed_count; ++i)
        kas_segment_release(plan->seeds[i].segment);
    for (uint32_t i = 0; i < plan->fossil_count; ++i)
        kas_segment_release(plan->fossils[i].segment);
    kas_list_release(plan->judge);
    kas_list_release(plan->blend);
    kas_list_release(plan->linear_blend);
    kas_list_release(plan->fossil_judge);
    kas_list_release(plan->fossil_blend);
}

static void destroy_one(kas_plan *plan)
{
    kas_exec *exec = plan->exec;
    release_parts(plan);
    pthread_mutex_lock(&exec->control_lock);
    kas_workspace_pool_release(&exec->pools, (kas_workspace_pool *)plan->pool);
    if (plan->record) kas_layer_record_release(&exec->records, plan->record);
    uint32_t drained = drop_resources(plan);
    pthread_mutex_unlock(&exec->control_lock);
    for (uint32_t i = 0; i < drained && exec->options.drained; ++i)
        exec->options.drained(exec->options.user, plan->resources[i]);
    free_memory(plan);
}

void kas_plan_destroy(kas_plan *plan)
{
    for (kas_plan *next; plan; plan = next) {
        next = plan->next_replica;
        destroy_one(plan);
    }
}
