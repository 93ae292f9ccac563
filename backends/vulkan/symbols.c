#include "backends/vulkan/symbols.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/log.h"

static pthread_once_t once = PTHREAD_ONCE_INIT; /* guards the writing of symbols */
static kas_vulkan_symbols symbols;
static atomic_bool loaded; /* set once, after symbols */

static bool resolve(void *library, const char *name, void *slot)
{
    void *address = dlsym(library, name);
    if (!address) kas_debug("vulkan", "libvulkan.so.1 has no %s: Vulkan is not used", name);
    memcpy(slot, &address, sizeof address); /* a data pointer into a function pointer, as POSIX allows */
    return address != NULL;
}

static void load(void)
{
    void *library = dlopen("libvulkan.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        kas_debug("vulkan", "no Vulkan: %s", dlerror());
        return;
    }
    bool complete = true;
#define KAS_VULKAN_RESOLVE(name) complete = resolve(library, #name, &symbols.name) && complete;
    KAS_VULKAN_SYMBOLS(KAS_VULKAN_RESOLVE)
#undef KAS_VULKAN_RESOLVE
    atomic_store(&loaded,
                 complete); /* the library stays open for the life of the process: drivers start threads */
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
