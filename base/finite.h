/* Whether numbers are numbers. */
#ifndef KAS_BASE_FINITE_H
#define KAS_BASE_FINITE_H

#include <stddef.h>

/* The index of the first value that is NaN or infinite; `count` where all are finite. At the speed of memory.
 */
size_t kas_first_not_finite(const float *values, size_t count);

#endif
