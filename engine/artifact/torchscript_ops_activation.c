/* Functions of one tensor, element by element. Of a number most of them give a number. */
#include <math.h>

#include "engine/artifact/refuse.h"
#include "engine/artifact/torchscript_reader.h"
#include "engine/graph/reference.h"

kas_status kas_script_unary(kas_script_call *call, kas_act act, double a, double b, kas_reader_value *x,
                            kas_reader_value **out)
{
    int tensor;
    KAS_TRY(kas_reader_tensor_index(call->lower, x, &tensor));
    KAS_TRY(kas_reader_value_new(call->lower, x, out));
    (*out)->type = KAS_ONNX_FLOAT;
    return kas_reader_emit_unary(call->lower, act, (float)a, (float)b, tensor, &(*out)->tensor);
}

/* The act with its two constants, of the first argument. */
static kas_status give_act(kas_script_call *call, kas_act act, double a, double b)
{
    kas_reader_value *x, *value;
    if (!isfinite(a) || !isfinite(b)) return kas_refuse(KAS_REASON_NOT_FINITE, "a constant is not finite");
    KAS_TRY(kas_script_tensor_at(call, 0, &x));
    KAS_TRY(kas_script_unary(call, act, a, b, x, &value));
    return kas_script_give(call, value);
}

static kas_status lower_plain(kas_script_call *call)
{
    return give_act(call, (kas_act)call->op->variant, 0, 0);
}

/* Of integers: what keeps an integer keeps its type. */
static kas_status lower_number(kas_script_call *call)
{
    const kas_act act = (kas_act)call->op->variant;
    const kas_script_value *x = call->arguments[0];
    double number;
    if (!kas_script_number(x, &number)) return lower_plain(call);
    number = kas_reference_act(act, 0, 0, number);
    const bool keeps =
        act == KAS_ACT_NEG || act == KAS_ACT_ABS || act == KAS_ACT_FLOOR || act == KAS_ACT_CEIL;
    if (x->kind == KAS_SCRIPT_VALUE_INT && keeps && fabs(number) < 0x1p53)
        call->result = kas_script_of_int((int64_t)number);
    else
        call->result = kas_script_of_float(number);
    return NULL;
}

/* ---- with constants ---- */

static kas_status lower_leaky_relu(kas_script_call *call)
{
    double slope;
    KAS_TRY(kas_script_float_at(call, 1, 0.01, &slope));
    return give_act(call, KAS_ACT_LEAKY_RELU, slope, 0);
}

/* scale · (x > 0 ? x : alpha · (exp(input_scale · x) − 1)) */
static kas_status lower_elu(kas_script_call *call)
{
    double alpha, scale, input_scale;
    KAS_TRY(kas_script_float_at(call, 1, 1, &alpha));
    KAS_TRY(kas_script_float_at(call, 2, 1, &scale));
    KAS_TRY(kas_script_float_at(call, 3, 1, &input_scale));
    if (input_scale != 1) return kas_refuse(KAS_REASON_UNSUPPORTED, "input_scale is %g, not 1", input_scale);
    return scale == 1 ? give_act(call, KAS_ACT_ELU, alpha, 0) : give_act(call, KAS_ACT_SELU, alpha, scale);
}

static kas_status lower_selu(kas_script_call *call)
{
    return give_act(call, KAS_ACT_SELU, 1.6732632423543772848170429916717, 1.0507009873554804934193349852946);
}

static kas_status lower_celu(kas_script_call *call)
{
    double alpha;
    KAS_TRY(kas_script_float_at(call, 1, 1, &alpha));
    if (alpha == 0) return kas_refuse(KAS_REASON_MALFORMED, "alpha is 0");
    return give_act(call, KAS_ACT_CELU, alpha, 0);
}

static kas_status lower_gelu(kas_script_call *call)
{
    kas_span approximate;
    KAS_TRY(kas_script_text_at(call, 1, "none", &approximate));
    if (kas_span_is(approximate, "none")) return give_act(call, KAS_ACT_GELU, 0, 0);
    if (kas_span_is(approximate, "tanh")) return give_act(call, KAS_ACT_GELU_TANH, 0, 0);
    return kas_refuse(KAS_REASON_UNSUPPORTED, "approximate is \"%.*s\"", KAS_SPAN_ARGS(approximate));
}

static kas_status lower_hardsigmoid(kas_script_call *call)
{
    return give_act(call, KAS_ACT_HARD_SIGMOID, 1.0 / 6, 0.5);
}

static kas_status lower_relu6(kas_script_call *call)
{
    return give_act(call, KAS_ACT_CLIP, 0, 6);
}

static kas_status lower_hardtanh(kas_script_call *call)
{
    double low, high;
    KAS_TRY(kas_script_float_at(call, 1, -1, &low));
    KAS_TRY(kas_script_float_at(call, 2, 1, &high));
    return give_act(call, KAS_ACT_CLIP, low, high);
}

/* A bound that is left out is no bound. */
static kas_status lower_clamp(kas_script_call *call)
{
    const double most = 3.402823466385288598e38; /* FLT_MAX: no finite value lies beyond */
    double low, high;
    KAS_TRY(kas_script_float_at(call, 1, -most, &low));
    KAS_TRY(kas_script_float_at(call, 2, most, &high));
    return give_act(call, KAS_ACT_CLIP, low, high);
}

static kas_status lower_clamp_max(kas_script_call *call)
{
    double high;
    KAS_TRY(kas_script_float_at(call, 1, 0, &high));
    return give_act(call, KAS_ACT_CLIP, -3.402823466385288598e38, high);
}

