/* Elementary functions, written out so that every backend computes the same thing whatever its compiler's
 * library promises (GLSL's exp may be off by 3 + 2|x| units; its pow is undefined below 0). Within about 3e-7
 * of the true value, relative (GELU: 6e-7; its vanishing tail below −4 and powers with a large exponent: a
 * few 1e-6); NaN gives NaN. Free of branches where possible: hosts vectorise them. Polynomials are those of
 * the Cephes library (Moshier) for single precision. */
#ifndef KAS_KERNELS_SCALAR_H
#define KAS_KERNELS_SCALAR_H

/* (eˣ − 1 − x) / x² for |x| ≤ 0.35 */
FN float exp_tail_(float x)
{
    return ((((1.9875691500e-4f * x + 1.3981999507e-3f) * x + 8.3334519073e-3f) * x + 4.1665795894e-2f) * x +
            1.6666665459e-1f) *
               x +
           5.0000001201e-1f;
}

/* eˣ = 2ⁿ · eʳ. Two factors for 2ⁿ, as it may lie outside the range of a float where the product does not. */
FN float exp_(float x)
{
    float y = x < -104.0f ? -104.0f : x; /* 0 below, infinity above */
    y = y > 89.0f ? 89.0f : y;
    float n = ROUND(y * 1.44269504f);
    float r = (y - n * 0.693145752f) - n * 1.42860677e-6f;
    int k = I32(n == n ? n : 0.0f);
    int k1 = k / 2;
    float e = exp_tail_(r) * r * r + r + 1.0f;
    return e * FROM_BITS(U32(127 + k1) << 23) * FROM_BITS(U32(127 + k - k1) << 23);
}

/* eˣ − 1, precise near 0 */
FN float expm1_(float x)
{
    return ABS(x) < 0.34f ? exp_tail_(x) * x * x + x : exp_(x) - 1.0f;
}

FN float tanh_(float x)
{
    float e = expm1_(-2.0f * ABS(x));
    float t = -e / (2.0f + e);
    return x < 0.0f ? -t : t;
}

FN float sigmoid_(float x)
{
    float e = exp_(-ABS(x));
    return (x < 0.0f ? e : 1.0f) / (1.0f + e);
}

/* ln(1 + x) for −0.293 ≤ x ≤ 0.415, less its first term x */
FN float log_tail_(float x)
{
    float p = (((7.0376836292e-2f * x - 1.1514610310e-1f) * x + 1.1676998740e-1f) * x - 1.2420140846e-1f) * x;
    p = ((((p + 1.4249322787e-1f) * x - 1.6668057665e-1f) * x + 2.0000714765e-1f) * x - 2.4999993993e-1f) * x;
    return (p + 3.3333331174e-1f) * x * x * x - 0.5f * x * x;
}

FN float log_(float x)
{
    float scaled = x < 1.17549435e-38f ? x * 8388608.0f : x; /* subnormal numbers too */
    float e = x < 1.17549435e-38f ? -23.0f : 0.0f;
    uint bits = BITS(scaled);
    uint shifted = bits - 0x3f3504f3u; /* √½: the mantissa m is then in [√½, √2) */
    e += F32(I32(shifted) >> 23);
    float m = FROM_BITS((shifted & 0x007fffffu) + 0x3f3504f3u) - 1.0f;
    float y = (log_tail_(m) - 2.12194440e-4f * e) + m + 0.693359375f * e;
    y = x < INFINITY_ ? y : x; /* and NaN */
    y = x < 0.0f ? NAN_ : y;
    return x == 0.0f ? -INFINITY_ : y;
}

/* ln(1 + x) for 0 ≤ x ≤ 1, precise near 0 */
FN float log1p_(float x)
{
    return x < 0.41f ? log_tail_(x) + x : log_(1.0f + x);
}

FN float softplus_(float x)
{
    return (x > 0.0f ? x : 0.0f) + log1p_(exp_(-ABS(x)));
}

