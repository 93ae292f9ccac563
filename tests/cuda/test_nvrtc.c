/* Kernels that come with no image of use to the driver: compiled by NVRTC, here its double or the real one.
 */
#include <criterion/criterion.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "backends/cuda/module.h"
#include "base/clock.h"
#include "tests/cuda/doubles.h"
#include "tests/devices/doubling_rig.h"

enum { IMAGES = 2 }; /* of a kernel: machine code and PTX */

TestSuite(nvrtc, .init = use_doubles, .timeout = 120);

static void expect_compiled(void)
{
    rig r;
    doubles.refuse_modules(IMAGES);
    kas_status status = rig_open(&r, "cuda:0", 1);
    cr_assert_null(status, "%s", kas_status_message(status));
    cr_assert_null(rig_run(&r, RIG_ROWS, KAS_NEVER, NULL));
    cr_expect(rig_is_doubled(&r, RIG_ROWS));
    rig_close(&r);
}

static void expect_refused(kas_code code, const char *part)
{
    rig r;
    doubles.refuse_modules(IMAGES);
    kas_status status = rig_open(&r, "cuda:0", 1);
    cr_expect_eq(kas_status_code(status), code, "%s", kas_status_message(status));
    cr_expect(strstr(kas_status_message(status), part), "\"%s\" is not in: %s", part,
              kas_status_message(status));
    kas_status_free(status);
    rig_close(&r);
    doubles.reset();
}

Test(nvrtc, a_kernel_without_an_image_is_compiled)
{
    expect_compiled();
}

Test(nvrtc, each_call_that_fails_is_told)
{
    static const char *const symbols[] = {"nvrtcCreateProgram", "nvrtcCompileProgram", "nvrtcGetPTXSize",
                                          "nvrtcGetPTX"};
    for (size_t i = 0; i < sizeof symbols / sizeof *symbols; ++i) {
        doubles.fail(symbols[i], 1, CUDA_ERROR_UNKNOWN, false);
        expect_refused(KAS_UNSUPPORTED, "kernel blend");
        doubles.fail(symbols[i], 1, CUDA_ERROR_OUT_OF_MEMORY, false);
        expect_refused(KAS_OUT_OF_MEMORY, "kernel blend");
    }
    expect_compiled();
}

Test(nvrtc, a_refusal_has_the_compiler_s_log_where_there_is_one)
{
    doubles.fail("nvrtcCompileProgram", 1, CUDA_ERROR_UNKNOWN, false);
    expect_refused(KAS_UNSUPPORTED, "the double's log");
    doubles.fail("nvrtcCompileProgram", 1, CUDA_ERROR_UNKNOWN, true); /* and all that would read the log */
    expect_refused(KAS_UNSUPPORTED, "no log");
}

Test(nvrtc, what_is_missing_is_named)
{
    setenv("KASMINA_NVRTC", "/nowhere/libnvrtc.so", 1);
    expect_refused(KAS_UNSUPPORTED, "install the CUDA Toolkit's libnvrtc");
}

/* A kernel of each weights and tile; without an image, so that nothing else can be taken. */
static void expect_tensor_kernels_compiled(kas_device *device)
{
    static const char *const names[] = {
#define NAME(name, weights, rows, items) #name,
        KAS_MMA_KERNELS(NAME)
#undef NAME
    };
    const kas_cuda_device *cuda = kas_cuda_device_of(device);
    cr_assert(kas_cuda_enter(cuda));
    for (int i = 0; i < KAS_MMA_KERNEL_COUNT; ++i) {
        const kas_cuda_kernel kernel = {.name = names[i],
                                        .source = kas_mma_kernel_source((kas_mma_kernel)i, NULL)};
        cuda_module module;
        cuda_function function;
        kas_status status = kas_cuda_load_kernel(cuda, &kernel, &module, &function);
        cr_assert_null(status, "%s", kas_status_message(status));
        cr_expect_eq(cuda->cuda->module_unload(module), CUDA_SUCCESS);
    }
    kas_cuda_leave(cuda);
}

Test(nvrtc, tensor_core_kernels_are_compiled_too)
{
    kas_device *device;
    cr_assert_null(kas_device_open("cuda:0", &device));
    expect_tensor_kernels_compiled(device);
    kas_device_release(device);
}

/* The toolkit's compiler needs no GPU: the portable source goes through the real one where it is installed.
 */
Test(nvrtc, the_real_compiler_takes_every_kernel)
{
    kas_device *device;
    void *real = dlopen("libnvrtc.so.13", RTLD_LAZY | RTLD_LOCAL);
    if (!real) real = dlopen("libnvrtc.so.12", RTLD_LAZY | RTLD_LOCAL);
    if (!real) cr_skip_test("libnvrtc is not installed");
    unsetenv("KASMINA_NVRTC");
    cr_assert_null(kas_device_open("cuda:0", &device));
    for (int kernel = 0; kernel < KAS_KERNEL_COUNT; ++kernel) {
        const kas_program *program;
        doubles.refuse_modules(IMAGES);
        kas_status status = kas_device_program(device, (kas_kernel)kernel, &program);
        cr_expect_null(status, "%s", kas_status_message(status));
        kas_status_free(status);
    }
    expect_tensor_kernels_compiled(device);
    kas_device_release(device);
    dlclose(real);
}
