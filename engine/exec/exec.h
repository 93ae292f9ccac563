/* Passes: plans, their publication, execution contexts, and the forward pass itself.
 *
 * A plan is the immutable list of device work that computes one layer's output for its present seeds: the
 * segments of the base (weights), of the fossils that are not folded, and of the contributing seeds, with the
 * blend. Composing one is pointer work. All plans hang off one immutable root {epoch, plans}; publishing is
 * one store of the root, so that an epoch boundary is one store for all layers.
 *
 * Readers never lock and never count references on a shared line: an execution context announces the root
 * that it is about to use (one hazard pointer a context), checks the root again, and goes. What was replaced
 * is freed by kas_exec_reclaim when no context announces it; a hung pass holds back only what it uses.
 *
 * Threads: forward calls from any thread; publish, reclaim and take_* from one thread at a time (the control
 * thread). */
#ifndef KAS_EXEC_H
#define KAS_EXEC_H

#include <kasmina/forward.h>

#include "engine/graph/segment.h"
#include "engine/state/state.h"

typedef struct kas_exec kas_exec;
typedef struct kas_plan kas_plan;

typedef struct kas_exec_options { /* zero: the default */
    uint32_t contexts;            /* a device: passes that can run at the same time; 2 × cores + 2 */
    uint32_t runners;             /* threads for kas_exec_submit; number of cores */
    uint32_t rows_max;            /* rows of one submission; more are split; 1,024 */
    int64_t deadline_ns;          /* a kernel may take; 10 s */
    uint32_t results_capacity; /* pass results kept until taken; the oldest are dropped and counted; 65,536 */
    /* Called on any thread when a resource that plans used is used by no plan and no pass any more. May be
     * NULL. */
    void (*drained)(void *user, kas_resource resource);
    /* Called on any thread when results wait and none did before. Must not block. May be NULL. */
    void (*results_wait)(void *user);
    /* Called on any thread when work hangs or a device is lost: kas_exec_reclaim is to be called soon, and
     * layers on a lost device are to be published elsewhere; passes of theirs are held that long, for at most
     * deadline_ns from the loss. Must not block. NULL: nobody does so, and such passes fail at once. */
    void (*trouble)(void *user);
    void *user;
} kas_exec_options;

kas_status kas_exec_create(const kas_exec_options *options, kas_exec **out) KAS_MUST_USE;
/* Waits for passes in flight (bounded by their deadlines); later ones fail with KAS_UNAVAILABLE. A device
 * that still hangs then is lost: nobody waits for it, and what it may still use is never freed. */
void kas_exec_stop(kas_exec *exec);
void kas_exec_destroy(kas_exec *exec); /* stops it first if nobody has; accepts NULL */

/* ---- publication ---- */

/* What a resource number stands for: retained by the plan for as long as it lives. NULL: a defect of the
 * caller. */
typedef kas_segment *(*kas_resolve_fn)(void *user, kas_resource resource);

/* Composes a layer's plan. `device` is the one that layer->device names. Where that has no room for
 * workspaces of the usual size, the plan's submissions hold fewer rows: a layer that serves there can always
 * be changed. */
kas_status kas_plan_create(kas_exec *exec, const kas_published_layer *layer, kas_device *device,
                           kas_resolve_fn resolve, void *user, kas_plan **out) KAS_MUST_USE;
/* The same, refused with KAS_OUT_OF_MEMORY (blame device) where there is no room for the usual size. */
kas_status kas_plan_create_whole(kas_exec *exec, const kas_published_layer *layer, kas_device *device,
                                 kas_resolve_fn resolve, void *user, kas_plan **out) KAS_MUST_USE;
/* Gives a plan that is not published yet another of the same view on another device: they are published, and
 * go, together; each pass takes the one whose device is least busy with the layer. Takes `replica` over. */
void kas_plan_add_replica(kas_plan *plan, kas_plan *replica);
void kas_plan_destroy(kas_plan *plan); /* one that was not published; accepts NULL */

/* One publication: these plans replace or join the present ones (by layer uid) and the layers `removed` go.
 * Takes the plans over when it succeeds; on failure (memory) nothing has changed. A layer keeps its
 * statistics across plans. */
kas_status kas_exec_publish(kas_exec *exec, uint32_t epoch, kas_plan *const *plans, size_t plan_count,
                            const uint64_t *removed, size_t removed_count) KAS_MUST_USE;

/* Frees what was replaced and is announced by no context, and looks after what hangs: a device that does not
 * come back within the grace time (kas_device_use_grace) is lost. True when something still waits: call again
 * soon. */
bool kas_exec_reclaim(kas_exec *exec);

/* ---- passes ---- */

/* A pass whose device is lost, or hangs, is computed on another where the layer has a replica; of a lost
 * device's layer it may wait until that is published elsewhere.
 *
 * KAS_NOT_FOUND, KAS_INVALID_ARGUMENT (both shapes in the message), KAS_UNAVAILABLE (not serving, or
 * stopping), KAS_DEADLINE. Runs on the caller's thread where that is fastest; waits otherwise. */
kas_status kas_exec_forward(kas_exec *exec, const kas_forward_request *request,
                            kas_forward_result *result) KAS_MUST_USE;

/* Each as by kas_exec_forward, on the caller's thread; those of one layer that fit into a submission are
 * computed in one. */
void kas_exec_forward_together(kas_exec *exec, kas_forward_call *calls, size_t count);

/* Queues the pass for the runners; requests of one layer that wait together are submitted together. *request
 * and *result stay valid until `done`. An immediate failure is returned and `done` is not called. */
kas_status kas_exec_submit(kas_exec *exec, const kas_forward_request *request, kas_forward_result *result,
                           kas_forward_done done, void *user) KAS_MUST_USE;

/* True when a pass of so many rows is small enough to run on a thread that serves others (well under a
 * millisecond, nothing to wait for). Unknown layer: true (it fails at once). */
bool kas_exec_is_small(kas_exec *exec, const char *layer, uint64_t rows);

/* ---- what passes report ---- */

/* In order of completion; removes what it returns. */
size_t kas_exec_take_results(kas_exec *exec, kas_pass_result *out, size_t capacity);

typedef struct kas_ramp_progress {
    uint64_t layer_uid;
    uint32_t steps; /* passes that the layer's present plan has seen since it was published */
} kas_ramp_progress;

/* Layers whose running pass-counted ramps have moved. */
size_t kas_exec_take_ramp_progress(kas_exec *exec, kas_ramp_progress *out, size_t capacity);

typedef struct kas_exec_stats {
    uint64_t forward_calls, rows;                /* answered */
    uint64_t kernel_executions, kernel_failures; /* runs of seeds' kernels (fossils are not counted) */
    uint64_t kernel_ns, queue_ns;                /* in all; queue: waiting for execution contexts */
    int64_t last_ns;                             /* when the last call was answered, monotonic; 0: none was */
    uint64_t failed_calls;                       /* calls answered with an error */
    uint64_t results_dropped;                    /* engine-wide; 0 for a layer */
    kas_latency latency;
} kas_exec_stats;

bool kas_exec_layer_stats(kas_exec *exec, uint64_t layer_uid, kas_exec_stats *out); /* false: no such layer */
void kas_exec_total_stats(kas_exec *exec, kas_exec_stats *out); /* since the start, deleted layers included */

#endif
