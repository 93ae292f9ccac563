/* Folding: a layer's weights with its first fossils in them, D̂ₙ = (1 − α′ₙ)·D̂ₙ₋₁ + α′ₙ·Kₙ, computed anew from
 * the original weights in float64 and rounded once. */
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "engine/control/engine.h"
#include "engine/control/upload.h"

typedef struct fold {
    kas_message answered;
    kas_task task;
    kas_engine *engine;
    uint64_t number;
    kas_device *device; /* borrowed of the engine */
    kas_held *original;
    kas_held *kernels[KAS_MAX_SEEDS];
    float alphas[KAS_MAX_SEEDS];
    uint32_t count;
    kas_status status;
    kas_held *folded;
    bool ended; /* its task, as the control thread counts them */
} fold;

static void destroy(fold *work)
{
    kas_status_free(work->status);
    kas_held_release(work->original);
    for (uint32_t i = 0; i < work->count; ++i)
        kas_held_release(work->kernels[i]);
    kas_held_release(work->folded);
    kas_free(work);
}

/* ---- the task ---- */

static void mix(double *sum, const float *with, size_t count, double alpha)
{
    for (size_t i = 0; i < count; ++i)
        sum[i] = (1 - alpha) * sum[i] + alpha * (with ? (double)with[i] : 0.0);
}

/* sum: W then b, as one array. */
static kas_status mix_kernel(const fold *work, uint32_t i, double *sum)
{
    size_t inputs = work->original->weights.inputs, outputs = work->original->weights.outputs;
    const kas_held *kernel = work->kernels[i];
    if (!kernel->affine) return kas_fail(KAS_INTERNAL, ENGINE, "fossil %u of a fold is not affine", i);
    bool affine;
    float *weight = NULL, *bias = NULL;
    KAS_TRY(kas_graph_affine(kas_decoded_artifact(kernel->affine)->graph, &affine, &weight, &bias));
    if (affine) {
        mix(sum, weight, inputs * outputs, (double)work->alphas[i]);
        mix(sum + inputs * outputs, bias, outputs, (double)work->alphas[i]);
    }
    kas_free(weight);
    kas_free(bias);
    return affine ? NULL : kas_fail(KAS_INTERNAL, ENGINE, "fossil %u of a fold is not affine", i);
}

static kas_status mix_all(const fold *work, double *sum, float *rounded)
{
    const kas_layer_weights *original = &work->original->weights;
    size_t matrix = original->inputs * original->outputs;
    for (size_t i = 0; i < matrix; ++i)
        sum[i] = (double)original->weight[i];
    for (size_t i = 0; i < original->outputs; ++i)
        sum[matrix + i] = original->bias ? (double)original->bias[i] : 0.0;
    for (uint32_t i = 0; i < work->count; ++i)
        KAS_TRY(mix_kernel(work, i, sum));
    for (size_t i = 0; i < matrix + original->outputs; ++i)
        rounded[i] = (float)sum[i];
    return NULL;
}

static kas_status upload_folded(fold *work, const float *rounded)
{
    const kas_layer_weights *original = &work->original->weights;
    KAS_TRY(kas_held_create(&work->folded));
    return kas_upload_linear(work->engine, work->device, rounded,
                             rounded + original->inputs * original->outputs, original->inputs,
                             original->outputs, &work->folded->segment);
}

static kas_status compute(fold *work)
{
    size_t count = (work->original->weights.inputs + 1) * work->original->weights.outputs;
    double *sum = kas_alloc_array(count, sizeof *sum);
    float *rounded = kas_alloc_array(count, sizeof *rounded);
    kas_status status = sum && rounded ? mix_all(work, sum, rounded) : kas_out_of_memory();
    kas_free(sum);
    if (!status) status = upload_folded(work, rounded);
    kas_free(rounded);
    return status;
}

static void run_fold(kas_task *task)
{
    fold *work = (fold *)((char *)task - offsetof(fold, task));
    work->status = compute(work);
    kas_mailbox_post(&work->engine->mailbox, &work->answered);
}

/* ---- on the control thread ---- */

static bool handle_folded(kas_message *message)
{
    fold *work = (fold *)((char *)message - offsetof(fold, answered));
    if (!work->ended) kas_control_ended(work->engine);
    work->ended = true;
    kas_command command = {.kind = KAS_COMMAND_FOLDED, .folded = {.fold = work->number}};
    if (!work->status && !work->folded->number) {
        kas_status status = kas_held_table_add(&work->engine->held, work->folded);
        kas_status_free(status);
        if (status) return false;
    }
    if (work->status) {
        command.kind = KAS_COMMAND_FOLD_FAILED;
        kas_warning("control", "fossils are not folded: %s", kas_status_message(work->status));
    } else {
        command.folded.weights = work->folded->number;
    }
    if (!kas_control_applied(work->engine, &command)) return false;
    destroy(work);
    return true;
}

/* Fills in what to read; false: the layer has gone, or something of it. */
static bool gather(kas_engine *engine, const kas_effect *effect, fold *work)
{
    kas_resource weights;
    kas_published_fossil fossils[KAS_MAX_SEEDS];
    uint32_t count;
    kas_layer_info layer;
    if (!kas_state_fold_source(engine->state, effect->layer_uid, &weights, fossils, &count)) return false;
    kas_status status = kas_state_layer_info(engine->state, effect->layer, &layer);
    kas_status_free(status);
    if (status) return false;
    work->device = kas_devices_find(&engine->devices, layer.device);
    kas_held *original = kas_held_table_find(&engine->held, weights);
    if (!work->device || !original || count < effect->fold.fossils) return false;
    work->original = kas_held_retain(original);
    for (uint32_t i = 0; i < effect->fold.fossils; ++i) {
        kas_held *kernel = kas_held_table_find(&engine->held, fossils[i].kernel);
        if (!kernel) return false;
        work->kernels[i] = kas_held_retain(kernel);
        work->alphas[i] = fossils[i].alpha;
        work->count = i + 1;
    }
    return true;
}

bool kas_fold_start(kas_engine *engine, const kas_effect *effect)
{
    fold *work = kas_calloc(1, sizeof *work);
    if (!work) return false;
    work->engine = engine;
    work->number = effect->fold.fold;
    work->task.run = run_fold;
    work->answered.handle = handle_folded;
    if (gather(engine, effect, work)) {
        kas_control_start(engine, &work->task);
        return true;
    }
    work->ended = true; /* there is no task */
    work->status =
        kas_fail(KAS_INTERNAL, ENGINE, "weights or kernels of layer %s are not there", effect->layer);
    kas_mailbox_post(&engine->mailbox, &work->answered);
    return true;
}
