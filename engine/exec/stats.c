/* Counting passes; see stats.h. */
#include "engine/exec/stats.h"

enum { UNIT_SHIFT = 5, SUB_SHIFT = 5, SUB_BUCKETS = 1 << SUB_SHIFT };

/* Plain additions, not atomic ones: a counter has one writer. */
static inline void add(_Atomic uint64_t *counter, uint64_t value)
{
    uint64_t present = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, present + value, memory_order_relaxed);
}

static inline uint64_t get(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static inline uint32_t bucket_of(uint64_t ns)
{
    uint64_t units = ns >> UNIT_SHIFT;
    if (units < SUB_BUCKETS) return (uint32_t)units;
    uint32_t octave = 63u - (uint32_t)__builtin_clzll(units) - SUB_SHIFT;
    uint32_t bucket = SUB_BUCKETS + octave * SUB_BUCKETS + (uint32_t)((units >> octave) & (SUB_BUCKETS - 1));
    return bucket < KAS_LATENCY_BUCKETS ? bucket : KAS_LATENCY_BUCKETS - 1;
}

/* The middle of a bucket. */
static double bucket_ns(uint32_t bucket)
{
    if (bucket < SUB_BUCKETS) return ((double)bucket + 0.5) * (1 << UNIT_SHIFT);
    uint32_t octave = bucket / SUB_BUCKETS - 1;
    double units =
        (double)((uint64_t)(SUB_BUCKETS + bucket % SUB_BUCKETS) << octave) + 0.5 * (double)(1ull << octave);
    return units * (1 << UNIT_SHIFT);
}

static inline void count_pass(kas_counters *counters, uint64_t rows, uint64_t latency_ns, uint32_t bucket)
{
    add(&counters->calls, 1);
    add(&counters->rows, rows);
    add(&counters->latency_ns, latency_ns);
    add(&counters->buckets[bucket], 1);
    if (latency_ns > get(&counters->latency_max_ns))
        atomic_store_explicit(&counters->latency_max_ns, latency_ns, memory_order_relaxed);
}

void kas_counters_pass(kas_counters *layer, kas_counters *all, uint64_t rows, uint64_t latency_ns)
{
    uint32_t bucket = bucket_of(latency_ns);
    count_pass(layer, rows, latency_ns, bucket);
    count_pass(all, rows, latency_ns, bucket);
}

void kas_counters_kernels(kas_counters *counters, uint64_t executions, uint64_t failures, uint64_t kernel_ns)
{
    add(&counters->executions, executions);
    add(&counters->failures, failures);
    add(&counters->kernel_ns, kernel_ns);
}

void kas_counter_sum_add(kas_counter_sum *sum, const kas_counters *counters)
{
    uint64_t max_ns = get(&counters->latency_max_ns);
    sum->calls += get(&counters->calls);
    sum->rows += get(&counters->rows);
    sum->executions += get(&counters->executions);
    sum->failures += get(&counters->failures);
    sum->kernel_ns += get(&counters->kernel_ns);
    sum->latency_ns += get(&counters->latency_ns);
    if (max_ns > sum->latency_max_ns) sum->latency_max_ns = max_ns;
    for (uint32_t i = 0; i < KAS_LATENCY_BUCKETS; ++i)
        sum->buckets[i] += get(&counters->buckets[i]);
}

/* The latency that `share` of the passes did not exceed. */
static double percentile_us(const kas_counter_sum *sum, uint64_t count, double share)
{
    uint64_t rank = (uint64_t)(share * (double)count), seen = 0;
    for (uint32_t i = 0; i < KAS_LATENCY_BUCKETS; ++i) {
        seen += sum->buckets[i];
        if (seen <= rank) continue;
        double ns = bucket_ns(i), max_ns = (double)sum->latency_max_ns;
        return (ns < max_ns ? ns : max_ns) / 1000.0;
    }
    return (double)sum->latency_max_ns / 1000.0;
}

void kas_counter_sum_stats(const kas_counter_sum *sum, kas_exec_stats *out)
{
    uint64_t count = 0; /* what the histogram has: a pass may have ended between reading it and `calls` */
    for (uint32_t i = 0; i < KAS_LATENCY_BUCKETS; ++i)
        count += sum->buckets[i];
    *out = (kas_exec_stats){
        .forward_calls = sum->calls,
        .rows = sum->rows,
        .kernel_executions = sum->executions,
        .kernel_failures = sum->failures,
        .kernel_ns = sum->kernel_ns,
        .latency.count = count,
    };
    if (count == 0) return;
    out->latency.mean_us = (double)sum->latency_ns / (double)count / 1000.0;
    out->latency.p50_us = percentile_us(sum, count, 0.50);
    out->latency.p90_us = percentile_us(sum, count, 0.90);
    out->latency.p99_us = percentile_us(sum, count, 0.99);
    out->latency.max_us = (double)sum->latency_max_ns / 1000.0;
}
