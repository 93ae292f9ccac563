#include "backends/opencl/symbols.h"

#include <pthread.h>
#include <stdatomic.h>

#include "backends/core/library.h"

static pthread_once_t once = PTHREAD_ONCE_INIT; /* guards the writing of symbols */
static kas_opencl_symbols symbols;
static atomic_bool loaded; /* set once, after symbols */

#define KAS_OPENCL_NAME(function) {.name = #function, .slot = &symbols.function},

static void load(void)
{
    static const char *const names[] = {"libOpenCL.so.1", NULL};
    static const kas_symbol all[] = {
        KAS_OPENCL_SYMBOLS(KAS_OPENCL_NAME){
            .name = "clGetKernelSubGroupInfo", .slot = &symbols.clGetKernelSubGroupInfo, .optional = true},
    };
    atomic_store(&loaded, kas_library_load("opencl", names, all, sizeof all / sizeof *all));
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
