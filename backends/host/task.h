/* A launch on the host, cut into parts that may run in any order on any thread: the bits of a result do not
 * depend on how it is cut. */
#ifndef KAS_HOST_TASK_H
#define KAS_HOST_TASK_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/kernels.h"

typedef struct kas_host_task kas_host_task;

/* Runs parts [begin, end). No locks, no allocation, no system calls. */
typedef void kas_host_run(const kas_host_task *task, size_t begin, size_t end);

/* A kernel's portable form: one call runs one group. */
typedef void kas_host_group(int x, int y, void *const *buffers, const void *args);

/* Where a product leaves what it saw of numbers that are not finite, and a judge finds it (witness.h): a byte
 * a row of the pass; NULL where it is not told. */
typedef struct kas_host_witness {
    _Atomic uint8_t *input;  /* not zero where a row of the input, or of X, may not be finite */
    _Atomic uint8_t *output; /* not zero where a row of the output, or of contribution 0, is not */
    uint64_t outputs;        /* judge: the contributions that `output` tells of, … */
    size_t stride;           /* … and bytes from each to the next */
} kas_host_witness;

struct kas_host_task {
    /* given */
    void *buffers[KAS_KERNEL_MAX_BUFFERS];
    const void *args;
    uint32_t row, rows;          /* the first, and how many */
    uint32_t groups_x, groups_y; /* of the launch's grid */
    uint32_t group_items;
    kas_host_group *group;
    const kas_host_witness *witness; /* NULL: a product tells nobody, a judge looks itself */
    /* to be filled in by the kernel's plan */
    kas_host_run *run;
    size_t parts;
    double work; /* multiply-adds, or what takes as long: decides whether helpers are worth it */
    size_t part_rows, part_panels; /* products: what a part is */
};

/* Fills in run, parts and work for `threads` threads; work is never 0. */
typedef void kas_host_plan(kas_host_task *task, unsigned threads);

/* What is built once for each instruction set (isa_table.c). */
typedef struct kas_host_isa {
    const char *name;
    size_t panel_columns; /* outputs of one panel of packed weights; 0: the portable layout */
    kas_host_plan
        *plans[KAS_KERNEL_COUNT]; /* for any range of rows; NULL: the portable form, group by group */
    kas_host_group *groups[KAS_KERNEL_COUNT];
} kas_host_isa;

/* The portable form's plan: a part is a group; all rows. */
void kas_host_plan_groups(kas_host_task *task, unsigned threads);

#endif
