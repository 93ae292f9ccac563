#include "engine/exec/staging.h"

#include <string.h>

enum { PARAMS_HEAD_BYTES = 32 };

const kas_workspace *kas_batch_workspace(const kas_batch *batch)
{
    return &batch->plan->pool->workspaces[batch->context->index];
}

uint32_t kas_batch_rows_of(const kas_batch *batch, const kas_pass *pass)
{
    return batch->passes->next ? (uint32_t)pass->rows : batch->rows;
}

bool kas_stage_copies(const kas_batch *batch)
{
    return batch->plan->pool->mirror_bytes > 0;
}

void *kas_stage_at(const kas_batch *batch, size_t offset_bytes)
{
    return kas_batch_workspace(batch)->host + offset_bytes;
}

/* ---- parameters ---- */

static void write_head(uint32_t *params, const kas_batch *batch, uint64_t broken)
{
    memset(params, 0, PARAMS_HEAD_BYTES);
    params[0] = batch->rows;
    params[1] = (uint32_t)broken;
    params[2] = (uint32_t)(broken >> 32);
    params[3] = (uint32_t)batch->done;
}

static uint32_t *fossil_params(const kas_batch *batch, uint32_t fossil)
{
    const kas_arena_layout *layout = &batch->plan->layout;
    return kas_stage_at(batch, layout->fossil_params + fossil * layout->fossil_params_stride);
}

/* A pass to which nothing contributes may stand in a batch with others; its alphas were never set. */
static void write_alphas(uint32_t *words, const kas_pass *pass, uint32_t count)
{
    if (pass->contributing)
        memcpy(words, pass->alphas, count * sizeof *words);
    else
        memset(words, 0, count * sizeof *words);
}

static void write_params(const kas_batch *batch)
{
    const kas_plan *plan = batch->plan;
    uint32_t *params = kas_stage_at(batch, plan->layout.params), *word = params + PARAMS_HEAD_BYTES / 4;
    write_head(params, batch, batch->broken);
    if (batch->contributing) {
        for (const kas_pass *pass = batch->passes; pass; pass = pass->next)
            for (uint32_t r = 0; r < kas_batch_rows_of(batch, pass); ++r, word += plan->seed_count)
                write_alphas(word, pass, plan->seed_count);
    }
    for (uint32_t f = 0; f < plan->fossil_count; ++f) {
        params = fossil_params(batch, f);
        write_head(params, batch, batch->broken_fossils >> f & 1);
        for (uint32_t r = 0; r < batch->rows; ++r)
            memcpy(&params[PARAMS_HEAD_BYTES / 4 + r], &plan->fossils[f].alpha, sizeof *params);
    }
}

/* ---- rows, and traffic ---- */

static void copy_rows_in(const kas_batch *batch)
{
    if (!batch->staged) return;
    size_t inputs = batch->plan->inputs;
    float *x = kas_stage_at(batch, batch->plan->layout.x);
    for (const kas_pass *pass = batch->passes; pass; pass = pass->next) {
        size_t floats = kas_batch_rows_of(batch, pass) * inputs;
        memcpy(x, pass->x + batch->done * inputs, floats * sizeof *x);
        x += floats;
    }
}

void kas_stage_out(const kas_batch *batch)
{
    if (!batch->staged) return;
    size_t outputs = batch->plan->outputs;
    const float *y = kas_stage_at(batch, batch->plan->layout.y);
    for (const kas_pass *pass = batch->passes; pass; pass = pass->next) {
        size_t floats = kas_batch_rows_of(batch, pass) * outputs;
        memcpy(pass->y + batch->done * outputs, y, floats * sizeof *y);
        y += floats;
    }
}

static kas_status upload(const kas_batch *batch, size_t offset, size_t size_bytes)
{
    if (!kas_stage_copies(batch) || size_bytes == 0) return NULL;
    const kas_workspace *workspace = kas_batch_workspace(batch);
    return kas_queue_upload(batch->context->queue, workspace->arena, offset, workspace->host + offset,
                            size_bytes);
}

static kas_status download(const kas_batch *batch, size_t from, size_t to, size_t size_bytes)
{
    if (!kas_stage_copies(batch) || size_bytes == 0) return NULL;
    const kas_workspace *workspace = kas_batch_workspace(batch);
    return kas_queue_download(batch->context->queue, workspace->arena, from, workspace->host + to,
                              size_bytes);
}

static kas_status upload_inputs(const kas_batch *batch)
{
    const kas_plan *plan = batch->plan;
    const kas_arena_layout *layout = &plan->layout;
    uint32_t seeds = batch->contributing ? plan->seed_count : 0;
    KAS_TRY(upload(batch, layout->params, kas_blend_params_bytes(seeds, batch->rows)));
    KAS_TRY(upload(batch, layout->fossil_params, plan->fossil_count * layout->fossil_params_stride));
    return upload(batch, layout->x, 4 * (size_t)plan->inputs * batch->rows);
}

kas_status kas_stage_in(const kas_batch *batch)
{
    write_params(batch);
    copy_rows_in(batch);
    return upload_inputs(batch);
}

kas_status kas_stage_broken(const kas_batch *batch)
{
    size_t params = batch->plan->layout.params;
    write_head(kas_stage_at(batch, params), batch, batch->broken);
    return upload(batch, params, PARAMS_HEAD_BYTES);
}

kas_status kas_stage_broken_fossil(const kas_batch *batch, uint32_t fossil)
{
    const kas_arena_layout *layout = &batch->plan->layout;
    write_head(fossil_params(batch, fossil), batch, batch->broken_fossils >> fossil & 1);
    return upload(batch, layout->fossil_params + fossil * layout->fossil_params_stride, PARAMS_HEAD_BYTES);
}

kas_status kas_stage_results(const kas_batch *batch)
{
    const kas_plan *plan = batch->plan;
    const kas_arena_layout *layout = &plan->layout;
    if (batch->contributing)
        KAS_TRY(download(batch, layout->result, layout->result,
                         kas_blend_result_bytes(plan->seed_count, layout->rows)));
    KAS_TRY(download(batch, layout->fossil_result, layout->fossil_result,
                     plan->fossil_count * layout->fossil_result_stride));
    uint32_t rows = batch->rows < KAS_SAMPLE_ROWS ? batch->rows : KAS_SAMPLE_ROWS;
    for (uint32_t i = 0; i < plan->seed_count && batch->sampled; ++i)
        KAS_TRY(download(batch, layout->blend + i * layout->blend_stride,
                         layout->sample + i * layout->sample_stride, 4 * (size_t)plan->outputs * rows));
    return download(batch, layout->y, layout->y, 4 * (size_t)plan->outputs * batch->rows);
}
