/* What a row's answer is: the formula of docs/semantics.md, each row on its own, whatever fails around it.
 * Every case runs over a base that is one product (the blend is in its epilogue) and over one that is not. */
#include <criterion/criterion.h>
#include <math.h>

#include "tests/unit/exec_world.h"
#include "tests/unit/graph_fixture.h"

TestSuite(exec_rows, .fini = expect_no_leaks);

typedef kas_resource (*make_base_fn)(exec_world *w, float scale, float shift);
static const make_base_fn bases[] = {make_product, make_affine};

/* The coefficients that expect_row is to see: y = base·2x + first·6x + second·(3 − x) + root·√x. */
static struct {
    double base, first, second, root;
} share;

static double shared(double x)
{
    double y = share.base * 2 * x + share.first * 6 * x + share.second * (3 - x);
    return share.root > 0 ? y + share.root * sqrt(x) : y;
}

static void check_shares(exec_world *w, make_base_fn make_base)
{
    static const struct {
        float alphas[2];
        double base, first, second;
    } cases[] = {
        {{0, 0}, 1, 0, 0},         {{0.25f, 0.5f}, 0.25, 0.25, 0.5}, {{0.75f, 0.75f}, 0, 0.5, 0.5},
        {{1, 0}, 0, 1, 0},         {{0.5f, 0.5f}, 0, 0.5, 0.5},      {{0, 0.125f}, 0.875, 0, 0.125},
        {{1, 0.25f}, 0, 0.8, 0.2},
    };
    kas_resource base = make_base(w, 2, 0), first = make_affine(w, 6, 0), second = make_affine(w, -1, 3);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        kas_published_layer layer = a_layer("a", 1, base);
        add_seed(&layer, 1, first, cases[i].alphas[0]);
        add_seed(&layer, 5, second, cases[i].alphas[1]);
        publish(w, &layer);
        probe p;
        probe_init(&p, "a", 9, i);
        probe_ok(w, &p);
        share.base = cases[i].base;
        share.first = cases[i].first;
        share.second = cases[i].second;
        share.root = 0;
        for (uint32_t r = 0; r < 9; ++r)
            expect_row(&p, r, shared);
        cr_expect_eq(p.result.seeds_used, (cases[i].first > 0 ? 2u : 0u) | (cases[i].second > 0 ? 32u : 0u));
        cr_expect_eq(p.result.seeds_failed, 0);
        cr_expect_eq(p.failed_rows[8], 0);
    }
}

Test(exec_rows, shares_add_up_and_are_scaled_beyond_one)
{
    for (int b = 0; b < 2; ++b) {
        exec_world *w = exec_world_open(NULL, NULL);
        check_shares(w, bases[b]);
        exec_world_close(w);
    }
}

Test(exec_rows, the_base_is_not_read_where_seeds_make_up_the_whole)
{
    exec_world *w = exec_world_open(NULL, NULL);
    kas_published_layer layer = a_layer("a", 1, make_sqrt(w));
    add_seed(&layer, 0, make_affine(w, 6, 0), 1);
    publish(w, &layer);
    probe p;
    probe_init(&p, "a", 4, 1); /* the base is NaN on rows 1 and 3 */
    probe_ok(w, &p);
    share.base = share.second = share.root = 0;
    share.first = 1;
    for (uint32_t r = 0; r < 4; ++r)
        expect_row(&p, r, shared);
    exec_world_close(w);
}

Test(exec_rows, no_seed_is_blamed_where_the_base_is_not_finite_either)
{
    exec_world *w = exec_world_open(NULL, NULL);
    kas_resource root = make_sqrt(w);
    kas_published_layer layer = a_layer("a", 1, root);
    add_seed(&layer, 0, root, 0.5f);
    publish(w, &layer);
    probe p;
    probe_init(&p, "a", 2, 1);
    probe_ok(w, &p);
    cr_expect(isfinite(p.y[0]));
    cr_expect(isnan(p.y[FEATURES]));
    cr_expect_eq(p.result.seeds_failed, 0);
    cr_expect_eq(p.result.rows_failed, 0);
    kas_pass_result results[4];
    cr_assert_eq(take_results(w, results, 4), 1);
    cr_expect_eq(results[0].outcome, KAS_OUTCOME_OK);
    exec_world_close(w);
}

/* ---- a kernel that fails on some rows ---- */

