/* Every driver of this build, in the order in which "auto" looks for a device. The one place that names
 * backends. */
#include "backends/core/backend.h"
#include "backends/cuda/driver.h"
#include "backends/host/driver.h"
#include "backends/opencl/driver.h"
#include "backends/vulkan/driver.h"

const kas_driver *const kas_drivers[] = {
    &kas_cuda_driver, &kas_vulkan_driver, &kas_opencl_driver, &kas_host_driver, /* always there, so last */
};
const size_t kas_driver_total = sizeof kas_drivers / sizeof *kas_drivers;
