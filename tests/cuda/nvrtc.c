/* A test double of NVRTC. Its PTX has a kernel's entry and nothing else, which is all that the driver's
 * double reads; it looks whether it is given the portable source, for the device at hand. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cuda/mma_kernels.h"
#include "tests/cuda/double.h"

#define EXPORT __attribute__((visibility("default")))

enum { SUCCESS = 0, OUT_OF_MEMORY = 1, COMPILATION = 6, INTERNAL = 11 };

typedef struct program {
    const char *name;
    char ptx[2048];
} program;

EXPORT int nvrtcCreateProgram(program **out, const char *source, const char *name, int headers,
                              const char *const *texts, const char *const *names);
EXPORT int nvrtcDestroyProgram(program **p);
EXPORT int nvrtcCompileProgram(program *p, int count, const char *const *options);
EXPORT int nvrtcGetProgramLogSize(program *p, size_t *bytes);
EXPORT int nvrtcGetProgramLog(program *p, char *text);
EXPORT int nvrtcGetPTXSize(program *p, size_t *bytes);
EXPORT int nvrtcGetPTX(program *p, char *text);

#define ENTER                                                                                                \
    do {                                                                                                     \
        cuda_code fault_;                                                                                    \
        if (!double_may_go_on(__func__, &fault_))                                                            \
            return fault_ == CUDA_ERROR_OUT_OF_MEMORY ? OUT_OF_MEMORY : COMPILATION;                         \
    } while (0)

static const struct {
    const char *name;
    int buffers, group;
    size_t args;
} kernels[] = {
#define KERNEL_ENTRY(name, buffers, args, items) {#name, buffers, items, sizeof(struct args)},
    KAS_KERNELS(KERNEL_ENTRY)
#undef KERNEL_ENTRY
#define KERNEL_ENTRY(name, weights, rows, items) {#name, 5, items, sizeof(struct linear_args)},
        KAS_MMA_KERNELS(KERNEL_ENTRY)
#undef KERNEL_ENTRY
};

static void write_ptx(program *p, size_t kernel)
{
    int at = snprintf(p->ptx, sizeof p->ptx, "//\n.version 7.0\n.visible .entry %s(\n", p->name);
    for (int b = 0; b < kernels[kernel].buffers; ++b)
        at += snprintf(p->ptx + at, sizeof p->ptx - (size_t)at, ".param .u64 p%d,\n", b);
    snprintf(p->ptx + at, sizeof p->ptx - (size_t)at,
             ".param .align 4 .b8 args[%zu]\n)\n.maxntid %d, 1, 1\n{\n}\n", kernels[kernel].args,
             kernels[kernel].group);
}

/* NAME.k itself, or NAME_f16.k and the like, which include it (kernels/stored.h), or of a tensor-core kernel
 * its definition of MMA_NAME. */
static bool is_source_of(const char *source, const char *name)
{
    char plain[80], stored[80], mma[80];
    const char *type = strstr(name, "_bf16") ? strstr(name, "_bf16") : strstr(name, "_f16");
    int length = type ? (int)(type - name) : (int)strlen(name);
    snprintf(plain, sizeof plain, "KERNEL(%s)", name);
    snprintf(stored, sizeof stored, "KERNEL(STORED_NAME(%.*s))", length, name);
    snprintf(mma, sizeof mma, "#define MMA_NAME %s\n", name);
    return strstr(source, mma) || strstr(source, plain) || strstr(source, stored);
}

int nvrtcCreateProgram(program **out, const char *source, const char *name, int headers,
                       const char *const *texts, const char *const *names)
{
    ENTER;
    if (headers || texts || names || !is_source_of(source, name)) return INTERNAL;
    *out = calloc(1, sizeof **out);
    if (!*out) return OUT_OF_MEMORY;
    (*out)->name = name;
    return SUCCESS;
}

int nvrtcDestroyProgram(program **p)
{
    free(*p);
    *p = NULL;
    return SUCCESS;
}

int nvrtcCompileProgram(program *p, int count, const char *const *options)
{
    ENTER;
    if (count < 1 || strcmp(options[0], "--gpu-architecture=compute_90") != 0) return INTERNAL;
    for (size_t i = 0; i < sizeof kernels / sizeof *kernels; ++i)
        if (strcmp(kernels[i].name, p->name) == 0) write_ptx(p, i);
    return *p->ptx ? SUCCESS : INTERNAL;
}

int nvrtcGetProgramLogSize(program *p, size_t *bytes)
{
    ENTER;
    (void)p;
    *bytes = sizeof "the double's log";
    return SUCCESS;
}

int nvrtcGetProgramLog(program *p, char *text)
{
    ENTER;
    (void)p;
    memcpy(text, "the double's log", sizeof "the double's log");
    return SUCCESS;
}

int nvrtcGetPTXSize(program *p, size_t *bytes)
{
    ENTER;
    *bytes = strlen(p->ptx) + 1;
    return SUCCESS;
}

int nvrtcGetPTX(program *p, char *text)
{
    ENTER;
    memcpy(text, p->ptx, strlen(p->ptx) + 1);
    return SUCCESS;
}
