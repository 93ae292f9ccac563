/* Lowering a graph: where tensors are, which nodes end in another one, and recording launches. */
#include "engine/graph/lower.h"

#include <string.h>

#include "base/alloc.h"
#include "engine/graph/shape.h"

enum { STEPS_MAX = 65536 }; /* launches of a list; few graphs have a thousand */

static kas_lower_function *const functions[KAS_OP_COUNT] = {
    [KAS_OP_LINEAR] = kas_lower_linear,   [KAS_OP_MATMUL] = kas_lower_matmul,
    [KAS_OP_UNARY] = kas_lower_unary,     [KAS_OP_BINARY] = kas_lower_binary,
    [KAS_OP_SELECT] = kas_lower_select,   [KAS_OP_SOFTMAX] = kas_lower_softmax,
    [KAS_OP_NORM] = kas_lower_norm,       [KAS_OP_REDUCE] = kas_lower_reduce,
    [KAS_OP_CONV] = kas_lower_conv,       [KAS_OP_POOL] = kas_lower_pool,
    [KAS_OP_STRIDED] = kas_lower_strided, [KAS_OP_CONCAT] = kas_lower_concat,
    [KAS_OP_GATHER] = kas_lower_gather,   [KAS_OP_PAD] = kas_lower_pad,
};

const kas_tensor *kas_lower_tensor(const kas_lowering *lowering, int tensor)
{
    return &lowering->graph->tensors[tensor];
}

/* ---- where tensors are ---- */

static void find_roots(kas_lowering *lowering)
{
    const kas_graph *graph = lowering->graph;
    for (size_t i = 0; i < graph->tensor_count; ++i)
        lowering->root[i] = (int)i;
    for (size_t i = 0; i < graph->node_count; ++i) {
        const kas_node *node = &graph->nodes[i];
        if (!kas_node_is_reshape(graph, node)) continue;
        lowering->root[node->output] = lowering->root[node->inputs[0]];
        lowering->done[i] = true;
    }
}

static void find_readers(kas_lowering *lowering)
{
    enum { NOBODY = -1, SEVERAL = -2 };
    const kas_graph *graph = lowering->graph;
    for (size_t i = 0; i < graph->tensor_count; ++i)
        lowering->reader[i] = NOBODY;
    for (size_t i = 0; i < graph->node_count; ++i)
        for (int j = 0; j < graph->nodes[i].input_count; ++j) {
            int tensor = graph->nodes[i].inputs[j];
            if (tensor < 0) continue;
            int *reader = &lowering->reader[tensor];
            *reader = *reader == NOBODY ? (int)i : SEVERAL;
        }
    lowering->reader[graph->output] = SEVERAL;
}

static kas_status add_value(kas_lowering *lowering, size_t elements, size_t *index)
{
    if (!kas_grow((void **)&lowering->values, &lowering->value_capacity, lowering->value_count + 1, STEPS_MAX,
                  sizeof *lowering->values))
        return kas_out_of_memory();
    *index = lowering->value_count++;
    lowering->values[*index] =
        (kas_value){.elements = elements, .first = lowering->step_count, .last = lowering->step_count};
    return NULL;
}

kas_status kas_lower_between(kas_lowering *lowering, size_t elements, kas_operand *out)
{
    *out = (kas_operand){.storage = KAS_IN_WORK, .elements = elements, .row = elements};
    return add_value(lowering, elements, &out->value);
}

const kas_tensor *kas_lower_constant(const kas_lowering *lowering, const kas_node *node, int i)
{
    if (i >= node->input_count || node->inputs[i] < 0) return NULL;
    const kas_tensor *tensor = kas_lower_tensor(lowering, lowering->root[node->inputs[i]]);
    return tensor->constant ? tensor : NULL;
}

kas_status kas_lower_piece(kas_lowering *lowering, kas_piece piece, kas_operand *out)
{
    *out = (kas_operand){.storage = KAS_IN_WEIGHTS, .elements = piece.tensor ? piece.tensor->elements : 0};
    return kas_weights_add(lowering->weights, piece, &out->value);
}

kas_weight_type kas_lower_weight_type(const kas_lowering *lowering, const kas_tensor *weights)
{
    const kas_device_limits *limits = kas_device_get_limits(lowering->device);
    kas_weight_type type = kas_weight_type_of(weights->constant, weights->elements);
    bool taken = type == KAS_WEIGHT_F16 ? limits->fp16 : limits->bf16;
    return taken ? type : KAS_WEIGHT_F32;
}

