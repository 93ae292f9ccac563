/* A vector of floats as the processor has it, so that the product is written once. vec_madd is one fused
 * multiply-add where the instruction set has it, and a product and a sum elsewhere: never a compiler's
 * choice. */
#ifndef KAS_HOST_VECTOR_H
#define KAS_HOST_VECTOR_H

#if defined(__AVX512F__)
#include <immintrin.h>
typedef __m512 vec;
enum { VEC_FLOATS = 16, TILE_ROWS = 12 }; /* 24 of 32 registers hold sums */

static inline vec vec_zero(void)
{
    return _mm512_setzero_ps();
}
static inline vec vec_load(const float *from)
{
    return _mm512_loadu_ps(from);
}
static inline void vec_store(float *to, vec v)
{
    _mm512_storeu_ps(to, v);
}
static inline vec vec_splat(float x)
{
    return _mm512_set1_ps(x);
}
static inline vec vec_add(vec a, vec b)
{
    return _mm512_add_ps(a, b);
}
static inline vec vec_mul(vec a, vec b)
{
    return _mm512_mul_ps(a, b);
}
static inline vec vec_madd(vec a, vec b, vec sum)
{
    return _mm512_fmadd_ps(a, b, sum);
}
static inline int vec_any_nan(vec v)
{
    return _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q) != 0;
}

#elif defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>
typedef __m256 vec;
enum { VEC_FLOATS = 8, TILE_ROWS = 6 }; /* 12 of 16 registers */

static inline vec vec_zero(void)
{
    return _mm256_setzero_ps();
}
static inline vec vec_load(const float *from)
{
    return _mm256_loadu_ps(from);
}
static inline void vec_store(float *to, vec v)
{
    _mm256_storeu_ps(to, v);
}
static inline vec vec_splat(float x)
{
    return _mm256_set1_ps(x);
}
static inline vec vec_add(vec a, vec b)
{
    return _mm256_add_ps(a, b);
}
static inline vec vec_mul(vec a, vec b)
{
    return _mm256_mul_ps(a, b);
}
static inline vec vec_madd(vec a, vec b, vec sum)
{
    return _mm256_fmadd_ps(a, b, sum);
}
static inline int vec_any_nan(vec v)
{
    return _mm256_movemask_ps(_mm256_cmp_ps(v, v, _CMP_UNORD_Q)) != 0;
}

#elif defined(__SSE2__)
#include <emmintrin.h>
typedef __m128 vec;
enum { VEC_FLOATS = 4, TILE_ROWS = 5 }; /* 10 of 16 registers, as a product needs one of its own */

static inline vec vec_zero(void)
{
    return _mm_setzero_ps();
}
static inline vec vec_load(const float *from)
{
    return _mm_loadu_ps(from);
}
static inline void vec_store(float *to, vec v)
{
    _mm_storeu_ps(to, v);
}
static inline vec vec_splat(float x)
{
    return _mm_set1_ps(x);
}
static inline vec vec_add(vec a, vec b)
{
    return _mm_add_ps(a, b);
}
static inline vec vec_mul(vec a, vec b)
{
    return _mm_mul_ps(a, b);
}
static inline vec vec_madd(vec a, vec b, vec sum)
{
    return _mm_add_ps(sum, _mm_mul_ps(a, b));
}
static inline int vec_any_nan(vec v)
{
    return _mm_movemask_ps(_mm_cmpunord_ps(v, v)) != 0;
}

#elif defined(__ARM_NEON)
#include <arm_neon.h>
typedef float32x4_t vec;
enum { VEC_FLOATS = 4, TILE_ROWS = 12 }; /* 24 of 32 registers */

static inline vec vec_zero(void)
{
    return vdupq_n_f32(0.0f);
}
static inline vec vec_load(const float *from)
{
    return vld1q_f32(from);
}
static inline void vec_store(float *to, vec v)
{
    vst1q_f32(to, v);
}
static inline vec vec_splat(float x)
{
    return vdupq_n_f32(x);
}
static inline vec vec_add(vec a, vec b)
{
    return vaddq_f32(a, b);
}
static inline vec vec_mul(vec a, vec b)
{
    return vmulq_f32(a, b);
}
static inline vec vec_madd(vec a, vec b, vec sum)
{
    return vfmaq_f32(sum, a, b);
}
static inline int vec_any_nan(vec v)
{
    return vminvq_u32(vceqq_f32(v, v)) == 0;
}
#else
#error "no vectors on this processor: leave KAS_HOST_PACKED undefined"
#endif

enum { PANEL = 2 * VEC_FLOATS }; /* outputs of one panel of packed weights */

#endif
