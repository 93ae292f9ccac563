/* What happens to passes when no execution context is free, and to those that were submitted: they wait, and
 * whoever gets a context next takes with it all that wait for the same layer. Nobody waits for a batch to
 * fill.
 *
 * A waiting caller has a thread of its own; a submitted pass has none until a runner takes it up. */
#ifndef KAS_EXEC_BATCHER_H
#define KAS_EXEC_BATCHER_H

#include <pthread.h>

#include "engine/exec/waiter.h"

typedef struct kas_visit kas_visit; /* forward.h */

typedef struct kas_batcher {
    /* Guards both lists, `stopping`, `inside`, and in waiters of the lists: set, context, done. */
    pthread_mutex_t lock;
    kas_waiter_list callers;   /* threads that wait for a context */
    kas_waiter_list submitted; /* passes without a thread */
    bool stopping;
    uint32_t inside;          /* threads in kas_batcher_wait */
    pthread_cond_t work;      /* for runners: something was submitted, or it stops */
    pthread_cond_t left;      /* for who stops: nobody is inside any more */
    _Atomic uint32_t waiting; /* length of `callers`; written under the lock, read without */
    pthread_condattr_t monotonic;
    pthread_t *runners;
    uint32_t runner_count;
} kas_batcher;

kas_status kas_batcher_init(kas_exec *exec) KAS_MUST_USE;
/* Refuses what waits and what comes, and ends the runners. Passes that have a context go on. */
void kas_batcher_stop(kas_exec *exec);
void kas_batcher_finish(kas_exec *exec); /* after kas_batcher_stop */

/* ---- waiting.c ---- */

/* Waits until the pass has ended, one way or the other: as leader of a batch or in another's. The first to
 * wait for a context is the first to be given one. */
kas_status kas_batcher_wait(kas_exec *exec, kas_waiter *waiter) KAS_MUST_USE;

/* Whether somebody waits for a context: who comes does not go before. Any moment's answer will do. */
bool kas_batcher_is_waited(const kas_exec *exec);
/* Gives free contexts to those who wait. */
void kas_batcher_offer(kas_exec *exec);
/* Gives a wanted context to the first who waits for it; frees it when there is nobody. */
void kas_batcher_hand_over(kas_exec *exec, kas_context *context);

/* ---- gather.c ---- */

/* Takes out of the lists all passes of the visit's layer that fit into a batch which has `rows` rows already;
 * none when a newer root has been published since the visit began. Those that are refused come back with
 * their status. Linked by kas_waiter.next. */
kas_waiter *kas_batcher_gather(kas_exec *exec, const kas_visit *visit, uint64_t rows);
/* Tells the gathered that they have ended. */
void kas_batcher_complete(kas_exec *exec, kas_waiter *gathered);

#endif
