/* How many rows of a pass its device gets at a time. Rows are independent, so a pass is cut there first;
 * what a row alone asks too much for, the queue cuts between launches (backends/core/pieces.h). */
#include "engine/exec/plan.h"

static void add(kas_estimate *sum, const kas_list *list)
{
    kas_estimate more = kas_list_estimate(list);
    sum->fixed_ns += more.fixed_ns;
    sum->per_row_ns += more.per_row_ns;
}

/* Of everything that a pass with these contributions runs. */
static kas_estimate estimate(const kas_plan *plan, uint64_t contributing)
{
    kas_estimate sum = {0};
    for (uint32_t i = 0; i < plan->seed_count; ++i)
        if (contributing >> i & 1) add(&sum, plan->seeds[i].list);
    if (contributing) add(&sum, plan->judge);
    if (contributing) add(&sum, plan->linear_blend ? plan->linear_blend : plan->blend);
    if (!(contributing && plan->linear_blend)) add(&sum, plan->base_list);
    for (uint32_t f = 0; f < plan->fossil_count; ++f) {
        add(&sum, plan->fossils[f].list);
        add(&sum, plan->fossil_judge);
        add(&sum, plan->fossil_blend);
    }
    return sum;
}

uint32_t kas_plan_rows_of_a_piece(const kas_plan *plan, uint64_t contributing)
{
    if (plan->set->limits->immediate) return UINT32_MAX;
    kas_estimate of = estimate(plan, contributing);
    double rows = ((double)kas_piece_ns() - of.fixed_ns) / of.per_row_ns;
    double least = of.fixed_ns / of.per_row_ns; /* with fewer, what every piece costs would be most of it */
    if (rows < least) rows = least;
    if (rows < 1) return 1;
    return rows < UINT32_MAX ? (uint32_t)rows : UINT32_MAX;
}
