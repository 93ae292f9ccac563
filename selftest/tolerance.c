#include "selftest/tolerance.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/random.h"
#include "engine/graph/reference.h"
#include "selftest/need.h"

#define UNIT     0x1p-23 /* of float32, relative */
#define MARGIN   64      /* sums of a thousand terms round worse than one unit an element tells */
#define LEAST    1e-6    /* relative: what one elementary function may be off by, twice */
#define GREATEST 1e12

enum { TRIALS = 6 };

typedef struct evaluation {
    const kas_graph *graph;
    double **values; /* of one row */
    bool noisy;
    double greatest; /* magnitude of any value of the row */
    bool beyond;
    kas_rng rng;
} evaluation;

static void begin(evaluation *e, const kas_graph *graph)
{
    *e = (evaluation){.graph = graph, .rng = kas_rng_make(17, 0)};
    e->values = selftest_alloc(graph->tensor_count, sizeof *e->values);
    for (size_t i = 0; i < graph->tensor_count; ++i) {
        const kas_tensor *tensor = &graph->tensors[i];
        e->values[i] = selftest_alloc(tensor->elements, sizeof **e->values);
        for (size_t k = 0; tensor->constant && k < tensor->elements; ++k)
            e->values[i][k] = tensor->constant[k];
    }
}

static void end(evaluation *e)
{
    for (size_t i = 0; i < e->graph->tensor_count; ++i)
        kas_free(e->values[i]);
    kas_free(e->values);
}

/* Rounding, or what stands for it. */
static void disturb(evaluation *e, int tensor)
{
    double *values = e->values[tensor];
    for (size_t k = 0; k < e->graph->tensors[tensor].elements; ++k) {
        if (fabs(values[k]) > e->greatest) e->greatest = fabs(values[k]);
        if (e->noisy) values[k] *= 1 + UNIT * (2.0 * (double)kas_rng_unit(&e->rng) - 1);
    }
}

static void evaluate_row(evaluation *e, const float *x)
{
    const kas_graph *graph = e->graph;
    e->greatest = 0;
    for (size_t k = 0; k < graph->tensors[graph->input].elements; ++k)
        e->values[graph->input][k] = x[k];
    disturb(e, graph->input);
    for (size_t i = 0; i < graph->node_count; ++i) {
        const kas_node *node = &graph->nodes[i];
        const double *in[KAS_MAX_NODE_INPUTS] = {0};
        for (int k = 0; k < node->input_count; ++k)
            if (node->inputs[k] >= 0) in[k] = e->values[node->inputs[k]];
        kas_reference reference = {.graph = graph, .node = node, .in = in, .out = e->values[node->output]};
        kas_reference_node(&reference);
        disturb(e, node->output);
    }
    e->beyond |= e->greatest > GREATEST;
}

/* One row: want, and the greatest difference that noise made. */
static void expect_row(expectation *e, evaluation *run, const float *x, size_t row, bool exact)
{
    const double *y = run->values[run->graph->output];
    double *want = e->want + row * e->outputs, *tolerance = e->tolerance + row * e->outputs;
    run->noisy = false;
    evaluate_row(run, x);
    memcpy(want, y, e->outputs * sizeof *want);
    run->noisy = true;
    for (int trial = 0; trial < TRIALS && !exact; ++trial) {
        evaluate_row(run, x);
        for (size_t i = 0; i < e->outputs; ++i) {
            double off = MARGIN * fabs(y[i] - want[i]) + LEAST * fabs(want[i]) + UNIT * run->greatest;
            if (off > tolerance[i]) tolerance[i] = off;
        }
    }
}

expectation expectation_make(const kas_graph *graph, const float *x, size_t rows, bool exact)
{
    expectation e = {.rows = rows, .outputs = graph->tensors[graph->output].elements};
    size_t inputs = graph->tensors[graph->input].elements;
    e.want = selftest_alloc(rows * e.outputs, sizeof *e.want);
    e.tolerance = selftest_alloc(rows * e.outputs, sizeof *e.tolerance);
    evaluation run;
    begin(&run, graph);
    for (size_t row = 0; row < rows; ++row)
        expect_row(&e, &run, x + row * inputs, row, exact);
    e.beyond = run.beyond;
    end(&run);
    return e;
}

void expectation_finish(expectation *e)
{
    kas_free(e->want);
    kas_free(e->tolerance);
}

double tolerance_share(double want, double tolerance, float got)
{
    double off = fabs((double)got - want);
    if ((double)got == want || (float)want == got || (isnan(want) && isnan(got))) return 0;
    return isnan(off) || tolerance <= 0 ? INFINITY : off / tolerance;
}
