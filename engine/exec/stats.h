/* Counters and latency histograms of passes. Every execution context has its own (one of the engine and one a
 * layer), so that counting writes no line that another pass writes; whoever reads adds them up.
 *
 * Threads: one writer a kas_counters (the pass that holds the context), any number of readers. */
#ifndef KAS_EXEC_STATS_H
#define KAS_EXEC_STATS_H

#include <stdatomic.h>

#include "base/alloc.h"
#include "engine/exec/exec.h"

/* Log-linear: 32 buckets of 32 ns, then 32 an octave up to 34 s: an error of at most 1/64 from half a
 * microsecond on. */
enum {
    KAS_LATENCY_UNIT_SHIFT = 5,
    KAS_LATENCY_SUB_SHIFT = 5,
    KAS_LATENCY_SUB_BUCKETS = 1 << KAS_LATENCY_SUB_SHIFT,
    KAS_LATENCY_BUCKETS = KAS_LATENCY_SUB_BUCKETS + 25 * KAS_LATENCY_SUB_BUCKETS
};

typedef struct kas_counters {
    _Atomic uint64_t rows;
    _Atomic uint64_t executions, failures, kernel_ns;
    _Atomic uint64_t latency_ns, latency_max_ns;
    _Atomic uint64_t queue_ns;
    _Atomic int64_t last_ns; /* when the last pass ended, monotonic; 0: there was none */
    _Atomic uint64_t buckets[KAS_LATENCY_BUCKETS]; /* passes by latency: together all that ended */
} __attribute__((aligned(KAS_CACHE_LINE))) kas_counters;

typedef struct kas_counter_sum {
    uint64_t rows, executions, failures, kernel_ns, latency_ns, latency_max_ns, queue_ns;
    int64_t last_ns;
    uint64_t buckets[KAS_LATENCY_BUCKETS];
} kas_counter_sum;

/* Plain additions, not atomic ones: a counter has one writer. */
static inline void kas_counter_add(_Atomic uint64_t *counter, uint64_t value)
{
    uint64_t present = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, present + value, memory_order_relaxed);
}

static inline uint64_t kas_counter_get(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static inline uint32_t kas_latency_bucket(uint64_t ns)
{
    uint64_t units = ns >> KAS_LATENCY_UNIT_SHIFT;
    if (units < KAS_LATENCY_SUB_BUCKETS) return (uint32_t)units;
    uint32_t octave = 63u - (uint32_t)__builtin_clzll(units) - KAS_LATENCY_SUB_SHIFT;
    uint32_t bucket = KAS_LATENCY_SUB_BUCKETS * (octave + 1) +
                      (uint32_t)((units >> octave) & (KAS_LATENCY_SUB_BUCKETS - 1));
    return bucket < KAS_LATENCY_BUCKETS ? bucket : KAS_LATENCY_BUCKETS - 1;
}

/* A pass that ended at `now_ns`: its rows and how long its caller waited for it (and the bucket of that). */
static inline void kas_counters_pass(kas_counters *counters, uint64_t rows, uint64_t latency_ns,
                                     uint32_t bucket, int64_t now_ns)
{
    kas_counter_add(&counters->rows, rows);
    kas_counter_add(&counters->latency_ns, latency_ns);
    kas_counter_add(&counters->buckets[bucket], 1);
    atomic_store_explicit(&counters->last_ns, now_ns, memory_order_relaxed);
    if (latency_ns > kas_counter_get(&counters->latency_max_ns))
        atomic_store_explicit(&counters->latency_max_ns, latency_ns, memory_order_relaxed);
}

/* Passes that have ended. */
uint64_t kas_counters_calls(const kas_counters *counters);

/* Runs of seeds' kernels in a pass. */
void kas_counters_kernels(kas_counters *counters, uint64_t executions, uint64_t failures, uint64_t kernel_ns);

void kas_counter_sum_add(kas_counter_sum *sum, const kas_counters *counters);
void kas_counter_sum_stats(const kas_counter_sum *sum,
                           kas_exec_stats *out); /* all but failed_calls, results_dropped */

#endif
