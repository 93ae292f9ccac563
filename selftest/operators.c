#include "selftest/operators.h"

#include <math.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/half.h"
#include "selftest/batches.h"
#include "selftest/blended.h"
#include "selftest/graph_builder.h"
#include "selftest/need.h"
#include "selftest/tolerance.h"

enum {
    CASES_MAX = 2048,
    WORK_MAX = 1 << 22, /* multiply-adds that a reference may take, about; fewer rows are compared beyond */
    PRINTED_MAX = 10
};

/* For each type of weights. */
#define WEIGHTED(name, make, blended)                                                                        \
    {name, make, false, blended, true, KAS_WEIGHT_F32}, {name, make, false, blended, true, KAS_WEIGHT_F16},  \
    {                                                                                                        \
        name, make, false, blended, true, KAS_WEIGHT_BF16                                                    \
    }
#define WEIGHTLESS(name, make, exact)                                                                        \
    {                                                                                                        \
        name, make, exact, false, false, KAS_WEIGHT_F32                                                      \
    }

static const selftest_operator operators[] = {
    WEIGHTED("linear", op_linear, true),      WEIGHTED("linear + act", op_linear_act, true),
    WEIGHTED("matmul", op_matmul, false),     WEIGHTED("conv", op_conv, false),
    WEIGHTLESS("pool", op_pool, false),       WEIGHTLESS("unary", op_unary, false),
    WEIGHTLESS("binary", op_binary, false),   WEIGHTLESS("select", op_select, true),
    WEIGHTLESS("softmax", op_softmax, false), WEIGHTLESS("norm", op_norm, false),
    WEIGHTLESS("reduce", op_reduce, false),   WEIGHTLESS("strided", op_strided, true),
    WEIGHTLESS("concat", op_concat, true),    WEIGHTLESS("gather", op_gather, true),
    WEIGHTLESS("pad", op_pad, true),
};
enum { OPERATORS = sizeof operators / sizeof *operators };
/* Rows after the operators'. */
enum { ROW_BLEND, ROW_LINEAR_BLEND, BLEND_ROWS = ROW_LINEAR_BLEND + KAS_WEIGHT_BF16 + 1 };
_Static_assert(OPERATORS + 1 + BLEND_ROWS <= SELFTEST_ROWS_MAX, "one more, and those for blending");

typedef struct op_case {
    size_t operator, variant;
    kas_graph *graph;
    float *x; /* BATCH_ROWS rows */
    expectation want;
} op_case;

struct selftest_suite {
    const selftest_operator *more;
    size_t operator_count, case_count;
    op_case cases[CASES_MAX];
};

static const selftest_operator *operator_at(const selftest_suite *suite, size_t i)
{
    return i < OPERATORS ? &operators[i] : suite->more;
}

/* ---- cases ---- */

static float *make_input(const kas_graph *graph)
{
    size_t count = BATCH_ROWS * graph->tensors[graph->input].elements;
    float *x = selftest_alloc(count, sizeof *x);
    for (size_t i = 0; i < count; ++i)
        x[i] = random_below(16) ? random_within(3) : 0;
    return x;
}

/* Rows to compare: as many as the reference can do in a moment. */
static size_t compared_rows(const kas_graph *graph)
{
    size_t work = 1;
    for (size_t i = 0; i < graph->node_count; ++i) {
        const kas_node *node = &graph->nodes[i];
        bool product = node->op == KAS_OP_LINEAR || node->op == KAS_OP_CONV || node->op == KAS_OP_MATMUL;
        const kas_shape *w = &graph->tensors[node->inputs[product ? 1 : 0]].shape;
        size_t each = 16;
        for (int d = node->op == KAS_OP_MATMUL ? w->rank - 2 : 1; product && d < w->rank; ++d)
            each *= (size_t)w->dims[d];
        work += graph->tensors[node->output].elements * each;
    }
    size_t rows = WORK_MAX / work;
    return rows < 2 ? 2 : rows > BATCH_ROWS ? BATCH_ROWS : rows;
}

static float rounded(float value, kas_weight_type type)
{
    return type == KAS_WEIGHT_F16 ? kas_half_to_float(kas_half_from_float(value))
                                  : kas_bfloat_to_float(kas_bfloat_from_float(value));
}

/* As an artifact made in that type has it: all constants. */
static void round_constants(kas_graph *graph, kas_weight_type type)
{
    for (size_t t = 0; t < graph->tensor_count && type != KAS_WEIGHT_F32; ++t)
        for (size_t i = 0; graph->tensors[t].constant && i < graph->tensors[t].elements; ++i)
            graph->tensors[t].constant[i] = rounded(graph->tensors[t].constant[i], type);
}

static void add_case(selftest_suite *suite, size_t operator, size_t variant, kas_graph *graph)
{
    round_constants(graph, operator_at(suite, operator)->weights);
    selftest_check(suite->case_count < CASES_MAX, "room for another case");
    op_case *c = &suite->cases[suite->case_count++];
    *c = (op_case){.operator= operator, .variant = variant, .graph = graph, .x = make_input(graph)};
    c->want = expectation_make(graph, c->x, compared_rows(graph), operator_at(suite, operator)->exact);
}

selftest_suite *selftest_suite_create(const selftest_operator *more, size_t step)
{
    selftest_suite *suite = selftest_alloc(1, sizeof *suite);
    suite->more = more;
    suite->operator_count = OPERATORS + (more != NULL);
    for (size_t i = 0; i < suite->operator_count; ++i) {
        random_restart(i + 1);
        kas_graph *graph;
        for (size_t variant = 0; (graph = operator_at(suite, i)->make(variant)) != NULL; variant += step)
            add_case(suite, i, variant, graph);
    }
    return suite;
}

