/* clang-format off: a table in a comment */
/* A warp's matrix products (PTX ISA, "Matrix Multiply-Accumulate Operation Using mma Instruction") and copies
 * that run beside them, for CUDA of compute capability 8.0 and later; and the same in C11, with which tests
 * run these kernels where there is no GPU: a group a call, or for finding races an item a call. Added to
 * kernels/dialect.h, included after it:
 *
 *   WARPS { MMA(acc, c, a, i, b, j); }   acc[c … c+3] += A B of each warp, whose lanes' fragments are in
 *                                        the PRIVATE arrays acc, a[i … i+3] and b[j, j+1]
 *   ASYNC_COPY16(to, from, bytes)        16 bytes to SHARED memory: `bytes` of them from global memory,
 *                                        the rest zero
 *   ASYNC_COPY4(to, from, bytes)         4 bytes, of which 4 or 0
 *   ASYNC_COMMIT; ASYNC_WAIT(n)          closes a set of copies; waits for all but the last n sets
 *
 * MMA is m16n8k16 of bfloat16 pairs, the even k in the low half, with STORED_BF16; m16n8k8 of TF32 without.
 * C11's side takes fragments apart by the manual's tables, written apart from the kernel's own indices so
 * that tests find a mistake in either, and copies only when they are waited for, so that a missing wait
 * shows: until then, and for the race checker after each SYNC anew, there are NaNs where a copy goes. */
/* clang-format on */
#ifndef KAS_KERNELS_CUDA_MMA_H
#define KAS_KERNELS_CUDA_MMA_H

#define WARP_ITEMS 32

#if defined(STORED_BF16)
#define MMA_DEPTH 16
#else
#define MMA_DEPTH 8
#endif

#if defined(__CUDACC__)

#define WARPS
#define NO_UNROLL               _Pragma("unroll 1")
#define MMA(acc, c, a, i, b, j) mma_(&acc[c], &a[i], &b[j])
#define ASYNC_STATE
#define ASYNC_COPY16(to, from, bytes) async_copy16_(&(to), &(from), bytes)
#define ASYNC_COPY4(to, from, bytes)  async_copy4_(&(to), &(from), bytes)
#define ASYNC_COMMIT                  asm volatile("cp.async.commit_group;" ::: "memory")
#define ASYNC_WAIT(n)                 asm volatile("cp.async.wait_group %0;" ::"n"(n) : "memory")
#define ALIGNED16(n)                  (((unsigned long long)(n)&15) == 0)

FN uint shared_address_(const void *at)
{
    uint address;
    asm("{ .reg .u64 wide; cvta.to.shared.u64 wide, %1; cvt.u32.u64 %0, wide; }" : "=r"(address) : "l"(at));
    return address;
}

FN void async_copy16_(void *to, const void *from, int bytes)
{
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address_(to)), "l"(from),
                 "r"(bytes)
                 : "memory");
}

FN void async_copy4_(void *to, const void *from, int bytes)
{
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(shared_address_(to)), "l"(from),
                 "r"(bytes)
                 : "memory");
}

/* Two numbers as bfloat16, to nearest even. */
FN uint bfloat_pair(float low, float high)
{
    uint pair;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
    return pair;
}

/* To nearest, ties away from zero: the only rounding to TF32 that compute capability 8.0 has. */
FN uint tf32_of(float x)
{
    uint bits;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
    return bits;
}

FN void mma_(float *c, const uint *a, const uint *b)
{
#if defined(STORED_BF16)
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
    asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}

#else /* ---- C11 ---- */
#include <stddef.h>
#include <stdint.h>

#define NO_UNROLL
#define ASYNC_STATE                   async_copies copies_ = {.first = 0};
#define ASYNC_COPY16(to, from, bytes) async_copy_(&copies_, &(to), &(from), 16, bytes)
#define ASYNC_COPY4(to, from, bytes)  async_copy_(&copies_, &(to), &(from), 4, bytes)
#define ASYNC_COMMIT                  async_commit_(&copies_)
#define ASYNC_WAIT(n)                 async_wait_(&copies_, n)
#define ALIGNED16(n)                  (((uintptr_t)(n)&15) == 0)

