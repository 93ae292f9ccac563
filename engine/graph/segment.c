/* Segments: planning (lowering, memory, limits) and making one on a device. */
#include "engine/graph/segment.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/graph/lower.h"
#include "engine/graph/product.h"

/* What a submission should keep to. */
#define SUBMISSION_NS        50e6 /* as estimated */
#define SUBMISSION_WORKSPACE ((size_t)64 << 20)

typedef struct recipe {   /* of a list */
    kas_launch *launches; /* the buffer of fixed bindings is still NULL */
    uint32_t count;
} recipe;

struct kas_segment_plan {
    kas_device *device; /* retained */
    kas_segment_info info;
    recipe exact, fast;       /* fast: none where it would be the same */
    uint32_t fast_types;      /* bit of each kas_weight_type that the fast one's own products have */
    kas_weights_image *image; /* NULL: no weights */
};

struct kas_segment {
    atomic_uint references;
    kas_segment_info info;
    kas_device *device;         /* retained */
    kas_list *list, *fast_list; /* fast_list: NULL where it would be the same */
    uint32_t fast_types;        /* bit of each kas_weight_type that the fast list's own products have */
    kas_launch product;         /* of a single linear: its launch; the list retains its buffer */
};

/* ---- planning ---- */

static kas_status check_programs(const kas_lowering *lowering)
{
    bool known[KAS_KERNEL_COUNT] = {false};
    for (size_t i = 0; i < lowering->step_count; ++i) {
        kas_kernel kernel = lowering->steps[i].launch.kernel;
        if (known[kernel]) continue;
        const kas_program *program;
        kas_status status = kas_device_program(lowering->device, kernel, &program);
        known[kernel] = true;
        if (kas_status_code(status) != KAS_UNSUPPORTED) {
            KAS_TRY(status);
            continue;
        }
        kas_status refused = kas_fail(KAS_INCOMPATIBLE_KERNEL, KERNEL, "%s cannot run the operator %s: %s",
                                      kas_device_id(lowering->device), kas_op_name(lowering->steps[i].op),
                                      kas_status_message(status));
        kas_status_free(status);
        return refused;
    }
    return NULL;
}

/* Rows that the estimated time allows; at least 1. */
static uint32_t rows_by_time(const kas_lowering *lowering)
{
    uint32_t units = kas_device_get_limits(lowering->device)->compute_units;
    double rows = SUBMISSION_NS * (units ? units : 1) / (lowering->ns + 1.0);
    if (rows < 1.0) return 1;
    return rows > (double)UINT32_MAX ? UINT32_MAX : (uint32_t)rows;
}

/* Chooses rows_max and lays the workspace out for it: fewer rows until it fits. Where there is a list
 * already, its workspace stays large enough: *info grows in bytes and shrinks in rows. */
static kas_status choose_rows(kas_lowering *lowering, uint32_t rows_limit, kas_segment_info *info)
{
    size_t largest = kas_device_get_limits(lowering->device)->max_buffer_bytes;
    size_t wanted = largest < SUBMISSION_WORKSPACE ? largest : SUBMISSION_WORKSPACE;
    size_t bytes;
    uint32_t rows = rows_by_time(lowering);
    if (rows > lowering->rows_max) rows = (uint32_t)lowering->rows_max;
    if (rows > rows_limit) rows = rows_limit;
    for (;;) {
        KAS_TRY(kas_lifetimes_place(lowering->values, lowering->value_count, rows,
                                    lowering->weights->alignment, &bytes));
        if (bytes <= wanted || rows == 1) break;
        uint32_t fitting = (uint32_t)((double)rows * (double)wanted / (double)bytes);
        rows = fitting < 1 ? 1 : fitting < rows ? fitting : rows - 1;
    }
    info->rows_max = rows;
    if (bytes > info->work_bytes) info->work_bytes = bytes;
    if (bytes <= largest) return NULL;
    return kas_fail(KAS_INCOMPATIBLE_KERNEL, KERNEL,
                    "a row needs a workspace of %zu bytes; the largest buffer of %s is %zu bytes", bytes,
                    kas_device_id(lowering->device), largest);
}

static kas_status check_weights(const kas_lowering *lowering)
{
    size_t largest = kas_device_get_limits(lowering->device)->max_buffer_bytes;
    if (lowering->weights->bytes <= largest) return NULL;
    return kas_fail(KAS_INCOMPATIBLE_KERNEL, KERNEL,
                    "the kernel has %zu bytes of weights; the largest buffer of %s is %zu bytes",
                    lowering->weights->bytes, kas_device_id(lowering->device), largest);
}

