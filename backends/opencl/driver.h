/* OpenCL devices. The ICD loader (libOpenCL.so.1) is opened at run time, when the first device is opened;
 * until then they are listed by a child process (probe.h). */
#ifndef KAS_OPENCL_DRIVER_H
#define KAS_OPENCL_DRIVER_H

#include "backends/core/device.h"

extern const kas_driver kas_opencl_driver;

#endif
