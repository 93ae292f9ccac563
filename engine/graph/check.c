/* The rules that hold for every graph: indices, order, single producers, finite constants. What an operator
 * demands of its own tensors stands in check_operators.c, check_window.c and check_layout.c. */
#include "engine/graph/check.h"

#include <math.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/finite.h"
#include "engine/graph/shape.h"

typedef struct operator_rule {
    int inputs_min, inputs_max; /* those beyond inputs_min may be left out with -1 */
    bool has_act;               /* an activation may follow */
    kas_status (*check)(const kas_check *check);
} operator_rule;

static const operator_rule rules[KAS_OP_COUNT] = {
    [KAS_OP_LINEAR] = {2, 3, true, kas_check_linear},
    [KAS_OP_MATMUL] = {2, 2, false, kas_check_matmul},
    [KAS_OP_UNARY] = {1, 1, true, kas_check_unary},
    [KAS_OP_BINARY] = {2, 2, true, kas_check_binary},
    [KAS_OP_SELECT] = {3, 3, false, kas_check_select},
    [KAS_OP_SOFTMAX] = {1, 1, false, kas_check_softmax},
    [KAS_OP_NORM] = {1, 3, false, kas_check_norm},
    [KAS_OP_REDUCE] = {1, 1, false, kas_check_reduce},
    [KAS_OP_CONV] = {2, 3, true, kas_check_conv},
    [KAS_OP_POOL] = {1, 1, false, kas_check_pool},
    [KAS_OP_STRIDED] = {1, 1, false, kas_check_strided},
    [KAS_OP_CONCAT] = {1, KAS_MAX_NODE_INPUTS, false, kas_check_concat},
    [KAS_OP_GATHER] = {1, 1, false, kas_check_gather},
    [KAS_OP_PAD] = {1, 1, false, kas_check_pad},
};

kas_status kas_check_refuse(const kas_check *check, const char *reason, const char *format, ...)
{
    char text[600];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    const kas_tensor *made = kas_check_output(check);
    return kas_with_reason(kas_fail(KAS_INVALID_ARTIFACT, KERNEL, "node %zu (%s, makes \"%.64s\"): %s",
                                    check->index, kas_op_name(check->node->op), made ? made->name : "?",
                                    text),
                           reason);
}

const kas_tensor *kas_check_input(const kas_check *check, int input)
{
    if (input >= check->node->input_count || check->node->inputs[input] < 0) return NULL;
    return &check->graph->tensors[check->node->inputs[input]];
}

const kas_tensor *kas_check_output(const kas_check *check)
{
    int index = check->node->output;
    if (index < 0 || (size_t)index >= check->graph->tensor_count) return NULL;
    return &check->graph->tensors[index];
}

kas_check_text kas_check_describe(const kas_tensor *tensor)
{
    kas_check_text result;
    char shape[112];
    kas_shape_text(&tensor->shape, shape, sizeof shape);
    snprintf(result.text, sizeof result.text, "\"%.64s\" %s", tensor->name, shape);
    return result;
}

kas_status kas_check_output_shape(const kas_check *check, const kas_shape *expected)
{
    const kas_tensor *output = kas_check_output(check);
    if (kas_shape_equal(&output->shape, expected)) return NULL;
    char text[112];
    kas_shape_text(expected, text, sizeof text);
    return kas_check_refuse(check, "shape", "the output %s should have shape %s",
                            kas_check_describe(output).text, text);
}

static kas_status refuse_graph(const char *reason, const char *what, long long have, long long limit)
{
    return kas_with_reason(kas_fail(KAS_INVALID_ARTIFACT, KERNEL, "%s: %lld, of %lld", what, have, limit),
                           reason);
}

static kas_status check_tensor(const kas_graph *graph, size_t index)
{
    const kas_tensor *tensor = &graph->tensors[index];
    size_t elements;
    if (!kas_shape_elements(&tensor->shape, &elements))
        return kas_with_reason(kas_fail(KAS_INVALID_ARTIFACT, KERNEL, "tensor %zu %s is empty or too large",
                                        index, kas_check_describe(tensor).text),
                               "limit");
    if (elements != tensor->elements)
        return kas_with_reason(kas_fail(KAS_INVALID_ARTIFACT, KERNEL,
                                        "tensor %zu %s holds %zu elements, not %zu", index,
                                        kas_check_describe(tensor).text, tensor->elements, elements),
                               "shape");
    if (!tensor->constant) return NULL;
    const size_t bad = kas_first_not_finite(tensor->constant, elements);
    if (bad == elements) return NULL;
    return kas_with_reason(kas_fail(KAS_INVALID_ARTIFACT, KERNEL, "constant %s: element %zu is %f",
                                    kas_check_describe(tensor).text, bad, (double)tensor->constant[bad]),
                           "not_finite");
}

