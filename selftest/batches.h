/* Batch invariance: the bits of a row must not depend on which rows it is computed with. */
#ifndef KAS_SELFTEST_BATCHES_H
#define KAS_SELFTEST_BATCHES_H

#include "selftest/segment_runner.h"

enum { BATCH_ROWS = 128 };

/* x: BATCH_ROWS rows, y: what one pass of all of them gave. Runs rows alone and in batches of 7 and 32, at
 * several places, and counts the elements whose bits differ (NaN is NaN, whatever its payload). */
size_t batches_that_differ(segment_runner *runner, const float *x, const float *y);

/* As above, for a pass in which every fourth row is NaN, infinite or near the end of what a float holds:
 * counts the elements of the other rows that differ. */
size_t neighbours_that_differ(segment_runner *runner, const float *x, const float *y);

/* Floats of these arrays that have other bits. */
size_t bits_that_differ(const float *a, const float *b, size_t count);

#endif
