/* A judge that is told by products of its own pass finds what one finds that reads everything itself, and
 * both find what is there. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backends/host/driver.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/random.h"
#include "kernels/args.h"

enum {
    ROWS = 96,
    INPUTS = 160,
    HIDDEN = 48,
    OUTPUTS = 131, /* the last panel has a tail */
    CONTRIBUTIONS = 3,
    LISTS = 3,
    WORDS = RESULT_HEAD + CONTRIBUTIONS + 1
};

/* Contribution 0 is two products, 1 is one with an activation, of 2 nobody in the pass can tell. */
typedef struct rig {
    kas_device *device;
    kas_queue *queue;
    kas_buffer *weights[LISTS];
    kas_list *lists[LISTS]; /* contributions 0 and 1, the judge */
    float x[ROWS * INPUTS], work[ROWS * HIDDEN], k[CONTRIBUTIONS * ROWS * OUTPUTS];
    uint32_t params[PARAMS_HEAD + ROWS * CONTRIBUTIONS];
} rig;

static void ok(kas_status status)
{
    cr_assert_null(status, "%s", kas_status_message(status));
}

static void fill(float *values, size_t count, uint64_t seed)
{
    kas_rng rng = kas_rng_make(seed, 2);
    for (size_t i = 0; i < count; ++i)
        values[i] = 2.0f * kas_rng_unit(&rng) - 1.0f;
}

/* The first output takes the first input alone; output `at` has weights that overflow for large inputs. */
static kas_buffer *weights(const rig *r, size_t inputs, size_t outputs, size_t at, float large)
{
    kas_buffer *packed;
    float *w = kas_alloc_array(inputs * outputs, sizeof *w);
    cr_assert_not_null(w);
    fill(w, inputs * outputs, outputs);
    memset(w, 0, inputs * sizeof *w);
    w[0] = 2.0f;
    for (size_t i = 0; i < inputs && large > 0.0f; ++i)
        w[at * inputs + i] = large;
    ok(kas_buffer_create(r->device, kas_device_packed_bytes(r->device, KAS_WEIGHT_F32, inputs, outputs), "w",
                         &packed));
    kas_device_pack(r->device, KAS_WEIGHT_F32, w, inputs, outputs, kas_buffer_host(packed));
    kas_free(w);
    return packed;
}

static kas_launch product(kas_buffer *w, kas_slot_index from, kas_slot_index to, int inputs, int outputs,
                          int relu)
{
    const struct linear_args args = {
        .k = inputs, .n = outputs, .m = 1, .ldx = inputs, .ldy = outputs, .act = relu};
    kas_launch launch = {.kernel = KAS_KERNEL_linear,
                         .bindings = {{.slot = KAS_SLOT_PARAMS},
                                      {.slot = (uint8_t)from},
                                      {.slot = KAS_SLOT_FIXED, .buffer = w},
                                      {.slot = KAS_SLOT_FIXED, .buffer = w},
                                      {.slot = (uint8_t)to}},
                         .grid_x = {.fixed = (uint32_t)outputs, .divisor = LINEAR_TILE_COLUMNS},
                         .grid_y = {.per_row = 1, .divisor = LINEAR_TILE_ROWS}};
    memcpy(launch.args, &args, sizeof args);
    return launch;
}

static kas_launch judge(void)
{
    const struct judge_args args = {.k = INPUTS,
                                    .n = OUTPUTS,
                                    .contributions = CONTRIBUTIONS,
                                    .k_stride = ROWS * OUTPUTS,
                                    .coefficients = RESULT_HEAD * ROWS};
    kas_launch launch = {.kernel = KAS_KERNEL_judge,
                         .bindings = {{.slot = KAS_SLOT_PARAMS},
                                      {.slot = KAS_SLOT_X},
                                      {.slot = KAS_SLOT_BLEND},
                                      {.slot = KAS_SLOT_RESULT}},
                         .grid_x = {.per_row = 1, .divisor = 1},
                         .grid_y = {.fixed = 1, .divisor = 1}};
    memcpy(launch.args, &args, sizeof args);
    return launch;
}

static void make_lists(rig *r)
{
    const kas_launch first[] = {product(r->weights[0], KAS_SLOT_X, KAS_SLOT_WORK, INPUTS, HIDDEN, 1),
                                product(r->weights[1], KAS_SLOT_WORK, KAS_SLOT_Y, HIDDEN, OUTPUTS, 0)};
    const kas_launch second = product(r->weights[2], KAS_SLOT_X, KAS_SLOT_Y, INPUTS, OUTPUTS, 1);
    const kas_launch last = judge();
    ok(kas_list_create(r->device, first, 2, "first", &r->lists[0]));
    ok(kas_list_create(r->device, &second, 1, "second", &r->lists[1]));
    ok(kas_list_create(r->device, &last, 1, "judge", &r->lists[2]));
}

static void set_row(rig *r, uint32_t row, float value)
{
    for (uint32_t i = 0; i < INPUTS; ++i)
        r->x[row * INPUTS + i] = value;
}

