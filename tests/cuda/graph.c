/* Graphs of kernels in a row. */
#include <stdlib.h>
#include <string.h>

#include "tests/cuda/state.h"

enum { NODES_MAX = 65536 };

struct cuda_node_object {
    size_t index;
    kernel_call call; /* as it was added */
};
struct cuda_graph_object {
    cuda_node *nodes;
    size_t count;
};
struct cuda_exec_object {
    kernel_call *calls; /* of the graph's nodes, in their order */
    cuda_graph graph;
    size_t count;
};

static cuda_code read_node(const cuda_kernel_node *kernel, kernel_call *out)
{
    return double_read_call(kernel->function, kernel->grid_x, kernel->grid_y, kernel->grid_z, kernel->block_x,
                            kernel->block_y, kernel->block_z, kernel->shared_bytes, kernel->parameters,
                            kernel->extra, out);
}

EXPORT cuda_code cuGraphCreate(cuda_graph *graph, unsigned flags)
{
    ENTER(true);
    *graph = flags ? NULL : calloc(1, sizeof **graph);
    if (*graph) ++double_world.counts.graphs;
    LEAVE(*graph ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY);
}

EXPORT cuda_code cuGraphAddKernelNode(cuda_node *node, cuda_graph graph, const cuda_node *after,
                                      size_t after_count, const cuda_kernel_node *kernel)
{
    ENTER(true);
    bool follows =
        graph->count == 0 ? after_count == 0 : after_count == 1 && *after == graph->nodes[graph->count - 1];
    if (graph->count == NODES_MAX || !follows) LEAVE(CUDA_ERROR_INVALID_VALUE);
    cuda_node *nodes = realloc(graph->nodes, (graph->count + 1) * sizeof *nodes);
    if (!nodes) LEAVE(CUDA_ERROR_OUT_OF_MEMORY);
    graph->nodes = nodes;
    cuda_node new = calloc(1, sizeof *new);
    if (!new) LEAVE(CUDA_ERROR_OUT_OF_MEMORY);
    cuda_code code = read_node(kernel, &new->call);
    if (code != CUDA_SUCCESS) {
        free(new);
        LEAVE(code);
    }
    new->index = graph->count;
    graph->nodes[graph->count++] = *node = new;
    LEAVE(CUDA_SUCCESS);
}

EXPORT cuda_code cuGraphDestroy(cuda_graph graph)
{
    ENTER(true);
    for (size_t i = 0; i < graph->count; ++i)
        free(graph->nodes[i]);
    free(graph->nodes);
    free(graph);
    --double_world.counts.graphs;
    LEAVE(CUDA_SUCCESS);
}

EXPORT cuda_code cuGraphInstantiateWithFlags(cuda_exec *exec, cuda_graph graph, unsigned long long flags)
{
    ENTER(true);
    *exec = flags ? NULL : calloc(1, sizeof **exec);
    kernel_call *calls = *exec ? calloc(graph->count, sizeof *calls) : NULL;
    if (!calls) {
        free(*exec);
        LEAVE(CUDA_ERROR_OUT_OF_MEMORY);
    }
    **exec = (struct cuda_exec_object){.calls = calls, .graph = graph, .count = graph->count};
    for (size_t i = 0; i < graph->count; ++i)
        calls[i] = graph->nodes[i]->call;
    ++double_world.counts.execs;
    ++double_world.counts.instantiations;
    LEAVE(CUDA_SUCCESS);
}

EXPORT cuda_code cuGraphExecKernelNodeSetParams(cuda_exec exec, cuda_node node,
                                                const cuda_kernel_node *kernel)
{
    ENTER(true);
    if (node->index >= exec->count || exec->graph->nodes[node->index] != node)
        LEAVE(CUDA_ERROR_INVALID_VALUE);
    ++double_world.counts.node_updates;
    LEAVE(read_node(kernel, &exec->calls[node->index]));
}

EXPORT cuda_code cuGraphLaunch(cuda_exec exec, cuda_stream stream)
{
    ENTER(true);
    for (size_t i = 0; i < exec->count; ++i) {
        operation what = {.kind = KERNEL, .hangs = double_hangs_now(), .call = exec->calls[i]};
        cuda_code code = double_enqueue(stream, &what);
        if (code != CUDA_SUCCESS) LEAVE(code);
    }
    ++double_world.counts.graph_launches;
    LEAVE(CUDA_SUCCESS);
}

EXPORT cuda_code cuGraphExecDestroy(cuda_exec exec)
{
    ENTER(true);
    free(exec->calls);
    free(exec);
    --double_world.counts.execs;
    LEAVE(CUDA_SUCCESS);
}
