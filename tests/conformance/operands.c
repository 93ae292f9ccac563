#include "tests/conformance/operands.h"

#include <math.h>

static const operand_shape shapes[] = {
    {1, {.rank = 0}},
    {1, {.rank = 1, .dims = {1}}},
    {3, {.rank = 1, .dims = {31}}},
    {2, {.rank = 2, .dims = {5, 32}}},
    {2, {.rank = 3, .dims = {3, 1, 7}}},
    {3, {.rank = 2, .dims = {2, 1030}}},
    {2, {.rank = 6, .dims = {2, 3, 2, 1, 3, 2}}},
    {2, {.rank = 6, .dims = {2, 2, 2, 2, 2, 33}}}, /* slow runners: until here */
    {128, {.rank = 2, .dims = {13, 17}}},
    {37, {.rank = 3, .dims = {4, 9, 64}}},
    {7, {.rank = 2, .dims = {3, 4099}}},
};
enum { SLOW_SHAPES = 8, SHAPES = sizeof shapes / sizeof *shapes };

operand operand_make(const operand_shape *of, kas_rng *rng)
{
    const kas_shape *shape = &of->shape;
    operand result = {0};
    uint32_t kind = kas_rng_below(rng, 5), stretched = kind == 2   ? ~0u
                                                       : kind == 3 ? kas_rng_below(rng, 64)
                                                                   : 0;
    int64_t elements = 1;
    for (int d = shape->rank - 1; d >= 0; --d) {
        bool stretch = stretched >> d & 1;
        result.view.stride[d] = stretch ? 0 : elements;
        if (!stretch) elements *= shape->dims[d];
    }
    bool is_constant = kind == 1 || (kind > 1 && kas_rng_below(rng, 2));
    result.view.row = is_constant ? 0 : elements;
    result.count = (size_t)elements * (is_constant ? 1 : of->rows);
    result.data = conformance_random(result.count, kas_rng_u32(rng));
    for (size_t i = 0; i < result.count; ++i)
        if (kas_rng_below(rng, 3) == 0)
            result.data[i] = floorf(2 * result.data[i]); /* equal ones, and zeros */
    return result;
}

int64_t operand_offset(const kas_lines_operand *view, const operand_shape *of, size_t row, size_t e)
{
    const kas_shape *shape = &of->shape;
    int64_t offset = view->row * (int64_t)row, rest = (int64_t)e;
    for (int d = shape->rank - 1; d >= 0; --d) {
        offset += rest % shape->dims[d] * view->stride[d];
        rest /= shape->dims[d];
    }
    return offset;
}

size_t operand_elements(const operand_shape *of)
{
    const kas_shape *shape = &of->shape;
    size_t count = 1;
    for (int d = 0; d < shape->rank; ++d)
        count *= (size_t)shape->dims[d];
    return count;
}

const operand_shape *operand_shapes(const conformance_runner *runner, size_t *count)
{
    *count = runner->slow ? SLOW_SHAPES : SHAPES;
    return shapes;
}
