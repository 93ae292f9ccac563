/* The device kernels: one operator each, one source for every backend (kernels/<name>.k, in the dialect of
 * kernels/dialect.h). This table is what host code knows of them; kernels/args.h has their argument structs.
 */
#ifndef KAS_KERNELS_H
#define KAS_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/args.h"

enum {
    KAS_KERNEL_MAX_BUFFERS = 8,
    KAS_KERNEL_MAX_ARGS = 128 /* bytes: every Vulkan device's push constants */
};

/* X(name, number of buffers, argument struct, work items of a group). Buffer 0 is always the parameter block;
 * the last buffer is the (first) output; what the others are stands at the head of kernels/<name>.k.
 * kernels/CMakeLists.txt reads the names from here: one line a kernel. */
#define KAS_KERNELS(X)                                                                                       \
    X(linear, 5, linear_args, 256)     /* Y = act(X Wᵀ + b) */                                             \
    X(linear_f16, 5, linear_args, 256) /* the same over weights of each other type */                        \
    X(linear_bf16, 5, linear_args, 256)                                                                      \
    X(linear_blend, 7, linear_args, 256) /* Y = c act(X Wᵀ + b) + Σ wᵢ Kᵢ, by row */                  \
    X(linear_blend_f16, 7, linear_args, 256)                                                                 \
    X(linear_blend_bf16, 7, linear_args, 256)                                                                \
    X(judge, 4, judge_args, 128)           /* which contributions failed on which row; c and wᵢ */         \
    X(blend, 5, blend_args, 256)           /* Y = c B + Σ wᵢ Kᵢ, by row */                              \
    X(unary, 3, unary_args, 256)           /* Y = act(X) */                                                  \
    X(binary, 4, binary_args, 256)         /* Y = act(A ∘ B), broadcast */                                 \
    X(where, 5, where_args, 256)           /* Y = C ? A : B, broadcast */                                    \
    X(strided, 3, strided_args, 256)       /* moves elements between strided views */                        \
    X(matmul, 4, matmul_args, 64)          /* Y = A B, both activations */                                   \
    X(softmax, 3, softmax_args, 64)        /* along the innermost dimension */                               \
    X(softmax_across, 3, softmax_args, 64) /* along another one */                                           \
    X(reduce, 3, reduce_args, 64)          /* along the innermost dimension */                               \
    X(reduce_across, 3, reduce_args, 64)   /* along another one */                                           \
    X(layernorm, 5, layernorm_args, 64)    /* LayerNorm, RMSNorm */                                          \
    X(conv, 5, conv_args, 64)              /* Y = act(X ⋆ W + b) */                                        \
    X(conv_f16, 5, conv_args, 64)                                                                            \
    X(conv_bf16, 5, conv_args, 64)                                                                           \
    X(pool, 3, pool_args, 256)     /* average, maximum */                                                    \
    X(gather, 4, gather_args, 256) /* by a constant list */                                                  \
    X(pad, 3, pad_args, 256)       /* constant padding */

typedef enum kas_kernel {
#define KAS_KERNEL_ENUM(name, buffers, args, items) KAS_KERNEL_##name,
    KAS_KERNELS(KAS_KERNEL_ENUM)
#undef KAS_KERNEL_ENUM
        KAS_KERNEL_COUNT
} kas_kernel;

/* How weights are stored; kernels/stored.h. */
typedef enum kas_weight_type {
    KAS_WEIGHT_F32 = 0,
    KAS_WEIGHT_F16,  /* IEEE 754 binary16, two in a word */
    KAS_WEIGHT_BF16, /* the upper half of a float32, two in a word */
    KAS_WEIGHT_TYPES
} kas_weight_type;

typedef struct kas_kernel_info {
    const char *name;
    uint32_t buffers;
    uint32_t args_bytes;
    uint32_t group_items;
} kas_kernel_info;

const kas_kernel_info *kas_kernel_get_info(kas_kernel kernel);

const char *kas_weight_type_name(kas_weight_type type); /* "bf16" */
/* Of linear, linear_blend and conv: the same over weights of that type. */
kas_kernel kas_kernel_over(kas_kernel kernel, kas_weight_type type);
/* The type of a kernel's weights; F32 for those that have none. */
kas_weight_type kas_kernel_weight_type(kas_kernel kernel);
/* Whether it is linear, over weights of any type. */
bool kas_kernel_is_linear(kas_kernel kernel);

/* Whether it reads otherwise with SUBGROUPS defined: it reduces by GROUP_REDUCE (group_reduce.h). */
bool kas_kernel_has_subgroups(kas_kernel kernel);

/* The kernel's source with all that it includes pasted in, as OpenCL and NVRTC compile it; NUL-terminated,
 * static. */
const char *kas_kernel_source(kas_kernel kernel, size_t *length);

#endif
