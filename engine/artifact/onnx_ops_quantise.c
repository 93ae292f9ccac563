/* Quantised tensors, computed in float32: integers of 8 bits and their sums are exact there. Stored weights
 * are dequantised once; what depends on the input is rounded as the model says. */
#include "engine/artifact/onnx_reader.h"
#include "engine/artifact/refuse.h"

/* How scales lie over a tensor: one for all, one for each element of an axis, or one for each block along it.
 */
typedef struct scaling {
    int axis;      /* of the full shape */
    int64_t block; /* elements of the axis that share a scale; 0: not blocked */
    bool per_tensor;
} scaling;

/* One for all: ONNX Runtime's quantiser writes a scale of rank 1 beside a zero point of rank 0. */
static bool is_single(const kas_reader_value *value)
{
    return value->rank == 0 || (value->rank == 1 && value->dims[0] == 1);
}

static kas_status read_scaling(kas_onnx_call *call, const kas_reader_value *x, const kas_reader_value *scale,
                               scaling *out)
{
    char a[KAS_READER_SHAPE_TEXT], b[KAS_READER_SHAPE_TEXT];
    int64_t axis;
    *out = (scaling){.per_tensor = is_single(scale)};
    KAS_TRY(kas_onnx_attribute_int(call, "block_size", 0, &out->block));
    if (out->per_tensor) return NULL;
    KAS_TRY(kas_onnx_attribute_int(call, "axis", 1, &axis));
    KAS_TRY(kas_reader_axis(axis, x->rank, &out->axis));
    bool fits = out->block == 0 && scale->rank == 1 && scale->dims[0] == x->dims[out->axis];
    if (out->block > 0 && scale->rank == x->rank) {
        fits = true;
        for (int i = 0; i < x->rank; ++i) {
            const int64_t blocks = i == out->axis ? (x->dims[i] + out->block - 1) / out->block : x->dims[i];
            fits = fits && scale->dims[i] == blocks;
        }
    }
    if (fits && out->axis != x->batch_axis) return NULL;
    return kas_refuse(KAS_REASON_SHAPE, "the scale's shape %s does not fit %s along axis %d",
                      kas_reader_shape_text(scale, a), kas_reader_shape_text(x, b), out->axis);
}

static kas_status constant_of(kas_reader *reader, kas_reader_value *value, const char *what,
                              const float **out, size_t *count)
{
    int tensor;
    KAS_TRY(kas_reader_tensor_index(reader, value, &tensor));
    *out = kas_reader_constant(reader, value, count);
    return *out ? NULL : kas_refuse(KAS_REASON_UNSUPPORTED, "the %s must be constant", what);
}

/* They belong to the encoding: nobody trained them. */
static void leave_uncounted(const kas_onnx_call *call)
{
    for (size_t i = 1; i < call->input_count; ++i)
        if (call->inputs[i]) call->inputs[i]->counted = false;
}

static kas_status check_zero_point(const kas_reader_value *scale, const kas_reader_value *zero)
{
    if (zero && is_single(scale) && is_single(zero)) return NULL;
    bool same = !zero || zero->rank == scale->rank;
    for (int i = 0; zero && same && i < scale->rank; ++i)
        same = zero->dims[i] == scale->dims[i];
    return same ? NULL : kas_refuse(KAS_REASON_SHAPE, "scale and zero point differ in shape");
}

/* `count` elements that lie together: one scale for all, or (stride 1) one for each. */
static void dequantise_run(const float *x, size_t count, const float *scale, const float *zero, size_t stride,
                           float *out)
{
    const float shift = zero ? *zero : 0, by = *scale;
    if (stride == 0)
        for (size_t i = 0; i < count; ++i)
            out[i] = (x[i] - shift) * by;
    else
        for (size_t i = 0; i < count; ++i)
            out[i] = (x[i] - (zero ? zero[i] : 0)) * scale[i];
}

/* Along the axis, scales are the same for all elements within (per axis), or each has its own in every block.
 */
static void dequantise(const kas_reader_value *value, const scaling *how, const float *x, size_t count,
                       const float *scale, const float *zero, float *out)
{
    if (how->per_tensor) {
        dequantise_run(x, count, scale, zero, 0, out);
        return;
    }
    size_t inner = 1;
    for (int i = how->axis + 1; i < value->rank; ++i)
        inner *= (size_t)value->dims[i];
    const size_t dim = (size_t)value->dims[how->axis], block = (size_t)how->block;
    const size_t blocks = block ? (dim + block - 1) / block : 0;
    for (size_t line = 0; line * inner < count; ++line) { /* `inner` elements at one place of the axis */
        const size_t outer = line / dim, place = line % dim;
        const size_t at = block ? (outer * blocks + place / block) * inner : place;
        dequantise_run(x + line * inner, inner, scale + at, zero ? zero + at : NULL, block != 0,
                       out + line * inner);
    }
}

