/* Moves: what the state asks for of a layer on its way to another device. Its weights are copied there by a
 * task, from the host's copy; then a plan is composed for trial and kept until the move is over, so that what
 * its passes need stays reserved until the layer's own plan has it. One thing is asked for at a time, and
 * each is answered with one message, so that a move is freed only when nobody else knows of it. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/control/trial.h"
#include "engine/control/upload.h"

struct kas_move {
    kas_message answered; /* on its way, or to be posted by the running task, while `owed` */
    kas_task task;
    kas_engine *engine;
    kas_move *next;     /* in control.moves */
    uint64_t operation; /* its number */
    char layer[KAS_NAME_SIZE];
    kas_math math;
    bool owed, over;    /* over: the state has ended it; control thread only */
    kas_device *device; /* borrowed of the engine */
    kas_held *from;
    /* What was made; the control thread's while no task runs. */
    kas_status status;
    kas_held *copy;
    kas_plan *trial; /* first of the base alone: so the device's execution contexts are made by a task */
};

/* ---- lifetime, on the control thread ---- */

static void drop_made(kas_move *move)
{
    kas_status_free(move->status);
    kas_held_release(move->from);
    kas_held_release(move->copy);
    move->status = NULL;
    move->from = move->copy = NULL;
}

static void remove_move(kas_move *move)
{
    kas_move **at = &move->engine->control.moves;
    while (*at != move)
        at = &(*at)->next;
    *at = move->next;
    drop_made(move);
    kas_plan_destroy(move->trial);
    kas_free(move);
}

static kas_move *find_move(kas_engine *engine, uint64_t operation)
{
    for (kas_move *move = engine->control.moves; move; move = move->next)
        if (move->operation == operation) return move;
    return NULL;
}

/* The first thing that is asked for makes it; NULL: memory is out. */
static kas_move *move_of(kas_engine *engine, const kas_effect *effect)
{
    kas_move *move = find_move(engine, effect->move.operation);
    if (move) return move;
    move = kas_calloc(1, sizeof *move);
    if (!move) return NULL;
    move->engine = engine;
    move->operation = effect->move.operation;
    memcpy(move->layer, effect->layer, sizeof move->layer);
    move->next = engine->control.moves;
    engine->control.moves = move;
    return move;
}

/* ---- the task ---- */

static kas_status copy_weights(const kas_layer_weights *from, kas_layer_weights *out)
{
    size_t matrix_bytes;
    *out = (kas_layer_weights){.inputs = from->inputs, .outputs = from->outputs, .sha256 = from->sha256};
    if (!kas_mul(from->inputs * from->outputs, sizeof(float), &matrix_bytes)) return kas_out_of_memory();
    out->weight = kas_memdup(from->weight, matrix_bytes);
    if (from->bias) out->bias = kas_memdup(from->bias, from->outputs * sizeof(float));
    return out->weight && (out->bias || !from->bias) ? NULL : kas_out_of_memory();
}

static kas_status copy(kas_move *move)
{
    KAS_TRY(kas_held_create(&move->copy));
    const kas_layer_weights *from = &move->from->weights;
    KAS_TRY(copy_weights(from, &move->copy->weights));
    kas_segment **segment = &move->copy->segment;
    KAS_TRY(kas_annotate(kas_upload_linear(move->engine, move->device, from->weight, from->bias, from->inputs,
                                           from->outputs, segment),
                         "the layer's weights"));
    if (move->trial) return NULL;
    return kas_trial_base(move->engine, move->layer, move->math, move->device, *segment, &move->trial);
}

static void run_copy(kas_task *task)
{
    kas_move *move = (kas_move *)((char *)task - offsetof(kas_move, task));
    move->status = copy(move);
    kas_mailbox_post(&move->engine->mailbox, &move->answered);
}

/* ---- answers, on the control thread ---- */

