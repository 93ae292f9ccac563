/* engine/graph/lifetimes.c: who may share memory with whom. */
#include <criterion/criterion.h>

#include "base/alloc.h"
#include "engine/graph/lifetimes.h"
#include "tests/unit/graph_fixture.h"

enum { ROWS = 10, ALIGNMENT = 256 };

TestSuite(lifetimes, .fini = expect_no_leaks);

static size_t bytes_of(size_t elements)
{
    return kas_align_up(ROWS * elements * sizeof(float), ALIGNMENT);
}

static size_t place(kas_value *values, size_t count)
{
    size_t bytes;
    cr_assert_null(kas_lifetimes_place(values, count, ROWS, ALIGNMENT, &bytes));
    return bytes;
}

Test(lifetimes, a_chain_takes_turns)
{
    kas_value values[] = {{16, 0, 1, 0}, {16, 1, 2, 0}, {16, 2, 3, 0}, {16, 3, 4, 0}};
    cr_expect_eq(place(values, 4), 2 * bytes_of(16));
    cr_expect_eq(values[0].offset, values[2].offset);
    cr_expect_eq(values[1].offset, values[3].offset);
    cr_expect_neq(values[0].offset, values[1].offset);
}

Test(lifetimes, what_is_still_read_keeps_its_place)
{
    kas_value values[] = {{8, 0, 3, 0}, {8, 1, 2, 0}, {8, 2, 3, 0}};
    cr_expect_eq(place(values, 3), 3 * bytes_of(8));
}

Test(lifetimes, what_nobody_reads_is_still_written)
{
    kas_value values[] = {{8, 0, 0, 0}, {8, 0, 0, 0}, {8, 1, 1, 0}};
    cr_expect_eq(place(values, 3), 2 * bytes_of(8));
    cr_expect_neq(values[0].offset, values[1].offset);
}

/* A row of one would lie over other rows of the other. */
Test(lifetimes, rows_of_other_sizes_never_share)
{
    kas_value values[] = {{16, 0, 1, 0}, {8, 1, 2, 0}, {4, 2, 3, 0}, {16, 3, 4, 0}};
    cr_expect_eq(place(values, 4), bytes_of(16) + bytes_of(8) + bytes_of(4));
    cr_expect_eq(values[3].offset, values[0].offset);
}

Test(lifetimes, nothing_that_is_alive_overlaps)
{
    enum { VALUES = 200 };
    random_restart(5);
    for (int round = 0; round < 50; ++round) {
        kas_value values[VALUES];
        size_t first = 0;
        for (size_t i = 0; i < VALUES; ++i) {
            first += random_below(2);
            values[i] =
                (kas_value){.elements = 1 + random_below(5), .first = first, .last = first + random_below(9)};
        }
        size_t bytes = place(values, VALUES);
        for (size_t i = 0; i < VALUES; ++i) {
            cr_assert_eq(values[i].offset % ALIGNMENT, 0u);
            cr_assert_leq(values[i].offset + bytes_of(values[i].elements), bytes);
            for (size_t k = 0; k < i; ++k) {
                bool meet = values[k].last >= values[i].first;
                bool apart = values[k].offset + bytes_of(values[k].elements) <= values[i].offset ||
                             values[i].offset + bytes_of(values[i].elements) <= values[k].offset;
                bool turns = values[k].elements == values[i].elements && values[k].offset == values[i].offset;
                cr_assert(apart || (!meet && turns), "values %zu and %zu", k, i);
            }
        }
    }
}

Test(lifetimes, what_does_not_fit_is_refused)
{
    size_t bytes;
    kas_value huge = {.elements = SIZE_MAX / 8},
              pair[] = {{SIZE_MAX / 64, 0, 1, 0}, {SIZE_MAX / 65, 1, 1, 0}};
    kas_status status = kas_lifetimes_place(&huge, 1, 4, ALIGNMENT, &bytes);
    cr_expect_eq(kas_status_code(status), KAS_TOO_LARGE);
    kas_status_free(status);
    status = kas_lifetimes_place(pair, 2, 10, ALIGNMENT, &bytes);
    cr_expect_eq(kas_status_code(status), KAS_TOO_LARGE);
    kas_status_free(status);
}

Test(lifetimes, no_values_take_no_memory_and_memory_may_be_out)
{
    size_t bytes = 7;
    kas_value value = {.elements = 1};
    cr_assert_null(kas_lifetimes_place(NULL, 0, ROWS, ALIGNMENT, &bytes));
    cr_expect_eq(bytes, 0u);
    kas_alloc_fail_at(1);
    kas_status status = kas_lifetimes_place(&value, 1, ROWS, ALIGNMENT, &bytes);
    kas_alloc_fail_at(0);
    cr_expect_eq(kas_status_code(status), KAS_OUT_OF_MEMORY);
    kas_status_free(status);
}
