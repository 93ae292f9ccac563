#include "tests/unit/affine_rig.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "engine/graph/graph.h"

void ok(kas_status status)
{
    cr_assert_null(status, "%s", kas_status_message(status));
}

void expect(kas_status status, kas_code code, const char *part)
{
    cr_expect_eq(kas_status_code(status), code, "%s, not %s: %s", kas_code_name(code),
                 kas_code_name(kas_status_code(status)), kas_status_message(status));
    cr_expect(strstr(kas_status_message(status), part), "\"%s\" is not in: %s", part,
              kas_status_message(status));
    kas_status_free(status);
}

const kas_driver *driver_named(const char *name)
{
    for (size_t i = 0; i < kas_driver_count(); ++i)
        if (!strcmp(kas_driver_name(kas_driver_at(i)), name)) return kas_driver_at(i);
    cr_assert_fail("there is no %s driver in this build", name);
    return NULL;
}

static kas_launch affine(kas_slot_index from, kas_slot_index to)
{
    const struct unary_args args = {.elements = WIDTH, .act = KAS_ACT_AFFINE, .act_a = 3, .act_b = -1};
    kas_launch launch = {
        .kernel = KAS_KERNEL_unary,
        .label = "affine",
        .bindings = {{.slot = KAS_SLOT_PARAMS}, {.slot = (uint8_t)from}, {.slot = (uint8_t)to}},
        .grid_x = {.per_row = WIDTH, .divisor = LINES_TILE},
        .grid_y = {.fixed = 1, .divisor = 1}};
    memcpy(launch.args, &args, sizeof args);
    return launch;
}

kas_list *chain(const rig *r, size_t launches)
{
    enum { LAUNCHES_MAX = 9 };
    kas_launch all[LAUNCHES_MAX];
    kas_list *list;
    cr_assert_leq(launches, (size_t)LAUNCHES_MAX);
    for (size_t i = 0; i < launches; ++i)
        all[i] = i % 2 ? affine(KAS_SLOT_Y, KAS_SLOT_X) : affine(KAS_SLOT_X, KAS_SLOT_Y);
    ok(kas_list_create(r->device, all, launches, "chain", &list));
    return list;
}

void open_rig(rig *r, const char *device_id)
{
    kas_device *device;
    ok(kas_device_open(device_id, &device));
    open_rig_on(r, device);
}

void open_rig_on(rig *r, kas_device *device)
{
    const uint32_t params[PARAMS_HEAD] = {ROWS};
    r->device = device;
    ok(kas_queue_create(r->device, "rig", &r->queue));
    r->place_bytes =
        kas_align_up(ROWS * WIDTH * sizeof(float), kas_device_get_limits(r->device)->buffer_alignment);
    ok(kas_buffer_create(r->device, sizeof params, "params", &r->params));
    ok(kas_buffer_create(r->device, 2 * PLACES * r->place_bytes, "arena", &r->arena));
    ok(kas_queue_upload(r->queue, r->params, 0, params, sizeof params));
    ok(kas_queue_wait(r->queue, KAS_NEVER, NULL));
    r->list = chain(r, 1);
}

void close_rig(rig *r)
{
    kas_list_release(r->list);
    kas_buffer_release(r->params);
    kas_buffer_release(r->arena);
    kas_queue_destroy(r->queue);
    kas_device_release(r->device);
}

kas_submission at_place(const rig *r, size_t place)
{
    return (kas_submission){
        .list = r->list,
        .slots = {[KAS_SLOT_PARAMS] = {.buffer = r->params},
                  [KAS_SLOT_X] = {.buffer = r->arena, .offset_bytes = 2 * place * r->place_bytes},
                  [KAS_SLOT_Y] = {.buffer = r->arena, .offset_bytes = (2 * place + 1) * r->place_bytes}}};
}

/* One pass at a place, on a queue; true when all of it is right. */
bool pass_is_right(const rig *r, kas_queue *queue, size_t place, float start)
{
    static _Thread_local float x[ROWS * WIDTH], y[ROWS * WIDTH];
    kas_submission submission = at_place(r, place);
    for (size_t i = 0; i < ROWS * WIDTH; ++i)
        x[i] = start + (float)i;
    ok(kas_queue_upload(queue, r->arena, submission.slots[KAS_SLOT_X].offset_bytes, x, sizeof x));
    ok(kas_queue_submit(queue, &submission, 1, ROWS));
    ok(kas_queue_download(queue, r->arena, submission.slots[KAS_SLOT_Y].offset_bytes, y, sizeof y));
    ok(kas_queue_wait(queue, KAS_NEVER, NULL));
    for (size_t i = 0; i < ROWS * WIDTH; ++i)
        if (y[i] != 3 * x[i] - 1) return false;
    return true;
}
