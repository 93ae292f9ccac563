/* Scalar functions in float64, and the operators that apply them element by element. */
#include <math.h>

#include "engine/graph/reference.h"
#include "engine/graph/shape.h"

static double clamp(double x, double low, double high)
{
    if (x < low) x = low;
    return x > high ? high : x; /* comparisons keep NaN */
}

static double softplus(double x)
{
    return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
}

static double sigmoid(double x)
{
    return x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x));
}

static double gelu_tanh(double x)
{
    return x / 2 * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}

static double celu(double x, double a)
{
    double low = a * expm1(x / a);
    return (x < 0 ? 0 : x) + (low > 0 ? 0 : low);
}

static double sign(double x)
{
    return x > 0 ? 1 : x < 0 ? -1 : x; /* of 0 and NaN: itself */
}

/* Functions with a bend: those that PyTorch calls activations. */
static double activation(kas_act act, double a, double b, double x)
{
    switch (act) {
    case KAS_ACT_RELU:
        return x < 0 ? 0 : x;
    case KAS_ACT_GELU:
        return x / 2 * (1 + erf(x * M_SQRT1_2));
    case KAS_ACT_GELU_TANH:
        return gelu_tanh(x);
    case KAS_ACT_SIGMOID:
        return sigmoid(x);
    case KAS_ACT_TANH:
        return tanh(x);
    case KAS_ACT_SILU:
        return x * sigmoid(x);
    case KAS_ACT_LEAKY_RELU:
        return x < 0 ? a * x : x;
    case KAS_ACT_ELU:
        return x < 0 ? a * expm1(x) : x;
    case KAS_ACT_SELU:
        return b * (x < 0 ? a * expm1(x) : x);
    case KAS_ACT_CELU:
        return celu(x, a);
    case KAS_ACT_SOFTPLUS:
        return softplus(x);
    case KAS_ACT_SOFTSIGN:
        return x / (1 + fabs(x));
    case KAS_ACT_MISH:
        return x * tanh(softplus(x));
    case KAS_ACT_HARD_SIGMOID:
        return clamp(a * x + b, 0, 1);
    case KAS_ACT_HARD_SWISH:
        return x * clamp(x / 6 + 0.5, 0, 1);
    case KAS_ACT_CLIP:
        return clamp(x, a, b);
    case KAS_ACT_THRESHOLDED_RELU:
        return x > a || isnan(x) ? x : 0;
    default:
        return x;
    }
}

double kas_reference_act(kas_act act, double a, double b, double x)
{
    switch (act) {
    case KAS_ACT_EXP:
        return exp(x);
    case KAS_ACT_LOG:
        return log(x);
    case KAS_ACT_SQRT:
        return sqrt(x);
    case KAS_ACT_RSQRT:
        return 1 / sqrt(x);
    case KAS_ACT_RECIPROCAL:
        return 1 / x;
    case KAS_ACT_ERF:
        return erf(x);
    case KAS_ACT_ABS:
        return fabs(x);
    case KAS_ACT_NEG:
        return -x;
    case KAS_ACT_SIGN:
        return sign(x);
    case KAS_ACT_FLOOR:
        return floor(x);
    case KAS_ACT_CEIL:
        return ceil(x);
    case KAS_ACT_ROUND:
        return rint(x); /* the rounding mode is never changed: half to even */
    case KAS_ACT_SQUARE:
        return x * x;
    case KAS_ACT_AFFINE:
        return a * x + b;
    case KAS_ACT_POW:
        return pow(x, a);
    case KAS_ACT_NOT:
        return x == 0;
    default:
        return activation(act, a, b, x);
    }
}

static double lesser(double x, double y)
{
    return isnan(x) || x < y ? x : y;
}

static double greater(double x, double y)
{
    return isnan(x) || x > y ? x : y;
}

double kas_reference_binary(kas_binary function, double x, double y)
{
    switch (function) {
    case KAS_ADD:
        return x + y;
    case KAS_SUB:
        return x - y;
    case KAS_MUL:
        return x * y;
    case KAS_DIV:
        return x / y;
    case KAS_POW:
        return pow(x, y);
    case KAS_MIN:
        return lesser(x, y);
    case KAS_MAX:
        return greater(x, y);
    case KAS_EQUAL:
        return x == y;
    case KAS_GREATER:
        return x > y;
    case KAS_GREATER_EQUAL:
        return x >= y;
    case KAS_LESS:
        return x < y;
    case KAS_LESS_EQUAL:
        return x <= y;
    case KAS_AND:
        return x != 0 && y != 0;
    case KAS_OR:
        return x != 0 || y != 0;
    case KAS_XOR:
        return (x != 0) != (y != 0);
    default:
        return NAN;
    }
}

void kas_reference_unary(const kas_reference *reference)
{
    const kas_node *node = reference->node;
    size_t count = kas_reference_output(reference)->elements;
    for (size_t i = 0; i < count; ++i)
        reference->out[i] =
            kas_reference_act(node->act, (double)node->act_a, (double)node->act_b, reference->in[0][i]);
}

void kas_reference_elementwise(const kas_reference *reference)
{
    const kas_node *node = reference->node;
    const kas_tensor *output = kas_reference_output(reference);
    kas_cursor x = kas_cursor_broadcast(kas_reference_shape(reference, 0), &output->shape);
    kas_cursor y = kas_cursor_broadcast(kas_reference_shape(reference, 1), &output->shape);
    for (size_t i = 0; i < output->elements; ++i) {
        double value =
            kas_reference_binary(node->binary, reference->in[0][x.offset], reference->in[1][y.offset]);
        reference->out[i] = kas_reference_act(node->act, (double)node->act_a, (double)node->act_b, value);
        kas_cursor_next(&x, &output->shape);
        kas_cursor_next(&y, &output->shape);
    }
}

void kas_reference_select(const kas_reference *reference)
{
    const kas_tensor *output = kas_reference_output(reference);
    kas_cursor condition = kas_cursor_broadcast(kas_reference_shape(reference, 0), &output->shape);
    kas_cursor x = kas_cursor_broadcast(kas_reference_shape(reference, 1), &output->shape);
    kas_cursor y = kas_cursor_broadcast(kas_reference_shape(reference, 2), &output->shape);
    for (size_t i = 0; i < output->elements; ++i) {
        bool chosen = reference->in[0][condition.offset] != 0;
        reference->out[i] = chosen ? reference->in[1][x.offset] : reference->in[2][y.offset];
        kas_cursor_next(&condition, &output->shape);
        kas_cursor_next(&x, &output->shape);
        kas_cursor_next(&y, &output->shape);
    }
}
