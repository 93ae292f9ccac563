#include "tests/unit/exec_world.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/random.h"
#include "tests/unit/graph_fixture.h"

/* ---- assertions ---- */

void ok(kas_status status)
{
    cr_assert_null(status, "%s", kas_status_message(status));
}

void expect_failure(kas_status status, kas_code code, const char *part)
{
    cr_expect_eq(kas_status_code(status), code, "%s, not %s: %s", kas_code_name(code),
                 kas_code_name(kas_status_code(status)), kas_status_message(status));
    cr_expect(strstr(kas_status_message(status), part), "\"%s\" is not in: %s", part,
              kas_status_message(status));
    kas_status_free(status);
}

void expect_row(const probe *p, uint32_t row, double (*of)(double x))
{
    for (uint32_t e = row * FEATURES; e < (row + 1) * FEATURES; ++e) {
        double want = of((double)p->x[e]), got = (double)p->y[e];
        cr_assert(fabs(got - want) <= 1e-5 * (1 + fabs(want)), "row %u: %g, not %g", row, got, want);
    }
}

void expect_same_bits(const probe *got, uint32_t row, const probe *want, uint32_t want_row)
{
    cr_assert_eq(memcmp(got->y + row * FEATURES, want->y + want_row * FEATURES, FEATURES * sizeof(float)), 0,
                 "row %u has other bits", row);
}

/* ---- the world ---- */

static void note_drained(void *user, kas_resource resource)
{
    exec_world *w = user;
    atomic_fetch_add(&w->drained[resource - 1], 1);
}

static void note_wake(void *user)
{
    exec_world *w = user;
    atomic_fetch_add(&w->wakes, 1);
}

exec_world *exec_world_open(kas_device *device, const kas_exec_options *options)
{
    exec_world *w = kas_calloc(1, sizeof *w);
    cr_assert_not_null(w);
    w->device = device;
    if (!device) ok(kas_device_open("host:0", &w->device));
    ok(kas_queue_create(w->device, "uploads", &w->queue));
    kas_exec_options filled = options ? *options : (kas_exec_options){0};
    filled.drained = note_drained;
    filled.results_wait = note_wake;
    filled.user = w;
    if (!filled.contexts) filled.contexts = 4;
    ok(kas_exec_create(&filled, &w->exec));
    return w;
}

void exec_world_close(exec_world *w)
{
    kas_exec_destroy(w->exec);
    for (uint32_t i = 0; i < w->resource_count; ++i)
        kas_segment_release(w->segments[i]);
    kas_queue_destroy(w->queue);
    kas_device_release(w->device);
    kas_free(w);
}

/* ---- kernels ---- */

/* Takes the graph over. */
static kas_resource make_segment(exec_world *w, kas_graph *graph, int output)
{
    finish(graph, output);
    kas_segment_plan *plan;
    cr_assert_lt(w->resource_count, WORLD_RESOURCES);
    ok(kas_segment_plan_create(w->device, graph, 1024, &plan));
    ok(kas_segment_create(plan, w->queue, KAS_NEVER, &w->segments[w->resource_count]));
    kas_segment_plan_destroy(plan);
    kas_graph_destroy(graph);
    return ++w->resource_count;
}

kas_resource make_product(exec_world *w, float diagonal, float bias)
{
    float weight[FEATURES * FEATURES] = {0}, shift[FEATURES];
    for (int i = 0; i < FEATURES; ++i) {
        weight[i * FEATURES + i] = diagonal;
        shift[i] = bias;
    }
    kas_graph *graph = graph_new(SHAPE(FEATURES));
    int matrix = constant_of(graph, SHAPE(FEATURES, FEATURES), weight);
    return make_segment(w, graph,
                        linear(graph, graph->input, matrix, constant_of(graph, SHAPE(FEATURES), shift)));
}

kas_resource make_affine(exec_world *w, float scale, float shift)
{
    kas_graph *graph = graph_new(SHAPE(FEATURES));
    return make_segment(w, graph, unary(graph, KAS_ACT_AFFINE, scale, shift, graph->input));
}

kas_resource make_sqrt(exec_world *w)
{
    kas_graph *graph = graph_new(SHAPE(FEATURES));
    return make_segment(w, graph, unary(graph, KAS_ACT_SQRT, 0, 0, graph->input));
}

