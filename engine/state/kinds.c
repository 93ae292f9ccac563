#include "engine/state/kinds.h"

#include <stddef.h>
#include <string.h>

static const struct {
    const char *name;
    uint32_t bit;
} kinds[] = {
    {"cpu", KAS_KIND_CPU},
    {"cuda", KAS_KIND_CUDA},
    {"opencl", KAS_KIND_OPENCL},
    {"vulkan", KAS_KIND_VULKAN},
};

/* The bit of a name; `otherwise` where there is no such kind. */
static uint32_t find(const char *name, uint32_t otherwise)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; ++i)
        if (!strcmp(kinds[i].name, name)) return kinds[i].bit;
    return otherwise;
}

uint32_t kas_kind_of_device(const char *kind)
{
    return find(kind, KAS_KIND_OTHER);
}

uint32_t kas_kinds_required(const char *word)
{
    return strcmp(word, "gpu") ? find(word, KAS_KIND_UNKNOWN) : KAS_KIND_GPU;
}

const char *kas_kind_name(uint32_t kind)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; ++i)
        if (kinds[i].bit == kind) return kinds[i].name;
    return "of another kind";
}
