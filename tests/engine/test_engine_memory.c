/* The whole engine on one thread, with each allocation of each change failing in turn: a change is made or
 * refused for want of memory, what is published stays right, and asked again it is made. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "engine/control/engine.h"
#include "tests/engine/engine_world.h"
#include "tests/unit/graph_fixture.h"

TestSuite(engine_memory, .fini = expect_no_leaks);

/* ---- an environment that runs tasks when it is told to, under a clock of its own ---- */

typedef struct lone_world {
    int64_t now_ns;
    kas_task *first, *last;
} lone_world;

static int64_t lone_now(void *self)
{
    return ((lone_world *)self)->now_ns;
}

static void lone_post(void *self, kas_task *task)
{
    lone_world *world = self;
    task->next = NULL;
    if (world->last)
        world->last->next = task;
    else
        world->first = task;
    world->last = task;
}

static bool lone_help(void *self)
{
    lone_world *world = self;
    kas_task *task = world->first;
    if (!task) return false;
    world->first = task->next;
    if (!world->first) world->last = NULL;
    task->run(task);
    return true;
}

static kas_engine *open_lone(lone_world *world)
{
    const kas_env env = {.monotonic_ns = lone_now,
                         .wall_ns = lone_now,
                         .post = lone_post,
                         .help = lone_help,
                         .files = &kas_os_files,
                         .self = world};
    const kas_engine_options options = {.size = sizeof options, .device = "host:0", .threads = 1};
    kas_engine *engine;
    *world = (lone_world){.now_ns = KAS_NS_PER_S};
    ok(kas_engine_create_in(&options, &env, &engine));
    return engine;
}

/* Steps until nothing is left to do at once. */
static void settle(kas_engine *engine, lone_world *world)
{
    for (int idle = 0; idle < 3;) {
        (void)kas_control_step(engine);
        idle = lone_help(world) ? 0 : idle + 1;
        world->now_ns += KAS_RETRY_NS;
    }
}

/* ---- changes ---- */

typedef struct outcome {
    bool answered;
    kas_code code;
} outcome;

static void note(void *user, kas_status status, const kas_reply *reply)
{
    (void)reply;
    outcome *to = user;
    cr_assert_not(to->answered, "answered twice");
    *to = (outcome){.answered = true, .code = kas_status_code(status)};
    kas_status_free(status);
}

/* Every change is answered, whatever fails. */
static kas_code ask(kas_engine *engine, lone_world *world, const kas_request *request)
{
    outcome got = {0};
    kas_status status = kas_engine_submit(engine, request, note, &got);
    if (status) {
        kas_code code = kas_status_code(status);
        kas_status_free(status);
        return code;
    }
    settle(engine, world);
    cr_assert(got.answered);
    return got.code;
}

typedef struct story { /* what the requests borrow */
    artifact_bytes triple, plus, net, weights;
} story;

enum { STORY_LENGTH = 11 };

/* The k-th change of a life: each needs those before it. */
static kas_request change(const story *s, unsigned k)
{
    const artifact_bytes *puts[] = {&s->triple, &s->plus, &s->net};
    static const char *const ids[] = {"triple", "plus", "net"};
    kas_request request = request_of(KAS_REQUEST_LOAD, "a", k % 3);
    switch (k) {
    case 0:
        request.kind = KAS_REQUEST_CREATE_LAYER;
        request.create_layer.layer_id = -1;
        request.create_layer.input_size = request.create_layer.output_size = FEATURES;
        request.create_layer.num_seeds = 3;
        request.create_layer.bias = true;
        break;
    case 1:
        request.kind = KAS_REQUEST_SET_WEIGHTS;
        request.set_weights.bytes = s->weights.bytes;
        request.set_weights.size_bytes = s->weights.size;
        break;
    case 2:
    case 3:
    case 4:
        request.kind = KAS_REQUEST_PUT_KERNEL;
        request.artifact_id = ids[k - 2];
        request.put_kernel.bytes = puts[k - 2]->bytes;
        request.put_kernel.size_bytes = puts[k - 2]->size;
        break;
    case 5:
    case 6:
        request.seed = k - 5;
        request.artifact_id = ids[k - 5];
        request.has_alpha = true;
        request.alpha = 0.25f;
        break;
    case 7:
        request.kind = KAS_REQUEST_SET_ALPHA;
        request.seed = 1;
        request.has_alpha = true;
        request.alpha = 0.5f;
        break;
    case 8: /* folded: affine */
        request.kind = KAS_REQUEST_FOSSILIZE;
        request.seed = 0;
        break;
    case 9:
        request.kind = KAS_REQUEST_UNLOAD;
        request.seed = 1;
        request.at_epoch = 4;
        break;
    default:
        request.kind = KAS_REQUEST_ADVANCE_EPOCH;
        request.advance.epoch = 4;
        break;
    }
    return request;
}

