/* Memory of a request: pieces that do not overlap, are aligned, and are used again. */
#include <criterion/criterion.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"
#include "http/scratch.h"

static _Alignas(KAS_CACHE_LINE) unsigned char block[KAS_SCRATCH_BYTES];

static bool is_in_block(const void *piece)
{
    return (uintptr_t)piece >= (uintptr_t)block && (uintptr_t)piece < (uintptr_t)(block + sizeof block);
}

Test(scratch, pieces_do_not_overlap)
{
    enum { PIECES = 100 };
    unsigned char *pieces[PIECES];
    kas_http_scratch scratch;
    kas_http_scratch_init(&scratch, block);
    for (size_t i = 0; i < PIECES; ++i) {
        pieces[i] = kas_http_scratch_take(&scratch, i * 37);
        cr_assert_not_null(pieces[i]);
        cr_assert_eq((uintptr_t)pieces[i] % KAS_CACHE_LINE, 0);
        memset(pieces[i], (int)i, i * 37);
    }
    for (size_t i = 0; i < PIECES; ++i)
        for (size_t j = 0; j < i * 37; ++j)
            cr_assert_eq(pieces[i][j], i);
    cr_assert(is_in_block(pieces[1]));
    cr_assert(!is_in_block(pieces[PIECES - 1]), "they are more than the block has");
    kas_http_scratch_reset(&scratch);
}

Test(scratch, used_again)
{
    kas_http_scratch scratch;
    kas_http_scratch_init(&scratch, block);
    void *first = kas_http_scratch_take(&scratch, KAS_SCRATCH_BYTES);
    void *large = kas_http_scratch_take(&scratch, 1);
    cr_assert_eq(first, block);
    cr_assert(large && !is_in_block(large));
    kas_http_scratch_reset(&scratch);
    cr_assert_eq(kas_http_scratch_take(&scratch, 1), first);
    cr_assert(is_in_block(kas_http_scratch_take(&scratch, 1)));
    kas_http_scratch_reset(&scratch);
}

Test(scratch, memory_out)
{
    kas_http_scratch scratch;
    kas_http_scratch_init(&scratch, block);
    volatile size_t huge = SIZE_MAX - KAS_CACHE_LINE / 2;
    cr_assert_null(kas_http_scratch_take(&scratch, huge));
    kas_alloc_fail_at(1);
    cr_assert_null(kas_http_scratch_take(&scratch, KAS_SCRATCH_BYTES + 1));
    cr_assert_not_null(kas_http_scratch_take(&scratch, KAS_SCRATCH_BYTES));
    kas_http_scratch_reset(&scratch);
}

Test(decimal, every_length)
{
    char digits[KAS_DECIMAL_SIZE], expected[KAS_DECIMAL_SIZE + 1];
    uint64_t value = 0;
    for (int i = 0; i < 20; ++i, value = value * 10 + (uint64_t)i % 10) {
        size_t length = (size_t)snprintf(expected, sizeof expected, "%llu", (unsigned long long)value);
        cr_assert_eq(kas_format_decimal(value, digits), length);
        cr_assert_str_eq(digits, expected);
    }
    cr_assert_eq(kas_format_decimal(UINT64_MAX, digits), 20);
    cr_assert_str_eq(digits, "18446744073709551615");
}
