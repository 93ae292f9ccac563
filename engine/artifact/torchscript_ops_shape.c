/* Operators that give the same elements another shape or order. */
#include <string.h>

#include "base/alloc.h"
#include "engine/artifact/refuse.h"
#include "engine/artifact/torchscript_reader.h"

static kas_status give_reshaped(kas_script_call *call, kas_reader_value *x, const kas_reader_value *shape)
{
    kas_reader_value *value;
    KAS_TRY(kas_reader_reshape(call->lower, x, shape, &value));
    return kas_script_give(call, value);
}

/* ---- view and reshape ---- */

typedef struct target {
    kas_reader_value *shape;
    int inferred;  /* the dimension written as −1; −1: none */
    int64_t known; /* the product of the others, the batch's own size left out */
} target;

static kas_status read_target(kas_script_call *call, target *out)
{
    kas_integer sizes[KAS_READER_MAX_RANK];
    size_t count;
    KAS_TRY(kas_script_sizes_at(call, 1, KAS_READER_MAX_RANK, sizes, &count));
    KAS_TRY(kas_reader_value_new(call->lower, NULL, &out->shape));
    KAS_TRY(kas_reader_dims_of_integers(sizes, count, out->shape));
    out->inferred = -1;
    out->known = 1;
    for (int i = 0; i < out->shape->rank; ++i) {
        const int64_t dim = out->shape->dims[i];
        if (dim == -1 && i != out->shape->batch_axis) {
            if (out->inferred >= 0) return kas_refuse(KAS_REASON_SHAPE, "two dimensions of the shape are -1");
            out->inferred = i;
            continue;
        }
        if (dim < 1)
            return kas_refuse(KAS_REASON_SHAPE, "dimension %d of the shape is %lld", i, (long long)dim);
        if (__builtin_mul_overflow(out->known, dim, &out->known) ||
            out->known > (int64_t)KAS_GRAPH_MAX_ELEMENTS)
            return kas_refuse(KAS_REASON_LIMIT, "the shape has more than %llu elements",
                              (unsigned long long)KAS_GRAPH_MAX_ELEMENTS);
    }
    return NULL;
}

/* [batch, width] as [batch, a, b, …] or [−1, a, b, …]: the width is a·b·… */
static kas_status show_width(kas_script_call *call, const kas_reader_value *x, const target *to)
{
    const bool batch_is_first = to->shape->batch_axis == 0 ? to->inferred < 0 : to->inferred == 0;
    if (x->rank != 2 || x->batch_axis != 0 || x->dims[0] != 1 || to->shape->rank < 2 || !batch_is_first)
        return NULL;
    return kas_script_show_width(call->reader, x, 1, to->known);
}

static int64_t elements_of_row(const kas_reader_value *x)
{
    int64_t elements = 1; /* of a tensor that there is: no overflow */
    for (int i = 0; i < x->rank; ++i)
        elements *= x->dims[i];
    return elements;
}

/* Where tracing wrote the example's batch into the shape, alone or merged with an axis behind it, as [3·7,
 * 4]. */
static void find_example_batch(const kas_script_call *call, target *to)
{
    const int64_t example = call->lower->fixed_batch;
    kas_reader_value *shape = to->shape;
    if (example < 1 || shape->batch_axis >= 0 || shape->rank == 0 || to->inferred == 0) return;
    if (shape->dims[0] % example || (to->inferred > 0 && shape->dims[0] != example)) return;
    shape->batch_axis = 0;
    shape->dims[0] /= example;
    to->known /= example;
}

/* The batch is where it is named; where it is not, the −1 stands for it. */
static kas_status complete_target(const kas_reader_value *x, const target *to)
{
    char a[KAS_READER_SHAPE_TEXT];
    kas_reader_value *shape = to->shape;
    if (to->inferred >= 0) {
        if (elements_of_row(x) % to->known)
            return kas_refuse(KAS_REASON_SHAPE, "the shape %s does not divide into parts of %lld",
                              kas_reader_shape_text(x, a), (long long)to->known);
        shape->dims[to->inferred] = elements_of_row(x) / to->known;
        if (x->batch_axis >= 0 && shape->batch_axis < 0) shape->batch_axis = to->inferred;
    }
    if (x->batch_axis < 0 || shape->batch_axis >= 0) return NULL;
    return kas_refuse(KAS_REASON_MIXES_ROWS, "the shape %s fixes the size of the batch",
                      kas_reader_shape_text(shape, a));
}