static bool tell_failure(const kas_move *move)
{
    kas_command command = {
        .kind = KAS_COMMAND_MOVE_FAILED,
        .failed =
            {
                .make = move->operation,
                .code = kas_status_code(move->status),
                .blame = kas_status_blame(move->status),
                .error_type = kas_classify(move->status),
                .reason = kas_status_reason(move->status),
            },
    };
    snprintf(command.failed.detail, sizeof command.failed.detail, "%s", kas_status_message(move->status));
    return kas_control_applied(move->engine, &command);
}

/* True when there is nobody left to be told. */
static bool is_late(kas_move *move)
{
    bool late = move->over || atomic_load(&move->engine->stopping);
    move->owed = false;
    if (move->over) remove_move(move);
    return late;
}

static bool tell_copied(kas_move *move)
{
    if (!move->copy->number) {
        kas_status status = kas_held_table_add(&move->engine->held, move->copy);
        kas_status_free(status);
        if (status) return false;
    }
    kas_command command = {
        .kind = KAS_COMMAND_MOVE_WEIGHTS_READY,
        .moved = {.operation = move->operation, .weights = move->copy->number},
    };
    return kas_control_applied(move->engine, &command);
}

static bool handle_copied(kas_message *message)
{
    kas_move *move = (kas_move *)((char *)message - offsetof(kas_move, answered));
    if (move->task.run) kas_control_ended(move->engine);
    move->task.run = NULL; /* it has ended: not to be counted again when memory is out below */
    if (is_late(move)) return true;
    if (!(move->status ? tell_failure(move) : tell_copied(move))) return false;
    drop_made(move); /* the table has the copy */
    return true;
}

static bool handle_tried(kas_message *message)
{
    kas_move *move = (kas_move *)((char *)message - offsetof(kas_move, answered));
    if (is_late(move)) return true;
    kas_command command = {.kind = KAS_COMMAND_MOVE_TRIED, .moved = {.operation = move->operation}};
    if (!(move->status ? tell_failure(move) : kas_control_applied(move->engine, &command))) return false;
    drop_made(move);
    return true;
}

/* ---- effects ---- */

bool kas_move_copy(kas_engine *engine, const kas_effect *effect)
{
    kas_move *move = move_of(engine, effect);
    if (!move) return false;
    move->device = kas_devices_find(&engine->devices, effect->move.device);
    move->from = kas_held_table_retain(&engine->held, effect->move.from);
    move->math = effect->move.math;
    move->answered.handle = handle_copied;
    move->owed = true;
    if (move->device && move->from) {
        move->task.run = run_copy;
        kas_control_start(engine, &move->task);
        return true;
    }
    move->status = kas_fail(KAS_INTERNAL, ENGINE, "the weights of layer %s, or %s, are not there",
                            effect->layer, effect->move.device);
    kas_mailbox_post(&engine->mailbox, &move->answered);
    return true;
}

bool kas_move_try(kas_engine *engine, const kas_effect *effect)
{
    kas_move *move = move_of(engine, effect);
    if (!move) return false;
    kas_plan_destroy(move->trial);
    move->trial = NULL;
    kas_status status = kas_trial_move(engine, move->operation, &move->trial);
    if (kas_status_code(status) == KAS_OUT_OF_MEMORY && kas_status_blame(status) != KAS_BLAME_DEVICE) {
        kas_status_free(status);
        return false;
    }
    move->status = status;
    move->answered.handle = handle_tried;
    move->owed = true;
    kas_mailbox_post(&engine->mailbox, &move->answered);
    return true;
}

void kas_move_end(kas_engine *engine, const kas_effect *effect)
{
    kas_move *move = find_move(engine, effect->move.operation);
    if (!move) return;
    move->over = true;
    if (!move->owed) remove_move(move);
}

void kas_move_drop_trials(kas_engine *engine)
{
    for (kas_move *move = engine->control.moves; move; move = move->next) {
        kas_plan_destroy(move->trial);
        move->trial = NULL;
    }
}

void kas_move_finish_all(kas_engine *engine)
{
    while (engine->control.moves)
        remove_move(engine->control.moves);
}
