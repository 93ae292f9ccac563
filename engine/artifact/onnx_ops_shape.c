/* Operators that give the same elements another shape or order. */
#include <string.h>

#include "base/alloc.h"
#include "engine/artifact/onnx_reader.h"
#include "engine/artifact/refuse.h"

/* ---- reshape ---- */

/* Elements before the batch axis, of it (k) and after it. */
typedef struct layout {
    size_t before, row;
} layout;

static kas_status lay_out(const kas_reader_value *value, layout *out)
{
    char text[KAS_READER_SHAPE_TEXT];
    *out = (layout){.before = 1, .row = 1};
    for (int i = 0; i < value->rank; ++i) {
        if (value->dims[i] < 1)
            return kas_refuse(KAS_REASON_SHAPE, "dimension %d of the shape %s is not positive", i,
                              kas_reader_shape_text(value, text));
        if (!kas_mul(out->row, (size_t)value->dims[i], &out->row) || out->row > KAS_GRAPH_MAX_ELEMENTS)
            return kas_refuse(KAS_REASON_LIMIT, "the size of the shape %s is too large: the limit is %llu",
                              kas_reader_shape_text(value, text), (unsigned long long)KAS_GRAPH_MAX_ELEMENTS);
        if (i < value->batch_axis) out->before = out->row;
    }
    return NULL;
}

/* Rows stay what they are when the batch has as many elements before it as before: row-major, element (p, b,
 * j) of [P, B, J] is element (p, j) of row b. */
kas_status kas_reader_reshape(kas_reader *reader, kas_reader_value *x, const kas_reader_value *shape,
                              kas_reader_value **out)
{
    char a[KAS_READER_SHAPE_TEXT], b[KAS_READER_SHAPE_TEXT];
    layout from, to;
    const kas_integer *integers;
    size_t count;
    int tensor;
    KAS_TRY(lay_out(x, &from));
    KAS_TRY(lay_out(shape, &to));
    if ((x->batch_axis < 0) != (shape->batch_axis < 0) || (x->batch_axis >= 0 && from.before != to.before))
        return kas_refuse(KAS_REASON_MIXES_ROWS,
                          "the shape %s becomes %s, which does not keep the batch's rows apart",
                          kas_reader_shape_text(x, a), kas_reader_shape_text(shape, b));
    if (from.row != to.row)
        return kas_refuse(KAS_REASON_SHAPE, "the shape %s (%zu values a row) cannot become %s (%zu)",
                          kas_reader_shape_text(x, a), from.row, kas_reader_shape_text(shape, b), to.row);
    KAS_TRY(kas_reader_integers(reader, x, &integers, &count));
    KAS_TRY(kas_reader_value_new(reader, shape, out));
    (*out)->type = x->type;
    if (integers) {
        (*out)->integers = x->integers;
        (*out)->integer_count = x->integer_count;
        return NULL;
    }
    KAS_TRY(kas_reader_tensor_index(reader, x, &tensor));
    return kas_reader_settle(reader, tensor, *out);
}

/* The target as it is written: known sizes, the batch, 0 for the input's own, one −1 to be inferred. */
static kas_status read_target(kas_onnx_call *call, const kas_integer *target, size_t count,
                              kas_reader_value *shape, int *inferred)
{
    const kas_reader_value *x = call->inputs[0];
    int64_t keep_zero;
    KAS_TRY(kas_onnx_attribute_int(call, "allowzero", 0, &keep_zero));
    KAS_TRY(kas_reader_dims_of_integers(target, count, shape));
    *inferred = -1;
    for (int i = 0; i < shape->rank; ++i) {
        if (i == shape->batch_axis) continue;
        if (shape->dims[i] == -1) {
            if (*inferred >= 0)
                return kas_refuse(KAS_REASON_SHAPE, "the shape has two dimensions of -1 to be inferred");
            *inferred = i;
        } else if (shape->dims[i] == 0 && !keep_zero) {
            if (i >= x->rank)
                return kas_refuse(KAS_REASON_SHAPE, "dimension %d is to be the input's, which has rank %d", i,
                                  x->rank);
            shape->dims[i] = x->dims[i];
            if (i == x->batch_axis && shape->batch_axis >= 0)
                return kas_refuse(KAS_REASON_MIXES_ROWS, "the batch is in two dimensions of the shape");
            if (i == x->batch_axis) shape->batch_axis = i;
        }
    }
    return NULL;
}

