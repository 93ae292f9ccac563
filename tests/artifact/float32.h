/* Evaluates a graph as a device does: each operator exactly, but its result rounded to float32, so that
 * values overflow and quotients round where they do there. */
#ifndef KAS_TESTS_FLOAT32_H
#define KAS_TESTS_FLOAT32_H

#include "engine/graph/graph.h"

/* x: rows × input elements; y: rows × output elements. KAS_OUT_OF_MEMORY. */
kas_status evaluate_as_float32(const kas_graph *graph, const float *x, size_t rows, double *y) KAS_MUST_USE;

#endif
