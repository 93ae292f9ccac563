/* The host's product that blends gives the bits of a product and a blend after it, in any batch: also where
 * the base is not used, where a contribution is not, and where a base is not finite. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backends/host/driver.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/random.h"
#include "kernels/args.h"

enum { ROWS = 27, CONTRIBUTIONS = 3, WORDS = RESULT_HEAD + CONTRIBUTIONS + 1, BROKEN_ROW = 5, PLAIN_ROW = 7 };

typedef struct rig {
    kas_device *device;
    kas_queue *queue;
    kas_buffer *w;
    size_t inputs, outputs;
    int act;
    float *x, *k, *base, *y;
    uint32_t result[ROWS * WORDS];
} rig;

static void ok(kas_status status)
{
    cr_assert_null(status, "%s", kas_status_message(status));
}

static float *some(size_t count, uint64_t seed)
{
    float *values = kas_alloc_array(count, sizeof *values);
    cr_assert_not_null(values);
    kas_rng rng = kas_rng_make(seed, 2);
    for (size_t i = 0; i < count; ++i)
        values[i] = 2.0f * kas_rng_unit(&rng) - 1.0f;
    return values;
}

static rig set_up(size_t inputs, size_t outputs, int act)
{
    rig r = {.inputs = inputs, .outputs = outputs, .act = act};
    ok(kas_device_open("host:0", &r.device));
    ok(kas_queue_create(r.device, "blend", &r.queue));
    ok(kas_buffer_create(r.device, kas_device_packed_bytes(r.device, KAS_WEIGHT_F32, inputs, outputs),
                         "weights", &r.w));
    float *w = some(inputs * outputs, 1);
    kas_device_pack(r.device, KAS_WEIGHT_F32, w, inputs, outputs, kas_buffer_host(r.w));
    kas_free(w);
    r.x = some(ROWS * inputs, 2);
    r.k = some(CONTRIBUTIONS * ROWS * outputs, 3);
    r.base = some(ROWS * outputs, 4);
    r.y = some(ROWS * outputs, 5);
    r.x[BROKEN_ROW * inputs] = INFINITY;
    r.x[PLAIN_ROW * inputs] = NAN; /* a row whose base is not used */
    for (size_t i = 0; i < outputs; ++i)
        r.k[2 * ROWS * outputs + i] = NAN; /* a contribution that row 0 does not use */
    return r;
}

static void tear_down(rig *r)
{
    kas_free(r->x);
    kas_free(r->k);
    kas_free(r->base);
    kas_free(r->y);
    kas_buffer_release(r->w);
    kas_queue_destroy(r->queue);
    kas_device_release(r->device);
}

/* The result block of rows from `first` on, as judge leaves it. */
static void judge(rig *r, uint32_t first, uint32_t rows)
{
    memset(r->result, 0, sizeof r->result);
    for (uint32_t i = 0; i < rows; ++i) {
        float coefficients[CONTRIBUTIONS + 1] = {0.4f, 0.3f, 0.2f, 0.1f};
        if (first + i == PLAIN_ROW) coefficients[0] = 0.0f;
        if (first + i == 0) coefficients[3] = 0.0f;
        memcpy(&r->result[RESULT_HEAD * ROWS + i * (CONTRIBUTIONS + 1)], coefficients, sizeof coefficients);
    }
}

static void run(rig *r, const kas_launch *launch, uint32_t first, uint32_t rows, float *y)
{
    uint32_t params[PARAMS_HEAD] = {rows};
    kas_list *list;
    ok(kas_list_create(r->device, launch, 1, "blend", &list));
    kas_submission s = {.list = list};
    s.slots[KAS_SLOT_PARAMS].host = params;
    s.slots[KAS_SLOT_X].host = r->x + first * r->inputs;
    s.slots[KAS_SLOT_WORK].host = r->base;
    s.slots[KAS_SLOT_BLEND].host = r->k + first * r->outputs;
    s.slots[KAS_SLOT_RESULT].host = r->result;
    s.slots[KAS_SLOT_Y].host = y;
    ok(kas_queue_submit(r->queue, &s, 1, rows));
    ok(kas_queue_wait(r->queue, KAS_NEVER, NULL));
    kas_list_release(list);
}

static struct linear_args product_args(const rig *r, int contributions)
{
    return (struct linear_args){.k = (int)r->inputs,
                                .n = (int)r->outputs,
                                .m = 1,
                                .ldx = (int)r->inputs,
                                .ldy = (int)r->outputs,
                                .act = r->act,
                                .contributions = contributions,
                                .k_stride = (int)(ROWS * r->outputs),
                                .coefficients = RESULT_HEAD * ROWS};
}

