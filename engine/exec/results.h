/* What passes report to the control plane: a bounded ring that any pass writes and the control thread
 * empties. When it is full the oldest result is dropped and counted.
 *
 * Threads: push from any, take from one thread at a time. No locks. */
#ifndef KAS_EXEC_RESULTS_H
#define KAS_EXEC_RESULTS_H

#include <stdatomic.h>

#include "base/alloc.h"
#include "engine/exec/exec.h"

typedef struct kas_result_cell {
    _Atomic uint64_t turn; /* 2·lap: to be written in that lap; 2·lap + 1: written */
    kas_pass_result result;
} kas_result_cell;

typedef struct kas_results {
    kas_result_cell *cells;
    uint64_t mask;
    uint32_t lap_shift;
    _Alignas(KAS_CACHE_LINE) _Atomic uint64_t tail; /* next to write */
    _Alignas(KAS_CACHE_LINE) _Atomic uint64_t head; /* next to take */
    _Alignas(KAS_CACHE_LINE) _Atomic uint64_t dropped;
    _Atomic bool told; /* the control thread knows that results wait */
} kas_results;

/* `capacity` is rounded up to a power of two. */
kas_status kas_results_init(kas_results *results, uint32_t capacity) KAS_MUST_USE;
void kas_results_finish(kas_results *results);

void kas_results_push(kas_results *results, const kas_pass_result *result);
/* After pushing: true when nobody has told the control thread since it last took. */
bool kas_results_must_tell(kas_results *results);
size_t kas_results_take(kas_results *results, kas_pass_result *out, size_t capacity);

#endif
