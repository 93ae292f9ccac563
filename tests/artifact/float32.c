#include "tests/artifact/float32.h"

#include <string.h>

#include "base/alloc.h"
#include "engine/graph/reference.h"

static void run_node(const kas_graph *graph, const kas_node *node, double *const *values)
{
    const double *in[KAS_MAX_NODE_INPUTS];
    for (int i = 0; i < node->input_count; ++i)
        in[i] = node->inputs[i] < 0 ? NULL : values[node->inputs[i]];
    double *out = values[node->output];
    kas_reference_node(&(kas_reference){.graph = graph, .node = node, .in = in, .out = out});
    for (size_t i = 0; i < graph->tensors[node->output].elements; ++i)
        out[i] = (double)(float)out[i];
}

static void run_rows(const kas_graph *graph, const float *x, size_t rows, double *const *values, double *y)
{
    const size_t inputs = graph->tensors[graph->input].elements,
                 outputs = graph->tensors[graph->output].elements;
    for (size_t r = 0; r < rows; ++r) {
        for (size_t i = 0; i < inputs; ++i)
            values[graph->input][i] = (double)x[r * inputs + i];
        for (size_t n = 0; n < graph->node_count; ++n)
            run_node(graph, &graph->nodes[n], values);
        memcpy(&y[r * outputs], values[graph->output], outputs * sizeof *y);
    }
}

static bool make_values(const kas_graph *graph, double **values)
{
    for (size_t t = 0; t < graph->tensor_count; ++t) {
        const kas_tensor *tensor = &graph->tensors[t];
        values[t] = kas_calloc(tensor->elements, sizeof **values);
        if (!values[t]) return false;
        for (size_t i = 0; tensor->constant && i < tensor->elements; ++i)
            values[t][i] = (double)tensor->constant[i];
    }
    return true;
}

kas_status evaluate_as_float32(const kas_graph *graph, const float *x, size_t rows, double *y)
{
    double **values = kas_calloc(graph->tensor_count, sizeof *values);
    if (!values) return kas_out_of_memory();
    const bool made = make_values(graph, values);
    if (made) run_rows(graph, x, rows, values, y);
    for (size_t t = 0; t < graph->tensor_count; ++t)
        kas_free(values[t]);
    kas_free(values);
    return made ? NULL : kas_out_of_memory();
}
