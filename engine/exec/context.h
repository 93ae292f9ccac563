/* Execution contexts: what a pass needs besides its plan. A context has the queue that work goes to, a
 * parameter block for dormant passes, the announcement of what it uses (root.h), and its own counters.
 *
 * Each device has a fixed set of contexts, made with the device's first plan. Taking one is lock-free: a
 * thread tries the one that it had last, then the others in turn. The memory that blending needs is not the
 * context's but the plan's (workspace.h), so that it grows with publications and never within a pass.
 *
 * Threads: a context belongs to who has taken it; `announced` and `state` are read by the control thread too.
 */
#ifndef KAS_EXEC_CONTEXT_H
#define KAS_EXEC_CONTEXT_H

#include "backends/core/device.h"
#include "engine/exec/stats.h"

typedef enum kas_context_state {
    KAS_CONTEXT_FREE = 0,
    KAS_CONTEXT_BUSY,
    KAS_CONTEXT_WANTED, /* busy, and somebody waits: who has it does not free it but hands it over */
    KAS_CONTEXT_HUNG,   /* the device has not come back: it keeps its announcement until the queue is idle */
    KAS_CONTEXT_GONE,   /* and never will: it is lost */
} kas_context_state;

typedef struct kas_context_set kas_context_set;

typedef struct kas_context {
    _Atomic uint32_t state;          /* kas_context_state */
    uint32_t index;                  /* in its set */
    _Atomic(const void *) announced; /* the root or the plan that is used; NULL: neither */
    kas_context_set *set;
    kas_queue *queue;
    kas_counters *counters;      /* all passes of this context */
    kas_submission *submissions; /* KAS_SUBMISSIONS_MAX, for composing passes with seeds */
    int16_t *culprits;           /* of each submission: whose failure it would be (pass.c) */
    kas_progress progress;
    /* What the last pass found here; `found` is in the root of that sequence (0: in none). */
    uint64_t found_in;
    struct kas_plan *found;
    _Alignas(KAS_CACHE_LINE) uint32_t params[KAS_CACHE_LINE / 4]; /* parameter block of dormant passes */
} __attribute__((aligned(KAS_CACHE_LINE))) kas_context;

enum { KAS_CONTEXT_SETS_MAX = 16 }; /* devices that layers of one engine may be on */

struct kas_context_set {
    kas_device *device; /* retained */
    const kas_device_limits *limits;
    uint32_t index;          /* of the set */
    atomic_bool lost;        /* its device is known to be; for good */
    _Atomic int64_t lost_ns; /* since then; 0 before */
    atomic_uint hanging;     /* contexts whose device has not come back */
    uint32_t count;
    kas_context contexts[];
};

kas_status kas_context_set_create(kas_device *device, uint32_t index, uint32_t count,
                                  kas_context_set **out) KAS_MUST_USE;
/* All contexts must be free, or busy for good by whoever destroys, or gone: what those use stays for good.
 * Accepts NULL. */
void kas_context_set_destroy(kas_context_set *set);

/* The context that this thread had last: its queue and memory are warm in this core's cache. Any value will
 * do. */
extern _Thread_local uint32_t kas_context_last __attribute__((tls_model("initial-exec")));

static inline bool kas_context_change(kas_context *context, uint32_t from, uint32_t to)
{
    return atomic_compare_exchange_strong(&context->state, &from, to);
}

static inline bool kas_context_take(kas_context *context)
{
    return atomic_load_explicit(&context->state, memory_order_relaxed) == KAS_CONTEXT_FREE &&
           kas_context_change(context, KAS_CONTEXT_FREE, KAS_CONTEXT_BUSY);
}

kas_context *kas_context_search(kas_context_set *set); /* as below, for any */

/* A free context, now taken; NULL when there is none. */
static inline kas_context *kas_context_try(kas_context_set *set)
{
    uint32_t last = kas_context_last;
    return last < set->count && kas_context_take(&set->contexts[last]) ? &set->contexts[last]
                                                                       : kas_context_search(set);
}
/* Takes a context that will not be used any more. True when it was free, hangs or is gone. */
bool kas_context_take_for_good(kas_context *context);
/* As above; where there is none, each one that is busy is wanted from now on. For the batcher. */
kas_context *kas_context_want(kas_context_set *set);
/* Takes back the announcement and frees the context: from then on its set, and with it the executor, may go.
 * False when it is wanted: it is still taken, and to be handed over (kas_batcher_hand_over). */
static inline bool kas_context_free(kas_context *context)
{
    atomic_store_explicit(&context->announced, NULL, memory_order_release);
    return kas_context_change(context, KAS_CONTEXT_BUSY, KAS_CONTEXT_FREE);
}
/* Ends a handing over: to the next to use it, or to nobody. */
void kas_context_hand_over(kas_context *context, kas_context_state next);
/* What the queue works on has not ended in time; who has the context abandons it. From here on others avoid
 * its device where they can. */
void kas_context_hang(kas_context *context);
/* The context stays as it is until kas_context_revive. */
void kas_context_abandon(kas_context *context);
/* Frees a hung context whose queue has become idle; one whose device is lost is gone. True when it still
 * hangs. */
bool kas_context_revive(kas_context *context);
/* Nobody waits for a hung context any longer: its device is lost, unless it has come back by now. */
void kas_context_give_up(kas_context *context);

#endif