kas_resource make_network(exec_world *w, uint64_t seed)
{
    enum { HIDDEN = 19 };
    random_restart(seed);
    kas_graph *graph = graph_new(SHAPE(FEATURES));
    int inner = linear(graph, graph->input, constant_random(graph, SHAPE(HIDDEN, FEATURES), 1),
                       constant_random(graph, SHAPE(HIDDEN), 1));
    int bent = unary(graph, KAS_ACT_GELU, 0, 0, inner);
    return make_segment(w, graph,
                        linear(graph, bent, constant_random(graph, SHAPE(FEATURES, HIDDEN), 1), -1));
}

/* ---- layers ---- */

kas_published_layer a_layer(const char *name, uint64_t uid, kas_resource base)
{
    kas_published_layer layer = {.uid = uid,
                                 .input_size = FEATURES,
                                 .output_size = FEATURES,
                                 .serving = true,
                                 .generation = 1,
                                 .weights = base};
    snprintf(layer.name, sizeof layer.name, "%s", name);
    return layer;
}

void add_seed(kas_published_layer *layer, uint32_t seed, kas_resource kernel, float alpha)
{
    layer->seeds[layer->seed_count++] =
        (kas_published_seed){.seed = seed, .binding = kernel, .kernel = kernel, .alpha = alpha};
}

void add_ramp(kas_published_layer *layer, uint32_t seed, kas_resource kernel, float to, uint32_t passes)
{
    add_seed(layer, seed, kernel, 0);
    kas_published_seed *added = &layer->seeds[layer->seed_count - 1];
    added->ramp = true;
    added->ramp_to = to;
    added->ramp_length = passes;
}

void add_fossil(kas_published_layer *layer, uint32_t seed, kas_resource kernel, float alpha)
{
    layer->fossils[layer->fossil_count++] =
        (kas_published_fossil){.kernel = kernel, .alpha = alpha, .binding = kernel, .seed = seed};
}

static kas_segment *resolve(void *user, kas_resource resource)
{
    const exec_world *w = user;
    return resource >= 1 && resource <= w->resource_count ? w->segments[resource - 1] : NULL;
}

kas_status compose(exec_world *w, const kas_published_layer *layer, kas_plan **out)
{
    return kas_plan_create(w->exec, layer, w->device, resolve, w, out);
}

kas_status compose_whole(exec_world *w, const kas_published_layer *layer, kas_plan **out)
{
    return kas_plan_create_whole(w->exec, layer, w->device, resolve, w, out);
}

void publish(exec_world *w, const kas_published_layer *layer)
{
    kas_plan *plan;
    ok(compose(w, layer, &plan));
    ok(kas_exec_publish(w->exec, layer->epoch, &plan, 1, NULL, 0));
}

void publish_two(exec_world *w, uint32_t epoch, const kas_published_layer *a, const kas_published_layer *b)
{
    kas_plan *plans[2];
    ok(compose(w, a, &plans[0]));
    ok(compose(w, b, &plans[1]));
    ok(kas_exec_publish(w->exec, epoch, plans, 2, NULL, 0));
}

void unpublish(exec_world *w, uint64_t uid)
{
    ok(kas_exec_publish(w->exec, 0, NULL, 0, &uid, 1));
}

/* ---- passes ---- */

void probe_init(probe *p, const char *layer, uint32_t rows, uint64_t seed)
{
    kas_rng rng = kas_rng_make(seed, 1);
    cr_assert_leq(rows, PROBE_ROWS);
    memset(p, 0, sizeof *p);
    for (uint32_t e = 0; e < rows * FEATURES; ++e) {
        float size = 0.25f + 1.75f * kas_rng_unit(&rng);
        p->x[e] = e / FEATURES % 2 ? -size : size;
    }
    kas_tensor_view view = {.rank = 2, .shape = {rows, FEATURES}};
    p->request = (kas_forward_request){.size = sizeof p->request,
                                       .layer = layer,
                                       .input = view,
                                       .output = view,
                                       .failed_rows = p->failed_rows};
    p->request.input.data = p->x;
    p->request.output.data = p->y;
    p->result.size = sizeof p->result;
}

kas_status probe_run(exec_world *w, probe *p)
{
    memset(p->y, 0xff, sizeof p->y);
    memset(p->failed_rows, 0xff, sizeof p->failed_rows);
    return kas_exec_forward(w->exec, &p->request, &p->result);
}

void probe_ok(exec_world *w, probe *p)
{
    ok(probe_run(w, p));
}

size_t take_results(exec_world *w, kas_pass_result *out, size_t capacity)
{
    size_t count = kas_exec_take_results(w->exec, out, capacity);
    cr_assert_lt(count, capacity);
    return count;
}
