/* Kinds of devices, as a kernel's device_requirements name them: a device is of one, and a requirement is a
 * set of them, one bit each. A device whose kind is not in the table is nobody's but "gpu"'s, which is any
 * but cpu; so a backend of a new kind runs without being named here, and gets a line so that kernels can ask
 * for it. */
#ifndef KAS_STATE_KINDS_H
#define KAS_STATE_KINDS_H

#include <stdint.h>

enum {
    KAS_KIND_CPU = 1,
    KAS_KIND_CUDA = 2,
    KAS_KIND_OPENCL = 4,
    KAS_KIND_VULKAN = 8,
    KAS_KIND_OTHER = 1 << 29,   /* of a device: none of the above */
    KAS_KIND_UNKNOWN = 1 << 30, /* of a requirement: no device is that */
    KAS_KIND_GPU = KAS_KIND_CUDA | KAS_KIND_OPENCL | KAS_KIND_VULKAN | KAS_KIND_OTHER
};

uint32_t kas_kind_of_device(const char *kind); /* "vulkan": one bit */
uint32_t kas_kinds_required(const char *word); /* "vulkan", "gpu"; never 0 */
const char *kas_kind_name(uint32_t kind);      /* of a device's bit, for messages; static */

#endif
