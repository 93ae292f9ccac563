/* Sub-groups by way of a program's text, for a driver that has none. The kernel's own text is compiled as it
 * is; before it stand the functions that OpenCL C would have, and among its SHARED memory is theirs.
 *
 * A sub-group is played by the whole group: its first `size` items are the lanes of sub-group 0, all others
 * come along, and whatever they hold reaches none of those. So shuffles may wait for the group. Lanes run
 * against the items' own numbers, as drivers are free to have it, and what is handed down from beyond the
 * last lane is NaN. What this cannot show is a sub-group that does what only sub-group 0 may. */
#ifndef KAS_TESTS_OPENCL_VENDOR_SUBGROUPS_H
#define KAS_TESTS_OPENCL_VENDOR_SUBGROUPS_H

#define CL_TARGET_OPENCL_VERSION 210
#include <CL/cl.h>

#include "tests/opencl/vendor.h"

/* A copy of the source of one of Kasmina's kernels that works with -DSUBGROUPS; the caller's to free. Without
 * the n-th barrier within GROUP_REDUCE (as it is with SUBGROUPS), for n other than 0. */
char *vendor_give_subgroups(const char *source, size_t length, size_t without_barrier);
/* The options that it is built with for sub-groups of a size. */
void vendor_subgroup_options(const char *options, size_t size, char *out, size_t room);

/* What a device that offers them says: " cl_khr_subgroups …"; clGetKernelSubGroupInfo. */
const char *vendor_subgroup_extensions(const vendor_control *told);
cl_int vendor_subgroup_info(const vendor_control *told, cl_kernel_sub_group_info what, size_t input_size,
                            const void *input, size_t size, void *out);

#endif
