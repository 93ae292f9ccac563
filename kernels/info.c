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

const kas_kernel_info *kas_kernel_get_info(kas_kernel kernel)
{
    return &infos[kernel];
}