static kas_status lower_view(kas_script_call *call)
{
    kas_reader_value *x;
    target to;
    KAS_TRY(kas_script_tensor_at(call, 0, &x));
    KAS_TRY(read_target(call, &to));
    KAS_TRY(show_width(call, x, &to));
    if (x->batch_axis >= 0) find_example_batch(call, &to);
    KAS_TRY(complete_target(x, &to));
    return give_reshaped(call, x, to.shape);
}

/* ---- flatten and unflatten ---- */

static kas_status lower_flatten(kas_script_call *call)
{
    kas_reader_value *x, *shape;
    int from, to;
    KAS_TRY(kas_script_tensor_at(call, 0, &x));
    if (x->rank == 0) return kas_refuse(KAS_REASON_SHAPE, "of a tensor of rank 0");
    KAS_TRY(kas_script_axis_at(call, 1, 0, x->rank, &from));
    KAS_TRY(kas_script_axis_at(call, 2, -1, x->rank, &to));
    if (from > to) return kas_refuse(KAS_REASON_SHAPE, "axes %d to %d", from, to);
    KAS_TRY(kas_reader_value_new(call->lower, x, &shape));
    shape->rank = 0;
    for (int i = 0; i < x->rank; ++i) {
        if (i > from && i <= to)
            shape->dims[shape->rank - 1] *= x->dims[i];
        else
            shape->dims[shape->rank++] = x->dims[i];
        if (i == x->batch_axis) shape->batch_axis = shape->rank - 1;
    }
    return give_reshaped(call, x, shape);
}

static kas_status lower_unflatten(kas_script_call *call)
{
    kas_reader_value *x, *shape;
    int64_t sizes[KAS_READER_MAX_RANK], known = 1;
    size_t count;
    int axis, inferred = -1;
    KAS_TRY(kas_script_tensor_at(call, 0, &x));
    KAS_TRY(kas_script_axis_at(call, 1, 0, x->rank, &axis));
    KAS_TRY(kas_script_ints_at(call, 2, (size_t)(KAS_READER_MAX_RANK - x->rank + 1), sizes, &count));
    if (axis == x->batch_axis)
        return kas_refuse(KAS_REASON_MIXES_ROWS, "of axis %d, which holds the batch", axis);
    for (size_t i = 0; i < count; ++i) {
        if (sizes[i] == -1 && inferred < 0)
            inferred = (int)i;
        else if (sizes[i] < 1 || __builtin_mul_overflow(known, sizes[i], &known))
            return kas_refuse(KAS_REASON_SHAPE, "a size of %lld", (long long)sizes[i]);
    }
    if (inferred < 0) KAS_TRY(kas_script_show_width(call->reader, x, axis, known));
    if (x->dims[axis] % known)
        return kas_refuse(KAS_REASON_SHAPE, "%lld elements do not divide into parts of %lld",
                          (long long)x->dims[axis], (long long)known);
    if (inferred >= 0) sizes[inferred] = x->dims[axis] / known;
    KAS_TRY(kas_reader_value_new(call->lower, x, &shape));
    shape->rank = 0;
    for (int i = 0; i < x->rank; ++i) {
        if (i == x->batch_axis) shape->batch_axis = shape->rank;
        if (i != axis) shape->dims[shape->rank++] = x->dims[i];
        for (size_t k = 0; i == axis && k < count; ++k)
            shape->dims[shape->rank++] = sizes[k];
    }
    return give_reshaped(call, x, shape);
}

/* ---- squeeze and unsqueeze ---- */

static kas_status lower_unsqueeze(kas_script_call *call)
{
    kas_reader_value *x, *shape;
    int axis;
    KAS_TRY(kas_script_tensor_at(call, 0, &x));
    if (x->rank == KAS_READER_MAX_RANK)
        return kas_refuse(KAS_REASON_LIMIT, "beyond the limit of %d dimensions", (int)KAS_READER_MAX_RANK);
    KAS_TRY(kas_script_axis_at(call, 1, 0, x->rank + 1, &axis));
    KAS_TRY(kas_reader_value_new(call->lower, x, &shape));
    shape->rank = x->rank + 1;
    shape->batch_axis = x->batch_axis < 0 ? -1 : x->batch_axis + (x->batch_axis >= axis);
    for (int i = 0; i < shape->rank; ++i)
        shape->dims[i] = i == axis ? 1 : x->dims[i - (i > axis)];
    return give_reshaped(call, x, shape);
}

