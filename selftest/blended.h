/* A base's product blended with contributions, in the product's own epilogue and as a step of its own,
 * against float64. */
#ifndef KAS_SELFTEST_BLENDED_H
#define KAS_SELFTEST_BLENDED_H

#include "selftest/batches.h"
#include "selftest/tolerance.h"

typedef struct blended_result {
    double worst;     /* share of the tolerance */
    size_t different; /* elements whose bits depend on the batch */
} blended_result;

/* The runner's segment is a single product, whose outputs for the rows of x `base` expects. Blends it with
 * contributions whose alphas differ from row to row and some of which fail. */
blended_result blended_check(segment_runner *runner, const expectation *base, const float *x, bool fused);

#endif
