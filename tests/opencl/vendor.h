/* A second vendor's OpenCL driver, for the ICD loader: it hands every call on to the first driver that this
 * machine has (PoCL), behind handles of its own. So two platforms are there that know nothing of each other.
 *
 *   - It has the entry points of OpenCL 1.2 that the backend calls and, where it offers sub-groups, the one
 *     for them, and no others: calling one more crashes.
 *   - A handle of another platform is refused and counted.
 *   - It reports what a test tells it to, and may refuse the binaries that it made.
 *   - It counts what it gave out and has not got back. Any call but those that give back fails on demand.
 *   - It counts the commands, and those that its caller knows to be over. One that was not flushed never
 * ends.
 *   - It may offer sub-groups, which the first driver need not have (vendor_subgroups.h), and command buffers
 *     (vendor_commands.h).
 *
 * The interface for tests is the variable `vendor`, by dlsym. For programs that know nothing of it there is
 * KASMINA_SECOND_VENDOR_COMMANDS in the environment: it offers command buffers then, and a misuse of them
 * ends the program. */
#ifndef KAS_TESTS_OPENCL_VENDOR_H
#define KAS_TESTS_OPENCL_VENDOR_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

typedef enum vendor_refusal {
    VENDOR_TAKES_BINARIES = 0,
    VENDOR_REFUSES_BINARIES,      /* clCreateProgramWithBinary fails */
    VENDOR_REFUSES_THEIR_CONTENT, /* it succeeds, with a status for the device that says otherwise */
    VENDOR_DOES_NOT_BUILD_THEM,
    VENDOR_HAS_NO_BINARIES, /* of size 0 */
} vendor_refusal;

typedef enum vendor_subgroup_fault {
    VENDOR_SUBGROUPS_ARE_RIGHT = 0,
    VENDOR_SUBGROUPS_DO_NOT_SHUFFLE, /* cl_khr_subgroup_shuffle_relative is missing */
    VENDOR_SUBGROUPS_ARE_NOT_TOLD,   /* clGetKernelSubGroupInfo fails */
    VENDOR_SUBGROUPS_ARE_NOT_FULL,   /* there is one more than the size of them makes */
    VENDOR_SUBGROUPS_DO_NOT_BUILD,
} vendor_subgroup_fault;

/* Command buffers whose kernels can be changed. */
typedef enum vendor_command_buffers {
    VENDOR_HAS_NO_COMMANDS = 0,
    VENDOR_HAS_COMMANDS,
    VENDOR_COMMANDS_DO_NOT_CHANGE, /* cl_khr_command_buffer_mutable_dispatch is missing */
    VENDOR_COMMANDS_ARE_OLD,       /* it is of version 0.9.1 */
    VENDOR_COMMANDS_KEEP_THEIR_SIZE,
    VENDOR_COMMANDS_NEED_NO_ORDER, /* their queues must work out of order */
    VENDOR_COMMANDS_ARE_NOT_TIMED, /* their queues must not profile */
    VENDOR_COMMANDS_LACK_A_CALL,
} vendor_command_buffers;

/* What it gives out and takes back. */
typedef enum vendor_kind {
    VENDOR_CONTEXT = 0,
    VENDOR_QUEUE,
    VENDOR_MEMORY,
    VENDOR_PROGRAM,
    VENDOR_KERNEL,
    VENDOR_EVENT,
    VENDOR_COMMAND_BUFFER,
    VENDOR_KINDS
} vendor_kind;

/* Set while no call is under way. Strings outlive their use. */
typedef struct vendor_control {
    const char *platform_name; /* NULL: "Another vendor" */
    const char *version;       /* of platform and device: "OpenCL 1.2 …"; NULL: the first driver's */
    const char *driver_version;
    unsigned long type; /* of the device; 0: the first driver's */
    vendor_refusal refusal;
    size_t subgroup_size; /* of all kernels; 0: it offers no sub-groups */
    vendor_subgroup_fault subgroup_fault;
    size_t subgroup_barrier; /* the n-th of those within GROUP_REDUCE is left out of programs; 0: none is */
    atomic_size_t subgroup_launches; /* of kernels that were built with them */
    vendor_command_buffers commands;
    atomic_uint failing_commands; /* the n-th call that records, changes or replays fails; 0: none */
    atomic_size_t recorded, changed, replayed; /* command buffers; kernels in them; runs of them */
    atomic_size_t misuses;                     /* see vendor_commands.h */
    atomic_size_t sources, binaries;           /* programs built from them */
    atomic_size_t fetched;                     /* binaries that were asked for */
    atomic_size_t strangers;                   /* handles that are not this platform's */
    atomic_size_t objects[VENDOR_KINDS];       /* that live */
    atomic_size_t enqueued, flushed;           /* commands, counted from the first one on */
    atomic_size_t seen;                        /* up to the last one that was reported to be complete */
    atomic_bool holds;                         /* nothing is reported to be complete */
    const char *failing_call;                  /* an entry point, or how several begin */
    atomic_uint failing;                       /* the n-th call of it from now on fails; 0: none does */
    bool failing_on;                           /* and so does each later one, until `failing` is 0 */
    atomic_bool failed;                        /* one did */
} vendor_control;

#endif
