/* Each allocation fails in turn: nothing crashes, nothing leaks (the sanitizers see to that), what is refused
 * says so, and a graph whose simplification ended half-way still computes the same. */
#include <criterion/criterion.h>
#include <math.h>

#include "base/alloc.h"
#include "tests/unit/graph_fixture.h"

TestSuite(graph_memory, .fini = expect_no_leaks);

/* A bit of everything that simplifying allocates for. */
static kas_graph *sample(void)
{
    random_restart(1);
    kas_graph *g = graph_new(SHAPE(3, 4));
    int c = unary(g, KAS_ACT_EXP, 0, 0, constant_random(g, SHAPE(4), 1));
    int y = binary(g, KAS_MUL, g->input, c);
    y = binary(g, KAS_ADD, y, constant_random(g, SHAPE(4), 1));
    y = matmul(g, y, constant_random(g, SHAPE(4, 5), 1));
    y = binary(g, KAS_ADD, y, constant_random(g, SHAPE(5), 1));
    kas_node norm = {.op = KAS_OP_NORM, .inputs = {y}, .input_count = 1, .axis = 1, .epsilon = 0.1f};
    y = append(g, norm, SHAPE(3, 5));
    y = binary(g, KAS_MUL, y, constant_random(g, SHAPE(5), 1));
    kas_node gather = {.op = KAS_OP_GATHER, .inputs = {y}, .input_count = 1, .axis = 1, .index_count = 2};
    gather.indices = kas_memdup((const int32_t[]){4, 0}, 2 * sizeof(int32_t));
    y = append(g, gather, SHAPE(3, 2));
    finish(g, unary(g, KAS_ACT_SIGMOID, 0, 0, y));
    return g;
}

static const float row[12] = {1, -1, 2, 0.5f, 3, -2, 0, 1, 1, 1, -3, 2};

static void expect_same(const kas_graph *g, const double *expected)
{
    double y[6];
    cr_assert_null(kas_graph_check(g));
    cr_assert_null(kas_graph_reference(g, row, 1, y));
    for (size_t i = 0; i < 6; ++i)
        cr_expect(fabs(y[i] - expected[i]) < 1e-6);
}

static bool fails_for_memory(kas_status status)
{
    kas_alloc_fail_at(0);
    if (!status) return false;
    cr_expect_eq(kas_status_code(status), KAS_OUT_OF_MEMORY);
    kas_status_free(status);
    return true;
}

Test(graph_memory, simplifying)
{
    kas_graph *g = sample();
    double expected[6];
    cr_assert_null(kas_graph_reference(g, row, 1, expected));
    kas_graph_destroy(g);
    uint64_t failures = 0;
    for (bool failed = true; failed;) {
        g = sample();
        kas_alloc_fail_at(failures + 1);
        failed = fails_for_memory(kas_graph_simplify(g));
        failures += failed;
        expect_same(g, expected);
        kas_graph_destroy(g);
    }
    cr_expect_gt(failures, 15, "only %llu allocations", (unsigned long long)failures);
}

Test(graph_memory, checking_and_evaluating)
{
    kas_graph *g = sample();
    double y[6];
    kas_alloc_fail_at(1);
    cr_expect(fails_for_memory(kas_graph_check(g)));
    uint64_t failures = 0;
    do
        kas_alloc_fail_at(failures + 1);
    while (fails_for_memory(kas_graph_reference(g, row, 1, y)) && ++failures);
    cr_expect_eq(failures, g->tensor_count + 1);
    kas_graph_destroy(g);
}

Test(graph_memory, affine)
{
    kas_graph *g = graph_new(SHAPE(3));
    finish(g, linear(g, g->input, constant_random(g, SHAPE(2, 3), 1), -1));
    for (uint64_t nth = 1; nth <= 2; ++nth) {
        bool is_affine;
        float *weight, *bias;
        kas_alloc_fail_at(nth);
        cr_expect(fails_for_memory(kas_graph_affine(g, &is_affine, &weight, &bias)));
        cr_expect_not(is_affine);
    }
    kas_graph_destroy(g);
}

static kas_status build(kas_graph **out)
{
    kas_graph *g = NULL;
    int tensor;
    kas_status status = kas_graph_create(&g);
    *out = g;
    if (status) return status;
    KAS_TRY(kas_graph_add_tensor(g, "x", &SHAPE(1), &g->input));
    KAS_TRY(kas_graph_add_constant(g, "c", &SHAPE(1), kas_calloc(1, sizeof(float)), &tensor));
    kas_node node = {.op = KAS_OP_GATHER, .input_count = 1, .indices = kas_calloc(1, sizeof(int32_t))};
    return kas_graph_add_node(g, &node);
}

/* Allocations 4 and 6 are the test's own; what it hands over is taken as it is. */
Test(graph_memory, building)
{
    for (uint64_t nth = 1; nth <= 8; ++nth) {
        kas_graph *g;
        kas_alloc_fail_at(nth);
        bool failed = fails_for_memory(build(&g));
        cr_expect_eq(failed, nth != 4 && nth != 6 && nth != 8, "allocation %llu", (unsigned long long)nth);
        kas_graph_destroy(g);
    }
}

Test(graph_memory, a_refusal_without_memory_is_still_one)
{
    kas_graph *g = graph_new(SHAPE(2));
    g->output = binary(g, KAS_ADD, g->input, constant_filled(g, SHAPE(2), INFINITY));
    for (uint64_t nth = 1; nth <= 2; ++nth) {
        kas_alloc_fail_at(nth);
        cr_expect(fails_for_memory(kas_graph_check(g)));
    }
    kas_graph_destroy(g);
}
