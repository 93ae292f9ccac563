#include "tests/conformance/batches.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"

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
    float *again = kas_alloc_array(BATCH_ROWS * info->outputs, sizeof *again);
    cr_assert_not_null(again);
    for (size_t i = 0; i < sizeof batches / sizeof *batches; ++i) {
        uint32_t first = batches[i].first, rows = batches[i].rows;
        segment_runner_run(runner, x + first * info->inputs, rows, again);
        different += bits_that_differ(again, y + first * info->outputs, rows * info->outputs);
    }
    kas_free(again);
    return different;
}