/* A model exported with a fixed batch has its size among the numbers of the shape. */
static void find_fixed_batch(const kas_reader *reader, const kas_reader_value *x, int inferred,
                             kas_reader_value *shape)
{
    const int64_t batch = reader->fixed_batch;
    if (x->batch_axis < 0 || shape->batch_axis >= 0 || batch == 0 || shape->rank == 0 || inferred == 0)
        return;
    if (shape->dims[0] < 1 || shape->dims[0] % batch != 0) return;
    if (inferred > 0 && shape->dims[0] != batch) return;
    shape->dims[0] /= batch;
    shape->batch_axis = 0;
}

static kas_status infer_dimension(const kas_reader_value *x, int inferred, kas_reader_value *shape)
{
    char a[KAS_READER_SHAPE_TEXT], b[KAS_READER_SHAPE_TEXT];
    layout from, rest;
    shape->dims[inferred] = 1;
    KAS_TRY(lay_out(x, &from));
    KAS_TRY(lay_out(shape, &rest));
    if (from.row % rest.row)
        return kas_refuse(KAS_REASON_SHAPE, "the shape %s (%zu values a row) does not divide into %s (%zu)",
                          kas_reader_shape_text(x, a), from.row, kas_reader_shape_text(shape, b), rest.row);
    shape->dims[inferred] = (int64_t)(from.row / rest.row);
    if (x->batch_axis >= 0 && shape->batch_axis < 0) shape->batch_axis = inferred;
    return NULL;
}

static kas_status lower_reshape(kas_onnx_call *call)
{
    kas_reader_value *x = call->inputs[0], *shape, *value;
    const kas_integer *target;
    size_t count;
    int inferred;
    char text[KAS_READER_SHAPE_TEXT];
    KAS_TRY(kas_reader_integers(call->reader, call->inputs[1], &target, &count));
    if (!target) return kas_refuse(KAS_REASON_UNSUPPORTED, "the shape must be a constant list of integers");
    KAS_TRY(kas_reader_value_new(call->reader, NULL, &shape));
    KAS_TRY(read_target(call, target, count, shape, &inferred));
    find_fixed_batch(call->reader, x, inferred, shape);
    if (inferred >= 0) KAS_TRY(infer_dimension(x, inferred, shape));
    if (x->batch_axis >= 0 && shape->batch_axis < 0)
        return kas_refuse(KAS_REASON_MIXES_ROWS, "the shape %s fixes the size of the batch",
                          kas_reader_shape_text(shape, text));
    KAS_TRY(kas_reader_reshape(call->reader, x, shape, &value));
    return kas_onnx_output(call, 0, value);
}

/* [d0, …] to [d0 · … · d(axis−1), d(axis) · …] */
static kas_status lower_flatten(kas_onnx_call *call)
{
    kas_reader_value *x = call->inputs[0], *shape, *value;
    int64_t axis;
    int at;
    KAS_TRY(kas_onnx_attribute_int(call, "axis", 1, &axis));
    KAS_TRY(axis == x->rank ? NULL : kas_reader_axis(axis, x->rank, &at));
    if (axis == x->rank) at = x->rank;
    KAS_TRY(kas_reader_value_new(call->reader, NULL, &shape));
    shape->rank = 2;
    shape->dims[0] = shape->dims[1] = 1;
    for (int i = 0; i < x->rank; ++i) {
        shape->dims[i >= at] *= x->dims[i];
        if (i == x->batch_axis) shape->batch_axis = i >= at;
    }
    KAS_TRY(kas_reader_reshape(call->reader, x, shape, &value));
    return kas_onnx_output(call, 0, value);
}

/* ---- Squeeze and Unsqueeze ---- */

/* Marks the listed axes of a tensor of `rank`. */
static kas_status mark_axes(const int64_t *axes, size_t count, int rank, bool *marked)
{
    int axis;
    for (size_t i = 0; i < count; ++i) {
        KAS_TRY(kas_reader_axis(axes[i], rank, &axis));
        if (marked[axis]) return kas_refuse(KAS_REASON_SHAPE, "the axis %d is listed twice", axis);
        marked[axis] = true;
    }
    return NULL;
}

