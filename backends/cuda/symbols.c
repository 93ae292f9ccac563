#include "backends/cuda/symbols.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "backends/core/library.h"
#include "base/log.h"

static pthread_once_t once = PTHREAD_ONCE_INIT; /* guards the writing of symbols */
static kas_cuda_symbols symbols;
static atomic_bool loaded; /* set once, after symbols */

#define KAS_CUDA_NAME(member, symbol, parameters) {.name = #symbol, .slot = &symbols.member},

static void load(void)
{
    static const kas_symbol all[] = {KAS_CUDA_SYMBOLS(KAS_CUDA_NAME)};
    const char *other = getenv("KASMINA_CUDA_DRIVER");
    const char *const names[] = {other ? other : "libcuda.so.1", NULL};
    if (!kas_library_load("cuda", names, all, sizeof all / sizeof *all)) return;
    cuda_code code = symbols.init(0);
    if (code != CUDA_SUCCESS) kas_debug("cuda", "cuInit: CUDA error %d: CUDA is not used", (int)code);
    atomic_store(&loaded, code == CUDA_SUCCESS);
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
