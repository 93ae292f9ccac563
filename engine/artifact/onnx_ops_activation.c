/* Functions of one element. */
#include <float.h>

#include "engine/artifact/onnx_reader.h"
#include "engine/artifact/refuse.h"

/* y = act(x), with x's shape. */
static kas_status apply(kas_onnx_call *call, kas_act act, float a, float b)
{
    kas_reader_value *x = call->inputs[0], *value;
    int tensor;
    KAS_TRY(kas_reader_tensor_index(call->reader, x, &tensor));
    KAS_TRY(kas_reader_value_new(call->reader, x, &value));
    KAS_TRY(kas_reader_emit_unary(call->reader, act, a, b, tensor, &value->tensor));
    return kas_onnx_output(call, 0, value);
}

static kas_status lower_plain(kas_onnx_call *call)
{
    return apply(call, (kas_act)call->op->variant, 0, 0);
}

/* Defaults of the attributes that an operator's act_a and act_b come from. */
typedef struct activation_defaults {
    kas_act act;
    const char *name_a, *name_b;
    float a, b;
} activation_defaults;

static const activation_defaults with_attributes[] = {
    {KAS_ACT_LEAKY_RELU, "alpha", NULL, 0.01f, 0},
    {KAS_ACT_ELU, "alpha", NULL, 1.0f, 0},
    {KAS_ACT_SELU, "alpha", "gamma", 1.67326319217681884765625f, 1.05070102214813232421875f},
    {KAS_ACT_CELU, "alpha", NULL, 1.0f, 0},
    {KAS_ACT_HARD_SIGMOID, "alpha", "beta", 0.2f, 0.5f},
    {KAS_ACT_THRESHOLDED_RELU, "alpha", NULL, 1.0f, 0},
};

static kas_status lower_with_attributes(kas_onnx_call *call)
{
    const activation_defaults *defaults = with_attributes;
    float a, b = 0;
    while (defaults->act != (kas_act)call->op->variant)
        ++defaults;
    KAS_TRY(kas_onnx_attribute_float(call, defaults->name_a, defaults->a, &a));
    if (defaults->name_b) KAS_TRY(kas_onnx_attribute_float(call, defaults->name_b, defaults->b, &b));
    if (defaults->act == KAS_ACT_CELU && a == 0) return kas_refuse(KAS_REASON_MALFORMED, "alpha is 0");
    return apply(call, defaults->act, a, b);
}

static kas_status lower_gelu(kas_onnx_call *call)
{
    kas_span approximate;
    KAS_TRY(kas_onnx_attribute_text(call, "approximate", "none", &approximate));
    if (kas_span_is(approximate, "tanh")) return apply(call, KAS_ACT_GELU_TANH, 0, 0);
    if (kas_span_is(approximate, "none")) return apply(call, KAS_ACT_GELU, 0, 0);
    return kas_refuse(KAS_REASON_UNSUPPORTED, "approximate \"%.*s\" is not known",
                      KAS_SPAN_ARGS(approximate));
}

/* Bounds are attributes before opset 11, optional inputs from then on. */
static kas_status clip_bound(kas_onnx_call *call, const char *name, size_t input, float absent, float *out)
{
    KAS_TRY(kas_onnx_attribute_float(call, name, absent, out));
    kas_reader_value *bound = kas_onnx_input(call, input);
    return bound ? kas_reader_scalar(call->reader, bound, name, out) : NULL;
}

static kas_status lower_clip(kas_onnx_call *call)
{
    float low, high;
    KAS_TRY(clip_bound(call, "min", 1, -FLT_MAX, &low));
    KAS_TRY(clip_bound(call, "max", 2, FLT_MAX, &high));
    return apply(call, KAS_ACT_CLIP, low, high);
}

/* x · sigmoid(alpha·x) */
static kas_status lower_swish(kas_onnx_call *call)
{
    kas_reader *reader = call->reader;
    kas_reader_value *x = call->inputs[0], *value;
    float alpha;
    int tensor, gate;
    KAS_TRY(kas_onnx_attribute_float(call, "alpha", 1.0f, &alpha));
    if (alpha == 1.0f) return apply(call, KAS_ACT_SILU, 0, 0);
    KAS_TRY(kas_reader_tensor_index(reader, x, &tensor));
    KAS_TRY(kas_reader_value_new(reader, x, &value));
    KAS_TRY(kas_reader_emit_unary(reader, KAS_ACT_AFFINE, alpha, 0, tensor, &gate));
    KAS_TRY(kas_reader_emit_unary(reader, KAS_ACT_SIGMOID, 0, 0, gate, &gate));
    KAS_TRY(kas_reader_emit_binary(reader, KAS_MUL, tensor, gate, &value->tensor));
    return kas_onnx_output(call, 0, value);
}

