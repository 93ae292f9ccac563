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
enum { KAS_LATENCY_BUCKETS = 32 + 25 * 32 };

typedef struct kas_counters {
    _Atomic uint64_t calls, rows;
    _Atomic uint64_t executions, failures, kernel_ns;
    _Atomic uint64_t latency_ns, latency_max_ns;
    _Atomic uint64_t buckets[KAS_LATENCY_BUCKETS];
} __attribute__((aligned(KAS_CACHE_LINE))) kas_counters;

typedef struct kas_counter_sum {
    uint64_t calls, rows, executions, failures, kernel_ns, latency_ns, latency_max_ns;
    uint64_t buckets[KAS_LATENCY_BUCKETS];
} kas_counter_sum;

/* An ended pass, in its layer's and in all passes' counters: its rows and how long its caller waited for it.
 */
void kas_counters_pass(kas_counters *layer, kas_counters *all, uint64_t rows, uint64_t latency_ns);
/* Runs of seeds' kernels in a pass. */
void kas_counters_kernels(kas_counters *counters, uint64_t executions, uint64_t failures, uint64_t kernel_ns);

void kas_counter_sum_add(kas_counter_sum *sum, const kas_counters *counters);
void kas_counter_sum_stats(const kas_counter_sum *sum,
                           kas_exec_stats *out); /* all but failed_calls, results_dropped */

#endif