static kas_published_layer half_failing(exec_world *w, make_base_fn make_base)
{
    kas_published_layer layer = a_layer("a", 1, make_base(w, 2, 0));
    add_seed(&layer, 0, make_sqrt(w), 0.5f);
    add_seed(&layer, 2, make_affine(w, 6, 0), 0.25f);
    return layer;
}

/* Rows with an odd number are negative: √ fails on them. */
static void expect_half_failed(const probe *p, uint32_t rows)
{
    for (uint32_t r = 0; r < rows; ++r) {
        bool failed = r % 2;
        share.base = failed ? 0.75 : 0.25;
        share.first = 0.25;
        share.second = 0;
        share.root = failed ? 0 : 0.5;
        expect_row(p, r, shared);
        cr_expect_eq(p->failed_rows[r], failed ? 1 : 0, "row %u", r);
    }
    cr_expect_eq(p->result.rows_failed, rows / 2);
    cr_expect_eq(p->result.seeds_failed, rows > 1 ? 1 : 0);
    cr_expect_eq(p->result.seeds_used, 5);
}

static void check_fallback(exec_world *w, make_base_fn make_base)
{
    enum { ROWS = 37 };
    kas_published_layer layer = half_failing(w, make_base);
    publish(w, &layer);
    static probe all, alone;
    probe_init(&all, "a", ROWS, 3);
    probe_ok(w, &all);
    expect_half_failed(&all, ROWS);
    for (uint32_t r = 0; r < ROWS; ++r) {
        probe_init(&alone, "a", 1, 3);
        for (uint32_t e = 0; e < FEATURES; ++e)
            alone.x[e] = all.x[r * FEATURES + e];
        probe_ok(w, &alone);
        expect_same_bits(&all, r, &alone, 0);
        cr_expect_eq(alone.failed_rows[0], all.failed_rows[r]);
    }
}

Test(exec_rows, rows_on_which_a_kernel_fails_fall_back_and_others_keep_their_bits)
{
    for (int b = 0; b < 2; ++b) {
        exec_world *w = exec_world_open(NULL, NULL);
        check_fallback(w, bases[b]);
        exec_world_close(w);
    }
}

Test(exec_rows, what_failed_is_reported_once_a_pass)
{
    exec_world *w = exec_world_open(NULL, NULL);
    kas_published_layer layer = half_failing(w, make_product);
    publish(w, &layer);
    probe p;
    probe_init(&p, "a", 6, 3);
    probe_ok(w, &p);
    kas_pass_result results[4];
    cr_assert_eq(take_results(w, results, 4), 2);
    cr_expect_eq(results[0].seed, 0);
    cr_expect_eq(results[0].outcome, KAS_OUTCOME_NON_FINITE);
    cr_expect_eq(results[0].binding, layer.seeds[0].binding);
    cr_expect_eq(results[1].seed, 2);
    cr_expect_eq(results[1].outcome, KAS_OUTCOME_OK);
    cr_expect_eq(results[1].layer_uid, 1);
    kas_exec_stats stats;
    cr_assert(kas_exec_layer_stats(w->exec, 1, &stats));
    cr_expect_eq(stats.kernel_executions, 2);
    cr_expect_eq(stats.kernel_failures, 1);
    exec_world_close(w);
}

Test(exec_rows, a_row_that_is_not_finite_counts_against_nobody)
{
    exec_world *w = exec_world_open(NULL, NULL);
    kas_published_layer layer = a_layer("a", 1, make_product(w, 2, 0));
    add_seed(&layer, 0, make_affine(w, 6, 0), 0.5f);
    publish(w, &layer);
    probe clean, p;
    probe_init(&clean, "a", 5, 4);
    probe_init(&p, "a", 5, 4);
    p.x[2 * FEATURES] = NAN;
    p.x[3 * FEATURES + 1] = INFINITY;
    probe_ok(w, &clean);
    probe_ok(w, &p);
    cr_expect_eq(p.result.seeds_failed, 0);
    cr_expect_eq(p.result.rows_failed, 0);
    cr_expect(isnan(p.y[2 * FEATURES]));
    cr_expect_not(isfinite(p.y[3 * FEATURES + 1]));
    expect_same_bits(&p, 0, &clean, 0);
    expect_same_bits(&p, 1, &clean, 1);
    expect_same_bits(&p, 4, &clean, 4);
    exec_world_close(w);
}

