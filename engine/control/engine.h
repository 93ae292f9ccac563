/* The engine as its own files see it: what it is made of, and what the files of this folder do for each
 * other.
 *
 * One thread changes the state: the control thread takes messages from the mailbox, turns them into commands,
 * applies them and carries the effects out. Slow work is tasks (env.h), which answer with messages.
 * Everything below that is not marked otherwise is constant between create and destroy, or guards itself. */
#ifndef KAS_CONTROL_ENGINE_H
#define KAS_CONTROL_ENGINE_H

#include <kasmina/kasmina.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "engine/artifact/signature.h"
#include "engine/cache/catalog.h"
#include "engine/cache/disk_tier.h"
#include "engine/cache/host_tier.h"
#include "engine/control/devices.h"
#include "engine/control/env.h"
#include "engine/control/events.h"
#include "engine/control/held.h"
#include "engine/control/loaders.h"
#include "engine/control/mailbox.h"
#include "engine/exec/exec.h"
#include "engine/recovery/history.h"
#include "engine/state/state.h"

typedef struct kas_call kas_call;
typedef struct kas_make kas_make;
typedef struct kas_move kas_move;
typedef struct kas_watcher kas_watcher;

enum {
    KAS_CALLS_MAX = 1024, /* requests that wait for their answer; more are turned away */
    KAS_WATCHERS_MAX = 16384,
    KAS_RESULTS_BATCH = 512, /* pass results of one command */
    KAS_RAMPS_BATCH = 64,
    KAS_ROWS_MAX = 1024, /* rows of one submission */
    KAS_ALERTS_MAX = 4,
};
#define KAS_RETRY_NS   (10 * KAS_NS_PER_MS) /* after memory was out */
#define KAS_RESULTS_NS (10 * KAS_NS_PER_MS) /* between two looks at passes' results */
#define KAS_RECLAIM_NS (1 * KAS_NS_PER_MS)

/* The state is told of lost devices one after the other, each with where its layers can go: a task looks for
 * that. */
typedef struct kas_loss {
    kas_message answered;
    kas_task task;
    struct kas_engine *engine;
    const kas_device *device; /* borrowed of the engine; NULL: none is being told of */
    kas_device *refuge;       /* the task's while it runs; NULL: there is none */
} kas_loss;

/* Touched by the control thread alone. */
typedef struct kas_control {
    kas_message *inbox;  /* taken from the mailbox, not handled yet */
    kas_effects effects; /* of the last command */
    size_t carried;      /* of them: done */
    kas_call *waiting;   /* calls whose command is being applied or carried out */
    kas_call *turns;     /* calls that wait for their turn (kas_call_take_turn), the next one first */
    bool turn_taken;
    kas_ticket last_ticket;
    kas_make *makes;
    kas_move *moves;
    kas_watcher *watchers;
    uint32_t tasks;        /* posted, not answered */
    uint64_t *unpublished; /* uids of layers whose plan could not be made */
    size_t unpublished_count, unpublished_capacity;
    uint32_t published_epoch;
    kas_pass_result *results;
    size_t result_count;
    kas_ramp_progress ramps[KAS_RAMPS_BATCH];
    size_t ramp_count;
    kas_loss loss;
    int64_t results_due_ns; /* while results_armed */
    int64_t reclaim_due_ns; /* KAS_NEVER: nothing waits to be freed */
} kas_control;

struct kas_engine {
    kas_env env;
    kas_loaders *loaders;          /* NULL where the environment runs tasks */
    char *artifact_dir;            /* NULL: none */
    kas_trusted_keys trusted_keys; /* of the registry */
    kas_artifact_limits limits;
    kas_devices devices;
    kas_catalog *catalog;
    kas_host_tier *host;
    kas_disk_tier *disk; /* NULL: uploads are kept in memory only */
    int data_lock;       /* of the data folder, for kas_lock_file_release; -1: none */
    kas_history *history;
    kas_events events;
    kas_held_table held;
    kas_exec *exec;
    kas_mailbox mailbox;
    pthread_rwlock_t state_lock; /* guards *state: the control thread writes, anyone reads */
    kas_state *state;
    atomic_uint calls; /* admitted and not answered */
    atomic_uint watchers;
    atomic_bool stopping;
    atomic_bool results_waiting; /* passes have reported */
    atomic_bool results_armed;   /* the control thread looks for results by itself at results_due_ns */
    atomic_bool trouble;         /* a device hangs or is lost: kas_loss_look */
    int64_t started_ns;          /* monotonic */
    pthread_mutex_t alert_lock;  /* guards the alerts */
    struct {
        char component[32], reason[KAS_DETAIL_SIZE];
        int64_t since_ns;     /* wall, to be shown */
        int64_t raised_ns;    /* monotonic */
    } alerts[KAS_ALERTS_MAX]; /* the newest, for health; a ring by alert_count */
    uint64_t alert_count;
    kas_control control;
    bool has_thread;
    pthread_t thread;
};

