/* Whether a whole graph is one product: y = x·Wᵀ + b. */
#include <string.h>

#include "base/alloc.h"
#include "engine/graph/graph.h"
#include "engine/graph/shape.h"

/* The only product of a chain from the input to the output with nothing else in it but reshapes; NULL if
 * there is another node or more than one product. */
static const kas_node *only_product(const kas_graph *graph)
{
    const kas_node *product = NULL;
    int at = graph->input;
    for (size_t i = 0; i < graph->node_count; ++i) {
        const kas_node *node = &graph->nodes[i];
        if (node->inputs[0] != at) return NULL;
        at = node->output;
        if (kas_node_is_reshape(graph, node)) continue;
        if (product || node->op != KAS_OP_LINEAR || node->act != KAS_ACT_NONE) return NULL;
        product = node;
    }
    return at == graph->output ? product : NULL;
}

kas_status kas_graph_affine(const kas_graph *graph, bool *is_affine, float **weight, float **bias)
{
    *is_affine = false;
    const kas_node *product = only_product(graph);
    if (!product) return NULL;
    const kas_tensor *w = &graph->tensors[product->inputs[1]];
    if ((size_t)w->shape.dims[1] != graph->tensors[graph->input].elements)
        return NULL; /* several rows share W */
    size_t outputs = (size_t)w->shape.dims[0];
    float *weight_copy = kas_memdup(w->constant, w->elements * sizeof(float));
    float *bias_copy = kas_calloc(outputs, sizeof(float));
    if (!weight_copy || !bias_copy) {
        kas_free(weight_copy);
        kas_free(bias_copy);
        return kas_out_of_memory();
    }
    if (product->input_count > 2 && product->inputs[2] >= 0)
        memcpy(bias_copy, graph->tensors[product->inputs[2]].constant, outputs * sizeof(float));
    *is_affine = true;
    *weight = weight_copy;
    *bias = bias_copy;
    return NULL;
}
