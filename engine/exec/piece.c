/* How many rows of a pass its device gets at a time. Rows are independent, so a pass is cut there first;
 * what a row alone asks too much for, the queue cuts between launches (backends/core/pieces.h). */
#include "engine/exec/plan.h"

/* Of everything that a pass with these contributions runs. */
static double expected_ns(const kas_plan *plan, uint64_t contributing, uint32_t rows)
{
    double sum = 0;
    for (uint32_t i = 0; i < plan->seed_count; ++i)
        if (contributing >> i & 1) sum += kas_list_expected_ns(plan->seeds[i].list, rows);
    if (contributing) {
        sum += kas_list_expected_ns(plan->judge, rows);
        sum += kas_list_expected_ns(plan->linear_blend ? plan->linear_blend : plan->blend, rows);
    }
    if (!(contributing && plan->linear_blend)) sum += kas_list_expected_ns(plan->base_list, rows);
    for (uint32_t f = 0; f < plan->fossil_count; ++f) {
        sum += kas_list_expected_ns(plan->fossils[f].list, rows);
        sum += kas_list_expected_ns(plan->fossil_judge, rows);
        sum += kas_list_expected_ns(plan->fossil_blend, rows);
    }
    return sum;
}

uint32_t kas_plan_rows_of_a_piece(const kas_plan *plan, uint64_t contributing, uint32_t wanted)
{
    enum { TILE = LINEAR_TILE_ROWS }; /* what is computed at once, however many of its rows there are */
    if (plan->set->limits->immediate || wanted <= 1) return wanted;
    const double piece_ns = (double)kas_piece_ns();
    if (expected_ns(plan, contributing, wanted) <= piece_ns) return wanted;
    const double tile_ns = expected_ns(plan, contributing, TILE);
    double rows = TILE * (piece_ns / tile_ns);
    if (rows >= TILE)
        rows = (double)TILE * (uint32_t)(piece_ns / tile_ns);
    else if (expected_ns(plan, contributing, 1) > tile_ns / 2)
        rows = TILE; /* fewer would take as long */
    if (rows < 1) return 1;
    return rows < wanted ? (uint32_t)rows : wanted;
}