static kas_status dequantise_constant(kas_onnx_call *call, const float *x, size_t count, const scaling *how,
                                      kas_reader_value *value)
{
    kas_reader *reader = call->reader;
    const float *scale, *zero = NULL;
    size_t n;
    float *values;
    kas_shape shape;
    KAS_TRY(constant_of(reader, call->inputs[1], "scale", &scale, &n));
    if (kas_onnx_input(call, 2)) KAS_TRY(constant_of(reader, call->inputs[2], "zero point", &zero, &n));
    KAS_TRY(kas_reader_row_shape(value, &shape));
    KAS_TRY(kas_reader_emit_constant_room(reader, count, &values));
    dequantise(value, how, x, count, scale, zero, values);
    return kas_reader_emit_constant(reader, NULL, &shape, values, &value->tensor);
}

/* A scale or zero point, shaped to broadcast over a row of x. */
static kas_status spread(kas_reader *reader, kas_reader_value *parameter, const kas_reader_value *x,
                         const scaling *how, int *out)
{
    kas_shape shape = {.rank = 0};
    KAS_TRY(kas_reader_tensor_index(reader, parameter, out));
    if (how->block) return kas_refuse(KAS_REASON_UNSUPPORTED, "blocks of what depends on the input");
    if (how->per_tensor) return kas_reader_emit_view(reader, *out, &shape, out);
    for (int i = how->axis; i < x->rank && shape.rank < KAS_MAX_RANK; ++i)
        shape.dims[shape.rank++] = i == how->axis ? x->dims[i] : 1;
    return kas_reader_emit_view(reader, *out, &shape, out);
}

static kas_status dequantise_rows(kas_onnx_call *call, int tensor, const scaling *how,
                                  kas_reader_value *value)
{
    kas_reader *reader = call->reader;
    int parameter;
    if (kas_onnx_input(call, 2)) {
        KAS_TRY(spread(reader, call->inputs[2], value, how, &parameter));
        KAS_TRY(kas_reader_emit_binary(reader, KAS_SUB, tensor, parameter, &tensor));
    }
    KAS_TRY(spread(reader, call->inputs[1], value, how, &parameter));
    return kas_reader_emit_binary(reader, KAS_MUL, tensor, parameter, &value->tensor);
}

static kas_status lower_dequantise(kas_onnx_call *call)
{
    kas_reader_value *x = call->inputs[0], *value;
    scaling how;
    int tensor;
    size_t count;
    leave_uncounted(call);
    KAS_TRY(read_scaling(call, x, call->inputs[1], &how));
    KAS_TRY(check_zero_point(call->inputs[1], kas_onnx_input(call, 2)));
    KAS_TRY(kas_reader_tensor_index(call->reader, x, &tensor));
    KAS_TRY(kas_reader_value_new(call->reader, x, &value));
    value->type = KAS_ONNX_FLOAT;
    const float *constant = kas_reader_constant(call->reader, x, &count);
    if (constant)
        KAS_TRY(dequantise_constant(call, constant, count, &how, value));
    else
        KAS_TRY(dequantise_rows(call, tensor, &how, value));
    return kas_onnx_output(call, 0, value);
}

/* ---- quantising ---- */

static kas_status integer_range(int32_t type, float *low, float *high)
{
    const bool is_signed = type == KAS_ONNX_INT8 || type == KAS_ONNX_INT16;
    const bool wide = type == KAS_ONNX_INT16 || type == KAS_ONNX_UINT16;
    if (!is_signed && !wide && type != KAS_ONNX_UINT8)
        return kas_refuse(KAS_REASON_UNSUPPORTED, "quantising to the type %s is not supported",
                          kas_onnx_type_name(type));
    const float levels = wide ? 65536.0f : 256.0f;
    *low = is_signed ? -levels / 2 : 0;
    *high = *low + levels - 1;
    return NULL;
}

/* clip(round(x / scale) + zero), by row tensors; zero: −1 for none. */
static kas_status emit_quantise(kas_reader *reader, int x, int scale, int zero, int32_t type, int *out)
{
    float low, high;
    KAS_TRY(integer_range(type, &low, &high));
    KAS_TRY(kas_reader_emit_binary(reader, KAS_DIV, x, scale, &x));
    KAS_TRY(kas_reader_emit_unary(reader, KAS_ACT_ROUND, 0, 0, x, &x));
    if (zero >= 0) KAS_TRY(kas_reader_emit_binary(reader, KAS_ADD, x, zero, &x));
    return kas_reader_emit_unary(reader, KAS_ACT_CLIP, low, high, x, out);
}