enum {
    MINUS_INFINITY_FIRST = 3,
    NAN_INSIDE = 4,
    INFINITY_LAST = 9,
    HUGE_INPUT = 17,
    LARGE = 20,
    NEGATIVE_ZERO = 25,
    SILENT = 30,
    UNUSED = 40
};

/* Of contribution 0, output `at` overflows in row LARGE. */
static rig *set_up(size_t at)
{
    rig *r = kas_calloc(1, sizeof *r);
    cr_assert_not_null(r);
    ok(kas_device_open("host:0", &r->device));
    ok(kas_queue_create(r->device, "witness", &r->queue));
    r->weights[0] = weights(r, INPUTS, HIDDEN, 0, 0.0f);
    r->weights[1] = weights(r, HIDDEN, OUTPUTS, at, 1e28f);
    r->weights[2] = weights(r, INPUTS, OUTPUTS, 64, 1e30f);
    make_lists(r);
    fill(r->x, ROWS * INPUTS, 1);
    fill(r->k, CONTRIBUTIONS * ROWS * OUTPUTS, 2);
    r->x[MINUS_INFINITY_FIRST * INPUTS] = -INFINITY;
    r->x[NAN_INSIDE * INPUTS + 5] = NAN;
    r->x[INFINITY_LAST * INPUTS + INPUTS - 1] = INFINITY;
    set_row(r, HUGE_INPUT, 3e38f);
    set_row(r, LARGE, 1e10f);
    set_row(r, NEGATIVE_ZERO, -0.0f);
    r->k[(2 * ROWS + SILENT) * OUTPUTS + 77] = NAN;
    r->params[0] = ROWS;
    for (uint32_t i = 0; i < ROWS * CONTRIBUTIONS; ++i)
        r->params[PARAMS_HEAD + i] = i / CONTRIBUTIONS == UNUSED ? 0 : 0x3e000000; /* 0.125 */
    set_row(r, UNUSED, 1e10f);
    return r;
}

static void tear_down(rig *r)
{
    for (int i = 0; i < LISTS; ++i) {
        kas_list_release(r->lists[i]);
        kas_buffer_release(r->weights[i]);
    }
    kas_queue_destroy(r->queue);
    kas_device_release(r->device);
    kas_free(r);
}

/* Contributions and then the judge, in one pass or in one each. */
static void run(rig *r, bool together, uint32_t *result)
{
    memset(r->k, 0, 2 * ROWS * OUTPUTS * sizeof *r->k);
    for (int i = 0; i < LISTS; ++i) {
        kas_submission s = {.list = r->lists[i]};
        s.slots[KAS_SLOT_PARAMS].host = r->params;
        s.slots[KAS_SLOT_X].host = r->x;
        s.slots[KAS_SLOT_WORK].host = r->work;
        s.slots[KAS_SLOT_BLEND].host = r->k;
        s.slots[KAS_SLOT_RESULT].host = result;
        s.slots[KAS_SLOT_Y].host = r->k + i * ROWS * OUTPUTS;
        ok(kas_queue_submit(r->queue, &s, 1, ROWS));
        if (!together) ok(kas_queue_wait(r->queue, KAS_NEVER, NULL));
    }
    ok(kas_queue_wait(r->queue, KAS_NEVER, NULL));
}

static void expect(const uint32_t *result, uint32_t row, uint32_t failed, uint32_t input_bad)
{
    cr_expect_eq(result[RESULT_HEAD * row], failed, "row %u: contributions %u failed", row,
                 result[RESULT_HEAD * row]);
    cr_expect_eq(result[RESULT_HEAD * row + 2], input_bad, "row %u", row);
}

static void compare(size_t at)
{
    static uint32_t together[ROWS * WORDS], apart[ROWS * WORDS];
    rig *r = set_up(at);
    for (int round = 0; round < 2; ++round) { /* what the first one told is forgotten in the second */
        run(r, true, together);
        run(r, false, apart);
        cr_expect_eq(memcmp(together, apart, sizeof apart), 0);
        expect(together, 0, 0, 0);
        expect(together, MINUS_INFINITY_FIRST, 0, 1);
        expect(together, NAN_INSIDE, 0, round == 0);
        expect(together, INFINITY_LAST, 0, 1);
        expect(together, HUGE_INPUT, 3, 0);
        expect(together, LARGE, round == 0 ? 3 : 0, 0);
        expect(together, NEGATIVE_ZERO, 0, 0);
        expect(together, SILENT, 4, 0);
        expect(together, UNUSED, 0, 0);
        set_row(r, NAN_INSIDE, 0.5f);
        set_row(r, LARGE, 0.25f);
    }
    tear_down(r);
}

Test(host_witness, judges_as_one_that_reads_everything)
{
    const char *isa;
    for (size_t i = 0; (isa = kas_host_isa_name(i)) != NULL; ++i) {
        setenv("KASMINA_HOST_ISA", isa, 1);
        setenv("KASMINA_THREADS", "1", 1);
        compare(OUTPUTS - 1);
        compare(40); /* in a whole panel of any instruction set */
        setenv("KASMINA_THREADS", "2", 1);
        compare(OUTPUTS - 1);
        compare(40);
    }
}
