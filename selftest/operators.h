/* Every operator of the graph, lowered to a segment and run on a device, against float64; and the same bits
 * in every batch. `kasmina devices --selftest` and tests/conformance are made of this.
 *
 * Not thread-safe: cases are made of one sequence of random numbers. What fails here for another reason than
 * a wrong result ends the process (selftest/need.h). */
#ifndef KAS_SELFTEST_OPERATORS_H
#define KAS_SELFTEST_OPERATORS_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/kernels.h"
#include "selftest/op_graphs.h"

typedef struct selftest_operator {
    const char *name;
    op_graph_fn *make;
    bool exact;              /* elements are moved or compared: nothing may be off */
    bool blended;            /* also as the base of a blend */
    bool weighted;           /* weights are part of it */
    kas_weight_type weights; /* what its graphs' constants are rounded to */
} selftest_operator;

/* What came of an operator's cases on a device. */
typedef struct selftest_cell {
    size_t cases, wrong, dependent; /* dependent: cases whose bits depend on their batch */
    size_t stored;                  /* cases in which weights were stored in the row's type */
    double worst;                   /* share of the tolerance; above 1 is wrong */
    int64_t ns;
} selftest_cell;

enum { SELFTEST_ROWS_MAX = 32 };

typedef struct selftest_suite selftest_suite;

/* Makes every step-th variant of every operator, and of one more where `more` is not NULL (kept, not copied).
 * Takes a few seconds: the reference runs here. */
selftest_suite *selftest_suite_create(const selftest_operator *more, size_t step);
void selftest_suite_destroy(selftest_suite *suite);

/* Rows of the table: the operators (those with weights, for each type of them), then blending as a step of
 * its own and within products. */
size_t selftest_row_count(const selftest_suite *suite);
const char *selftest_row_name(const selftest_suite *suite, size_t row);
/* The type of a row's weights; NULL for an operator that has none. */
const char *selftest_row_weights(const selftest_suite *suite, size_t row);
/* Whether a device stored a row's weights as another type than the row's: as float32. */
bool selftest_is_widened(const selftest_suite *suite, size_t row, const selftest_cell *cell);

size_t selftest_case_count(const selftest_suite *suite);
size_t selftest_beyond_count(const selftest_suite *suite); /* cases that float32 cannot be asked about */

/* Runs all cases on a device; cells: one a row, overwritten. Says on stderr which cases fail, under `label`.
 */
void selftest_run(const selftest_suite *suite, const char *device_id, const char *label,
                  selftest_cell *cells);

#endif
