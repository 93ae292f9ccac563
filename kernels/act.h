/* The scalar functions that products, convolutions and elementwise kernels end with, by number: the same
 * numbers as kas_act of engine/graph/graph.h. Every comparison is written so that NaN comes through (x < 0 ?
 * 0 : x, not max). */
#ifndef KAS_KERNELS_ACT_H
#define KAS_KERNELS_ACT_H

#define ACT_NONE             0
#define ACT_RELU             1
#define ACT_GELU             2
#define ACT_GELU_TANH        3
#define ACT_SIGMOID          4
#define ACT_TANH             5
#define ACT_SILU             6
#define ACT_LEAKY_RELU       7
#define ACT_ELU              8
#define ACT_SELU             9
#define ACT_CELU             10
#define ACT_SOFTPLUS         11
#define ACT_SOFTSIGN         12
#define ACT_MISH             13
#define ACT_HARD_SIGMOID     14
#define ACT_HARD_SWISH       15
#define ACT_CLIP             16
#define ACT_THRESHOLDED_RELU 17
#define ACT_EXP              18
#define ACT_LOG              19
#define ACT_SQRT             20
#define ACT_RSQRT            21
#define ACT_RECIPROCAL       22
#define ACT_ERF              23
#define ACT_ABS              24
#define ACT_NEG              25
#define ACT_SIGN             26
#define ACT_FLOOR            27
#define ACT_CEIL             28
#define ACT_ROUND            29
#define ACT_SQUARE           30
#define ACT_AFFINE           31
#define ACT_POW              32
#define ACT_NOT              33
#define ACT_COUNT            34

FN float clamp_(float x, float low, float high)
{
    float y = x < low ? low : x;
    return y > high ? high : y;
}

/* ACT_RELU … ACT_MISH */
FN float activate_smooth_(float x, int act, float a, float b)
{
    if (act == ACT_RELU) return x < 0.0f ? 0.0f : x;
    if (act == ACT_GELU) return gelu_(x);
    if (act == ACT_GELU_TANH) return gelu_tanh_(x);
    if (act == ACT_SIGMOID) return sigmoid_(x);
    if (act == ACT_TANH) return tanh_(x);
    if (act == ACT_SILU) return x * sigmoid_(x);
    if (act == ACT_LEAKY_RELU) return x < 0.0f ? a * x : x;
    if (act == ACT_ELU) return x < 0.0f ? a * expm1_(x) : x;
    if (act == ACT_SELU) return b * (x < 0.0f ? a * expm1_(x) : x);
    if (act == ACT_CELU) return x < 0.0f ? a * expm1_(x / a) : x;
    if (act == ACT_SOFTPLUS) return softplus_(x);
    if (act == ACT_SOFTSIGN) return x / (1.0f + ABS(x));
    return mish_(x);
}

/* ACT_HARD_SIGMOID … ACT_ERF */
FN float activate_plain_(float x, int act, float a, float b)
{
    if (act == ACT_HARD_SIGMOID) return clamp_(a * x + b, 0.0f, 1.0f);
    if (act == ACT_HARD_SWISH) return x * clamp_(x / 6.0f + 0.5f, 0.0f, 1.0f);
    if (act == ACT_CLIP) return clamp_(x, a, b);
    if (act == ACT_THRESHOLDED_RELU) return x <= a ? 0.0f : x;
    if (act == ACT_EXP) return exp_(x);
    if (act == ACT_LOG) return log_(x);
    if (act == ACT_SQRT) return SQRT(x);
    if (act == ACT_RSQRT) return 1.0f / SQRT(x);
    if (act == ACT_RECIPROCAL) return 1.0f / x;
    return erf_(x);
}

/* ACT_ABS … ACT_NOT */
FN float activate_exact_(float x, int act, float a, float b)
{
    if (act == ACT_ABS) return ABS(x);
    if (act == ACT_NEG) return -x;
    if (act == ACT_SIGN) return x > 0.0f ? 1.0f : (x < 0.0f ? -1.0f : x);
    if (act == ACT_FLOOR) return FLOOR(x);
    if (act == ACT_CEIL) return CEIL(x);
    if (act == ACT_ROUND) return ROUND(x);
    if (act == ACT_SQUARE) return x * x;
    if (act == ACT_AFFINE) return a * x + b;
    if (act == ACT_POW) return pow_(x, a);
    return x == 0.0f ? 1.0f : 0.0f;
}

FN float activate(float x, int act, float a, float b)
{
    if (act == ACT_NONE) return x;
    if (act <= ACT_MISH) return activate_smooth_(x, act, a, b);
    if (act <= ACT_ERF) return activate_plain_(x, act, a, b);
    return activate_exact_(x, act, a, b);
}

#endif
