/* The executor itself: what the files of this room share. */
#ifndef KAS_EXEC_EXECUTOR_H
#define KAS_EXEC_EXECUTOR_H

#include <pthread.h>

#include "engine/exec/batcher.h"
#include "engine/exec/context.h"
#include "engine/exec/id_map.h"
#include "engine/exec/loss.h"
#include "engine/exec/results.h"
#include "engine/exec/root.h"
#include "engine/exec/workspace.h"

struct kas_exec {
    kas_exec_options options; /* defaults filled in */
    kas_publication publication;

    /* Guards records, resources, pools and the making of context sets. Passes never take it. */
    pthread_mutex_t control_lock;
    kas_id_map records;   /* layer uid → kas_layer_record */
    kas_id_map resources; /* resource → how many plans use it */
    kas_workspace_pool *pools;

    _Atomic(kas_context_set *) sets[KAS_CONTEXT_SETS_MAX]; /* never replaced; the first `set_count` */
    _Atomic uint32_t set_count;

    kas_batcher batcher;
    bool batching;    /* the batcher was started */
    bool stopped;     /* the control thread's */
    kas_root *closed; /* the root of the end, made at the start: stopping cannot fail */
    kas_results results;
    _Atomic uint64_t failed_calls;
};

/* The contexts of a device, made if need be. Under the control lock. */
kas_status kas_exec_contexts(kas_exec *exec, kas_device *device, kas_context_set **out) KAS_MUST_USE;

#endif
