/* Operands of the kernels that walk over lines (kernels/lines.h): shapes that end in each form, tensors
 * broadcast in every way, and where their elements are, one by one. */
#ifndef KAS_TESTS_CONFORMANCE_OPERANDS_H
#define KAS_TESTS_CONFORMANCE_OPERANDS_H

#include "base/random.h"
#include "engine/graph/lines.h"
#include "tests/conformance/runner.h"

typedef struct operand_shape {
    uint32_t rows;
    kas_shape shape; /* of a row */
} operand_shape;

/* The shapes for a runner; *count: how many. */
const operand_shape *operand_shapes(const conformance_runner *runner, size_t *count);

typedef struct operand {
    kas_lines_operand view;
    float *data;  /* to be freed with kas_free */
    size_t count; /* floats of all rows */
} operand;

/* In turn dense, a constant, one number for all, and stretched along dimensions of chance. */
operand operand_make(const operand_shape *shape, kas_rng *rng);

size_t operand_elements(const operand_shape *shape); /* of a row */
/* Elements from the start of a view to element e of a row. */
int64_t operand_offset(const kas_lines_operand *view, const operand_shape *shape, size_t row, size_t e);

#endif
