/* OpenCL devices. The ICD loader (libOpenCL.so.1) is opened at run time, when the first device is opened;
 * until then they are listed by a child process (probe.h).
 *
 * opencl:0, opencl:1 … count over all platforms, that is over all vendors' drivers: GPUs and accelerators
 * before processors, then by the platform's name, then as the platform lists them. The same drivers give the
 * same indices, whatever the loader's order; devices of several platforms may be open at once, each in a
 * context of its own. A device's name says in brackets which platform it belongs to. "auto" takes no
 * processor: host:0 computes there.
 *
 * OpenCL 1.2 is the least, and all that is used: its entry points are all that is resolved, kernels are
 * OpenCL C 1.2, which every later version compiles. Whether a device has sub-groups and fp16 is told, but
 * kernels use neither. sub_group_reduce_add sums in an order that the driver chooses, for each size of
 * sub-group anew: that a row's bits do not depend on its batch could only be trusted after trying it on that
 * device. And no kernel stores weights in 16 bits. */
#ifndef KAS_OPENCL_DRIVER_H
#define KAS_OPENCL_DRIVER_H

#include "backends/core/device.h"

extern const kas_driver kas_opencl_driver;

#endif
