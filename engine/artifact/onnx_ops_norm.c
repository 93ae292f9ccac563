/* Normalisations and softmax. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/artifact/onnx_reader.h"
#include "engine/artifact/refuse.h"

static const kas_shape *shape_of(const kas_reader *reader, int tensor)
{
    return &reader->graph->tensors[tensor].shape;
}

static kas_status emit_norm(kas_reader *reader, int x, int scale, int shift, int axes, bool centred,
                            float epsilon, int *out)
{
    kas_node node = {.op = KAS_OP_NORM,
                     .inputs = {x, scale, shift},
                     .input_count = 3,
                     .axis = axes,
                     .centred = centred,
                     .epsilon = epsilon};
    const kas_shape shape = *shape_of(reader, x);
    return kas_reader_emit(reader, &node, &shape, out);
}

/* What is added to a variance: one that could make it negative was never exported. */
static kas_status read_epsilon(const kas_onnx_call *call, float *out)
{
    KAS_TRY(kas_onnx_attribute_float(call, "epsilon", 1e-5f, out));
    if (*out >= 0) return NULL;
    return kas_refuse(KAS_REASON_STATISTICS, "epsilon is %g, it cannot be negative", (double)*out);
}

/* ---- BatchNormalization ---- */

/* The four parameters, each of one value for every channel. */
static kas_status channel_parameter(kas_onnx_call *call, size_t input, int64_t channels, const float **out)
{
    static const char *const names[] = {"input", "scale", "bias", "mean", "variance"};
    size_t count;
    int tensor;
    KAS_TRY(kas_reader_tensor_index(call->reader, call->inputs[input], &tensor));
    *out = kas_reader_constant(call->reader, call->inputs[input], &count);
    if (!*out) return kas_refuse(KAS_REASON_UNSUPPORTED, "the %s must be constant", names[input]);
    if (count == (size_t)channels) return NULL;
    return kas_refuse(KAS_REASON_SHAPE, "the %s has the shape [%zu] for %lld channels", names[input], count,
                      (long long)channels);
}

/* A variance is measured: it is not negative, and not 0 where nothing is added to it. */
static kas_status check_variances(const float *variances, size_t channels, float epsilon)
{
    for (size_t c = 0; c < channels; ++c)
        if (variances[c] < 0 || (variances[c] == 0 && epsilon == 0))
            return kas_refuse(KAS_REASON_STATISTICS, "the variance of channel %zu is %g: %s", c,
                              (double)variances[c],
                              variances[c] < 0 ? "it cannot be negative" : "and epsilon is 0 too");
    return NULL;
}

/* scale/√(variance + ε) and bias − mean·that, shaped to broadcast over the channels. */
static kas_status emit_batch_norm(kas_onnx_call *call, const kas_shape *shape, float epsilon, int *factor,
                                  int *offset)
{
    const size_t channels = (size_t)shape->dims[0];
    const float *parameters[5];
    float *factors, *offsets;
    for (size_t i = 1; i < 5; ++i)
        KAS_TRY(channel_parameter(call, i, shape->dims[0], &parameters[i]));
    KAS_TRY(check_variances(parameters[4], channels, epsilon));
    KAS_TRY(kas_reader_emit_constant_room(call->reader, channels, &factors));
    kas_status status = kas_reader_emit_constant_room(call->reader, channels, &offsets);
    if (status) {
        kas_free(factors);
        return status;
    }
    for (size_t c = 0; c < channels; ++c) {
        const double by = (double)parameters[1][c] / sqrt((double)parameters[4][c] + (double)epsilon);
        factors[c] = (float)by;
        offsets[c] = (float)((double)parameters[2][c] - (double)parameters[3][c] * by);
    }
    status = kas_reader_emit_constant(call->reader, NULL, shape, factors, factor);
    if (status) {
        kas_free(offsets);
        return kas_annotate(status, "scales by variances");
    }
    return kas_reader_emit_constant(call->reader, NULL, shape, offsets, offset);
}

