/* Publication with hazard pointers. The pass's side is in forward.c.
 *
 * The root is an immutable table of plans. Publishing makes a new root, stores it, and retires the old root
 * and the plans that are no longer in it. Each context has one word, `announced`, that names what its pass
 * may touch:
 *
 *     pass                                            control thread
 *     1  r = root                                     A  root = r′                 (seq_cst)
 *     2  announced = r          (seq_cst)             B  retire r and what r′ lacks
 *     3  root == r ? (seq_cst)  else from 1           C  read every `announced`    (seq_cst)
 *     4  p = plan in r                                D  free the retired that no word read in C protects
 *     5  announced = p          (release)
 *     6  … uses p alone …
 *     7  announced = NULL       (release)
 *
 * A word that holds a root protects it and every plan that was in it; one that holds a plan protects that
 * plan.
 *
 * Why nothing is freed under a pass. All seq_cst operations have one total order. If 3 read r, it came before
 * the store A that replaced r, hence 2 before A before C: the read C of this word sees the announcement of 2
 * or one of the same word's later values. As long as the pass has not come to 7 these are r and p only; r
 * protects both, p protects the plan, and after 5 the pass does not touch r again. So one word is enough and
 * the step from root to plan needs no second check: at every moment the word protects all that the pass may
 * still touch. A pass that has only done 1 or 2 when C is read finds at 3 that the root has changed, and uses
 * nothing of it.
 *
 * Why freeing sees the pass's last use: 5 and 7 are releases and C acquires, so what the pass did before
 * comes before the free. A pass that hangs holds its plan, and only that; it does not hold the root, so
 * nothing piles up behind it. Once its device is lost its context is gone, and the plan is left behind.
 *
 * Which roots held a plan needs no list: a plan is in the roots from the one with sequence `born` to the one
 * before `died`. A word must not be handed from one context to another (a scan could miss both), with one
 * exception, which pass.c explains: the old one stays announced until after the new one is. */
#include "engine/exec/root.h"

#include <string.h>

#include "engine/exec/executor.h"
#include "engine/exec/plan.h"

uint64_t kas_name_hash(const char *name, size_t length)
{
    uint64_t hash = length * 0x9e3779b97f4a7c15ull, word;
    for (; length >= sizeof word; name += sizeof word, length -= sizeof word) {
        memcpy(&word, name, sizeof word);
        hash = (hash ^ word) * 0xff51afd7ed558ccdull;
        hash ^= hash >> 32;
    }
    word = 0;
    for (size_t i = 0; i < length; ++i)
        word = word << 8 | (unsigned char)name[i];
    hash = (hash ^ word) * 0xff51afd7ed558ccdull;
    return hash ^ hash >> 32;
}

static kas_plan *look_up(const kas_root *root, const char *name)
{
    size_t length = strlen(name);
    uint64_t hash = kas_name_hash(name, length);
    for (size_t at = hash & root->mask; root->table[at].plan; at = (at + 1) & root->mask) {
        kas_plan *plan = root->table[at].plan;
        if (root->table[at].hash == hash && plan->name_length == length &&
            memcmp(plan->name, name, length) == 0)
            return plan;
    }
    return NULL;
}

kas_plan *kas_root_find(const kas_root *root, kas_context *context, const char *name)
{
    kas_plan *plan = look_up(root, name);
    context->found = plan;
    context->found_in = plan ? root->sequence : 0;
    return plan;
}

/* ---- making roots ---- */

static kas_root *root_create(size_t plan_count)
{
    size_t slots = 2, size_bytes;
    while (slots < 2 * plan_count)
        slots *= 2;
    if (!kas_mul(slots, sizeof(kas_root_entry), &size_bytes) ||
        !kas_add(size_bytes, sizeof(kas_root), &size_bytes))
        return NULL;
    kas_root *root = kas_calloc(1, size_bytes);
    if (root) root->mask = slots - 1;
    return root;
}

static void root_add(kas_root *root, kas_plan *plan)
{
    size_t at = plan->name_hash & root->mask;
    while (root->table[at].plan)
        at = (at + 1) & root->mask;
    root->table[at] = (kas_root_entry){.hash = plan->name_hash, .plan = plan};
    ++root->plan_count;
}

kas_root *kas_root_create_closed(void)
{
    kas_root *root = root_create(0);
    if (root) root->closed = true;
    return root;
}

