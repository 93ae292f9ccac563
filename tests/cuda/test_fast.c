/* Layers that may give up precision, over the doubles of the driver and of cuBLASLt: which products become
 * cuBLASLt's, what they compute, and what becomes of each way to fail. */
#include <criterion/criterion.h>
#include <dlfcn.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "selftest/graph_builder.h"
#include "selftest/segment_runner.h"
#include "tests/cuda/doubles.h"
#include "tests/unit/graph_fixture.h"

enum { ROWS = 7, K = 19, HIDDEN = 33, N = 5 };

TestSuite(cuda_fast, .init = use_doubles, .fini = expect_no_leaks, .timeout = 60);

/* W2 act(W1 x + b1), in bfloat16 where asked: then the low half of each weight is zero. */
static kas_graph *two_products(kas_act act, bool bfloat16)
{
    kas_graph *g = graph_new(SHAPE(K));
    int w1 = constant_random(g, SHAPE(HIDDEN, K), 1), w2 = constant_random(g, SHAPE(N, HIDDEN), 1);
    for (size_t t = 0; bfloat16 && t < g->tensor_count; ++t)
        for (size_t i = 0; g->tensors[t].constant && i < g->tensors[t].elements; ++i) {
            float *at = (float *)&g->tensors[t].constant[i];
            uint32_t bits;
            memcpy(&bits, at, sizeof bits);
            bits &= 0xffff0000u;
            memcpy(at, &bits, sizeof bits);
        }
    int b1 = constant_random(g, SHAPE(HIDDEN), 1);
    int hidden = unary(g, act, 0, 0, linear(g, g->input, w1, b1));
    finish(g, linear(g, hidden, w2, -1));
    return g;
}

static double run_both(kas_graph *g, size_t *fast_launches)
{
    segment_runner runner;
    float x[ROWS * K], exact[ROWS * N], fast[ROWS * N];
    double worst = 0;
    for (size_t i = 0; i < sizeof x / sizeof *x; ++i)
        x[i] = sinf((float)i * 1.7f);
    segment_runner_open(&runner, "cuda:0");
    segment_runner_load(&runner, g, ROWS, "two products");
    segment_runner_run(&runner, x, ROWS, exact);
    size_t before = counts().launches;
    runner.fast = true;
    segment_runner_run(&runner, x, ROWS, fast);
    *fast_launches = counts().launches - before;
    segment_runner_run(&runner, x, 3, fast); /* fewer rows, another bucket, the same bits from the double */
    segment_runner_unload(&runner);
    segment_runner_close(&runner);
    kas_graph_destroy(g);
    for (size_t i = 0; i < ROWS * N; ++i)
        worst = fmax(worst, fabs((double)exact[i] - (double)fast[i]));
    return worst;
}

Test(cuda_fast, a_function_that_the_library_ends_in_is_no_launch)
{
    size_t kernels;
    double worst = run_both(two_products(KAS_ACT_GELU_TANH, false), &kernels);
    cr_expect_eq(kernels, 0u);
    cr_expect(worst > 0 && worst < 0.02, "%g", worst);
}

Test(cuda_fast, another_function_is_a_launch_of_its_own)
{
    static const kas_act acts[] = {KAS_ACT_RELU, KAS_ACT_GELU, KAS_ACT_TANH};
    for (size_t i = 0; i < sizeof acts / sizeof *acts; ++i) {
        size_t kernels;
        double worst = run_both(two_products(acts[i], false), &kernels);
        cr_expect_eq(kernels, 1u);
        cr_expect(worst > 0 && worst < 0.02, "%g", worst);
    }
}

Test(cuda_fast, weights_in_bfloat16_are_multiplied_as_such)
{
    size_t kernels;
    double tf32 = run_both(two_products(KAS_ACT_NONE, false), &kernels);
    double bf16 = run_both(two_products(KAS_ACT_NONE, true), &kernels);
    cr_expect_eq(kernels, 2u, "of tensor.h's: cuBLASLt has no such product");
    cr_expect(bf16 > 2 * tf32, "%g is not coarser than %g", bf16, tf32);
    cr_expect_lt(bf16, 0.1);
}

/* ---- loading ---- */

static bool is_loaded(void)
{
    void *library = dlopen(CUBLASLT_DOUBLE, RTLD_NOLOAD | RTLD_NOW | RTLD_LOCAL);
    return library && !dlclose(library);
}

Test(cuda_fast, the_library_is_loaded_when_it_is_asked_for)
{
    segment_runner runner;
    float x[ROWS * K] = {0}, y[ROWS * N];
    kas_graph *g = two_products(KAS_ACT_RELU, false);
    segment_runner_open(&runner, "cuda:0");
    segment_runner_load(&runner, g, ROWS, "two products");
    segment_runner_run(&runner, x, ROWS, y);
    cr_expect_not(is_loaded(), "no layer has needed it");
    cr_expect_str_eq(kas_device_fast_product(runner.device), "cuBLASLt 12.3.4; mma for f16 and bf16 weights");
    cr_expect(is_loaded());
    cr_expect_neq(kas_segment_fast_list(runner.segment), kas_segment_list(runner.segment));
    segment_runner_unload(&runner);
    segment_runner_close(&runner);
    kas_graph_destroy(g);
}