/* Optional inputs may be left out; all others must have been made by then. */
static kas_status check_inputs(const kas_check *check, const bool *made)
{
    const kas_node *node = check->node;
    const operator_rule *rule = &rules[node->op];
    if (node->input_count < rule->inputs_min || node->input_count > rule->inputs_max)
        return kas_check_refuse(check, "malformed", "it reads %d tensors; %d to %d are meant",
                                node->input_count, rule->inputs_min, rule->inputs_max);
    for (int i = 0; i < node->input_count; ++i) {
        int tensor = node->inputs[i];
        bool optional = i >= rule->inputs_min && node->op != KAS_OP_CONCAT;
        if (tensor == -1 && optional) continue;
        if (tensor < 0 || (size_t)tensor >= check->graph->tensor_count)
            return kas_check_refuse(check, "malformed", "input %d is tensor %d, of %zu", i, tensor,
                                    check->graph->tensor_count);
        if (!made[tensor])
            return kas_check_refuse(check, "malformed", "input %d, %s, is read before anything makes it", i,
                                    kas_check_describe(&check->graph->tensors[tensor]).text);
    }
    return NULL;
}

static kas_status check_attributes(const kas_check *check)
{
    const kas_node *node = check->node;
    if ((unsigned)node->act >= KAS_ACT_COUNT)
        return kas_check_refuse(check, "malformed", "activation %d is not known", (int)node->act);
    if (node->act != KAS_ACT_NONE && !rules[node->op].has_act)
        return kas_check_refuse(check, "malformed", "the activation %s cannot follow it",
                                kas_act_name(node->act));
    if (!isfinite(node->act_a) || !isfinite(node->act_b))
        return kas_check_refuse(check, "not_finite", "the parameters %f, %f of %s must be finite",
                                (double)node->act_a, (double)node->act_b, kas_act_name(node->act));
    if (node->act == KAS_ACT_CELU && node->act_a == 0)
        return kas_check_refuse(check, "malformed", "celu divides by its parameter, which is 0");
    if (node->op != KAS_OP_GATHER && (node->indices || node->index_count))
        return kas_check_refuse(check, "malformed", "only gather has a list of indices");
    return NULL;
}

static kas_status check_node(const kas_check *check, bool *made)
{
    const kas_node *node = check->node;
    if ((unsigned)node->op >= KAS_OP_COUNT)
        return kas_check_refuse(check, "malformed", "operator %d is not known", (int)node->op);
    KAS_TRY(check_inputs(check, made));
    const kas_tensor *output = kas_check_output(check);
    if (!output)
        return kas_check_refuse(check, "malformed", "its output is tensor %d, of %zu", node->output,
                                check->graph->tensor_count);
    if (made[node->output])
        return kas_check_refuse(check, "malformed", "its output %s is %s already",
                                kas_check_describe(output).text, output->constant ? "a constant" : "made");
    KAS_TRY(check_attributes(check));
    KAS_TRY(rules[node->op].check(check));
    made[node->output] = true;
    return NULL;
}

static kas_status check_ends(const kas_graph *graph)
{
    long long count = (long long)graph->tensor_count;
    if (graph->input < 0 || graph->input >= count)
        return refuse_graph("malformed", "the graph's input is no tensor", graph->input, count);
    if (graph->output < 0 || graph->output >= count)
        return refuse_graph("malformed", "the graph's output is no tensor", graph->output, count);
    const kas_tensor *input = &graph->tensors[graph->input], *output = &graph->tensors[graph->output];
    if (input->constant)
        return kas_with_reason(kas_fail(KAS_INVALID_ARTIFACT, KERNEL, "the graph's input %s is a constant",
                                        kas_check_describe(input).text),
                               "malformed");
    if (output->constant)
        return kas_with_reason(kas_fail(KAS_INVALID_ARTIFACT, KERNEL,
                                        "the graph's output %s is a constant; a node must make it",
                                        kas_check_describe(output).text),
                               "malformed");
    return NULL;
}

static kas_status check_nodes(const kas_graph *graph, bool *made)
{
    for (size_t i = 0; i < graph->tensor_count; ++i)
        made[i] = graph->tensors[i].constant || (int)i == graph->input;
    for (size_t i = 0; i < graph->node_count; ++i) {
        kas_check check = {.graph = graph, .node = &graph->nodes[i], .index = i};
        KAS_TRY(check_node(&check, made));
    }
    if (!made[graph->output])
        return kas_with_reason(kas_fail(KAS_INVALID_ARTIFACT, KERNEL, "nothing makes the graph's output %s",
                                        kas_check_describe(&graph->tensors[graph->output]).text),
                               "malformed");
    return NULL;
}

kas_status kas_graph_check(const kas_graph *graph)
{
    if (graph->node_count > KAS_GRAPH_MAX_NODES)
        return refuse_graph("limit", "too many nodes", (long long)graph->node_count, KAS_GRAPH_MAX_NODES);
    if (graph->tensor_count > KAS_GRAPH_MAX_TENSORS)
        return refuse_graph("limit", "too many tensors", (long long)graph->tensor_count,
                            KAS_GRAPH_MAX_TENSORS);
    KAS_TRY(check_ends(graph));
    for (size_t i = 0; i < graph->tensor_count; ++i)
        KAS_TRY(check_tensor(graph, i));
    bool *made = kas_calloc(graph->tensor_count, sizeof *made);
    if (!made) return kas_out_of_memory();
    kas_status status = check_nodes(graph, made);
    kas_free(made);
    return status;
}
