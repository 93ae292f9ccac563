/* Those who wait for operations to finish. The list is the control thread's; who comes is a message. */
#include <string.h>

#include "base/alloc.h"
#include "engine/control/engine.h"

struct kas_watcher {
    kas_message message;
    kas_watcher *next; /* in control.watchers */
    kas_engine *engine;
    uint64_t operation;
    int64_t deadline_ns;
    kas_forward_done done;
    void *user;
};

/* ---- outcomes ---- */

static kas_status failure_of(const kas_operation_info *info)
{
    kas_code code = info->error_code == KAS_OK ? KAS_INTERNAL : info->error_code;
    kas_status status = kas_fail(code, KERNEL, "%s", info->error_detail);
    return info->error_reason ? kas_with_reason(status, info->error_reason) : status;
}

static kas_status outcome_of(const kas_operation_info *info)
{
    if (info->state == KAS_OPERATION_SUCCEEDED) return NULL;
    if (info->state == KAS_OPERATION_FAILED) return failure_of(info);
    return kas_fail(KAS_CANCELLED, CALLER, "operation op-%llu was cancelled%s%s",
                    (unsigned long long)info->id, info->error_detail[0] ? ": " : "", info->error_detail);
}

static bool has_finished(const kas_operation_info *info)
{
    return info->state >= KAS_OPERATION_SUCCEEDED;
}

/* ---- on the control thread ---- */

static void end(kas_watcher *watcher, kas_status status)
{
    kas_engine *engine = watcher->engine;
    watcher->done(watcher->user, status);
    kas_free(watcher);
    atomic_fetch_sub(&engine->watchers, 1);
}

/* The operation's outcome, or why it is not known. */
static kas_status look_up(kas_engine *engine, uint64_t operation, bool *finished)
{
    kas_operation_info info;
    *finished = true;
    KAS_TRY(kas_state_operation_info(engine->state, operation, &info));
    *finished = has_finished(&info);
    return *finished ? outcome_of(&info) : NULL;
}

static bool handle_watcher(kas_message *message)
{
    kas_watcher *watcher = (kas_watcher *)((char *)message - offsetof(kas_watcher, message));
    bool finished;
    kas_status status = look_up(watcher->engine, watcher->operation, &finished);
    if (finished) {
        end(watcher, status);
    } else {
        watcher->next = watcher->engine->control.watchers;
        watcher->engine->control.watchers = watcher;
    }
    return true;
}

void kas_watch_notify(kas_engine *engine, uint64_t operation)
{
    kas_watcher **at = &engine->control.watchers;
    while (*at) {
        kas_watcher *watcher = *at;
        bool finished;
        if (watcher->operation != operation) {
            at = &watcher->next;
            continue;
        }
        *at = watcher->next;
        end(watcher, look_up(engine, operation, &finished));
    }
}

int64_t kas_watch_expire(kas_engine *engine, int64_t now_ns)
{
    int64_t next_ns = KAS_NEVER;
    kas_watcher **at = &engine->control.watchers;
    while (*at) {
        kas_watcher *watcher = *at;
        if (watcher->deadline_ns > now_ns) {
            if (watcher->deadline_ns < next_ns) next_ns = watcher->deadline_ns;
            at = &watcher->next;
            continue;
        }
        *at = watcher->next;
        end(watcher, kas_fail(KAS_DEADLINE, CALLER, "operation op-%llu is still running",
                              (unsigned long long)watcher->operation));
    }
    return next_ns;
}

void kas_watch_cancel_all(kas_engine *engine)
{
    while (engine->control.watchers) {
        kas_watcher *watcher = engine->control.watchers;
        engine->control.watchers = watcher->next;
        end(watcher, kas_fail(KAS_CANCELLED, ENGINE, "the engine is stopping"));
    }
}

/* ---- on the caller's thread ---- */

static kas_status check_known(kas_engine *engine, uint64_t operation)
{
    kas_operation_info info;
    pthread_rwlock_rdlock(&engine->state_lock);
    kas_status status = kas_state_operation_info(engine->state, operation, &info);
    pthread_rwlock_unlock(&engine->state_lock);
    return status;
}

static kas_status add_watcher(kas_engine *engine, const kas_watcher *fields)
{
    kas_watcher *watcher = kas_memdup(fields, sizeof *fields);
    if (!watcher) return kas_out_of_memory();
    if (kas_mailbox_post_caller(&engine->mailbox, &watcher->message)) return NULL;
    kas_free(watcher);
    return kas_fail(KAS_UNAVAILABLE, ENGINE, "the engine is stopping");
}

kas_status kas_engine_watch_operation(kas_engine *engine, uint64_t operation, int64_t deadline_ns,
                                      kas_forward_done done, void *user)
{
    KAS_TRY(check_known(engine, operation));
    const kas_watcher fields = {
        .message = {.handle = handle_watcher},
        .engine = engine,
        .operation = operation,
        .deadline_ns = deadline_ns ? deadline_ns : KAS_NEVER,
        .done = done,
        .user = user,
    };
    kas_status status = NULL;
    if (atomic_fetch_add(&engine->watchers, 1) >= KAS_WATCHERS_MAX)
        status = kas_fail(KAS_UNAVAILABLE, ENGINE, "%d callers wait for operations, which is the limit",
                          KAS_WATCHERS_MAX);
    if (!status) status = add_watcher(engine, &fields);
    if (status) atomic_fetch_sub(&engine->watchers, 1);
    return status;
}

typedef struct outcome {
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t arrived;
    bool done;
    kas_status status;
} outcome;

static void note_outcome(void *user, kas_status status)
{
    outcome *wanted = user;
    pthread_mutex_lock(&wanted->lock);
    wanted->status = status;
    wanted->done = true;
    pthread_cond_signal(&wanted->arrived);
    pthread_mutex_unlock(&wanted->lock);
}

kas_status kas_engine_wait_operation(kas_engine *engine, uint64_t operation, int64_t deadline_ns)
{
    outcome wanted = {.lock = PTHREAD_MUTEX_INITIALIZER, .arrived = PTHREAD_COND_INITIALIZER};
    KAS_TRY(kas_engine_watch_operation(engine, operation, deadline_ns, note_outcome, &wanted));
    pthread_mutex_lock(&wanted.lock);
    while (!wanted.done)
        pthread_cond_wait(&wanted.arrived, &wanted.lock);
    pthread_mutex_unlock(&wanted.lock);
    pthread_cond_destroy(&wanted.arrived);
    pthread_mutex_destroy(&wanted.lock);
    return wanted.status;
}