static kas_status lower_squeeze(kas_onnx_call *call)
{
    kas_reader_value *x = call->inputs[0], *shape, *value;
    int64_t axes[KAS_ONNX_MAX_LIST];
    bool marked[KAS_READER_MAX_RANK] = {false}, given;
    size_t count;
    KAS_TRY(kas_onnx_list(call, "axes", 1, axes, &count, &given));
    if (given) KAS_TRY(mark_axes(axes, count, x->rank, marked));
    KAS_TRY(kas_reader_value_new(call->reader, x, &shape));
    shape->rank = 0;
    shape->batch_axis = -1;
    for (int i = 0; i < x->rank; ++i) {
        if (marked[i] && i == x->batch_axis)
            return kas_refuse(KAS_REASON_MIXES_ROWS, "the axis %d holds the batch and is squeezed away", i);
        if (marked[i] && x->dims[i] != 1)
            return kas_refuse(KAS_REASON_SHAPE, "the axis %d has %lld elements, not 1", i,
                              (long long)x->dims[i]);
        if (marked[i] || (!given && x->dims[i] == 1 && i != x->batch_axis)) continue;
        if (i == x->batch_axis) shape->batch_axis = shape->rank;
        shape->dims[shape->rank++] = x->dims[i];
    }
    KAS_TRY(kas_reader_reshape(call->reader, x, shape, &value));
    return kas_onnx_output(call, 0, value);
}

static kas_status lower_unsqueeze(kas_onnx_call *call)
{
    kas_reader_value *x = call->inputs[0], *shape, *value;
    int64_t axes[KAS_ONNX_MAX_LIST];
    bool marked[KAS_READER_MAX_RANK] = {false}, given;
    size_t count;
    KAS_TRY(kas_onnx_list(call, "axes", 1, axes, &count, &given));
    if (!given || count > (size_t)(KAS_READER_MAX_RANK - x->rank))
        return kas_refuse(KAS_REASON_LIMIT, "%zu axes added to rank %d: the limit is %d dimensions",
                          given ? count : (size_t)0, x->rank, (int)KAS_READER_MAX_RANK);
    const int rank = x->rank + (int)count;
    KAS_TRY(mark_axes(axes, count, rank, marked));
    KAS_TRY(kas_reader_value_new(call->reader, x, &shape));
    shape->rank = rank;
    shape->batch_axis = -1;
    for (int i = 0, from = 0; i < rank; ++i) {
        if (!marked[i] && from == x->batch_axis) shape->batch_axis = i;
        shape->dims[i] = marked[i] ? 1 : x->dims[from++];
    }
    KAS_TRY(kas_reader_reshape(call->reader, x, shape, &value));
    return kas_onnx_output(call, 0, value);
}

/* ---- Transpose ---- */

kas_status kas_reader_transpose(kas_reader *reader, kas_reader_value *x, const int *order,
                                kas_reader_value **out)
{
    int row_order[KAS_READER_MAX_RANK], tensor, rank = 0;
    const bool dropped = x->batch_axis >= 0 && x->dims[x->batch_axis] == 1;
    KAS_TRY(kas_reader_tensor_index(reader, x, &tensor));
    KAS_TRY(kas_reader_value_new(reader, x, out));
    for (int i = 0; i < x->rank; ++i) {
        (*out)->dims[i] = x->dims[order[i]];
        if (order[i] == x->batch_axis) (*out)->batch_axis = i;
        if (dropped && order[i] == x->batch_axis) continue;
        row_order[rank++] = order[i] - (dropped && order[i] > x->batch_axis);
    }
    return kas_reader_emit_transpose(reader, tensor, row_order, &(*out)->tensor);
}

static kas_status lower_transpose(kas_onnx_call *call)
{
    kas_reader_value *x = call->inputs[0], *value;
    const int64_t *perm;
    size_t count;
    int order[KAS_READER_MAX_RANK] = {0};
    bool used[KAS_READER_MAX_RANK] = {false};
    KAS_TRY(kas_onnx_attribute_ints(call, "perm", &perm, &count));
    if (perm && count != (size_t)x->rank)
        return kas_refuse(KAS_REASON_SHAPE, "perm has %zu axes for rank %d", count, x->rank);
    for (int i = 0; i < x->rank; ++i) {
        const int64_t axis = perm ? perm[i] : x->rank - 1 - i;
        if (axis < 0 || axis >= x->rank || used[axis])
            return kas_refuse(KAS_REASON_SHAPE, "perm is no permutation: axis %lld at %d", (long long)axis,
                              i);
        used[axis] = true;
        order[i] = (int)axis;
    }
    KAS_TRY(kas_reader_transpose(call->reader, x, order, &value));
    return kas_onnx_output(call, 0, value);
}

