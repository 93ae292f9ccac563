/* A device of which backends/opencl loses sight while work is under way: that work begins later, reads and
 * writes, and all of it is still there. The second vendor's commands are late. */
#include <criterion/criterion.h>
#include <malloc.h>

#include "base/clock.h"
#include "engine/graph/segment.h"
#include "tests/opencl/vendors.h"
#include "tests/unit/exec_world.h"
#include "tests/unit/graph_fixture.h"

static vendor_control *vendor;
static size_t freed_too_early; /* blocks that late work was to touch */

/* The linker puts this in front of the engine's (--wrap). */
void __real_kas_free(void *block);
void __wrap_kas_free(void *block);
void __wrap_kas_free(void *block)
{
    if (block && vendor && vendor->touches(block, malloc_usable_size(block))) ++freed_too_early;
    __real_kas_free(block);
}

static void start(void)
{
    vendor = use_vendors(false);
}

TestSuite(lost, .init = start, .fini = forget_vendors, .timeout = 60);

/* From the nth call on; what is enqueued from now on is late. */
static void fail_from(const char *call, unsigned nth)
{
    vendor->failing_call = call;
    vendor->failing_on = true;
    atomic_store(&vendor->failing, nth);
    atomic_store(&vendor->late, true);
}

static void stop_failing(void)
{
    atomic_store(&vendor->failing, 0);
}

static const char *const sites[] = {"clFlush", "clGetEventInfo"};
enum { SITES = sizeof sites / sizeof *sites };

/* ---- a queue ---- */

enum { WORDS = 64, SEVEN = 7 };

typedef struct transfer {
    kas_device *device;
    kas_queue *queue;
    kas_buffer *buffer;
} transfer;

/* A buffer is filled and downloaded, late. */
static void begin_transfer(transfer *t, uint32_t host[WORDS])
{
    ok(kas_device_open("opencl:0", &t->device));
    ok(kas_queue_create(t->device, "transfer", &t->queue));
    ok(kas_buffer_create(t->device, WORDS * sizeof *host, "words", &t->buffer));
    atomic_store(&vendor->late, true);
    ok(kas_queue_fill(t->queue, t->buffer, 0, SEVEN, WORDS * sizeof *host));
    ok(kas_queue_download(t->queue, t->buffer, 0, host, WORDS * sizeof *host));
}

static void end_transfer(transfer *t)
{
    kas_buffer_release(t->buffer);
    kas_queue_destroy(t->queue);
    kas_device_release(t->device);
}

/* Queue, buffer and device are gone by when the download comes. */
Test(lost, a_download_that_nobody_sees_arrives_all_the_same)
{
    for (size_t i = 0; i < SITES; ++i) {
        static uint32_t host[SITES][WORDS];
        transfer t;
        begin_transfer(&t, host[i]);
        fail_from(sites[i], 1);
        expect_failure(kas_queue_wait(t.queue, KAS_NEVER, NULL), KAS_DEVICE_LOST, sites[i]);
        stop_failing();
        cr_expect_not(kas_queue_idle(t.queue), "after %s", sites[i]);
        end_transfer(&t);
        cr_expect_eq(host[i][0], 0u);
        vendor->run_on();
        for (size_t w = 0; w < WORDS; ++w)
            cr_expect_eq(host[i][w], (uint32_t)SEVEN);
    }
}

/* Lost by what another queue's driver call said, while a download is under way. */
Test(lost, a_queue_that_was_not_waited_for_is_not_idle)
{
    static uint32_t host[WORDS];
    transfer t;
    kas_queue *other;
    begin_transfer(&t, host);
    ok(kas_queue_create(t.device, "other", &other));
    ok(kas_queue_fill(other, t.buffer, 0, SEVEN, sizeof host));
    fail_from("clFlush", 1);
    expect_failure(kas_queue_wait(other, KAS_NEVER, NULL), KAS_DEVICE_LOST, "clFlush");
    stop_failing();
    expect_failure(kas_queue_wait(t.queue, KAS_NEVER, NULL), KAS_DEVICE_LOST, "is lost");
    cr_expect_not(kas_queue_idle(t.queue));
    kas_queue_destroy(other);
    end_transfer(&t);
    vendor->run_on();
    cr_expect_eq(host[WORDS - 1], (uint32_t)SEVEN);
}

/* What a driver does not tell has not come back. */
Test(lost, a_late_queue_of_which_nothing_is_told_is_not_idle)
{
    static uint32_t host[WORDS];
    transfer t;
    begin_transfer(&t, host);
    expect_failure(kas_queue_wait(t.queue, 0, NULL), KAS_DEADLINE, "transfer");
    fail_from("clGetEventInfo", 1);
    cr_expect_not(kas_queue_idle(t.queue));
    stop_failing();
    cr_expect_not(kas_queue_idle(t.queue));
    vendor->run_on();
    while (!kas_queue_idle(t.queue)) {
    }
    end_transfer(&t);
    expect_no_objects(vendor, "a transfer that came back");
}

/* ---- the engine ---- */

/* One pass of a layer, of which the driver's calls fail from the nth on, and the end of all that served it.
 */
static void serve_and_end(const char *call, unsigned nth, kas_code code)
{
    static probe p;
    kas_device *device;
    ok(kas_device_open("opencl:0", &device));
    exec_world *w = exec_world_open(device, &(kas_exec_options){.deadline_ns = 20 * KAS_NS_PER_MS});
    kas_published_layer layer = a_layer("a", 1, make_network(w, 1));
    add_seed(&layer, 0, make_network(w, 2), 0.25f);
    publish(w, &layer);
    probe_init(&p, "a", 3, 1);
    fail_from(call, nth);
    expect_failure(probe_run(w, &p), code, call);
    stop_failing();
    exec_world_close(w);
    cr_expect_eq(freed_too_early, 0u, "after %s, call %u", call, nth);
    vendor->run_on();
}

Test(lost, a_pass_that_nobody_sees_runs_on_in_the_memory_of_its_context)
{
    for (size_t i = 0; i < SITES; ++i)
        serve_and_end(sites[i], 1, KAS_DEVICE_LOST);
}

/* The first of several uploads is under way when the second is refused, and hangs. */
Test(lost, uploads_before_one_that_is_refused_are_waited_for)
{
    serve_and_end("clEnqueueWriteBuffer", 2, KAS_OUT_OF_MEMORY);
}

Test(lost, weights_that_nobody_sees_uploaded_stay)
{
    kas_device *device;
    kas_queue *queue;
    kas_segment_plan *plan;
    kas_segment *segment;
    kas_graph *g = graph_new(SHAPE(6));
    finish(g, linear(g, g->input, constant_random(g, SHAPE(5, 6), 1), -1));
    ok(kas_device_open("opencl:0", &device));
    ok(kas_queue_create(device, "uploads", &queue));
    ok(kas_segment_plan_create(device, g, 4, &plan));
    kas_graph_destroy(g);
    fail_from("clFlush", 1);
    expect_failure(kas_segment_create(plan, queue, KAS_NEVER, &segment), KAS_DEVICE_LOST, "clFlush");
    stop_failing();
    kas_segment_plan_destroy(plan);
    kas_queue_destroy(queue);
    kas_device_release(device);
    cr_expect_eq(freed_too_early, 0u);
    vendor->run_on();
}
