/* Normalisations and softmax. */
#include <math.h>

#include "base/alloc.h"
#include "engine/artifact/refuse.h"
#include "engine/artifact/torchscript_reader.h"

static kas_status read_epsilon(const kas_script_call *call, int index, double absent, float *out)
{
    double epsilon;
    KAS_TRY(kas_script_float_at(call, index, absent, &epsilon));
    *out = (float)epsilon;
    if (isfinite(epsilon) && epsilon >= 0) return NULL;
    return kas_refuse(KAS_REASON_STATISTICS, "eps is %g", epsilon);
}

/* ---- batch_norm ---- */

enum { BATCH_NORM_WEIGHT = 1, BATCH_NORM_BIAS, BATCH_NORM_MEAN, BATCH_NORM_VARIANCE, BATCH_NORM_PARAMETERS };

/* The values of a parameter of one value for every channel; NULL where it is left out. */
static kas_status channel_parameter(const kas_script_call *call, int index, int64_t channels,
                                    const float **out)
{
    kas_reader_value *value;
    size_t count;
    *out = NULL;
    KAS_TRY(kas_script_optional_tensor(call, index, &value));
    if (!value) return NULL;
    *out = kas_reader_constant(call->lower, value, &count);
    if (!*out)
        return kas_refuse(KAS_REASON_UNSUPPORTED, "a parameter depends on the input; it must be constant");
    if (count == (size_t)channels) return NULL;
    return kas_refuse(KAS_REASON_SHAPE, "a parameter of %zu values for %lld channels", count,
                      (long long)channels);
}

/* A variance is measured: it is not negative, and not 0 where nothing is added to it. */
static kas_status check_variances(const float *variances, size_t channels, float epsilon)
{
    for (size_t c = 0; c < channels; ++c)
        if (variances[c] < 0 || (variances[c] == 0 && epsilon == 0))
            return kas_refuse(KAS_REASON_STATISTICS, "the variance of channel %zu is %g, and eps is %g", c,
                              (double)variances[c], (double)epsilon);
    return NULL;
}

/* weight/√(variance + ε) and bias − mean·that, shaped to broadcast over the channels. */
static kas_status emit_affine(kas_script_call *call, const float *const *parameters, const kas_shape *shape,
                              float epsilon, kas_reader_value *factor, kas_reader_value *offset)
{
    const float *weight = parameters[BATCH_NORM_WEIGHT], *bias = parameters[BATCH_NORM_BIAS];
    const size_t channels = (size_t)shape->dims[0];
    float *factors, *offsets;
    KAS_TRY(check_variances(parameters[BATCH_NORM_VARIANCE], channels, epsilon));
    KAS_TRY(kas_reader_emit_constant_room(call->lower, channels, &factors));
    kas_status status = kas_reader_emit_constant_room(call->lower, channels, &offsets);
    if (status) {
        kas_free(factors);
        return status;
    }
    for (size_t c = 0; c < channels; ++c) {
        const double variance = (double)parameters[BATCH_NORM_VARIANCE][c] + (double)epsilon;
        const double by = (weight ? (double)weight[c] : 1) / sqrt(variance);
        factors[c] = (float)by;
        offsets[c] = (float)((bias ? (double)bias[c] : 0) - (double)parameters[BATCH_NORM_MEAN][c] * by);
    }
    status = kas_reader_emit_constant(call->lower, NULL, shape, factors, &factor->tensor);
    if (status) {
        kas_free(offsets);
        return status;
    }
    return kas_reader_emit_constant(call->lower, NULL, shape, offsets, &offset->tensor);
}

static kas_status read_statistics(kas_script_call *call, const kas_reader_value *x, const float **parameters)
{
    kas_reader_value *mean;
    KAS_TRY(kas_script_optional_tensor(call, BATCH_NORM_MEAN, &mean));
    if (!mean || !kas_script_given(call, BATCH_NORM_VARIANCE))
        return kas_refuse(KAS_REASON_MIXES_ROWS, "without running statistics it takes those of the batch");
    if (mean->rank == 1) KAS_TRY(kas_script_show_width(call->reader, x, 1, mean->dims[0]));
    for (int i = BATCH_NORM_WEIGHT; i < BATCH_NORM_PARAMETERS; ++i)
        KAS_TRY(channel_parameter(call, i, x->dims[1], &parameters[i]));
    return NULL;
}

