/* Reduction within a group: a SHARED array of WG values (a power of two) to its element 0, as a tree, by a
 * function of two numbers. Every item may read a[0] afterwards; the array must not be written again. */
#ifndef KAS_KERNELS_GROUP_REDUCE_H
#define KAS_KERNELS_GROUP_REDUCE_H

FN float sum_(float x, float y)
{
    return x + y;
}

FN float product_(float x, float y)
{
    return x * y;
}

#ifdef SUBGROUPS
#include "kernels/subgroup_reduce.h"
#else
#define GROUP_REDUCE(a, function)                                                                            \
    for (int width = WG / 2; width > 0; width /= 2) {                                                        \
        SYNC;                                                                                                \
        ITEMS_BELOW(width)                                                                                   \
        {                                                                                                    \
            a[LID] = function(a[LID], a[LID + width]);                                                       \
        }                                                                                                    \
    }                                                                                                        \
    SYNC
#endif

#endif