/* Axes of one element; the batch is taken to have more. */
static kas_status lower_squeeze(kas_script_call *call)
{
    kas_reader_value *x, *shape;
    int64_t axes[KAS_READER_MAX_RANK];
    bool marked[KAS_READER_MAX_RANK] = {false};
    size_t count;
    KAS_TRY(kas_script_tensor_at(call, 0, &x));
    KAS_TRY(kas_script_ints_at(call, 1, KAS_READER_MAX_RANK, axes, &count));
    for (size_t i = 0; i < count; ++i) {
        int axis;
        KAS_TRY(kas_reader_axis(axes[i], x->rank, &axis));
        marked[axis] = true;
    }
    KAS_TRY(kas_reader_value_new(call->lower, x, &shape));
    shape->rank = 0;
    for (int i = 0; i < x->rank; ++i) {
        if ((marked[i] || !kas_script_given(call, 1)) && x->dims[i] == 1 && i != x->batch_axis) continue;
        if (i == x->batch_axis) shape->batch_axis = shape->rank;
        shape->dims[shape->rank++] = x->dims[i];
    }
    return give_reshaped(call, x, shape);
}

/* ---- permute and transpose ---- */

static kas_status give_permuted(kas_script_call *call, kas_reader_value *x, const int *order)
{
    kas_reader_value *value;
    KAS_TRY(kas_reader_transpose(call->lower, x, order, &value));
    return kas_script_give(call, value);
}

static kas_status lower_permute(kas_script_call *call)
{
    kas_reader_value *x;
    int64_t dims[KAS_READER_MAX_RANK];
    int order[KAS_READER_MAX_RANK];
    bool used[KAS_READER_MAX_RANK] = {false};
    size_t count;
    KAS_TRY(kas_script_tensor_at(call, 0, &x));
    KAS_TRY(kas_script_ints_at(call, 1, KAS_READER_MAX_RANK, dims, &count));
    if (count != (size_t)x->rank) return kas_refuse(KAS_REASON_SHAPE, "%zu axes for rank %d", count, x->rank);
    for (size_t i = 0; i < count; ++i) {
        KAS_TRY(kas_reader_axis(dims[i], x->rank, &order[i]));
        if (used[order[i]]) return kas_refuse(KAS_REASON_SHAPE, "the axis %d is listed twice", order[i]);
        used[order[i]] = true;
    }
    return give_permuted(call, x, order);
}

static kas_status swap_axes(kas_script_call *call, kas_reader_value *x, int a, int b)
{
    int order[KAS_READER_MAX_RANK];
    for (int i = 0; i < x->rank; ++i)
        order[i] = i == a ? b : i == b ? a : i;
    return give_permuted(call, x, order);
}

static kas_status lower_transpose(kas_script_call *call)
{
    kas_reader_value *x;
    int a, b;
    KAS_TRY(kas_script_tensor_at(call, 0, &x));
    KAS_TRY(kas_script_axis_at(call, 1, 0, x->rank, &a));
    KAS_TRY(kas_script_axis_at(call, 2, 0, x->rank, &b));
    return swap_axes(call, x, a, b);
}

static kas_status lower_t(kas_script_call *call)
{
    kas_reader_value *x;
    KAS_TRY(kas_script_tensor_at(call, 0, &x));
    if (x->rank > 2) return kas_refuse(KAS_REASON_SHAPE, "of a tensor of rank %d", x->rank);
    return x->rank < 2 ? kas_script_give_first(call) : swap_axes(call, x, 0, 1);
}

/* ---- expand ---- */

/* The axis that holds the batch is kept: by −1, by its own size, or by the example's that tracing wrote. */
static kas_status keep_batch(const kas_script_call *call, int axis, int64_t have, kas_integer wanted)
{
    const bool own = wanted.kind == KAS_INTEGER_BATCH && wanted.value == have;
    const bool example =
        wanted.kind == KAS_INTEGER_KNOWN && wanted.value > 0 && wanted.value == call->lower->fixed_batch;
    if (own || example || (wanted.kind == KAS_INTEGER_KNOWN && wanted.value == -1)) return NULL;
    return kas_refuse(KAS_REASON_MIXES_ROWS, "axis %d, which holds the batch, is changed", axis);
}

/* A size of −1 keeps an axis. What has no batch may be repeated for each of its rows. */
static kas_status expand_dims(const kas_script_call *call, const kas_reader_value *x,
                              const kas_integer *sizes, kas_reader_value *shape)
{
    const int lead = shape->rank - x->rank;
    for (int i = 0; i < shape->rank; ++i) {
        const int64_t have = i < lead ? 1 : x->dims[i - lead], want = sizes[i].value;
        shape->dims[i] = have;
        if (i >= lead && i - lead == x->batch_axis) {
            KAS_TRY(keep_batch(call, i, have, sizes[i]));
            shape->batch_axis = i;
        } else if (sizes[i].kind == KAS_INTEGER_BATCH && x->batch_axis < 0 && shape->batch_axis < 0 &&
                   have == 1) {
            shape->batch_axis = i;
            shape->dims[i] = want;
        } else if (sizes[i].kind != KAS_INTEGER_KNOWN) {
            return kas_refuse(KAS_REASON_MIXES_ROWS, "axis %d is repeated for each row of the batch", i);
        } else if (want != -1 || i < lead) {
            if (want != have && (have != 1 || want < 1))
                return kas_refuse(KAS_REASON_SHAPE, "axis %d of %lld elements cannot have %lld", i,
                                  (long long)have, (long long)want);
            shape->dims[i] = want;
        }
    }
    return NULL;
}

