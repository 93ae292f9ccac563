/* Weights of products as kernels read them. */
#include "backends/core/backend.h"
#include "base/alloc.h"
#include "base/half.h"

static size_t plain_bytes(size_t inputs, size_t outputs)
{
    size_t bytes;
    return kas_mul(inputs, outputs, &bytes) && kas_mul(bytes, sizeof(float), &bytes) ? bytes : 0;
}

size_t kas_device_packed_bytes(const kas_device *device, kas_weight_type type, size_t inputs, size_t outputs)
{
    if (type != KAS_WEIGHT_F32) return plain_bytes(inputs, outputs / 2 + outputs % 2); /* words */
    if (device->ops->packed_bytes) return device->ops->packed_bytes(device, inputs, outputs);
    return plain_bytes(inputs, outputs);
}

uint32_t kas_weight_pair(kas_weight_type type, float even, float odd)
{
    if (type == KAS_WEIGHT_F16) return kas_half_from_float(even) | (uint32_t)kas_half_from_float(odd) << 16;
    return kas_bfloat_from_float(even) | (uint32_t)kas_bfloat_from_float(odd) << 16;
}

static void pack_pairs(kas_weight_type type, const float *weight, size_t inputs, size_t outputs,
                       uint32_t *out)
{
    for (size_t k = 0; k < inputs; ++k)
        for (size_t n = 0; n < outputs; n += 2) {
            float odd = n + 1 < outputs ? weight[(n + 1) * inputs + k] : 0.0f;
            *out++ = kas_weight_pair(type, weight[n * inputs + k], odd);
        }
}

static void pack_plain(const float *weight, size_t inputs, size_t outputs, float *out)
{
    for (size_t k = 0; k < inputs; ++k)
        for (size_t n = 0; n < outputs; ++n)
            *out++ = weight[n * inputs + k];
}

void kas_device_pack(const kas_device *device, kas_weight_type type, const float *weight, size_t inputs,
                     size_t outputs, void *out)
{
    if (type != KAS_WEIGHT_F32)
        pack_pairs(type, weight, inputs, outputs, out);
    else if (device->ops->pack)
        device->ops->pack(device, weight, inputs, outputs, out);
    else
        pack_plain(weight, inputs, outputs, out);
}

kas_weight_type kas_weight_type_of(const float *values, size_t count)
{
    if (kas_all_bfloat(values, count)) return KAS_WEIGHT_BF16;
    return kas_all_half(values, count) ? KAS_WEIGHT_F16 : KAS_WEIGHT_F32;
}
