/* How a product's weights are stored: float32, or two of 16 bits in a word, the even one in the low half.
 * Kernels read them by WEIGHT and are built again for each type from one text: NAME_f16.k defines
 * STORED_F16, NAME_bf16.k STORED_BF16, and both include NAME.k. Only storage is of 16 bits: a weight is
 * widened, exactly, and all arithmetic is float32's. Widening is by bits, as languages may flush subnormals
 * in conversions of their own; OpenCL C, which must not, reads float16 by its own (HALF_AT). */
#ifndef KAS_KERNELS_STORED_H
#define KAS_KERNELS_STORED_H

#if defined(STORED_F16)
#define STORED_NAME(name) name##_f16
#elif defined(STORED_BF16)
#define STORED_NAME(name) name##_bf16
#else
#define STORED_NAME(name) name
#endif

#if defined(STORED_F16) || defined(STORED_BF16)
#define STORED            uint
#define STORED_COLUMNS(n) (((n) + 1) / 2 * 2) /* weights of a row of n: rows begin with a word */
#if defined(STORED_F16) && defined(HALF_AT)
#define WEIGHT(w, i) HALF_AT(w, i)
#else
#define WEIGHT(w, i) widened_((w[(i) >> 1] >> (((i)&1) * 16)) & 0xffffu)
#endif
#else
#define STORED            float
#define WEIGHT(w, i)      w[i]
#define STORED_COLUMNS(n) (n)
#endif

#if defined(STORED_F16) && !defined(HALF_AT)
/* Exponents are moved from a bias of 15 to one of 127; Inf and NaN stay such; what is subnormal here is
 * normal there. */
FN float widened_(uint half_bits)
{
    uint rest = half_bits & 0x7fffu, sign = (half_bits & 0x8000u) << 16;
    uint bits = (rest << 13) + (rest < 0x7c00u ? 0x38000000u : 0x70000000u);
    if (rest < 0x400u) bits = BITS(F32(rest) * 5.9604644775390625e-8f); /* 2⁻²⁴ */
    return FROM_BITS(bits | sign);
}
#elif defined(STORED_BF16)
FN float widened_(uint bfloat_bits)
{
    return FROM_BITS(bfloat_bits << 16);
}
#endif

#endif