kas_status kas_publication_init(kas_publication *publication)
{
    kas_root *root = root_create(0);
    if (!root) return kas_out_of_memory();
    root->sequence = 1;
    atomic_init(&publication->sequence, 1);
    atomic_init(&publication->root, root);
    return NULL;
}

/* Makes `root` the present one and retires the one before. */
static void replace_root(kas_publication *publication, kas_root *root)
{
    kas_root *old = atomic_load_explicit(&publication->root, memory_order_relaxed);
    root->sequence = old->sequence + 1;
    atomic_store(&publication->sequence,
                 root->sequence); /* first: who still reads the old number has the old root */
    atomic_store(&publication->root, root);
    old->next_retired = publication->retired_roots;
    publication->retired_roots = old;
}

static void retire_plan(kas_publication *publication, kas_plan *plan, uint64_t died)
{
    plan->died = died;
    plan->next_retired = publication->retired_plans;
    publication->retired_plans = plan;
    if (plan->ramp_steps_max > 0) --publication->ramping;
}

/* ---- publishing ---- */

/* Marks the records of the layers that change. Returns how many plans of the present root go. */
static size_t mark_changing(kas_exec *exec, kas_plan *const *plans, size_t plan_count,
                            const uint64_t *removed, size_t removed_count, bool changing)
{
    size_t going = 0;
    for (size_t i = 0; i < plan_count + removed_count; ++i) {
        kas_layer_record *record = NULL;
        if (i < plan_count) {
            record = plans[i]->record;
        } else {
            uintptr_t *place = kas_id_map_find(&exec->records, removed[i - plan_count]);
            if (place) record = (kas_layer_record *)*place;
        }
        if (!record || record->changing == changing) continue;
        record->changing = changing;
        if (record->published) ++going;
    }
    return going;
}

/* Passes of a ramp that the control plane has not been told of: where the same ramp goes on, the new plan
 * goes on from there, so that every pass is one step. */
static void continue_ramp(kas_plan *plan, const kas_plan *old)
{
    if (!kas_plan_same_ramp(plan, old)) return;
    uint32_t untold = kas_plan_steps(old) - old->ramp->taken;
    atomic_store(&plan->ramp->steps, untold < plan->ramp_steps_max ? untold : plan->ramp_steps_max);
}

static kas_plan *successor_of(const kas_plan *old, kas_plan *const *plans, size_t plan_count)
{
    for (size_t i = 0; i < plan_count; ++i)
        if (plans[i]->record == old->record) return plans[i];
    return NULL;
}

/* After the store: the plans of the old root that went are retired, the new ones are at home. */
static void settle(kas_exec *exec, kas_root *old, const kas_root *root, kas_plan *const *plans,
                   size_t plan_count)
{
    for (size_t at = 0; at <= old->mask; ++at) {
        kas_plan *plan = old->table[at].plan;
        if (!plan || !plan->record->changing) continue;
        plan->record->published = false;
        retire_plan(&exec->publication, plan, root->sequence);
    }
    for (size_t i = 0; i < plan_count; ++i) {
        plans[i]->record->published = true;
        if (plans[i]->ramp_steps_max > 0) ++exec->publication.ramping;
    }
}

static kas_root *compose(kas_root *old, size_t going, uint32_t epoch, kas_plan *const *plans,
                         size_t plan_count)
{
    kas_root *root = root_create(old->plan_count - going + plan_count);
    if (!root) return NULL;
    root->epoch = epoch;
    for (size_t at = 0; at <= old->mask; ++at) {
        kas_plan *plan = old->table[at].plan;
        if (!plan) continue;
        if (!plan->record->changing) {
            root_add(root, plan);
            continue;
        }
        if (plan->ramp_steps_max == 0) continue;
        kas_plan *successor = successor_of(plan, plans, plan_count);
        if (successor) continue_ramp(successor, plan);
    }
    for (size_t i = 0; i < plan_count; ++i) {
        plans[i]->born = old->sequence + 1;
        root_add(root, plans[i]);
    }
    return root;
}

