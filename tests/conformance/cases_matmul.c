/* matmul: bands and strips with every kind of tail, leading dimensions broadcast on either side, constants.
 */
#include <math.h>
#include <stdio.h>

#include "base/alloc.h"
#include "tests/conformance/runner.h"

/* One side of the product: its matrices, dense, one after another. */
typedef struct side {
    float *data;
    size_t count;
    int row, stride[MATMUL_OUTER];
} side;

/* stretched: bit d says that one matrix serves all along dimension d. */
static side make_side(const struct matmul_args *args, uint32_t rows, size_t matrix, unsigned stretched,
                      bool constant, uint64_t seed)
{
    side result = {0};
    size_t elements = matrix;
    for (int d = args->rank - 1; d >= 0; --d) {
        if (stretched >> d & 1) continue;
        result.stride[d] = (int)elements;
        elements *= (size_t)args->size[d];
    }
    result.row = constant ? 0 : (int)elements;
    result.count = elements * (constant ? 1 : rows);
    result.data = conformance_random(result.count, seed);
    return result;
}

static size_t matrices_of(const struct matmul_args *args)
{
    size_t count = 1;
    for (int d = 0; d < args->rank; ++d)
        count *= (size_t)args->size[d];
    return count;
}

static const float *matrix_of(const side *from, const struct matmul_args *args, size_t row, size_t matrix)
{
    const float *at = from->data + row * (size_t)from->row;
    for (int d = args->rank - 1; d >= 0; --d) {
        at += matrix % (size_t)args->size[d] * (size_t)from->stride[d];
        matrix /= (size_t)args->size[d];
    }
    return at;
}

static void check(conformance_runner *runner, const struct matmul_args *args, uint32_t rows, const side *a,
                  const side *b, const float *y)
{
    size_t m = (size_t)args->m, k = (size_t)args->k, n = (size_t)args->n, each = matrices_of(args), at = 0;
    char what[64];
    snprintf(what, sizeof what, "matmul %zu×%zu×%zu of %u rows", m, k, n, rows);
    for (size_t matrix = 0; matrix < rows * each; ++matrix) {
        const float *left = matrix_of(a, args, matrix / each, matrix % each);
        const float *right = matrix_of(b, args, matrix / each, matrix % each);
        for (size_t i = 0; i < m; ++i)
            for (size_t j = 0; j < n; ++j, ++at) {
                double sum = 0, size = 0;
                for (size_t l = 0; l < k; ++l) {
                    double term = (double)left[i * k + l] * right[l * n + j];
                    sum += term;
                    size += fabs(term);
                }
                conformance_compare(runner, what, at, y[at], sum, 1e-6 * size + 1e-9);
            }
    }
}

static void one_shape(conformance_runner *runner, uint32_t rows, struct matmul_args args,
                      unsigned a_stretched, unsigned b_stretched, bool b_constant)
{
    size_t m = (size_t)args.m, k = (size_t)args.k, n = (size_t)args.n, each = matrices_of(&args);
    side a = make_side(&args, rows, m * k, a_stretched, false, m + rows);
    side b = make_side(&args, rows, k * n, b_stretched, b_constant, n + rows);
    args.a_row = a.row;
    args.b_row = b.row;
    for (int d = 0; d < args.rank; ++d) {
        args.a_stride[d] = a.stride[d];
        args.b_stride[d] = b.stride[d];
    }
    size_t groups =
        each * ((m + MATMUL_ROWS - 1) / MATMUL_ROWS) * ((n + MATMUL_COLUMNS - 1) / MATMUL_COLUMNS);
    float *y = conformance_alloc(rows * each * m * n, sizeof *y);
    conformance_launch launch = {
        .kernel = KAS_KERNEL_matmul,
        .args = &args,
        .rows = rows,
        .grid_x = {.per_row = (uint32_t)groups, .divisor = 1},
        .buffers = {[1] = {a.data, a.count * sizeof(float)},
                    [2] = {b.data, b.count * sizeof(float)},
                    [3] = {y, rows * each * m * n * sizeof *y}},
    };
    conformance_run_x(runner, &launch);
    check(runner, &args, rows, &a, &b, y);
    kas_free(a.data);
    kas_free(b.data);
    kas_free(y);
}

void cases_matmul(conformance_runner *runner)
{
    static const struct {
        uint32_t rows;
        struct matmul_args args;
        unsigned a_stretched, b_stretched;
        bool b_constant;
    } shapes[] = {
        {1, {.m = 1, .k = 1, .n = 1}, 0, 0, false},
        {2, {.m = 3, .k = 2, .n = 65}, 0, 0, false},
        {3, {.m = 5, .k = 7, .n = 3, .rank = 1, .size = {2}}, 0, 1, true},
        {2, {.m = 4, .k = 3, .n = 64, .rank = 2, .size = {3, 2}}, 1, 2, false},
        {1, {.m = 9, .k = 4, .n = 5, .rank = 4, .size = {2, 1, 2, 3}}, 8, 5, true},
        {1, {.m = 6, .k = 16, .n = 130}, 0, 0, true}, /* slow runners: until here */
        {32, {.m = 16, .k = 24, .n = 16, .rank = 1, .size = {4}}, 0, 0, false},
        {7, {.m = 61, .k = 67, .n = 71}, 0, 0, false},
        {128, {.m = 1, .k = 96, .n = 33}, 0, 0, false},
        {3, {.m = 130, .k = 257, .n = 129, .rank = 1, .size = {2}}, 0, 1, false},
    };
    size_t count = runner->slow ? 6 : sizeof shapes / sizeof *shapes;
    for (size_t i = 0; i < count; ++i)
        one_shape(runner, shapes[i].rows, shapes[i].args, shapes[i].a_stretched, shapes[i].b_stretched,
                  shapes[i].b_constant);
}