/* What the root of a tensor, made already, is. */
static kas_operand made_operand(const kas_lowering *lowering, int root)
{
    const kas_graph *graph = lowering->graph;
    size_t elements = graph->tensors[root].elements;
    kas_operand operand = {.storage = KAS_IN_WORK, .elements = elements, .row = elements};
    if (root == graph->input)
        operand.storage = KAS_IN_X;
    else if (root == lowering->root[graph->output])
        operand.storage = KAS_IN_Y;
    else
        operand.value = lowering->value_of[root] - 1;
    return operand;
}

kas_status kas_lower_input(kas_lowering *lowering, const kas_node *node, int i, kas_operand *out)
{
    const kas_tensor *constant = kas_lower_constant(lowering, node, i);
    if (constant) return kas_lower_piece(lowering, (kas_piece){.tensor = constant}, out);
    *out = made_operand(lowering, lowering->root[node->inputs[i]]);
    return NULL;
}

kas_status kas_lower_activation(kas_lowering *lowering, const kas_node *node, int i, kas_operand *out)
{
    kas_operand from;
    KAS_TRY(kas_lower_input(lowering, node, i, &from));
    *out = from;
    if (from.storage != KAS_IN_WEIGHTS) return NULL;
    KAS_TRY(kas_lower_between(lowering, from.elements, out));
    return kas_lower_copy(lowering, &from, out);
}

kas_status kas_lower_output(kas_lowering *lowering, int tensor, kas_operand *out)
{
    if (tensor != lowering->root[lowering->graph->output]) {
        size_t index;
        KAS_TRY(add_value(lowering, kas_lower_tensor(lowering, tensor)->elements, &index));
        lowering->value_of[tensor] = index + 1;
    }
    *out = made_operand(lowering, tensor);
    return NULL;
}

kas_ending kas_lower_ending(kas_lowering *lowering, const kas_node *node)
{
    kas_ending own = {(int)node->act, node->act_a, node->act_b, node->output};
    int reader = lowering->reader[node->output];
    if (node->act != KAS_ACT_NONE || reader < 0) return own;
    const kas_node *next = &lowering->graph->nodes[reader];
    if (next->op != KAS_OP_UNARY) return own;
    lowering->done[reader] = true;
    kas_lower_count(lowering, kas_lower_tensor(lowering, next->output)->elements, 0);
    return (kas_ending){(int)next->act, next->act_a, next->act_b, next->output};
}

/* ---- recording ---- */

