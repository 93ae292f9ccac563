/* What outlives a layer's plans: its counters, and when its kernels' outputs are sampled next.
 *
 * Threads: found, made and released under the executor's control lock; a plan holds its layer's record, so
 * passes use it without. */
#ifndef KAS_EXEC_LAYER_H
#define KAS_EXEC_LAYER_H

#include "engine/exec/context.h"
#include "engine/exec/id_map.h"

typedef struct kas_layer_record {
    uint64_t uid;
    uint32_t uses;  /* plans */
    bool published; /* the present root has a plan of it */
    bool changing;  /* kas_exec_publish replaces or removes it; only set within that call */
    _Atomic uint64_t failed_calls;
    _Atomic int64_t next_sample_ns;                        /* monotonic */
    _Atomic uint64_t rows_in_flight[KAS_CONTEXT_SETS_MAX]; /* on each device; of replicated plans only */
    kas_counters *counters[KAS_CONTEXT_SETS_MAX]; /* of each context; NULL: no plan was on that device */
    void *blocks[KAS_CONTEXT_SETS_MAX];           /* that `counters` point into */
    uint32_t counts[KAS_CONTEXT_SETS_MAX];
} kas_layer_record;

/* The record of a uid, with counters for a set of contexts; retained. */
kas_status kas_layer_record_get(kas_id_map *records, uint64_t uid, const kas_context_set *set,
                                kas_layer_record **out) KAS_MUST_USE;
void kas_layer_record_release(kas_id_map *records, kas_layer_record *record);

void kas_layer_record_stats(const kas_layer_record *record, kas_exec_stats *out);

#endif
