/* Every operator of the graph, lowered, on every device against float64; the same bits in every batch. Prints
 * what came of it as a table, a device a column. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "tests/conformance/batches.h"
#include "tests/conformance/blended.h"
#include "tests/conformance/devices.h"
#include "tests/conformance/op_graphs.h"
#include "tests/conformance/tolerance.h"
#include "tests/unit/random_graph.h"

#ifndef CASE_STEP /* variants from one case to the next; more in builds that are slow */
#define CASE_STEP 1
#endif

enum {
    RANDOM_GRAPHS = 400,
    CASES_MAX = 2048,
    WORK_MAX = 1 << 22, /* multiply-adds that a reference may take, about; fewer rows are compared beyond */
    COLUMNS_MAX = 8,
    PRINTED_MAX = 10
};

/* Every second one as lowering mostly sees them: simplified, with activations in their products. */
static kas_graph *random_case(size_t variant)
{
    if (variant >= RANDOM_GRAPHS) return NULL;
    kas_graph *graph = random_graph();
    if (variant % 2) cr_assert_null(kas_graph_simplify(graph));
    return graph;
}

static const struct group {
    const char *name;
    op_graph_fn *make;
    bool exact;   /* elements are moved or compared: nothing may be off */
    bool blended; /* also as the base of a blend */
} groups[] = {
    {"linear", op_linear, false, true},    {"linear + act", op_linear_act, false, true},
    {"matmul", op_matmul, false, false},   {"conv", op_conv, false, false},
    {"pool", op_pool, false, false},       {"unary", op_unary, false, false},
    {"binary", op_binary, false, false},   {"select", op_select, true, false},
    {"softmax", op_softmax, false, false}, {"norm", op_norm, false, false},
    {"reduce", op_reduce, false, false},   {"strided", op_strided, true, false},
    {"concat", op_concat, true, false},    {"gather", op_gather, true, false},
    {"pad", op_pad, true, false},          {"random graphs", random_case, false, false},
};
enum { GROUPS = sizeof groups / sizeof *groups, BLENDED = GROUPS, FUSED, ROWS_OF_TABLE };

typedef struct op_case {
    size_t group, variant;
    kas_graph *graph;
    float *x; /* BATCH_ROWS rows */
    expectation want;
} op_case;

static op_case cases[CASES_MAX];
static size_t case_count;

/* A cell of the table. */
typedef struct cell {
    size_t cases, wrong, dependent;
    double worst; /* share of the tolerance */
    int64_t ns;
} cell;

static struct {
    char label[32];
    cell cells[ROWS_OF_TABLE];
} columns[COLUMNS_MAX];
static size_t column_count;

/* ---- cases ------------------------------------------------------------------------------------------------
 */