/* ---- system.c ---- */

/* Makes the operating system the engine's environment: locks the data folder, checks the folder of artifacts,
 * starts loaders. KAS_CONFLICT: another engine has the data folder. */
kas_status kas_engine_use_system(kas_engine *engine, const kas_engine_options *options) KAS_MUST_USE;
char *kas_path_in(const char *folder, const char *name); /* the caller's to free; NULL: out of memory */

/* ---- engine.c ---- */

/* As kas_engine_create, with another environment (copied; NULL: the operating system's) and without a control
 * thread when that environment runs tasks itself: whoever made it calls kas_control_step. */
kas_status kas_engine_create_in(const kas_engine_options *options, const kas_env *env,
                                kas_engine **out) KAS_MUST_USE;

static inline int64_t kas_engine_now(kas_engine *engine)
{
    return engine->env.monotonic_ns(engine->env.self);
}

static inline int64_t kas_engine_wall(kas_engine *engine)
{
    return engine->env.wall_ns(engine->env.self);
}

/* ---- control.c: on the control thread ---- */

/* Handles what has arrived and what is due. Returns the monotonic time at which to call again unless the
 * mailbox wakes before (KAS_NEVER: only then). */
int64_t kas_control_step(kas_engine *engine);
void *kas_control_run(void *engine); /* the thread */
/* Stamps and applies the command; its effects are carried out once the caller has returned to the step. */
kas_status kas_control_apply(kas_engine *engine, kas_command *command) KAS_MUST_USE;
kas_status kas_control_apply_alone(kas_engine *engine,
                                   kas_command *command) KAS_MUST_USE; /* that command only */
/* The same for a message's handler: false when memory is out. Another failure is a defect, logged and
 * forgotten. */
bool kas_control_applied(kas_engine *engine, kas_command *command);
void kas_control_start(kas_engine *engine,
                       kas_task *task); /* its end is a message whose handler calls ended */
void kas_control_ended(kas_engine *engine);
bool kas_control_finished(kas_engine *engine); /* stopping, and nothing is left to do */

/* ---- carry.c, publish.c ---- */

bool kas_control_carry(kas_engine *engine); /* false: memory is out; the rest waits */
/* Publishes anew what these effects name. False: memory is out, nothing was published. */
bool kas_publish(kas_engine *engine, const kas_effect *effects, size_t count);
bool kas_publish_again(kas_engine *engine); /* those whose plan could not be made */

/* ---- results.c ---- */

void kas_results_wait(void *engine);                                /* for kas_exec: any thread */
void kas_results_drained(void *engine, kas_resource kernel);        /* for kas_exec: any thread */
kas_status kas_results_tell_ramps(kas_engine *engine) KAS_MUST_USE; /* how far ramps over passes are */
bool kas_results_apply(kas_engine *engine, int64_t now_ns);         /* false: memory is out */
int64_t kas_results_due(kas_engine *engine);

/* ---- calls.c and call_….c ---- */

void kas_call_replied(kas_engine *engine, kas_effect *effect); /* a KAS_EFFECT_REPLY; takes the status over */
void kas_call_cancel_all(kas_engine *engine);

/* ---- make.c ---- */

bool kas_make_resolve(kas_engine *engine, const kas_effect *effect); /* false: memory is out */
void kas_make_upload(kas_engine *engine, const kas_effect *effect);
void kas_make_abandon(kas_engine *engine, const kas_effect *effect);
void kas_make_sweep(kas_engine *engine);       /* what was kept until effects were carried out may go */
void kas_make_drop_trials(kas_engine *engine); /* before the executor goes */
void kas_make_cancel_all(kas_engine *engine);
void kas_make_finish_all(kas_engine *engine); /* none of their tasks runs */

kas_error_type kas_classify(kas_status status); /* of what a load or a move ended with */

/* ---- move.c ---- */

bool kas_move_copy(kas_engine *engine, const kas_effect *effect); /* false: memory is out */
bool kas_move_try(kas_engine *engine, const kas_effect *effect);  /* false: memory is out */
void kas_move_end(kas_engine *engine, const kas_effect *effect);
void kas_move_drop_trials(kas_engine *engine); /* before the executor goes */
void kas_move_finish_all(kas_engine *engine);  /* none of their tasks runs, no message is on its way */

/* ---- loss.c ---- */

void kas_loss_trouble(void *engine);    /* for kas_exec, and uploads: any thread */
void kas_loss_look(kas_engine *engine); /* begins to tell of the next lost device, if there is one */

/* ---- fold.c ---- */

bool kas_fold_start(kas_engine *engine, const kas_effect *effect); /* false: memory is out */

/* ---- watch.c ---- */

void kas_watch_notify(kas_engine *engine, uint64_t operation); /* it has finished */
int64_t kas_watch_expire(kas_engine *engine, int64_t now_ns);  /* returns the next deadline */
void kas_watch_cancel_all(kas_engine *engine);

#endif