static kas_status lower_quantise(kas_onnx_call *call)
{
    kas_reader *reader = call->reader;
    kas_reader_value *x = call->inputs[0], *zero_value = kas_onnx_input(call, 2), *value;
    scaling how;
    int64_t type;
    int tensor, scale, zero = -1;
    leave_uncounted(call);
    KAS_TRY(read_scaling(call, x, call->inputs[1], &how));
    KAS_TRY(check_zero_point(call->inputs[1], zero_value));
    KAS_TRY(kas_onnx_attribute_int(call, "output_dtype", 0, &type));
    if (type == 0) type = zero_value ? zero_value->type : KAS_ONNX_UINT8;
    KAS_TRY(kas_reader_tensor_index(reader, x, &tensor));
    KAS_TRY(spread(reader, call->inputs[1], x, &how, &scale));
    if (zero_value) KAS_TRY(spread(reader, zero_value, x, &how, &zero));
    KAS_TRY(kas_reader_value_new(reader, x, &value));
    value->type = type > 0 && type < INT32_MAX ? (int32_t)type : 0;
    KAS_TRY(emit_quantise(reader, tensor, scale, zero, value->type, &value->tensor));
    return kas_onnx_output(call, 0, value);
}

/* ---- dynamic ---- */

/* The least and the greatest of a row and 0. */
static kas_status row_range(kas_reader *reader, int x, int *low, int *high)
{
    const kas_shape flat = {.rank = 1, .dims = {(int64_t)reader->graph->tensors[x].elements}};
    const kas_shape scalar = {.rank = 0};
    int zero;
    KAS_TRY(kas_reader_emit_scalar(reader, 0, &zero));
    KAS_TRY(kas_reader_emit_view(reader, x, &flat, &x));
    KAS_TRY(kas_reader_emit_reduce(reader, KAS_REDUCE_MIN, x, 0, low));
    KAS_TRY(kas_reader_emit_reduce(reader, KAS_REDUCE_MAX, x, 0, high));
    KAS_TRY(kas_reader_emit_view(reader, *low, &scalar, low));
    KAS_TRY(kas_reader_emit_view(reader, *high, &scalar, high));
    KAS_TRY(kas_reader_emit_binary(reader, KAS_MIN, *low, zero, low));
    return kas_reader_emit_binary(reader, KAS_MAX, *high, zero, high);
}

/* (high − low) / 255, or 1 where a row is all zeros; and the zero point. */
static kas_status row_scale(kas_reader *reader, int low, int high, int *scale, int *zero)
{
    int one, range;
    KAS_TRY(kas_reader_emit_scalar(reader, 1, &one));
    KAS_TRY(kas_reader_emit_binary(reader, KAS_SUB, high, low, &range));
    KAS_TRY(kas_reader_emit_unary(reader, KAS_ACT_AFFINE, 1.0f / 255.0f, 0, range, &range));
    KAS_TRY(kas_reader_emit_select(reader, range, range, one, scale));
    KAS_TRY(kas_reader_emit_binary(reader, KAS_DIV, low, *scale, zero));
    KAS_TRY(kas_reader_emit_unary(reader, KAS_ACT_NEG, 0, 0, *zero, zero));
    KAS_TRY(kas_reader_emit_unary(reader, KAS_ACT_CLIP, 0, 255, *zero, zero));
    return kas_reader_emit_unary(reader, KAS_ACT_ROUND, 0, 0, *zero, zero);
}

/* Each row by its own scale, as if it were the whole batch: so rows stay independent. Scale and zero point
 * are values of rank 0 that differ from row to row. */
static kas_status lower_dynamic_quantise(kas_onnx_call *call)
{
    kas_reader *reader = call->reader;
    kas_reader_value *x = call->inputs[0], *values[3];
    int tensor, low, high, scale, zero;
    KAS_TRY(kas_reader_tensor_index(reader, x, &tensor));
    KAS_TRY(row_range(reader, tensor, &low, &high));
    KAS_TRY(row_scale(reader, low, high, &scale, &zero));
    KAS_TRY(kas_reader_value_new(reader, x, &values[0]));
    KAS_TRY(kas_reader_value_new(reader, NULL, &values[1]));
    KAS_TRY(kas_reader_value_new(reader, NULL, &values[2]));
    KAS_TRY(emit_quantise(reader, tensor, scale, zero, KAS_ONNX_UINT8, &values[0]->tensor));
    values[0]->type = values[2]->type = KAS_ONNX_UINT8;
    values[1]->tensor = scale;
    values[2]->tensor = zero;
    for (size_t i = 0; i < 3; ++i)
        KAS_TRY(kas_onnx_output(call, i, values[i]));
    return NULL;
}

