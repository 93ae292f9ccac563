#include "selftest/segment_runner.h"

#include "base/clock.h"
#include "selftest/need.h"

void segment_runner_open(segment_runner *runner, const char *device_id)
{
    *runner = (segment_runner){0};
    selftest_need(kas_device_open(device_id, &runner->device), device_id);
    selftest_need(kas_queue_create(runner->device, "conformance", &runner->queue), device_id);
}

void segment_runner_close(segment_runner *runner)
{
    kas_queue_destroy(runner->queue);
    kas_device_release(runner->device);
}

static kas_buffer *make_buffer(segment_runner *runner, size_t size_bytes)
{
    kas_buffer *buffer;
    selftest_need(kas_buffer_create(runner->device, size_bytes ? size_bytes : 4, "conformance", &buffer),
                  "a buffer");
    return buffer;
}

void segment_runner_load(segment_runner *runner, const kas_graph *graph, uint32_t rows, const char *what)
{
    kas_segment_plan *plan;
    selftest_need(kas_segment_plan_create(runner->device, graph, rows, &plan), what);
    runner->weights = 0;
    for (uint32_t i = 0; i < kas_segment_plan_info(plan)->launches; ++i)
        runner->weights |= 1u << kas_kernel_weight_type(kas_segment_plan_kernel(plan, i));
    selftest_need(kas_segment_create(plan, runner->queue, KAS_NEVER, &runner->segment), what);
    kas_segment_plan_destroy(plan);
    const kas_segment_info *info = kas_segment_get_info(runner->segment);
    runner->rows = info->rows_max < rows ? info->rows_max : rows;
    runner->x = make_buffer(runner, runner->rows * info->inputs * sizeof(float));
    runner->y = make_buffer(runner, runner->rows * info->outputs * sizeof(float));
    runner->work = make_buffer(runner, info->work_bytes);
    runner->params = make_buffer(runner, PARAMS_HEAD * sizeof(uint32_t));
}

void segment_runner_unload(segment_runner *runner)
{
    kas_segment_release(runner->segment);
    kas_buffer_release(runner->x);
    kas_buffer_release(runner->y);
    kas_buffer_release(runner->work);
    kas_buffer_release(runner->params);
    runner->segment = NULL;
}

static void run_part(segment_runner *runner, const float *x, uint32_t rows, float *y)
{
    const kas_segment_info *info = kas_segment_get_info(runner->segment);
    const uint32_t params[PARAMS_HEAD] = {rows};
    kas_submission submission = {
        .list = runner->fast ? kas_segment_fast_list(runner->segment) : kas_segment_list(runner->segment),
        .slots = {[KAS_SLOT_PARAMS] = {.buffer = runner->params},
                  [KAS_SLOT_X] = {.buffer = runner->x},
                  [KAS_SLOT_Y] = {.buffer = runner->y},
                  [KAS_SLOT_WORK] = {.buffer = runner->work}},
    };
    selftest_need(kas_queue_upload(runner->queue, runner->params, 0, params, sizeof params), "parameters");
    selftest_need(kas_queue_upload(runner->queue, runner->x, 0, x, rows * info->inputs * sizeof *x), "input");
    selftest_need(kas_queue_submit(runner->queue, &submission, 1, rows), "pass");
    selftest_need(kas_queue_download(runner->queue, runner->y, 0, y, rows * info->outputs * sizeof *y),
                  "output");
    selftest_need(kas_queue_wait(runner->queue, KAS_NEVER, NULL), "pass");
}

void segment_runner_run(segment_runner *runner, const float *x, uint32_t rows, float *y)
{
    const kas_segment_info *info = kas_segment_get_info(runner->segment);
    for (uint32_t done = 0; done < rows;) {
        uint32_t part = rows - done < runner->rows ? rows - done : runner->rows;
        run_part(runner, x + done * info->inputs, part, y + done * info->outputs);
        done += part;
    }
}
