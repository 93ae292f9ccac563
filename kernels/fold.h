/* The functions that reductions fold with, by their FOLD_… number in kernels/args.h. Needs kernels/pair.h and
 * kernels/group_reduce.h. */
#ifndef KAS_KERNELS_FOLD_H
#define KAS_KERNELS_FOLD_H

FN float fold_start_(int op)
{
    if (op == FOLD_MAX) return -INFINITY_;
    if (op == FOLD_MIN) return INFINITY_;
    return op == FOLD_PROD ? 1.0f : 0.0f;
}

FN float fold_end_(float x, int op, int size)
{
    return op == FOLD_MEAN ? x / F32(size) : x;
}

/* step(f) with f the function of args.op: the choice stands outside of the loops. */
#define FOLD(step)                                                                                           \
    if (args.op == FOLD_MAX) {                                                                               \
        step(greater_)                                                                                       \
    } else if (args.op == FOLD_MIN) {                                                                        \
        step(lesser_)                                                                                        \
    } else if (args.op == FOLD_PROD) {                                                                       \
        step(product_)                                                                                       \
    } else {                                                                                                 \
        step(sum_)                                                                                           \
    }

#endif
