/* Passes and what they must answer: the formula of docs/semantics.md over what the layer was at the answer's
 * generation; the same bits for the same generation, however many rows came with it. */
#include <math.h>
#include <string.h>

#include "base/half.h"
#include "engine/exec/executor.h"
#include "tests/sim/engine/world.h"

/* ---- what a layer is from a generation on ---- */

static void read_term(es *w, int layer, uint32_t seed, es_term *term)
{
    kas_seed_info info;
    kas_sha256 checksum;
    kas_status status = kas_state_seed_info(w->engine->state, es_layer_names[layer], seed, &info);
    ES_REQUIRE(w, !status, "%s", kas_status_message(status));
    if (!kas_state_binding(w->engine->state, info.artifact_id, &checksum)) return;
    for (int i = 0; i < ES_GOOD_CONTENTS; ++i) {
        if (!kas_sha256_equal(&checksum, &w->checksums[i])) continue;
        term->known = true;
        term->kernel = es_kernel_of(i);
    }
    /* what an id that was never seen means is what was read, damaged or not */
    ES_REQUIRE(w, term->known || w->fault_percent,
               "seed %u of layer %s has a kernel that cannot be loaded: %s", seed, es_layer_names[layer],
               info.artifact_id);
}

static void read_base(es *w, int layer, es_view *view)
{
    kas_layer_info info;
    kas_status status = kas_state_layer_info(w->engine->state, es_layer_names[layer], &info);
    ES_REQUIRE(w, !status, "%s", kas_status_message(status));
    for (int i = 0; i < ES_WEIGHTS; ++i) {
        if (strcmp(info.weights_sha256, w->weights_sha256[i]) != 0) continue;
        float scale, shift;
        es_weights_of(i, &scale, &shift);
        view->base_known = true;
        view->scale = (double)scale;
        view->shift = (double)shift;
    }
}

static void read_view(es *w, int layer, const kas_published_layer *published, es_view *view)
{
    kas_resource weights;
    kas_published_fossil fossils[KAS_MAX_SEEDS];
    *view = (es_view){.generation = published->generation, .seed_count = published->seed_count};
    read_base(w, layer, view);
    if (!kas_state_fold_source(w->engine->state, published->uid, &weights, fossils, &view->fossil_count))
        es_fail(w, "layer %s has no source of folds", es_layer_names[layer]);
    for (uint32_t i = 0; i < view->fossil_count; ++i) {
        read_term(w, layer, fossils[i].seed, &view->fossils[i]);
        view->fossils[i].alpha = fossils[i].alpha;
    }
    for (uint32_t i = 0; i < view->seed_count; ++i) {
        const kas_published_seed *seed = &published->seeds[i];
        es_term *term = &view->seeds[i];
        term->seed = seed->seed;
        read_term(w, layer, seed->seed, term);
        term->alpha = seed->alpha;
        if (!seed->ramp) continue;
        term->ramp = true;
        term->from = seed->ramp_from;
        term->to = seed->ramp_to;
        term->done = seed->ramp_done;
        term->length = seed->ramp_length;
        term->curve = seed->ramp_curve;
        if (term->length - term->done > view->steps) view->steps = term->length - term->done;
    }
}

static bool is_same_ramp(const es_term *a, const es_term *b)
{
    return a->ramp && b->ramp && a->seed == b->seed && a->from == b->from && a->to == b->to &&
           a->length == b->length && a->curve == b->curve;
}

/* Whether a ramp begins with `now` that did not run in `before`. */
static bool begins_ramp(const es_view *before, const es_view *now)
{
    for (uint32_t i = 0; i < now->seed_count; ++i) {
        bool ran = !now->seeds[i].ramp || now->seeds[i].done > 0;
        for (uint32_t n = 0; n < before->seed_count; ++n)
            ran |= is_same_ramp(&now->seeds[i], &before->seeds[n]);
        if (!ran) return true;
    }
    return false;
}

/* Zero where there is none yet. */
static es_view *newest_view(es_layer *layer)
{
    return &layer->views[(layer->view_count + ES_VIEWS - 1) % ES_VIEWS];
}

