/* A caller's request on its way: checked and copied on the caller's thread, prepared by a task where that is
 * slow work, applied and answered on the control thread. */
#ifndef KAS_CONTROL_CALL_H
#define KAS_CONTROL_CALL_H

#include "engine/control/engine.h"

struct kas_call {
    kas_message message;
    kas_task task;
    kas_engine *engine;
    kas_call *next;                /* in control.waiting or control.turns */
    void (*begin)(kas_call *call); /* at its turn */
    kas_request_kind kind;
    kas_command command;
    kas_reply_fn done;
    void *user;
    const void *bytes; /* borrowed until the answer */
    size_t size_bytes;
    char device[KAS_DEVICE_CHOICE_SIZE]; /* as asked for */
    char replicas[KAS_REPLICAS_MAX][KAS_DEVICE_CHOICE_SIZE];
    uint64_t init_seed;
    kas_validation *validation;
    /* What its task made. */
    kas_status status;
    kas_held *held;       /* a layer's weights */
    kas_plan *trial;      /* of a new layer, until its own is published */
    kas_layer_info layer; /* SET_WEIGHTS: what they were made for */
    kas_decoded *decoded;
    const kas_record *record;
    kas_reply reply; /* what the state answered, while more is to be done before the caller hears it */
};

/* Checks what can be checked without the state. */
kas_status kas_request_check(const kas_request *request) KAS_MUST_USE;
/* The command that the request is, as far as it needs no preparation; and the rest of it. */
void kas_request_fill(const kas_request *request, kas_call *call);

/* On the control thread. */
bool kas_call_apply(kas_call *call); /* always true: memory that is out is an answer */
void kas_call_finish(kas_call *call, kas_status status,
                     const kas_reply *reply); /* answers and frees; takes the status */
/* Has the task run `work` and comes back with `handle`. */
void kas_call_prepare(kas_call *call, void (*work)(kas_task *task), bool (*handle)(kas_message *message));
void kas_call_prepared(kas_call *call,
                       kas_status status); /* the end of `work`: takes the status, posts the message */

static inline kas_call *kas_call_of_task(kas_task *task)
{
    return (kas_call *)((char *)task - offsetof(kas_call, task));
}

static inline kas_call *kas_call_of_message(kas_message *message)
{
    return (kas_call *)((char *)message - offsetof(kas_call, message));
}

/* The kinds that need slow work, each begun on the control thread. */
void kas_call_create_layer(kas_call *call);
void kas_call_set_weights(kas_call *call);
void kas_call_move_layer(kas_call *call);
void kas_call_set_replicas(kas_call *call);
void kas_call_preload(kas_call *call);
void kas_call_put_kernel(kas_call *call);
void kas_call_validate(kas_call *call);
/* And what follows when the state has answered; call->reply holds its answer. */
void kas_call_bound(kas_call *call, kas_status status); /* an upload; takes the status */
void kas_call_evict_kernel(kas_call *call);             /* the state has agreed */

/* What changes the tiers and the catalog together does so one call at a time, in the order in which they ask:
 * bytes that an id is being given are not removed with the last id that had them before, and nothing comes
 * between the storing of an upload and its listing. `begin` is called at the call's turn, which lasts until
 * kas_call_end_turn. On the control thread. */
void kas_call_take_turn(kas_call *call, void (*begin)(kas_call *call));
void kas_call_end_turn(kas_call *call);

#endif