static kas_status lower_batch_norm(kas_onnx_call *call)
{
    kas_reader *reader = call->reader;
    kas_reader_value *x = call->inputs[0], *value;
    int64_t training, spatial;
    float epsilon;
    int tensor, factor, offset, axis;
    KAS_TRY(kas_onnx_attribute_int(call, "training_mode", 0, &training));
    KAS_TRY(kas_onnx_attribute_int(call, "spatial", 1, &spatial));
    KAS_TRY(read_epsilon(call, &epsilon));
    if (training || kas_onnx_has_output(call, 1))
        return kas_refuse(KAS_REASON_UNSUPPORTED, "training mode; a kernel is exported for inference");
    if (!spatial) return kas_refuse(KAS_REASON_UNSUPPORTED, "spatial = 0 is not supported");
    if (x->rank < 2 || x->batch_axis != 0)
        return kas_refuse(KAS_REASON_MIXES_ROWS,
                          "the input must begin with the batch and then have channels");
    KAS_TRY(kas_reader_tensor_index(reader, x, &tensor));
    KAS_TRY(kas_reader_row_axis(x, 1, &axis));
    kas_shape shape = {.rank = x->rank - 1, .dims = {x->dims[1]}};
    for (int i = 1; i < shape.rank; ++i)
        shape.dims[i] = 1;
    KAS_TRY(emit_batch_norm(call, &shape, epsilon, &factor, &offset));
    KAS_TRY(kas_reader_value_new(reader, x, &value));
    KAS_TRY(kas_reader_emit_binary(reader, KAS_MUL, tensor, factor, &tensor));
    KAS_TRY(kas_reader_emit_binary(reader, KAS_ADD, tensor, offset, &value->tensor));
    return kas_onnx_output(call, 0, value);
}

/* ---- LayerNormalization and RMSNormalization ---- */

/* A scale or shift shaped as the normalised dimensions; −1 where it is left out. Broadcasts what is smaller.
 */
static kas_status norm_parameter(kas_onnx_call *call, size_t input, const kas_shape *normalised, int *out)
{
    kas_reader_value *parameter = kas_onnx_input(call, input);
    char a[KAS_READER_SHAPE_TEXT], b[KAS_READER_SHAPE_TEXT];
    int64_t stride[KAS_MAX_RANK];
    kas_shape together;
    *out = -1;
    if (!parameter) return NULL;
    KAS_TRY(kas_reader_tensor_index(call->reader, parameter, out));
    const kas_shape shape = *shape_of(call->reader, *out);
    if (parameter->batch_axis >= 0 || !kas_shape_broadcast(&shape, normalised, &together) ||
        !kas_shape_equal(&together, normalised))
        return kas_refuse(KAS_REASON_SHAPE, "the %s has the shape %s, the normalised dimensions are %s",
                          input == 1 ? "scale" : "bias", kas_reader_shape_text(parameter, a),
                          kas_shape_text(normalised, b, sizeof b));
    if (kas_shape_equal(&shape, normalised)) return NULL;
    kas_shape_broadcast_strides(&shape, normalised, stride);
    return kas_reader_emit_strided(call->reader, *out, normalised, 0, stride, out);
}

static kas_status mean_of(kas_reader *reader, int x, int axes, int *out)
{
    const int rank = shape_of(reader, x)->rank;
    for (int i = rank - axes; i < rank; ++i)
        KAS_TRY(kas_reader_emit_reduce(reader, KAS_REDUCE_MEAN, x, i, &x));
    *out = x;
    return NULL;
}

