/* Artifacts for tests, written byte by byte: small ONNX models, and weights of layers as safetensors.
 * Allocated with malloc; the caller frees the bytes. */
#ifndef KAS_TESTS_ARTIFACT_BYTES_H
#define KAS_TESTS_ARTIFACT_BYTES_H

#include <stddef.h>
#include <stdint.h>

typedef struct artifact_bytes {
    unsigned char *bytes;
    size_t size, capacity;
} artifact_bytes;

artifact_bytes onnx_product(uint32_t width, float diagonal, float bias);     /* diagonal·x + bias: affine */
artifact_bytes onnx_network(uint32_t width, uint32_t hidden, uint64_t seed); /* Gemm, Relu, Gemm */
artifact_bytes onnx_sqrt(uint32_t width);                                    /* NaN for negative elements */
artifact_bytes onnx_sum_of_rows(uint32_t width);                             /* mixes rows: to be refused */
artifact_bytes onnx_unknown_operator(uint32_t width);

/* weight = diagonal·I, bias filled; `with_bias` false: no bias tensor. */
artifact_bytes safetensors_weights(uint32_t width, float diagonal, float bias, int with_bias);

#endif
