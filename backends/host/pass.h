/* The launches that run between two waits, spread over threads.
 *
 * Where a stretch of launches can be run on a range of rows, and rows are many, each thread takes ranges of
 * rows through the whole stretch: threads meet once, and what a launch hands to the next stays in a
 * processor's own cache; in a pass that is large, it ends before weights that are too. Where rows are few,
 * submissions that are apart are divided among the threads: each reads weights that stay in its processor's
 * cache from pass to pass. Elsewhere threads share each launch in turn. What launches of one list share is
 * laid out in rows of one size (kas_list_create), so ranges do not meet; different lists lay one workspace
 * out in different ways, so a stretch ends between them. */
#ifndef KAS_HOST_PASS_H
#define KAS_HOST_PASS_H

#include "backends/core/backend.h"
#include "backends/host/pool.h"

/* A launch with its memory. */
typedef struct kas_host_step {
    kas_host_task task; /* of all rows */
    kas_host_plan *plan;
    const kas_list *list;
    uint32_t launch;          /* in the list */
    const void *work;         /* KAS_SLOT_WORK of its submission; NULL: the list has none */
    const void *y;            /* KAS_SLOT_Y, likewise */
    kas_host_witness witness; /* once it is called: the task's */
    bool by_rows;             /* it may be run on a range of rows */
    bool apart;               /* kas_submission.apart */
} kas_host_step;

/* Runs steps in order, all of them for the same rows, and adds submissions that have completed to *progress.
 * A status of KAS_DEADLINE when it gets later than deadline_ns; nothing runs any more then. */
kas_status kas_host_pass_run(kas_host_pool *pool, kas_host_job *job, kas_host_step *steps, size_t count,
                             int64_t deadline_ns, kas_progress *progress) KAS_MUST_USE;

#endif
