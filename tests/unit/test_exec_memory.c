/* Memory that runs out, and memory that is held: every allocation fails in turn, arenas grow with plans and
 * never with passes. */
#include <criterion/criterion.h>

#include "base/alloc.h"
#include "engine/exec/executor.h"
#include "engine/exec/plan.h"
#include "tests/unit/exec_world.h"
#include "tests/unit/graph_fixture.h"

TestSuite(exec_memory, .fini = expect_no_leaks);

Test(exec_memory, creation)
{
    for (uint64_t nth = 1;; ++nth) {
        kas_exec *exec = NULL;
        kas_alloc_fail_at(nth);
        kas_status status = kas_exec_create(&(kas_exec_options){.contexts = 2, .runners = 1}, &exec);
        kas_alloc_fail_at(0);
        if (!status) {
            cr_expect_geq(nth, 5);
            kas_exec_destroy(exec);
            return;
        }
        expect_failure(status, KAS_OUT_OF_MEMORY, "out of memory");
    }
}

static kas_published_layer rich_layer(exec_world *w)
{
    kas_published_layer layer = a_layer("a", 1, make_product(w, 2, 0));
    add_fossil(&layer, 0, make_sqrt(w), 0.5f);
    add_seed(&layer, 1, make_affine(w, 6, 0), 0.5f);
    add_ramp(&layer, 2, make_network(w, 1), 1, 10);
    return layer;
}

static size_t used_bytes(const exec_world *w)
{
    kas_device_info info;
    kas_device_get_info(w->device, &info);
    return info.memory_used_bytes;
}

/* Composes with the n-th allocation failing, from a fresh executor each time so that nothing is there
 * already. */
Test(exec_memory, composing_and_publishing)
{
    for (uint64_t nth = 1;; ++nth) {
        exec_world *w = exec_world_open(NULL, &(kas_exec_options){.contexts = 2, .runners = 1});
        kas_published_layer layer = rich_layer(w);
        size_t before = used_bytes(w);
        kas_plan *plan = NULL;
        kas_alloc_fail_at(nth);
        kas_status status = compose(w, &layer, &plan);
        if (!status) status = kas_exec_publish(w->exec, 1, &plan, 1, NULL, 0);
        kas_alloc_fail_at(0);
        if (!status) {
            cr_expect_gt(nth, 20);
            exec_world_close(w);
            return;
        }
        expect_failure(status, KAS_OUT_OF_MEMORY, "out");
        kas_plan_destroy(plan);
        cr_expect_eq(used_bytes(w), before, "allocation %d", (int)nth);
        probe p;
        probe_init(&p, "a", 1, 1);
        expect_failure(probe_run(w, &p), KAS_NOT_FOUND, "no layer a");
        publish(w, &layer); /* the next attempt succeeds */
        probe_ok(w, &p);
        exec_world_close(w);
    }
}

Test(exec_memory, a_pass_allocates_nothing)
{
    exec_world *w = exec_world_open(NULL, NULL);
    kas_published_layer layer = rich_layer(w);
    publish(w, &layer);
    probe p;
    probe_init(&p, "a", 20, 1);
    probe_ok(w, &p); /* queues have grown to what they need */
    uint64_t before = kas_alloc_count();
    for (int i = 0; i < 10; ++i)
        probe_ok(w, &p);
    cr_expect_eq(kas_alloc_count(), before);
    exec_world_close(w);
}

static void count_ended(void *user, kas_status status)
{
    (void)user;
    kas_status_free(status);
}

Test(exec_memory, submitting)
{
    exec_world *w = exec_world_open(NULL, NULL);
    kas_published_layer layer = rich_layer(w);
    publish(w, &layer);
    probe p;
    probe_init(&p, "a", 1, 1);
    kas_alloc_fail_at(1);
    kas_status status = kas_exec_submit(w->exec, &p.request, &p.result, count_ended, NULL);
    kas_alloc_fail_at(0);
    expect_failure(status, KAS_OUT_OF_MEMORY, "out of memory");
    exec_world_close(w);
}

/* ---- arenas ---- */

static size_t pool_count(const exec_world *w)
{
    size_t count = 0;
    for (const kas_workspace_pool *pool = w->exec->pools; pool; pool = pool->next)
        ++count;
    return count;
}

Test(exec_memory, arenas_are_shared_and_grow_with_plans)
{
    exec_world *w = exec_world_open(NULL, NULL);
    kas_resource base = make_product(w, 2, 0);
    kas_published_layer small = a_layer("small", 1, base), large = a_layer("large", 2, base);
    for (uint32_t seed = 0; seed < 16; ++seed)
        add_seed(&large, seed, make_affine(w, 1, (float)seed), 0.0625f);
    publish(w, &small);
    size_t with_small = used_bytes(w);
    cr_expect_eq(pool_count(w), 1);
    publish(w, &small);
    (void)kas_exec_reclaim(w->exec);
    cr_expect_eq(used_bytes(w), with_small, "the same plan again takes nothing");
    publish(w, &large);
    size_t with_large = used_bytes(w);
    cr_expect_eq(pool_count(w), 2);
    cr_expect_gt(with_large, with_small);
    publish(w, &large);
    (void)kas_exec_reclaim(w->exec);
    cr_expect_eq(used_bytes(w), with_large);
    unpublish(w, 2);
    (void)kas_exec_reclaim(w->exec);
    cr_expect_eq(used_bytes(w), with_small, "and is given back with its last plan");
    exec_world_close(w);
}

/* Bytes of one arena of a plan are bounded however many rows and seeds it has. */
Test(exec_memory, rows_of_a_submission_are_reduced_until_the_arena_is_bounded)
{
    exec_world *w = exec_world_open(NULL, &(kas_exec_options){.contexts = 1, .rows_max = 1 << 20});
    kas_resource base = make_product(w, 2, 0), kernel = make_affine(w, 6, 0);
    kas_published_layer layer = a_layer("a", 1, base);
    for (uint32_t seed = 0; seed < KAS_MAX_SEEDS; ++seed)
        add_seed(&layer, seed, kernel, 1.0f / KAS_MAX_SEEDS);
    kas_plan *plan;
    ok(compose(w, &layer, &plan));
    cr_expect_geq(plan->layout.rows, 1);
    cr_expect_leq(plan->layout.total_bytes, 40u << 20);
    kas_plan_destroy(plan);
    exec_world_close(w);
}