/* The optional outputs: the mean of each group, and 1/√(variance + ε). */
static kas_status give_statistics(kas_onnx_call *call, int x, int axes, float epsilon)
{
    kas_reader *reader = call->reader;
    kas_reader_value *values[2];
    int mean, spread;
    if (!kas_onnx_has_output(call, 1) && !kas_onnx_has_output(call, 2)) return NULL;
    KAS_TRY(mean_of(reader, x, axes, &mean));
    KAS_TRY(kas_reader_emit_binary(reader, KAS_SUB, x, mean, &spread));
    KAS_TRY(kas_reader_emit_unary(reader, KAS_ACT_SQUARE, 0, 0, spread, &spread));
    KAS_TRY(mean_of(reader, spread, axes, &spread));
    KAS_TRY(kas_reader_emit_unary(reader, KAS_ACT_AFFINE, 1, epsilon, spread, &spread));
    KAS_TRY(kas_reader_emit_unary(reader, KAS_ACT_RSQRT, 0, 0, spread, &spread));
    for (size_t i = 0; i < 2; ++i) {
        KAS_TRY(kas_reader_value_new(reader, call->inputs[0], &values[i]));
        for (int k = values[i]->rank - axes; k < values[i]->rank; ++k)
            values[i]->dims[k] = 1;
        values[i]->tensor = i ? spread : mean;
        KAS_TRY(kas_onnx_output(call, i + 1, values[i]));
    }
    return NULL;
}

static kas_status lower_layer_norm(kas_onnx_call *call)
{
    kas_reader_value *x = call->inputs[0], *value;
    int64_t axis;
    float epsilon;
    int first, tensor, scale, shift;
    KAS_TRY(kas_onnx_attribute_int(call, "axis", -1, &axis));
    KAS_TRY(read_epsilon(call, &epsilon));
    KAS_TRY(kas_reader_axis(axis, x->rank, &first));
    if (x->batch_axis >= first)
        return kas_refuse(KAS_REASON_MIXES_ROWS, "it normalises over axis %d, which holds the batch",
                          x->batch_axis);
    kas_shape normalised = {.rank = 0};
    if (x->rank - first > KAS_MAX_RANK) return kas_refuse(KAS_REASON_LIMIT, "the rank is over the limit");
    for (int i = first; i < x->rank; ++i)
        normalised.dims[normalised.rank++] = x->dims[i];
    KAS_TRY(kas_reader_tensor_index(call->reader, x, &tensor));
    KAS_TRY(give_statistics(call, tensor, normalised.rank, epsilon));
    KAS_TRY(norm_parameter(call, 1, &normalised, &scale));
    KAS_TRY(norm_parameter(call, 2, &normalised, &shift));
    KAS_TRY(kas_reader_value_new(call->reader, x, &value));
    KAS_TRY(emit_norm(call->reader, tensor, scale, shift, normalised.rank, call->op->variant == 1, epsilon,
                      &value->tensor));
    return kas_onnx_output(call, 0, value);
}

/* ---- normalisation of groups of channels ---- */

/* One value for each of `count` leading dimensions of `shape`, repeated to [channels, 1, …]. */
static kas_status per_channel(kas_onnx_call *call, size_t input, int64_t channels, int rank, int *out)
{
    kas_reader_value *parameter = call->inputs[input];
    kas_shape shape = {.rank = rank, .dims = {channels}};
    KAS_TRY(kas_reader_tensor_index(call->reader, parameter, out));
    const int64_t count = (int64_t)call->reader->graph->tensors[*out].elements;
    if (parameter->batch_axis >= 0 || count < 1 || channels % count)
        return kas_refuse(KAS_REASON_SHAPE, "%lld scales or biases for %lld channels", (long long)count,
                          (long long)channels);
    for (int i = 1; i < rank; ++i)
        shape.dims[i] = 1;
    if (count == channels) return kas_reader_emit_view(call->reader, *out, &shape, out);
    const kas_shape repeated = {.rank = 2, .dims = {count, channels / count}};
    const int64_t stride[2] = {1, 0};
    KAS_TRY(kas_reader_emit_strided(call->reader, *out, &repeated, 0, stride, out));
    return kas_reader_emit_view(call->reader, *out, &shape, out);
}

