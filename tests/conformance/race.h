/* Finds missing barriers: each work item of a group is a fiber; between two SYNCs the fibers run one after
 * the other in shuffled order. What depends on an order within a phase then comes out wrong; a SYNC that only
 * some items reach is reported at once. */
#ifndef KAS_TESTS_CONFORMANCE_RACE_H
#define KAS_TESTS_CONFORMANCE_RACE_H

#include "kernels/kernels.h"

/* Runs all groups. Exits the program where items part at a SYNC. Not thread-safe. */
void race_run(kas_kernel kernel, uint32_t groups_x, uint32_t groups_y, void *const *buffers,
              const void *args);

#endif
