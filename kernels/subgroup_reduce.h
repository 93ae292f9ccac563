/* GROUP_REDUCE of group_reduce.h where items of a group that run together hand values to each other (GLSL
 * with subgroups): the tree's last levels need no barrier. The same pairs in the same order, so the same
 * bits. WG is a multiple of the subgroup's size, and subgroups are full: the backend sees to both. */
#ifndef KAS_KERNELS_SUBGROUP_REDUCE_H
#define KAS_KERNELS_SUBGROUP_REDUCE_H

#define GROUP_REDUCE(a, function)                                                                            \
    for (int width = WG / 2; width >= int(gl_SubgroupSize); width /= 2) {                                    \
        barrier();                                                                                           \
        if (LID < width) a[LID] = function(a[LID], a[LID + width]);                                          \
    }                                                                                                        \
    barrier();                                                                                               \
    if (gl_SubgroupID == 0) {                                                                                \
        float value_ = a[gl_SubgroupInvocationID];                                                           \
        for (uint width = gl_SubgroupSize / 2; width > 0; width /= 2)                                        \
            value_ = function(value_, subgroupShuffleDown(value_, width));                                   \
        if (gl_SubgroupInvocationID == 0) a[0] = value_;                                                     \
    }                                                                                                        \
    barrier()

#endif