/* Weights' zero points may be per column. */
static kas_status less_zero_point(kas_onnx_call *call, size_t input, kas_reader_value **out)
{
    kas_reader_value *zero = kas_onnx_input(call, input + 2);
    *out = call->inputs[input];
    if (!zero) return NULL;
    if (zero->rank > 1) return kas_refuse(KAS_REASON_UNSUPPORTED, "a zero point of rank %d", zero->rank);
    if (input == 0 && zero->rank == 1 && zero->dims[0] != 1)
        return kas_refuse(KAS_REASON_UNSUPPORTED, "a zero point for each row of the left factor");
    kas_reader_value *x, *y;
    int tensor;
    KAS_TRY(kas_reader_value_new(call->reader, *out, &x));
    KAS_TRY(kas_reader_tensor_index(call->reader, *out, &x->tensor));
    KAS_TRY(kas_reader_value_new(call->reader, zero, &y));
    KAS_TRY(kas_reader_tensor_index(call->reader, zero, &tensor));
    y->tensor = tensor;
    return kas_reader_binary(call->reader, KAS_SUB, x, y, out);
}

static kas_status lower_matmul_integer(kas_onnx_call *call)
{
    kas_reader_value *a, *b, *value;
    KAS_TRY(less_zero_point(call, 0, &a));
    KAS_TRY(less_zero_point(call, 1, &b));
    KAS_TRY(kas_reader_matmul(call->reader, a, b, &value));
    value->type = KAS_ONNX_INT32;
    return kas_onnx_output(call, 0, value);
}

/* (x − zero)·scale of the input at `at`, its scale and zero point behind it: one for all, or one for each
 * column. */
static kas_status real_factor(kas_onnx_call *call, size_t at, kas_reader_value **out)
{
    const kas_reader_value *x = call->inputs[at], *scale = call->inputs[at + 1];
    if (!is_single(scale) &&
        (scale->rank != 1 || at == 0 || x->rank < 2 || scale->dims[0] != x->dims[x->rank - 1]))
        return kas_refuse(KAS_REASON_UNSUPPORTED, "a scale of input %zu for each row", at);
    KAS_TRY(check_zero_point(scale, call->inputs[at + 2]));
    KAS_TRY(kas_reader_tensor_index(call->reader, call->inputs[at], &(int){0}));
    KAS_TRY(kas_reader_value_alias(call->reader, call->inputs[at], out));
    (*out)->type = KAS_ONNX_FLOAT;
    KAS_TRY(kas_reader_binary(call->reader, KAS_SUB, *out, call->inputs[at + 2], out));
    return kas_reader_binary(call->reader, KAS_MUL, *out, call->inputs[at + 1], out);
}

static kas_status lower_qlinear_matmul(kas_onnx_call *call)
{
    enum { A = 0, B = 3, Y_SCALE = 6, Y_ZERO = 7 };
    kas_reader *reader = call->reader;
    kas_reader_value *a, *b, *value;
    const scaling single = {.per_tensor = true};
    int tensor, scale, zero;
    leave_uncounted(call);
    call->inputs[B]->counted = true;
    if (!is_single(call->inputs[Y_SCALE]) || !is_single(call->inputs[Y_ZERO]))
        return kas_refuse(KAS_REASON_UNSUPPORTED, "a scale of the result for each row");
    KAS_TRY(real_factor(call, A, &a));
    KAS_TRY(real_factor(call, B, &b));
    KAS_TRY(kas_reader_matmul(reader, a, b, &value));
    KAS_TRY(kas_reader_tensor_index(reader, value, &tensor));
    KAS_TRY(spread(reader, call->inputs[Y_SCALE], value, &single, &scale));
    KAS_TRY(spread(reader, call->inputs[Y_ZERO], value, &single, &zero));
    value->type = call->inputs[Y_ZERO]->type;
    KAS_TRY(emit_quantise(reader, tensor, scale, zero, value->type, &value->tensor));
    return kas_onnx_output(call, 0, value);
}

const kas_onnx_op kas_onnx_ops_quantise[] = {
    {"DequantizeLinear", lower_dequantise, "axis block_size output_dtype", 2, 3, 0},
    {"DynamicQuantizeLinear", lower_dynamic_quantise, "", 1, 1, 0},
    {"MatMulInteger", lower_matmul_integer, "", 2, 4, 0},
    {"QLinearMatMul", lower_qlinear_matmul, "", 8, 8, 0},
    {"QuantizeLinear", lower_quantise, "axis block_size output_dtype precision saturate", 2, 3, 0},
    {NULL, NULL, NULL, 0, 0, 0},
};