void es_note_views(es *w)
{
    for (int i = 0; i < ES_LAYERS; ++i) {
        es_layer *layer = &w->layers[i];
        kas_published_layer published;
        uint64_t uid = 0;
        bool there = kas_state_layer_uid(w->engine->state, es_layer_names[i], &uid);
        if (!there) uid = 0;
        if (uid != layer->uid) *layer = (es_layer){.uid = uid};
        if (!there || !kas_state_published(w->engine->state, uid, &published)) continue;
        const es_view *last = newest_view(layer);
        if (layer->view_count && last->generation == published.generation && !last->steps) continue;
        const es_view before = layer->view_count ? *last : (es_view){0};
        es_view *view = &layer->views[layer->view_count++ % ES_VIEWS];
        read_view(w, i, &published, view);
        view->begins = begins_ramp(&before, view);
    }
}

/* The newest that begins at or before the generation and reaches it; NULL: not remembered. */
static const es_view *view_of(const es_layer *layer, uint64_t generation)
{
    for (uint64_t i = layer->view_count; i > 0 && i + ES_VIEWS > layer->view_count; --i) {
        const es_view *view = &layer->views[(i - 1) % ES_VIEWS];
        if (view->generation <= generation) return generation - view->generation <= view->steps ? view : NULL;
    }
    return NULL;
}

/* ---- the formula ---- */

static double kernel_value(const es_kernel *kernel, double x)
{
    return kernel->is_sqrt ? sqrt(x) : kernel->a * x + kernel->b;
}

static double alpha_at(const es_term *term, uint32_t step)
{
    if (!term->ramp) return (double)term->alpha;
    uint32_t done = term->done + step < term->length ? term->done + step : term->length;
    float value = kas_ramp_value(term->from, term->to, (float)done / (float)term->length, term->curve);
    return (double)kas_half_to_float(kas_half_from_float(value));
}

static double base_value(const es_view *view, double x)
{
    double base = view->scale * x + view->shift;
    for (uint32_t i = 0; i < view->fossil_count; ++i) {
        double alpha = (double)view->fossils[i].alpha, value = kernel_value(&view->fossils[i].kernel, x);
        if (isfinite(value)) base = (1 - alpha) * base + alpha * value;
    }
    return base;
}

static bool fails(const es_kernel *kernel, float sign)
{
    return kernel->is_sqrt && sign < 0;
}

static double expected(const es_view *view, uint32_t step, float sign, double x)
{
    double all = 0, sum = 0;
    for (uint32_t i = 0; i < view->seed_count; ++i) {
        const es_term *term = &view->seeds[i];
        if (fails(&term->kernel, sign)) continue;
        double alpha = alpha_at(term, step);
        all += alpha;
        sum += alpha * kernel_value(&term->kernel, x);
    }
    return all >= 1 ? sum / all : (1 - all) * base_value(view, x) + sum;
}

/* ---- a pass ---- */

static float input(float sign, int feature)
{
    return sign * (float)(feature + 1);
}

static bool is_known(const es_view *view)
{
    bool known = view->base_known;
    for (uint32_t i = 0; i < view->fossil_count; ++i)
        known &= view->fossils[i].known;
    for (uint32_t i = 0; i < view->seed_count; ++i)
        known &= view->seeds[i].known;
    return known;
}

static void check_value(es *w, const es_layer *layer, uint64_t generation, float sign, const float *y)
{
    const es_view *view = view_of(layer, generation);
    if (!view || !is_known(view)) return;
    uint32_t step = (uint32_t)(generation - view->generation);
    for (int i = 0; i < ES_FEATURES; ++i) {
        double want = expected(view, step, sign, (double)input(sign, i));
        ES_REQUIRE(w, fabs((double)y[i] - want) <= 1e-4 * (1 + fabs(want)),
                   "at generation %llu feature %d is %g, but must be %g", (unsigned long long)generation, i,
                   (double)y[i], want);
    }
    ++w->passes;
}

/* Whatever had this generation before had the same bits. */
static void check_bits(es *w, es_layer *layer, uint64_t generation, float sign, const float *y)
{
    for (int i = 0; i < ES_VIEWS; ++i) {
        const es_answer *answer = &layer->answers[i];
        if (answer->generation != generation || answer->sign != sign) continue;
        ES_REQUIRE(w, memcmp(answer->y, y, sizeof answer->y) == 0, "two answers of generation %llu differ",
                   (unsigned long long)generation);
        return;
    }
    es_answer *answer = &layer->answers[layer->answer_count++ % ES_VIEWS];
    *answer = (es_answer){.generation = generation, .sign = sign};
    memcpy(answer->y, y, sizeof answer->y);
}

