/* Nodes of the row graph. A node all of whose inputs are constants is evaluated at once, so that weights
 * which a model transposes, scales or dequantises are constants where an operator needs one. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/finite.h"
#include "engine/artifact/elements.h"
#include "engine/artifact/reader.h"
#include "engine/artifact/refuse.h"

#define FOLDING_WORK ((uint64_t)1 << 26) /* multiply-adds: some tens of milliseconds */

static const kas_shape *shape_of(const kas_reader *reader, int tensor)
{
    return &reader->graph->tensors[tensor].shape;
}

kas_status kas_reader_emit_constant_room(kas_reader *reader, size_t elements, float **out)
{
    size_t bytes;
    *out = NULL;
    if (elements > reader->limits->parameters)
        return kas_refuse(KAS_REASON_LIMIT, "a constant of %zu values is over the limit of %llu parameters",
                          elements, (unsigned long long)reader->limits->parameters);
    if (!kas_mul(elements, sizeof(float), &bytes)) return kas_out_of_memory();
    KAS_TRY(kas_arena_charge(reader->source.arena, bytes));
    *out = kas_alloc_array(elements, sizeof(float));
    return *out ? NULL : kas_out_of_memory();
}

static kas_status check_finite(const float *values, size_t count)
{
    const size_t i = kas_first_not_finite(values, count);
    if (i == count) return NULL;
    return kas_refuse(KAS_REASON_NOT_FINITE, "constants give %s for element %zu of %zu: all must be finite",
                      isnan(values[i]) ? "NaN" : "an infinite value", i, count);
}

kas_status kas_reader_emit_constant(kas_reader *reader, const char *name, const kas_shape *shape,
                                    float *values, int *out)
{
    size_t elements;
    kas_status status = NULL;
    char text[KAS_READER_SHAPE_TEXT];
    if (!kas_shape_elements(shape, &elements))
        status = kas_refuse(KAS_REASON_LIMIT, "a constant of shape %s is empty or too large",
                            kas_shape_text(shape, text, sizeof text));
    if (!status) status = check_finite(values, elements);
    if (status) {
        kas_free(values);
        return status;
    }
    return kas_graph_add_constant(reader->graph, name, shape, values, out);
}

kas_status kas_reader_emit_scalar(kas_reader *reader, float value, int *out)
{
    float *values;
    const kas_shape shape = {.rank = 0};
    KAS_TRY(kas_reader_emit_constant_room(reader, 1, &values));
    *values = value;
    return kas_reader_emit_constant(reader, NULL, &shape, values, out);
}

/* ---- folding ---- */

static bool all_constant(const kas_graph *graph, const kas_node *node)
{
    for (int i = 0; i < node->input_count; ++i)
        if (node->inputs[i] >= 0 && !graph->tensors[node->inputs[i]].constant) return false;
    return true;
}

/* A graph of the one node. Its constants are lent by the reader's graph, and taken back before it is
 * destroyed. */
static kas_status lend_inputs(const kas_graph *graph, kas_graph *lender, kas_node *node)
{
    for (int i = 0; i < node->input_count; ++i) {
        if (node->inputs[i] < 0) continue;
        const kas_tensor *tensor = &graph->tensors[node->inputs[i]];
        KAS_TRY(kas_graph_add_tensor(lender, NULL, &tensor->shape, &node->inputs[i]));
        lender->tensors[node->inputs[i]].constant = tensor->constant;
    }
    return NULL;
}

static kas_status build_single(const kas_graph *graph, kas_graph *lender, kas_node *node,
                               const kas_shape *shape)
{
    const kas_shape one = {.rank = 1, .dims = {1}};
    kas_status status = lend_inputs(graph, lender, node);
    if (!status) status = kas_graph_add_tensor(lender, NULL, &one, &lender->input);
    if (!status) status = kas_graph_add_tensor(lender, NULL, shape, &lender->output);
    node->output = lender->output;
    if (status) {
        kas_free(node->indices);
        return status;
    }
    KAS_TRY(kas_graph_add_node(lender, node));
    return kas_graph_check(lender);
}

