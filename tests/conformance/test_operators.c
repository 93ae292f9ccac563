/* Every operator of the graph on every device (selftest/operators.h), and random graphs of them. Prints what
 * came of it as a table, a device a column. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "selftest/operators.h"
#include "tests/conformance/devices.h"
#include "tests/unit/random_graph.h"

#ifndef CASE_STEP /* variants from one case to the next; more in builds that are slow */
#define CASE_STEP 1
#endif

enum { RANDOM_GRAPHS = 400, COLUMNS_MAX = 8 };

static struct {
    char label[32];
    bool narrow; /* the device stores weights in 16 bits */
    selftest_cell cells[SELFTEST_ROWS_MAX];
} columns[COLUMNS_MAX];
static size_t column_count;
static selftest_suite *suite;

/* Every second one as lowering mostly sees them: simplified, with activations in their products. */
static kas_graph *random_case(size_t variant)
{
    if (variant >= RANDOM_GRAPHS) return NULL;
    kas_graph *graph = random_graph();
    if (variant % 2) cr_assert_null(kas_graph_simplify(graph));
    return graph;
}

static void run_on(const char *device_id, const char *label)
{
    cr_assert_lt(column_count, (size_t)COLUMNS_MAX);
    kas_device *device;
    cr_assert_null(kas_device_open(device_id, &device));
    const kas_device_limits *limits = kas_device_get_limits(device);
    cr_expect_eq(limits->fp16, limits->bf16);
    columns[column_count].narrow =
        limits->fp16 && (!limits->fast_acts[KAS_WEIGHT_F32] || limits->fast_acts[KAS_WEIGHT_F16]);
    kas_device_release(device);
    snprintf(columns[column_count].label, sizeof columns->label, "%s", label);
    selftest_run(suite, device_id, label, columns[column_count++].cells);
}

static void print_table(void)
{
    fprintf(stderr, "\ncases, worst share of the tolerance, ms; ° stored as float32\n%-19s", "");
    for (size_t column = 0; column < column_count; ++column)
        fprintf(stderr, " | %-20s", columns[column].label);
    for (size_t row = 0; row < selftest_row_count(suite); ++row) {
        const char *weights = selftest_row_weights(suite, row);
        fprintf(stderr, "\n%-14s %-4s", selftest_row_name(suite, row), weights ? weights : "");
        for (size_t column = 0; column < column_count; ++column) {
            const selftest_cell *c = &columns[column].cells[row];
            fprintf(stderr, " | %4zu %5.2f%s %6.0f %s", c->cases, c->worst,
                    selftest_is_widened(suite, row, c) ? "°" : " ", (double)c->ns * 1e-6,
                    c->wrong + c->dependent ? "✗" : "✓");
        }
    }
    fprintf(stderr, "\n\n");
}

static void check(const selftest_cell *c, const char *row, const char *label)
{
    cr_expect_gt(c->cases, 0u);
    cr_expect_eq(c->wrong, 0u, "%s on %s: %zu of %zu wrong", row, label, c->wrong, c->cases);
    cr_expect_eq(c->dependent, 0u, "%s on %s: %zu of %zu depend on the batch", row, label, c->dependent,
                 c->cases);
}

Test(operators, every_device)
{
    static const selftest_operator random_graphs = {"random graphs", random_case, false,
                                                    false,           false,       KAS_WEIGHT_F32};
    suite = selftest_suite_create(&random_graphs, CASE_STEP);
    conformance_on_every_device(run_on);
    print_table();
    size_t beyond = selftest_beyond_count(suite), count = selftest_case_count(suite);
    cr_expect_lt(beyond, count / 10, "%zu of %zu cases are beyond float32", beyond, count);
    for (size_t column = 0; column < column_count; ++column)
        for (size_t row = 0; row < selftest_row_count(suite); ++row) {
            const selftest_cell *c = &columns[column].cells[row];
            check(c, selftest_row_name(suite, row), columns[column].label);
            if (CASE_STEP == 1) /* some cases of a row have no weights that are constant */
                cr_expect(!columns[column].narrow || !selftest_is_widened(suite, row, c));
        }
    selftest_suite_destroy(suite);
}