static kas_status normalise_groups(kas_onnx_call *call, int64_t groups, bool per_group, float epsilon)
{
    kas_reader *reader = call->reader;
    kas_reader_value *x = call->inputs[0], *value;
    int tensor, scale, shift;
    if (x->rank < 2 || x->batch_axis != 0 || x->dims[0] != 1)
        return kas_refuse(KAS_REASON_MIXES_ROWS,
                          "the input must begin with the batch and then have channels");
    const int64_t channels = x->dims[1];
    if (groups < 1 || channels % groups)
        return kas_refuse(KAS_REASON_SHAPE, "%lld channels do not divide into %lld groups",
                          (long long)channels, (long long)groups);
    KAS_TRY(kas_reader_tensor_index(reader, x, &tensor));
    const kas_shape row = *shape_of(reader, tensor);
    const kas_shape grouped = {.rank = 2,
                               .dims = {groups, (int64_t)reader->graph->tensors[tensor].elements / groups}};
    KAS_TRY(per_channel(call, 1, channels, row.rank, &scale));
    KAS_TRY(per_channel(call, 2, channels, row.rank, &shift));
    const int64_t expected = per_group ? groups : channels;
    if (call->inputs[1]->dims[0] != expected || call->inputs[2]->dims[0] != expected)
        return kas_refuse(KAS_REASON_SHAPE, "scale and bias have %lld and %lld values, not %lld",
                          (long long)call->inputs[1]->dims[0], (long long)call->inputs[2]->dims[0],
                          (long long)expected);
    KAS_TRY(kas_reader_emit_view(reader, tensor, &grouped, &tensor));
    KAS_TRY(emit_norm(reader, tensor, -1, -1, 1, true, epsilon, &tensor));
    KAS_TRY(kas_reader_emit_view(reader, tensor, &row, &tensor));
    KAS_TRY(kas_reader_emit_binary(reader, KAS_MUL, tensor, scale, &tensor));
    KAS_TRY(kas_reader_value_new(reader, x, &value));
    KAS_TRY(kas_reader_emit_binary(reader, KAS_ADD, tensor, shift, &value->tensor));
    return kas_onnx_output(call, 0, value);
}

/* Scale and bias are per group up to opset 20, per channel from 21 on. */
static kas_status lower_group_norm(kas_onnx_call *call)
{
    int64_t groups;
    float epsilon;
    KAS_TRY(kas_onnx_attribute_int(call, "num_groups", 0, &groups));
    KAS_TRY(read_epsilon(call, &epsilon));
    return normalise_groups(call, groups, call->opset < 21, epsilon);
}

static kas_status lower_instance_norm(kas_onnx_call *call)
{
    float epsilon;
    KAS_TRY(read_epsilon(call, &epsilon));
    if (call->inputs[0]->rank < 3) return kas_refuse(KAS_REASON_SHAPE, "the rank %d", call->inputs[0]->rank);
    return normalise_groups(call, call->inputs[0]->dims[1], false, epsilon);
}

/* x / ‖x‖; a vector of zeros stays one. */
static kas_status lower_lp_norm(kas_onnx_call *call)
{
    kas_reader *reader = call->reader;
    kas_reader_value *x = call->inputs[0], *value;
    int64_t axis, p;
    int full, at, tensor, norm, least;
    KAS_TRY(kas_onnx_attribute_int(call, "axis", -1, &axis));
    KAS_TRY(kas_onnx_attribute_int(call, "p", 2, &p));
    if (p != 1 && p != 2) return kas_refuse(KAS_REASON_UNSUPPORTED, "p is %lld, not 1 or 2", (long long)p);
    KAS_TRY(kas_reader_axis(axis, x->rank, &full));
    KAS_TRY(kas_reader_row_axis(x, full, &at));
    KAS_TRY(kas_reader_tensor_index(reader, x, &tensor));
    KAS_TRY(kas_reader_emit_unary(reader, p == 1 ? KAS_ACT_ABS : KAS_ACT_SQUARE, 0, 0, tensor, &norm));
    KAS_TRY(kas_reader_emit_reduce(reader, KAS_REDUCE_SUM, norm, at, &norm));
    if (p == 2) KAS_TRY(kas_reader_emit_unary(reader, KAS_ACT_SQRT, 0, 0, norm, &norm));
    KAS_TRY(kas_reader_emit_scalar(reader, FLT_MIN, &least));
    KAS_TRY(kas_reader_emit_binary(reader, KAS_MAX, norm, least, &norm));
    KAS_TRY(kas_reader_value_new(reader, x, &value));
    KAS_TRY(kas_reader_emit_binary(reader, KAS_DIV, tensor, norm, &value->tensor));
    return kas_onnx_output(call, 0, value);
}

