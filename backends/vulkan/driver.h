/* Vulkan devices, from Vulkan 1.1 on. The loader (libvulkan.so.1) is opened at run time, when the first
 * device is opened; until then they are listed by a child process (probe.h). A build without glslc has no
 * kernels for them and lists none. */
#ifndef KAS_VULKAN_DRIVER_H
#define KAS_VULKAN_DRIVER_H

#include "backends/core/device.h"

extern const kas_driver kas_vulkan_driver;

#endif