static uint64_t add_saturating(uint64_t a, uint64_t b)
{
    uint64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

/* Rates that every device reaches. */
#define FLOPS_PER_NS 4.0
#define MOVES_PER_NS 0.5 /* elements between memory and arithmetic */

void kas_lower_count(kas_lowering *lowering, uint64_t flops, uint64_t moved)
{
    lowering->flops = add_saturating(lowering->flops, flops);
    lowering->ns += (double)flops / FLOPS_PER_NS + (double)moved / MOVES_PER_NS;
}

void kas_lower_count_product(kas_lowering *lowering, uint64_t flops, uint64_t moved)
{
    uint32_t rate = kas_device_get_limits(lowering->device)->product_gflops;
    if (rate == 0) {
        kas_lower_count(lowering, flops, moved);
        return;
    }
    lowering->flops = add_saturating(lowering->flops, flops);
    lowering->ns += (double)flops / rate;
}

static void limit_rows(kas_lowering *lowering, uint64_t rows)
{
    if (rows < lowering->rows_max) lowering->rows_max = rows;
}

/* Binds one operand of the step that is being recorded. */
static void bind(kas_lowering *lowering, kas_step *step, size_t binding, const kas_operand *operand)
{
    static const uint8_t slots[] = {
        [KAS_IN_X] = KAS_SLOT_X,
        [KAS_IN_Y] = KAS_SLOT_Y,
        [KAS_IN_WORK] = KAS_SLOT_WORK,
        [KAS_IN_WEIGHTS] = KAS_SLOT_FIXED,
    };
    kas_binding *to = &step->launch.bindings[binding];
    to->slot = slots[operand->storage];
    if (operand->storage == KAS_IN_WEIGHTS) to->offset_bytes = operand->value;
    if (operand->storage == KAS_IN_WORK) {
        step->values[binding] = operand->value;
        lowering->values[operand->value].last = lowering->step_count;
    }
    if (operand->row > 0) limit_rows(lowering, (KAS_LOWER_INDEX_MAX - 1) / operand->row);
}

kas_status kas_lower_emit(kas_lowering *lowering, kas_kernel kernel, const kas_operand *operands,
                          size_t count, const void *args, size_t args_bytes, kas_grid_rule x, kas_grid_rule y)
{
    if (lowering->step_count == STEPS_MAX)
        return kas_fail(KAS_TOO_LARGE, KERNEL, "the kernel needs more than %d launches", STEPS_MAX);
    if (!kas_grow((void **)&lowering->steps, &lowering->step_capacity, lowering->step_count + 1, STEPS_MAX,
                  sizeof *lowering->steps))
        return kas_out_of_memory();
    kas_step *step = &lowering->steps[lowering->step_count];
    *step = (kas_step){
        .op = lowering->op,
        .launch = {.kernel = kernel, .label = kas_op_name(lowering->op), .grid_x = x, .grid_y = y}};
    memcpy(step->launch.args, args, args_bytes);
    step->launch.bindings[0].slot = KAS_SLOT_PARAMS;
    for (size_t i = 0; i < count; ++i)
        bind(lowering, step, i + 1, &operands[i]);
    limit_rows(lowering, kas_launch_rows_max(lowering->device, &step->launch));
    ++lowering->step_count;
    return NULL;
}

kas_launch *kas_lower_last(kas_lowering *lowering)
{
    return &lowering->steps[lowering->step_count - 1].launch;
}

kas_status kas_lower_emit_x(kas_lowering *lowering, kas_kernel kernel, const kas_operand *operands,
                            size_t count, const void *args, size_t args_bytes, kas_grid_rule x)
{
    return kas_lower_emit(lowering, kernel, operands, count, args, args_bytes, x,
                          (kas_grid_rule){.fixed = 1, .divisor = 1});
}

/* ---- the whole ---- */

/* The output may be stored as the input or as a constant: then nothing has written it. */
static kas_status lower_unwritten_output(kas_lowering *lowering)
{
    const kas_graph *graph = lowering->graph;
    int root = lowering->root[graph->output];
    if (root != graph->input && !graph->tensors[root].constant) return NULL;
    const kas_node as_input = {.inputs = {graph->output}, .input_count = 1};
    kas_operand from, to = {.storage = KAS_IN_Y};
    to.elements = to.row = graph->tensors[graph->output].elements;
    lowering->op = KAS_OP_STRIDED;
    KAS_TRY(kas_lower_input(lowering, &as_input, 0, &from));
    return kas_lower_copy(lowering, &from, &to);
}

kas_status kas_lower_graph(kas_device *device, const kas_graph *graph, bool fast, kas_weights *weights,
                           kas_lowering *lowering)
{
    *lowering = (kas_lowering){
        .device = device, .graph = graph, .weights = weights, .fast = fast, .rows_max = UINT32_MAX};
    lowering->value_of = kas_calloc(graph->tensor_count, sizeof *lowering->value_of);
    lowering->root = kas_alloc_array(graph->tensor_count, sizeof *lowering->root);
    lowering->reader = kas_alloc_array(graph->tensor_count, sizeof *lowering->reader);
    lowering->done = kas_calloc(graph->node_count + 1, sizeof *lowering->done);
    if (!lowering->value_of || !lowering->root || !lowering->reader || !lowering->done)
        return kas_out_of_memory();
    find_roots(lowering);
    find_readers(lowering);
    for (size_t i = 0; i < graph->node_count; ++i) {
        if (lowering->done[i]) continue;
        lowering->op = graph->nodes[i].op;
        KAS_TRY(kas_annotate(functions[lowering->op](lowering, &graph->nodes[i]), "node %zu (%s)", i,
                             kas_op_name(lowering->op)));
    }
    KAS_TRY(lower_unwritten_output(lowering));
    if (lowering->rows_max > 0) return NULL;
    return kas_fail(
        KAS_INCOMPATIBLE_KERNEL, KERNEL,
        "an operator of this kernel needs more groups for a single row than %s can start in one launch",
        kas_device_id(device));
}

void kas_lowering_finish(kas_lowering *lowering)
{
    kas_free(lowering->steps);
    kas_free(lowering->values);
    kas_free(lowering->value_of);
    kas_free(lowering->root);
    kas_free(lowering->reader);
    kas_free(lowering->done);
    *lowering = (kas_lowering){0};
}
