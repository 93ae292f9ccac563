/* The binary interface is declared here (NVRTC documentation, 11.2 and later): no header is needed to build.
 */
#include "backends/cuda/nvrtc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/core/library.h"
#include "base/alloc.h"

typedef struct nvrtc_program_object *nvrtc_program;
typedef int nvrtc_code; /* nvrtcResult; 0: success */
enum { NVRTC_OUT_OF_MEMORY = 1 };

#define NVRTC_SYMBOLS(X)                                                                                     \
    X(create, nvrtcCreateProgram,                                                                            \
      (nvrtc_program * program, const char *source, const char *name, int headers, const char *const *texts, \
       const char *const *names))                                                                            \
    X(destroy, nvrtcDestroyProgram, (nvrtc_program * program))                                               \
    X(compile, nvrtcCompileProgram, (nvrtc_program program, int count, const char *const *options))          \
    X(log_size, nvrtcGetProgramLogSize, (nvrtc_program program, size_t * bytes))                             \
    X(log, nvrtcGetProgramLog, (nvrtc_program program, char *text))                                          \
    X(ptx_size, nvrtcGetPTXSize, (nvrtc_program program, size_t * bytes))                                    \
    X(ptx, nvrtcGetPTX, (nvrtc_program program, char *text))

typedef struct nvrtc_symbols {
#define NVRTC_MEMBER(member, symbol, parameters) nvrtc_code(*member) parameters;
    NVRTC_SYMBOLS(NVRTC_MEMBER)
#undef NVRTC_MEMBER
} nvrtc_symbols;

static pthread_once_t once = PTHREAD_ONCE_INIT; /* guards the writing of symbols and loaded */
static nvrtc_symbols symbols;
static bool loaded;

#define NVRTC_NAME(member, symbol, parameters) {.name = #symbol, .slot = &symbols.member},

static void load(void)
{
    const char *other = getenv("KASMINA_NVRTC");
    const char *const others[] = {other, NULL};
    static const char *const names[] = {"libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so.11.2", "libnvrtc.so",
                                        NULL};
    static const kas_symbol all[] = {NVRTC_SYMBOLS(NVRTC_NAME)};
    loaded = kas_library_load("cuda", other ? others : names, all, sizeof all / sizeof *all);
}

static kas_status refused(nvrtc_program program, const char *name, nvrtc_code code)
{
    size_t bytes = 0;
    char *log = symbols.log_size(program, &bytes) == 0 && bytes > 0 ? kas_alloc(bytes) : NULL;
    if (log && symbols.log(program, log) != 0) *log = '\0';
    kas_status status =
        code == NVRTC_OUT_OF_MEMORY
            ? kas_fail(KAS_OUT_OF_MEMORY, DEVICE, "NVRTC has no memory for kernel %s", name)
            : kas_fail(
                  KAS_UNSUPPORTED, DEVICE,
                  "NVRTC does not compile kernel %s: error %d: %s (a libnvrtc of a newer CUDA Toolkit may "
                  "know this device)",
                  name, code, log ? log : "no log");
    kas_free(log);
    return kas_with_native(status, code);
}

static kas_status read_ptx(nvrtc_program program, const char *name, char **out)
{
    size_t bytes = 0;
    nvrtc_code code = symbols.ptx_size(program, &bytes);
    if (code) return refused(program, name, code);
    char *text = kas_calloc(bytes + 1, 1);
    if (!text) return kas_out_of_memory();
    code = symbols.ptx(program, text);
    if (code) {
        kas_free(text);
        return refused(program, name, code);
    }
    *out = text;
    return NULL;
}

kas_status kas_cuda_nvrtc_compile(const kas_cuda_device *device, const char *name, const char *source,
                                  char **ptx)
{
    pthread_once(&once, load);
    if (!loaded)
        return kas_fail(KAS_UNSUPPORTED, DEVICE,
                        "no image of kernel %s suits %s (compute capability %d.%d), and NVRTC, which would "
                        "compile one, is not "
                        "there: install the CUDA Toolkit's libnvrtc (.so.11.2, .12 or .13)",
                        name, device->base.info.id, device->major, device->minor);
    char architecture[48];
    snprintf(architecture, sizeof architecture, "--gpu-architecture=compute_%d%d", device->major,
             device->minor);
    const char *const options[] = {architecture, "--std=c++17"};
    nvrtc_program program;
    nvrtc_code code = symbols.create(&program, source, name, 0, NULL, NULL);
    if (code)
        return kas_with_native(kas_fail(code == NVRTC_OUT_OF_MEMORY ? KAS_OUT_OF_MEMORY : KAS_UNSUPPORTED,
                                        DEVICE, "NVRTC cannot start on kernel %s: error %d", name, code),
                               code);
    code = symbols.compile(program, 2, options);
    kas_status status = code ? refused(program, name, code) : read_ptx(program, name, ptx);
    (void)symbols.destroy(&program);
    return status;
}
