#include "backends/cuda/symbols.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

static pthread_once_t once = PTHREAD_ONCE_INIT; /* guards the writing of symbols */
static kas_cuda_symbols symbols;
static atomic_bool loaded;

static bool resolve(void *library, const char *name, void *slot)
{
    void *address = dlsym(library, name);
    if (!address) kas_debug("cuda", "the driver has no %s: CUDA is not used", name);
    memcpy(slot, &address, sizeof address); /* a data pointer into a function pointer, as POSIX allows */
    return address != NULL;
}

static void load(void)
{
    const char *other = getenv("KASMINA_CUDA_DRIVER");
    void *library = dlopen(other ? other : "libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        kas_debug("cuda", "no CUDA: %s", dlerror());
        return;
    }
    bool complete = true;
#define KAS_CUDA_RESOLVE(member, symbol, parameters)                                                         \
    complete = resolve(library, #symbol, &symbols.member) && complete;
    KAS_CUDA_SYMBOLS(KAS_CUDA_RESOLVE)
#undef KAS_CUDA_RESOLVE
    if (!complete) return;
    cuda_code code = symbols.init(0);
    if (code != CUDA_SUCCESS) kas_debug("cuda", "cuInit: CUDA error %d: CUDA is not used", (int)code);
    atomic_store(
        &loaded,
        code == CUDA_SUCCESS); /* the library stays open for the life of the process: it starts threads */
}

const kas_cuda_symbols *kas_cuda_load(void)
{
    pthread_once(&once, load);
    return kas_cuda_is_loaded() ? &symbols : NULL;
}

bool kas_cuda_is_loaded(void)
{
    return atomic_load(&loaded);
}
