/* A graph in words: what an operator of the engine wants to see of a kernel before trusting it. */
#include <inttypes.h>
#include <string.h>

#include "cli/describe.h"

enum { DETAIL_SIZE = 96 };

/* What a node's operator leaves open: its activation, axis, window. */
static void detail(const kas_node *node, char *out, size_t size)
{
    const char *act = node->act == KAS_ACT_NONE ? "" : kas_act_name(node->act);
    *out = '\0';
    switch (node->op) {
    case KAS_OP_BINARY:
        snprintf(out, size, "%s%s%s", kas_binary_name(node->binary), *act ? ", then " : "", act);
        break;
    case KAS_OP_REDUCE:
        snprintf(out, size, "%s along %d", kas_reduce_name(node->reduce), node->axis);
        break;
    case KAS_OP_SOFTMAX:
    case KAS_OP_CONCAT:
    case KAS_OP_GATHER:
        snprintf(out, size, "along %d", node->axis);
        break;
    case KAS_OP_NORM:
        snprintf(out, size, "%s over the last %d, epsilon %g", node->centred ? "layer" : "rms", node->axis,
                 (double)node->epsilon);
        break;
    case KAS_OP_POOL:
        snprintf(out, size, "%s", node->window.average ? "average" : "maximum");
        break;
    case KAS_OP_CONV:
        snprintf(out, size, "groups %" PRId64 "%s%s", node->window.groups, *act ? ", then " : "", act);
        break;
    case KAS_OP_LINEAR:
    case KAS_OP_UNARY:
        snprintf(out, size, "%s", act);
        break;
    default:
        break;
    }
}

static const char *tensor_name(const kas_graph *graph, int tensor, char *out, size_t size)
{
    const char *name = graph->tensors[tensor].name;
    if (name && *name) return name;
    snprintf(out, size, "t%d", tensor);
    return out;
}

static json_t *describe_inputs(const kas_graph *graph, const kas_node *node)
{
    json_t *inputs = json_array();
    for (int i = 0; i < node->input_count; ++i) {
        if (node->inputs[i] < 0) continue;
        const kas_tensor *tensor = &graph->tensors[node->inputs[i]];
        char shape[64], name[24];
        json_array_append_new(inputs, json_pack("{s:s, s:s, s:b}", "name",
                                                tensor_name(graph, node->inputs[i], name, sizeof name),
                                                "shape", kas_shape_text(&tensor->shape, shape, sizeof shape),
                                                "constant", tensor->constant != NULL));
    }
    return inputs;
}

static json_t *describe_node(const kas_graph *graph, size_t index)
{
    const kas_node *node = &graph->nodes[index];
    char how[DETAIL_SIZE], shape[64], name[24];
    detail(node, how, sizeof how);
    return json_pack("{s:I, s:s, s:s, s:o, s:s, s:s}", "index", (json_int_t)index, "operator",
                     kas_op_name(node->op), "detail", how, "inputs", describe_inputs(graph, node), "output",
                     tensor_name(graph, node->output, name, sizeof name), "shape",
                     kas_shape_text(&graph->tensors[node->output].shape, shape, sizeof shape));
}

json_t *cli_describe_artifact(const kas_artifact *artifact)
{
    const kas_graph *graph = artifact->graph;
    char checksum[KAS_SHA256_HEX_SIZE], in[64], out[64];
    kas_sha256_hex(&artifact->checksum, checksum);
    json_t *operators = json_array(), *nodes = json_array();
    for (size_t i = 0; i < artifact->operator_count; ++i)
        json_array_append_new(operators, json_string(artifact->operators[i]));
    for (size_t i = 0; i < graph->node_count; ++i)
        json_array_append_new(nodes, describe_node(graph, i));
    return json_pack("{s:s, s:s, s:I, s:s, s:s, s:s, s:I, s:I, s:o, s:o}", "format",
                     kas_format_name(artifact->format), "producer", artifact->producer, "size_bytes",
                     (json_int_t)artifact->size_bytes, "sha256", checksum, "input_shape",
                     kas_shape_text(&graph->tensors[graph->input].shape, in, sizeof in), "output_shape",
                     kas_shape_text(&graph->tensors[graph->output].shape, out, sizeof out), "parameter_count",
                     (json_int_t)artifact->parameter_count, "memory_bytes",
                     (json_int_t)artifact->memory_bytes, "operators", operators, "nodes", nodes);
}

/* ---- dot ---- */

/* A quoted string of the DOT language: names come from the artifact. */
static void print_quoted(FILE *out, const char *text)
{
    for (; *text; ++text) {
        if (*text == '"' || *text == '\\') fputc('\\', out);
        fputc((unsigned char)*text < 0x20 ? '?' : *text, out);
    }
}

static void print_tensor(FILE *out, const kas_graph *graph, int tensor, const char *what, const char *style)
{
    char shape[64], name[24];
    fprintf(out, "  t%d [%s, label=\"", tensor, style);
    print_quoted(out, what ? what : tensor_name(graph, tensor, name, sizeof name));
    fprintf(out, "\\n%s\"];\n", kas_shape_text(&graph->tensors[tensor].shape, shape, sizeof shape));
}

void cli_print_dot(FILE *out, const kas_graph *graph)
{
    fputs("digraph kernel {\n  rankdir=TB;\n  node [fontname=\"sans-serif\", fontsize=10];\n", out);
    for (size_t t = 0; t < graph->tensor_count; ++t)
        if (graph->tensors[t].constant) print_tensor(out, graph, (int)t, NULL, "shape=note");
    print_tensor(out, graph, graph->input, "input", "shape=ellipse");
    for (size_t i = 0; i < graph->node_count; ++i) {
        const kas_node *node = &graph->nodes[i];
        char how[DETAIL_SIZE];
        detail(node, how, sizeof how);
        char label[DETAIL_SIZE + 32];
        snprintf(label, sizeof label, "%s%s%s", kas_op_name(node->op), *how ? " " : "", how);
        print_tensor(out, graph, node->output, label,
                     node->output == graph->output ? "shape=box, peripheries=2" : "shape=box");
        for (int k = 0; k < node->input_count; ++k)
            if (node->inputs[k] >= 0) fprintf(out, "  t%d -> t%d;\n", node->inputs[k], node->output);
    }
    fputs("}\n", out);
}