/* Copies the launches, with their places in the workspace. */
static kas_status take_launches(const kas_lowering *lowering, recipe *out)
{
    out->launches = kas_alloc_array(lowering->step_count, sizeof *out->launches);
    if (!out->launches) return kas_out_of_memory();
    out->count = (uint32_t)lowering->step_count;
    for (size_t i = 0; i < lowering->step_count; ++i) {
        const kas_step *step = &lowering->steps[i];
        out->launches[i] = step->launch;
        for (size_t b = 0; b < KAS_KERNEL_MAX_BUFFERS; ++b)
            if (step->launch.bindings[b].slot == KAS_SLOT_WORK)
                out->launches[i].bindings[b].offset_bytes = lowering->values[step->values[b]].offset;
    }
    return NULL;
}

static kas_status finish_list(kas_lowering *lowering, uint32_t rows_limit, kas_segment_info *info,
                              recipe *out)
{
    KAS_TRY(check_programs(lowering));
    KAS_TRY(check_weights(lowering));
    KAS_TRY(choose_rows(lowering, rows_limit, info));
    return take_launches(lowering, out);
}

static kas_status plan_exact(kas_segment_plan *plan, const kas_graph *graph, uint32_t rows_limit,
                             kas_weights *weights)
{
    kas_lowering lowering;
    kas_status status = kas_lower_graph(plan->device, graph, false, weights, &lowering);
    if (!status) status = finish_list(&lowering, rows_limit, &plan->info, &plan->exact);
    plan->info.flops_per_row = lowering.flops;
    plan->info.ns_per_row = lowering.ns;
    kas_lowering_finish(&lowering);
    return status;
}

static bool has_products(const recipe *list)
{
    for (uint32_t i = 0; i < list->count; ++i)
        if (kas_kernel_is_linear(list->launches[i].kernel)) return true;
    return false;
}

/* Types of weights of the exact list's products that the device may have another product for. */
static uint32_t find_fast_types(const kas_segment_plan *plan)
{
    const uint64_t *fast_acts = kas_device_get_limits(plan->device)->fast_acts;
    uint32_t types = 0;
    for (uint32_t i = 0; i < plan->exact.count; ++i) {
        kas_kernel kernel = plan->exact.launches[i].kernel;
        if (!kas_kernel_is_linear(kernel)) continue;
        kas_weight_type type = kas_kernel_weight_type(kernel);
        if (fast_acts[type]) types |= 1u << type;
    }
    return types;
}

static kas_status plan_fast(kas_segment_plan *plan, const kas_graph *graph, kas_weights *weights)
{
    kas_lowering lowering;
    plan->fast_types = find_fast_types(plan);
    if (!plan->fast_types) return NULL;
    kas_status status = kas_lower_graph(plan->device, graph, true, weights, &lowering);
    if (!status) status = finish_list(&lowering, plan->info.rows_max, &plan->info, &plan->fast);
    kas_lowering_finish(&lowering);
    return status;
}

static kas_status make_plan(kas_segment_plan *plan, const kas_graph *graph, uint32_t rows_limit,
                            kas_weights *weights)
{
    KAS_TRY(plan_exact(plan, graph, rows_limit, weights));
    KAS_TRY(plan_fast(plan, graph, weights));
    KAS_TRY(kas_weights_make_image(weights, &plan->image));
    plan->info.inputs = graph->tensors[graph->input].elements;
    plan->info.outputs = graph->tensors[graph->output].elements;
    plan->info.weight_bytes = weights->bytes;
    plan->info.launches = plan->exact.count;
    plan->info.single_linear = plan->exact.count == 1 && has_products(&plan->exact);
    return NULL;
}

kas_status kas_segment_plan_create(kas_device *device, const kas_graph *graph, uint32_t rows_limit,
                                   kas_segment_plan **out)
{
    *out = NULL;
    if (rows_limit == 0) return kas_fail(KAS_INVALID_ARGUMENT, ENGINE, "a segment for at most 0 rows");
    kas_segment_plan *plan = kas_calloc(1, sizeof *plan);
    if (!plan) return kas_out_of_memory();
    plan->device = kas_device_retain(device);
    kas_weights weights;
    kas_weights_begin(&weights, device);
    kas_status status = make_plan(plan, graph, rows_limit, &weights);
    kas_weights_finish(&weights);
    if (status) {
        kas_segment_plan_destroy(plan);
        return status;
    }
    *out = plan;
    return NULL;
}

const kas_segment_info *kas_segment_plan_info(const kas_segment_plan *plan)
{
    return &plan->info;
}

kas_kernel kas_segment_plan_kernel(const kas_segment_plan *plan, uint32_t launch)
{
    return plan->exact.launches[launch].kernel;
}