/* erf(x) for |x| ≤ 1 */
FN float erf_near_(float x)
{
    float z = x * x;
    float p = ((7.853861353153693e-5f * z - 8.010193625184903e-4f) * z + 5.188327685732524e-3f) * z;
    return ((((p - 2.685381193529856e-2f) * z + 1.128358514861418e-1f) * z - 3.761262582423300e-1f) * z +
            1.128379165726710f) *
           x;
}

/* erfc(x) for x ≥ 1 */
FN float erfc_far_(float x)
{
    float q = 1.0f / x, y = q * q;
    float p = ((2.326819970068386e-2f * y - 1.387039388740657e-1f) * y + 3.687424674597105e-1f) * y;
    p = (((p - 5.824733027278666e-1f) * y + 6.210004621745983e-1f) * y - 4.944515323274145e-1f) * y;
    p = ((p + 3.404879937665872e-1f) * y - 2.741127028184656e-1f) * y + 5.638259427386472e-1f;
    float r = ((-1.047766399936249e1f * y + 1.297719955372516e1f) * y - 7.495518717768503f) * y;
    r = (((r + 2.921019019210786f) * y - 1.015265279202700f) * y + 4.218463358204948e-1f) * y;
    r = (r - 2.820767439740514e-1f) * y + 5.641895067754075e-1f;
    return exp_(-x * x) * q * (x < 2.0f ? p : r);
}

FN float erf_(float x)
{
    float a = ABS(x);
    float far = 1.0f - erfc_far_(a < 1.0f ? 1.0f : a);
    return a < 1.0f ? erf_near_(x) : (x < 0.0f ? -far : far);
}

/* The share of the normal distribution above x ≥ 0: e^(−x²/2) times a polynomial in 1 / (1 + 0.3 x) */
FN float normal_tail_(float x)
{
    float t = 1.0f / (1.0f + 0.3f * x);
    float p = ((3.542385948e-2f * t - 1.561589360e-1f) * t + 2.045575700e-1f) * t;
    p = (((p - 5.203468462e-2f) * t + 1.276920947e-1f) * t + 1.001758594e-1f) * t;
    p = ((p + 1.207121488e-1f) * t + 1.196320065e-1f) * t;
    return exp_(-0.5f * x * x) * p;
}

/* x times the share below x: below 0 the tail itself, not what is left of 1 */
FN float gelu_(float x)
{
    float tail = normal_tail_(ABS(x));
    return x * (x < 0.0f ? tail : 1.0f - tail);
}

/* x/2 · (1 + tanh(u)) = x · sigmoid(2u) */
FN float gelu_tanh_(float x)
{
    return x * sigmoid_(1.595769122f * (x + 0.044715f * x * x * x));
}

/* x · tanh(ln(1 + eˣ)) = x · n / (n + 2) with n = eˣ (eˣ + 2) */
FN float mish_(float x)
{
    float e = exp_(x > 20.0f ? 20.0f : x), n = e * (e + 2.0f);
    return x > 20.0f ? x : x * (n / (n + 2.0f));
}

/* x to an integer power of at most 64, by squaring */
FN float powi_(float x, int n)
{
    float y = 1.0f;
    float square = x;
    for (int left = n < 0 ? -n : n; left > 0; left /= 2) {
        if (left % 2 == 1) y *= square;
        square *= square;
    }
    return n < 0 ? 1.0f / y : y;
}

/* xʸ as C's powf has it: 1 for y = 0 or x = 1; negative x only with integer y. Relative error about 1e-7 · |y
 * ln x|. */
FN float pow_(float x, float y)
{
    bool integer = ROUND(y) == y;
    if (y == 0.0f || x == 1.0f) return 1.0f;
    if (integer && ABS(y) <= 64.0f) return powi_(x, I32(y));
    if (y == 0.5f && x >= 0.0f) return SQRT(x);
    float r = exp_(y * log_(ABS(x)));
    bool odd = integer && ABS(y) < 16777216.0f && 2.0f * FLOOR(0.5f * y) != y;
    if (x < 0.0f) return integer || !IS_FINITE(x) ? (odd ? -r : r) : NAN_;
    return r;
}

#endif
