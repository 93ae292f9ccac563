/* backends/opencl. Skipped, loudly, where there is no OpenCL device. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "backends/core/device.h"
#include "tests/unit/affine_rig.h"
#include "tests/unit/driver_glue.h"

/* ---- listing ---- */

/* Names the vendors' drivers that the loader of this process knows of: none, or one library. */
static void use_vendor(const char *library)
{
    static char folder[] = "/tmp/kasmina-icd-XXXXXX";
    char path[sizeof folder + 16];
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/test.icd", folder);
    if (library) {
        FILE *file = fopen(path, "w");
        cr_assert_not_null(file);
        fprintf(file, "%s\n", library);
        fclose(file);
    }
    setenv("OCL_ICD_VENDORS", folder, 1);
}

static void forget_vendor(void)
{
    char path[4096];
    const char *folder = getenv("OCL_ICD_VENDORS");
    snprintf(path, sizeof path, "%s/test.icd", folder);
    unlink(path);
    rmdir(folder);
}

static const glue_driver driver = {.name = "opencl",
                                   .device = "opencl:0",
                                   .library = "libOpenCL",
                                   .use_vendor = use_vendor,
                                   .forget_vendor = forget_vendor};

#define GLUE_TEST(name)                                                                                      \
    Test(opencl, name)                                                                                       \
    {                                                                                                        \
        glue_##name(&driver);                                                                                \
    }
GLUE_TESTS(GLUE_TEST)

/* ---- programs ---- */

/* PoCL is told to be a device with smaller groups; others do not listen. */
Test(opencl, a_device_with_small_groups_says_which_operator_it_cannot_run)
{
    kas_device *device;
    const kas_program *program;
    (void)glue_first_device(&driver);
    setenv("POCL_MAX_WORK_GROUP_SIZE", "64", 1);
    ok(kas_device_open("opencl:0", &device));
    if (kas_device_get_limits(device)->max_group_items > 64)
        cr_skip_test("this device's groups cannot be limited");
    ok(kas_device_program(device, KAS_KERNEL_matmul, &program));
    expect(kas_device_program(device, KAS_KERNEL_linear, &program), KAS_UNSUPPORTED,
           "groups of 256 work items");
    kas_device_release(device);
}