static kas_status evaluate(const kas_graph *lender, float *values)
{
    const size_t elements = lender->tensors[lender->output].elements;
    const float nothing = 0;
    double *exact = kas_alloc_array(elements, sizeof *exact);
    if (!exact) return kas_out_of_memory();
    kas_status status = kas_graph_reference(lender, &nothing, 1, exact);
    for (size_t i = 0; !status && i < elements; ++i)
        values[i] = (float)exact[i];
    kas_free(exact);
    return status;
}

static kas_status fold_with(kas_reader *reader, kas_graph *lender, kas_node *node, const kas_shape *shape,
                            int *out)
{
    float *values;
    KAS_TRY(build_single(reader->graph, lender, node, shape));
    KAS_TRY(kas_reader_emit_constant_room(reader, lender->tensors[lender->output].elements, &values));
    kas_status status = evaluate(lender, values);
    if (status) {
        kas_free(values);
        return status;
    }
    return kas_reader_emit_constant(reader, NULL, shape, values, out);
}

/* The evaluator's float64 copies of what the node reads and makes, while it runs: not charged for good. */
static kas_status check_folding_room(const kas_reader *reader, const kas_node *node, const kas_shape *shape)
{
    size_t elements;
    char text[KAS_READER_SHAPE_TEXT];
    if (!kas_shape_elements(shape, &elements))
        return kas_refuse(KAS_REASON_LIMIT, "the shape %s is empty or too large",
                          kas_shape_text(shape, text, sizeof text));
    if (elements > reader->limits->parameters)
        return kas_refuse(KAS_REASON_LIMIT, "constants give %zu values, over the limit of %llu parameters",
                          elements, (unsigned long long)reader->limits->parameters);
    size_t total = 2 * elements;
    for (int i = 0; i < node->input_count; ++i)
        if (node->inputs[i] >= 0) total += reader->graph->tensors[node->inputs[i]].elements;
    if (total * sizeof(double) <= reader->source.arena->budget_bytes) return NULL;
    return kas_refuse(KAS_REASON_LIMIT, "folding %zu constants needs more memory than is left of its limit",
                      total);
}

/* Multiply-adds of a node, about; at least one for each element that is read or made. */
static uint64_t work_of(const kas_reader *reader, const kas_node *node, const kas_shape *shape)
{
    size_t made = 1, read = 0;
    (void)kas_shape_elements(shape, &made); /* checked before */
    for (int i = 0; i < node->input_count; ++i)
        if (node->inputs[i] >= 0) read += reader->graph->tensors[node->inputs[i]].elements;
    const uint64_t each = kas_node_multiply_adds(reader->graph, node);
    return (each > 0 ? each : 1) * made + read;
}

static kas_status spend_work(kas_reader *reader, const kas_node *node, const kas_shape *shape)
{
    const uint64_t work = work_of(reader, node, shape);
    const uint64_t left = FOLDING_WORK - reader->work_spent;
    if (work > left)
        return kas_refuse(KAS_REASON_LIMIT, "folding constants takes %llu steps, %llu are left of its limit",
                          (unsigned long long)work, (unsigned long long)left);
    reader->work_spent += work;
    return NULL;
}

static kas_status fold(kas_reader *reader, kas_node *node, const kas_shape *shape, int *out)
{
    kas_graph *lender = NULL;
    kas_status status = check_folding_room(reader, node, shape);
    if (!status) status = spend_work(reader, node, shape);
    if (!status) status = kas_graph_create(&lender);
    if (status) {
        kas_free(node->indices);
        return status;
    }
    status = fold_with(reader, lender, node, shape, out);
    for (size_t i = 0; i < lender->tensor_count; ++i)
        lender->tensors[i].constant = NULL;
    kas_graph_destroy(lender);
    return status;
}

