/* The OpenCL backend's objects. Private to backends/opencl. */
#ifndef KAS_OPENCL_H
#define KAS_OPENCL_H

#include "backends/core/backend.h"
#include "backends/opencl/command_buffers.h"
#include "backends/opencl/driver.h"
#include "backends/opencl/symbols.h"

extern const kas_device_ops kas_opencl_device_ops;
extern const kas_buffer_ops kas_opencl_buffer_ops;
extern const kas_program_ops kas_opencl_program_ops;
extern const kas_queue_ops kas_opencl_queue_ops;
extern const kas_list_ops kas_opencl_list_ops;

enum { KAS_OPENCL_DEVICES_MAX = 64 }; /* of all platforms together; what is beyond is not listed */

typedef struct kas_opencl_found {
    cl_platform_id platform;
    cl_device_id id;
    bool processor; /* this machine's own, rather than a device of its own */
} kas_opencl_found;

typedef struct kas_opencl_device {
    kas_device base;
    const kas_opencl_symbols *cl;
    cl_platform_id platform;
    cl_device_id id;
    cl_context context;
    kas_opencl_subgroup_info *subgroup_info; /* NULL: kernels use no sub-groups */
    kas_opencl_command_buffers command_buffers;
    atomic_bool replays_lists;         /* false: it offers no command buffers, or has failed at them */
    pthread_mutex_t queues_lock;       /* guards queues */
    struct kas_opencl_replays *queues; /* what each has recorded (replay.h) */
    atomic_uint_fast64_t lists;        /* made so far */
} kas_opencl_device;

typedef struct kas_opencl_list { /* lists have a number of their own: an address may be used again */
    kas_list base;
    uint64_t id; /* from 1 on */
} kas_opencl_list;

/* A part of a buffer from an offset on, made when a launch first names that offset: OpenCL 1.2 binds whole
 * memory objects only. */
typedef struct kas_opencl_view {
    size_t offset;
    cl_mem memory;
} kas_opencl_view;

typedef struct kas_opencl_buffer {
    kas_buffer base;
    cl_mem memory;
    pthread_mutex_t lock; /* guards the views */
    kas_opencl_view *views;
    size_t view_count, view_capacity;
} kas_opencl_buffer;

typedef struct kas_opencl_program {
    kas_program base;
    cl_program program;
} kas_opencl_program;

static inline kas_opencl_device *kas_opencl_device_of(kas_device *device)
{
    return (kas_opencl_device *)device;
}

/* The memory object that begins at `offset` of a buffer (a multiple of limits.buffer_alignment); it lives as
 * long as the buffer. Any thread. */
kas_status kas_opencl_buffer_view(kas_buffer *buffer, size_t offset, cl_mem *out) KAS_MUST_USE;

/* The devices of all platforms, in the order of their indices (driver.h); how many. Any thread. */
size_t kas_opencl_find_devices(const kas_opencl_symbols *cl, kas_opencl_found out[KAS_OPENCL_DEVICES_MAX]);

/* What a device says of itself: name, memory. */
void kas_opencl_describe(const kas_opencl_symbols *cl, const kas_opencl_found *found, uint32_t index,
                         kas_device_info *info);

/* Major and minor as one number: 12, 30; 0 where the device does not say. */
unsigned kas_opencl_version(const kas_opencl_symbols *cl, cl_device_id id);
bool kas_opencl_has_extension(const kas_opencl_symbols *cl, cl_device_id id, const char *name);

/* What tells how large a kernel's sub-groups are, of a device that has them and whose items hand values down
 * within them; else NULL, and with KASMINA_OPENCL_SUBGROUPS=0 in the environment. */
kas_opencl_subgroup_info *kas_opencl_find_subgroup_info(const kas_opencl_symbols *cl,
                                                        const kas_opencl_found *found);
/* The options that a program for such a device is built with. */
const char *kas_opencl_subgroup_options(const kas_opencl_device *device);
/* NULL where the groups of a kernel, built with these options, are whole sub-groups of a power of two; why
 * they are not (KAS_UNSUPPORTED), or what failed. */
kas_status kas_opencl_check_subgroups(const kas_opencl_device *device, cl_program program,
                                      const kas_kernel_info *kernel) KAS_MUST_USE;

/* A failed call as a status: memory → KAS_OUT_OF_MEMORY (blame device), a device that is gone →
 * KAS_DEVICE_LOST, anything else KAS_INTERNAL; native: OpenCL's code. `what` names the call and the object.
 */
kas_status kas_opencl_fail_at(cl_int code, const char *file, int line, const char *what) KAS_MUST_USE;
#define kas_opencl_fail(code, what) KAS_STATUS_FAILED(kas_opencl_fail_at((code), __FILE__, __LINE__, (what)))

#endif
