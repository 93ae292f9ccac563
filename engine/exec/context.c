/* Making, taking and freeing execution contexts; see context.h. */
#include "engine/exec/context.h"

#include <string.h>

_Thread_local uint32_t kas_context_last;

static kas_status context_init(kas_context_set *set, uint32_t index)
{
    kas_context *context = &set->contexts[index];
    context->index = index;
    context->set = set;
    context->counters = kas_alloc_aligned(KAS_CACHE_LINE, sizeof *context->counters);
    context->submissions = kas_alloc_array(KAS_SUBMISSIONS_MAX, sizeof *context->submissions);
    context->culprits = kas_alloc_array(KAS_SUBMISSIONS_MAX, sizeof *context->culprits);
    if (!context->counters || !context->submissions || !context->culprits) return kas_out_of_memory();
    memset(context->counters, 0, sizeof *context->counters);
    return kas_queue_create(set->device, "pass", &context->queue);
}

static void context_finish(kas_context *context)
{
    kas_free(context->counters);
    kas_queue_destroy(context->queue); /* a lost device may still write to what it was given */
    kas_free(context->submissions);
    kas_free(context->culprits);
}

kas_status kas_context_set_create(kas_device *device, uint32_t index, uint32_t count, kas_context_set **out)
{
    size_t size_bytes;
    if (!kas_mul(count, sizeof(kas_context), &size_bytes) ||
        !kas_add(size_bytes, sizeof(kas_context_set), &size_bytes))
        return kas_out_of_memory();
    kas_context_set *set = kas_alloc_aligned(KAS_CACHE_LINE, kas_align_up(size_bytes, KAS_CACHE_LINE));
    if (!set) return kas_out_of_memory();
    memset(set, 0, size_bytes);
    set->device = kas_device_retain(device);
    set->limits = kas_device_get_limits(device);
    set->index = index;
    set->count = count;
    kas_status status = NULL;
    for (uint32_t i = 0; i < count && !status; ++i)
        status = context_init(set, i);
    if (status) {
        kas_context_set_destroy(set);
        return kas_annotate(status, "making %u execution contexts on %s", count, kas_device_id(device));
    }
    *out = set;
    return NULL;
}

void kas_context_set_destroy(kas_context_set *set)
{
    if (!set) return;
    for (uint32_t i = 0; i < set->count; ++i)
        context_finish(&set->contexts[i]);
    kas_device_release(set->device);
    kas_free(set);
}

kas_context *kas_context_search(kas_context_set *set)
{
    uint32_t index = kas_context_last < set->count ? kas_context_last : 0;
    for (uint32_t tries = 0; tries < set->count; ++tries) {
        if (kas_context_take(&set->contexts[index])) {
            kas_context_last = index;
            return &set->contexts[index];
        }
        index = index + 1 < set->count ? index + 1 : 0;
    }
    return NULL;
}

/* Whether it was free. One that is busy is wanted, so that the change from busy to free cannot be missed: it
 * is one word that both sides change. */
static bool take_or_want(kas_context *context)
{
    for (;;) {
        if (kas_context_take(context)) return true;
        if (kas_context_change(context, KAS_CONTEXT_BUSY, KAS_CONTEXT_WANTED)) return false;
        if (atomic_load(&context->state) >= KAS_CONTEXT_WANTED) return false;
    }
}

kas_context *kas_context_want(kas_context_set *set)
{
    for (uint32_t i = 0; i < set->count; ++i)
        if (take_or_want(&set->contexts[i])) return &set->contexts[i];
    return NULL;
}

bool kas_context_take_for_good(kas_context *context)
{
    return kas_context_take(context) || atomic_load(&context->state) >= KAS_CONTEXT_HUNG;
}

void kas_context_hand_over(kas_context *context, kas_context_state next)
{
    atomic_store(&context->state, next);
}

void kas_context_hang(kas_context *context)
{
    atomic_fetch_add(&context->set->hanging, 1);
}

void kas_context_abandon(kas_context *context)
{
    atomic_store(&context->state, KAS_CONTEXT_HUNG);
}

bool kas_context_revive(kas_context *context)
{
    if (atomic_load(&context->state) != KAS_CONTEXT_HUNG) return false;
    if (kas_queue_idle(context->queue)) {
        atomic_fetch_sub(&context->set->hanging, 1);
        atomic_store_explicit(&context->announced, NULL, memory_order_release);
        atomic_store(&context->state, KAS_CONTEXT_FREE);
        return false;
    }
    if (!kas_device_is_lost(context->set->device)) return true;
    atomic_store(&context->state, KAS_CONTEXT_GONE);
    return false;
}

void kas_context_give_up(kas_context *context)
{
    if (kas_context_revive(context)) kas_queue_give_up(context->queue);
}
