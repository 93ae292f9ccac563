/* Passes that one caller asks for at once: each ends as it would alone, and those of a layer go in one batch.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "backends/core/fault.h"
#include "engine/exec/executor.h"
#include "engine/exec/forward.h"
#include "tests/unit/exec_world.h"
#include "tests/unit/graph_fixture.h"

TestSuite(exec_together, .fini = expect_no_leaks);

enum { CALLS = 70, OWN_LIMIT = 8 }; /* more than are looked at in one turn */

static probe probes[CALLS];
static kas_alpha_override given[CALLS];
static kas_forward_call calls[CALLS];

/* Layer a is 2x with √x at alpha ½ and 6x at ¼; layer b is 3x. */
static exec_world *open_two(uint32_t rows_max)
{
    exec_world *w =
        exec_world_open(NULL, &(kas_exec_options){.contexts = 1, .runners = 1, .rows_max = rows_max});
    kas_published_layer a = a_layer("a", 1, make_product(w, 2, 0)),
                        b = a_layer("b", 2, make_product(w, 3, 0));
    add_seed(&a, 0, make_sqrt(w), 0.5f);
    add_seed(&a, 1, make_affine(w, 6, 0), 0.25f);
    publish_two(w, 1, &a, &b);
    return w;
}

/* Call i, of `rows` rows; with its own alpha for seed 1 where `own`. */
static void prepare(uint32_t i, const char *layer, uint32_t rows, bool own)
{
    probe_init(&probes[i], layer, rows, i);
    memset(probes[i].y, 0xff, sizeof probes[i].y); /* as probe_run leaves what is not written */
    memset(probes[i].failed_rows, 0xff, sizeof probes[i].failed_rows);
    given[i] = (kas_alpha_override){.seed = 1, .alpha = (float)(i % OWN_LIMIT) / OWN_LIMIT};
    probes[i].request.alphas = own ? &given[i] : NULL;
    probes[i].request.alpha_count = own;
    calls[i] = (kas_forward_call){.request = &probes[i].request, .result = &probes[i].result};
}

static void expect_as_alone(exec_world *w, uint32_t i)
{
    static probe alone;
    const probe *got = &probes[i];
    cr_assert_null(calls[i].status, "call %u: %s", i, kas_status_message(calls[i].status));
    probe_init(&alone, got->request.layer, (uint32_t)got->request.input.shape[0], i);
    alone.request.alphas = got->request.alphas;
    alone.request.alpha_count = got->request.alpha_count;
    probe_ok(w, &alone);
    cr_expect_eq(memcmp(alone.y, got->y, sizeof alone.y), 0, "call %u", i);
    cr_expect_eq(memcmp(alone.failed_rows, got->failed_rows, sizeof alone.failed_rows), 0, "call %u", i);
    cr_expect_eq(alone.result.seeds_used, got->result.seeds_used);
    cr_expect_eq(alone.result.seeds_failed, got->result.seeds_failed);
    cr_expect_eq(alone.result.rows_failed, got->result.rows_failed);
    cr_expect_eq(alone.result.generation, got->result.generation);
}

Test(exec_together, each_is_as_alone)
{
    exec_world *w = open_two(64);
    kas_exec_stats stats;
    uint64_t rows = 0;
    for (uint32_t i = 0; i < CALLS; ++i) {
        prepare(i, i % 3 ? "a" : "b", 1 + i % 4, i % 3 == 1);
        if (i % 3) rows += 1 + i % 4;
    }
    kas_exec_forward_together(w->exec, calls, CALLS);
    cr_assert(kas_exec_layer_stats(w->exec, 1, &stats));
    cr_expect_eq(stats.forward_calls, CALLS - (CALLS + 2) / 3, "each counts");
    cr_expect_eq(stats.rows, rows);
    for (uint32_t i = 0; i < CALLS; ++i)
        expect_as_alone(w, i);
    exec_world_close(w);
}

