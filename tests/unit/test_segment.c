/* Lowering (engine/graph/lower*.c, segment.c): which launches a graph becomes, what a segment says of itself,
 * and memory that runs out. What the launches compute is the business of tests/conformance. */
#include <criterion/criterion.h>
#include <string.h>

#include "backends/core/backend.h"
#include "backends/core/fault.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "engine/graph/lower.h"
#include "engine/graph/segment.h"
#include "engine/graph/shape.h"
#include "tests/unit/graph_fixture.h"

TestSuite(segment, .fini = expect_no_leaks);

static kas_device *host(void)
{
    kas_device *device;
    cr_assert_null(kas_device_open("host:0", &device));
    return device;
}

/* The kernels of a graph's launches, in order; destroys the graph. */
static size_t kernels_of(kas_graph *graph, kas_kernel *kernels, size_t capacity)
{
    kas_lowering lowering;
    kas_weights weights;
    kas_device *device = host();
    kas_weights_begin(&weights, device);
    kas_status status = kas_lower_graph(device, graph, false, &weights, &lowering);
    cr_assert_null(status, "%s", kas_status_message(status));
    cr_assert_leq(lowering.step_count, capacity);
    for (size_t i = 0; i < lowering.step_count; ++i)
        kernels[i] = lowering.steps[i].launch.kernel;
    size_t count = lowering.step_count;
    kas_lowering_finish(&lowering);
    kas_weights_finish(&weights);
    kas_device_release(device);
    kas_graph_destroy(graph);
    return count;
}

static kas_segment_info info_of(kas_graph *graph, uint32_t rows_limit)
{
    kas_segment_plan *plan;
    kas_device *device = host();
    kas_status status = kas_segment_plan_create(device, graph, rows_limit, &plan);
    cr_assert_null(status, "%s", kas_status_message(status));
    kas_segment_info info = *kas_segment_plan_info(plan);
    kas_segment_plan_destroy(plan);
    kas_device_release(device);
    kas_graph_destroy(graph);
    return info;
}

/* ---- launches ---- */

static int dense(kas_graph *graph, int x, int64_t k, int64_t n)
{
    return linear(graph, x, constant_random(graph, SHAPE(n, k), 1), constant_random(graph, SHAPE(n), 1));
}

Test(segment, a_function_after_a_product_is_part_of_it)
{
    kas_kernel kernels[4];
    kas_graph *g = graph_new(SHAPE(6));
    finish(g, unary(g, KAS_ACT_GELU, 0, 0, dense(g, g->input, 6, 5)));
    cr_expect_eq(kernels_of(g, kernels, 4), 1u);
    cr_expect_eq(kernels[0], KAS_KERNEL_linear);
}

Test(segment, a_product_that_others_read_too_keeps_its_own_result)
{
    kas_kernel kernels[4];
    kas_graph *g = graph_new(SHAPE(6));
    int x = dense(g, g->input, 6, 5);
    finish(g, binary(g, KAS_MUL, unary(g, KAS_ACT_SIGMOID, 0, 0, x), x));
    cr_expect_eq(kernels_of(g, kernels, 4), 3u);
    cr_expect_eq(kernels[0], KAS_KERNEL_linear);
    cr_expect_eq(kernels[1], KAS_KERNEL_unary);
    cr_expect_eq(kernels[2], KAS_KERNEL_binary);
}

/* The kernel of a product whose weights are all `weight`, of a convolution where `windowed`. */
static kas_kernel kernel_over(float weight, bool windowed)
{
    kas_kernel kernels[4];
    kas_graph *g = graph_new(windowed ? SHAPE(2, 6) : SHAPE(6));
    int w = constant_filled(g, windowed ? SHAPE(5, 2, 3) : SHAPE(5, 6), weight);
    finish(g, windowed ? conv(g, g->input, w, -1, 0) : linear(g, g->input, w, -1));
    cr_assert_eq(kernels_of(g, kernels, 4), 1u);
    return kernels[0];
}

static const float of_f32 = 0.1f, of_f16 = 0x1.004p0f, of_bf16 = 0x1p100f;

Test(segment, weights_are_stored_in_16_bits_where_a_device_has_them_and_nothing_is_lost)
{
    kas_device *device = host();
    cr_expect_eq(kernel_over(of_bf16, false), KAS_KERNEL_linear);
    device->limits.fp16 = device->limits.bf16 = true;
    cr_expect_eq(kernel_over(of_f32, false), KAS_KERNEL_linear);
    cr_expect_eq(kernel_over(of_f16, false), KAS_KERNEL_linear_f16);
    cr_expect_eq(kernel_over(of_bf16, false), KAS_KERNEL_linear_bf16);
    cr_expect_eq(kernel_over(of_f32, true), KAS_KERNEL_conv);
    cr_expect_eq(kernel_over(of_f16, true), KAS_KERNEL_conv_f16);
    cr_expect_eq(kernel_over(of_bf16, true), KAS_KERNEL_conv_bf16);
    device->limits.fp16 = false;
    cr_expect_eq(kernel_over(of_f16, false), KAS_KERNEL_linear);
    kas_device_release(device);
}

