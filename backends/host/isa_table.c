/* The kernels of one instruction set; built once for each, with its compiler flags. ISA is its name. */
#include "backends/host/isa.h"

#define PASTE(a, b)    a##b
#define EXPAND(a, b)   PASTE(a, b)
#define SYMBOL(name)   EXPAND(KERNEL_PREFIX, name)
#define TEXT(a)        #a
#define EXPAND_TEXT(a) TEXT(a)

#define DECLARE(name, buffers, args, items) kas_host_group SYMBOL(name);
KAS_KERNELS(DECLARE)
#undef DECLARE

#ifdef KAS_HOST_PACKED
#include "backends/host/packed.h"
#define PLANS                                                                                                \
    .panel_columns = PANEL,                                                                                  \
    .plans = {[KAS_KERNEL_linear] = SYMBOL(plan_product),                                                    \
              [KAS_KERNEL_linear_blend] = SYMBOL(plan_product),                                              \
              [KAS_KERNEL_judge] = SYMBOL(plan_judge),                                                       \
              [KAS_KERNEL_blend] = SYMBOL(plan_blend)},
#else
#define PLANS
#endif

const kas_host_isa SYMBOL(isa) = {
    .name = EXPAND_TEXT(ISA),
    PLANS.groups =
        {
#define GROUP(name, buffers, args, items) [KAS_KERNEL_##name] = SYMBOL(name),
            KAS_KERNELS(GROUP)
#undef GROUP
        },
};
