/* A pass: one request on its way through the executor; and a batch: passes of one layer that are computed
 * together.
 *
 * Threads: a pass belongs to one thread at a time: its caller's, or that of the batch it is in. */
#ifndef KAS_EXEC_PASS_H
#define KAS_EXEC_PASS_H

#include "engine/exec/plan.h"
#include "engine/exec/root.h"

typedef struct kas_pass {
    const kas_forward_request *request;
    kas_forward_result *result;
    int64_t arrived_ns, started_ns; /* monotonic; started: when it got a context */
    kas_status status;
    struct kas_pass *next; /* in a batch */
    bool again; /* its device is lost, or hangs: it is computed on another, and `status` is not its answer */
    uint64_t after;        /* in a root after this one, as there was no device for it in that; 0: in any */
    int64_t hold_until_ns; /* monotonic: how long it waits for such a root; 0: it does not */

    /* once prepared */
    uint64_t rows;
    const float *x;
    float *y;

    /* once begun */
    uint32_t step;         /* of the plan's ramps; 0: none was taken */
    uint64_t contributing; /* bit i: contribution i has alpha > 0 */

    /* once computed; bits of contributions, but for fossils_failed (places in the plan) */
    uint64_t used, failed, fossils_failed, rows_failed;

    float alphas[KAS_MAX_SEEDS]; /* of contributions; set where the plan is not dormant or the request
                                    overrides */
} kas_pass;

/* request.c: whether there is a layer that serves and takes the request; finds its rows. Writes nothing but
 * the pass. */
kas_status kas_pass_admit(kas_pass *pass, const kas_sight *sight) KAS_MUST_USE;
/* request.c: takes a step of running ramps and sets the alphas of this pass. */
void kas_pass_set_alphas(kas_pass *pass, const kas_plan *plan);

static inline void kas_pass_begin(kas_pass *pass, const kas_plan *plan)
{
    pass->step = 0;
    pass->contributing = 0;
    pass->used = pass->failed = pass->fossils_failed = pass->rows_failed = 0;
    if (!plan->dormant || pass->request->alpha_count > 0) kas_pass_set_alphas(pass, plan);
}

typedef struct kas_batch {
    kas_exec *exec;
    kas_context *context; /* replaced when it hangs and another is free */
    bool hung;            /* the context's device has not come back: kas_context_abandon it */
    const kas_plan *plan;
    uint32_t epoch;
    kas_pass *passes; /* prepared and begun, rows > 0; at least one */

    uint64_t contributing; /* to at least one pass */
    uint64_t broken;       /* contributions that have failed as a whole */
    uint64_t broken_fossils;
    uint8_t outcomes[KAS_MAX_SEEDS]; /* kas_outcome of broken ones, fossils by their place in the plan after
                                        them */
    uint8_t fossil_outcomes[KAS_MAX_SEEDS];
    uint64_t kernel_ns[KAS_MAX_SEEDS]; /* spent in each contribution */
    bool sampled;

    /* the submission at hand: `rows` rows from row `done` of the pass, or all passes' rows one after the
     * other */
    uint64_t done;
    uint32_t rows;
    bool staged;   /* x and y are in the arena */
    bool stepwise; /* one submission at a time, each waited for */
    bool base_ran; /* it was computed, and its fossils: their result blocks are there */

    float dead_ratios[KAS_MAX_SEEDS]; /* of contributions, where sampled */
} kas_batch;

/* chunk.c: computes the submission at hand. On failure the whole pass fails. batch->broken may have grown. */
kas_status kas_batch_compute(kas_batch *batch) KAS_MUST_USE;
/* staging.c */
const kas_workspace *kas_batch_workspace(const kas_batch *batch);
/* Rows of a pass in the submission at hand. */
uint32_t kas_batch_rows_of(const kas_batch *batch, const kas_pass *pass);

/* collect.c: reads the result blocks of the submission at hand into the passes. */
void kas_batch_collect(kas_batch *batch);
/* Whether this batch is to take statistics of the contributions' outputs: at most ten times a second and
 * layer. */
bool kas_batch_begin_sample(const kas_batch *batch);
/* Takes them from the submission at hand. */
void kas_batch_sample(kas_batch *batch);
/* Hands in what the passes' contributions did. */
void kas_batch_report(const kas_batch *batch);

/* pass.c: runs prepared passes of one layer in a taken context that has announced the plan; every pass then
 * has its status and result. The caller frees the context: kas_batch_leave. */
void kas_batch_run(kas_batch *batch);
/* As above for one pass to which nothing contributes, on a device that takes host pointers: the shortest way.
 */
void kas_pass_run_dormant(kas_pass *pass, kas_exec *exec, kas_context *context, const kas_sight *sight);

#endif
