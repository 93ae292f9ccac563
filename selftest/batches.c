#include "selftest/batches.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "selftest/need.h"

size_t bits_that_differ(const float *a, const float *b, size_t count)
{
    size_t different = 0;
    for (size_t i = 0; i < count; ++i)
        different += memcmp(&a[i], &b[i], sizeof *a) != 0 && !(isnan(a[i]) && isnan(b[i]));
    return different;
}

size_t batches_that_differ(segment_runner *runner, const float *x, const float *y)
{
    static const struct {
        uint32_t first, rows;
    } batches[] = {{0, 1}, {5, 1}, {127, 1}, {0, 7}, {64, 7}, {121, 7}, {0, 32}, {93, 32}};
    const kas_segment_info *info = kas_segment_get_info(runner->segment);
    size_t different = 0;
    float *again = selftest_alloc(BATCH_ROWS * info->outputs, sizeof *again);
    for (size_t i = 0; i < sizeof batches / sizeof *batches; ++i) {
        uint32_t first = batches[i].first, rows = batches[i].rows;
        segment_runner_run(runner, x + first * info->inputs, rows, again);
        different += bits_that_differ(again, y + first * info->outputs, rows * info->outputs);
    }
    kas_free(again);
    return different;
}

static void spoil(float *row, size_t inputs, size_t kind)
{
    static const float bad[] = {NAN, INFINITY, -INFINITY, 3e38f};
    for (size_t i = 0; i < inputs; ++i)
        row[i] = bad[(kind + (kind % 2) * i) % 4];
}

size_t neighbours_that_differ(segment_runner *runner, const float *x, const float *y)
{
    const kas_segment_info *info = kas_segment_get_info(runner->segment);
    size_t different = 0, inputs = info->inputs, outputs = info->outputs;
    float *spoilt = selftest_alloc(BATCH_ROWS * inputs, sizeof *spoilt);
    float *again = selftest_alloc(BATCH_ROWS * outputs, sizeof *again);
    memcpy(spoilt, x, BATCH_ROWS * inputs * sizeof *spoilt);
    for (size_t row = 2; row < BATCH_ROWS; row += 4)
        spoil(spoilt + row * inputs, inputs, row / 4);
    segment_runner_run(runner, spoilt, BATCH_ROWS, again);
    for (size_t row = 0; row < BATCH_ROWS; ++row)
        if (row % 4 != 2) different += bits_that_differ(again + row * outputs, y + row * outputs, outputs);
    kas_free(spoilt);
    kas_free(again);
    return different;
}
