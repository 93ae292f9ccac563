/* cl_khr_command_buffer with cl_khr_command_buffer_mutable_dispatch, as far as it is used here. Both are
 * provisional: what is declared here is the layout of 0.9.2 … 0.9.x of the latter (before that, updates were
 * a linked list), which headers of other ages do not have. Private to backends/opencl. */
#ifndef KAS_OPENCL_COMMAND_BUFFERS_H
#define KAS_OPENCL_COMMAND_BUFFERS_H

#include "backends/opencl/symbols.h"

typedef struct kas_opencl_command_buffer kas_opencl_command_buffer; /* cl_command_buffer_khr */
typedef struct kas_opencl_command kas_opencl_command;               /* cl_mutable_command_khr */

typedef struct kas_opencl_argument { /* cl_mutable_dispatch_arg_khr */
    cl_uint index;
    size_t size_bytes;
    const void *value;
} kas_opencl_argument;

typedef struct kas_opencl_change { /* cl_mutable_dispatch_config_khr */
    kas_opencl_command *command;
    cl_uint argument_count, svm_argument_count, exec_info_count, dimensions;
    const kas_opencl_argument *arguments, *svm_arguments;
    const void *exec_infos;
    const size_t *global_offset, *global, *local; /* NULL: as they were */
} kas_opencl_change;

enum {
    KAS_CL_CHANGE_TYPE = 0, /* CL_STRUCTURE_TYPE_MUTABLE_DISPATCH_CONFIG_KHR */
    /* cl_device_info */
    KAS_CL_DEVICE_EXTENSIONS_WITH_VERSION = 0x1060,
    KAS_CL_DEVICE_QUEUE_PROPERTIES_REQUIRED = 0x12AA,
    KAS_CL_DEVICE_QUEUE_PROPERTIES_SUPPORTED = 0x129A, /* from 0.9.6 on */
    KAS_CL_DEVICE_MUTABLE_CAPABILITIES = 0x12B0,
    /* properties of a command buffer, of a command, and their values */
    KAS_CL_COMMAND_BUFFER_FLAGS = 0x1293,
    KAS_CL_COMMAND_BUFFER_MUTABLE = 1 << 1,
    KAS_CL_UPDATABLE_FIELDS = 0x12B1,
    KAS_CL_UPDATABLE_GLOBAL_SIZE = 1 << 1,
    KAS_CL_UPDATABLE_ARGUMENTS = 1 << 3,
};

typedef kas_opencl_command_buffer *CL_API_CALL kas_cl_create_command_buffer(cl_uint queue_count,
                                                                            const cl_command_queue *queues,
                                                                            const cl_ulong *properties,
                                                                            cl_int *code);
typedef cl_int CL_API_CALL kas_cl_finalize_command_buffer(kas_opencl_command_buffer *commands);
typedef cl_int CL_API_CALL kas_cl_release_command_buffer(kas_opencl_command_buffer *commands);
typedef cl_int CL_API_CALL kas_cl_enqueue_command_buffer(cl_uint queue_count, cl_command_queue *queues,
                                                         kas_opencl_command_buffer *commands, cl_uint waits,
                                                         const cl_event *wait_for, cl_event *event);
typedef cl_int CL_API_CALL kas_cl_command_kernel(kas_opencl_command_buffer *commands, cl_command_queue queue,
                                                 const cl_ulong *properties, cl_kernel kernel,
                                                 cl_uint dimensions, const size_t *offset,
                                                 const size_t *global, const size_t *local, cl_uint waits,
                                                 const cl_uint *wait_for, cl_uint *sync_point,
                                                 kas_opencl_command **command);
typedef cl_int CL_API_CALL kas_cl_update_commands(kas_opencl_command_buffer *commands, cl_uint count,
                                                  const cl_uint *types, const void **changes);

/* One member an entry point: X(type, member, name). */
#define KAS_OPENCL_COMMAND_BUFFERS(X)                                                                        \
    X(kas_cl_create_command_buffer, create, "clCreateCommandBufferKHR")                                      \
    X(kas_cl_finalize_command_buffer, finalize, "clFinalizeCommandBufferKHR")                                \
    X(kas_cl_release_command_buffer, release, "clReleaseCommandBufferKHR")                                   \
    X(kas_cl_enqueue_command_buffer, enqueue, "clEnqueueCommandBufferKHR")                                   \
    X(kas_cl_command_kernel, command_kernel, "clCommandNDRangeKernelKHR")                                    \
    X(kas_cl_update_commands, update, "clUpdateMutableCommandsKHR")

typedef struct kas_opencl_command_buffers {
#define KAS_OPENCL_MEMBER(type, member, name) type *member;
    KAS_OPENCL_COMMAND_BUFFERS(KAS_OPENCL_MEMBER)
#undef KAS_OPENCL_MEMBER
} kas_opencl_command_buffers;

/* The platform's entry points, and true, where the device offers both extensions in versions that are known,
 * lets arguments and global sizes of recorded kernels be changed, and takes queues that profile. False with
 * KASMINA_OPENCL_COMMAND_BUFFERS=0 in the environment. (kas_debug area "opencl" says what is missing.) */
bool kas_opencl_find_command_buffers(const kas_opencl_symbols *cl, cl_platform_id platform, cl_device_id id,
                                     kas_opencl_command_buffers *out);

#endif
