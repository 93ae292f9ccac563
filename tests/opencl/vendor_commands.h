/* Command buffers whose kernels can be changed, for a driver that has none: played by enqueuing. It is
 * strict: what the specification leaves undefined or forbids is refused where it can be and counted as a
 * misuse, as are changes of what has not been seen to be over, and memory that ends while a kernel still
 * names it.
 *
 * All handles are the first driver's, but for command buffers and their kernels. */
#ifndef KAS_TESTS_OPENCL_VENDOR_COMMANDS_H
#define KAS_TESTS_OPENCL_VENDOR_COMMANDS_H

#include <CL/cl.h>
#include <CL/cl_icd.h>

#include "tests/opencl/vendor.h"

enum { VENDOR_ARGUMENTS = 16, VENDOR_ARGUMENT_BYTES = 160 };

/* What a kernel's arguments were set to. */
typedef struct vendor_arguments {
    struct {
        size_t size;
        unsigned char value[VENDOR_ARGUMENT_BYTES];
    } all[VENDOR_ARGUMENTS];
} vendor_arguments;

/* False when it does not fit. */
bool vendor_note_argument(vendor_arguments *arguments, cl_uint index, size_t size, const void *value);

typedef struct vendor_commands vendor_commands;
typedef struct vendor_command vendor_command;

/* cl_mutable_dispatch_arg_khr and cl_mutable_dispatch_config_khr of version 0.9.2 and later. */
typedef struct vendor_change_argument {
    cl_uint arg_index;
    size_t arg_size;
    const void *arg_value;
} vendor_change_argument;

typedef struct vendor_change {
    vendor_command *command;
    cl_uint num_args, num_svm_args, num_exec_infos, work_dim;
    const vendor_change_argument *arg_list, *arg_svm_list;
    const void *exec_info_list;
    const size_t *global_work_offset, *global_work_size, *local_work_size;
} vendor_change;

/* The device's answer where it offers them; false: the question is another one. */
bool vendor_commands_info(const vendor_control *told, cl_device_info what, size_t size, void *out,
                          size_t *needed, cl_int *code);
/* " cl_khr_…" as long as it offers them, otherwise "". */
const char *vendor_commands_extensions(const vendor_control *told);

vendor_commands *vendor_commands_create(vendor_control *told, const cl_ulong *properties, cl_int *code);
cl_int vendor_commands_release(vendor_commands *commands);
cl_int vendor_commands_finalize(vendor_commands *commands);
/* arguments: as they are set now. */
cl_int vendor_commands_kernel(vendor_commands *commands, const cl_ulong *properties, cl_kernel kernel,
                              const vendor_arguments *arguments, cl_uint dimensions, const size_t *global,
                              const size_t *local, vendor_command **out);
/* Arguments' values are the first driver's already. */
cl_int vendor_commands_change(vendor_commands *commands, const vendor_change *change);
cl_int vendor_commands_enqueue(vendor_commands *commands, const cl_icd_dispatch *first,
                               cl_command_queue queue, cl_event *event);
/* The number of the command that the last enqueuing was. */
void vendor_commands_numbered(vendor_commands *commands, size_t number);
/* The memory is about to end. */
void vendor_commands_forget(vendor_control *told, cl_mem memory);

#endif
