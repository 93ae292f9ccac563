/* The ring is Vyukov's bounded queue: each cell carries the turn that it waits for, so a producer that has
 * been interrupted holds up the cell that it claimed and nothing else. Turns count laps, so that memory
 * straight from calloc is an empty ring: an idle engine touches none of it. */
#include "engine/exec/results.h"

kas_status kas_results_init(kas_results *results, uint32_t capacity)
{
    uint32_t shift = 1;
    while (shift < 31 && (1u << shift) < capacity)
        ++shift;
    results->cells = kas_calloc((size_t)1 << shift, sizeof *results->cells);
    if (!results->cells) return kas_out_of_memory();
    results->mask = (1ull << shift) - 1;
    results->lap_shift = shift;
    return NULL;
}

void kas_results_finish(kas_results *results)
{
    kas_free(results->cells);
    results->cells = NULL;
}

/* False when there is nothing to take, or its producer has not finished writing it. */
static bool take_one(kas_results *results, kas_pass_result *out)
{
    uint64_t at = atomic_load_explicit(&results->head, memory_order_relaxed);
    for (;;) {
        kas_result_cell *cell = &results->cells[at & results->mask];
        uint64_t lap = at >> results->lap_shift;
        int64_t ahead = (int64_t)(atomic_load_explicit(&cell->turn, memory_order_acquire) - (2 * lap + 1));
        if (ahead < 0) return false;
        if (ahead > 0) {
            at = atomic_load_explicit(&results->head, memory_order_relaxed);
            continue;
        }
        if (!atomic_compare_exchange_weak_explicit(&results->head, &at, at + 1, memory_order_relaxed,
                                                   memory_order_relaxed))
            continue;
        *out = cell->result;
        atomic_store_explicit(&cell->turn, 2 * (lap + 1), memory_order_release);
        return true;
    }
}

void kas_results_push(kas_results *results, const kas_pass_result *result)
{
    uint64_t at = atomic_load_explicit(&results->tail, memory_order_relaxed);
    for (;;) {
        kas_result_cell *cell = &results->cells[at & results->mask];
        uint64_t lap = at >> results->lap_shift;
        int64_t ahead = (int64_t)(atomic_load_explicit(&cell->turn, memory_order_acquire) - 2 * lap);
        if (ahead <
            0) { /* full: make room; where the oldest is still being written this one is lost instead */
            kas_pass_result oldest;
            bool dropped = take_one(results, &oldest);
            atomic_fetch_add_explicit(&results->dropped, 1, memory_order_relaxed);
            if (!dropped) return;
        }
        if (ahead != 0) {
            at = atomic_load_explicit(&results->tail, memory_order_relaxed);
            continue;
        }
        if (!atomic_compare_exchange_weak_explicit(&results->tail, &at, at + 1, memory_order_relaxed,
                                                   memory_order_relaxed))
            continue;
        cell->result = *result;
        atomic_store_explicit(&cell->turn, 2 * lap + 1, memory_order_release);
        return;
    }
}

bool kas_results_must_tell(kas_results *results)
{
    return !atomic_exchange_explicit(&results->told, true, memory_order_seq_cst);
}

size_t kas_results_take(kas_results *results, kas_pass_result *out, size_t capacity)
{
    /* Before looking: what is pushed after the look below then tells again. */
    atomic_store_explicit(&results->told, false, memory_order_seq_cst);
    size_t count = 0;
    while (count < capacity && take_one(results, &out[count]))
        ++count;
    return count;
}
