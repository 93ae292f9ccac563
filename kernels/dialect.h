/* One kernel source, four languages: CUDA C++, OpenCL C 1.2, GLSL 4.50, C11; and a fifth for finding races.
 *
 *   #define WG 256                      work items of a group, the number in kernels/kernels.h
 *   KERNEL(name) IN(0, uint, P) IN(1, float, X) OUT(2, float, Y) ARGS(some_args)
 *   SHARED(float, tile, 256)            memory of the group
 *   BODY {
 *       PRIVATE(float, acc, 4);         an item's own, lives across phases
 *       ITEMS { ... LID, MY(acc)[i] }   one phase: every work item of the group runs it
 *       SYNC;                           group barrier between phases
 *   } END
 *
 * With SUBGROUPS defined, OpenCL C and GLSL have a group's sub-groups too: SUBGROUP_ID says which one an item
 * belongs to, LANE its place there, and SHUFFLE_DOWN(x, n) is the x of the item n places on (beyond the last
 * one it is anything). How LANE goes with LID is the driver's matter.
 *
 * ITEMS_BELOW(n) { ... } is a phase of the group's first n items; on the host a loop of that length, which
 * compilers vectorise where they give up on a condition within.
 *
 * A kernel takes its buffers first, then ONE struct of 4-byte scalars, `args` (kernels/args.h). Groups are
 * one-dimensional; the grid is GROUP_X by GROUP_Y groups.
 *
 * What keeps a kernel valid in all of them: no pointers and no pointer arithmetic (helpers take values; what
 * works on arrays is a macro); conversions by F32(x), I32(x), U32(x); conditions are comparisons; no `return`
 * within ITEMS; values that depend on LID are computed anew in each phase (or PRIVATE); SYNC orders SHARED
 * memory only, so items never talk through buffers, and every item of a group reaches every SYNC; names that
 * GLSL reserves (half, input, output, filter, sample, buffer, active, common …) are avoided; a buffer is
 * bound once (IN and OUT must not alias; what is updated in place is one INOUT). */
#ifndef KAS_KERNELS_DIALECT_H
#define KAS_KERNELS_DIALECT_H
/* clang-format off: tables of macros, side by side */

