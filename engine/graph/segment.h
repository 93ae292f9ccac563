/* A segment: a graph lowered for one device. Made once, when a kernel enters the device tier, and shared by
 * every layer and plan that uses it.
 *
 * Making one has two steps, so that memory is reserved in exact bytes between planning and upload:
 *
 *     kas_segment_plan(device, graph, &plan)    host work only: launches, buffer lifetimes, packed weights'
 * size kas_segment_create(plan, queue, &segment) allocates, packs, uploads and waits; records the list
 *
 * A segment's list reads KAS_SLOT_X [rows, inputs], writes KAS_SLOT_Y [rows, outputs] and uses KAS_SLOT_WORK
 * of work_bytes (for up to rows_max rows); parameters in KAS_SLOT_PARAMS. Immutable; any thread;
 * reference-counted.
 *
 * Where the device may have a fast product (limits.fast_acts) the graph is lowered once more, over the same
 * weights and within the same bounds, to a second list for layers that may give up precision. */
#ifndef KAS_GRAPH_SEGMENT_H
#define KAS_GRAPH_SEGMENT_H

#include "backends/core/device.h"
#include "engine/graph/graph.h"

typedef struct kas_segment_plan kas_segment_plan;
typedef struct kas_segment kas_segment;

typedef struct kas_segment_info {
    size_t inputs, outputs; /* floats of a row */
    size_t weight_bytes;    /* on the device */
    size_t work_bytes;      /* of KAS_SLOT_WORK, for rows_max rows */
    uint32_t rows_max;      /* rows that one submission may hold; larger passes are split */
    uint64_t flops_per_row; /* multiply-adds count two */
    double ns_per_row;      /* on one compute unit, estimated cautiously */
    uint32_t launches;
    bool single_linear; /* exactly one LINEAR without activation (or one that linear_blend has): a candidate
                           for fusing the blend */
} kas_segment_info;

/* rows_max is chosen so that a submission's estimated work and workspace stay within bounds (about 50 ms and
 * 64 MiB) and at most rows_limit. The graph must have passed kas_graph_check; it may go once planning has
 * returned. KAS_INCOMPATIBLE_KERNEL names the operator that the device cannot run. */
kas_status kas_segment_plan_create(kas_device *device, const kas_graph *graph, uint32_t rows_limit,
                                   kas_segment_plan **out) KAS_MUST_USE;
const kas_segment_info *kas_segment_plan_info(const kas_segment_plan *plan);
kas_kernel kas_segment_plan_kernel(const kas_segment_plan *plan,
                                   uint32_t launch);   /* launch < info.launches */
void kas_segment_plan_destroy(kas_segment_plan *plan); /* accepts NULL */

/* Uses `queue` (idle, of the same device) for the upload and waits for it until deadline_ns. The plan may go
 * after. */
kas_status kas_segment_create(const kas_segment_plan *plan, kas_queue *queue, int64_t deadline_ns,
                              kas_segment **out) KAS_MUST_USE;
kas_segment *kas_segment_retain(kas_segment *segment);
void kas_segment_release(kas_segment *segment); /* accepts NULL */
const kas_segment_info *kas_segment_get_info(const kas_segment *segment);
kas_list *kas_segment_list(const kas_segment *segment); /* borrowed */
/* The list whose products are the device's fast ones; the same as kas_segment_list where that makes no
 * difference. Borrowed. The first call for a device may take a second (kas_device_fast_types). */
kas_list *kas_segment_fast_list(const kas_segment *segment);

/* The parts of blending, recorded for a number of contributions; see kernels/judge.k, blend.k and
 * linear_blend.k. `judge` reads X, PARAMS and BLEND (n arrays of stride_floats floats) and writes masks and
 * coefficients to RESULT. `blend` reads the base's output at KAS_SLOT_WORK offset 0, BLEND and RESULT and
 * writes Y. capacity_rows: what RESULT and BLEND are laid out for. */
typedef struct kas_blend_shape {
    size_t inputs, outputs;
    uint32_t contributions; /* 1 … 64 */
    uint32_t capacity_rows;
    size_t stride_floats; /* from one contribution's array to the next in BLEND */
} kas_blend_shape;

kas_status kas_judge_list(kas_device *device, const kas_blend_shape *shape, kas_list **out) KAS_MUST_USE;
kas_status kas_blend_list(kas_device *device, const kas_blend_shape *shape, kas_list **out) KAS_MUST_USE;
/* Judged coefficients applied in the epilogue of the base's own product (base->single_linear): reads X,
 * writes Y. */
kas_status kas_linear_blend_list(kas_device *device, const kas_segment *base, const kas_blend_shape *shape,
                                 kas_list **out) KAS_MUST_USE;

/* Bytes of RESULT and of PARAMS for a shape. */
size_t kas_blend_result_bytes(uint32_t contributions, uint32_t capacity_rows);
size_t kas_blend_params_bytes(uint32_t contributions, uint32_t capacity_rows);

#endif