static kas_status expand(kas_script_call *call, kas_reader_value *x, const kas_integer *sizes, size_t count)
{
    kas_reader_value *value;
    int64_t stride[KAS_MAX_RANK];
    size_t elements;
    kas_shape row;
    if (count < (size_t)x->rank) return kas_refuse(KAS_REASON_SHAPE, "%zu sizes for rank %d", count, x->rank);
    KAS_TRY(kas_reader_value_new(call->lower, x, &value));
    value->rank = (int)count;
    value->batch_axis = -1;
    KAS_TRY(expand_dims(call, x, sizes, value));
    KAS_TRY(kas_reader_row_shape(value, &row));
    if (!kas_shape_elements(&row, &elements)) return kas_refuse(KAS_REASON_LIMIT, "the shape is too large");
    KAS_TRY(kas_reader_align(call->lower, x, value, &value->tensor));
    const kas_shape from = call->lower->graph->tensors[value->tensor].shape;
    if (!kas_shape_equal(&from, &row)) {
        kas_shape_broadcast_strides(&from, &row, stride);
        KAS_TRY(kas_reader_emit_strided(call->lower, value->tensor, &row, 0, stride, &value->tensor));
    }
    return kas_script_give(call, value);
}

static kas_status lower_expand(kas_script_call *call)
{
    kas_reader_value *x;
    kas_integer sizes[KAS_READER_MAX_RANK];
    size_t count;
    KAS_TRY(kas_script_tensor_at(call, 0, &x));
    KAS_TRY(kas_script_sizes_at(call, 1, KAS_READER_MAX_RANK, sizes, &count));
    return expand(call, x, sizes, count);
}

static kas_status lower_expand_as(kas_script_call *call)
{
    kas_reader_value *x, *other;
    kas_integer sizes[KAS_READER_MAX_RANK];
    KAS_TRY(kas_script_tensor_at(call, 0, &x));
    KAS_TRY(kas_script_tensor_at(call, 1, &other));
    for (int i = 0; i < other->rank; ++i)
        sizes[i] = (kas_integer){.kind = i == other->batch_axis ? KAS_INTEGER_BATCH : KAS_INTEGER_KNOWN,
                                 .value = other->dims[i]};
    return expand(call, x, sizes, (size_t)other->rank);
}

/* ---- the same ---- */

static kas_status lower_same(kas_script_call *call)
{
    kas_reader_value *x;
    KAS_TRY(kas_script_tensor_at(call, 0, &x));
    return kas_script_give(call, x);
}

/* To another type: float32 only, which all tensors have. */
static kas_status lower_to(kas_script_call *call)
{
    KAS_TRY(kas_script_check_dtype(call, 1));
    return lower_same(call);
}

const kas_script_op kas_script_ops_shape[] = {
    {"torch.clone", lower_same, "self memory_format?", 0, false},
    {"torch.contiguous", lower_same, "self memory_format?", 0, true},
    {"torch.detach", lower_same, "self", 0, true},
    {"torch.expand", lower_expand, "self size implicit?", 0, true},
    {"torch.expand_as", lower_expand_as, "self other", 0, true},
    {"torch.flatten", lower_flatten, "self start_dim? end_dim?", 0, true},
    {"torch.numpy_T", lower_t, "self", 0, true},
    {"torch.permute", lower_permute, "self dims", 0, true},
    {"torch.reshape", lower_view, "self shape", 0, true},
    {"torch.squeeze", lower_squeeze, "self dim?", 0, true},
    {"torch.t", lower_t, "self", 0, true},
    {"torch.to", lower_to, "self dtype non_blocking? copy? memory_format?", 0, true},
    {"torch.transpose", lower_transpose, "self dim0 dim1", 0, true},
    {"torch.type_as", lower_same, "self other", 0, true},
    {"torch.unflatten", lower_unflatten, "self dim sizes", 0, true},
    {"torch.unsqueeze", lower_unsqueeze, "self dim", 0, true},
    {"torch.view", lower_view, "self size", 0, true},
    {NULL, NULL, NULL, 0, false},
};
