#include "engine/exec/submissions.h"

#include "engine/exec/staging.h"

static kas_slot at_arena(const kas_batch *batch, size_t offset)
{
    return (kas_slot){.buffer = kas_batch_workspace(batch)->arena, .offset_bytes = offset};
}

static kas_slot at_x(const kas_batch *batch)
{
    if (batch->staged) return at_arena(batch, batch->plan->layout.x);
    return (kas_slot){.host = (void *)(batch->passes->x + batch->done * batch->plan->inputs)};
}

static kas_slot at_y(const kas_batch *batch)
{
    if (batch->staged) return at_arena(batch, batch->plan->layout.y);
    return (kas_slot){.host = batch->passes->y + batch->done * batch->plan->outputs};
}

/* Writes submission number `at` with what most lists are bound to; the caller changes the slots that differ.
 */
static kas_submission *put(const kas_batch *batch, uint32_t at, kas_list *list, int culprit)
{
    const kas_arena_layout *layout = &batch->plan->layout;
    kas_submission *submission = &batch->context->submissions[at];
    *submission = (kas_submission){.list = list,
                                   .slots[KAS_SLOT_PARAMS] = at_arena(batch, layout->params),
                                   .slots[KAS_SLOT_X] = at_x(batch),
                                   .slots[KAS_SLOT_Y] = at_y(batch),
                                   .slots[KAS_SLOT_WORK] = at_arena(batch, layout->work),
                                   .slots[KAS_SLOT_BLEND] = at_arena(batch, layout->blend),
                                   .slots[KAS_SLOT_RESULT] = at_arena(batch, layout->result)};
    batch->context->culprits[at] = (int16_t)culprit;
    return submission;
}

void kas_put_seed(const kas_batch *batch, uint32_t at, uint32_t i)
{
    const kas_arena_layout *layout = &batch->plan->layout;
    kas_submission *submission = put(batch, at, batch->plan->seeds[i].list, (int)i);
    submission->slots[KAS_SLOT_Y] = at_arena(batch, layout->blend + i * layout->blend_stride);
    submission->apart = layout->apart;
    if (layout->apart)
        submission->slots[KAS_SLOT_WORK] = at_arena(batch, layout->work + i * layout->work_stride);
}

/* The base's output goes to the caller where nothing comes after it. */
static kas_slot at_base(const kas_batch *batch, uint32_t fossils_before)
{
    bool last = fossils_before == batch->plan->fossil_count && !batch->contributing;
    return last ? at_y(batch) : at_arena(batch, batch->plan->layout.base[fossils_before % 2]);
}

void kas_put_judge(const kas_batch *batch, uint32_t at)
{
    put(batch, at, batch->plan->judge, KAS_NOBODY);
}

void kas_put_base(const kas_batch *batch, uint32_t at)
{
    put(batch, at, batch->plan->base_list, KAS_NOBODY)->slots[KAS_SLOT_Y] = at_base(batch, 0);
}

static kas_submission *put_for_fossil(const kas_batch *batch, uint32_t at, uint32_t f, kas_list *list,
                                      int culprit)
{
    const kas_arena_layout *layout = &batch->plan->layout;
    kas_submission *submission = put(batch, at, list, culprit);
    submission->slots[KAS_SLOT_PARAMS] =
        at_arena(batch, layout->fossil_params + f * layout->fossil_params_stride);
    submission->slots[KAS_SLOT_RESULT] =
        at_arena(batch, layout->fossil_result + f * layout->fossil_result_stride);
    submission->slots[KAS_SLOT_BLEND] = at_arena(batch, layout->fossil_blend);
    submission->slots[KAS_SLOT_Y] = at_arena(batch, layout->fossil_blend);
    return submission;
}

void kas_put_fossil(const kas_batch *batch, uint32_t at, uint32_t f)
{
    put_for_fossil(batch, at, f, batch->plan->fossils[f].list, KAS_FIRST_FOSSIL + (int)f);
}

void kas_put_fossil_judge(const kas_batch *batch, uint32_t at, uint32_t f)
{
    put_for_fossil(batch, at, f, batch->plan->fossil_judge, KAS_NOBODY);
}

void kas_put_fossil_blend(const kas_batch *batch, uint32_t at, uint32_t f)
{
    kas_submission *submission = put_for_fossil(batch, at, f, batch->plan->fossil_blend, KAS_NOBODY);
    submission->slots[KAS_SLOT_WORK] = at_arena(batch, batch->plan->layout.base[f % 2]);
    submission->slots[KAS_SLOT_Y] = at_base(batch, f + 1);
}

void kas_put_blend(const kas_batch *batch, uint32_t at, bool with_base)
{
    const kas_plan *plan = batch->plan;
    bool product = with_base && plan->linear_blend;
    kas_submission *submission = put(batch, at, product ? plan->linear_blend : plan->blend, KAS_NOBODY);
    submission->slots[KAS_SLOT_WORK] = at_arena(batch, plan->layout.base[plan->fossil_count % 2]);
}

uint32_t kas_put_all(const kas_batch *batch)
{
    const kas_plan *plan = batch->plan;
    uint32_t count = 0;
    for (uint32_t i = 0; i < plan->seed_count; ++i)
        if ((batch->contributing & ~batch->broken) >> i & 1) kas_put_seed(batch, count++, i);
    if (batch->contributing) kas_put_judge(batch, count++);
    if (!(batch->contributing && plan->linear_blend)) kas_put_base(batch, count++);
    for (uint32_t f = 0; f < plan->fossil_count; ++f) {
        if (!(batch->broken_fossils >> f & 1)) kas_put_fossil(batch, count++, f);
        kas_put_fossil_judge(batch, count++, f);
        kas_put_fossil_blend(batch, count++, f);
    }
    if (batch->contributing) kas_put_blend(batch, count++, true);
    return count;
}

uint32_t kas_put_all_most(const kas_plan *plan)
{
    return plan->seed_count + 3 + 3 * plan->fossil_count;
}
