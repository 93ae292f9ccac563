/* Building a graph and taking it down: the limits on tensors and nodes hold from the first one added, so that
 * a reader of a hostile file cannot make it grow. */
#include "engine/graph/graph.h"

#include <string.h>

#include "base/alloc.h"

kas_status kas_graph_create(kas_graph **out)
{
    kas_graph *graph = kas_calloc(1, sizeof *graph);
    if (!graph) return kas_out_of_memory();
    graph->input = graph->output = -1;
    *out = graph;
    return NULL;
}

void kas_graph_destroy(kas_graph *graph)
{
    if (!graph) return;
    for (size_t i = 0; i < graph->tensor_count; ++i) {
        kas_free(graph->tensors[i].name);
        kas_free(graph->tensors[i].constant);
    }
    for (size_t i = 0; i < graph->node_count; ++i)
        kas_free(graph->nodes[i].indices);
    kas_free(graph->tensors);
    kas_free(graph->nodes);
    kas_free(graph);
}

static kas_status shape_refused(const char *name, const kas_shape *shape)
{
    if (shape->rank < 0 || shape->rank > KAS_MAX_RANK)
        return kas_with_reason(kas_fail(KAS_INVALID_ARTIFACT, KERNEL,
                                        "tensor \"%.64s\" has %d dimensions a row; at most %d are taken",
                                        name, shape->rank, KAS_MAX_RANK),
                               "limit");
    char text[128];
    kas_shape_text(shape, text, sizeof text);
    for (int d = 0; d < shape->rank; ++d)
        if (shape->dims[d] < 1)
            return kas_with_reason(kas_fail(KAS_INVALID_ARTIFACT, KERNEL,
                                            "tensor \"%.64s\" %s has an empty dimension", name, text),
                                   "shape");
    return kas_with_reason(kas_fail(KAS_INVALID_ARTIFACT, KERNEL,
                                    "tensor \"%.64s\" %s has more than %llu elements a row", name, text,
                                    KAS_GRAPH_MAX_ELEMENTS),
                           "limit");
}

kas_status kas_graph_add_tensor(kas_graph *graph, const char *name, const kas_shape *shape, int *out)
{
    size_t elements;
    const kas_shape own = *shape; /* the caller's may lie in the array that grows */
    if (!kas_shape_elements(shape, &elements)) return shape_refused(name ? name : "", shape);
    if (graph->tensor_count >= KAS_GRAPH_MAX_TENSORS)
        return kas_with_reason(kas_fail(KAS_INVALID_ARTIFACT, KERNEL,
                                        "more than %d tensors: \"%.64s\" is one too many",
                                        KAS_GRAPH_MAX_TENSORS, name ? name : ""),
                               "limit");
    if (!kas_grow((void **)&graph->tensors, &graph->tensor_capacity, graph->tensor_count + 1,
                  KAS_GRAPH_MAX_TENSORS, sizeof *graph->tensors))
        return kas_out_of_memory();
    char *copy = kas_strdup(name ? name : "");
    if (!copy) return kas_out_of_memory();
    graph->tensors[graph->tensor_count] = (kas_tensor){.name = copy, .shape = own, .elements = elements};
    *out = (int)graph->tensor_count++;
    return NULL;
}

kas_status kas_graph_add_constant(kas_graph *graph, const char *name, const kas_shape *shape, float *values,
                                  int *out)
{
    kas_status status = kas_graph_add_tensor(graph, name, shape, out);
    if (status) {
        kas_free(values);
        return status;
    }
    graph->tensors[*out].constant = values;
    return NULL;
}

static kas_status append_node(kas_graph *graph, const kas_node *node)
{
    if (graph->node_count >= KAS_GRAPH_MAX_NODES)
        return kas_with_reason(kas_fail(KAS_INVALID_ARTIFACT, KERNEL,
                                        "more than %d nodes: a %s is one too many", KAS_GRAPH_MAX_NODES,
                                        kas_op_name(node->op)),
                               "limit");
    if (node->input_count < 0 || node->input_count > KAS_MAX_NODE_INPUTS)
        return kas_with_reason(
            kas_fail(KAS_INVALID_ARTIFACT, KERNEL, "node %zu (%s) reads %d tensors; at most %d are taken",
                     graph->node_count, kas_op_name(node->op), node->input_count, KAS_MAX_NODE_INPUTS),
            "limit");
    if (!kas_grow((void **)&graph->nodes, &graph->node_capacity, graph->node_count + 1, KAS_GRAPH_MAX_NODES,
                  sizeof *graph->nodes))
        return kas_out_of_memory();
    graph->nodes[graph->node_count++] = *node;
    return NULL;
}

kas_status kas_graph_add_node(kas_graph *graph, const kas_node *node)
{
    kas_status status = append_node(graph, node);
    if (status) kas_free(node->indices);
    return status;
}