void selftest_suite_destroy(selftest_suite *suite)
{
    for (size_t i = 0; i < suite->case_count; ++i) {
        kas_graph_destroy(suite->cases[i].graph);
        kas_free(suite->cases[i].x);
        expectation_finish(&suite->cases[i].want);
    }
    kas_free(suite);
}

size_t selftest_row_count(const selftest_suite *suite)
{
    return suite->operator_count + BLEND_ROWS;
}

const char *selftest_row_name(const selftest_suite *suite, size_t row)
{
    if (row < suite->operator_count) return operator_at(suite, row)->name;
    return row == suite->operator_count + ROW_BLEND ? "blend" : "linear_blend";
}

/* NULL: the row has no weights. */
static const kas_weight_type *weights_of(const selftest_suite *suite, size_t row)
{
    static const kas_weight_type types[] = {KAS_WEIGHT_F32, KAS_WEIGHT_F16, KAS_WEIGHT_BF16};
    if (row >= suite->operator_count + ROW_LINEAR_BLEND)
        return &types[row - suite->operator_count - ROW_LINEAR_BLEND];
    bool weighted = row < suite->operator_count && operator_at(suite, row)->weighted;
    return weighted ? &operator_at(suite, row)->weights : NULL;
}

const char *selftest_row_weights(const selftest_suite *suite, size_t row)
{
    const kas_weight_type *type = weights_of(suite, row);
    return type ? kas_weight_type_name(*type) : NULL;
}

bool selftest_is_widened(const selftest_suite *suite, size_t row, const selftest_cell *cell)
{
    const kas_weight_type *type = weights_of(suite, row);
    return type && *type != KAS_WEIGHT_F32 && cell->stored == 0;
}

size_t selftest_case_count(const selftest_suite *suite)
{
    return suite->case_count;
}

size_t selftest_beyond_count(const selftest_suite *suite)
{
    size_t beyond = 0;
    for (size_t i = 0; i < suite->case_count; ++i)
        beyond += suite->cases[i].want.beyond;
    return beyond;
}

/* ---- running ---- */

static void note(selftest_cell *to, double worst, size_t dependent, const char *label, const char *name,
                 size_t variant)
{
    ++to->cases;
    to->worst = fmax(to->worst, worst);
    to->wrong += worst > 1;
    to->dependent += dependent > 0;
    if ((worst > 1 || dependent > 0) && to->wrong + to->dependent <= PRINTED_MAX)
        fprintf(stderr, "%s, %s %zu: off by %.3g times the tolerance; %zu elements depend on their batch\n",
                label, name, variant, worst, dependent);
}

static double worst_share(const op_case *c, const float *y)
{
    double worst = 0;
    for (size_t i = 0; i < c->want.rows * c->want.outputs && !c->want.beyond; ++i)
        worst = fmax(worst, tolerance_share(c->want.want[i], c->want.tolerance[i], y[i]));
    return worst;
}

static void run_blend(segment_runner *runner, const op_case *c, bool fused, selftest_cell *cell,
                      const char *label, const selftest_operator *operator)
{
    int64_t start_ns = kas_monotonic_ns();
    blended_result result = blended_check(runner, &c->want, c->x, fused);
    note(cell, result.worst, result.different, label, operator->name, c->variant);
    cell->stored += runner->weights >> operator->weights & 1;
    cell->ns += kas_monotonic_ns() - start_ns;
}

/* As a step of its own a blend does not know what the weights before it were. */
static void run_blends(segment_runner *runner, const op_case *c, selftest_cell *blends, const char *label,
                       const selftest_operator *operator)
{
    if (operator->weights == KAS_WEIGHT_F32) run_blend(runner, c, false, &blends[ROW_BLEND], label, operator);
    run_blend(runner, c, true, &blends[ROW_LINEAR_BLEND + operator->weights], label, operator);
}

static void run_case(const selftest_suite *suite, segment_runner *runner, const op_case *c,
                     selftest_cell *cells, const char *label)
{
    const selftest_operator *operator= operator_at(suite, c->operator);
    selftest_cell *cell = &cells[c->operator];
    int64_t start_ns = kas_monotonic_ns();
    segment_runner_load(runner, c->graph, BATCH_ROWS, operator->name);
    const kas_segment_info *info = kas_segment_get_info(runner->segment);
    float *y = selftest_alloc(BATCH_ROWS * info->outputs, sizeof *y);
    segment_runner_run(runner, c->x, BATCH_ROWS, y);
    size_t dependent = batches_that_differ(runner, c->x, y) + neighbours_that_differ(runner, c->x, y);
    note(cell, worst_share(c, y), dependent, label, operator->name, c->variant);
    cell->stored += runner->weights >> operator->weights & 1;
    cell->ns += kas_monotonic_ns() - start_ns;
    if (operator->blended && info->single_linear && info->rows_max >= BATCH_ROWS)
        run_blends(runner, c, &cells[suite->operator_count], label, operator);
    kas_free(y);
    segment_runner_unload(runner);
}

void selftest_run(const selftest_suite *suite, const char *device_id, const char *label, selftest_cell *cells)
{
    for (size_t row = 0; row < selftest_row_count(suite); ++row)
        cells[row] = (selftest_cell){0};
    segment_runner runner;
    segment_runner_open(&runner, device_id);
    for (size_t i = 0; i < suite->case_count; ++i)
        run_case(suite, &runner, &suite->cases[i], cells, label);
    segment_runner_close(&runner);
}
