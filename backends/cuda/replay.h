/* Longer lists as graphs: recorded at the first submission in a queue, then replayed by one call, after the
 * nodes whose memory or grid differ from the last time were told so. Short lists are launched one by one,
 * which costs no more.
 *
 * A queue keeps the graphs of the lists that it ran last. Updating nodes was chosen over a graph per bucket
 * of rows: a context binds the same memory from pass to pass and only grids change, so most replays change a
 * few nodes or none, and one graph serves every number of rows. No GPU was at hand to measure
 * either: a bench of a list's replay against its launches one by one has to confirm it on one.
 *
 * A list with a product of cuBLASLt's is never a graph. Recording one would take capture, for each bucket of
 * rows anew, as the library may choose other kernels for it; and such lists are there for large products,
 * beside which a few launches, enqueued while earlier ones run, cost nothing. */
#ifndef KAS_CUDA_REPLAY_H
#define KAS_CUDA_REPLAY_H

#include "backends/cuda/launch.h"

enum {
    CUDA_REPLAY_FROM = 3,
    CUDA_GRAPHS_MAX = 16
}; /* launches that make a graph worth it; graphs of a queue */

typedef struct cuda_list { /* lists have a number of their own: an address may be used again */
    kas_list base;
    uint64_t id;
    bool fast; /* some of its products are cuBLASLt's */
} cuda_list;

typedef struct cuda_recorded_graph {
    uint64_t list_id; /* 0: the place is free */
    uint64_t last_use;
    cuda_exec exec;
    cuda_graph graph;         /* the nodes belong to it */
    cuda_node *nodes;         /* one a launch */
    cuda_bound_launch *bound; /* as the nodes are now; `parameters` are not used */
    size_t count;
} cuda_recorded_graph;

typedef struct cuda_graphs {
    cuda_recorded_graph places[CUDA_GRAPHS_MAX];
    uint64_t uses;
} cuda_graphs;

/* Enqueues a submission's launches as one graph. */
kas_status kas_cuda_replay(const kas_cuda_device *device, cuda_graphs *graphs,
                           const kas_submission *submission, uint32_t rows, cuda_stream stream) KAS_MUST_USE;
void kas_cuda_graphs_finish(const kas_cuda_device *device, cuda_graphs *graphs);
/* Frees what is this process's own and leaves the rest to a driver that is not asked any more. */
void kas_cuda_graphs_forget(cuda_graphs *graphs);

#endif
