/* The environment of the engine, and a run in it. */
#include "tests/sim/engine/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends/core/fault.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "tests/unit/remote_device.h"

enum { IDLE_ROUNDS = 4000 };

const char *const es_layer_names[ES_LAYERS] = {"alpha", "beta"};

const char *es_id(int id)
{
    static const char *const ids[ES_IDS] = {"a0", "a1", "a2", "a3", "a4", "a5",
                                            "a6", "a7", "u0", "u1", "u2", "u3"};
    return ids[id];
}

/* ---- what happens ---- */

void es_note(es *w, const void *bytes, size_t size_bytes)
{
    unsigned char block[sizeof w->history.bytes + 64];
    size_t taken = size_bytes < 64 ? size_bytes : 64;
    memcpy(block, w->history.bytes, sizeof w->history.bytes);
    memcpy(block + sizeof w->history.bytes, bytes, taken);
    w->history = kas_sha256_of(block, sizeof w->history.bytes + taken);
}

void es_trace(es *w, const char *format, ...)
{
    if (!w->verbose) return;
    printf("%5u %10.3f ms  ", w->step, (double)w->now_ns / 1e6);
    va_list arguments;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
}

void es_fail(es *w, const char *format, ...)
{
    fflush(stdout);
    fprintf(stderr, "seed %llu, step %u: ", (unsigned long long)w->seed, w->step);
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\nreplay: kas_sim_engine --seed %llu --runs 1 --steps %u --verbose\n",
            (unsigned long long)w->seed, w->steps);
    fflush(stderr);
    _exit(1); /* not exit: what is allocated now is no leak */
}

/* ---- the environment ---- */

static int64_t virtual_monotonic_ns(void *self)
{
    return ((es *)self)->now_ns;
}

static int64_t virtual_wall_ns(void *self)
{
    return ((es *)self)->now_ns + 1700000000 * KAS_NS_PER_S;
}

static void post(void *self, kas_task *task)
{
    es *w = self;
    ES_REQUIRE(w, w->task_count < ES_TASKS, "too many tasks are posted");
    w->tasks[w->task_count++] = task;
}

/* Any of those that wait. */
static bool run_task(void *self)
{
    es *w = self;
    if (!w->task_count) return false;
    uint32_t at = es_below(w, w->task_count);
    kas_task *task = w->tasks[at];
    w->tasks[at] = w->tasks[--w->task_count];
    es_memory_may_fail(w);
    es_device_may_fail(w);
    task->run(task);
    (void)es_device_is_fine();
    es_memory_is_fine();
    return true;
}

void es_memory_may_fail(es *w)
{
    if (w->calm) return;
    if (es_chance(w, w->memory_percent)) kas_alloc_fail_at(1 + es_below(w, 40));
    if (es_chance(w, w->memory_percent))
        kas_fault_arm(KAS_FAULT_ALLOCATION, 1 + es_below(w, 3), KAS_OUT_OF_MEMORY);
}

void es_memory_is_fine(void)
{
    kas_alloc_fail_at(0);
    kas_fault_arm(KAS_FAULT_ALLOCATION, 0, KAS_OK);
}

void es_device_may_fail(es *w)
{
    if (!w->calm && es_chance(w, w->device_percent))
        kas_fault_arm(es_chance(w, 50) ? KAS_FAULT_SUBMISSION : KAS_FAULT_WAIT, 1 + es_below(w, 2), KAS_IO);
}

bool es_device_is_fine(void)
{
    bool failed = kas_fault_fired(KAS_FAULT_SUBMISSION) || kas_fault_fired(KAS_FAULT_WAIT);
    kas_fault_arm(KAS_FAULT_SUBMISSION, 0, KAS_OK);
    kas_fault_arm(KAS_FAULT_WAIT, 0, KAS_OK);
    return failed;
}

static void open_engine(es *w, kas_files *files)
{
    const kas_engine_options options = {.size = sizeof options,
                                        .data_dir = "/data",
                                        .artifact_dir = "/registry",
                                        .device = w->automatic ? NULL : "host:0",
                                        .threads = 1,
                                        .cache_entries = 3 + (uint32_t)(w->seed % 5)};
    const kas_env env = {.monotonic_ns = virtual_monotonic_ns,
                         .wall_ns = virtual_wall_ns,
                         .post = post,
                         .help = run_task,
                         .files = files,
                         .devices = &w->devices.source,
                         .self = w};
    kas_status status = kas_engine_create_in(&options, &env, &w->engine);
    ES_REQUIRE(w, !status, "%s", kas_status_message(status));
    es_note_bound(w);
}

/* ---- stepping ---- */

static void step_control(es *w)
{
    es_memory_may_fail(w);
    (void)kas_control_step(w->engine);
    es_memory_is_fine();
    kas_status status = kas_state_check(w->engine->state);
    ES_REQUIRE(w, !status, "%s", kas_status_message(status));
    es_note_views(w);
}

/* What the other device has room for: nothing, some, or all. */
static void change_room(es *w)
{
    if (w->calm || !es_chance(w, 5)) return;
    remote_device_set_room(es_chance(w, 50) ? SIZE_MAX : (size_t)es_below(w, 2048) << 10);
}

static void pass_time(es *w)
{
    if (es_chance(w, 70))
        w->now_ns += es_below(w, 8) * KAS_NS_PER_MS;
    else if (es_chance(w, 10))
        w->now_ns += es_below(w, 40) * KAS_NS_PER_S;
}

