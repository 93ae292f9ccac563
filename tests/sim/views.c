/* What passes see of each layer, as the carrier publishes it. */
#include <string.h>

#include "tests/sim/sim.h"

static bool layer_has(const kas_published_layer *layer, kas_resource kernel)
{
    for (uint32_t i = 0; i < layer->seed_count; ++i)
        if (layer->seeds[i].kernel == kernel) return true;
    for (uint32_t i = 0; i < layer->fossil_count; ++i)
        if (layer->fossils[i].kernel == kernel) return true;
    return false;
}

static bool view_has(const sim_view *view, kas_resource kernel)
{
    if (!view->shown) return false;
    return layer_has(&view->is, kernel) || (view->replicated && layer_has(&view->there, kernel));
}

bool sim_views_have(const sim *s, kas_resource kernel)
{
    for (int i = 0; i < SIM_LAYERS; ++i)
        if (view_has(&s->world.views[i], kernel)) return true;
    return false;
}

static bool same_views(const kas_published_layer *a, const kas_published_layer *b)
{
    if (a->serving != b->serving || a->weights != b->weights || a->folded_fossils != b->folded_fossils ||
        a->fossil_count != b->fossil_count || a->seed_count != b->seed_count)
        return false;
    for (uint32_t i = 0; i < a->fossil_count; ++i)
        if (a->fossils[i].kernel != b->fossils[i].kernel || a->fossils[i].alpha != b->fossils[i].alpha)
            return false;
    for (uint32_t i = 0; i < a->seed_count; ++i) {
        const kas_published_seed *x = &a->seeds[i], *y = &b->seeds[i];
        if (x->seed != y->seed || x->binding != y->binding || x->kernel != y->kernel ||
            x->alpha != y->alpha || x->ramp != y->ramp || x->ramp_from != y->ramp_from ||
            x->ramp_to != y->ramp_to || x->ramp_done != y->ramp_done || x->ramp_length != y->ramp_length ||
            x->ramp_curve != y->ramp_curve)
            return false;
    }
    return true;
}

static bool has_ramp(const kas_published_layer *view)
{
    for (uint32_t i = 0; i < view->seed_count; ++i)
        if (view->seeds[i].ramp) return true;
    return false;
}

/* Passes of a ramp that goes on, as far as the state has not been told of them: the new view goes on from
 * there. */
static uint32_t untold_steps(const sim_view *view, const kas_published_layer *before)
{
    uint32_t untold = view->steps - view->told, longest = 0;
    bool goes_on = false;
    for (uint32_t i = 0; i < view->is.seed_count; ++i) {
        const kas_published_seed *now = &view->is.seeds[i];
        if (!now->ramp) continue;
        if (now->ramp_length - now->ramp_done > longest) longest = now->ramp_length - now->ramp_done;
        for (uint32_t n = 0; n < before->seed_count; ++n) {
            const kas_published_seed *old = &before->seeds[n];
            goes_on |= old->ramp && old->seed == now->seed && old->binding == now->binding &&
                       old->ramp_from == now->ramp_from && old->ramp_to == now->ramp_to &&
                       old->ramp_length == now->ramp_length && old->ramp_curve == now->ramp_curve;
        }
    }
    if (!goes_on) return 0;
    return untold < longest ? untold : longest;
}

static void publish(sim *s, const kas_effect *effect)
{
    int layer = 0;
    while (strcmp(sim_layer_names[layer], effect->layer))
        ++layer;
    sim_view *view = &s->world.views[layer];
    bool had = view->shown && view->is.uid == effect->layer_uid;
    const kas_published_layer before = view->is;
    SIM_REQUIRE(s, kas_state_published(s->state, effect->layer_uid, &view->is),
                "layer %s is published, which is not there", effect->layer);
    uint32_t steps = view->steps, next;
    view->replicated = kas_state_replica(s->state, effect->layer_uid, 0, &view->there, &next);
    view->shown = true;
    view->steps = had ? untold_steps(view, &before) : 0;
    view->told = 0;
    if (!had) {
        view->last_generation = view->last_meaning = 0;
        return;
    }
    SIM_REQUIRE(s, view->is.generation + view->steps >= before.generation + steps,
                "the generation of layer %s goes back", effect->layer);
    bool same = same_views(&before, &view->is);
    SIM_REQUIRE(s, steps || same || view->is.generation > before.generation,
                "layer %s changes within a generation", effect->layer);
    SIM_REQUIRE(s, !same || steps || has_ramp(&before) || view->is.generation == before.generation,
                "a publication of layer %s that changes nothing is a new generation", effect->layer);
}

static void unpublish(sim *s, const kas_effect *effect)
{
    for (int i = 0; i < SIM_LAYERS; ++i)
        if (s->world.views[i].shown && s->world.views[i].is.uid == effect->layer_uid)
            s->world.views[i].shown = false;
}

/* All of one command become visible at once; what is dropped by it drains. */
void sim_views_publish(sim *s)
{
    bool shown[SIM_RESOURCES];
    for (kas_resource i = 1; i <= s->world.last_resource; ++i)
        shown[i] = sim_views_have(s, i);
    for (size_t i = 0; i < s->effects.count; ++i) {
        if (s->effects.items[i].kind == KAS_EFFECT_PUBLISH) publish(s, &s->effects.items[i]);
        if (s->effects.items[i].kind == KAS_EFFECT_UNPUBLISH) unpublish(s, &s->effects.items[i]);
    }
    for (kas_resource i = 1; i <= s->world.last_resource; ++i) {
        bool shows = sim_views_have(s, i);
        SIM_REQUIRE(s, !shows || s->world.resources[i].owner == SIM_STATE,
                    "kernel %llu is published, which is gone", (unsigned long long)i);
        if (shows) s->world.resources[i].undrained = false;
        if (shown[i] && !shows) s->world.resources[i].undrained = true;
    }
}
