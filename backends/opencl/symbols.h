/* The OpenCL ICD loader, opened at run time at the first call that needs it: a machine without it, or a
 * process that uses no OpenCL device, pays nothing. */
#ifndef KAS_OPENCL_SYMBOLS_H
#define KAS_OPENCL_SYMBOLS_H

#include <stdbool.h>

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>

#include "base/status.h"

/* Every entry point without which there is no device. All are of 1.2 or below, as the headers know no other
 * here: a loader of any later age has them. */
#define KAS_OPENCL_SYMBOLS(X)                                                                                \
    X(clGetPlatformIDs)                                                                                      \
    X(clGetPlatformInfo)                                                                                     \
    X(clGetDeviceIDs)                                                                                        \
    X(clGetDeviceInfo)                                                                                       \
    X(clGetExtensionFunctionAddressForPlatform)                                                              \
    X(clCreateContext)                                                                                       \
    X(clReleaseContext)                                                                                      \
    X(clCreateCommandQueue)                                                                                  \
    X(clReleaseCommandQueue)                                                                                 \
    X(clCreateBuffer)                                                                                        \
    X(clCreateSubBuffer)                                                                                     \
    X(clReleaseMemObject)                                                                                    \
    X(clCreateProgramWithBinary)                                                                             \
    X(clGetProgramInfo)                                                                                      \
    X(clCreateProgramWithSource)                                                                             \
    X(clBuildProgram)                                                                                        \
    X(clGetProgramBuildInfo)                                                                                 \
    X(clReleaseProgram)                                                                                      \
    X(clCreateKernel)                                                                                        \
    X(clSetKernelArg)                                                                                        \
    X(clReleaseKernel)                                                                                       \
    X(clEnqueueNDRangeKernel)                                                                                \
    X(clEnqueueWriteBuffer)                                                                                  \
    X(clEnqueueReadBuffer)                                                                                   \
    X(clEnqueueMarkerWithWaitList)                                                                           \
    X(clEnqueueFillBuffer)                                                                                   \
    X(clFlush)                                                                                               \
    X(clGetEventInfo)                                                                                        \
    X(clGetEventProfilingInfo)                                                                               \
    X(clReleaseEvent)

/* clGetKernelSubGroupInfo, and clGetKernelSubGroupInfoKHR, which the headers of 1.2 do not declare. */
typedef cl_int CL_API_CALL kas_opencl_subgroup_info(cl_kernel kernel, cl_device_id id, cl_uint what,
                                                    size_t input_bytes, const void *input, size_t value_bytes,
                                                    void *value, size_t *needed_bytes);

typedef struct kas_opencl_symbols {
#define KAS_OPENCL_MEMBER(name) __typeof__(name) *name;
    KAS_OPENCL_SYMBOLS(KAS_OPENCL_MEMBER)
#undef KAS_OPENCL_MEMBER
    kas_opencl_subgroup_info *clGetKernelSubGroupInfo; /* of 2.1; NULL where the loader is older */
} kas_opencl_symbols;

/* The loader's entry points; opens it at the first call. NULL where it is not installed or lacks one of them
 * (kas_debug area "opencl" says which). Any thread. */
const kas_opencl_symbols *kas_opencl_load(void);
/* Whether it is open already. Any thread. */
bool kas_opencl_is_loaded(void);

#endif
