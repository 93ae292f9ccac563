/* The part of the CUDA driver's binary interface that this backend calls, declared here so that no CUDA
 * header is needed to build. Names, numbers and signatures: CUDA Driver API reference, 11.4 and later, where
 * a function has versions (`_v2`) exactly the one that is named. Handles are opaque. */
#ifndef KAS_CUDA_API_H
#define KAS_CUDA_API_H

#include <stddef.h>
#include <stdint.h>

typedef int cuda_device_id;                         /* CUdevice */
typedef uint64_t cuda_address;                      /* CUdeviceptr */
typedef struct cuda_context_object *cuda_context;   /* CUcontext */
typedef struct cuda_module_object *cuda_module;     /* CUmodule */
typedef struct cuda_function_object *cuda_function; /* CUfunction */
typedef struct cuda_stream_object *cuda_stream;     /* CUstream */
typedef struct cuda_event_object *cuda_event;       /* CUevent */
typedef struct cuda_pool_object *cuda_pool;         /* CUmemoryPool */
typedef struct cuda_graph_object *cuda_graph;       /* CUgraph */
typedef struct cuda_node_object *cuda_node;         /* CUgraphNode */
typedef struct cuda_exec_object *cuda_exec;         /* CUgraphExec */

typedef enum cuda_code { /* CUresult */
                         CUDA_SUCCESS = 0,
                         CUDA_ERROR_INVALID_VALUE = 1,
                         CUDA_ERROR_OUT_OF_MEMORY = 2,
                         CUDA_ERROR_NOT_INITIALIZED = 3,
                         CUDA_ERROR_DEINITIALIZED = 4,
                         CUDA_ERROR_DEVICE_UNAVAILABLE = 46,
                         CUDA_ERROR_NO_DEVICE = 100,
                         CUDA_ERROR_INVALID_IMAGE = 200,
                         CUDA_ERROR_INVALID_CONTEXT = 201,
                         CUDA_ERROR_NO_BINARY_FOR_GPU = 209,
                         CUDA_ERROR_ECC_UNCORRECTABLE = 214,
                         CUDA_ERROR_INVALID_PTX = 218,
                         CUDA_ERROR_NVLINK_UNCORRECTABLE = 220,
                         CUDA_ERROR_UNSUPPORTED_PTX_VERSION = 222,
                         CUDA_ERROR_NOT_FOUND = 500,
                         CUDA_ERROR_NOT_READY = 600,
                         CUDA_ERROR_ILLEGAL_ADDRESS = 700,
                         CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES = 701,
                         CUDA_ERROR_LAUNCH_TIMEOUT = 702,
                         CUDA_ERROR_CONTEXT_IS_DESTROYED = 709,
                         CUDA_ERROR_ASSERT = 710,
                         CUDA_ERROR_HARDWARE_STACK_ERROR = 714,
                         CUDA_ERROR_ILLEGAL_INSTRUCTION = 715,
                         CUDA_ERROR_MISALIGNED_ADDRESS = 716,
                         CUDA_ERROR_INVALID_ADDRESS_SPACE = 717,
                         CUDA_ERROR_INVALID_PC = 718,
                         CUDA_ERROR_LAUNCH_FAILED = 719,
                         CUDA_ERROR_SYSTEM_NOT_READY = 802,
                         CUDA_ERROR_UNKNOWN = 999,
} cuda_code;

enum { /* CUdevice_attribute */
       CUDA_ATTRIBUTE_MAX_THREADS_PER_BLOCK = 1,
       CUDA_ATTRIBUTE_MAX_GRID_DIM_X = 5,
       CUDA_ATTRIBUTE_MAX_GRID_DIM_Y = 6,
       CUDA_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK = 8,
       CUDA_ATTRIBUTE_MULTIPROCESSOR_COUNT = 16,
       CUDA_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR = 75,
       CUDA_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR = 76,
       CUDA_ATTRIBUTE_MEMORY_POOLS_SUPPORTED = 115,
};

enum {
    CUDA_STREAM_NON_BLOCKING = 1,    /* CU_STREAM_NON_BLOCKING */
    CUDA_EVENT_DEFAULT = 0,          /* CU_EVENT_DEFAULT: keeps time */
    CUDA_HOST_ALLOC_PORTABLE = 1,    /* CU_MEMHOSTALLOC_PORTABLE: pinned for every context */
    CUDA_POOL_RELEASE_THRESHOLD = 4, /* CU_MEMPOOL_ATTR_RELEASE_THRESHOLD: cuuint64_t, as those below */
    CUDA_POOL_RESERVED = 5,          /* CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT: taken from the device */
    CUDA_POOL_USED = 7,              /* CU_MEMPOOL_ATTR_USED_MEM_CURRENT: allocated, of that */
    CUDA_MEMORY_PINNED = 1,          /* CU_MEM_ALLOCATION_TYPE_PINNED */
    CUDA_LOCATION_DEVICE = 1,        /* CU_MEM_LOCATION_TYPE_DEVICE */
};

typedef struct cuda_pool_properties { /* CUmemPoolProps_v1 */
    int allocation_type, handle_types;
    int location_type, location_id;
    void *security;
    size_t size_max; /* 0: the device's memory */
    unsigned short usage;
    unsigned char reserved[54];
} cuda_pool_properties;

typedef struct cuda_kernel_node { /* CUDA_KERNEL_NODE_PARAMS_v1 */
    cuda_function function;
    unsigned grid_x, grid_y, grid_z;
    unsigned block_x, block_y, block_z;
    unsigned shared_bytes;
    void **parameters;
    void **extra;
} cuda_kernel_node;