static kas_status lower_batch_norm(kas_script_call *call)
{
    kas_reader_value *x, *factor, *offset, *value;
    const float *parameters[BATCH_NORM_PARAMETERS];
    bool training;
    float epsilon;
    KAS_TRY(kas_script_tensor_at(call, 0, &x));
    KAS_TRY(kas_script_bool_at(call, 5, false, &training));
    KAS_TRY(read_epsilon(call, 7, 1e-5, &epsilon));
    if (training)
        return kas_refuse(KAS_REASON_UNSUPPORTED,
                          "in training mode: it takes the statistics of the batch; a kernel is "
                          "saved after eval()");
    if (x->rank < 2 || x->batch_axis != 0)
        return kas_refuse(KAS_REASON_MIXES_ROWS,
                          "the input must begin with the batch and then have channels");
    KAS_TRY(read_statistics(call, x, parameters));
    KAS_TRY(kas_reader_value_new(call->lower, NULL, &factor));
    factor->rank = x->rank - 1;
    factor->dims[0] = x->dims[1];
    for (int i = 1; i < factor->rank; ++i)
        factor->dims[i] = 1;
    KAS_TRY(kas_reader_value_new(call->lower, factor, &offset));
    kas_shape shape;
    KAS_TRY(kas_reader_row_shape(factor, &shape));
    KAS_TRY(emit_affine(call, parameters, &shape, epsilon, factor, offset));
    KAS_TRY(kas_reader_binary(call->lower, KAS_MUL, x, factor, &value));
    KAS_TRY(kas_reader_binary(call->lower, KAS_ADD, value, offset, &value));
    return kas_script_give(call, value);
}

/* ---- layer_norm and rms_norm ---- */

/* A scale or shift shaped as the normalised dimensions; −1 where it is left out. */
static kas_status norm_parameter(const kas_script_call *call, int index, const kas_shape *normalised,
                                 int *out)
{
    char a[KAS_READER_SHAPE_TEXT], b[KAS_READER_SHAPE_TEXT];
    kas_reader_value *value;
    *out = -1;
    KAS_TRY(kas_script_optional_tensor(call, index, &value));
    if (!value) return NULL;
    KAS_TRY(kas_reader_tensor_index(call->lower, value, out));
    if (value->batch_axis < 0 && kas_shape_equal(&call->lower->graph->tensors[*out].shape, normalised))
        return NULL;
    return kas_refuse(KAS_REASON_SHAPE, "a parameter has the shape %s, the normalised dimensions are %s",
                      kas_reader_shape_text(value, a), kas_shape_text(normalised, b, sizeof b));
}

static kas_status read_normalised(kas_script_call *call, const kas_reader_value *x, kas_shape *out)
{
    int64_t sizes[KAS_READER_MAX_RANK];
    size_t count;
    char text[KAS_READER_SHAPE_TEXT];
    KAS_TRY(kas_script_ints_at(call, 1, KAS_MAX_RANK, sizes, &count));
    *out = (kas_shape){.rank = (int)count};
    if (count == 0 || out->rank > x->rank)
        return kas_refuse(KAS_REASON_SHAPE, "%zu dimensions of %s are normalised", count,
                          kas_reader_shape_text(x, text));
    const int first = x->rank - out->rank;
    if (x->batch_axis >= first)
        return kas_refuse(KAS_REASON_MIXES_ROWS, "it normalises over axis %d, which holds the batch",
                          x->batch_axis);
    for (int i = 0; i < out->rank; ++i) {
        KAS_TRY(kas_script_show_width(call->reader, x, first + i, sizes[i]));
        out->dims[i] = x->dims[first + i];
        if (sizes[i] != out->dims[i])
            return kas_refuse(KAS_REASON_SHAPE, "normalized_shape has %lld where the shape %s has %lld",
                              (long long)sizes[i], kas_reader_shape_text(x, text), (long long)out->dims[i]);
    }
    return NULL;
}

static kas_status give_norm(kas_script_call *call, kas_reader_value *x, kas_node *node)
{
    kas_reader_value *value;
    node->op = KAS_OP_NORM;
    node->input_count = 3;
    KAS_TRY(kas_reader_tensor_index(call->lower, x, &node->inputs[0]));
    KAS_TRY(kas_reader_value_new(call->lower, x, &value));
    const kas_shape shape = call->lower->graph->tensors[node->inputs[0]].shape;
    KAS_TRY(kas_reader_emit(call->lower, node, &shape, &value->tensor));
    return kas_script_give(call, value);
}

