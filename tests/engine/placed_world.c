#include "tests/engine/placed_world.h"

#include <criterion/criterion.h>
#include <sched.h>
#include <string.h>

#include "engine/control/engine.h"
#include "engine/exec/executor.h"

two_devices devices;

kas_engine *open_two(const kas_engine_options *given)
{
    kas_engine_options options = given ? *given : (kas_engine_options){0};
    const kas_env env = {.devices = &devices.source};
    kas_engine *engine;
    two_devices_init(&devices);
    options.size = sizeof options;
    options.device = "host:0";
    ok(kas_engine_create_in(&options, &env, &engine));
    for (uint64_t k = 0; k < 3; ++k)
        put_kernel(engine, (const char *[]){"k0", "k1", "k2"}[k], onnx_network(FEATURES, 11, k));
    put_kernel(engine, "line", onnx_product(FEATURES, 2, 1));
    return engine;
}

kas_engine *open_with_layer(void)
{
    kas_engine *engine = open_two(NULL);
    create_layer(engine, "a", 4, 1.5f, 0.25f);
    load(engine, "a", 0, "k0", 0.25f);
    load(engine, "a", 1, "k1", 0.5f);
    return engine;
}

kas_status try_move(kas_engine *engine, const char *device)
{
    kas_request request = request_of(KAS_REQUEST_MOVE_LAYER, "a", 0);
    request.move_layer.device = device;
    kas_reply reply = {.size = sizeof reply};
    KAS_TRY(kas_engine_call(engine, &request, &reply));
    return reply.finished ? NULL : kas_engine_wait_operation(engine, reply.operation, 0);
}

void move(kas_engine *engine, const char *device)
{
    ok(try_move(engine, device));
    cr_assert_str_eq(layer_of(engine, "a").device, device);
}

void wait_for_device(kas_engine *engine, const char *device)
{
    while (strcmp(layer_of(engine, "a").device, device) != 0)
        sched_yield();
}

kas_status try_replicate(kas_engine *engine, const char *device) /* NULL: none */
{
    kas_request request = request_of(KAS_REQUEST_SET_REPLICAS, "a", 0);
    if (device) request.set_replicas.replicas = (kas_device_names){.count = 1, .names = {device}};
    kas_reply reply = {.size = sizeof reply};
    KAS_TRY(kas_engine_call(engine, &request, &reply));
    return reply.operation ? kas_engine_wait_operation(engine, reply.operation, 0) : NULL;
}

/* Until the replica has what the layer got last. */
void wait_ready(kas_engine *engine)
{
    for (;;) {
        kas_layer_info layer = layer_of(engine, "a");
        cr_assert_eq(layer.replica_count, 1, "the replica was dropped");
        if (layer.replicas[0].ready) break;
        sched_yield();
    }
    kas_request request = request_of(KAS_REQUEST_SET_SERVING, "a", 0);
    request.set_serving.serving = true;
    must_call(engine, &request); /* behind the publication that this came with */
}

void replicate(kas_engine *engine, const char *device)
{
    ok(try_replicate(engine, device));
    wait_ready(engine);
    cr_assert_str_eq(layer_of(engine, "a").replicas[0].device, device);
}

kas_plan *plan_on(kas_engine *engine, const char *device)
{
    const kas_root *root = atomic_load(&engine->exec->publication.root);
    for (size_t at = 0; at <= root->mask; ++at)
        for (kas_plan *plan = root->table[at].plan; plan; plan = plan->next_replica)
            if (!strcmp(kas_device_id(plan->set->device), device)) return plan;
    return NULL;
}

void set_in_flight(kas_engine *engine, const char *device, uint64_t rows)
{
    const kas_plan *plan = plan_on(engine, device);
    cr_assert_not_null(plan, "no plan on %s", device);
    atomic_store(&plan->record->rows_in_flight[plan->set->index], rows);
}

kas_health health_of(kas_engine *engine)
{
    kas_health health = {.size = sizeof health};
    kas_engine_health(engine, &health);
    return health;
}

size_t used_of_remote(kas_engine *engine)
{
    kas_device_report reports[3];
    cr_assert_eq(kas_engine_list_devices(engine, reports, 3), 3);
    cr_assert_str_eq(reports[1].id, "remote:0");
    return reports[1].memory_used_bytes;
}

void expect_same(const pass_result *a, const pass_result *b)
{
    cr_assert_null(a->status, "%s", kas_status_message(a->status));
    cr_assert_null(b->status, "%s", kas_status_message(b->status));
    cr_expect_eq(memcmp(a->y, b->y, sizeof a->y), 0, "other bits");
}

void expect_no_failed_calls(kas_engine *engine)
{
    kas_layer_stats stats = {.size = sizeof stats};
    ok(kas_engine_layer_stats(engine, "a", &stats));
    cr_expect_eq(stats.failed_calls, 0);
}

/* ---- traffic ---- */

static void *ask(void *user)
{
    traffic *all = user;
    uint64_t generation = 0;
    while (!atomic_load(&all->over)) {
        pass_result given = run_pass(all->engine, "a", PROBE_ROWS, 1);
        kas_code code = kas_status_code(given.status);
        bool right = code == KAS_OK && memcmp(given.y, all->expected.y, sizeof given.y) == 0 &&
                     given.result.generation >= generation;
        bool hung = code == KAS_DEADLINE || (code == KAS_OK && given.result.seeds_failed);
        generation = given.result.generation;
        kas_status_free(given.status);
        atomic_fetch_add(&all->wrong, !right && !(hung && atomic_load(&all->may_hang)));
        atomic_fetch_add(&all->answers, 1);
    }
    return NULL;
}

void traffic_start(traffic *all, kas_engine *engine)
{
    all->engine = engine;
    all->expected = run_pass(engine, "a", PROBE_ROWS, 1);
    all->over = false;
    all->answers = all->wrong = 0;
    for (int i = 0; i < CLIENTS; ++i)
        cr_assert_eq(pthread_create(&all->clients[i], NULL, ask, all), 0);
}

void traffic_wait(traffic *all, unsigned answers)
{
    unsigned until = atomic_load(&all->answers) + answers;
    while (atomic_load(&all->answers) < until)
        sched_yield();
}

void traffic_stop(traffic *all)
{
    atomic_store(&all->over, true);
    for (int i = 0; i < CLIENTS; ++i)
        pthread_join(all->clients[i], NULL);
    cr_expect_eq(atomic_load(&all->wrong), 0);
}
