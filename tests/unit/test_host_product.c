/* The promise of the host's product: the bits of a row depend on the row alone. Not on how many rows there
 * are, where among them it stands, what the others hold, how many threads compute, or whether the blend is
 * fused. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backends/host/driver.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/random.h"
#include "kernels/args.h"

static void ok(kas_status status)
{
    cr_assert_null(status, "%s", kas_status_message(status));
}

/* A linear launch on the host with its own weights. */
typedef struct layer {
    kas_device *device;
    kas_queue *queue;
    kas_buffer *w, *bias;
    kas_list *list;
    size_t k, n;
} layer;

static void fill(float *out, size_t count, uint64_t seed)
{
    kas_rng rng = kas_rng_make(seed, 2);
    for (size_t i = 0; i < count; ++i)
        out[i] = 2.0f * kas_rng_unit(&rng) - 1.0f;
}

static layer make_layer(size_t k, size_t n, int act)
{
    layer l = {.k = k, .n = n};
    ok(kas_device_open("host:0", &l.device));
    ok(kas_queue_create(l.device, "layer", &l.queue));
    ok(kas_buffer_create(l.device, kas_device_packed_bytes(l.device, KAS_WEIGHT_F32, k, n), "weights", &l.w));
    ok(kas_buffer_create(l.device, n * sizeof(float), "bias", &l.bias));
    float *w = kas_alloc_array(k * n, sizeof *w);
    cr_assert_not_null(w);
    fill(w, k * n, k);
    fill(kas_buffer_host(l.bias), n, n);
    kas_device_pack(l.device, KAS_WEIGHT_F32, w, k, n, kas_buffer_host(l.w));
    kas_free(w);
    struct linear_args args = {
        .k = (int)k, .n = (int)n, .m = 1, .ldx = (int)k, .ldy = (int)n, .act = act, .has_bias = 1};
    kas_launch launch = {
        .kernel = KAS_KERNEL_linear,
        .bindings = {{.slot = KAS_SLOT_PARAMS},
                     {.slot = KAS_SLOT_X},
                     {.slot = KAS_SLOT_FIXED, .buffer = l.w},
                     {.slot = KAS_SLOT_FIXED, .buffer = l.bias},
                     {.slot = KAS_SLOT_Y}},
        .grid_x = {.fixed = (uint32_t)n, .divisor = LINEAR_TILE_COLUMNS},
        .grid_y = {.per_row = 1, .divisor = LINEAR_TILE_ROWS},
    };
    memcpy(launch.args, &args, sizeof args);
    ok(kas_list_create(l.device, &launch, 1, "layer", &l.list));
    return l;
}

static void drop_layer(layer *l)
{
    kas_list_release(l->list);
    kas_buffer_release(l->w);
    kas_buffer_release(l->bias);
    kas_queue_destroy(l->queue);
    kas_device_release(l->device);
}

static void forward(layer *l, float *x, float *y, uint32_t rows)
{
    uint32_t params[PARAMS_HEAD] = {rows};
    kas_submission s = {.list = l->list};
    s.slots[KAS_SLOT_PARAMS].host = params;
    s.slots[KAS_SLOT_X].host = x;
    s.slots[KAS_SLOT_Y].host = y;
    ok(kas_queue_submit(l->queue, &s, 1, rows));
    ok(kas_queue_wait(l->queue, KAS_NEVER, NULL));
}