/* ---- softmax ---- */

/* x − max − ln Σ exp(x − max): exact where softmax itself would be 0. */
static kas_status emit_log_softmax(kas_reader *reader, int x, int axis, int *out)
{
    int greatest, shifted, sum;
    KAS_TRY(kas_reader_emit_reduce(reader, KAS_REDUCE_MAX, x, axis, &greatest));
    KAS_TRY(kas_reader_emit_binary(reader, KAS_SUB, x, greatest, &shifted));
    KAS_TRY(kas_reader_emit_unary(reader, KAS_ACT_EXP, 0, 0, shifted, &sum));
    KAS_TRY(kas_reader_emit_reduce(reader, KAS_REDUCE_SUM, sum, axis, &sum));
    KAS_TRY(kas_reader_emit_unary(reader, KAS_ACT_LOG, 0, 0, sum, &sum));
    return kas_reader_emit_binary(reader, KAS_SUB, shifted, sum, out);
}

static kas_status softmax_along(kas_onnx_call *call, int tensor, int axis, int *out)
{
    return call->op->variant ? emit_log_softmax(call->reader, tensor, axis, out)
                             : kas_reader_emit_softmax(call->reader, tensor, axis, out);
}

/* Before opset 13 all dimensions from the axis on are one. */
static kas_status softmax_flattened(kas_onnx_call *call, int axis)
{
    kas_reader_value *x = call->inputs[0], *value;
    int tensor;
    if (x->batch_axis >= axis)
        return kas_refuse(KAS_REASON_MIXES_ROWS, "it spans axis %d, which holds the batch", x->batch_axis);
    KAS_TRY(kas_reader_tensor_index(call->reader, x, &tensor));
    const kas_shape row = *shape_of(call->reader, tensor);
    kas_shape flat = {.rank = 2, .dims = {1, 1}};
    for (int i = 0; i < x->rank; ++i)
        flat.dims[i >= axis] *= x->dims[i];
    KAS_TRY(kas_reader_emit_view(call->reader, tensor, &flat, &tensor));
    KAS_TRY(softmax_along(call, tensor, 1, &tensor));
    KAS_TRY(kas_reader_value_new(call->reader, x, &value));
    KAS_TRY(kas_reader_emit_view(call->reader, tensor, &row, &value->tensor));
    return kas_onnx_output(call, 0, value);
}

static kas_status lower_softmax(kas_onnx_call *call)
{
    kas_reader_value *x = call->inputs[0], *value;
    int64_t axis;
    int at, tensor;
    KAS_TRY(kas_onnx_attribute_int(call, "axis", call->opset < 13 ? 1 : -1, &axis));
    KAS_TRY(kas_reader_axis(axis, x->rank, &at));
    if (call->opset < 13 && at != x->rank - 1) return softmax_flattened(call, at);
    KAS_TRY(kas_reader_row_axis(x, at, &at));
    KAS_TRY(kas_reader_tensor_index(call->reader, x, &tensor));
    KAS_TRY(kas_reader_value_new(call->reader, x, &value));
    KAS_TRY(softmax_along(call, tensor, at, &value->tensor));
    return kas_onnx_output(call, 0, value);
}

const kas_onnx_op kas_onnx_ops_norm[] = {
    {"BatchNormalization", lower_batch_norm, "epsilon momentum training_mode spatial", 5, 5, 0},
    {"GroupNormalization", lower_group_norm, "epsilon num_groups stash_type", 3, 3, 0},
    {"InstanceNormalization", lower_instance_norm, "epsilon", 3, 3, 0},
    {"LayerNormalization", lower_layer_norm, "axis epsilon stash_type", 2, 3, 1},
    {"LogSoftmax", lower_softmax, "axis", 1, 1, 1},
    {"LpNormalization", lower_lp_norm, "axis p", 1, 1, 0},
    {"RMSNormalization", lower_layer_norm, "axis epsilon stash_type", 2, 2, 0},
    {"Softmax", lower_softmax, "axis", 1, 1, 0},
    {NULL, NULL, NULL, 0, 0, 0},
};
