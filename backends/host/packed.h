/* What the files built once for each instruction set give each other. KERNEL_PREFIX makes their names differ.
 */
#ifndef KAS_HOST_PACKED_H
#define KAS_HOST_PACKED_H

#include "backends/host/task.h"
#include "backends/host/vector.h"
#include "kernels/dialect.h"

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
/* blending.c: 1 when one of n floats is NaN or infinite. */
uint PACKED(any_nonfinite)(const float *x, size_t n);
/* blending.c: y = c·base + Σ wᵢ·kᵢ for a part of some rows. Where c is 0, base is not read, and where wᵢ is
 * 0, kᵢ is not. Raises the flag of each row whose c is not 0 and whose base was non-finite somewhere. */
typedef struct blend_part {
    size_t rows, columns;
    float *y;
    const float *base;
    const float *k;            /* in the first contribution */
    const float *coefficients; /* of the first row: c, w₀, … */
    uint *flags;               /* the first row's; RESULT_HEAD words to the next */
    size_t ldy, ld_base, ldk, k_stride,
        ld_coefficients; /* floats to the next row; to the next contribution */
    size_t contributions;
} blend_part;
void PACKED(blend_rows)(const blend_part *part);

#endif
