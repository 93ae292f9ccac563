/* The second vendor's handles (vendor.h): each holds one of the first driver's. Of its own module only. */
#ifndef KAS_TESTS_OPENCL_VENDOR_HANDLES_H
#define KAS_TESTS_OPENCL_VENDOR_HANDLES_H

#include <CL/cl.h>
#include <CL/cl_icd.h>

#include "tests/opencl/vendor.h"
#include "tests/opencl/vendor_commands.h"

#define EXPORT __attribute__((visibility("default")))

EXPORT extern vendor_control vendor;

typedef enum kind {
    PLATFORM = 0x4b415301,
    DEVICE,
    COUNTED, /* those of vendor_kind */
    CONTEXT = COUNTED + VENDOR_CONTEXT,
    QUEUE = COUNTED + VENDOR_QUEUE,
    MEMORY = COUNTED + VENDOR_MEMORY,
    PROGRAM = COUNTED + VENDOR_PROGRAM,
    KERNEL = COUNTED + VENDOR_KERNEL,
    EVENT = COUNTED + VENDOR_EVENT,
    COMMANDS = COUNTED + VENDOR_COMMAND_BUFFER,
} kind;

/* What a handle points to; the loader reads the first member. */
typedef struct object {
    const cl_icd_dispatch *dispatch;
    kind kind;
    bool from_binary;            /* a program */
    bool subgroups;              /* a program that was built with them, or its kernel */
    size_t number;               /* an event: which command it is of */
    void *inner;                 /* the first driver's handle */
    vendor_arguments *arguments; /* a kernel's */
    struct object *queue;        /* of a command buffer */
    struct object *next;
} object;

extern const cl_icd_dispatch own;
extern const cl_icd_dispatch *first; /* the first driver's */

/* The first driver's handle. NULL, and a stranger is counted, where it is none of that kind. */
void *inner(void *handle, kind wanted);
/* NULL stays NULL. */
void *wrap(void *handle, kind as);
void drop(void *handle);
/* What became of enqueuing a command. */
cl_int enqueued(cl_int code, cl_event *event);

/* CL_SUCCESS; CL_OUT_OF_RESOURCES where this call is the one that is to fail. */
cl_int fault(const char *call);
#define MAY_FAIL(call)                                                                                       \
    do {                                                                                                     \
        cl_int fault_ = fault(call);                                                                         \
        if (fault_ != CL_SUCCESS) return fault_;                                                             \
    } while (0)
/* The same where a handle is returned, and *code says what happened. */
#define MAY_NOT_MAKE(call, code)                                                                             \
    do {                                                                                                     \
        *(code) = fault(call);                                                                               \
        if (*(code) != CL_SUCCESS) return NULL;                                                              \
    } while (0)

/* Memory is known apart: a kernel's argument may be one or not. */
cl_mem wrap_memory(cl_mem handle);
void forget_memory(const void *handle);
/* An argument as the first driver takes it; *memory holds it where it is a handle. */
const void *translated(size_t size, const void *value, cl_mem *memory);

/* vendor_command_calls.c: an entry point of command buffers; NULL: that is none. */
void *vendor_command_call(const char *name);

#endif
