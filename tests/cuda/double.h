/* A test double of the CUDA driver: a shared library with the entry points that the backend calls, whose
 * device is the host. It proves the glue, not a GPU.
 *
 *   - Queues are lazy: work on a stream runs one step at a time when somebody asks for the stream's or an
 * event's state, so that a forgotten wait gives wrong results every time.
 *   - Device addresses are tagged: touching one on the host traps.
 *   - Allocations have their exact size, so that a kernel that strays is a report of AddressSanitizer.
 *   - A module is read from its real PTX: entry names, sizes of parameters, the block's size.
 *   - A call without a current context, of a wrong block size, of memory that is not there is refused.
 *   - Faults on demand: any call's n-th turn fails, an error may be sticky, a launch may never end.
 *
 * What follows is its own interface, for tests, by dlsym. Any thread. */
#ifndef CUDA_DOUBLE_H
#define CUDA_DOUBLE_H

#include <stdbool.h>
#include <stddef.h>

#include "backends/cuda/api.h"

/* The nth call from now on of the entry point `symbol` ("cuLaunchKernel"; NULL: of any) fails with `code`;
 * nth 0: none does. sticky: every later call fails so too, until double_reset. */
void double_fail(const char *symbol, unsigned nth, cuda_code code, bool sticky);
bool double_fired(void);
/* The nth kernel launch from now on (also those of graphs) never ends, until double_release. */
void double_hang(unsigned nth);
void double_release(void);
/* All streams' work runs to its end, whether anybody asks or not: what a device does of which its caller has
 * lost sight. What hangs stays where it is. */
void double_run_on(void);
/* Devices without memory pools, for those opened from now on. */
void double_without_pools(bool without);
/* Machine code and PTX that come with the build are of no use to the driver: the next `count` modules are
 * refused. */
void double_refuse_modules(unsigned count);
void double_limit_memory(size_t bytes); /* of the device; 0: 1 GiB */
void double_reset(void);                /* no faults, no sticky error */

/* Enqueues run(data), which returns an error that becomes sticky; data is the stream's, freed by free. For
 * the double of cuBLASLt. NULL host: not within one allocation. */
cuda_code double_call(cuda_stream stream, cuda_code (*run)(void *data), void *data);
void *double_address(cuda_address address, size_t bytes);   /* within such a call only */
bool double_may_go_on(const char *symbol, cuda_code *code); /* false: the fault that was asked for */

typedef struct double_counts {
    size_t allocations, bytes, pinned, streams, events, modules, graphs, execs, contexts,
        pools;   /* that live */
    size_t kept; /* bytes that a pool has from the device and nobody uses */
    size_t launches, graph_launches, instantiations, node_updates, calls; /* so far */
} double_counts;
void double_count(double_counts *out);

#endif
