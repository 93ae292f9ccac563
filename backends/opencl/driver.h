/* OpenCL devices. The ICD loader (libOpenCL.so.1) is opened at run time, when the first device is opened;
 * until then they are listed by a child process (probe.h).
 *
 * opencl:0, opencl:1 … count over all platforms, that is over all vendors' drivers: GPUs and accelerators
 * before processors, then by the platform's name, then as the platform lists them. The same drivers give the
 * same indices, whatever the loader's order; devices of several platforms may be open at once, each in a
 * context of its own. A device's name says in brackets which platform it belongs to. "auto" takes no
 * processor: host:0 computes there.
 *
 * OpenCL 1.2 is the least: its entry points are all that must be there, and kernels are OpenCL C 1.2, which
 * every later version compiles.
 *
 * Sub-groups are used where a device has them (2.1, 2.2; 3.0 by choice; 2.0 with cl_khr_subgroups) and
 * cl_khr_subgroup_shuffle_relative: reductions within a group end in one (kernels/subgroup_reduce.h). Not by
 * sub_group_reduce_add, which sums in an order that the driver chooses, but by shuffles, in the order of the
 * kernel without sub-groups. Only where clGetKernelSubGroupInfo says that a kernel's groups are whole
 * sub-groups of a power of two is it built with them; else, and with KASMINA_OPENCL_SUBGROUPS=0 in the
 * environment, without (KASMINA_DEBUG=opencl tells why).
 *
 * Lists are recorded where a device has command buffers that can be changed (replay.h); else, and with
 * KASMINA_OPENCL_COMMAND_BUFFERS=0 in the environment, they are enqueued launch by launch.
 *
 * cl_khr_fp16 is used nowhere: sums are float32's, and weights stored as float16 are read by vload_half,
 * which is core since 1.0 and exact for every value, subnormals too. On PoCL a product takes 3 to 7 % less
 * time so than with weights widened by integer operations, as bfloat16 is. */
#ifndef KAS_OPENCL_DRIVER_H
#define KAS_OPENCL_DRIVER_H

#include "backends/core/device.h"

extern const kas_driver kas_opencl_driver;

#endif
