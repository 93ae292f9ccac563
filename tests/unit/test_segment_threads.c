/* Segments on a host with helpers, which take ranges of rows through several launches: nothing that launches
 * share may be met by two ranges at once. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "engine/graph/segment.h"
#include "tests/unit/graph_fixture.h"

enum { ROWS = 192, INPUTS = 24, OUTPUTS = 10, REPEATS = 100 };

typedef struct bench {
    kas_device *device;
    kas_queue *queue;
    kas_buffer *params, *x, *work;
} bench;

static void ok(kas_status status)
{
    cr_assert_null(status, "%s", kas_status_message(status));
}

static kas_buffer *buffer_of(bench *b, size_t size_bytes)
{
    kas_buffer *buffer;
    ok(kas_buffer_create(b->device, size_bytes, "test", &buffer));
    return buffer;
}

static void open_bench(bench *b, unsigned threads)
{
    static float x[ROWS * INPUTS];
    uint32_t params[PARAMS_HEAD] = {ROWS};
    random_restart(1);
    for (size_t i = 0; i < ROWS * INPUTS; ++i)
        x[i] = random_within(1);
    kas_device_use_threads(threads);
    ok(kas_device_open("host:0", &b->device));
    ok(kas_queue_create(b->device, "test", &b->queue));
    b->params = buffer_of(b, sizeof params);
    b->x = buffer_of(b, sizeof x);
    b->work = buffer_of(b, 1 << 20);
    ok(kas_queue_upload(b->queue, b->params, 0, params, sizeof params));
    ok(kas_queue_upload(b->queue, b->x, 0, x, sizeof x));
    ok(kas_queue_wait(b->queue, KAS_NEVER, NULL));
}

static void close_bench(bench *b)
{
    kas_buffer_release(b->params);
    kas_buffer_release(b->x);
    kas_buffer_release(b->work);
    kas_queue_destroy(b->queue);
    kas_device_release(b->device);
}

/* Products in a row, each as wide as told. */
static kas_segment *chain(bench *b, const int64_t *widths, size_t count)
{
    kas_graph *graph = graph_new(SHAPE(INPUTS));
    int64_t from = INPUTS;
    int x = graph->input;
    for (size_t i = 0; i < count; ++i) {
        x = linear(graph, x, constant_random(graph, SHAPE(widths[i], from), 0.5f), -1);
        from = widths[i];
    }
    finish(graph, x);
    kas_segment_plan *plan;
    kas_segment *segment;
    ok(kas_segment_plan_create(b->device, graph, ROWS, &plan));
    cr_assert_leq(kas_segment_plan_info(plan)->work_bytes, kas_buffer_size(b->work));
    ok(kas_segment_create(plan, b->queue, KAS_NEVER, &segment));
    kas_segment_plan_destroy(plan);
    kas_graph_destroy(graph);
    return segment;
}

static kas_submission submission(const bench *b, const kas_segment *segment, kas_buffer *y)
{
    return (kas_submission){.list = kas_segment_list(segment),
                            .slots = {[KAS_SLOT_PARAMS] = {.buffer = b->params},
                                      [KAS_SLOT_X] = {.buffer = b->x},
                                      [KAS_SLOT_Y] = {.buffer = y},
                                      [KAS_SLOT_WORK] = {.buffer = b->work}}};
}

/* Segments of other widths over one workspace, between two waits; y: what each gives. */
static void run(unsigned threads, float y[2][ROWS * OUTPUTS])
{
    static const int64_t falling[] = {64, 8, 40, 8, 64, OUTPUTS}, rising[] = {8, 48, 16, 64, OUTPUTS};
    bench b;
    open_bench(&b, threads);
    kas_segment *segments[2] = {chain(&b, falling, 6), chain(&b, rising, 5)};
    kas_buffer *outputs[2] = {buffer_of(&b, sizeof y[0]), buffer_of(&b, sizeof y[1])};
    kas_submission submissions[] = {submission(&b, segments[0], outputs[0]),
                                    submission(&b, segments[1], outputs[1])};
    ok(kas_queue_submit(b.queue, submissions, 2, ROWS));
    for (int i = 0; i < 2; ++i)
        ok(kas_queue_download(b.queue, outputs[i], 0, y[i], sizeof y[i]));
    ok(kas_queue_wait(b.queue, KAS_NEVER, NULL));
    for (int i = 0; i < 2; ++i) {
        kas_buffer_release(outputs[i]);
        kas_segment_release(segments[i]);
    }
    close_bench(&b);
}

Test(segment_threads, segments_that_share_a_workspace_keep_their_bits)
{
    static float alone[2][ROWS * OUTPUTS], together[2][ROWS * OUTPUTS];
    run(1, alone);
    for (int i = 0; i < REPEATS; ++i) {
        run(4, together);
        cr_assert(memcmp(alone, together, sizeof alone) == 0, "run %d differs", i);
    }
}
