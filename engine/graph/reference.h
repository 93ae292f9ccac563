/* One operator at a time in float64, for kas_graph_reference and for folding constants.
 *
 * in[i]: the elements of the node's input i, NULL where it is left out; out: as many as the output has. The
 * node must have passed kas_graph_check. Nothing is allocated; any thread. */
#ifndef KAS_GRAPH_REFERENCE_H
#define KAS_GRAPH_REFERENCE_H

#include "engine/graph/graph.h"

typedef struct kas_reference {
    const kas_graph *graph;
    const kas_node *node;
    const double *const *in;
    double *out;
} kas_reference;

void kas_reference_node(const kas_reference *reference);

double kas_reference_act(kas_act act, double a, double b, double x);
double kas_reference_binary(kas_binary function, double x, double y);

void kas_reference_linear(const kas_reference *reference);
void kas_reference_matmul(const kas_reference *reference);
void kas_reference_conv(const kas_reference *reference);
void kas_reference_unary(const kas_reference *reference);
void kas_reference_elementwise(const kas_reference *reference); /* BINARY */
void kas_reference_select(const kas_reference *reference);
void kas_reference_softmax(const kas_reference *reference);
void kas_reference_norm(const kas_reference *reference);
void kas_reference_reduce(const kas_reference *reference);
void kas_reference_pool(const kas_reference *reference);
void kas_reference_strided(const kas_reference *reference);
void kas_reference_concat(const kas_reference *reference);
void kas_reference_gather(const kas_reference *reference);
void kas_reference_pad(const kas_reference *reference);

/* Shape of input i, and of the output. */
static inline const kas_shape *kas_reference_shape(const kas_reference *reference, int input)
{
    return &reference->graph->tensors[reference->node->inputs[input]].shape;
}

static inline const kas_tensor *kas_reference_output(const kas_reference *reference)
{
    return &reference->graph->tensors[reference->node->output];
}

#endif