static kas_status lower_not(kas_onnx_call *call)
{
    const kas_integer *integers;
    kas_reader_value *value;
    size_t count;
    KAS_TRY(kas_reader_integers(call->reader, call->inputs[0], &integers, &count));
    if (!integers || call->inputs[0]->rank > 1) return lower_plain(call);
    KAS_TRY(kas_reader_value_of_integers(call->reader, call->inputs[0]->rank, count, &value));
    value->type = KAS_ONNX_BOOL;
    for (size_t i = 0; i < count; ++i)
        value->integers[i] = (kas_integer){.kind = integers[i].kind, .value = !integers[i].value};
    return kas_onnx_output(call, 0, value);
}

static kas_status lower_neg(kas_onnx_call *call)
{
    kas_reader_value *value, *zero;
    bool integers;
    KAS_TRY(kas_reader_are_integers(call->reader, call->inputs, 1, &integers));
    if (!integers) return lower_plain(call);
    KAS_TRY(kas_reader_value_of_integers(call->reader, 0, 1, &zero));
    KAS_TRY(kas_reader_integer_binary(call->reader, KAS_SUB, zero, call->inputs[0], &value));
    return kas_onnx_output(call, 0, value);
}

const kas_onnx_op kas_onnx_ops_activation[] = {
    {"Abs", lower_plain, "", 1, 1, KAS_ACT_ABS},
    {"Ceil", lower_plain, "", 1, 1, KAS_ACT_CEIL},
    {"Celu", lower_with_attributes, "alpha", 1, 1, KAS_ACT_CELU},
    {"Clip", lower_clip, "min max", 1, 3, 0},
    {"Elu", lower_with_attributes, "alpha", 1, 1, KAS_ACT_ELU},
    {"Erf", lower_plain, "", 1, 1, KAS_ACT_ERF},
    {"Exp", lower_plain, "", 1, 1, KAS_ACT_EXP},
    {"Floor", lower_plain, "", 1, 1, KAS_ACT_FLOOR},
    {"Gelu", lower_gelu, "approximate", 1, 1, 0},
    {"HardSigmoid", lower_with_attributes, "alpha beta", 1, 1, KAS_ACT_HARD_SIGMOID},
    {"HardSwish", lower_plain, "", 1, 1, KAS_ACT_HARD_SWISH},
    {"LeakyRelu", lower_with_attributes, "alpha", 1, 1, KAS_ACT_LEAKY_RELU},
    {"Log", lower_plain, "", 1, 1, KAS_ACT_LOG},
    {"Mish", lower_plain, "", 1, 1, KAS_ACT_MISH},
    {"Neg", lower_neg, "", 1, 1, KAS_ACT_NEG},
    {"Not", lower_not, "", 1, 1, KAS_ACT_NOT},
    {"Reciprocal", lower_plain, "", 1, 1, KAS_ACT_RECIPROCAL},
    {"Relu", lower_plain, "", 1, 1, KAS_ACT_RELU},
    {"Round", lower_plain, "", 1, 1, KAS_ACT_ROUND},
    {"Selu", lower_with_attributes, "alpha gamma", 1, 1, KAS_ACT_SELU},
    {"Sigmoid", lower_plain, "", 1, 1, KAS_ACT_SIGMOID},
    {"Sign", lower_plain, "", 1, 1, KAS_ACT_SIGN},
    {"Softplus", lower_plain, "", 1, 1, KAS_ACT_SOFTPLUS},
    {"Softsign", lower_plain, "", 1, 1, KAS_ACT_SOFTSIGN},
    {"Sqrt", lower_plain, "", 1, 1, KAS_ACT_SQRT},
    {"Swish", lower_swish, "alpha", 1, 1, 0},
    {"Tanh", lower_plain, "", 1, 1, KAS_ACT_TANH},
    {"ThresholdedRelu", lower_with_attributes, "alpha", 1, 1, KAS_ACT_THRESHOLDED_RELU},
    {NULL, NULL, NULL, 0, 0, 0},
};
