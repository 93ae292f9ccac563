/* A device whose work groups are smaller than a kernel's: PoCL can be told to be one. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "tests/unit/affine_rig.h"

Test(groups, a_device_with_small_ones_says_which_operator_it_cannot_run)
{
    kas_device *device;
    const kas_program *program;
    size_t count;
    ok(kas_driver_list(driver_named("opencl"), NULL, 0, &count));
    if (count == 0) cr_skip_test("no OpenCL device on this machine");
    setenv("POCL_MAX_WORK_GROUP_SIZE", "64", 1);
    ok(kas_device_open("opencl:0", &device));
    if (kas_device_get_limits(device)->max_group_items > 64)
        cr_skip_test("this device's groups cannot be limited");
    ok(kas_device_program(device, KAS_KERNEL_matmul, &program));
    expect(kas_device_program(device, KAS_KERNEL_linear, &program), KAS_UNSUPPORTED,
           "groups of 256 work items");
    kas_device_release(device);
}