static float *make_input(const kas_graph *graph)
{
    size_t count = BATCH_ROWS * graph->tensors[graph->input].elements;
    float *x = kas_alloc_array(count, sizeof *x);
    cr_assert_not_null(x);
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

static void add_case(size_t group, size_t variant, kas_graph *graph)
{
    cr_assert_lt(case_count, (size_t)CASES_MAX);
    op_case *c = &cases[case_count++];
    *c = (op_case){.group = group, .variant = variant, .graph = graph, .x = make_input(graph)};
    c->want = expectation_make(graph, c->x, compared_rows(graph), groups[group].exact);
}

static void make_cases(void)
{
    for (size_t group = 0; group < GROUPS; ++group) {
        random_restart(group + 1);
        kas_graph *graph;
        for (size_t variant = 0; (graph = groups[group].make(variant)) != NULL; variant += CASE_STEP)
            add_case(group, variant, graph);
    }
}

static void free_cases(void)
{
    for (size_t i = 0; i < case_count; ++i) {
        kas_graph_destroy(cases[i].graph);
        kas_free(cases[i].x);
        expectation_finish(&cases[i].want);
    }
}

/* ---- running ----------------------------------------------------------------------------------------------
 */

static void note(cell *to, double worst, size_t dependent, const op_case *c, const char *label)
{
    ++to->cases;
    to->worst = fmax(to->worst, worst);
    to->wrong += worst > 1;
    to->dependent += dependent > 0;
    if ((worst > 1 || dependent > 0) && to->wrong + to->dependent <= PRINTED_MAX)
        fprintf(stderr, "%s, %s %zu: off by %.3g times the tolerance; %zu elements depend on their batch\n",
                label, groups[c->group].name, c->variant, worst, dependent);
}

static double worst_share(const op_case *c, const float *y)
{
    double worst = 0;
    for (size_t i = 0; i < c->want.rows * c->want.outputs && !c->want.beyond; ++i)
        worst = fmax(worst, tolerance_share(c->want.want[i], c->want.tolerance[i], y[i]));
    return worst;
}

static void run_case(segment_runner *runner, const op_case *c, cell *cells, const char *label)
{
    int64_t start_ns = kas_monotonic_ns();
    segment_runner_load(runner, c->graph, BATCH_ROWS, groups[c->group].name);
    const kas_segment_info *info = kas_segment_get_info(runner->segment);
    float *y = kas_alloc_array(BATCH_ROWS * info->outputs, sizeof *y);
    cr_assert_not_null(y);
    segment_runner_run(runner, c->x, BATCH_ROWS, y);
    size_t dependent = batches_that_differ(runner, c->x, y) + neighbours_that_differ(runner, c->x, y);
    note(&cells[c->group], worst_share(c, y), dependent, c, label);
    cells[c->group].ns += kas_monotonic_ns() - start_ns;
    if (groups[c->group].blended && info->single_linear && info->rows_max >= BATCH_ROWS)
        for (int fused = 0; fused < 2; ++fused) {
            start_ns = kas_monotonic_ns();
            blended_result result = blended_check(runner, &c->want, c->x, fused);
            note(&cells[BLENDED + fused], result.worst, result.different, c, label);
            cells[BLENDED + fused].ns += kas_monotonic_ns() - start_ns;
        }
    kas_free(y);
    segment_runner_unload(runner);
}

static void run_on(const char *device_id, const char *label)
{
    cr_assert_lt(column_count, (size_t)COLUMNS_MAX);
    cell *cells = columns[column_count].cells;
    snprintf(columns[column_count++].label, sizeof columns->label, "%s", label);
    segment_runner runner;
    segment_runner_open(&runner, device_id);
    for (size_t i = 0; i < case_count; ++i)
        run_case(&runner, &cases[i], cells, label);
    segment_runner_close(&runner);
}

/* ---- the table --------------------------------------------------------------------------------------------
 */

static const char *row_name(size_t row)
{
    if (row < GROUPS) return groups[row].name;
    return row == BLENDED ? "blend" : "linear_blend";
}

static void print_table(void)
{
    fprintf(stderr, "\ncases, worst share of the tolerance, ms\n%-14s", "");
    for (size_t column = 0; column < column_count; ++column)
        fprintf(stderr, " | %-20s", columns[column].label);
    for (size_t row = 0; row < ROWS_OF_TABLE; ++row) {
        fprintf(stderr, "\n%-14s", row_name(row));
        for (size_t column = 0; column < column_count; ++column) {
            const cell *c = &columns[column].cells[row];
            fprintf(stderr, " | %4zu  %5.2f  %6.0f %s", c->cases, c->worst, (double)c->ns * 1e-6,
                    c->wrong + c->dependent ? "✗" : "✓");
        }
    }
    fprintf(stderr, "\n\n");
}

Test(operators, every_device)
{
    make_cases();
    conformance_on_every_device(run_on);
    print_table();
    size_t beyond = 0;
    for (size_t i = 0; i < case_count; ++i)
        beyond += cases[i].want.beyond;
    cr_expect_lt(beyond, case_count / 10, "%zu of %zu cases are beyond float32", beyond, case_count);
    for (size_t column = 0; column < column_count; ++column)
        for (size_t row = 0; row < ROWS_OF_TABLE; ++row) {
            const cell *c = &columns[column].cells[row];
            cr_expect_gt(c->cases, 0u);
            cr_expect_eq(c->wrong, 0u, "%s on %s: %zu of %zu wrong", row_name(row), columns[column].label,
                         c->wrong, c->cases);
            cr_expect_eq(c->dependent, 0u, "%s on %s: %zu of %zu depend on the batch", row_name(row),
                         columns[column].label, c->dependent, c->cases);
        }
    free_cases();
}
