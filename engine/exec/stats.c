/* Counting passes; see stats.h. */
#include "engine/exec/stats.h"

/* The middle of a bucket. */
static double bucket_ns(uint32_t bucket)
{
    if (bucket < KAS_LATENCY_SUB_BUCKETS) return ((double)bucket + 0.5) * (1 << KAS_LATENCY_UNIT_SHIFT);
    uint32_t octave = bucket / KAS_LATENCY_SUB_BUCKETS - 1;
    double units =
        (double)((uint64_t)(KAS_LATENCY_SUB_BUCKETS + bucket % KAS_LATENCY_SUB_BUCKETS) << octave) +
        0.5 * (double)(1ull << octave);
    return units * (1 << KAS_LATENCY_UNIT_SHIFT);
}

void kas_counters_kernels(kas_counters *counters, uint64_t executions, uint64_t failures, uint64_t kernel_ns)
{
    kas_counter_add(&counters->executions, executions);
    kas_counter_add(&counters->failures, failures);
    kas_counter_add(&counters->kernel_ns, kernel_ns);
}

uint64_t kas_counters_calls(const kas_counters *counters)
{
    uint64_t calls = 0;
    for (uint32_t i = 0; i < KAS_LATENCY_BUCKETS; ++i)
        calls += kas_counter_get(&counters->buckets[i]);
    return calls;
}

void kas_counter_sum_add(kas_counter_sum *sum, const kas_counters *counters)
{
    uint64_t max_ns = kas_counter_get(&counters->latency_max_ns);
    int64_t last_ns = atomic_load_explicit(&counters->last_ns, memory_order_relaxed);
    sum->rows += kas_counter_get(&counters->rows);
    sum->executions += kas_counter_get(&counters->executions);
    sum->failures += kas_counter_get(&counters->failures);
    sum->kernel_ns += kas_counter_get(&counters->kernel_ns);
    sum->latency_ns += kas_counter_get(&counters->latency_ns);
    sum->queue_ns += kas_counter_get(&counters->queue_ns);
    if (max_ns > sum->latency_max_ns) sum->latency_max_ns = max_ns;
    if (last_ns > sum->last_ns) sum->last_ns = last_ns;
    for (uint32_t i = 0; i < KAS_LATENCY_BUCKETS; ++i)
        sum->buckets[i] += kas_counter_get(&counters->buckets[i]);
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
    uint64_t count = 0;
    for (uint32_t i = 0; i < KAS_LATENCY_BUCKETS; ++i)
        count += sum->buckets[i];
    *out = (kas_exec_stats){
        .forward_calls = count,
        .rows = sum->rows,
        .kernel_executions = sum->executions,
        .kernel_failures = sum->failures,
        .kernel_ns = sum->kernel_ns,
        .queue_ns = sum->queue_ns,
        .last_ns = sum->last_ns,
        .latency.count = count,
    };
    if (count == 0) return;
    out->latency.mean_us = (double)sum->latency_ns / (double)count / 1000.0;
    out->latency.p50_us = percentile_us(sum, count, 0.50);
    out->latency.p90_us = percentile_us(sum, count, 0.90);
    out->latency.p99_us = percentile_us(sum, count, 0.99);
    out->latency.max_us = (double)sum->latency_max_ns / 1000.0;
}