/* scale·x + shift after the first k changes. */
static void expected_line(unsigned k, double *scale, double *shift)
{
    static const double lines[STORY_LENGTH + 1][2] = {
        [2] = {1, 0},   [3] = {1, 0},   [4] = {1, 0},   [5] = {1, 0},    [6] = {1.5, 0},
        [7] = {1.5, 1}, [8] = {1.5, 2}, [9] = {1.5, 2}, [10] = {1.5, 2}, [11] = {2, 0}};
    *scale = lines[k][0];
    *shift = lines[k][1];
}

static void expect_story(kas_engine *engine, unsigned k)
{
    double scale, shift;
    expected_line(k, &scale, &shift);
    if (k >= 2) expect_line(engine, "a", scale, shift);
}

/* A load is accepted at once; it may fail for want of memory afterwards. */
static bool load_failed(kas_engine *engine, unsigned k)
{
    return (k == 5 || k == 6) && seed_of(engine, "a", k - 5).lifecycle_state != KAS_SEED_ACTIVE;
}

/* True while an allocation of change k was still there to fail. */
static bool fail_once(const story *s, unsigned k, uint64_t nth)
{
    lone_world world;
    kas_engine *engine = open_lone(&world);
    for (unsigned i = 0; i < k; ++i) {
        kas_request before = change(s, i);
        cr_assert_eq(ask(engine, &world, &before), KAS_OK);
    }
    kas_request request = change(s, k);
    uint64_t asked = kas_alloc_count();
    kas_alloc_fail_at(nth);
    kas_code code = ask(engine, &world, &request);
    bool fired = kas_alloc_count() - asked >= nth;
    kas_alloc_fail_at(0);
    cr_assert(code == KAS_OK || code == KAS_OUT_OF_MEMORY, "change %u, allocation %d: %s", k, (int)nth,
              kas_code_name(code));
    settle(engine, &world);
    if (code || load_failed(engine, k)) {
        expect_story(engine, k);
        cr_assert_eq(ask(engine, &world, &request), KAS_OK, "change %u again, allocation %d", k, (int)nth);
    }
    expect_story(engine, k + 1);
    kas_engine_destroy(engine);
    return fired;
}

Test(engine_memory, each_allocation_of_each_change, .timeout = 100)
{
    kas_log_set_level(KAS_LOG_CRITICAL); /* memory is out hundreds of times */
    story s = {.triple = onnx_product(FEATURES, 3, 0),
               .plus = onnx_product(FEATURES, 1, 4),
               .net = onnx_network(FEATURES, 5, 1),
               .weights = safetensors_weights(FEATURES, 1, 0, 1)};
    for (unsigned k = 0; k < STORY_LENGTH; ++k) {
        uint64_t nth = 1;
        while (fail_once(&s, k, nth))
            ++nth;
        cr_expect_gt(nth, 2, "change %u", k);
    }
    free(s.triple.bytes);
    free(s.plus.bytes);
    free(s.net.bytes);
    free(s.weights.bytes);
}

Test(engine_memory, creation)
{
    for (uint64_t nth = 1;; ++nth) {
        const kas_engine_options options = {
            .size = sizeof options, .device = "host:0", .threads = 1, .loaders = 1};
        kas_engine *engine;
        kas_alloc_fail_at(nth);
        kas_status status = kas_engine_create(&options, &engine);
        kas_alloc_fail_at(0);
        if (!status) {
            cr_expect_gt(nth, 10);
            kas_engine_destroy(engine);
            return;
        }
        expect_failure(status, KAS_OUT_OF_MEMORY, "out");
    }
}
