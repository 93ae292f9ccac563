/* The executor's life, and what it tells of itself. */
#include "engine/exec/executor.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine/exec/plan.h"

enum { CONTEXTS_MAX = 4096, RUNNERS_MAX = 1024, ROWS_MAX = 1 << 20 };

static uint32_t cores(void)
{
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count < 1 ? 1 : count > RUNNERS_MAX ? RUNNERS_MAX : (uint32_t)count;
}

static kas_status fill_in(kas_exec_options *options)
{
    if (options->contexts == 0) options->contexts = 2 * cores() + 2;
    if (options->runners == 0) options->runners = cores();
    if (options->rows_max == 0) options->rows_max = 1024;
    if (options->deadline_ns == 0) options->deadline_ns = 10 * KAS_NS_PER_S;
    if (options->results_capacity == 0) options->results_capacity = 65536;
    if (options->contexts > CONTEXTS_MAX || options->runners > RUNNERS_MAX || options->rows_max > ROWS_MAX ||
        options->deadline_ns < 0)
        return kas_fail(
            KAS_INVALID_ARGUMENT, CALLER,
            "%u contexts (at most %d), %u runners (at most %d), %u rows a submission (at most %d), "
            "a deadline of %lld ns (more than 0)",
            options->contexts, CONTEXTS_MAX, options->runners, RUNNERS_MAX, options->rows_max, ROWS_MAX,
            (long long)options->deadline_ns);
    return NULL;
}

kas_status kas_exec_create(const kas_exec_options *options, kas_exec **out)
{
    kas_exec_options filled = options ? *options : (kas_exec_options){0};
    KAS_TRY(fill_in(&filled));
    kas_exec *exec = kas_alloc_aligned(KAS_CACHE_LINE, sizeof *exec);
    if (!exec) return kas_out_of_memory();
    memset(exec, 0, sizeof *exec);
    exec->options = filled;
    pthread_mutex_init(&exec->control_lock, NULL);
    kas_status status = kas_results_init(&exec->results, filled.results_capacity);
    if (!status) status = kas_publication_init(&exec->publication);
    if (!status) {
        exec->closed = kas_root_create_closed();
        if (!exec->closed) status = kas_out_of_memory();
    }
    if (!status) {
        exec->batching = true;
        status = kas_batcher_init(exec);
    }
    if (status) {
        kas_exec_destroy(exec);
        return kas_annotate(status, "starting the executor");
    }
    *out = exec;
    return NULL;
}

/* Takes every context for good, as passes in flight give them back; those of devices that hang stay where
 * they are. */
static void take_all_contexts(kas_exec *exec)
{
    static const struct timespec pause = {.tv_nsec = 1000 * 1000};
    for (uint32_t s = 0; s < atomic_load(&exec->set_count); ++s) {
        kas_context_set *set = atomic_load(&exec->sets[s]);
        for (uint32_t i = 0; i < set->count; ++i)
            while (!kas_context_take_for_good(&set->contexts[i]))
                (void)nanosleep(&pause, NULL);
    }
}

void kas_exec_stop(kas_exec *exec)
{
    if (exec->stopped) return;
    exec->stopped = true;
    if (exec->closed) kas_publication_close(exec, exec->closed);
    if (exec->batching) kas_batcher_stop(exec);
    take_all_contexts(exec);
    kas_exec_give_up(exec);
}

void kas_exec_destroy(kas_exec *exec)
{
    if (!exec) return;
    kas_exec_stop(exec);
    kas_publication_finish(exec);
    for (uint32_t s = 0; s < atomic_load(&exec->set_count); ++s)
        kas_context_set_destroy(atomic_load(&exec->sets[s]));
    if (exec->batching) kas_batcher_finish(exec);
    kas_results_finish(&exec->results);
    kas_id_map_finish(&exec->records);
    kas_id_map_finish(&exec->resources);
    pthread_mutex_destroy(&exec->control_lock);
    kas_free(exec);
}

kas_status kas_exec_contexts(kas_exec *exec, kas_device *device, kas_context_set **out)
{
    uint32_t count = atomic_load(&exec->set_count);
    for (uint32_t s = 0; s < count; ++s) {
        kas_context_set *set = atomic_load(&exec->sets[s]);
        if (set->device != device) continue;
        *out = set;
        return NULL;
    }
    if (count == KAS_CONTEXT_SETS_MAX)
        return kas_fail(KAS_TOO_LARGE, CALLER, "layers are on %d devices already; %s would be one more",
                        KAS_CONTEXT_SETS_MAX, kas_device_id(device));
    kas_context_set *set;
    KAS_TRY(kas_context_set_create(device, count, exec->options.contexts, &set));
    atomic_store(&exec->sets[count], set);
    atomic_store(&exec->set_count, count + 1);
    *out = set;
    return NULL;
}

/* ---- what passes report ---- */

size_t kas_exec_take_results(kas_exec *exec, kas_pass_result *out, size_t capacity)
{
    return kas_results_take(&exec->results, out, capacity);
}

size_t kas_exec_take_ramp_progress(kas_exec *exec, kas_ramp_progress *out, size_t capacity)
{
    if (exec->publication.ramping == 0) return 0;
    size_t count = 0;
    const kas_root *root = atomic_load(&exec->publication.root);
    for (size_t at = 0; at <= root->mask && count < capacity; ++at) {
        const kas_plan *plan = root->table[at].plan;
        if (!plan || !plan->ramp) continue;
        uint32_t steps = kas_plan_steps(plan);
        if (steps == plan->ramp->taken) continue;
        out[count++] = (kas_ramp_progress){.layer_uid = plan->uid, .steps = steps};
        plan->ramp->taken = steps;
    }
    return count;
}

bool kas_exec_layer_stats(kas_exec *exec, uint64_t layer_uid, kas_exec_stats *out)
{
    pthread_mutex_lock(&exec->control_lock);
    const uintptr_t *place = kas_id_map_find(&exec->records, layer_uid);
    const kas_layer_record *record = place ? (const kas_layer_record *)*place : NULL;
    bool found = record && record->published;
    if (found) kas_layer_record_stats(record, out);
    pthread_mutex_unlock(&exec->control_lock);
    return found;
}

void kas_exec_total_stats(kas_exec *exec, kas_exec_stats *out)
{
    kas_counter_sum sum = {0};
    for (uint32_t s = 0; s < atomic_load(&exec->set_count); ++s) {
        const kas_context_set *set = atomic_load(&exec->sets[s]);
        for (uint32_t i = 0; i < set->count; ++i)
            kas_counter_sum_add(&sum, set->contexts[i].counters);
    }
    kas_counter_sum_stats(&sum, out);
    out->failed_calls = atomic_load_explicit(&exec->failed_calls, memory_order_relaxed);
    out->results_dropped = atomic_load_explicit(&exec->results.dropped, memory_order_relaxed);
}