Test(cuda_fast, a_library_that_does_not_start_leaves_the_portable_product)
{
    segment_runner runner;
    kas_graph *g = two_products(KAS_ACT_RELU, false);
    segment_runner_open(&runner, "cuda:0");
    segment_runner_load(&runner, g, ROWS, "two products");
    doubles.fail("cublasLtCreate", 1, CUDA_ERROR_UNKNOWN, false);
    cr_expect_eq(kas_segment_fast_list(runner.segment), kas_segment_list(runner.segment));
    cr_expect(doubles.fired());
    cr_expect_str_eq(kas_device_fast_product(runner.device), "mma for f16 and bf16 weights",
                     "it would start now, and is not tried again");
    segment_runner_unload(&runner);
    segment_runner_close(&runner);
    kas_graph_destroy(g);
}

Test(cuda_fast, without_the_library_nothing_changes)
{
    size_t kernels;
    setenv("KASMINA_CUBLASLT", "/nowhere/libcublasLt.so", 1);
    cr_expect_eq(run_both(two_products(KAS_ACT_RELU, false), &kernels), 0);
    cr_expect_eq(kernels, 2u);
}

Test(cuda_fast, a_shape_that_the_library_has_nothing_for_is_the_portable_products)
{
    size_t kernels;
    doubles.fail("cublasLtMatmulAlgoGetHeuristic", 1, CUDA_ERROR_NOT_FOUND, false);
    double worst = run_both(two_products(KAS_ACT_NONE, false), &kernels);
    cr_expect_eq(kernels, 1u, "the other product is the library's");
    cr_expect_lt(worst, 0.02);
}

/* ---- faults ---- */

static kas_status pass(segment_runner *runner)
{
    const uint32_t params[PARAMS_HEAD] = {ROWS};
    kas_submission submission = {.list = kas_segment_fast_list(runner->segment),
                                 .slots = {[KAS_SLOT_PARAMS] = {.buffer = runner->params},
                                           [KAS_SLOT_X] = {.buffer = runner->x},
                                           [KAS_SLOT_Y] = {.buffer = runner->y},
                                           [KAS_SLOT_WORK] = {.buffer = runner->work}}};
    KAS_TRY(kas_queue_upload(runner->queue, runner->params, 0, params, sizeof params));
    kas_status status = kas_queue_submit(runner->queue, &submission, 1, ROWS);
    return kas_join(status, kas_queue_wait(runner->queue, KAS_NEVER, NULL));
}

static void fail_each_call(const char *symbol)
{
    for (unsigned nth = 1; nth < 50; ++nth) {
        segment_runner runner;
        const double_counts before = counts();
        kas_graph *g = two_products(KAS_ACT_GELU_TANH, false);
        segment_runner_open(&runner, "cuda:0");
        segment_runner_load(&runner, g, ROWS, "two products");
        doubles.fail(symbol, nth, CUDA_ERROR_OUT_OF_MEMORY, false);
        kas_status status = pass(&runner);
        bool happened = doubles.fired();
        doubles.reset();
        cr_expect_eq(status != NULL, happened, "%s, call %u: %s", symbol, nth, kas_status_message(status));
        if (status) cr_expect_eq(kas_status_code(status), KAS_OUT_OF_MEMORY);
        kas_status_free(status);
        cr_expect_null(pass(&runner), "%s: the next pass", symbol);
        segment_runner_unload(&runner);
        segment_runner_close(&runner);
        kas_graph_destroy(g);
        cr_expect_eq(counts().allocations, before.allocations, "%s", symbol);
        if (!happened) return;
    }
    cr_assert_fail("%s: there is no end of calls", symbol);
}

Test(cuda_fast, each_call_fails_in_turn)
{
    static const char *const symbols[] = {
        "cublasLtMatmulDescCreate",       "cublasLtMatmulDescSetAttribute",
        "cublasLtMatrixLayoutCreate",     "cublasLtMatrixLayoutSetAttribute",
        "cublasLtMatmulPreferenceCreate", "cublasLtMatmulPreferenceSetAttribute",
        "cublasLtMatmulAlgoGetHeuristic", "cublasLtMatmul"};
    for (size_t i = 0; i < sizeof symbols / sizeof *symbols; ++i)
        fail_each_call(symbols[i]);
}

Test(cuda_fast, no_room_for_the_library_s_workspace_is_a_status)
{
    segment_runner runner;
    kas_graph *g = two_products(KAS_ACT_NONE, false);
    doubles.limit_memory(8 << 20);
    segment_runner_open(&runner, "cuda:0");
    segment_runner_load(&runner, g, ROWS, "two products");
    kas_status status = pass(&runner);
    cr_expect_eq(kas_status_code(status), KAS_OUT_OF_MEMORY);
    cr_expect(strstr(kas_status_message(status), "workspace of cuBLASLt"), "%s", kas_status_message(status));
    kas_status_free(status);
    segment_runner_unload(&runner);
    segment_runner_close(&runner);
    kas_graph_destroy(g);
}

/* What a lost device's queue holds is never destroyed, so nobody looks for leaks. */
TestSuite(cuda_fast_loss, .init = use_doubles, .timeout = 60);

Test(cuda_fast_loss, an_error_of_the_device_loses_it)
{
    segment_runner runner;
    kas_graph *g = two_products(KAS_ACT_NONE, false);
    segment_runner_open(&runner, "cuda:0");
    segment_runner_load(&runner, g, ROWS, "two products");
    cr_assert_null(pass(&runner));
    doubles.fail("cuStreamQuery", 1, CUDA_ERROR_LAUNCH_FAILED, true);
    kas_status status = pass(&runner);
    doubles.reset();
    cr_expect_eq(kas_status_code(status), KAS_DEVICE_LOST);
    kas_status_free(status);
    segment_runner_unload(&runner);
    segment_runner_close(&runner);
    kas_graph_destroy(g);
}