/* ---- fossils ---- */

static double fossils_in_order(double x) /* ½(¾·2x + ¼·6x) + ½(3 − x) */
{
    return 0.5 * (0.75 * 2 * x + 0.25 * 6 * x) + 0.5 * (3 - x);
}

static double seed_over_fossil(double x) /* ½·6x + ½(½·2x + ½·√x) */
{
    return 0.5 * 6 * x + 0.5 * (x + 0.5 * sqrt(x));
}

static double seed_over_failed_fossil(double x) /* ½·6x + ½·2x */
{
    return 4 * x;
}

static void check_fossils(exec_world *w, make_base_fn make_base)
{
    kas_resource base = make_base(w, 2, 0);
    kas_published_layer layer = a_layer("a", 1, base);
    add_fossil(&layer, 0, make_affine(w, 6, 0), 0.25f);
    add_fossil(&layer, 1, make_affine(w, -1, 3), 0.5f);
    publish(w, &layer);
    probe p;
    probe_init(&p, "a", 7, 1);
    probe_ok(w, &p);
    for (uint32_t r = 0; r < 7; ++r)
        expect_row(&p, r, fossils_in_order);
    cr_expect_eq(p.result.seeds_used, 0);
}

Test(exec_rows, fossils_are_blended_in_their_order)
{
    for (int b = 0; b < 2; ++b) {
        exec_world *w = exec_world_open(NULL, NULL);
        check_fossils(w, bases[b]);
        exec_world_close(w);
    }
}

Test(exec_rows, a_fossil_that_fails_on_a_row_is_masked_there_and_reported)
{
    exec_world *w = exec_world_open(NULL, NULL);
    kas_published_layer layer = a_layer("a", 1, make_product(w, 2, 0));
    kas_resource root = make_sqrt(w);
    add_fossil(&layer, 7, root, 0.5f);
    add_seed(&layer, 0, make_affine(w, 6, 0), 0.5f);
    publish(w, &layer);
    probe p;
    probe_init(&p, "a", 8, 1);
    probe_ok(w, &p);
    for (uint32_t r = 0; r < 8; ++r)
        expect_row(&p, r, r % 2 ? seed_over_failed_fossil : seed_over_fossil);
    cr_expect_eq(p.result.rows_failed, 4);
    cr_expect_eq(p.result.seeds_failed, 0, "fossils are not among the seeds");
    kas_pass_result results[4];
    cr_assert_eq(take_results(w, results, 4), 2);
    cr_expect_eq(results[1].seed, 7);
    cr_expect_eq(results[1].binding, root);
    cr_expect_eq(results[1].outcome, KAS_OUTCOME_NON_FINITE);
    exec_world_close(w);
}

/* ---- more rows than a submission holds ---- */

Test(exec_rows, a_pass_in_several_submissions_has_the_same_bits)
{
    enum { ROWS = 23 };
    static const uint32_t limits[] = {1, 4, 22, 23};
    exec_world *whole = exec_world_open(NULL, NULL);
    kas_published_layer layer = half_failing(whole, make_product);
    publish(whole, &layer);
    probe want, p;
    probe_init(&want, "a", ROWS, 5);
    probe_ok(whole, &want);
    exec_world_close(whole);
    for (size_t i = 0; i < sizeof limits / sizeof *limits; ++i) {
        exec_world *w = exec_world_open(NULL, &(kas_exec_options){.rows_max = limits[i]});
        layer = half_failing(w, make_product);
        publish(w, &layer);
        probe_init(&p, "a", ROWS, 5);
        probe_ok(w, &p);
        expect_half_failed(&p, ROWS);
        for (uint32_t r = 0; r < ROWS; ++r)
            expect_same_bits(&p, r, &want, r);
        exec_world_close(w);
    }
}

Test(exec_rows, dormant_passes_are_split_too)
{
    exec_world *w = exec_world_open(NULL, &(kas_exec_options){.rows_max = 5});
    kas_published_layer layer = a_layer("a", 1, make_product(w, 2, 0));
    publish(w, &layer);
    probe p;
    probe_init(&p, "a", 33, 5);
    probe_ok(w, &p);
    share.base = 1;
    share.first = share.second = share.root = 0;
    for (uint32_t r = 0; r < 33; ++r)
        expect_row(&p, r, shared);
    cr_expect_eq(p.failed_rows[32], 0);
    exec_world_close(w);
}
