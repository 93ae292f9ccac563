/* What the files built once for each instruction set give each other. KERNEL_PREFIX makes their names differ.
 */
#ifndef KAS_HOST_PACKED_H
#define KAS_HOST_PACKED_H

#include "backends/host/task.h"
#include "backends/host/vector.h"

#define PACKED_PASTE(prefix, name)  prefix##name
#define PACKED_EXPAND(prefix, name) PACKED_PASTE(prefix, name)
#define PACKED(name)                PACKED_EXPAND(KERNEL_PREFIX, name)

/* product.c */
kas_host_plan PACKED(plan_product);
/* blending.c */
kas_host_plan PACKED(plan_judge);
kas_host_plan PACKED(plan_blend);

/* epilogue.c: y[0 … n) = act(y), in place. */
void PACKED(activate_row)(float *y, size_t n, int act, float a, float b);
/* blending.c: y = c·y + Σ wᵢ·kᵢ for a part of a row; where c is 0, y is not read. k: the part's first element
 * in the first contribution, stride floats to the next. True when c is not 0 and y was non-finite somewhere.
 */
int PACKED(blend_row)(float *y, size_t n, const float *coefficients, int contributions, const float *k,
                      size_t stride);

#endif
