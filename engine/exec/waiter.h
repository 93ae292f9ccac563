/* A pass that waits, for an execution context or for a runner, and lists of them. What the batcher's lock
 * guards in them is said in batcher.h; nothing here takes it. */
#ifndef KAS_EXEC_WAITER_H
#define KAS_EXEC_WAITER_H

#include <pthread.h>

#include "engine/exec/pass.h"

typedef struct kas_waiter {
    kas_pass pass; /* first: a batch's passes are found back by their address */
    struct kas_waiter *next;
    kas_context_set *set; /* whose contexts it waits for; NULL: any */
    kas_context *context; /* given to it, taken */
    bool done;            /* another's batch had it: pass.status is there */
    bool has_thread;      /* that `wake` wakes */
    pthread_cond_t wake;
    kas_forward_done call; /* NULL: a caller that waits */
    void *user;
} kas_waiter;

typedef struct kas_waiter_list { /* oldest first */
    kas_waiter *first, *last;
} kas_waiter_list;

/* `clock` is what deadlines are measured by (kas_batcher.monotonic). */
kas_status kas_waiter_init(kas_waiter *waiter, const pthread_condattr_t *clock) KAS_MUST_USE;
void kas_waiter_finish(kas_waiter *waiter);

/* Counts a failed call; the status says that the engine is stopping. */
kas_status kas_waiter_refuse_stopping(kas_exec *exec, const kas_waiter *waiter) KAS_MUST_USE;
/* Whether its device was lost under it, or hangs: it is then as before its batch, and waits for any context.
 */
bool kas_waiter_goes_again(kas_waiter *waiter);
/* Of one without a thread: its end is told by its call, and it is freed. */
void kas_waiter_end_submitted(kas_waiter *waiter);

void kas_waiters_append(kas_waiter_list *list, kas_waiter *waiter);
/* Takes out the one that follows `before` (NULL: the first), which there has to be. */
kas_waiter *kas_waiters_take_after(kas_waiter_list *list, kas_waiter *before);
void kas_waiters_remove(kas_waiter_list *list, const kas_waiter *waiter); /* which is in it */

#endif
