/* What a request may be, what it may bring of its own, and what passes report. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/half.h"
#include "tests/unit/exec_world.h"
#include "tests/unit/graph_fixture.h"

TestSuite(exec_requests, .fini = expect_no_leaks);

static double share; /* of the kernel that expect_row is to see */

static double shared(double x)
{
    return 2 * x + share * 4 * x;
}

/* Base 2x; seed 1 gives 6x. */
static exec_world *open_with_seed(float alpha, const kas_exec_options *options)
{
    exec_world *w = exec_world_open(NULL, options);
    kas_published_layer layer = a_layer("a", 1, make_product(w, 2, 0));
    add_seed(&layer, 1, make_affine(w, 6, 0), alpha);
    publish(w, &layer);
    return w;
}

static void expect_share(const probe *p, uint32_t rows, double of_kernel)
{
    share = of_kernel;
    for (uint32_t r = 0; r < rows; ++r)
        expect_row(p, r, shared);
}

/* ---- alphas of a request ---- */

Test(exec_requests, alphas_of_a_request_are_its_own)
{
    exec_world *w = open_with_seed(0.5f, NULL);
    kas_alpha_override given = {.seed = 1, .alpha = 0.25f};
    probe p;
    probe_init(&p, "a", 3, 1);
    p.request.alphas = &given;
    p.request.alpha_count = 1;
    probe_ok(w, &p);
    expect_share(&p, 3, 0.25);
    given.alpha = 0;
    probe_ok(w, &p);
    expect_share(&p, 3, 0);
    cr_expect_eq(p.result.seeds_used, 0);
    p.request.alpha_count = 0;
    probe_ok(w, &p);
    expect_share(&p, 3, 0.5);
    exec_world_close(w);
}

Test(exec_requests, alphas_are_rounded_to_half_precision)
{
    exec_world *w = open_with_seed(0, NULL); /* dormant but for those who ask */
    kas_alpha_override given = {.seed = 1, .alpha = 0.1f};
    double rounded = (double)kas_half_to_float(kas_half_from_float(0.1f));
    probe p;
    probe_init(&p, "a", 1, 1);
    probe_ok(w, &p);
    expect_share(&p, 1, 0);
    p.request.alphas = &given;
    p.request.alpha_count = 1;
    probe_ok(w, &p);
    cr_expect(fabs(rounded - 0.1) > 1e-5);
    expect_share(&p, 1, rounded);
    cr_expect_eq(p.result.seeds_used, 2);
    exec_world_close(w);
}

Test(exec_requests, alphas_that_cannot_be_are_refused)
{
    static const struct {
        kas_alpha_override given[2];
        size_t count;
        const char *part;
    } cases[] = {
        {{{0, 0.5f}}, 1, "seed 0 has no kernel"},      {{{1, NAN}}, 1, "is not within [0, 1]"},
        {{{1, 1.01f}}, 1, "is not within [0, 1]"},     {{{1, -0.5f}}, 1, "is not within [0, 1]"},
        {{{1, 0.5f}, {1, 0.5f}}, 2, "ascending seed"},
    };
    exec_world *w = open_with_seed(0.5f, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        probe p;
        probe_init(&p, "a", 1, 1);
        p.request.alphas = cases[i].given;
        p.request.alpha_count = cases[i].count;
        expect_failure(probe_run(w, &p), KAS_INVALID_ARGUMENT, cases[i].part);
    }
    cr_expect_eq(kas_exec_take_results(w->exec, &(kas_pass_result){0}, 1), 0);
    exec_world_close(w);
}

/* ---- shapes and memory ---- */

Test(exec_requests, any_leading_dimensions_are_rows)
{
    exec_world *w = open_with_seed(0.5f, NULL);
    probe p;
    probe_init(&p, "a", 12, 1);
    p.request.input.rank = p.request.output.rank = 4;
    int64_t shape[] = {2, 3, 2, FEATURES};
    memcpy(p.request.input.shape, shape, sizeof shape);
    memcpy(p.request.output.shape, shape, sizeof shape);
    probe_ok(w, &p);
    expect_share(&p, 12, 0.5);
    p.request.input.rank = p.request.output.rank = 1;
    p.request.input.shape[0] = p.request.output.shape[0] = FEATURES;
    probe_ok(w, &p);
    expect_share(&p, 1, 0.5);
    exec_world_close(w);
}