void kas_segment_plan_destroy(kas_segment_plan *plan)
{
    if (!plan) return;
    kas_device_release(plan->device);
    kas_weights_image_release(plan->image);
    kas_free(plan->exact.launches);
    kas_free(plan->fast.launches);
    kas_free(plan);
}

/* ---- making ---- */

static kas_status upload_weights(const kas_segment_plan *plan, kas_queue *queue, int64_t deadline_ns,
                                 kas_buffer *buffer)
{
    kas_status status = kas_queue_upload(queue, buffer, 0, plan->image->data, plan->image->bytes);
    if (!status) status = kas_queue_wait(queue, deadline_ns, NULL);
    if (status && !kas_queue_idle(queue)) {
        /* The upload may still run: what it reads and writes must stay for good, so these references are
         * given away. */
        (void)kas_weights_image_retain(plan->image);
        (void)kas_buffer_retain(buffer);
    }
    return status;
}

static kas_status make_weights(const kas_segment_plan *plan, kas_queue *queue, int64_t deadline_ns,
                               kas_buffer **out)
{
    *out = NULL;
    if (!plan->image) return NULL;
    kas_buffer *buffer;
    KAS_TRY(kas_buffer_create(plan->device, plan->image->bytes, "weights", &buffer));
    kas_status status = upload_weights(plan, queue, deadline_ns, buffer);
    if (status) {
        kas_buffer_release(buffer);
        return kas_annotate(status, "uploading %zu bytes of weights", plan->image->bytes);
    }
    *out = buffer;
    return NULL;
}

static void bind_weights(kas_launch *launch, kas_buffer *weights)
{
    for (size_t b = 0; b < KAS_KERNEL_MAX_BUFFERS; ++b)
        if (launch->bindings[b].slot == KAS_SLOT_FIXED) launch->bindings[b].buffer = weights;
}

static kas_status record_list(kas_device *device, const recipe *from, kas_buffer *weights, const char *label,
                              kas_list **out)
{
    kas_launch *launches = kas_alloc_array(from->count, sizeof *launches);
    if (!launches) return kas_out_of_memory();
    memcpy(launches, from->launches, from->count * sizeof *launches);
    for (size_t i = 0; i < from->count; ++i)
        bind_weights(&launches[i], weights);
    kas_status status = kas_list_create(device, launches, from->count, label, out);
    kas_free(launches);
    return status;
}

static kas_status record(const kas_segment_plan *plan, kas_buffer *weights, kas_segment *segment)
{
    if (plan->info.single_linear) {
        segment->product = plan->exact.launches[0];
        bind_weights(&segment->product, weights);
    }
    KAS_TRY(record_list(plan->device, &plan->exact, weights, "kernel", &segment->list));
    if (plan->fast.count == 0) return NULL;
    return record_list(plan->device, &plan->fast, weights, "fast kernel", &segment->fast_list);
}

kas_status kas_segment_create(const kas_segment_plan *plan, kas_queue *queue, int64_t deadline_ns,
                              kas_segment **out)
{
    *out = NULL;
    kas_buffer *weights;
    KAS_TRY(make_weights(plan, queue, deadline_ns, &weights));
    kas_segment *segment = kas_calloc(1, sizeof *segment);
    kas_status status = segment ? record(plan, weights, segment) : kas_out_of_memory();
    kas_buffer_release(weights); /* the lists have it */
    if (status) {
        if (segment) kas_list_release(segment->list);
        kas_free(segment);
        return status;
    }
    atomic_init(&segment->references, 1);
    segment->info = plan->info;
    segment->device = kas_device_retain(plan->device);
    segment->fast_types = plan->fast_types;
    *out = segment;
    return NULL;
}

kas_segment *kas_segment_retain(kas_segment *segment)
{
    atomic_fetch_add_explicit(&segment->references, 1, memory_order_relaxed);
    return segment;
}

void kas_segment_release(kas_segment *segment)
{
    if (!segment || atomic_fetch_sub_explicit(&segment->references, 1, memory_order_acq_rel) != 1) return;
    kas_list_release(segment->list);
    kas_list_release(segment->fast_list);
    kas_device_release(segment->device);
    kas_free(segment);
}

const kas_segment_info *kas_segment_get_info(const kas_segment *segment)
{
    return &segment->info;
}

kas_list *kas_segment_list(const kas_segment *segment)
{
    return segment->list;
}

kas_list *kas_segment_fast_list(const kas_segment *segment)
{
    bool fast = segment->fast_list && kas_device_fast_types(segment->device) & segment->fast_types;
    return fast ? segment->fast_list : segment->list;
}

const kas_launch *kas_segment_product(const kas_segment *segment)
{
    return segment->info.single_linear ? &segment->product : NULL;
}
