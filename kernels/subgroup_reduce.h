/* GROUP_REDUCE of group_reduce.h where items of a group that run together hand values to each other (OpenCL C
 * and GLSL with sub-groups): the tree's last levels need no barrier. The same pairs in the same order, so the
 * same bits. SUBGROUP_SIZE is a power of two that divides WG, and sub-groups are full: the backend sees to
 * it. */
#ifndef KAS_KERNELS_SUBGROUP_REDUCE_H
#define KAS_KERNELS_SUBGROUP_REDUCE_H

#define GROUP_REDUCE(a, function)                                                                            \
    for (int width = WG / 2; width >= SUBGROUP_SIZE; width /= 2) {                                           \
        SYNC;                                                                                                \
        ITEMS_BELOW(width)                                                                                   \
        {                                                                                                    \
            a[LID] = function(a[LID], a[LID + width]);                                                       \
        }                                                                                                    \
    }                                                                                                        \
    SYNC;                                                                                                    \
    if (SUBGROUP_ID == 0) {                                                                                  \
        float value_ = a[LANE];                                                                              \
        for (int width = SUBGROUP_SIZE / 2; width > 0; width /= 2)                                           \
            value_ = function(value_, SHUFFLE_DOWN(value_, width));                                          \
        if (LANE == 0) a[0] = value_;                                                                        \
    }                                                                                                        \
    SYNC

#endif
