/* Finds missing barriers: each work item of a group is a fiber; between two SYNCs the fibers run one after
 * the other in shuffled order. What depends on an order within a phase then comes out wrong; a SYNC that only
 * some items reach is reported at once.
 *
 * Items of a warp may meet in between (kas_race_arrive and kas_race_meet, see kernels/cuda/mma.h). The warp
 * goes on at once when all are there, and may be through with the phase before others have begun it. */
#ifndef KAS_TESTS_CONFORMANCE_RACE_H
#define KAS_TESTS_CONFORMANCE_RACE_H

#include <stdint.h>

typedef struct race_kernel {
    const char *name;
    void (*run)(int x, int y, void *const *buffers, const void *args); /* one item of a group */
    uint32_t items; /* of a group; whole warps where they meet */
} race_kernel;

/* Runs all groups. Exits the program where items part at a SYNC. Not thread-safe. */
void race_run(const race_kernel *kernel, uint32_t groups_x, uint32_t groups_y, void *const *buffers,
              const void *args);

#endif
