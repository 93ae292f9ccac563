/* Whole passes, through an executor, on one device: the same bits whether the device gets them at once or in
 * the smallest pieces that there are. Run once for each device. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "engine/exec/plan.h"
#include "tests/unit/exec_world.h"

TestSuite(passes, .timeout = 60);

enum { ROWS = PROBE_ROWS };

static exec_world *open_world(void)
{
    const char *id = getenv("KASMINA_TEST_DEVICES");
    kas_device *device;
    kas_status status = kas_device_open(id ? id : "host:0", &device);
    if (kas_status_code(status) == KAS_NOT_FOUND) {
        kas_status_free(status);
        cr_skip_test("no %s on this machine", id);
    }
    ok(status);
    return exec_world_open(device, NULL);
}

static void expect_same(exec_world *w)
{
    probe whole, cut;
    probe_init(&whole, "a", ROWS, 1);
    probe_init(&cut, "a", ROWS, 1);
    kas_use_piece_ns(KAS_PIECE_NS);
    probe_ok(w, &whole);
    kas_use_piece_ns(1);
    probe_ok(w, &cut);
    for (uint32_t r = 0; r < ROWS; ++r)
        expect_same_bits(&cut, r, &whole, r);
    cr_expect_eq(cut.result.seeds_used, whole.result.seeds_used);
    cr_expect_eq(cut.result.seeds_failed, whole.result.seeds_failed);
    cr_expect_eq(cut.result.rows_failed, whole.result.rows_failed);
    cr_expect_arr_eq(cut.failed_rows, whole.failed_rows, sizeof whole.failed_rows);
}

Test(passes, of_the_base_alone)
{
    exec_world *w = open_world();
    kas_published_layer layer = a_layer("a", 1, make_network(w, 1));
    publish(w, &layer);
    expect_same(w);
    exec_world_close(w);
}

Test(passes, with_seeds_that_fail_on_some_rows)
{
    exec_world *w = open_world();
    kas_published_layer layer = a_layer("a", 1, make_network(w, 1));
    add_seed(&layer, 0, make_network(w, 2), 0.25f);
    add_seed(&layer, 3, make_sqrt(w), 0.25f);
    add_seed(&layer, 7, make_affine(w, 3, -1), 0.125f);
    publish(w, &layer);
    expect_same(w);
    exec_world_close(w);
}

Test(passes, with_fossils_over_a_product)
{
    exec_world *w = open_world();
    kas_published_layer layer = a_layer("a", 1, make_product(w, 2, 1));
    add_fossil(&layer, 1, make_network(w, 3), 0.5f);
    add_seed(&layer, 2, make_network(w, 4), 0.5f);
    publish(w, &layer);
    expect_same(w);
    exec_world_close(w);
}

/* What the tests above rely on: where a device knows pieces, a pass is cut by rows, but not within a tile. */
Test(passes, are_cut_by_rows)
{
    exec_world *w = open_world();
    kas_published_layer layer = a_layer("a", 1, make_network(w, 1));
    add_seed(&layer, 0, make_network(w, 2), 0.25f);
    kas_plan *plan;
    ok(compose(w, &layer, &plan));
    kas_use_piece_ns(1);
    uint32_t rows = kas_plan_rows_of_a_piece(plan, 1, ROWS);
    cr_expect_eq(rows, kas_device_get_limits(w->device)->immediate ? ROWS : LINEAR_TILE_ROWS);
    cr_expect_eq(kas_plan_rows_of_a_piece(plan, 1, 1), 1);
    kas_use_piece_ns(INT64_MAX);
    cr_expect_eq(kas_plan_rows_of_a_piece(plan, 1, ROWS), ROWS);
    kas_plan_destroy(plan);
    exec_world_close(w);
}