/* They are stored once, for the exact list and the fast one. */
Test(segment, a_fast_product_has_weights_that_it_reads)
{
    kas_device *device = host();
    device->limits.fp16 = device->limits.bf16 = true;
    device->limits.fast_acts[KAS_WEIGHT_F32] = 1;
    cr_expect_eq(kernel_over(of_bf16, false), KAS_KERNEL_linear);
    cr_expect_eq(kernel_over(of_bf16, true), KAS_KERNEL_conv_bf16, "no convolution is fast");
    device->limits.fast_acts[KAS_WEIGHT_BF16] = 1;
    cr_expect_eq(kernel_over(of_bf16, false), KAS_KERNEL_linear_bf16);
    cr_expect_eq(kernel_over(of_f16, false), KAS_KERNEL_linear);
    kas_device_release(device);
}

Test(segment, a_reshape_moves_nothing)
{
    kas_kernel kernels[4];
    kas_graph *g = graph_new(SHAPE(2, 6));
    int x = reshape(g, dense(g, reshape(g, g->input, SHAPE(3, 4)), 4, 4), SHAPE(12));
    finish(g, reshape(g, dense(g, x, 12, 8), SHAPE(2, 4)));
    cr_expect_eq(kernels_of(g, kernels, 4), 2u);
}

Test(segment, an_output_that_nothing_writes_is_copied)
{
    kas_kernel kernels[4];
    kas_graph *g = graph_new(SHAPE(2, 3));
    finish(g, reshape(g, g->input, SHAPE(6)));
    cr_expect_eq(kernels_of(g, kernels, 4), 1u);
    cr_expect_eq(kernels[0], KAS_KERNEL_strided);
    g = graph_new(SHAPE(2, 3));
    finish(g, g->input);
    cr_expect_eq(kernels_of(g, kernels, 4), 1u);
    g = graph_new(SHAPE(2, 3));
    finish(g, reshape(g, constant_random(g, SHAPE(5, 2), 1), SHAPE(10)));
    cr_expect_eq(kernels_of(g, kernels, 4), 1u);
    cr_expect_eq(kernels[0], KAS_KERNEL_strided);
}

Test(segment, a_constant_matrix_makes_a_matmul_a_product)
{
    kas_kernel kernels[4];
    kas_graph *g = graph_new(SHAPE(3, 6));
    finish(g, matmul(g, g->input, constant_random(g, SHAPE(6, 4), 1)));
    cr_expect_eq(kernels_of(g, kernels, 4), 1u);
    cr_expect_eq(kernels[0], KAS_KERNEL_linear);
    g = graph_new(SHAPE(3, 6));
    finish(g, matmul(g, constant_random(g, SHAPE(4, 3), 1), g->input));
    cr_expect_eq(kernels_of(g, kernels, 4), 1u);
    cr_expect_eq(kernels[0], KAS_KERNEL_matmul);
}

Test(segment, a_constant_is_spread_for_kernels_of_activations_only)
{
    kas_kernel kernels[4];
    kas_graph *g = graph_new(SHAPE(3));
    kas_node softmax = {.op = KAS_OP_SOFTMAX, .inputs = {constant_random(g, SHAPE(3), 1)}, .input_count = 1};
    finish(g, binary(g, KAS_ADD, g->input, append(g, softmax, SHAPE(3))));
    cr_expect_eq(kernels_of(g, kernels, 4), 3u);
    cr_expect_eq(kernels[0], KAS_KERNEL_strided);
    cr_expect_eq(kernels[1], KAS_KERNEL_softmax);
    cr_expect_eq(kernels[2], KAS_KERNEL_binary);
}

/* ---- what a segment says of itself ---- */

Test(segment, one_product_may_blend_in_its_epilogue)
{
    kas_graph *g = graph_new(SHAPE(6));
    finish(g, dense(g, g->input, 6, 5));
    kas_segment_info info = info_of(g, 100);
    cr_expect(info.single_linear);
    cr_expect_eq(info.inputs, 6u);
    cr_expect_eq(info.outputs, 5u);
    cr_expect_eq(info.launches, 1u);
    cr_expect_eq(info.work_bytes, 0u);
    cr_expect_eq(info.flops_per_row, 2u * 6 * 5);
    cr_expect_eq(info.rows_max, 100u);
    cr_expect_geq(info.weight_bytes, (6 * 5 + 5) * sizeof(float));
}