#if defined(CHECK_RACES)
bool kas_race_arrive(void); /* true for the last item of a warp */
void kas_race_meet(void);   /* returns when all of the warp have arrived */
#define WARPS
#define MMA(acc, c, a, i, b, j) mma_of_warp_(&acc[c], &a[i], &b[j])
#undef SYNC
#define SYNC        (kas_race_sync(), async_unsettle_(&copies_))
#define COPIES_MAX_ 32
#else
#define WARPS             for (int warp_ = 0; warp_ < WG / WARP_ITEMS; ++warp_)
#define LENGTH_OF_(array) ((int)(sizeof *(array) / sizeof **(array)))
#define MMA(acc, c, a, i, b, j)                                                                              \
    mma_(&acc[warp_ * WARP_ITEMS][c], LENGTH_OF_(acc), &a[warp_ * WARP_ITEMS][i], LENGTH_OF_(a),             \
         &b[warp_ * WARP_ITEMS][j], LENGTH_OF_(b))
#define COPIES_MAX_ 4096
#endif

enum { ASYNC_SETS = 4, ASYNC_COPIES = COPIES_MAX_ }; /* sets not yet waited for; copies of a set */

typedef struct async_copies {
    struct {
        void *to;
        const void *from;
        int size, bytes;
    } all[ASYNC_SETS][ASYNC_COPIES];
    int count[ASYNC_SETS];
    int first, open; /* sets `first` … `open` wait, modulo ASYNC_SETS; the last of them is not closed */
} async_copies;

/* What a place holds while a copy to it may still come in: NaNs in words of float32 and of any 16-bit type.
 */
static inline void unsettle_(void *to, int size)
{
    memset(to, 0xff, (size_t)size);
}

static inline void async_unsettle_(async_copies *copies)
{
    for (int set = copies->first; set <= copies->open; ++set)
        for (int i = 0; i < copies->count[set % ASYNC_SETS]; ++i)
            unsettle_(copies->all[set % ASYNC_SETS][i].to, copies->all[set % ASYNC_SETS][i].size);
}

static inline void async_copy_(async_copies *copies, void *to, const void *from, int size, int bytes)
{
    int set = copies->open % ASYNC_SETS, at = copies->count[set]++;
    if (at >= ASYNC_COPIES || bytes < 0 || bytes > size || (uintptr_t)to % (unsigned)size ||
        (uintptr_t)from % (unsigned)size)
        __builtin_trap(); /* as a device would */
    copies->all[set][at].to = to;
    copies->all[set][at].from = from;
    copies->all[set][at].size = size;
    copies->all[set][at].bytes = bytes;
    unsettle_(to, size);
}

static inline void async_commit_(async_copies *copies)
{
    if (copies->open + 1 - copies->first >= ASYNC_SETS) __builtin_trap();
    copies->count[++copies->open % ASYNC_SETS] = 0;
}

static inline void async_wait_(async_copies *copies, int but)
{
    for (; copies->open - copies->first > but; ++copies->first) {
        int set = copies->first % ASYNC_SETS;
        for (int i = 0; i < copies->count[set]; ++i) {
            (void)*(const volatile char *)copies->all[set][i].from; /* must exist, even for no bytes */
            memset(copies->all[set][i].to, 0, (size_t)copies->all[set][i].size);
            memcpy(copies->all[set][i].to, copies->all[set][i].from, (size_t)copies->all[set][i].bytes);
        }
    }
}