/* Moving elements is by far the most frequent: without the evaluator's detour over float64. */
static kas_status fold_strided(kas_reader *reader, const kas_node *node, const kas_shape *shape, int *out)
{
    const kas_tensor *x = &reader->graph->tensors[node->inputs[0]];
    const float *from = x->constant;
    float *values;
    size_t elements;
    if (!kas_shape_elements(shape, &elements))
        return kas_refuse(KAS_REASON_LIMIT, "a shape of constants is empty or too large");
    KAS_TRY(kas_reader_emit_constant_room(reader, elements, &values));
    kas_cursor cursor = {.offset = node->offset};
    memcpy(cursor.stride, node->stride, sizeof cursor.stride);
    for (size_t i = 0; i < elements; ++i) {
        if (cursor.offset < 0 || (size_t)cursor.offset >= x->elements) {
            kas_free(values);
            return kas_refuse(KAS_REASON_SHAPE, "element %lld of a constant with %zu",
                              (long long)cursor.offset, x->elements);
        }
        values[i] = from[cursor.offset];
        kas_cursor_next(&cursor, shape);
    }
    return kas_reader_emit_constant(reader, NULL, shape, values, out);
}

kas_status kas_reader_emit(kas_reader *reader, kas_node *node, const kas_shape *shape, int *out)
{
    if (all_constant(reader->graph, node))
        return node->op == KAS_OP_STRIDED ? fold_strided(reader, node, shape, out)
                                          : fold(reader, node, shape, out);
    kas_status status = kas_graph_add_tensor(reader->graph, NULL, shape, &node->output);
    if (status) {
        kas_free(node->indices);
        return status;
    }
    *out = node->output;
    return kas_graph_add_node(reader->graph, node);
}

/* ---- the usual nodes ---- */

kas_status kas_reader_emit_unary(kas_reader *reader, kas_act act, float a, float b, int x, int *out)
{
    kas_node node = {.op = KAS_OP_UNARY, .act = act, .act_a = a, .act_b = b, .inputs = {x}, .input_count = 1};
    const kas_shape shape = *shape_of(reader, x);
    return kas_reader_emit(reader, &node, &shape, out);
}

static kas_status broadcast(const kas_reader *reader, int x, int y, kas_shape *out)
{
    char a[KAS_READER_SHAPE_TEXT], b[KAS_READER_SHAPE_TEXT];
    if (kas_shape_broadcast(shape_of(reader, x), shape_of(reader, y), out)) return NULL;
    return kas_refuse(KAS_REASON_SHAPE, "rows of shape %s and %s do not broadcast",
                      kas_shape_text(shape_of(reader, x), a, sizeof a),
                      kas_shape_text(shape_of(reader, y), b, sizeof b));
}

/* sign(x)·⌊|x|⌋ */
kas_status kas_reader_emit_truncate(kas_reader *reader, int x, int *out)
{
    int sign, size;
    KAS_TRY(kas_reader_emit_unary(reader, KAS_ACT_SIGN, 0, 0, x, &sign));
    KAS_TRY(kas_reader_emit_unary(reader, KAS_ACT_ABS, 0, 0, x, &size));
    KAS_TRY(kas_reader_emit_unary(reader, KAS_ACT_FLOOR, 0, 0, size, &size));
    return kas_reader_emit_binary(reader, KAS_MUL, sign, size, out);
}

kas_status kas_reader_emit_binary(kas_reader *reader, kas_binary op, int x, int y, int *out)
{
    kas_node node = {.op = KAS_OP_BINARY, .binary = op, .inputs = {x, y}, .input_count = 2};
    kas_shape shape;
    KAS_TRY(broadcast(reader, x, y, &shape));
    return kas_reader_emit(reader, &node, &shape, out);
}

kas_status kas_reader_emit_select(kas_reader *reader, int condition, int x, int y, int *out)
{
    kas_node node = {.op = KAS_OP_SELECT, .inputs = {condition, x, y}, .input_count = 3};
    kas_shape values, shape;
    KAS_TRY(broadcast(reader, x, y, &values));
    if (!kas_shape_broadcast(shape_of(reader, condition), &values, &shape))
        return kas_refuse(KAS_REASON_SHAPE, "the condition's shape does not broadcast");
    return kas_reader_emit(reader, &node, &shape, out);
}

