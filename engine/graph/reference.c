/* The float64 evaluator: row by row, node by node. It shares nothing with the devices' code, so that tests
 * which compare the two find a mistake in either. */
#include "engine/graph/reference.h"

#include <string.h>

#include "base/alloc.h"

void kas_reference_node(const kas_reference *reference)
{
    static void (*const evaluate[KAS_OP_COUNT])(const kas_reference *) = {
        [KAS_OP_LINEAR] = kas_reference_linear,   [KAS_OP_MATMUL] = kas_reference_matmul,
        [KAS_OP_UNARY] = kas_reference_unary,     [KAS_OP_BINARY] = kas_reference_elementwise,
        [KAS_OP_SELECT] = kas_reference_select,   [KAS_OP_SOFTMAX] = kas_reference_softmax,
        [KAS_OP_NORM] = kas_reference_norm,       [KAS_OP_REDUCE] = kas_reference_reduce,
        [KAS_OP_CONV] = kas_reference_conv,       [KAS_OP_POOL] = kas_reference_pool,
        [KAS_OP_STRIDED] = kas_reference_strided, [KAS_OP_CONCAT] = kas_reference_concat,
        [KAS_OP_GATHER] = kas_reference_gather,   [KAS_OP_PAD] = kas_reference_pad,
    };
    evaluate[reference->node->op](reference);
}

static void free_values(double **values, size_t count)
{
    for (size_t i = 0; values && i < count; ++i)
        kas_free(values[i]);
    kas_free(values);
}

/* Room for every tensor of one row; constants are filled in. */
static kas_status allocate_values(const kas_graph *graph, double ***out)
{
    double **values = kas_calloc(graph->tensor_count, sizeof *values);
    if (!values) return kas_out_of_memory();
    for (size_t i = 0; i < graph->tensor_count; ++i) {
        const kas_tensor *tensor = &graph->tensors[i];
        values[i] = kas_alloc_array(tensor->elements, sizeof **values);
        if (!values[i]) {
            free_values(values, i);
            return kas_out_of_memory();
        }
        for (size_t k = 0; tensor->constant && k < tensor->elements; ++k)
            values[i][k] = (double)tensor->constant[k];
    }
    *out = values;
    return NULL;
}

static void evaluate_row(const kas_graph *graph, double *const *values)
{
    for (size_t i = 0; i < graph->node_count; ++i) {
        const kas_node *node = &graph->nodes[i];
        const double *in[KAS_MAX_NODE_INPUTS] = {0};
        for (int k = 0; k < node->input_count; ++k)
            if (node->inputs[k] >= 0) in[k] = values[node->inputs[k]];
        kas_reference reference = {.graph = graph, .node = node, .in = in, .out = values[node->output]};
        kas_reference_node(&reference);
    }
}

kas_status kas_graph_reference(const kas_graph *graph, const float *x, size_t rows, double *y)
{
    double **values = NULL;
    KAS_TRY(allocate_values(graph, &values));
    size_t inputs = graph->tensors[graph->input].elements, outputs = graph->tensors[graph->output].elements;
    for (size_t row = 0; row < rows; ++row) {
        for (size_t k = 0; k < inputs; ++k)
            values[graph->input][k] = (double)x[row * inputs + k];
        evaluate_row(graph, values);
        memcpy(y + row * outputs, values[graph->output], outputs * sizeof *y);
    }
    free_values(values, graph->tensor_count);
    return NULL;
}