Test(segment, two_products_may_not)
{
    kas_graph *g = graph_new(SHAPE(6));
    finish(g, dense(g, dense(g, g->input, 6, 8), 8, 5));
    kas_segment_info info = info_of(g, 100);
    cr_expect_not(info.single_linear);
    cr_expect_geq(info.work_bytes, 100 * 8 * sizeof(float));
}

Test(segment, rows_are_bounded_by_the_workspace)
{
    kas_graph *g = graph_new(SHAPE(1));
    kas_node expand = {.op = KAS_OP_STRIDED, .inputs = {g->input}, .input_count = 1};
    int wide = append(g, expand, SHAPE(1 << 20));
    finish(g, reduce(g, KAS_REDUCE_SUM, wide, 0));
    kas_segment_info info = info_of(g, 1000000);
    cr_expect_leq(info.work_bytes, (size_t)64 << 20);
    cr_expect_geq(info.rows_max, 1u);
    cr_expect_leq(info.rows_max, 16u);
}

/* Indices in kernels are ints: rows times elements stay below 2³⁰. */
Test(segment, rows_are_bounded_by_what_indices_reach)
{
    kas_graph *g = graph_new(SHAPE(1 << 10));
    finish(g, unary(g, KAS_ACT_RELU, 0, 0, g->input));
    cr_expect_lt((uint64_t)info_of(g, UINT32_MAX).rows_max << 10, 1ull << 30);
}

Test(segment, a_segment_for_no_rows_is_refused)
{
    kas_segment_plan *plan;
    kas_device *device = host();
    kas_graph *g = graph_new(SHAPE(2));
    finish(g, unary(g, KAS_ACT_RELU, 0, 0, g->input));
    kas_status status = kas_segment_plan_create(device, g, 0, &plan);
    cr_expect_eq(kas_status_code(status), KAS_INVALID_ARGUMENT);
    cr_expect_null(plan);
    kas_status_free(status);
    kas_graph_destroy(g);
    kas_device_release(device);
}

/* ---- failures ---- */

/* A graph that lowering allocates all kinds of things for. */
static kas_graph *sample(void)
{
    random_restart(1);
    kas_graph *g = graph_new(SHAPE(3, 4));
    int y = matmul(g, dense(g, g->input, 4, 6), constant_random(g, SHAPE(6, 5), 1));
    kas_node gather = {.op = KAS_OP_GATHER, .inputs = {y}, .input_count = 1, .axis = 1, .index_count = 2};
    gather.indices = kas_memdup((const int32_t[]){4, 0}, 2 * sizeof(int32_t));
    y = append(g, gather, SHAPE(3, 2));
    kas_node softmax = {.op = KAS_OP_SOFTMAX, .inputs = {y}, .input_count = 1, .axis = 1};
    finish(g, append(g, softmax, SHAPE(3, 2)));
    return g;
}

static kas_status make(kas_device *device, kas_queue *queue, const kas_graph *graph)
{
    kas_segment_plan *plan;
    kas_segment *segment;
    KAS_TRY(kas_segment_plan_create(device, graph, 8, &plan));
    kas_status status = kas_segment_create(plan, queue, KAS_NEVER, &segment);
    kas_segment_plan_destroy(plan);
    kas_segment_release(segment);
    return status;
}

Test(segment, each_allocation_fails_in_turn)
{
    kas_device *device = host();
    kas_queue *queue;
    kas_graph *graph = sample();
    uint64_t failures = 0;
    cr_assert_null(kas_queue_create(device, "test", &queue));
    cr_assert_null(make(device, queue, graph)); /* the device's programs are there from now on */
    for (;; ++failures) {
        kas_alloc_fail_at(failures + 1);
        kas_status status = make(device, queue, graph);
        kas_alloc_fail_at(0);
        if (!status) break;
        cr_expect_eq(kas_status_code(status), KAS_OUT_OF_MEMORY);
        kas_status_free(status);
    }
    cr_expect_gt(failures, 10u);
    kas_graph_destroy(graph);
    kas_queue_destroy(queue);
    kas_device_release(device);
}

Test(segment, a_device_without_room_for_the_weights_says_how_many)
{
    kas_device *device = host();
    kas_queue *queue;
    kas_device_info info;
    kas_graph *graph = sample();
    cr_assert_null(kas_queue_create(device, "test", &queue));
    kas_fault_arm(KAS_FAULT_ALLOCATION, 1, KAS_OUT_OF_MEMORY);
    kas_status status = make(device, queue, graph);
    cr_expect_eq(kas_status_code(status), KAS_OUT_OF_MEMORY);
    cr_expect_not_null(strstr(kas_status_message(status), "weights"), "%s", kas_status_message(status));
    kas_status_free(status);
    kas_device_get_info(device, &info);
    cr_expect_eq(info.memory_used_bytes, 0u);
    kas_graph_destroy(graph);
    kas_queue_destroy(queue);
    kas_device_release(device);
}
