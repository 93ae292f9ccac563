/* CUDA devices, by the driver API. For backends/registry.c. */
#ifndef KAS_CUDA_DRIVER_H
#define KAS_CUDA_DRIVER_H

#include "backends/core/backend.h"

extern const kas_driver kas_cuda_driver;

#endif
