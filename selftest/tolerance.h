/* What float32 may make of a graph: the float64 reference, and how far each output may be from it.
 *
 * Rounding is imitated: the graph is evaluated again with every element that a node reads or writes off by up
 * to one unit of float32 in a random direction. The tolerance is a multiple of what comes of that, so it is
 * wide just where the graph itself magnifies rounding (cancellation, poles), and a few 1e-6 elsewhere. */
#ifndef KAS_SELFTEST_TOLERANCE_H
#define KAS_SELFTEST_TOLERANCE_H

#include "engine/graph/graph.h"

typedef struct expectation {
    size_t rows, outputs;
    double *want, *tolerance; /* rows × outputs; freed by expectation_finish */
    bool beyond; /* a value on the way is beyond what float32 computes with: nothing can be expected */
} expectation;

/* exact: no output may be off by anything (elements are moved or compared). x: rows × inputs. Ends the test
 * where memory is out. */
expectation expectation_make(const kas_graph *graph, const float *x, size_t rows, bool exact);
void expectation_finish(expectation *e);

/* How much of its tolerance a result takes; above 1 it is wrong. 0 where both are NaN or infinite alike, or
 * where the result is what was wanted rounded. */
double tolerance_share(double want, double tolerance, float got);

#endif
