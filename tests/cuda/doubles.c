#include "tests/cuda/doubles.h"

#include <criterion/criterion.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

struct doubles doubles;

static void find(void *library, const char *name, void *slot)
{
    void *address = dlsym(library, name);
    cr_assert_not_null(address, "%s", name);
    memcpy(slot, &address, sizeof address);
}

void use_doubles(void)
{
    setenv("KASMINA_CUDA_DRIVER", CUDA_DOUBLE, 1);
    setenv("KASMINA_CUBLASLT", CUBLASLT_DOUBLE, 1);
    setenv("KASMINA_NVRTC", NVRTC_DOUBLE, 1);
    void *library = dlopen(CUDA_DOUBLE, RTLD_NOW | RTLD_LOCAL);
    cr_assert_not_null(library, "%s", dlerror());
#define FIND(name) find(library, "double_" #name, &doubles.name);
    DOUBLE_FUNCTIONS(FIND)
#undef FIND
}

double_counts counts(void)
{
    double_counts now;
    doubles.count(&now);
    return now;
}
