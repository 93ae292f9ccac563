#include "tests/devices/doubling_rig.h"

#include <string.h>

#include "base/clock.h"

static kas_launch doubling(void)
{
    struct blend_args args = {.n = RIG_WIDTH, .coefficients = RESULT_HEAD * RIG_ROWS};
    kas_launch launch = {
        .kernel = KAS_KERNEL_blend,
        .label = "doubling",
        .bindings = {{.slot = KAS_SLOT_PARAMS},
                     {.slot = KAS_SLOT_X},
                     {.slot = KAS_SLOT_BLEND},
                     {.slot = KAS_SLOT_RESULT},
                     {.slot = KAS_SLOT_Y}},
        .grid_x = {.per_row = RIG_WIDTH, .divisor = BLEND_GROUP},
        .grid_y = {.fixed = 1, .divisor = 1},
    };
    memcpy(launch.args, &args, sizeof args);
    return launch;
}

/* Also after a failure, as a queue may not end before what it was given. */
static kas_status wait(rig *r, kas_status before, int64_t deadline_ns, kas_progress *progress)
{
    return kas_join(before, kas_queue_wait(r->queue, before ? KAS_NEVER : deadline_ns, progress));
}

static kas_status fill(rig *r)
{
    uint32_t words[RESULT_HEAD * RIG_ROWS + RIG_ROWS] = {0}, params[PARAMS_HEAD] = {RIG_ROWS};
    float two = 2.0f, x[RIG_ROWS * RIG_WIDTH];
    for (size_t i = 0; i < RIG_ROWS * RIG_WIDTH; ++i)
        x[i] = (float)i;
    for (size_t i = 0; i < RIG_ROWS; ++i)
        memcpy(&words[RESULT_HEAD * RIG_ROWS + i], &two, sizeof two);
    KAS_TRY(kas_buffer_create(r->device, sizeof params, "params", &r->params));
    KAS_TRY(kas_buffer_create(r->device, sizeof x, "input", &r->x));
    KAS_TRY(kas_buffer_create(r->device, sizeof words, "result", &r->result));
    KAS_TRY(kas_buffer_create(r->device, sizeof x, "output", &r->y));
    kas_status status = kas_queue_upload(r->queue, r->params, 0, params, sizeof params);
    if (!status) status = kas_queue_upload(r->queue, r->x, 0, x, sizeof x);
    if (!status) status = kas_queue_upload(r->queue, r->result, 0, words, sizeof words);
    return wait(r, status, KAS_NEVER, NULL);
}

kas_status rig_open(rig *r, const char *device_id, size_t launches)
{
    kas_launch all[RIG_LAUNCHES_MAX];
    memset(r, 0, sizeof *r);
    r->launch = doubling();
    for (size_t i = 0; i < launches; ++i)
        all[i] = r->launch;
    KAS_TRY(kas_device_open(device_id, &r->device));
    KAS_TRY(kas_queue_create(r->device, "rig", &r->queue));
    KAS_TRY(fill(r));
    return kas_list_create(r->device, all, launches, "double", &r->list);
}

kas_submission rig_submission(const rig *r)
{
    kas_submission submission = {.list = r->list};
    submission.slots[KAS_SLOT_PARAMS].buffer = r->params;
    submission.slots[KAS_SLOT_X].buffer = r->x;
    submission.slots[KAS_SLOT_BLEND].buffer = r->x;
    submission.slots[KAS_SLOT_RESULT].buffer = r->result;
    submission.slots[KAS_SLOT_Y].buffer = r->y;
    return submission;
}

kas_status rig_run(rig *r, uint32_t rows, int64_t deadline_ns, kas_progress *progress)
{
    const uint32_t params[PARAMS_HEAD] = {rows};
    kas_submission submission = rig_submission(r);
    memset(r->out, 0xff, sizeof r->out);
    kas_status status = kas_queue_upload(r->queue, r->params, 0, params, sizeof params);
    if (!status) status = kas_queue_fill(r->queue, r->y, 0, 0, sizeof r->out);
    if (!status) status = kas_queue_submit(r->queue, &submission, 1, rows);
    if (!status) status = kas_queue_download(r->queue, r->y, 0, r->out, sizeof r->out);
    return wait(r, status, deadline_ns, progress);
}

bool rig_is_doubled(const rig *r, uint32_t rows)
{
    for (size_t i = 0; i < RIG_ROWS * RIG_WIDTH; ++i) {
        float wanted = i < (size_t)rows * RIG_WIDTH ? 2.0f * (float)i : 0.0f;
        if (r->out[i] != wanted) return false;
    }
    return true;
}

void rig_close(rig *r)
{
    kas_list_release(r->list);
    kas_queue_destroy(r->queue);
    kas_buffer *const buffers[] = {r->params, r->x, r->result, r->y};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; ++i)
        if (buffers[i]) kas_buffer_release(buffers[i]);
    kas_device_release(r->device);
    memset(r, 0, sizeof *r);
}
