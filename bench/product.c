/* How long the host's product takes: bench_product [THREADS [ISA]]. Medians of 31 runs of many passes each,
 * as a whole pass of the device interface (submit and wait) of one `linear` launch with bias. With one thread
 * it is processor time, so that what else runs on the machine disturbs little. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backends/core/device.h"
#include "backends/host/driver.h"
#include "base/alloc.h"
#include "base/clock.h"

enum { RUNS = 31 };

static clockid_t measured_clock = CLOCK_MONOTONIC;

static double now_us(void)
{
    struct timespec time;
    clock_gettime(measured_clock, &time);
    return (double)time.tv_sec * 1e6 + (double)time.tv_nsec * 1e-3;
}

static void check(kas_status status)
{
    if (!status) return;
    fprintf(stderr, "bench_product: %s\n", kas_status_message(status));
    exit(1);
}

static kas_buffer *make(kas_device *device, size_t floats)
{
    kas_buffer *buffer;
    check(kas_buffer_create(device, floats * sizeof(float), "bench", &buffer));
    float *values = kas_buffer_host(buffer);
    for (size_t i = 0; i < floats; ++i)
        values[i] = (float)(rand() % 2001 - 1000) / 1000.0f;
    return buffer;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Median, and the fastest in *best. */
static double median_us(kas_queue *queue, const kas_submission *submission, uint32_t rows, double flops,
                        double *best)
{
    double runs[RUNS];
    int passes = (int)(2e8 / flops) + 1;
    for (int r = 0; r < RUNS; ++r) {
        double begin = now_us();
        for (int i = 0; i < passes; ++i) {
            check(kas_queue_submit(queue, submission, 1, rows));
            check(kas_queue_wait(queue, KAS_NEVER, NULL));
        }
        runs[r] = (now_us() - begin) / passes;
    }
    qsort(runs, RUNS, sizeof *runs, by_value);
    *best = runs[0];
    return runs[RUNS / 2];
}

static kas_list *record(kas_device *device, kas_buffer *w, kas_buffer *b, int k, int n)
{
    struct linear_args args = {.k = k, .n = n, .m = 1, .ldx = k, .ldy = n, .has_bias = 1};
    kas_launch launch = {
        .kernel = KAS_KERNEL_linear,
        .label = "linear",
        .bindings = {{.slot = KAS_SLOT_PARAMS},
                     {.slot = KAS_SLOT_X},
                     {.slot = KAS_SLOT_FIXED, .buffer = w},
                     {.slot = KAS_SLOT_FIXED, .buffer = b},
                     {.slot = KAS_SLOT_Y}},
        .grid_x = {.fixed = (uint32_t)n, .divisor = LINEAR_TILE_COLUMNS},
        .grid_y = {.per_row = 1, .divisor = LINEAR_TILE_ROWS},
    };
    memcpy(launch.args, &args, sizeof args);
    kas_list *list;
    check(kas_list_create(device, &launch, 1, "bench", &list));
    return list;
}

static void measure(kas_device *device, kas_queue *queue, uint32_t rows, int k, int n)
{
    size_t inputs = (size_t)k, outputs = (size_t)n;
    kas_buffer *x = make(device, rows * inputs), *y = make(device, rows * outputs),
               *bias = make(device, outputs);
    kas_buffer *plain = make(device, inputs * outputs), *params = make(device, PARAMS_HEAD), *w;
    check(kas_buffer_create(device, kas_device_packed_bytes(device, KAS_WEIGHT_F32, inputs, outputs),
                            "weights", &w));
    kas_device_pack(device, KAS_WEIGHT_F32, kas_buffer_host(plain), inputs, outputs, kas_buffer_host(w));
    *(uint32_t *)kas_buffer_host(params) = rows;
    kas_list *list = record(device, w, bias, k, n);
    kas_submission submission = {.list = list};
    submission.slots[KAS_SLOT_PARAMS].buffer = params;
    submission.slots[KAS_SLOT_X].buffer = x;
    submission.slots[KAS_SLOT_Y].buffer = y;
    double flops = 2.0 * rows * k * n, best, us = median_us(queue, &submission, rows, flops, &best);
    printf("%4u rows, %4d in, %4d out: %9.1f us  %6.1f GFLOP/s  (best %9.1f us)\n", rows, k, n, us,
           flops / us / 1e3, best);
    kas_list_release(list);
    kas_buffer *all[] = {x, y, bias, plain, params, w};
    for (size_t i = 0; i < sizeof all / sizeof *all; ++i)
        kas_buffer_release(all[i]);
}

int main(int argc, char **argv)
{
    static const int shapes[][3] = {{1, 512, 256},   {7, 512, 256},     {32, 512, 256},   {128, 512, 256},
                                    {1, 2048, 2048}, {128, 1024, 1024}, {512, 2048, 2048}};
    kas_device *device;
    kas_queue *queue;
    if (argc > 1) kas_device_use_threads((unsigned)atoi(argv[1]));
    if (argc > 2) setenv("KASMINA_HOST_ISA", argv[2], 1);
    check(kas_device_open("host:0", &device));
    check(kas_queue_create(device, "bench", &queue));
    kas_device_info info;
    kas_device_get_info(device, &info);
    printf("%s, %s, %u threads\n", info.name, kas_host_device_isa(device),
           kas_device_get_limits(device)->compute_units);
    if (kas_device_get_limits(device)->compute_units == 1) measured_clock = CLOCK_THREAD_CPUTIME_ID;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; ++i)
        measure(device, queue, (uint32_t)shapes[i][0], shapes[i][1], shapes[i][2]);
    kas_queue_destroy(queue);
    kas_device_release(device);
    return 0;
}