static kas_status lower_layer_norm(kas_script_call *call)
{
    kas_reader_value *x;
    kas_shape normalised;
    kas_node node = {.centred = true};
    KAS_TRY(kas_script_tensor_at(call, 0, &x));
    KAS_TRY(read_normalised(call, x, &normalised));
    KAS_TRY(norm_parameter(call, 2, &normalised, &node.inputs[1]));
    KAS_TRY(norm_parameter(call, 3, &normalised, &node.inputs[2]));
    KAS_TRY(read_epsilon(call, 4, 1e-5, &node.epsilon));
    node.axis = normalised.rank;
    return give_norm(call, x, &node);
}

static kas_status lower_rms_norm(kas_script_call *call)
{
    const double least = 0x1p-23; /* of float32, between 1 and the next number */
    kas_reader_value *x;
    kas_shape normalised;
    kas_node node = {.inputs = {0, 0, -1}};
    KAS_TRY(kas_script_tensor_at(call, 0, &x));
    KAS_TRY(read_normalised(call, x, &normalised));
    KAS_TRY(norm_parameter(call, 2, &normalised, &node.inputs[1]));
    KAS_TRY(read_epsilon(call, 3, least, &node.epsilon));
    node.axis = normalised.rank;
    return give_norm(call, x, &node);
}

/* ---- group_norm ---- */

/* [channels] as [channels, 1, …]: it broadcasts over what follows the channels. */
static kas_status over_channels(kas_script_call *call, kas_reader_value *parameter, const kas_reader_value *x,
                                kas_reader_value **out)
{
    kas_reader_value *shape;
    if (parameter->rank != 1 || parameter->dims[0] != x->dims[1] || parameter->batch_axis >= 0)
        return kas_refuse(KAS_REASON_SHAPE,
                          "a parameter does not have one value for each of the %lld channels",
                          (long long)x->dims[1]);
    KAS_TRY(kas_reader_value_new(call->lower, parameter, &shape));
    shape->rank = x->rank - 1;
    for (int i = 1; i < shape->rank; ++i)
        shape->dims[i] = 1;
    return kas_reader_reshape(call->lower, parameter, shape, out);
}

static kas_status normalise_groups(kas_script_call *call, kas_reader_value *x, int64_t groups, float epsilon,
                                   kas_reader_value **out)
{
    kas_node node = {.op = KAS_OP_NORM,
                     .inputs = {0, -1, -1},
                     .input_count = 3,
                     .axis = 1,
                     .centred = true,
                     .epsilon = epsilon};
    int tensor;
    KAS_TRY(kas_reader_tensor_index(call->lower, x, &tensor));
    const int64_t elements = (int64_t)call->lower->graph->tensors[tensor].elements;
    const kas_shape grouped = {.rank = 2, .dims = {groups, elements / groups}};
    KAS_TRY(kas_reader_emit_view(call->lower, tensor, &grouped, &node.inputs[0]));
    KAS_TRY(kas_reader_emit(call->lower, &node, &grouped, &tensor));
    KAS_TRY(kas_reader_value_new(call->lower, x, out));
    return kas_reader_settle(call->lower, tensor, *out);
}

static kas_status check_channels(const kas_reader_value *x)
{
    if (x->rank >= 2 && x->batch_axis == 0 && x->dims[0] == 1) return NULL;
    return kas_refuse(KAS_REASON_MIXES_ROWS, "the input must begin with the batch and then have channels");
}

/* Times weight plus bias, the arguments from `first` on, each of one value for every channel of x. */
static kas_status give_scaled(kas_script_call *call, const kas_reader_value *x, kas_reader_value *value,
                              int first)
{
    static const kas_binary steps[] = {KAS_MUL, KAS_ADD};
    for (int i = 0; i < 2; ++i) {
        kas_reader_value *parameter;
        KAS_TRY(kas_script_optional_tensor(call, first + i, &parameter));
        if (!parameter) continue;
        KAS_TRY(over_channels(call, parameter, x, &parameter));
        KAS_TRY(kas_reader_binary(call->lower, steps[i], value, parameter, &value));
    }
    return kas_script_give(call, value);
}

