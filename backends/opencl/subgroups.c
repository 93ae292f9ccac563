/* Sub-groups: which devices have what kernels use of them, and whether those of a kernel come out full. */
#include <stdlib.h>
#include <string.h>

#include "backends/opencl/opencl.h"

#include <CL/cl_ext.h> /* behind symbols.h, which says which version */

enum { MAX_NUM_SUB_GROUPS = 0x105C }; /* CL_DEVICE_MAX_NUM_SUB_GROUPS, which the headers of 1.2 do not name */

/* Sub-groups are part of 2.1 and 2.2, a choice from 3.0 on, and an extension of 2.0. */
static bool are_offered(const kas_opencl_symbols *cl, cl_device_id id, unsigned version)
{
    cl_uint most = 0;
    if (!kas_opencl_has_extension(cl, id, "cl_khr_subgroup_shuffle_relative")) return false;
    if (version < 21) return version == 20 && kas_opencl_has_extension(cl, id, "cl_khr_subgroups");
    if (version < 30) return true;
    return cl->clGetDeviceInfo(id, MAX_NUM_SUB_GROUPS, sizeof most, &most, NULL) == CL_SUCCESS && most > 0;
}

kas_opencl_subgroup_info *kas_opencl_find_subgroup_info(const kas_opencl_symbols *cl,
                                                        const kas_opencl_found *found)
{
    const unsigned version = kas_opencl_version(cl, found->id);
    const char *wanted = getenv("KASMINA_OPENCL_SUBGROUPS");
    kas_opencl_subgroup_info *info = NULL;
    if ((wanted && !strcmp(wanted, "0")) || !are_offered(cl, found->id, version)) return NULL;
    if (version >= 21) return cl->clGetKernelSubGroupInfo;
    void *address =
        cl->clGetExtensionFunctionAddressForPlatform(found->platform, "clGetKernelSubGroupInfoKHR");
    memcpy(&info, &address, sizeof address); /* a data pointer into a function pointer, as POSIX allows */
    return info;
}

/* OpenCL C 1.2 knows no sub-groups; a device of 2.x need not know 3.0, nor one of 3.0 all of 2.0. */
const char *kas_opencl_subgroup_options(const kas_opencl_device *device)
{
    return kas_opencl_version(device->cl, device->id) >= 30 ? "-cl-std=CL3.0 -DSUBGROUPS"
                                                            : "-cl-std=CL2.0 -DSUBGROUPS";
}

/* What the driver says of a kernel's groups. */
typedef struct division {
    size_t size, count; /* of the largest sub-group; sub-groups of a group */
} division;

static kas_status ask(const kas_opencl_device *device, cl_kernel kernel, size_t items, division *out)
{
    const size_t local[2] = {items, 1}; /* as launched */
    cl_int code = device->subgroup_info(kernel, device->id, CL_KERNEL_MAX_SUB_GROUP_SIZE_FOR_NDRANGE_KHR,
                                        sizeof local, local, sizeof out->size, &out->size, NULL);
    if (code == CL_SUCCESS)
        code = device->subgroup_info(kernel, device->id, CL_KERNEL_SUB_GROUP_COUNT_FOR_NDRANGE_KHR,
                                     sizeof local, local, sizeof out->count, &out->count, NULL);
    return code == CL_SUCCESS ? NULL : kas_opencl_fail(code, "clGetKernelSubGroupInfo");
}

/* None is larger than `size`, so where `count` of that size are the whole group, each of them is full. */
static kas_status check(const division *groups, size_t items)
{
    const size_t size = groups->size;
    const bool power = size > 1 && (size & (size - 1)) == 0;
    if (power && items % size == 0 && groups->count == items / size) return NULL;
    return kas_fail(KAS_UNSUPPORTED, DEVICE, "%zu work items are %zu sub-groups of at most %zu", items,
                    groups->count, size);
}

kas_status kas_opencl_check_subgroups(const kas_opencl_device *device, cl_program program,
                                      const kas_kernel_info *kernel)
{
    cl_int code;
    division groups = {0};
    cl_kernel made = device->cl->clCreateKernel(program, kernel->name, &code);
    if (code != CL_SUCCESS) return kas_opencl_fail(code, "clCreateKernel");
    kas_status status = ask(device, made, kernel->group_items, &groups);
    device->cl->clReleaseKernel(made);
    return status ? status : check(&groups, kernel->group_items);
}