static void step(es *w)
{
    uint32_t which = es_below(w, 100);
    pass_time(w);
    change_room(w);
    if (which < 25)
        es_ask(w);
    else if (which < 45)
        (void)run_task(w);
    else if (which < 75)
        step_control(w);
    else
        es_pass(w);
}

/* Until nothing is owed to anybody. */
static void come_to_rest(es *w)
{
    const kas_control *control = &w->engine->control;
    int quiet = 0;
    for (int round = 0; quiet < 3; ++round) {
        ES_REQUIRE(w, round < IDLE_ROUNDS, "the engine does not come to rest: %u tasks, %u requests wait",
                   control->tasks, es_waiting(w));
        bool ran = run_task(w);
        w->now_ns += 11 * KAS_NS_PER_MS; /* what is done a little later is due */
        step_control(w);
        bool busy = ran || control->tasks || control->inbox || w->engine->mailbox.first ||
                    control->carried != control->effects.count || es_waiting(w);
        quiet = busy ? 0 : quiet + 1;
    }
}

/* ---- the end ---- */

static void check_operations(es *w)
{
    kas_operation_info info;
    for (uint64_t after = 0; kas_engine_list_operations(w->engine, after, &info, 1); after = info.id)
        ES_REQUIRE(w, info.state >= KAS_OPERATION_SUCCEEDED, "operation %llu never ends",
                   (unsigned long long)info.id);
}

/* What is in the table of resources is what the state has: nothing more, nothing less. */
static void check_resources(es *w)
{
    kas_cache_stats cache;
    kas_state_cache_stats(w->engine->state, &cache);
    size_t expected = cache.entries;
    for (int i = 0; i < ES_LAYERS; ++i) {
        kas_published_layer layer;
        if (!w->layers[i].uid || !kas_state_published(w->engine->state, w->layers[i].uid, &layer)) continue;
        expected += layer.folded_fossils ? 2 : 1;
        for (uint32_t next = 0; kas_state_replica(w->engine->state, w->layers[i].uid, next, &layer, &next);)
            ++expected;
    }
    ES_REQUIRE(w, w->engine->held.count == expected, "%zu resources are held, but the state has %zu",
               w->engine->held.count, expected);
}

static void check_uploads(es *w)
{
    for (int i = 0; i < ES_UPLOAD_IDS; ++i) {
        kas_sha256 checksum;
        kas_bytes bytes;
        if (w->uploaded[i] < 0) continue;
        ES_REQUIRE(w,
                   kas_state_binding(w->engine->state, es_id(ES_REGISTRY_IDS + i), &checksum) &&
                       kas_sha256_equal(&checksum, &w->checksums[w->uploaded[i]]),
                   "the upload of %s was acknowledged and is lost", es_id(ES_REGISTRY_IDS + i));
        kas_status status = kas_disk_tier_read(w->engine->disk, &checksum, SIZE_MAX, &bytes);
        ES_REQUIRE(w, !status, "the bytes of %s are lost: %s", es_id(ES_REGISTRY_IDS + i),
                   kas_status_message(status));
        kas_bytes_free(&bytes);
    }
}

/* All layers and kernels go, and with them every resource. */
static void empty_engine(es *w)
{
    while (es_ask_to_go(w))
        come_to_rest(w);
    come_to_rest(w);
    check_resources(w);
    ES_REQUIRE(w, w->engine->held.count == 0, "%zu resources are never given back", w->engine->held.count);
}

static void close_engine(es *w)
{
    kas_engine_destroy(w->engine);
    w->engine = NULL;
    memset(w->layers, 0, sizeof w->layers);
    w->last_operation = 0;
    ES_REQUIRE(w, es_waiting(w) == 0, "%u requests are never answered", es_waiting(w));
    ES_REQUIRE(w, w->watchers == 0, "%u who watch operations are never told", w->watchers);
    ES_REQUIRE(w, w->task_count == 0, "%u tasks are never run", w->task_count);
}

/* ---- a run ---- */

static void live(es *w, uint32_t steps)
{
    es_ask_for_layers(w);
    come_to_rest(w);
    w->calm = false;
    for (uint32_t end = w->step + steps; w->step < end;) {
        ++w->step;
        step(w);
    }
    w->calm = true;
    remote_device_set_room(SIZE_MAX);
}

static void finish(es *w)
{
    for (int i = 0; i < ES_CONTENTS; ++i)
        free(w->contents[i].bytes);
    es_disk_finish(w);
}

es_outcome es_run(uint64_t seed, uint32_t steps, bool verbose)
{
    static es whole; /* large; one run at a time */
    es *w = &whole;
    *w = (es){.seed = seed, .steps = steps, .verbose = verbose, .calm = true, .now_ns = KAS_NS_PER_S};
    w->rng = kas_rng_make(seed, 2);
    w->fault_percent = es_chance(w, 50) ? 10 : 0;
    w->memory_percent = es_chance(w, 50) ? 10 : 0;
    w->device_percent = es_chance(w, 50) ? 10 : 0;
    kas_files files = es_disk(w);
    two_devices_init(&w->devices);
    w->automatic = es_chance(w, 50);
    es_make_contents(w);
    open_engine(w, &files);
    live(w, steps / 2);
    if (es_chance(w, 50)) come_to_rest(w); /* else it ends in the middle of everything */
    close_engine(w);
    es_trace(w, "the engine starts again");
    open_engine(w, &files);
    check_uploads(w);
    live(w, steps - steps / 2);
    come_to_rest(w);
    check_operations(w);
    empty_engine(w);
    close_engine(w);
    finish(w);
    return (es_outcome){.history = w->history, .passes = w->passes};
}