Test(exec_requests, no_rows_are_answered_and_not_counted)
{
    exec_world *w = open_with_seed(0.5f, NULL);
    probe p;
    probe_init(&p, "a", 0, 1);
    p.request.input.data = p.request.output.data = NULL;
    probe_ok(w, &p);
    cr_expect_eq(p.result.generation, 1);
    cr_expect_eq(p.result.seeds_used, 0);
    kas_exec_stats stats;
    cr_assert(kas_exec_layer_stats(w->exec, 1, &stats));
    cr_expect_eq(stats.forward_calls, 0);
    cr_expect_eq(kas_exec_take_results(w->exec, &(kas_pass_result){0}, 1), 0);
    exec_world_close(w);
}

static void expect_refused(exec_world *w, probe *p, kas_code code, const char *part)
{
    expect_failure(probe_run(w, p), code, part);
    probe_init(p, "a", 2, 1);
}

Test(exec_requests, views_that_do_not_fit_are_refused_with_their_shapes)
{
    exec_world *w = open_with_seed(0.5f, NULL);
    probe p;
    probe_init(&p, "a", 2, 1);
    p.request.input.shape[1] = 5;
    expect_refused(w, &p, KAS_INVALID_ARGUMENT, "the input has shape [2, 5], but the layer takes [..., 6]");
    p.request.output.shape[1] = 7;
    expect_refused(w, &p, KAS_INVALID_ARGUMENT, "the output has shape [2, 7]");
    p.request.output.shape[0] = 1;
    expect_refused(w, &p, KAS_INVALID_ARGUMENT, "input [2, 6] and output [1, 6]");
    p.request.input.rank = 0;
    expect_refused(w, &p, KAS_INVALID_ARGUMENT, "shape []");
    p.request.input.rank = KAS_TENSOR_MAX_RANK + 1;
    expect_refused(w, &p, KAS_INVALID_ARGUMENT, "the input has shape");
    p.request.input.shape[0] = -1;
    expect_refused(w, &p, KAS_INVALID_ARGUMENT, "[-1, 6]");
    p.request.input.shape[0] = INT64_MAX;
    expect_refused(w, &p, KAS_INVALID_ARGUMENT, "the input has shape");
    p.request.input.strides[0] = 2 * FEATURES;
    p.request.input.strides[1] = 1;
    expect_refused(w, &p, KAS_UNSUPPORTED, "dense");
    p.request.input.dtype = KAS_F16;
    expect_refused(w, &p, KAS_UNSUPPORTED, "float32");
    p.request.output.device = "cuda:0";
    expect_refused(w, &p, KAS_UNSUPPORTED, "host memory");
    p.request.input.data = NULL;
    expect_refused(w, &p, KAS_INVALID_ARGUMENT, "the input has no memory");
    p.request.output.data = (char *)p.y + 1;
    expect_refused(w, &p, KAS_INVALID_ARGUMENT, "not aligned for a float");
    p.request.output.data = p.x + FEATURES;
    expect_refused(w, &p, KAS_INVALID_ARGUMENT, "overlap");
    p.request.size = 8;
    expect_refused(w, &p, KAS_INVALID_ARGUMENT, "set its size");
    kas_exec_stats stats;
    cr_assert(kas_exec_layer_stats(w->exec, 1, &stats));
    cr_expect_eq(stats.failed_calls, 13);
    cr_expect_eq(stats.forward_calls, 0);
    exec_world_close(w);
}

Test(exec_requests, dense_strides_may_be_given)
{
    exec_world *w = open_with_seed(0.5f, NULL);
    probe p;
    probe_init(&p, "a", 2, 1);
    p.request.input.strides[0] = FEATURES;
    p.request.input.strides[1] = 1;
    p.request.input.device = "host:0";
    probe_ok(w, &p);
    expect_share(&p, 2, 0.5);
    exec_world_close(w);
}

/* ---- service and deadlines ---- */

