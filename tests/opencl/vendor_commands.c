#define CL_TARGET_OPENCL_VERSION 210
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#include "tests/opencl/vendor_commands.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
    COMMANDS_MAX = 64,
    DIMENSIONS_MAX = 2,
    DEVICE_EXTENSIONS_WITH_VERSION = 0x1060,
    DEVICE_REQUIRED_QUEUE_PROPERTIES = 0x12AA,
    DEVICE_SUPPORTED_QUEUE_PROPERTIES = 0x129A,
    DEVICE_MUTABLE_DISPATCH_CAPABILITIES = 0x12B0,
    COMMAND_BUFFER_FLAGS = 0x1293,
    COMMAND_BUFFER_MUTABLE = 1 << 1,
    UPDATABLE_FIELDS = 0x12B1,
    GLOBAL_SIZE = 1 << 1,
    ARGUMENTS = 1 << 3,
    INVALID_MUTABLE_COMMAND = -1141,
};

struct vendor_command {
    cl_kernel kernel;
    const vendor_arguments *kernel_arguments; /* the kernel's own, which stay as they are */
    vendor_arguments arguments;
    cl_uint dimensions;
    size_t global[DIMENSIONS_MAX], local[DIMENSIONS_MAX];
    cl_ulong updatable;
};

struct vendor_commands {
    vendor_control *told;
    vendor_command all[COMMANDS_MAX];
    size_t count;
    size_t number; /* of the last command that it was; 0: none yet */
    bool changeable, finalized;
    struct vendor_commands *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards living, and what they name */
static vendor_commands *living;

static cl_int misuse(vendor_control *told, cl_int code)
{
    atomic_fetch_add(&told->misuses, 1);
    return code;
}

/* An injected failure. */
static bool fails(vendor_control *told)
{
    unsigned left = atomic_load(&told->failing_commands);
    while (left > 0 && !atomic_compare_exchange_weak(&told->failing_commands, &left, left - 1))
        ;
    return left == 1;
}

bool vendor_note_argument(vendor_arguments *arguments, cl_uint index, size_t size, const void *value)
{
    if (index >= VENDOR_ARGUMENTS || size > VENDOR_ARGUMENT_BYTES) return false;
    arguments->all[index].size = size;
    memcpy(arguments->all[index].value, value, size);
    return true;
}

/* ---- what it says ---- */

typedef struct name_version {
    uint32_t version;
    char name[64];
} name_version;

static cl_int give(const void *from, size_t length, size_t size, void *out, size_t *needed)
{
    if (needed) *needed = length;
    if (!out) return CL_SUCCESS;
    if (size < length) return CL_INVALID_VALUE;
    memcpy(out, from, length);
    return CL_SUCCESS;
}

static cl_int give_flags(cl_bitfield flags, size_t size, void *out, size_t *needed)
{
    return give(&flags, sizeof flags, size, out, needed);
}

static cl_int give_versions(const vendor_control *told, size_t size, void *out, size_t *needed)
{
    const uint32_t minor_9 = 9 << 12;
    const name_version all[] = {
        {.version = 1 << 22, .name = "cl_khr_icd"},
        {.version = minor_9 | 8, .name = "cl_khr_command_buffer"},
        {.version = minor_9 | (told->commands == VENDOR_COMMANDS_ARE_OLD ? 1 : 5),
         .name = "cl_khr_command_buffer_mutable_dispatch"},
    };
    const size_t count = told->commands == VENDOR_COMMANDS_DO_NOT_CHANGE ? 2 : 3;
    return give(all, count * sizeof *all, size, out, needed);
}

bool vendor_commands_info(const vendor_control *told, cl_device_info what, size_t size, void *out,
                          size_t *needed, cl_int *code)
{
    if (told->commands == VENDOR_HAS_NO_COMMANDS) return false;
    switch (what) {
    case DEVICE_EXTENSIONS_WITH_VERSION:
        *code = give_versions(told, size, out, needed);
        return true;
    case DEVICE_REQUIRED_QUEUE_PROPERTIES:
        *code = give_flags(
            told->commands == VENDOR_COMMANDS_NEED_NO_ORDER ? CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE : 0,
            size, out, needed);
        return true;
    case DEVICE_SUPPORTED_QUEUE_PROPERTIES:
        *code = give_flags(told->commands == VENDOR_COMMANDS_ARE_NOT_TIMED
                               ? CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE
                               : CL_QUEUE_PROFILING_ENABLE,
                           size, out, needed);
        return true;
    case DEVICE_MUTABLE_DISPATCH_CAPABILITIES:
        *code = give_flags(told->commands == VENDOR_COMMANDS_KEEP_THEIR_SIZE ? ARGUMENTS
                                                                             : ARGUMENTS | GLOBAL_SIZE,
                           size, out, needed);
        return true;
    default:
        return false;
    }
}

const char *vendor_commands_extensions(const vendor_control *told)
{
    return told->commands == VENDOR_HAS_NO_COMMANDS
               ? ""
               : " cl_khr_command_buffer cl_khr_command_buffer_mutable_dispatch";
}

/* ---- recording ---- */

/* The value of a list's only property; 0 where there is none. */
static cl_ulong property(vendor_control *told, const cl_ulong *properties, cl_ulong name)
{
    if (!properties || properties[0] == 0) return 0;
    if (properties[0] != name || properties[2] != 0) misuse(told, 0);
    return properties[1];
}

vendor_commands *vendor_commands_create(vendor_control *told, const cl_ulong *properties, cl_int *code)
{
    vendor_commands *commands = fails(told) ? NULL : calloc(1, sizeof *commands);
    *code = commands ? CL_SUCCESS : CL_OUT_OF_HOST_MEMORY;
    if (!commands) return NULL;
    commands->told = told;
    commands->changeable = property(told, properties, COMMAND_BUFFER_FLAGS) == COMMAND_BUFFER_MUTABLE;
    pthread_mutex_lock(&lock);
    commands->next = living;
    living = commands;
    pthread_mutex_unlock(&lock);
    return commands;
}

/* Whether its last run may be under way for all that its owner knows. */
static bool may_be_under_way(const vendor_commands *commands)
{
    return commands->number > atomic_load(&commands->told->seen);
}

cl_int vendor_commands_release(vendor_commands *commands)
{
    if (may_be_under_way(commands)) misuse(commands->told, 0);
    pthread_mutex_lock(&lock);
    vendor_commands **link = &living;
    while (*link != commands)
        link = &(*link)->next;
    *link = commands->next;
    pthread_mutex_unlock(&lock);
    free(commands);
    return CL_SUCCESS;
}

cl_int vendor_commands_finalize(vendor_commands *commands)
{
    if (commands->finalized) return misuse(commands->told, CL_INVALID_OPERATION);
    if (fails(commands->told)) return CL_OUT_OF_RESOURCES;
    commands->finalized = true;
    atomic_fetch_add(&commands->told->recorded, 1);
    return CL_SUCCESS;
}

cl_int vendor_commands_kernel(vendor_commands *commands, const cl_ulong *properties, cl_kernel kernel,
                              const vendor_arguments *arguments, cl_uint dimensions, const size_t *global,
                              const size_t *local, vendor_command **out)
{
    if (commands->finalized || dimensions > DIMENSIONS_MAX)
        return misuse(commands->told, CL_INVALID_OPERATION);
    if (fails(commands->told) || commands->count == COMMANDS_MAX) return CL_OUT_OF_RESOURCES;
    vendor_command *made = &commands->all[commands->count];
    made->kernel = kernel;
    made->kernel_arguments = arguments;
    made->dimensions = dimensions;
    made->updatable = property(commands->told, properties, UPDATABLE_FIELDS);
    memcpy(made->global, global, dimensions * sizeof *global);
    memcpy(made->local, local, dimensions * sizeof *local);
    pthread_mutex_lock(&lock);
    made->arguments = *arguments;
    ++commands->count;
    pthread_mutex_unlock(&lock);
    *out = made;
    return CL_SUCCESS;
}

/* ---- changing ---- */

static bool may_be_changed(const vendor_commands *commands, const vendor_change *change)
{
    const vendor_command *command = change->command;
    if (!commands->changeable || !commands->finalized || may_be_under_way(commands)) return false;
    if (command < commands->all || command >= commands->all + commands->count) return false;
    if (change->work_dim != 0 && change->work_dim != command->dimensions) return false;
    if (change->global_work_size && (change->work_dim == 0 || !(command->updatable & GLOBAL_SIZE)))
        return false;
    if (change->num_args > 0 && !(command->updatable & ARGUMENTS)) return false;
    return !change->local_work_size && !change->global_work_offset && change->num_svm_args == 0 &&
           !change->arg_svm_list && change->num_exec_infos == 0 && !change->exec_info_list &&
           (change->num_args > 0) == (change->arg_list != NULL);
}

cl_int vendor_commands_change(vendor_commands *commands, const vendor_change *change)
{
    if (!may_be_changed(commands, change)) return misuse(commands->told, CL_INVALID_OPERATION);
    if (fails(commands->told)) return CL_OUT_OF_HOST_MEMORY;
    vendor_command *command = change->command;
    bool fits = true;
    pthread_mutex_lock(&lock);
    for (cl_uint i = 0; i < change->num_args; ++i) {
        const vendor_change_argument *argument = &change->arg_list[i];
        fits &= vendor_note_argument(&command->arguments, argument->arg_index, argument->arg_size,
                                     argument->arg_value);
    }
    pthread_mutex_unlock(&lock);
    if (change->global_work_size)
        memcpy(command->global, change->global_work_size, command->dimensions * sizeof *command->global);
    atomic_fetch_add(&commands->told->changed, 1);
    return fits ? CL_SUCCESS : misuse(commands->told, CL_INVALID_VALUE);
}

/* ---- running ---- */

static cl_int set_arguments(const cl_icd_dispatch *first, cl_kernel kernel, const vendor_arguments *arguments)
{
    for (cl_uint i = 0; i < VENDOR_ARGUMENTS; ++i) {
        if (arguments->all[i].size == 0) continue;
        cl_int code = first->clSetKernelArg(kernel, i, arguments->all[i].size, arguments->all[i].value);
        if (code != CL_SUCCESS) return code;
    }
    return CL_SUCCESS;
}

static cl_int run(const vendor_command *command, const cl_icd_dispatch *first, cl_command_queue queue,
                  cl_event *event)
{
    cl_int code = set_arguments(first, command->kernel, &command->arguments);
    if (code == CL_SUCCESS)
        code = first->clEnqueueNDRangeKernel(queue, command->kernel, command->dimensions, NULL,
                                             command->global, command->local, 0, NULL, event);
    return code == CL_SUCCESS ? set_arguments(first, command->kernel, command->kernel_arguments) : code;
}

cl_int vendor_commands_enqueue(vendor_commands *commands, const cl_icd_dispatch *first,
                               cl_command_queue queue, cl_event *event)
{
    if (!commands->finalized || may_be_under_way(commands))
        return misuse(commands->told, CL_INVALID_OPERATION);
    if (fails(commands->told)) return CL_OUT_OF_RESOURCES;
    for (size_t i = 0; i < commands->count; ++i) {
        cl_int code = run(&commands->all[i], first, queue, i + 1 == commands->count ? event : NULL);
        if (code != CL_SUCCESS) return code;
    }
    atomic_fetch_add(&commands->told->replayed, 1);
    return CL_SUCCESS;
}

void vendor_commands_numbered(vendor_commands *commands, size_t number)
{
    commands->number = number;
}

void vendor_commands_forget(vendor_control *told, cl_mem memory)
{
    pthread_mutex_lock(&lock);
    for (const vendor_commands *commands = living; commands; commands = commands->next)
        for (size_t i = 0; i < commands->count; ++i)
            for (size_t a = 0; a < VENDOR_ARGUMENTS; ++a)
                if (commands->all[i].arguments.all[a].size == sizeof memory &&
                    memcmp(commands->all[i].arguments.all[a].value, &memory, sizeof memory) == 0)
                    misuse(told, 0);
    pthread_mutex_unlock(&lock);
}