/* Every batch size up to MAX has the rows that each row has alone. */
static void same_bits_in_any_batch(size_t k, size_t n, int act, uint32_t max)
{
    layer l = make_layer(k, n, act);
    float *x = kas_alloc_array(max * k, sizeof *x), *alone = kas_alloc_array(max * n, sizeof *alone);
    float *y = kas_alloc_array(max * n + 1, sizeof *y);
    cr_assert(x && alone && y);
    fill(x, max * k, 9);
    for (uint32_t r = 0; r < max; ++r)
        forward(&l, x + r * k, alone + r * n, 1);
    for (uint32_t rows = 1; rows <= max; ++rows) {
        memset(y, 0xff, (max * n + 1) * sizeof *y);
        forward(&l, x, y + 1, rows); /* at an odd place of a vector */
        cr_expect_eq(memcmp(y + 1, alone, rows * n * sizeof *y), 0, "%u rows, k %zu, n %zu", rows, k, n);
        forward(&l, x + (max - rows) * k, y + 1, rows);
        cr_expect_eq(memcmp(y + 1, alone + (max - rows) * n, rows * n * sizeof *y), 0,
                     "the last %u rows, k %zu, n %zu", rows, k, n);
    }
    kas_free(x);
    kas_free(alone);
    kas_free(y);
    drop_layer(&l);
}

/* Opens anew for each instruction set of this processor. */
static void with_each_isa(void (*check)(void))
{
    const char *isa;
    for (size_t i = 0; (isa = kas_host_isa_name(i)) != NULL; ++i) {
        setenv("KASMINA_HOST_ISA", isa, 1);
        check();
    }
}

static void check_batches(void)
{
    same_bits_in_any_batch(1, 1, 0, 14);
    same_bits_in_any_batch(37, 131, 2, 27);
    same_bits_in_any_batch(64, 256, 0, 15);
    same_bits_in_any_batch(2100, 40, 5, 13); /* more than one block of the depth */
    same_bits_in_any_batch(513, 5, 0, 14);
}

Test(host_product, same_bits_in_any_batch)
{
    with_each_isa(check_batches);
}

static void check_threads(void)
{
    enum { ROWS = 150, K = 700, N = 270 };
    float *x = kas_alloc_array(ROWS * K, sizeof *x), *y[4];
    cr_assert_not_null(x);
    fill(x, ROWS * K, 11);
    for (unsigned t = 1; t <= 3; ++t) {
        kas_device_use_threads(t);
        y[t] = kas_alloc_array(ROWS * N, sizeof **y);
        cr_assert_not_null(y[t]);
        layer l = make_layer(K, N, 3);
        cr_expect_eq(kas_device_get_limits(l.device)->compute_units, t);
        for (int again = 0; again < 3; ++again)
            forward(&l, x, y[t], ROWS);
        drop_layer(&l);
        cr_expect_eq(memcmp(y[t], y[1], ROWS * N * sizeof **y), 0, "%u threads", t);
    }
    kas_device_use_threads(0);
    for (unsigned t = 1; t <= 3; ++t)
        kas_free(y[t]);
    kas_free(x);
}

Test(host_product, same_bits_with_any_number_of_threads)
{
    with_each_isa(check_threads);
}

/* Two products, one after the other, and as many rows as make each thread take ranges of them through both.
 */
static kas_list *record_network(kas_device *device, kas_buffer *w, size_t k, size_t hidden, size_t n)
{
    struct linear_args args[2] = {
        {.k = (int)k, .n = (int)hidden, .m = 1, .ldx = (int)k, .ldy = (int)hidden, .act = 2},
        {.k = (int)hidden, .n = (int)n, .m = 1, .ldx = (int)hidden, .ldy = (int)n}};
    kas_launch launches[2] = {0};
    for (int i = 0; i < 2; ++i) {
        uint8_t from = i == 0 ? KAS_SLOT_X : KAS_SLOT_WORK, to = i == 0 ? KAS_SLOT_WORK : KAS_SLOT_Y;
        launches[i] = (kas_launch){
            .kernel = KAS_KERNEL_linear,
            .bindings = {{.slot = KAS_SLOT_PARAMS},
                         {.slot = from},
                         {.slot = KAS_SLOT_FIXED, .buffer = w},
                         {.slot = KAS_SLOT_FIXED, .buffer = w},
                         {.slot = to}},
            .grid_x = {.fixed = (uint32_t)args[i].n, .divisor = LINEAR_TILE_COLUMNS},
            .grid_y = {.per_row = 1, .divisor = LINEAR_TILE_ROWS},
        };
        memcpy(launches[i].args, &args[i], sizeof args[i]);
    }
    kas_list *list;
    ok(kas_list_create(device, launches, 2, "network", &list));
    return list;
}

