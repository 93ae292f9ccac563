#include "backends/opencl/symbols.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/log.h"

static pthread_once_t once = PTHREAD_ONCE_INIT; /* guards the writing of symbols */
static kas_opencl_symbols symbols;
static atomic_bool loaded; /* set once, after symbols */

static bool resolve(void *library, const char *name, void *slot)
{
    void *address = dlsym(library, name);
    if (!address) kas_debug("opencl", "libOpenCL.so.1 has no %s: OpenCL is not used", name);
    memcpy(slot, &address, sizeof address); /* a data pointer into a function pointer, as POSIX allows */
    return address != NULL;
}

static void load(void)
{
    void *library = dlopen("libOpenCL.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        kas_debug("opencl", "no OpenCL: %s", dlerror());
        return;
    }
    bool complete = true;
#define KAS_OPENCL_RESOLVE(name) complete = resolve(library, #name, &symbols.name) && complete;
    KAS_OPENCL_SYMBOLS(KAS_OPENCL_RESOLVE)
#undef KAS_OPENCL_RESOLVE
    atomic_store(&loaded,
                 complete); /* the library stays open for the life of the process: drivers start threads */
}

const kas_opencl_symbols *kas_opencl_load(void)
{
    pthread_once(&once, load);
    return kas_opencl_is_loaded() ? &symbols : NULL;
}

bool kas_opencl_is_loaded(void)
{
    return atomic_load(&loaded);
}
