/* Where in an arena a plan's passes keep what: how many rows a submission may have, and the offset of every
 * region. */
#include "engine/exec/plan.h"

/* Bounds on what one context holds for a plan, whatever its shape: rows are reduced until they are met. */
enum { ARENA_BYTES_MAX = 32 << 20, STAGING_BYTES_MAX = 1 << 20, WORK_APART_BYTES_MAX = 4 << 20 };

static uint32_t min_rows(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Bytes that one more row takes, not counting segments' workspace. */
static size_t row_bytes(const kas_plan *plan)
{
    size_t floats = (size_t)plan->outputs * (plan->seed_count + (plan->fossil_count > 0 ? 1u : 0u) + 2u);
    size_t words = 6u + 2u * plan->seed_count + 8u * plan->fossil_count;
    if (!plan->set->limits->host_pointers) floats += (size_t)plan->inputs + plan->outputs;
    return 4 * (floats + words);
}

static uint32_t rows_within(size_t limit_bytes, size_t bytes_of_row, uint32_t at_most)
{
    size_t rows = limit_bytes / bytes_of_row;
    if (rows == 0) return 1;
    return rows < at_most ? (uint32_t)rows : at_most;
}

static size_t largest_work(const kas_plan *plan)
{
    size_t most = kas_segment_get_info(plan->base)->work_bytes;
    for (uint32_t i = 0; i < plan->seed_count; ++i) {
        size_t bytes = kas_segment_get_info(plan->seeds[i].segment)->work_bytes;
        if (bytes > most) most = bytes;
    }
    for (uint32_t i = 0; i < plan->fossil_count; ++i) {
        size_t bytes = kas_segment_get_info(plan->fossils[i].segment)->work_bytes;
        if (bytes > most) most = bytes;
    }
    return most;
}

static void choose_rows(kas_plan *plan, uint32_t rows_limit)
{
    uint32_t rows = min_rows(rows_limit, kas_segment_get_info(plan->base)->rows_max);
    plan->base_rows = rows;
    for (uint32_t i = 0; i < plan->seed_count; ++i)
        rows = min_rows(rows, kas_segment_get_info(plan->seeds[i].segment)->rows_max);
    for (uint32_t i = 0; i < plan->fossil_count; ++i)
        rows = min_rows(rows, kas_segment_get_info(plan->fossils[i].segment)->rows_max);
    kas_arena_layout *layout = &plan->layout;
    size_t staged_bytes = 4 * ((size_t)plan->inputs + plan->outputs);
    layout->rows = rows_within(ARENA_BYTES_MAX, row_bytes(plan), rows);
    layout->staged_rows = plan->set->limits->host_pointers
                              ? rows_within(STAGING_BYTES_MAX, staged_bytes, layout->rows)
                              : layout->rows;
}

/* A growing arena: regions follow each other, each aligned. */
typedef struct arena_end {
    size_t bytes, alignment;
    bool overflown;
} arena_end;

static size_t reserve(arena_end *end, size_t bytes)
{
    size_t at = end->bytes, after;
    if (!kas_add(at, bytes, &after) || !kas_add(after, end->alignment - 1, &after)) {
        end->overflown = true;
        return 0;
    }
    end->bytes = after & ~(end->alignment - 1);
    return at;
}

static size_t reserve_many(arena_end *end, size_t count, size_t bytes, size_t *stride)
{
    size_t total;
    *stride = kas_align_up(bytes, end->alignment);
    if (!kas_mul(count, *stride, &total)) {
        end->overflown = true;
        return 0;
    }
    return reserve(end, total);
}

static void lay_out_mirrored(kas_plan *plan, arena_end *end)
{
    kas_arena_layout *layout = &plan->layout;
    uint32_t n = plan->seed_count, fossils = plan->fossil_count, rows = layout->rows;
    bool copies = !plan->set->limits->host_pointers;
    layout->params = reserve(end, kas_blend_params_bytes(n, rows));
    layout->fossil_params =
        reserve_many(end, fossils, kas_blend_params_bytes(1, rows), &layout->fossil_params_stride);
    layout->x = reserve(end, 4 * (size_t)plan->inputs * layout->staged_rows);
    layout->y = reserve(end, 4 * (size_t)plan->outputs * layout->staged_rows);
    layout->result = reserve(end, n > 0 ? kas_blend_result_bytes(n, rows) : 0);
    layout->fossil_result =
        reserve_many(end, fossils, kas_blend_result_bytes(1, rows), &layout->fossil_result_stride);
    layout->sample =
        reserve_many(end, copies ? n : 0, 4 * (size_t)plan->outputs * min_rows(rows, KAS_SAMPLE_ROWS),
                     &layout->sample_stride);
    layout->mirror_bytes = copies ? end->bytes : 0;
}

kas_status kas_plan_lay_out(kas_plan *plan, uint32_t rows_limit, bool small)
{
    choose_rows(plan, rows_limit);
    kas_arena_layout *layout = &plan->layout;
    size_t alignment = plan->set->limits->buffer_alignment;
    arena_end end = {.alignment = alignment > KAS_CACHE_LINE ? alignment : KAS_CACHE_LINE};
    lay_out_mirrored(plan, &end);
    size_t output_bytes = 4 * (size_t)plan->outputs * layout->rows;
    bool composed = plan->seed_count > 0 || plan->fossil_count > 0;
    layout->blend = reserve_many(&end, plan->seed_count, output_bytes, &layout->blend_stride);
    layout->fossil_blend = reserve(&end, plan->fossil_count > 0 ? output_bytes : 0);
    layout->base[0] = reserve(&end, composed ? output_bytes : 0);
    layout->base[1] = reserve(&end, plan->fossil_count > 0 ? output_bytes : 0);
    size_t work = largest_work(plan);
    layout->apart = !small && plan->seed_count > 1 && work <= WORK_APART_BYTES_MAX / plan->seed_count;
    layout->work = reserve_many(&end, layout->apart ? plan->seed_count : 1, work, &layout->work_stride);
    layout->total_bytes = end.bytes;
    if (end.overflown)
        return kas_fail(KAS_TOO_LARGE, ENGINE,
                        "layer %s: its passes need more memory than there are addresses", plan->name);
    return NULL;
}
