/* Calls: admission, the way through the control thread, and the answer. */
#include <string.h>

#include "base/alloc.h"
#include "engine/control/call.h"

/* ---- answering ---- */

void kas_call_finish(kas_call *call, kas_status status, const kas_reply *reply)
{
    static const kas_reply nothing = {.size = sizeof nothing};
    kas_engine *engine = call->engine;
    kas_plan_destroy(call->trial);
    kas_held_release(call->held);
    kas_decoded_release(call->decoded);
    kas_record_release(call->record);
    call->done(call->user, status, reply ? reply : &nothing);
    kas_free(call->reply.failed);
    kas_free(call);
    atomic_fetch_sub(&engine->calls, 1);
}

void kas_reply_finish(kas_reply *reply)
{
    kas_free(reply->failed);
    *reply = (kas_reply){.size = reply->size};
}

/* ---- on the control thread ---- */

static kas_status stopping(void)
{
    return kas_fail(KAS_UNAVAILABLE, ENGINE, "the engine is stopping");
}

static kas_call *take_waiting(kas_control *control, kas_ticket ticket)
{
    for (kas_call **at = &control->waiting; *at; at = &(*at)->next) {
        kas_call *call = *at;
        if (call->command.ticket != ticket) continue;
        *at = call->next;
        return call;
    }
    return NULL;
}

/* The state has not taken over what was made for the command: it goes. */
static void drop_made(kas_call *call)
{
    if (call->held && call->held->number) kas_held_table_remove(&call->engine->held, call->held->number);
}

/* The state has answered, or had no memory for it. Takes the status. */
static void answered(kas_call *call, kas_status status)
{
    if (status) drop_made(call);
    if (call->kind == KAS_REQUEST_PUT_KERNEL)
        kas_call_bound(call, status);
    else if (!status && call->kind == KAS_REQUEST_EVICT_KERNEL)
        kas_call_evict_kernel(call);
    else
        kas_call_finish(call, status, &call->reply);
}

bool kas_call_apply(kas_call *call)
{
    kas_control *control = &call->engine->control;
    call->command.ticket = ++control->last_ticket;
    call->next = control->waiting;
    control->waiting = call;
    kas_status status = kas_control_apply(call->engine, &call->command);
    if (!status) return true;
    answered(take_waiting(control, call->command.ticket), status);
    return true;
}

void kas_call_replied(kas_engine *engine, kas_effect *effect)
{
    kas_call *call = take_waiting(&engine->control, effect->reply.ticket);
    kas_status status = effect->reply.status;
    if (call) call->reply = *effect->reply.reply;
    kas_free(effect->reply.reply);
    effect->reply.status = NULL;
    effect->reply.reply = NULL;
    if (!call) {
        kas_status_free(status);
        return;
    }
    answered(call, status);
}

/* ---- turns ---- */

static void begin_next(kas_control *control)
{
    kas_call *call = control->turns;
    control->turn_taken = call != NULL;
    if (!call) return;
    control->turns = call->next;
    call->begin(call);
}

void kas_call_take_turn(kas_call *call, void (*begin)(kas_call *call))
{
    kas_control *control = &call->engine->control;
    call->begin = begin;
    call->next = NULL;
    kas_call **end = &control->turns;
    while (*end)
        end = &(*end)->next;
    *end = call;
    if (!control->turn_taken) begin_next(control);
}

void kas_call_end_turn(kas_call *call)
{
    begin_next(&call->engine->control);
}

void kas_call_prepare(kas_call *call, void (*work)(kas_task *task), bool (*handle)(kas_message *message))
{
    call->task.run = work;
    call->message.handle = handle;
    kas_control_start(call->engine, &call->task);
}

void kas_call_prepared(kas_call *call, kas_status status)
{
    call->status = status;
    kas_mailbox_post(&call->engine->mailbox, &call->message);
}