Test(exec_requests, a_layer_out_of_service_answers_nothing)
{
    exec_world *w = exec_world_open(NULL, NULL);
    kas_published_layer layer = a_layer("a", 1, make_product(w, 2, 0));
    layer.serving = false;
    publish(w, &layer);
    probe p;
    probe_init(&p, "a", 1, 1);
    expect_failure(probe_run(w, &p), KAS_UNAVAILABLE, "out of service");
    exec_world_close(w);
}

Test(exec_requests, a_deadline_that_has_passed_is_told_before_anything_runs)
{
    exec_world *w = open_with_seed(0.5f, NULL);
    probe p;
    probe_init(&p, "a", 1, 1);
    p.request.deadline_ns = 1;
    expect_failure(probe_run(w, &p), KAS_DEADLINE, "before it could start");
    p.request.deadline_ns = kas_monotonic_ns() + 100 * KAS_NS_PER_S;
    probe_ok(w, &p);
    exec_world_close(w);
}

Test(exec_requests, small_passes_are_told_apart)
{
    exec_world *w = open_with_seed(0.5f, NULL);
    cr_expect(kas_exec_is_small(w->exec, "a", 1));
    cr_expect_not(kas_exec_is_small(w->exec, "a", 10000000));
    cr_expect(kas_exec_is_small(w->exec, "nobody", 10000000), "fails at once");
    exec_world_close(w);
}

/* ---- reports ---- */

Test(exec_requests, who_takes_results_is_woken_once)
{
    exec_world *w = open_with_seed(0.5f, NULL);
    kas_pass_result results[8];
    probe p;
    probe_init(&p, "a", 1, 1);
    for (int i = 0; i < 3; ++i)
        probe_ok(w, &p);
    cr_expect_eq(w->wakes, 1);
    cr_expect_eq(take_results(w, results, 8), 3);
    probe_ok(w, &p);
    cr_expect_eq(w->wakes, 2);
    cr_expect_eq(take_results(w, results, 8), 1);
    exec_world_close(w);
}

Test(exec_requests, results_that_nobody_takes_make_room_oldest_first)
{
    exec_world *w = exec_world_open(NULL, &(kas_exec_options){.results_capacity = 4});
    kas_published_layer layer = a_layer("a", 1, make_product(w, 2, 0));
    kas_resource kernel = make_affine(w, 6, 0);
    kas_pass_result results[8];
    kas_exec_stats stats;
    probe p;
    probe_init(&p, "a", 1, 1);
    add_seed(&layer, 0, kernel, 0.5f);
    for (uint64_t binding = 1; binding <= 11; ++binding) {
        layer.seeds[0].binding = binding;
        publish(w, &layer);
        probe_ok(w, &p);
    }
    cr_assert_eq(take_results(w, results, 8), 4);
    for (uint64_t i = 0; i < 4; ++i)
        cr_expect_eq(results[i].binding, 8 + i);
    kas_exec_total_stats(w->exec, &stats);
    cr_expect_eq(stats.results_dropped, 7);
    exec_world_close(w);
}

Test(exec_requests, dead_outputs_are_sampled)
{
    exec_world *w = exec_world_open(NULL, NULL);
    kas_published_layer layer = a_layer("a", 1, make_product(w, 2, 0));
    add_seed(&layer, 0, make_affine(w, 0, 0), 0.25f);
    add_seed(&layer, 1, make_affine(w, 1, 0), 0.25f);
    publish(w, &layer);
    kas_pass_result results[8];
    probe p;
    probe_init(&p, "a", 4, 1);
    probe_ok(w, &p);
    cr_assert_eq(take_results(w, results, 8), 2);
    cr_expect_eq(results[0].dead_ratio, 1);
    cr_expect_eq(results[1].dead_ratio, 0);
    exec_world_close(w);
}

Test(exec_requests, options_out_of_range_are_refused)
{
    kas_exec *exec;
    expect_failure(kas_exec_create(&(kas_exec_options){.contexts = 5000}, &exec), KAS_INVALID_ARGUMENT,
                   "5000 contexts (at most 4096)");
    expect_failure(kas_exec_create(&(kas_exec_options){.deadline_ns = -1}, &exec), KAS_INVALID_ARGUMENT,
                   "a deadline of -1 ns");
}