/* Pass k of a ramp is computed with its k-th value, from the first one on. */
static void check_first_step(es *w, es_layer *layer, uint64_t generation)
{
    es_view *view = newest_view(layer);
    if (!layer->view_count || !view->begins || generation < view->generation) return;
    ES_REQUIRE(w, generation - view->generation == 1, "the first pass of a ramp is its step %llu",
               (unsigned long long)(generation - view->generation));
    view->begins = false;
}

static void check_answer(es *w, int index, const kas_forward_result *result, uint32_t rows, const float *y)
{
    es_layer *layer = &w->layers[index];
    uint64_t generation = result->generation;
    es_trace(w, "pass of layer %s: generation %llu", es_layer_names[index], (unsigned long long)generation);
    ES_REQUIRE(w, generation >= layer->last, "generation %llu is answered after generation %llu",
               (unsigned long long)generation, (unsigned long long)layer->last);
    ES_REQUIRE(w, generation >= layer->acknowledged,
               "generation %llu was acknowledged, but a pass has generation %llu",
               (unsigned long long)layer->acknowledged, (unsigned long long)generation);
    for (uint32_t row = 1; row < rows; ++row)
        ES_REQUIRE(w, memcmp(y, y + row * ES_FEATURES, ES_FEATURES * sizeof *y) == 0,
                   "equal rows of a pass differ");
    for (int i = 0; i < ES_FEATURES; ++i)
        ES_REQUIRE(w, isfinite(y[i]), "an answer is not finite");
    layer->last = generation;
    check_first_step(w, layer, generation);
    es_note(w, y, ES_FEATURES * sizeof *y);
}

/* ---- which device ---- */

static kas_plan *plan_of(const es *w, uint64_t uid)
{
    const kas_root *root = atomic_load(&w->engine->exec->publication.root);
    for (size_t at = 0; at <= root->mask; ++at)
        if (root->table[at].plan && root->table[at].plan->uid == uid) return root->table[at].plan;
    return NULL;
}

/* Passes here run one at a time, so that no device would ever be busy: one of the layer's is said to be.
 * False: they do not compute the same bits, for its fossils are folded on one of them. */
static bool choose_device(es *w, int index)
{
    const kas_plan *plan = w->layers[index].uid ? plan_of(w, w->layers[index].uid) : NULL;
    if (!plan || !plan->next_replica) return true;
    atomic_store(&plan->record->rows_in_flight[plan->set->index], es_below(w, 2));
    return plan->fossil_count == plan->next_replica->fossil_count;
}

/* ---- passes ---- */

/* What a device that worked has computed; where it failed, the rows are answered by what was left. */
static void check_computed(es *w, int index, uint64_t generation, float sign, const float *y, bool same_bits)
{
    if (same_bits) check_bits(w, &w->layers[index], generation, sign, y);
    check_value(w, &w->layers[index], generation, sign, y);
}

void es_pass(es *w)
{
    int index = (int)es_below(w, ES_LAYERS);
    uint32_t rows = 1 + es_below(w, ES_ROWS);
    float sign = es_chance(w, 70) ? 1.0f : -1.0f, x[ES_ROWS * ES_FEATURES], y[ES_ROWS * ES_FEATURES];
    for (uint32_t i = 0; i < rows * ES_FEATURES; ++i)
        x[i] = input(sign, (int)(i % ES_FEATURES));
    kas_tensor_view view = {.data = x, .rank = 2, .shape = {rows, ES_FEATURES}};
    kas_forward_request request = {
        .size = sizeof request, .layer = es_layer_names[index], .input = view, .output = view};
    request.output.data = y;
    kas_forward_result result = {.size = sizeof result};
    bool same_bits = choose_device(w, index);
    es_memory_may_fail(w);
    es_device_may_fail(w);
    kas_status status = kas_forward(w->engine, &request, &result);
    bool device_failed = es_device_is_fine();
    es_memory_is_fine();
    kas_code code = kas_status_code(status);
    bool excused =
        code == KAS_NOT_FOUND || code == KAS_UNAVAILABLE || (code == KAS_OUT_OF_MEMORY && w->memory_percent);
    excused |= device_failed;
    excused &= code != KAS_NOT_FOUND || !w->layers[index].acknowledged;
    ES_REQUIRE(w, !status || excused, "a pass fails: %s", kas_status_message(status));
    kas_status_free(status);
    if (code) { /* it may have been a ramp's first pass all the same */
        newest_view(&w->layers[index])->begins = false;
        return;
    }
    check_answer(w, index, &result, rows, y);
    if (!device_failed) check_computed(w, index, result.generation, sign, y, same_bits);
}