static inline uint bfloat_of_(float x)
{
    uint bits = BITS(x);
    if (x != x) return 0x7fffu;
    return (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
}

static inline uint bfloat_pair(float low, float high)
{
    return bfloat_of_(low) | bfloat_of_(high) << 16;
}

static inline uint tf32_of(float x)
{
    if (x != x) return 0x7fffffffu;
    return IS_FINITE(x) ? (BITS(x) + 0x1000u) & 0xffffe000u : BITS(x);
}

/* The manual's tables: where element e of lane's fragment stands in A [16, depth], B [depth, 8], C [16, 8].
 */
static inline float element_(const uint *fragment, int e)
{
#if defined(STORED_BF16)
    return FROM_BITS((fragment[e / 2] >> (e % 2 * 16)) << 16);
#else
    return FROM_BITS(fragment[e] & 0xffffe000u); /* the hardware reads no more bits */
#endif
}

static inline int a_row_(int lane, int e)
{
#if defined(STORED_BF16)
    return (e < 2 || (e >= 4 && e < 6)) ? lane >> 2 : (lane >> 2) + 8;
#else
    return (e == 0 || e == 2) ? lane >> 2 : (lane >> 2) + 8;
#endif
}

static inline int a_column_(int lane, int e)
{
#if defined(STORED_BF16)
    return (lane & 3) * 2 + (e & 1) + (e >= 4 ? 8 : 0);
#else
    return e < 2 ? lane & 3 : (lane & 3) + 4;
#endif
}

static inline int b_row_(int lane, int e)
{
#if defined(STORED_BF16)
    return (lane & 3) * 2 + (e & 1) + (e >= 2 ? 8 : 0);
#else
    return e == 0 ? lane & 3 : (lane & 3) + 4;
#endif
}

/* The first lane's fragments; the next lane's lie `stride` elements further on. */
static inline void mma_(float *c, int c_stride, const uint *a, int a_stride, const uint *b, int b_stride)
{
    enum { A_COUNT = 16 * MMA_DEPTH / WARP_ITEMS, B_COUNT = 8 * MMA_DEPTH / WARP_ITEMS };
    float left[16][MMA_DEPTH], right[MMA_DEPTH][8];
    for (int lane = 0; lane < WARP_ITEMS; ++lane) {
        for (int e = 0; e < A_COUNT; ++e)
            left[a_row_(lane, e)][a_column_(lane, e)] = element_(&a[lane * a_stride], e);
        for (int e = 0; e < B_COUNT; ++e)
            right[b_row_(lane, e)][lane >> 2] = element_(&b[lane * b_stride], e);
    }
    for (int lane = 0; lane < WARP_ITEMS; ++lane)
        for (int e = 0; e < 4; ++e) {
            int row = e < 2 ? lane >> 2 : (lane >> 2) + 8, column = (lane & 3) * 2 + (e & 1);
            float sum = c[lane * c_stride + e];
            for (int k = 0; k < MMA_DEPTH; ++k)
                sum += left[row][k] * right[k][column];
            c[lane * c_stride + e] = sum;
        }
}

#if defined(CHECK_RACES)
/* Each lane leaves its fragments, the last one computes for all. */
static inline void mma_of_warp_(float *c, const uint *a, const uint *b)
{
    enum { WARPS_MAX = 32, A_WORDS = 4, B_WORDS = 2, C_FLOATS = 4 };
    static struct {
        uint a[WARP_ITEMS][A_WORDS], b[WARP_ITEMS][B_WORDS];
        float c[WARP_ITEMS][C_FLOATS];
    } warps[WARPS_MAX];
    int warp = LID / WARP_ITEMS, lane = LID % WARP_ITEMS;
    memcpy(warps[warp].a[lane], a, sizeof warps[warp].a[lane]);
    memcpy(warps[warp].b[lane], b, sizeof warps[warp].b[lane]);
    memcpy(warps[warp].c[lane], c, sizeof warps[warp].c[lane]);
    if (kas_race_arrive())
        mma_(warps[warp].c[0], C_FLOATS, warps[warp].a[0], A_WORDS, warps[warp].b[0], B_WORDS);
    kas_race_meet();
    memcpy(c, warps[warp].c[lane], sizeof warps[warp].c[lane]);
}
#endif
#endif

#endif