static void run_network(const layer *l, float *x, float *work, float *y, uint32_t rows)
{
    uint32_t params[PARAMS_HEAD] = {rows};
    kas_submission s[2] = {{.list = l->list}}; /* twice the same: one stretch */
    kas_progress progress;
    s[0].slots[KAS_SLOT_PARAMS].host = params;
    s[0].slots[KAS_SLOT_X].host = x;
    s[0].slots[KAS_SLOT_WORK].host = work;
    s[0].slots[KAS_SLOT_Y].host = y;
    s[1] = s[0];
    ok(kas_queue_submit(l->queue, s, 2, rows));
    ok(kas_queue_wait(l->queue, KAS_NEVER, &progress));
    cr_expect_eq(progress.completed, 2);
    cr_expect_gt(progress.elapsed_ns[0], 0);
    cr_expect_gt(progress.elapsed_ns[1], 0);
}

static void same_bits_by_ranges(uint32_t most, size_t k, size_t hidden, size_t n)
{
    float *x = kas_alloc_array(most * k, sizeof *x), *work = kas_alloc_array(most * hidden, sizeof *work);
    float *alone = kas_alloc_array(most * n, sizeof *alone), *y = kas_alloc_array(most * n, sizeof *y);
    cr_assert(x && work && alone && y);
    fill(x, most * k, 13);
    kas_device_use_threads(3);
    layer l = make_layer(k > hidden ? k : hidden, n, 0); /* its weights are enough for either product */
    kas_list_release(l.list);
    l.list = record_network(l.device, l.w, k, hidden, n);
    for (uint32_t r = 0; r < most; ++r)
        run_network(&l, x + r * k, work, alone + r * n, 1);
    for (uint32_t rows = most - 3; rows <= most; ++rows) {
        memset(y, 0xff, most * n * sizeof *y);
        run_network(&l, x, work, y, rows);
        cr_expect_eq(memcmp(y, alone, rows * n * sizeof *y), 0, "%u rows", rows);
    }
    drop_layer(&l);
    kas_device_use_threads(0);
    kas_free(x);
    kas_free(work);
    kas_free(alone);
    kas_free(y);
}

static void check_ranges(void)
{
    same_bits_by_ranges(101, 256, 70, 256);
    same_bits_by_ranges(101, 32, 640,
                        640); /* so large that a stretch ends before the second's second product */
}

Test(host_product, same_bits_by_ranges_of_rows)
{
    with_each_isa(check_ranges);
}

static void check_neighbours(void)
{
    enum { ROWS = 13, K = 70, N = 50 };
    float x[ROWS * K], clean[ROWS * N], y[ROWS * N];
    layer l = make_layer(K, N, 0);
    fill(x, ROWS * K, 4);
    forward(&l, x, clean, ROWS);
    for (size_t i = 0; i < K; ++i)
        x[3 * K + i] = i % 2 ? NAN : INFINITY;
    forward(&l, x, y, ROWS);
    for (size_t r = 0; r < ROWS; ++r)
        if (r != 3) cr_expect_eq(memcmp(y + r * N, clean + r * N, N * sizeof *y), 0, "row %zu", r);
    cr_expect(isnan(y[3 * N]));
    drop_layer(&l);
}

Test(host_product, a_row_of_nan_stays_alone)
{
    with_each_isa(check_neighbours);
}

