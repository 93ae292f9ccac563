/* kasmina bench: forward passes in this process, without a server: what a device does with a layer and its
 * seeds. */
#include <kasmina/kasmina.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <jansson.h>

#include "cli/commands.h"
#include "cli/remote.h"
#include "cli/table.h"

enum { PASSES_MAX = 1 << 22 };

static const char layer_name[] = "bench", artifact_id[] = "bench";

typedef struct bench_shape {
    long long rows, inputs, outputs, seeds, threads;
    double seconds;
} bench_shape;

typedef struct passes {
    kas_engine *engine;
    kas_forward_request request;
    kas_forward_result result;
    double *microseconds; /* of each pass, PASSES_MAX */
    size_t count;
} passes;

static double now_s(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* ---- setting up ---- */

static kas_status create_layer(kas_engine *engine, const bench_shape *shape)
{
    kas_request request = {.size = sizeof request,
                           .kind = KAS_REQUEST_CREATE_LAYER,
                           .layer = layer_name,
                           .create_layer = {.layer_id = -1,
                                            .input_size = (uint32_t)shape->inputs,
                                            .output_size = (uint32_t)shape->outputs,
                                            .num_seeds = shape->seeds ? (uint32_t)shape->seeds : 1,
                                            .bias = true}};
    return kas_engine_call(engine, &request, NULL);
}

static kas_status load_seed(kas_engine *engine, uint32_t seed, float alpha)
{
    kas_request request = {.size = sizeof request,
                           .kind = KAS_REQUEST_LOAD,
                           .layer = layer_name,
                           .seed = seed,
                           .artifact_id = artifact_id,
                           .has_alpha = true,
                           .alpha = alpha};
    kas_reply reply = {.size = sizeof reply};
    kas_status status = kas_engine_call(engine, &request, &reply);
    if (!status) status = kas_engine_wait_operation(engine, reply.operation, INT64_MAX);
    kas_reply_finish(&reply);
    return status;
}

static kas_status load_kernel(kas_engine *engine, const void *bytes, size_t size, long long seeds)
{
    kas_request request = {.size = sizeof request,
                           .kind = KAS_REQUEST_PUT_KERNEL,
                           .artifact_id = artifact_id,
                           .put_kernel = {.bytes = bytes, .size_bytes = size}};
    kas_status status = kas_engine_call(engine, &request, NULL);
    for (long long seed = 0; seed < seeds && !status; ++seed)
        status = load_seed(engine, (uint32_t)seed, 1.0f / (float)(seeds + 1));
    return status;
}

/* ---- measuring ---- */

static bool make_room(passes *run, const bench_shape *shape)
{
    size_t rows = (size_t)shape->rows, inputs = (size_t)shape->inputs;
    float *x = malloc(rows * inputs * sizeof *x);
    float *y = malloc(rows * (size_t)shape->outputs * sizeof *y);
    run->microseconds = malloc(PASSES_MAX * sizeof *run->microseconds);
    run->request = (kas_forward_request){
        .size = sizeof run->request,
        .layer = layer_name,
        .input = {.data = x, .rank = 2, .shape = {shape->rows, shape->inputs}},
        .output = {.data = y, .rank = 2, .shape = {shape->rows, shape->outputs}},
    };
    run->result.size = sizeof run->result;
    if (!x || !y || !run->microseconds) return false;
    for (size_t i = 0; i < rows * inputs; ++i)
        x[i] = (float)sin((double)i);
    return true;
}

static void free_room(passes *run)
{
    free(run->request.input.data);
    free(run->request.output.data);
    free(run->microseconds);
}

static kas_status run_for(passes *run, double seconds)
{
    double start = now_s(), end = start + seconds;
    run->count = 0;
    while (start < end && run->count < PASSES_MAX) {
        kas_status status = kas_forward(run->engine, &run->request, &run->result);
        if (status) return status;
        double stop = now_s();
        run->microseconds[run->count++] = (stop - start) * 1e6;
        start = stop;
    }
    return NULL;
}

static double quantile(const passes *run, double part)
{
    size_t at = (size_t)(part * (double)run->count);
    return run->microseconds[at < run->count ? at : run->count - 1];
}

static int print_figures(const cli_arguments *arguments, passes *run, const bench_shape *shape)
{
    qsort(run->microseconds, run->count, sizeof *run->microseconds, by_size);
    double total = 0;
    for (size_t i = 0; i < run->count; ++i)
        total += run->microseconds[i];
    double a_second = (double)run->count / (total * 1e-6), median = quantile(run, 0.5);
    double products = 2.0 * (double)shape->rows * (double)shape->inputs * (double)shape->outputs;
    json_t *report =
        json_pack("{s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:f, s:f}", "rows", shape->rows, "input_size",
                  shape->inputs, "output_size", shape->outputs, "active_seeds", shape->seeds, "passes",
                  (json_int_t)run->count, "p50_us", median, "p99_us", quantile(run, 0.99),
                  "passes_per_second", a_second, "rows_per_second", a_second * (double)shape->rows,
                  "base_gflops_at_p50", products / median * 1e-3);
    int result = CLI_OK;
    if (!cli_switch(arguments, "json"))
        result = cli_print_object(report);
    else if (json_dumpf(report, stdout, JSON_INDENT(2)) || putchar('\n') < 0)
        result = cli_failure("cannot write the report");
    json_decref(report);
    return result;
}

static kas_status measure(kas_engine *engine, const bench_shape *shape, const void *kernel,
                          size_t kernel_size, passes *run)
{
    run->engine = engine;
    kas_status status = create_layer(engine, shape);
    if (!status && kernel) status = load_kernel(engine, kernel, kernel_size, shape->seeds);
    if (!status) status = run_for(run, shape->seconds * 0.2); /* warm */
    return status ? status : run_for(run, shape->seconds);
}

/* ---- the command ---- */

static bool read_shape(const cli_arguments *arguments, bench_shape *out)
{
    *out = (bench_shape){.rows = 32, .inputs = 512, .outputs = 256, .seeds = 0, .threads = 0, .seconds = 2};
    if (!cli_integer(arguments, "rows", 1, 1 << 20, &out->rows) ||
        !cli_integer(arguments, "in", 1, 65536, &out->inputs) ||
        !cli_integer(arguments, "out", 1, 65536, &out->outputs) ||
        !cli_integer(arguments, "seeds", 0, KAS_MAX_SEEDS, &out->seeds) ||
        !cli_integer(arguments, "threads", 1, 1024, &out->threads) ||
        !cli_real(arguments, "seconds", &out->seconds))
        return false;
    if (out->seconds > 0 && out->seconds <= 3600 && !out->seeds == !cli_value(arguments, "kernel"))
        return true;
    cli_usage_error(arguments->command, "%s",
                    out->seconds > 0 && out->seconds <= 3600 ? "--seeds and --kernel go together"
                                                             : "--seconds is a number above 0, at most 3600");
    return false;
}

static int run_bench(const cli_arguments *arguments, const bench_shape *shape, const void *kernel,
                     size_t kernel_size)
{
    const char *device = cli_value(arguments, "device");
    kas_engine_options options = {
        .size = sizeof options, .device = device ? device : "host:0", .threads = (uint32_t)shape->threads};
    kas_engine *engine = NULL;
    passes run = {0};
    if (!make_room(&run, shape)) {
        free_room(&run);
        return cli_failure("out of memory for %lld rows", shape->rows);
    }
    kas_status status = kas_engine_create(&options, &engine);
    if (!status) status = measure(engine, shape, kernel, kernel_size, &run);
    int result =
        status ? cli_failure("%s", kas_status_message(status)) : print_figures(arguments, &run, shape);
    kas_status_free(status);
    kas_engine_destroy(engine);
    free_room(&run);
    return result;
}

static int bench(const cli_arguments *arguments)
{
    const char *file = cli_value(arguments, "kernel");
    unsigned char *kernel = NULL;
    size_t size = 0;
    bench_shape shape;
    if (!read_shape(arguments, &shape)) return CLI_USAGE;
    if (file && !cli_read_file(file, &kernel, &size)) return CLI_FAILED;
    int result = run_bench(arguments, &shape, kernel, size);
    free(kernel);
    return result;
}

static const cli_option options[] = {
    {"device", "ID", NULL, "where to run (host:0)"},
    {"rows", "N", NULL, "rows of a pass (32)"},
    {"in", "N", NULL, "features of an input row (512)"},
    {"out", "N", NULL, "features of an output row (256)"},
    {"seeds", "N", NULL, "seeds with the kernel in them (0)"},
    {"kernel", "FILE", NULL, "the kernel of the seeds; of the layer's sizes"},
    {"threads", "N", NULL, "threads that compute (one a core)"},
    {"seconds", "S", NULL, "how long to measure (2)"},
    {"json", NULL, NULL, "for programs"},
};
const cli_command cli_bench = {"bench",
                               "",
                               "Measures forward passes on a device of this machine, without a server",
                               "  kasmina bench --rows 1\n"
                               "  kasmina bench --in 64 --out 10 --seeds 1 --kernel good.onnx\n",
                               false,
                               options,
                               sizeof options / sizeof *options,
                               bench};