/* ---- Expand ---- */

static kas_status expand_dims(const kas_reader *reader, const kas_reader_value *x, kas_reader_value *shape)
{
    char a[KAS_READER_SHAPE_TEXT], b[KAS_READER_SHAPE_TEXT];
    const int rank = x->rank > shape->rank ? x->rank : shape->rank, lead = rank - shape->rank,
              skip = rank - x->rank;
    kas_reader_value result = {.rank = rank, .batch_axis = -1};
    for (int i = 0; i < rank; ++i) {
        const int64_t want = i < lead ? 1 : shape->dims[i - lead], have = i < skip ? 1 : x->dims[i - skip];
        const bool has_batch = i >= skip && i - skip == x->batch_axis;
        const bool wants_batch = i >= lead && shape->batch_axis == i - lead;
        const bool fits =
            want == 1 || want == have || (has_batch && want == reader->fixed_batch && have == 1);
        if (want < 1 || (has_batch && !fits) || (!has_batch && have != 1 && (wants_batch || !fits)))
            return kas_refuse(KAS_REASON_SHAPE, "the shape %s does not expand to %s",
                              kas_reader_shape_text(x, a), kas_reader_shape_text(shape, b));
        result.dims[i] = has_batch || have != 1 ? have : want;
        if (!has_batch && !wants_batch) continue;
        if (result.batch_axis >= 0)
            return kas_refuse(KAS_REASON_MIXES_ROWS, "the batch would be in two dimensions");
        result.batch_axis = i;
    }
    shape->rank = rank;
    shape->batch_axis = result.batch_axis;
    memcpy(shape->dims, result.dims, sizeof result.dims);
    return NULL;
}

static kas_status lower_expand(kas_onnx_call *call)
{
    kas_reader *reader = call->reader;
    kas_reader_value *x = call->inputs[0], *value;
    const kas_integer *target;
    size_t count, elements;
    int tensor;
    int64_t stride[KAS_MAX_RANK];
    kas_shape row;
    char text[KAS_READER_SHAPE_TEXT];
    KAS_TRY(kas_reader_integers(reader, call->inputs[1], &target, &count));
    if (!target) return kas_refuse(KAS_REASON_UNSUPPORTED, "the shape must be a constant list of integers");
    KAS_TRY(kas_reader_value_new(reader, NULL, &value));
    KAS_TRY(kas_reader_dims_of_integers(target, count, value));
    KAS_TRY(expand_dims(reader, x, value));
    value->type = x->type;
    KAS_TRY(kas_reader_row_shape(value, &row));
    if (!kas_shape_elements(&row, &elements))
        return kas_refuse(KAS_REASON_LIMIT, "the size of shape %s is over the limit of %llu values",
                          kas_shape_text(&row, text, sizeof text),
                          (unsigned long long)KAS_GRAPH_MAX_ELEMENTS);
    KAS_TRY(kas_reader_align(reader, x, value, &tensor));
    const kas_shape from = reader->graph->tensors[tensor].shape;
    value->tensor = tensor;
    if (!kas_shape_equal(&from, &row)) {
        kas_shape_broadcast_strides(&from, &row, stride);
        KAS_TRY(kas_reader_emit_strided(reader, tensor, &row, 0, stride, &value->tensor));
    }
    return kas_onnx_output(call, 0, value);
}

const kas_onnx_op kas_onnx_ops_shape[] = {
    {"Expand", lower_expand, "", 2, 2, 0},
    {"Flatten", lower_flatten, "axis", 1, 1, 0},
    {"Reshape", lower_reshape, "allowzero", 2, 2, 0},
    {"Squeeze", lower_squeeze, "axes", 1, 2, 0},
    {"Transpose", lower_transpose, "perm", 1, 1, 0},
    {"Unsqueeze", lower_unsqueeze, "axes", 1, 2, 0},
    {NULL, NULL, NULL, 0, 0, 0},
};