/* ln(1 + exp(beta·x)) / beta. Beyond the threshold PyTorch gives x itself, which from 15 on differs by less
 * than rounding does. */
static kas_status lower_softplus(kas_script_call *call)
{
    enum { LEAST_THRESHOLD = 15 };
    double beta, threshold;
    kas_reader_value *x;
    KAS_TRY(kas_script_float_at(call, 1, 1, &beta));
    KAS_TRY(kas_script_float_at(call, 2, 20, &threshold));
    if (!(threshold >= LEAST_THRESHOLD))
        return kas_refuse(KAS_REASON_UNSUPPORTED, "a threshold of %g; %d or more is supported", threshold,
                          (int)LEAST_THRESHOLD);
    if (beta == 1) return give_act(call, KAS_ACT_SOFTPLUS, 0, 0);
    if (!isfinite(beta) || beta == 0) return kas_refuse(KAS_REASON_MALFORMED, "beta is %g", beta);
    KAS_TRY(kas_script_tensor_at(call, 0, &x));
    KAS_TRY(kas_script_unary(call, KAS_ACT_AFFINE, beta, 0, x, &x));
    KAS_TRY(kas_script_unary(call, KAS_ACT_SOFTPLUS, 0, 0, x, &x));
    KAS_TRY(kas_script_unary(call, KAS_ACT_AFFINE, 1 / beta, 0, x, &x));
    return kas_script_give(call, x);
}

/* −softplus(−x) */
static kas_status lower_log_sigmoid(kas_script_call *call)
{
    kas_reader_value *x;
    KAS_TRY(kas_script_tensor_at(call, 0, &x));
    KAS_TRY(kas_script_unary(call, KAS_ACT_NEG, 0, 0, x, &x));
    KAS_TRY(kas_script_unary(call, KAS_ACT_SOFTPLUS, 0, 0, x, &x));
    KAS_TRY(kas_script_unary(call, KAS_ACT_NEG, 0, 0, x, &x));
    return kas_script_give(call, x);
}

/* ---- dropout ---- */

/* Out of training it is its input. */
static kas_status lower_dropout(kas_script_call *call)
{
    bool training;
    KAS_TRY(kas_script_bool_at(call, 2, true, &training));
    if (training)
        return kas_refuse(KAS_REASON_UNSUPPORTED,
                          "in training mode: it draws random numbers; a kernel is saved after "
                          "eval()");
    return kas_script_give_first(call);
}

const kas_script_op kas_script_ops_activation[] = {
    {"torch.abs", lower_number, "self", KAS_ACT_ABS, false},
    {"torch.alpha_dropout", lower_dropout, "input p train", 0, false},
    {"torch.ceil", lower_number, "self", KAS_ACT_CEIL, false},
    {"torch.celu", lower_celu, "self alpha?", 0, false},
    {"torch.clamp", lower_clamp, "self min? max?", 0, false},
    {"torch.clamp_max", lower_clamp_max, "self max", 0, false},
    {"torch.clamp_min", lower_clamp, "self min", 0, false},
    {"torch.dropout", lower_dropout, "input p train", 0, false},
    {"torch.elu", lower_elu, "self alpha? scale? input_scale?", 0, false},
    {"torch.erf", lower_plain, "self", KAS_ACT_ERF, false},
    {"torch.exp", lower_number, "self", KAS_ACT_EXP, false},
    {"torch.feature_dropout", lower_dropout, "input p train", 0, false},
    {"torch.floor", lower_number, "self", KAS_ACT_FLOOR, false},
    {"torch.gelu", lower_gelu, "self approximate?", 0, false},
    {"torch.hardsigmoid", lower_hardsigmoid, "self", 0, false},
    {"torch.hardswish", lower_plain, "self", KAS_ACT_HARD_SWISH, false},
    {"torch.hardtanh", lower_hardtanh, "self min_val? max_val?", 0, false},
    {"torch.leaky_relu", lower_leaky_relu, "self negative_slope?", 0, false},
    {"torch.log", lower_number, "self", KAS_ACT_LOG, false},
    {"torch.log_sigmoid", lower_log_sigmoid, "self", 0, false},
    {"torch.mish", lower_plain, "self", KAS_ACT_MISH, false},
    {"torch.neg", lower_number, "self", KAS_ACT_NEG, false},
    {"torch.reciprocal", lower_plain, "self", KAS_ACT_RECIPROCAL, false},
    {"torch.relu", lower_plain, "self", KAS_ACT_RELU, false},
    {"torch.relu6", lower_relu6, "self", 0, false},
    {"torch.round", lower_plain, "self", KAS_ACT_ROUND, false},
    {"torch.rsqrt", lower_plain, "self", KAS_ACT_RSQRT, false},
    {"torch.selu", lower_selu, "self", 0, false},
    {"torch.sigmoid", lower_plain, "self", KAS_ACT_SIGMOID, false},
    {"torch.sign", lower_plain, "self", KAS_ACT_SIGN, false},
    {"torch.silu", lower_plain, "self", KAS_ACT_SILU, false},
    {"torch.softplus", lower_softplus, "self beta? threshold?", 0, false},
    {"torch.sqrt", lower_number, "self", KAS_ACT_SQRT, false},
    {"torch.square", lower_plain, "self", KAS_ACT_SQUARE, false},
    {"torch.tanh", lower_plain, "self", KAS_ACT_TANH, false},
    {NULL, NULL, NULL, 0, false},
};
