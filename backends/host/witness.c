#include "backends/host/witness.h"

#include <string.h>

enum { WORTH_FLOATS = 1 << 15 }; /* that a judge would read */

size_t kas_host_witness_bytes(const kas_launch *launch, uint32_t rows)
{
    if (launch->kernel != KAS_KERNEL_judge) return 0;
    const struct judge_args *args = (const void *)launch->args;
    size_t contributions = (size_t)args->contributions;
    if (rows * ((size_t)args->k + contributions * (size_t)args->n) < WORTH_FLOATS) return 0;
    return rows * (1 + contributions);
}

static const kas_launch *launch_of(const kas_host_step *step)
{
    return &step->list->launches[step->launch];
}

/* The step's arguments when it is a product of whole rows, one for each of the pass; otherwise NULL. */
static const struct linear_args *product_of_rows(const kas_host_step *step)
{
    if (launch_of(step)->kernel != KAS_KERNEL_linear || !step->by_rows) return NULL;
    const struct linear_args *args = step->task.args;
    return args->m == 1 && args->ldy == args->n ? args : NULL;
}

static kas_host_witness *witness_of(kas_host_step *step)
{
    if (!step->task.witness) {
        step->witness = (kas_host_witness){.input = NULL};
        step->task.witness = &step->witness;
    }
    return &step->witness;
}

/* Any product over the same rows can tell of them. */
static _Atomic uint8_t *call_for_input(kas_host_step *steps, const kas_host_step *judge,
                                       _Atomic uint8_t *flags)
{
    const struct judge_args *args = judge->task.args;
    for (kas_host_step *step = steps; step < judge; ++step) {
        const struct linear_args *product = product_of_rows(step);
        if (!product || step->task.buffers[1] != judge->task.buffers[1]) continue;
        if (product->k != args->k || product->ldx != args->k) continue;
        kas_host_witness *witness = witness_of(step);
        if (!witness->input) witness->input = flags;
        return witness->input;
    }
    return NULL;
}

/* Of a contribution only the submission can tell that wrote it last, and only if its last launch is a
 * product: that one writes all of it. */
static bool call_for_output(kas_host_step *steps, const kas_host_step *judge, const float *k,
                            _Atomic uint8_t *flags)
{
    const struct judge_args *args = judge->task.args;
    size_t at = (size_t)(judge - steps);
    while (at > 0 && steps[at - 1].y != k)
        --at;
    if (at == 0) return false;
    kas_host_step *last = &steps[at - 1];
    const struct linear_args *product = product_of_rows(last);
    if (!product || product->n != args->n || last->task.buffers[4] != k) return false;
    witness_of(last)->output = flags;
    return true;
}

static void call_for(kas_host_step *steps, kas_host_step *judge, _Atomic uint8_t *flags)
{
    const struct judge_args *args = judge->task.args;
    const float *k = judge->task.buffers[2];
    kas_host_witness *witness = witness_of(judge);
    size_t rows = judge->task.rows;
    witness->input = call_for_input(steps, judge, flags);
    witness->output = flags + rows;
    witness->stride = rows;
    for (int s = 0; s < args->contributions; ++s, k += args->k_stride)
        if (call_for_output(steps, judge, k, witness->output + (size_t)s * rows))
            witness->outputs |= (uint64_t)1 << s;
}

void kas_host_witness_call(kas_host_step *steps, size_t count, _Atomic uint8_t *flags)
{
    for (kas_host_step *step = steps; step < steps + count; ++step) {
        size_t bytes = kas_host_witness_bytes(launch_of(step), step->task.rows);
        if (bytes == 0) continue;
        memset((void *)flags, 0, bytes);
        call_for(steps, step, flags);
        flags += bytes;
    }
}
