/* OpenBLAS and oneDNN, as a client calls them that knows nothing of packing. */
#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/devices/contest.h"
#include "bench/devices/vendor.h"

enum { CBLAS_ROW_MAJOR = 101, CBLAS_NO_TRANSPOSE = 111, CBLAS_TRANSPOSE = 112 };

typedef void cblas_sgemm_fn(int order, int transpose_a, int transpose_b, int m, int n, int k, float alpha,
                            const float *a, int lda, const float *b, int ldb, float beta, float *c, int ldc);
typedef int dnnl_sgemm_fn(char transpose_a, char transpose_b, int64_t m, int64_t n, int64_t k, float alpha,
                          const float *a, int64_t lda, const float *b, int64_t ldb, float beta, float *c,
                          int64_t ldc);

static cblas_sgemm_fn *cblas_sgemm;
static dnnl_sgemm_fn *dnnl_sgemm;

/* The function of the first of these files that there is. */
static void open_first(const char *const *files, const char *symbol, const char *what, void *function)
{
    void *library = NULL, *address = NULL;
    for (; *files && !library; ++files)
        library = dlopen(*files, RTLD_NOW | RTLD_LOCAL);
    if (library) address = dlsym(library, symbol);
    if (!address) fprintf(stderr, "kas_device_bench: not beside %s: %s\n", what, dlerror());
    memcpy(function, &address, sizeof address); /* a data pointer into a function pointer, as POSIX allows */
}

static void open_libraries(uint32_t threads)
{
    static bool opened;
    if (opened) return;
    opened = true;
    char number[16];
    snprintf(number, sizeof number, "%u", threads);
    if (setenv("OPENBLAS_NUM_THREADS", number, 1) || setenv("OMP_NUM_THREADS", number, 1)) {
        perror("kas_device_bench: setenv");
        exit(1);
    }
    open_first((const char *const[]){"libopenblas.so.0", NULL}, "cblas_sgemm", "OpenBLAS", &cblas_sgemm);
    open_first((const char *const[]){"libdnnl.so.3", "libdnnl.so.2", NULL}, "dnnl_sgemm", "oneDNN",
               &dnnl_sgemm);
}

static void run_openblas(void *user)
{
    const product_case *of = user;
    cblas_sgemm(CBLAS_ROW_MAJOR, CBLAS_NO_TRANSPOSE, CBLAS_TRANSPOSE, (int)of->rows, (int)of->outputs,
                (int)of->inputs, 1, of->x, (int)of->inputs, of->w, (int)of->inputs, 0, of->y,
                (int)of->outputs);
}

static void run_onednn(void *user)
{
    const product_case *of = user;
    const int code = dnnl_sgemm('N', 'T', of->rows, of->outputs, of->inputs, 1, of->x, of->inputs, of->w,
                                of->inputs, 0, of->y, of->outputs);
    if (code) {
        fprintf(stderr, "kas_device_bench: dnnl_sgemm failed with %d\n", code);
        exit(1);
    }
}

size_t vendor_host_products(const product_case *of, uint32_t threads, vendor_run out[VENDOR_PRODUCTS_MAX])
{
    open_libraries(threads);
    size_t count = 0;
    const vendor_run both[] = {
        {cblas_sgemm ? "OpenBLAS" : NULL, run_openblas, free, NULL},
        {dnnl_sgemm ? "oneDNN" : NULL, run_onednn, free, NULL},
    };
    for (size_t i = 0; i < sizeof both / sizeof *both; ++i) {
        if (!both[i].name) continue;
        out[count] = both[i];
        out[count].user = must_alloc(sizeof *of);
        memcpy(out[count++].user, of, sizeof *of);
    }
    return count;
}
