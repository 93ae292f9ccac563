#include "kernels/kernels.h"

#define CHECK_SIZE(name, buffers, args, items)                                                               \
    _Static_assert(sizeof(struct args) <= KAS_KERNEL_MAX_ARGS && sizeof(struct args) % 4 == 0,               \
                   #args ": 4-byte members, as push constants take them");                                   \
    _Static_assert((buffers) >= 2 && (buffers) <= KAS_KERNEL_MAX_BUFFERS, #name ": parameters and an "       \
                                                                                "output");
KAS_KERNELS(CHECK_SIZE)
#undef CHECK_SIZE

static const kas_kernel_info infos[KAS_KERNEL_COUNT] = {
#define INFO(name, buffers, args, items) [KAS_KERNEL_##name] = {#name, buffers, sizeof(struct args), items},
    KAS_KERNELS(INFO)
#undef INFO
};

/* In the table, the types of a kernel follow each other as kas_weight_type has them. */
#define CHECK_TYPES(name)                                                                                    \
    _Static_assert(KAS_KERNEL_##name##_f16 == KAS_KERNEL_##name + KAS_WEIGHT_F16 &&                          \
                       KAS_KERNEL_##name##_bf16 == KAS_KERNEL_##name + KAS_WEIGHT_BF16,                      \
                   #name ": its types, in order")
CHECK_TYPES(linear);
CHECK_TYPES(linear_blend);
CHECK_TYPES(conv);
#undef CHECK_TYPES

const kas_kernel_info *kas_kernel_get_info(kas_kernel kernel)
{
    return &infos[kernel];
}

const char *kas_weight_type_name(kas_weight_type type)
{
    static const char *const names[] = {"f32", "f16", "bf16"};
    return names[type];
}

kas_kernel kas_kernel_over(kas_kernel kernel, kas_weight_type type)
{
    return (kas_kernel)((int)kernel + (int)type);
}

kas_weight_type kas_kernel_weight_type(kas_kernel kernel)
{
    switch (kernel) {
    case KAS_KERNEL_linear_f16:
    case KAS_KERNEL_linear_blend_f16:
    case KAS_KERNEL_conv_f16:
        return KAS_WEIGHT_F16;
    case KAS_KERNEL_linear_bf16:
    case KAS_KERNEL_linear_blend_bf16:
    case KAS_KERNEL_conv_bf16:
        return KAS_WEIGHT_BF16;
    default:
        return KAS_WEIGHT_F32;
    }
}

bool kas_kernel_is_linear(kas_kernel kernel)
{
    return kernel >= KAS_KERNEL_linear && kernel <= KAS_KERNEL_linear_bf16;
}

bool kas_kernel_has_subgroups(kas_kernel kernel)
{
    return kernel == KAS_KERNEL_softmax || kernel == KAS_KERNEL_layernorm;
}
