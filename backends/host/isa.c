#include "backends/host/isa.h"

#include <stdbool.h>
#include <string.h>

#include "backends/host/driver.h"

static bool always(void)
{
    return true;
}

#if defined(__x86_64__)
static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static bool has_avx512(void)
{
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq");
}
#endif

static const struct {
    const kas_host_isa *isa;
    bool (*available)(void); /* asks the processor and, by XGETBV, the operating system */
} built_in[] = {
/* best first */
#if defined(__x86_64__)
    {&kas_avx512_isa, has_avx512},
    {&kas_avx2_isa, has_avx2},
    {&kas_sse2_isa, always},
#elif defined(__aarch64__)
    {&kas_neon_isa, always},
#endif
    {&kas_portable_isa, always},
};

enum { BUILT_IN = sizeof built_in / sizeof *built_in };

const char *kas_host_isa_name(size_t index)
{
    for (size_t i = 0; i < BUILT_IN; ++i)
        if (built_in[i].available() && index-- == 0) return built_in[i].isa->name;
    return NULL;
}

kas_status kas_host_isa_choose(const char *name, const kas_host_isa **out)
{
    for (size_t i = 0; i < BUILT_IN; ++i) {
        if (name && *name && strcmp(name, built_in[i].isa->name) != 0) continue;
        if (!built_in[i].available()) continue;
        *out = built_in[i].isa;
        return NULL;
    }
    return kas_fail(
        KAS_UNSUPPORTED, CALLER,
        "KASMINA_HOST_ISA is \"%.32s\", which this processor or build does not have; the best it has is "
        "\"%s\": unset the variable to use that",
        name, kas_host_isa_name(0));
}