kas_status kas_reader_emit_reduce(kas_reader *reader, kas_reduce kind, int x, int axis, int *out)
{
    kas_node node = {.op = KAS_OP_REDUCE, .reduce = kind, .axis = axis, .inputs = {x}, .input_count = 1};
    kas_shape shape = *shape_of(reader, x);
    shape.dims[axis] = 1;
    return kas_reader_emit(reader, &node, &shape, out);
}

kas_status kas_reader_emit_softmax(kas_reader *reader, int x, int axis, int *out)
{
    kas_node node = {.op = KAS_OP_SOFTMAX, .axis = axis, .inputs = {x}, .input_count = 1};
    const kas_shape shape = *shape_of(reader, x);
    return kas_reader_emit(reader, &node, &shape, out);
}

kas_status kas_reader_emit_strided(kas_reader *reader, int x, const kas_shape *shape, int64_t offset,
                                   const int64_t *stride, int *out)
{
    kas_node node = {.op = KAS_OP_STRIDED, .offset = offset, .inputs = {x}, .input_count = 1};
    for (int d = 0; d < shape->rank; ++d)
        node.stride[d] = stride[d];
    return kas_reader_emit(reader, &node, shape, out);
}

kas_status kas_reader_emit_view(kas_reader *reader, int x, const kas_shape *shape, int *out)
{
    int64_t stride[KAS_MAX_RANK];
    size_t elements;
    char text[KAS_READER_SHAPE_TEXT];
    *out = x;
    if (kas_shape_equal(shape_of(reader, x), shape)) return NULL;
    if (!kas_shape_elements(shape, &elements) || elements != reader->graph->tensors[x].elements)
        return kas_refuse(KAS_REASON_SHAPE, "a row of %zu values cannot have the shape %s",
                          reader->graph->tensors[x].elements, kas_shape_text(shape, text, sizeof text));
    kas_shape_strides(shape, stride);
    return kas_reader_emit_strided(reader, x, shape, 0, stride, out);
}

kas_status kas_reader_emit_transpose(kas_reader *reader, int x, const int *order, int *out)
{
    const kas_shape from = *shape_of(reader, x);
    kas_shape shape = {.rank = from.rank};
    int64_t strides[KAS_MAX_RANK], stride[KAS_MAX_RANK];
    bool same = true;
    kas_shape_strides(&from, strides);
    for (int d = 0; d < from.rank; ++d) {
        shape.dims[d] = from.dims[order[d]];
        stride[d] = strides[order[d]];
        same = same && order[d] == d;
    }
    *out = x;
    return same ? NULL : kas_reader_emit_strided(reader, x, &shape, 0, stride, out);
}

kas_status kas_reader_emit_matmul(kas_reader *reader, int a, int b, int *out)
{
    const kas_shape x = *shape_of(reader, a), y = *shape_of(reader, b);
    kas_node node = {.op = KAS_OP_MATMUL, .inputs = {a, b}, .input_count = 2};
    kas_shape left = {.rank = x.rank - 2}, right = {.rank = y.rank - 2}, shape;
    memcpy(left.dims, x.dims, sizeof left.dims);
    memcpy(right.dims, y.dims, sizeof right.dims);
    if (!kas_shape_broadcast(&left, &right, &shape))
        return kas_refuse(KAS_REASON_SHAPE, "the leading dimensions do not broadcast");
    if (x.dims[x.rank - 1] != y.dims[y.rank - 2])
        return kas_refuse(KAS_REASON_SHAPE, "the inner dimensions differ: %lld and %lld",
                          (long long)x.dims[x.rank - 1], (long long)y.dims[y.rank - 2]);
    shape.dims[shape.rank++] = x.dims[x.rank - 2];
    shape.dims[shape.rank++] = y.dims[y.rank - 1];
    return kas_reader_emit(reader, &node, &shape, out);
}