/* A product and then a blend, each a launch. */
static void run_apart(rig *r, uint32_t first, uint32_t rows, float *y)
{
    const struct linear_args product = product_args(r, 0);
    kas_launch launch = {.kernel = KAS_KERNEL_linear,
                         .bindings = {{.slot = KAS_SLOT_PARAMS},
                                      {.slot = KAS_SLOT_X},
                                      {.slot = KAS_SLOT_FIXED, .buffer = r->w},
                                      {.slot = KAS_SLOT_FIXED, .buffer = r->w},
                                      {.slot = KAS_SLOT_Y}},
                         .grid_x = {.fixed = (uint32_t)r->outputs, .divisor = LINEAR_TILE_COLUMNS},
                         .grid_y = {.per_row = 1, .divisor = LINEAR_TILE_ROWS}};
    memcpy(launch.args, &product, sizeof product);
    run(r, &launch, first, rows, r->base);
    const struct blend_args blend = {.n = (int)r->outputs,
                                     .contributions = CONTRIBUTIONS,
                                     .k_stride = product.k_stride,
                                     .coefficients = product.coefficients};
    launch = (kas_launch){.kernel = KAS_KERNEL_blend,
                          .bindings = {{.slot = KAS_SLOT_PARAMS},
                                       {.slot = KAS_SLOT_WORK},
                                       {.slot = KAS_SLOT_BLEND},
                                       {.slot = KAS_SLOT_RESULT},
                                       {.slot = KAS_SLOT_Y}},
                          .grid_x = {.per_row = (uint32_t)r->outputs, .divisor = BLEND_GROUP},
                          .grid_y = {.fixed = 1, .divisor = 1}};
    memcpy(launch.args, &blend, sizeof blend);
    run(r, &launch, first, rows, y);
}

static void run_fused(rig *r, uint32_t first, uint32_t rows, float *y)
{
    const struct linear_args product = product_args(r, CONTRIBUTIONS);
    kas_launch launch = {.kernel = KAS_KERNEL_linear_blend,
                         .bindings = {{.slot = KAS_SLOT_PARAMS},
                                      {.slot = KAS_SLOT_X},
                                      {.slot = KAS_SLOT_FIXED, .buffer = r->w},
                                      {.slot = KAS_SLOT_FIXED, .buffer = r->w},
                                      {.slot = KAS_SLOT_BLEND},
                                      {.slot = KAS_SLOT_RESULT},
                                      {.slot = KAS_SLOT_Y}},
                         .grid_x = {.fixed = (uint32_t)r->outputs, .divisor = LINEAR_TILE_COLUMNS},
                         .grid_y = {.per_row = 1, .divisor = LINEAR_TILE_ROWS}};
    memcpy(launch.args, &product, sizeof product);
    run(r, &launch, first, rows, y);
}

static void expect_flags(const rig *r, uint32_t first, uint32_t rows, const char *how)
{
    for (uint32_t i = 0; i < rows; ++i)
        cr_expect_eq(r->result[RESULT_HEAD * i + 3], first + i == BROKEN_ROW,
                     "%s: %u rows from %u on, row %u", how, rows, first, i);
}

static void same_bits(size_t inputs, size_t outputs, int act)
{
    rig r = set_up(inputs, outputs, act);
    float *alone = some(ROWS * outputs, 6);
    for (uint32_t row = 0; row < ROWS; ++row) {
        judge(&r, row, 1);
        run_apart(&r, row, 1, alone + row * outputs);
        expect_flags(&r, row, 1, "apart");
    }
    for (uint32_t i = 0; i < outputs; ++i)
        cr_expect(isfinite(alone[i]), "row 0 does not use the contribution that is NaN");
    for (uint32_t rows = 1; rows <= ROWS; ++rows) {
        uint32_t first = rows % 2 ? 0 : ROWS - rows;
        judge(&r, first, rows);
        memset(r.y, 0xff, ROWS * outputs * sizeof *r.y);
        run_fused(&r, first, rows, r.y);
        cr_expect_eq(memcmp(r.y, alone + first * outputs, rows * outputs * sizeof *r.y), 0,
                     "%u rows from %u on, %zu inputs, %zu outputs", rows, first, inputs, outputs);
        expect_flags(&r, first, rows, "fused");
    }
    kas_free(alone);
    tear_down(&r);
}

Test(host_blend, same_bits_fused_and_apart)
{
    const char *isa;
    for (size_t i = 0; (isa = kas_host_isa_name(i)) != NULL; ++i) {
        setenv("KASMINA_HOST_ISA", isa, 1);
        same_bits(37, 131, 0);
        same_bits(300, 64, 2);
        same_bits(2100, 40, 0); /* more than one block of the depth */
        same_bits(5, 7, 2);     /* no pause fits in */
    }
}