Test(exec_together, those_of_a_layer_are_one_batch)
{
    exec_world *w = open_two(64);
    for (uint32_t i = 0; i < 8; ++i)
        prepare(i, "a", 1 + i % 2, i % 2);
    kas_fault_arm(KAS_FAULT_SUBMISSION, 5,
                  KAS_OUT_OF_MEMORY); /* √x, 6x, judge, blend: a second batch would hit it */
    kas_exec_forward_together(w->exec, calls, 8);
    cr_expect_not(kas_fault_fired(KAS_FAULT_SUBMISSION));
    kas_fault_arm(KAS_FAULT_SUBMISSION, 0, KAS_OK);
    for (uint32_t i = 0; i < 8; ++i)
        expect_as_alone(w, i);
    exec_world_close(w);
}

Test(exec_together, what_does_not_fit_goes_in_the_next_batch)
{
    exec_world *w = open_two(8);
    for (uint32_t i = 0; i < 12; ++i)
        prepare(i, "a", i == 5 ? 20 : 1 + i % 5, i % 2); /* one is larger than any batch */
    kas_exec_forward_together(w->exec, calls, 12);
    for (uint32_t i = 0; i < 12; ++i)
        expect_as_alone(w, i);
    exec_world_close(w);
}

Test(exec_together, who_is_refused_is_refused_alone)
{
    exec_world *w = open_two(64);
    for (uint32_t i = 0; i < 7; ++i)
        prepare(i, i == 3 ? "nobody" : "a", 2, false);
    probes[1].request.input.shape[1] = 5;
    probes[2].request.input.shape[0] = probes[2].request.output.shape[0] = 0;
    given[4].seed = 9;
    probes[4].request.alphas = &given[4];
    probes[4].request.alpha_count = 1;
    probes[5].request.size = 1;
    kas_exec_forward_together(w->exec, calls, 7);
    expect_as_alone(w, 0);
    expect_failure(calls[1].status, KAS_INVALID_ARGUMENT, "[2, 5]");
    cr_expect_null(calls[2].status, "no rows");
    expect_failure(calls[3].status, KAS_NOT_FOUND, "no layer nobody");
    expect_failure(calls[4].status, KAS_INVALID_ARGUMENT, "seed 9");
    expect_failure(calls[5].status, KAS_INVALID_ARGUMENT, "a request of 1 bytes");
    expect_as_alone(w, 6);
    exec_world_close(w);
}

Test(exec_together, a_failure_of_the_batch_is_each_ones_own)
{
    exec_world *w = open_two(64);
    for (uint32_t i = 0; i < 4; ++i)
        prepare(i, "b", 1, false);
    kas_fault_arm(KAS_FAULT_SUBMISSION, 1, KAS_DEVICE_LOST);
    kas_exec_forward_together(w->exec, calls, 4);
    for (uint32_t i = 0; i < 4; ++i)
        expect_failure(calls[i].status, KAS_DEVICE_LOST, "layer b: computing the base on host:0");
    kas_exec_stats stats;
    cr_assert(kas_exec_layer_stats(w->exec, 2, &stats));
    cr_expect_eq(stats.failed_calls, 4);
    exec_world_close(w);
}

/* Nobody goes before who has waited longer: with no context free each waits its turn. */
Test(exec_together, without_a_free_context_each_waits, .timeout = 60)
{
    exec_world *w = open_two(64);
    kas_context_set *set = NULL;
    kas_visit visit;
    cr_assert(kas_visit_begin(w->exec, "a", &set, &visit));
    prepare(0, "a", 1, false);
    prepare(1, "a", 2, false);
    probes[0].request.deadline_ns = probes[1].request.deadline_ns = 1; /* long ago */
    kas_exec_forward_together(w->exec, calls, 2);
    expect_failure(calls[0].status, KAS_DEADLINE, "while all execution contexts were busy");
    expect_failure(calls[1].status, KAS_DEADLINE, "while all execution contexts were busy");
    kas_visit_end(w->exec, &visit);
    exec_world_close(w);
}