kas_status kas_exec_publish(kas_exec *exec, uint32_t epoch, kas_plan *const *plans, size_t plan_count,
                            const uint64_t *removed, size_t removed_count)
{
    kas_publication *publication = &exec->publication;
    kas_root *old = atomic_load_explicit(&publication->root, memory_order_relaxed);
    pthread_mutex_lock(&exec->control_lock);
    size_t going = mark_changing(exec, plans, plan_count, removed, removed_count, true);
    kas_root *root = compose(old, going, epoch, plans, plan_count);
    if (root) {
        replace_root(publication, root);
        settle(exec, old, root, plans, plan_count);
    }
    (void)mark_changing(exec, plans, plan_count, removed, removed_count, false);
    pthread_mutex_unlock(&exec->control_lock);
    if (!root) return kas_out_of_memory();
    kas_batcher_offer(exec); /* to passes that were held for it */
    return NULL;
}

/* ---- reclaiming ---- */

/* Calls `protects` with each word that a context announces (gone: those that are gone; else all others),
 * until one says yes. Every thing is looked for in words that are read after it was retired, which is all
 * that the proof above asks for. */
static bool any_announced(kas_exec *exec, bool gone,
                          bool (*protects)(const kas_exec *exec, const void *word, const void *thing),
                          const void *thing)
{
    uint32_t sets = atomic_load(&exec->set_count);
    for (uint32_t s = 0; s < sets; ++s) {
        kas_context_set *set = atomic_load(&exec->sets[s]);
        for (uint32_t i = 0; i < set->count; ++i) {
            kas_context *context = &set->contexts[i];
            const void *word = atomic_load(&context->announced);
            if ((atomic_load(&context->state) == KAS_CONTEXT_GONE) == gone && word &&
                protects(exec, word, thing))
                return true;
        }
    }
    return false;
}

static bool word_is(const kas_exec *exec, const void *word, const void *thing)
{
    (void)exec;
    return word == thing;
}

static bool word_protects_plan(const kas_exec *exec, const void *word, const void *thing)
{
    const kas_plan *plan = thing;
    if (word == plan) return true;
    for (const kas_root *root = exec->publication.retired_roots; root; root = root->next_retired)
        if (word == root) return plan->born <= root->sequence && root->sequence < plan->died;
    return false;
}

/* Roots first: whoever is found to announce one keeps it in the list that plans are then judged by. */
static bool free_roots(kas_exec *exec)
{
    bool waiting = false;
    for (kas_root **link = &exec->publication.retired_roots; *link;) {
        kas_root *root = *link;
        if (any_announced(exec, false, word_is, root)) {
            link = &root->next_retired;
            waiting = true;
            continue;
        }
        *link = root->next_retired;
        kas_free(root);
    }
    return waiting;
}

/* Plans of passes whose device is lost and may still be at them, with all that they use; linked so that none
 * of it is out of reach. */
static _Atomic(kas_plan *) left_behind;

static void leave_behind(kas_plan *plan)
{
    plan->next_retired = atomic_load(&left_behind);
    while (!atomic_compare_exchange_weak(&left_behind, &plan->next_retired, plan))
        ;
}

static bool free_plans(kas_exec *exec)
{
    bool waiting = false;
    for (kas_plan **link = &exec->publication.retired_plans; *link;) {
        kas_plan *plan = *link;
        if (any_announced(exec, false, word_protects_plan, plan)) {
            link = &plan->next_retired;
            waiting = true;
            continue;
        }
        *link = plan->next_retired;
        if (any_announced(exec, true, word_protects_plan, plan))
            leave_behind(plan);
        else
            kas_plan_destroy(plan);
    }
    return waiting;
}

bool kas_exec_reclaim(kas_exec *exec)
{
    bool waiting = kas_exec_look_after(exec);
    waiting |= free_roots(exec);
    waiting |= free_plans(exec);
    return waiting;
}

/* ---- the end ---- */

void kas_publication_close(kas_exec *exec, kas_root *closed)
{
    kas_publication *publication = &exec->publication;
    kas_root *old = atomic_load_explicit(&publication->root, memory_order_relaxed);
    pthread_mutex_lock(&exec->control_lock);
    replace_root(publication, closed);
    for (size_t at = 0; at <= old->mask; ++at) {
        kas_plan *plan = old->table[at].plan;
        if (!plan) continue;
        plan->record->published = false;
        retire_plan(publication, plan, closed->sequence);
    }
    pthread_mutex_unlock(&exec->control_lock);
}

void kas_publication_finish(kas_exec *exec)
{
    kas_publication *publication = &exec->publication;
    (void)kas_exec_reclaim(exec);
    kas_free(atomic_load_explicit(&publication->root, memory_order_relaxed));
}