static bool handle_call(kas_message *message)
{
    kas_call *call = kas_call_of_message(message);
    if (atomic_load(&call->engine->stopping)) {
        kas_call_finish(call, stopping(), NULL);
        return true;
    }
    switch (call->kind) {
    case KAS_REQUEST_CREATE_LAYER:
        kas_call_create_layer(call);
        return true;
    case KAS_REQUEST_SET_WEIGHTS:
        kas_call_set_weights(call);
        return true;
    case KAS_REQUEST_MOVE_LAYER:
        kas_call_move_layer(call);
        return true;
    case KAS_REQUEST_SET_REPLICAS:
        kas_call_set_replicas(call);
        return true;
    case KAS_REQUEST_PRELOAD:
        kas_call_preload(call);
        return true;
    case KAS_REQUEST_PUT_KERNEL:
        kas_call_put_kernel(call);
        return true;
    case KAS_REQUEST_VALIDATE:
        kas_call_validate(call);
        return true;
    default:
        return kas_call_apply(call);
    }
}

/* ---- on the caller's thread ---- */

static kas_status admit(kas_engine *engine)
{
    if (atomic_fetch_add(&engine->calls, 1) < KAS_CALLS_MAX) return NULL;
    atomic_fetch_sub(&engine->calls, 1);
    return kas_fail(KAS_UNAVAILABLE, ENGINE,
                    "%d requests wait for their answer, which is the limit; try again later", KAS_CALLS_MAX);
}

static kas_status submit_admitted(kas_engine *engine, const kas_request *request, kas_reply_fn done,
                                  void *user)
{
    kas_call *call = kas_calloc(1, sizeof *call);
    if (!call) return kas_out_of_memory();
    *call = (kas_call){.engine = engine,
                       .done = done,
                       .user = user,
                       .message = {.handle = handle_call},
                       .reply = {.size = sizeof call->reply}};
    kas_request_fill(request, call);
    call->command.asked_ns = kas_engine_now(engine);
    if (kas_mailbox_post_caller(&engine->mailbox, &call->message)) return NULL;
    kas_free(call);
    return stopping();
}

kas_status kas_engine_submit(kas_engine *engine, const kas_request *request, kas_reply_fn done, void *user)
{
    KAS_TRY(kas_request_check(request));
    KAS_TRY(admit(engine));
    kas_status status = submit_admitted(engine, request, done, user);
    if (status) atomic_fetch_sub(&engine->calls, 1);
    return status;
}

/* ---- waiting for the answer ---- */

typedef struct answer {
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t arrived;
    bool done;
    kas_status status;
    kas_reply *reply; /* the caller's; may be NULL */
} answer;

static void note_answer(void *user, kas_status status, const kas_reply *reply)
{
    answer *wanted = user;
    kas_reply *lent = (kas_reply *)(uintptr_t)reply;
    pthread_mutex_lock(&wanted->lock);
    if (wanted->reply) {
        *wanted->reply = *lent;
        if (lent->failed) lent->failed = NULL; /* the list is the caller's now */
    }
    wanted->status = status;
    wanted->done = true;
    pthread_cond_signal(&wanted->arrived);
    pthread_mutex_unlock(&wanted->lock);
}

kas_status kas_engine_call(kas_engine *engine, const kas_request *request, kas_reply *reply)
{
    answer wanted = {.lock = PTHREAD_MUTEX_INITIALIZER, .arrived = PTHREAD_COND_INITIALIZER, .reply = reply};
    if (reply) *reply = (kas_reply){.size = sizeof *reply};
    KAS_TRY(kas_engine_submit(engine, request, note_answer, &wanted));
    pthread_mutex_lock(&wanted.lock);
    while (!wanted.done)
        pthread_cond_wait(&wanted.arrived, &wanted.lock);
    pthread_mutex_unlock(&wanted.lock);
    pthread_cond_destroy(&wanted.arrived);
    pthread_mutex_destroy(&wanted.lock);
    return wanted.status;
}