static kas_status lower_group_norm(kas_script_call *call)
{
    kas_reader_value *x, *weight, *value;
    int64_t groups;
    float epsilon;
    KAS_TRY(kas_script_tensor_at(call, 0, &x));
    KAS_TRY(kas_script_int_at(call, 1, 0, &groups));
    KAS_TRY(kas_script_optional_tensor(call, 2, &weight));
    KAS_TRY(read_epsilon(call, 4, 1e-5, &epsilon));
    KAS_TRY(check_channels(x));
    if (weight && weight->rank == 1) KAS_TRY(kas_script_show_width(call->reader, x, 1, weight->dims[0]));
    if (groups < 1 || x->dims[1] % groups)
        return kas_refuse(KAS_REASON_SHAPE, "%lld channels do not divide into %lld groups",
                          (long long)x->dims[1], (long long)groups);
    KAS_TRY(normalise_groups(call, x, groups, epsilon, &value));
    return give_scaled(call, x, value, 2);
}

/* Each channel is a group of its own, with the statistics of one row: rows stay apart. */
static kas_status lower_instance_norm(kas_script_call *call)
{
    kas_reader_value *x, *value;
    bool own_statistics;
    float epsilon;
    KAS_TRY(kas_script_tensor_at(call, 0, &x));
    KAS_TRY(kas_script_bool_at(call, 5, true, &own_statistics));
    KAS_TRY(read_epsilon(call, 7, 1e-5, &epsilon));
    if (!own_statistics) return kas_refuse(KAS_REASON_UNSUPPORTED, "with running statistics");
    if (x->rank < 3) return kas_refuse(KAS_REASON_SHAPE, "the input has the rank %d", x->rank);
    KAS_TRY(check_channels(x));
    KAS_TRY(normalise_groups(call, x, x->dims[1], epsilon, &value));
    return give_scaled(call, x, value, 1);
}

/* ---- softmax ---- */

/* x − max − ln Σ exp(x − max): exact where softmax itself would be 0. */
static kas_status emit_log_softmax(kas_reader *lower, int x, int axis, int *out)
{
    int greatest, shifted, sum;
    KAS_TRY(kas_reader_emit_reduce(lower, KAS_REDUCE_MAX, x, axis, &greatest));
    KAS_TRY(kas_reader_emit_binary(lower, KAS_SUB, x, greatest, &shifted));
    KAS_TRY(kas_reader_emit_unary(lower, KAS_ACT_EXP, 0, 0, shifted, &sum));
    KAS_TRY(kas_reader_emit_reduce(lower, KAS_REDUCE_SUM, sum, axis, &sum));
    KAS_TRY(kas_reader_emit_unary(lower, KAS_ACT_LOG, 0, 0, sum, &sum));
    return kas_reader_emit_binary(lower, KAS_SUB, shifted, sum, out);
}

static kas_status lower_softmax(kas_script_call *call)
{
    kas_reader_value *x, *value;
    int axis, tensor;
    KAS_TRY(kas_script_tensor_at(call, 0, &x));
    KAS_TRY(kas_script_axis_at(call, 1, -1, x->rank, &axis));
    KAS_TRY(kas_script_check_dtype(call, 2));
    KAS_TRY(kas_reader_row_axis(x, axis, &axis));
    KAS_TRY(kas_reader_tensor_index(call->lower, x, &tensor));
    KAS_TRY(kas_reader_value_new(call->lower, x, &value));
    KAS_TRY(call->op->variant ? emit_log_softmax(call->lower, tensor, axis, &value->tensor)
                              : kas_reader_emit_softmax(call->lower, tensor, axis, &value->tensor));
    return kas_script_give(call, value);
}

const kas_script_op kas_script_ops_norm[] = {
    {"torch.batch_norm", lower_batch_norm,
     "input weight bias running_mean running_var training momentum eps cudnn_enabled?", 0, false},
    {"torch.group_norm", lower_group_norm, "input num_groups weight? bias? eps? cudnn_enabled?", 0, false},
    {"torch.instance_norm", lower_instance_norm,
     "input weight bias running_mean running_var use_input_stats momentum eps cudnn_enabled?", 0, false},
    {"torch.layer_norm", lower_layer_norm, "input normalized_shape weight? bias? eps? cudnn_enable?", 0,
     false},
    {"torch.log_softmax", lower_softmax, "self dim dtype?", 1, false},
    {"torch.rms_norm", lower_rms_norm, "input normalized_shape weight? eps?", 0, false},
    {"torch.softmax", lower_softmax, "self dim dtype?", 0, false},
    {NULL, NULL, NULL, 0, false},
};