/* X(member of kas_cuda_symbols, symbol of the library, parameters); every function returns CUresult. */
#define KAS_CUDA_SYMBOLS(X)                                                                                  \
    X(init, cuInit, (unsigned flags))                                                                        \
    X(driver_version, cuDriverGetVersion, (int *version))                                                    \
    X(error_name, cuGetErrorName, (cuda_code code, const char **name))                                       \
    X(error_string, cuGetErrorString, (cuda_code code, const char **text))                                   \
    X(device_count, cuDeviceGetCount, (int *count))                                                          \
    X(device_get, cuDeviceGet, (cuda_device_id * device, int index))                                         \
    X(device_name, cuDeviceGetName, (char *name, int size, cuda_device_id device))                           \
    X(device_uuid, cuDeviceGetUuid, (uint8_t * uuid, cuda_device_id device))                                 \
    X(device_memory, cuDeviceTotalMem_v2, (size_t * bytes, cuda_device_id device))                           \
    X(device_attribute, cuDeviceGetAttribute, (int *value, int attribute, cuda_device_id device))            \
    X(context_retain, cuDevicePrimaryCtxRetain, (cuda_context * context, cuda_device_id device))             \
    X(context_release, cuDevicePrimaryCtxRelease_v2, (cuda_device_id device))                                \
    X(context_push, cuCtxPushCurrent_v2, (cuda_context context))                                             \
    X(context_pop, cuCtxPopCurrent_v2, (cuda_context * context))                                             \
    X(memory_info, cuMemGetInfo_v2, (size_t * free_bytes, size_t * total_bytes))                             \
    X(memory_alloc, cuMemAlloc_v2, (cuda_address * address, size_t bytes))                                   \
    X(memory_free, cuMemFree_v2, (cuda_address address))                                                     \
    X(pool_create, cuMemPoolCreate, (cuda_pool * pool, const cuda_pool_properties *properties))              \
    X(pool_destroy, cuMemPoolDestroy, (cuda_pool pool))                                                      \
    X(pool_get, cuMemPoolGetAttribute, (cuda_pool pool, int attribute, void *value))                         \
    X(pool_trim, cuMemPoolTrimTo, (cuda_pool pool, size_t bytes_kept))                                       \
    X(pool_set, cuMemPoolSetAttribute, (cuda_pool pool, int attribute, void *value))                         \
    X(pool_alloc, cuMemAllocFromPoolAsync,                                                                   \
      (cuda_address * address, size_t bytes, cuda_pool pool, cuda_stream stream))                            \
    X(pool_free, cuMemFreeAsync, (cuda_address address, cuda_stream stream))                                 \
    X(pinned_alloc, cuMemHostAlloc, (void **host, size_t bytes, unsigned flags))                             \
    X(pinned_free, cuMemFreeHost, (void *host))                                                              \
    X(copy_in, cuMemcpyHtoDAsync_v2, (cuda_address to, const void *from, size_t bytes, cuda_stream stream))  \
    X(copy_out, cuMemcpyDtoHAsync_v2, (void *to, cuda_address from, size_t bytes, cuda_stream stream))       \
    X(fill, cuMemsetD32Async, (cuda_address to, unsigned word, size_t words, cuda_stream stream))            \
    X(stream_create, cuStreamCreate, (cuda_stream * stream, unsigned flags))                                 \
    X(stream_destroy, cuStreamDestroy_v2, (cuda_stream stream))                                              \
    X(stream_query, cuStreamQuery, (cuda_stream stream))                                                     \
    X(event_create, cuEventCreate, (cuda_event * event, unsigned flags))                                     \
    X(event_destroy, cuEventDestroy_v2, (cuda_event event))                                                  \
    X(event_record, cuEventRecord, (cuda_event event, cuda_stream stream))                                   \
    X(event_query, cuEventQuery, (cuda_event event))                                                         \
    X(event_elapsed, cuEventElapsedTime, (float *milliseconds, cuda_event start, cuda_event end))            \
    X(module_load, cuModuleLoadData, (cuda_module * module, const void *image))                              \
    X(module_unload, cuModuleUnload, (cuda_module module))                                                   \
    X(module_function, cuModuleGetFunction,                                                                  \
      (cuda_function * function, cuda_module module, const char *name))                                      \
    X(launch, cuLaunchKernel,                                                                                \
      (cuda_function function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,          \
       unsigned block_y, unsigned block_z, unsigned shared_bytes, cuda_stream stream, void **parameters,     \
       void **extra))                                                                                        \
    X(graph_create, cuGraphCreate, (cuda_graph * graph, unsigned flags))                                     \
    X(graph_add_kernel, cuGraphAddKernelNode,                                                                \
      (cuda_node * node, cuda_graph graph, const cuda_node *after, size_t after_count,                       \
       const cuda_kernel_node *kernel))                                                                      \
    X(graph_destroy, cuGraphDestroy, (cuda_graph graph))                                                     \
    X(graph_instantiate, cuGraphInstantiateWithFlags,                                                        \
      (cuda_exec * exec, cuda_graph graph, unsigned long long flags))                                        \
    X(exec_set_kernel, cuGraphExecKernelNodeSetParams,                                                       \
      (cuda_exec exec, cuda_node node, const cuda_kernel_node *kernel))                                      \
    X(exec_launch, cuGraphLaunch, (cuda_exec exec, cuda_stream stream))                                      \
    X(exec_destroy, cuGraphExecDestroy, (cuda_exec exec))

#endif