/* Submissions of one row that are apart go to different threads, and end in the same bits. */
static void check_apart(void)
{
    enum { COUNT = 5, K = 512, HIDDEN = 200, N = 512 };
    float x[K], work[COUNT][HIDDEN], y[COUNT][N], alone[N];
    uint32_t params[PARAMS_HEAD] = {1};
    kas_submission s[COUNT] = {0};
    kas_progress progress;
    fill(x, K, 17);
    kas_device_use_threads(3);
    layer l = make_layer(K, N, 0);
    kas_list_release(l.list);
    l.list = record_network(l.device, l.w, K, HIDDEN, N);
    run_network(&l, x, work[0], alone, 1);
    for (int i = 0; i < COUNT; ++i) {
        s[i] = (kas_submission){.list = l.list, .apart = i != 3};
        s[i].slots[KAS_SLOT_PARAMS].host = params;
        s[i].slots[KAS_SLOT_X].host = x;
        s[i].slots[KAS_SLOT_WORK].host = work[i];
        s[i].slots[KAS_SLOT_Y].host = y[i];
    }
    for (int again = 0; again < 20; ++again) { /* the first ones find helpers asleep */
        memset(y, 0xff, sizeof y);
        ok(kas_queue_submit(l.queue, s, COUNT, 1));
        ok(kas_queue_wait(l.queue, KAS_NEVER, &progress));
        cr_expect_eq(progress.completed, COUNT);
        for (int i = 0; i < COUNT; ++i)
            cr_expect_eq(memcmp(y[i], alone, sizeof alone), 0, "submission %d", i);
    }
    drop_layer(&l);
    kas_device_use_threads(0);
}

Test(host_product, same_bits_of_submissions_that_are_apart)
{
    with_each_isa(check_apart);
}

/* The widest instruction set that is asked for must be there. */
Test(host_product, an_unknown_instruction_set_is_refused)
{
    kas_device *device;
    setenv("KASMINA_HOST_ISA", "mmx", 1);
    kas_status status = kas_device_open("host:0", &device);
    cr_expect_eq(kas_status_code(status), KAS_UNSUPPORTED);
    cr_expect(strstr(kas_status_message(status), "mmx"));
    kas_status_free(status);
}

Test(host_product, threads_from_the_environment)
{
    kas_device *device;
    setenv("KASMINA_THREADS", "5", 1);
    ok(kas_device_open("host:0", &device));
    cr_expect_eq(kas_device_get_limits(device)->compute_units, 5);
    kas_device_release(device);
    setenv("KASMINA_THREADS", "many", 1);
    kas_status status = kas_device_open("host:0", &device);
    cr_expect_eq(kas_status_code(status), KAS_INVALID_ARGUMENT);
    kas_status_free(status);
}

Test(host_product, a_long_pass_ends_at_its_deadline)
{
    enum { ROWS = 4000, K = 1024, N = 512 };
    layer l = make_layer(K, N, 0);
    float *x = kas_calloc(ROWS * K, sizeof *x), *y = kas_calloc(ROWS * N, sizeof *y);
    uint32_t params[PARAMS_HEAD] = {ROWS};
    kas_submission s[40] = {{.list = l.list}};
    kas_progress progress;
    cr_assert(x && y);
    s[0].slots[KAS_SLOT_PARAMS].host = params;
    s[0].slots[KAS_SLOT_X].host = x;
    s[0].slots[KAS_SLOT_Y].host = y;
    for (size_t i = 1; i < 40; ++i)
        s[i] = s[0];
    ok(kas_queue_submit(l.queue, s, 40, ROWS));
    kas_status status = kas_queue_wait(l.queue, kas_monotonic_ns() + 5 * KAS_NS_PER_MS, &progress);
    cr_expect_eq(kas_status_code(status), KAS_DEADLINE);
    cr_expect_eq(kas_status_blame(status), KAS_BLAME_KERNEL);
    cr_expect_lt(progress.completed, 40);
    kas_status_free(status);
    forward(&l, x, y, 2);
    kas_free(x);
    kas_free(y);
    drop_layer(&l);
}
