#include "backends/vulkan/symbols.h"

#include <pthread.h>
#include <stdatomic.h>

#include "backends/core/library.h"

static pthread_once_t once = PTHREAD_ONCE_INIT; /* guards the writing of symbols */
static kas_vulkan_symbols symbols;
static atomic_bool loaded; /* set once, after symbols */

#define KAS_VULKAN_NAME(function) {.name = #function, .slot = &symbols.function},

static void load(void)
{
    static const char *const names[] = {"libvulkan.so.1", NULL};
    static const kas_symbol all[] = {KAS_VULKAN_SYMBOLS(KAS_VULKAN_NAME)};
    atomic_store(&loaded, kas_library_load("vulkan", names, all, sizeof all / sizeof *all));
}

const kas_vulkan_symbols *kas_vulkan_load(void)
{
    pthread_once(&once, load);
    return kas_vulkan_is_loaded() ? &symbols : NULL;
}

bool kas_vulkan_is_loaded(void)
{
    return atomic_load(&loaded);
}