#if defined(__CUDACC__) /* ---- CUDA: nvcc, NVRTC, clang ---- */
#define KERNEL(name)       extern "C" __global__ void __launch_bounds__(WG) name(
#define IN(i, T, n)  const T *__restrict__ n,
#define OUT(i, T, n) T *__restrict__ n,
#define ARGS(S)            const struct S args)                                                              \
    {
#define SHARED(T, n, len) __shared__ __align__(16) T n[len];
#define BODY
#define END }
#define FN  static __device__ __forceinline__
#define ITEMS
#define SYNC               __syncthreads()
#define PRIVATE(T, n, len) T n[len]
#define MY(n)              n
#define LID                ((int)threadIdx.x)
#define GROUP_X            ((int)blockIdx.x)
#define GROUP_Y            ((int)blockIdx.y)
#define UNROLL             _Pragma("unroll")
#define F32(x)             ((float)(x))
#define I32(x)             ((int)(x))
#define U32(x)             ((uint)(x))
#define BITS(x)            __float_as_uint(x)
#define FROM_BITS(u)       __uint_as_float(u)
#define SQRT(x)            sqrtf(x)
#define ABS(x)             fabsf(x)
#define FLOOR(x)           floorf(x)
#define CEIL(x)            ceilf(x)
#define ROUND(x)           rintf(x) /* half to even */
typedef unsigned int uint;          /* NVRTC has none */

#elif defined(__OPENCL_C_VERSION__) /* ---- OpenCL C 1.2 ---- */
#define KERNEL(name)       __kernel __attribute__((reqd_work_group_size(WG, 1, 1))) void name(
#define IN(i, T, n)  __global const T *restrict n,
#define OUT(i, T, n) __global T *restrict n,
#define ARGS(S)            const struct S args)                                                              \
    {
#define SHARED(T, n, len) __local T n[len];
#define BODY
#define END }
#define FN  inline
#define ITEMS
#define SYNC               barrier(CLK_LOCAL_MEM_FENCE)
#define PRIVATE(T, n, len) T n[len]
#define MY(n)              n
#define LID                ((int)get_local_id(0))
#define GROUP_X            ((int)get_group_id(0))
#define GROUP_Y            ((int)get_group_id(1))
#define UNROLL             __attribute__((opencl_unroll_hint))
#define F32(x)             ((float)(x))
#define I32(x)             ((int)(x))
#define U32(x)             ((uint)(x))
#define BITS(x)            as_uint(x)
#define FROM_BITS(u)       as_float(u)
#define SQRT(x)            sqrt(x)
#define ABS(x)             fabs(x)
#define FLOOR(x)           floor(x)
#define CEIL(x)            ceil(x)
#define ROUND(x)           rint(x)
#define HALF_AT(words, i)  vload_half((size_t)(i), (const __global half *)(words)) /* core; stored.h */
#ifdef SUBGROUPS
#ifdef cl_khr_subgroups
#pragma OPENCL EXTENSION cl_khr_subgroups : enable
#endif
#ifdef cl_khr_subgroup_shuffle_relative
#pragma OPENCL EXTENSION cl_khr_subgroup_shuffle_relative : enable
#endif
#define SUBGROUP_SIZE      ((int)get_max_sub_group_size()) /* that of each: they are full */
#define SUBGROUP_ID        ((int)get_sub_group_id())
#define LANE               ((int)get_sub_group_local_id())
#define SHUFFLE_DOWN(x, n) sub_group_shuffle_down(x, (uint)(n))
#endif

#elif defined(VULKAN) /* ---- GLSL 4.50 to SPIR-V: glslc ---- */
#extension GL_EXT_control_flow_attributes : require
#ifdef SUBGROUPS
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_shuffle_relative : require
#endif
#define KERNEL(name) layout(local_size_x = WG) in;
#define IN(i, T, n)                                                                                          \
    layout(std430, binding = i) restrict readonly buffer B##i                                                \
    {                                                                                                        \
        T n[];                                                                                               \
    };
#define OUT(i, T, n)                                                                                         \
    layout(std430, binding = i) restrict buffer B##i                                                         \
    {                                                                                                        \
        T n[];                                                                                               \
    };
#define ARGS(S)                                                                                              \
    layout(push_constant) uniform Push                                                                       \
    {                                                                                                        \
        S args;                                                                                              \
    };
#define SHARED(T, n, len) shared T n[len];
#define BODY              void main()
#define END
#define FN
#define ITEMS
#define SYNC               barrier()
#define PRIVATE(T, n, len) T n[len]
#define MY(n)              n
#define LID                int(gl_LocalInvocationID.x)
#define GROUP_X            int(gl_WorkGroupID.x)
#define GROUP_Y            int(gl_WorkGroupID.y)
#define UNROLL             [[unroll]]
#define SUBGROUP_SIZE      int(gl_SubgroupSize)
#define SUBGROUP_ID        int(gl_SubgroupID)
#define LANE               int(gl_SubgroupInvocationID)
#define SHUFFLE_DOWN(x, n) subgroupShuffleDown(x, uint(n))
#define F32(x)             float(x)
#define I32(x)             int(x)
#define U32(x)             uint(x)
#define BITS(x)            floatBitsToUint(x)
#define FROM_BITS(u)       uintBitsToFloat(u)
#define SQRT(x)            sqrt(x)
#define ABS(x)             abs(x)
#define FLOOR(x)           floor(x)
#define CEIL(x)            ceil(x)
#define ROUND(x)           roundEven(x)

#else /* ---- C11 ---- */
#include <math.h>
#include <stdbool.h>
#include <string.h>
#if !defined(__clang__)
/* What a PRIVATE array holds was written by the same items in an earlier phase; gcc does not see that. */
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#ifndef KERNEL_PREFIX /* of the functions' names: the build has one for each instruction set */
#define KERNEL_PREFIX kas_portable_
#endif
#define KERNEL_PASTE(prefix, name)  prefix##name
#define KERNEL_EXPAND(prefix, name) KERNEL_PASTE(prefix, name)
#define KERNEL_SYMBOL(name)         KERNEL_EXPAND(KERNEL_PREFIX, name)
/* The function's parameters: which group, the buffers, the argument struct. */
#define KERNEL_PARAMETERS           (int gx_, int gy_, void *const *buffers_, const void *args_)
#define OUT(i, T, n)                T *RESTRICT n = (T *)buffers_[i];
#define IN(i, T, n)                                                                                          \
    const T *RESTRICT n = (const T *)buffers_[i];                                                            \
    (void)n; /* not every kernel looks at the parameters */
#define ARGS(S)                                                                                              \
    struct S args;                                                                                           \
    memcpy(&args, args_, sizeof args);                                                                       \
    (void)gx_;                                                                                               \
    (void)gy_;
#define BODY
#define END          }
#define FN           static inline
#define GROUP_X      gx_
#define GROUP_Y      gy_
#define F32(x)       ((float)(x))
#define I32(x)       ((int)(x))
#define U32(x)       ((uint)(x))
#define BITS(x)      kernel_bits_of(x)
#define FROM_BITS(u) kernel_from_bits(u)
#define SQRT(x)      sqrtf(x)
#define ABS(x)       fabsf(x)
#define FLOOR(x)     floorf(x)
#define CEIL(x)      ceilf(x)
#define ROUND(x)     rintf(x)
#define RAISE(flag)  __atomic_store_n(&(flag), 1u, __ATOMIC_RELAXED)
typedef unsigned int uint;

static inline uint kernel_bits_of(float x)
{
    uint bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline float kernel_from_bits(uint bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

#if defined(CHECK_RACES) /* a work item is a fiber of tests/conformance/race.h: one call runs one item of a  \
                            group */
void kas_race_sync(void);
int kas_race_item(void);
#define RESTRICT
#define KERNEL(name)                                                                                         \
    void KERNEL_SYMBOL(name) KERNEL_PARAMETERS;                                                              \
    void KERNEL_SYMBOL(name) KERNEL_PARAMETERS                                                               \
    {
#define SHARED(T, n, len) static T n[len];
#define ITEMS
#define SYNC               kas_race_sync()
#define PRIVATE(T, n, len) T n[len]
#define MY(n)              n
#define LID                kas_race_item()
#define UNROLL
#else /* one call runs one group */
#define RESTRICT restrict
#define KERNEL(name)                                                                                         \
    void KERNEL_SYMBOL(name) KERNEL_PARAMETERS;                                                              \
    void KERNEL_SYMBOL(name) KERNEL_PARAMETERS                                                               \
    {
#define SHARED(T, n, len)  T n[len];
#define ITEMS              for (int lid_ = 0; lid_ < WG; ++lid_)
#define ITEMS_BELOW(n)     for (int lid_ = 0, below_ = (n) < WG ? (n) : WG; lid_ < below_; ++lid_)
#define SYNC               ((void)0)
#define PRIVATE(T, n, len) T n[WG][len]
#define MY(n)              n[lid_]
#define LID                lid_
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 64")
#endif
#endif
#endif

#ifndef ITEMS_BELOW
#define ITEMS_BELOW(n) if (LID < (n))
#endif
#define INOUT(i, T, n) OUT(i, T, n)
#define INFINITY_      FROM_BITS(0x7f800000u)
#define NAN_           FROM_BITS(0x7fc00000u)
#ifndef RAISE /* sets a word of a buffer to 1; any number of items may do so at once */
#define RAISE(flag) (flag) = 1u
#endif
/* By bits: no compiler's idea of NaN comes into it. */
#define IS_FINITE(x) ((BITS(x) & 0x7f800000u) != 0x7f800000u)

#endif
