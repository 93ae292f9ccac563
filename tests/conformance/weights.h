/* Weights in the types that kernels store them as, written here once more than in backends/core/pack.c. */
#ifndef KAS_TESTS_CONFORMANCE_WEIGHTS_H
#define KAS_TESTS_CONFORMANCE_WEIGHTS_H

#include "tests/conformance/runner.h"

float conformance_widened(uint16_t bits, kas_weight_type type);
/* To values that the type holds. */
void conformance_round(float *values, size_t count, kas_weight_type type);
/* A matrix as words of two, each row beginning with one; to be freed with kas_free. */
uint32_t *conformance_pairs(const float *values, size_t rows, size_t columns, kas_weight_type type,
                            size_t *size_bytes);

#endif
