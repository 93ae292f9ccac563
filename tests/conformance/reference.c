#include "tests/conformance/reference.h"

#include <math.h>

#include "engine/graph/graph.h"

static const char *const names[] = {
    [KAS_ACT_NONE] = "none",
    [KAS_ACT_RELU] = "relu",
    [KAS_ACT_GELU] = "gelu",
    [KAS_ACT_GELU_TANH] = "gelu_tanh",
    [KAS_ACT_SIGMOID] = "sigmoid",
    [KAS_ACT_TANH] = "tanh",
    [KAS_ACT_SILU] = "silu",
    [KAS_ACT_LEAKY_RELU] = "leaky_relu",
    [KAS_ACT_ELU] = "elu",
    [KAS_ACT_SELU] = "selu",
    [KAS_ACT_CELU] = "celu",
    [KAS_ACT_SOFTPLUS] = "softplus",
    [KAS_ACT_SOFTSIGN] = "softsign",
    [KAS_ACT_MISH] = "mish",
    [KAS_ACT_HARD_SIGMOID] = "hard_sigmoid",
    [KAS_ACT_HARD_SWISH] = "hard_swish",
    [KAS_ACT_CLIP] = "clip",
    [KAS_ACT_THRESHOLDED_RELU] = "thresholded_relu",
    [KAS_ACT_EXP] = "exp",
    [KAS_ACT_LOG] = "log",
    [KAS_ACT_SQRT] = "sqrt",
    [KAS_ACT_RSQRT] = "rsqrt",
    [KAS_ACT_RECIPROCAL] = "reciprocal",
    [KAS_ACT_ERF] = "erf",
    [KAS_ACT_ABS] = "abs",
    [KAS_ACT_NEG] = "neg",
    [KAS_ACT_SIGN] = "sign",
    [KAS_ACT_FLOOR] = "floor",
    [KAS_ACT_CEIL] = "ceil",
    [KAS_ACT_ROUND] = "round",
    [KAS_ACT_SQUARE] = "square",
    [KAS_ACT_AFFINE] = "affine",
    [KAS_ACT_POW] = "pow",
    [KAS_ACT_NOT] = "not",
};
_Static_assert((int)KAS_ACT_COUNT == (int)REFERENCE_ACTS && sizeof names / sizeof *names == REFERENCE_ACTS,
               "a function without a reference");

const char *reference_act_name(int act)
{
    return names[act];
}

static double clamp(double x, double low, double high)
{
    return x < low ? low : x > high ? high : x;
}

static double smooth(double x, int act, double a, double b)
{
    switch (act) {
    case KAS_ACT_RELU:
        return x < 0 ? 0 : x;
    case KAS_ACT_GELU:
        return 0.5 * x * erfc(-x * M_SQRT1_2);
    case KAS_ACT_GELU_TANH:
        return x / (1 + exp(-2 * sqrt(2 / M_PI) * (x + 0.044715 * x * x * x))); /* = x/2 (1 + tanh(…)) */
    case KAS_ACT_SIGMOID:
        return 1 / (1 + exp(-x));
    case KAS_ACT_TANH:
        return tanh(x);
    case KAS_ACT_SILU:
        return x / (1 + exp(-x));
    case KAS_ACT_LEAKY_RELU:
        return x < 0 ? a * x : x;
    case KAS_ACT_ELU:
        return x < 0 ? a * expm1(x) : x;
    case KAS_ACT_SELU:
        return b * (x < 0 ? a * expm1(x) : x);
    case KAS_ACT_CELU:
        return x < 0 ? a * expm1(x / a) : x;
    case KAS_ACT_SOFTPLUS:
        return log1p(exp(x));
    case KAS_ACT_SOFTSIGN:
        return x / (1 + fabs(x));
    default:
        return x * tanh(log1p(exp(x)));
    }
}

static double plain(double x, int act, double a, double b)
{
    switch (act) {
    case KAS_ACT_HARD_SIGMOID:
        return clamp(a * x + b, 0, 1);
    case KAS_ACT_HARD_SWISH:
        return x * clamp(x / 6 + 0.5, 0, 1);
    case KAS_ACT_CLIP:
        return clamp(x, a, b);
    case KAS_ACT_THRESHOLDED_RELU:
        return x <= a ? 0 : x;
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
    default:
        return erf(x);
    }
}

static double exact(double x, int act, double a, double b)
{
    switch (act) {
    case KAS_ACT_ABS:
        return fabs(x);
    case KAS_ACT_NEG:
        return -x;
    case KAS_ACT_SIGN:
        return x > 0 ? 1 : x < 0 ? -1 : x;
    case KAS_ACT_FLOOR:
        return floor(x);
    case KAS_ACT_CEIL:
        return ceil(x);
    case KAS_ACT_ROUND:
        return rint(x);
    case KAS_ACT_SQUARE:
        return x * x;
    case KAS_ACT_AFFINE:
        return a * x + b;
    case KAS_ACT_POW:
        return pow(x, a);
    default:
        return x == 0 ? 1 : 0;
    }
}

double reference_act(double x, int act, double a, double b)
{
    if (act == KAS_ACT_NONE) return x;
    if (act <= KAS_ACT_MISH) return smooth(x, act, a, b);
    if (act <= KAS_ACT_ERF) return plain(x, act, a, b);
    return exact(x, act, a, b);
}
