/* Measures an engine in its own process; one JSON line a figure on stdout. tools/bench runs it.
 *
 *   kas_bench forward ARTIFACTS THREADS SEEDS ROWS IN OUT
 *       µs of one forward pass. Reads milliseconds from stdin, a line a turn; answers each with what passes
 *       took in it: the median, the shortest, and the calling thread's processor time of one.
 *
 *   kas_bench load ARTIFACTS COUNT
 *       Of a cached kernel: to published, to acknowledged.
 *
 *   kas_bench swap ARTIFACTS MILLISECONDS 0|1
 *       p50 and p99 of passes, without and with a client that loads, unloads and changes alpha in a loop.
 *
 *   kas_bench change ARTIFACTS COUNT DEVICE
 *       Of a layer on that device whose kernel is changed for another in its cache: the median pass before
 * and after, the pass that first answers with the new one, and from the request to that answer.
 *
 * ARTIFACTS holds adapter-IN-OUT-K.onnx, K from 0 to 3 (tools/bench makes them). */
#include <kasmina/kasmina.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int64_t clock_ns(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec * 1000000000ll + time.tv_nsec;
}

static int64_t now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

static void must(kas_status status, const char *what)
{
    if (!status) return;
    fprintf(stderr, "kas_bench: %s: %s\n", what, kas_status_message(status));
    exit(1);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(double *sorted, size_t count, double part)
{
    size_t at = (size_t)(part * (double)count);
    return sorted[at < count ? at : count - 1];
}

static kas_engine *open_engine(const char *artifacts, unsigned threads, const char *device)
{
    kas_engine *engine;
    kas_engine_options options = {
        .size = sizeof options, .artifact_dir = artifacts, .device = device, .threads = threads};
    must(kas_engine_create(&options, &engine), "create engine");
    return engine;
}

static void create_layer(kas_engine *engine, unsigned inputs, unsigned outputs)
{
    kas_request request = {
        .size = sizeof request,
        .kind = KAS_REQUEST_CREATE_LAYER,
        .layer = "bench",
        .create_layer = {
            .layer_id = -1, .input_size = inputs, .output_size = outputs, .num_seeds = 4, .bias = true}};
    must(kas_engine_call(engine, &request, NULL), "create layer");
}

static void load(kas_engine *engine, unsigned seed, const char *artifact, float alpha)
{
    kas_request request = {.size = sizeof request,
                           .kind = KAS_REQUEST_LOAD,
                           .layer = "bench",
                           .seed = seed,
                           .artifact_id = artifact,
                           .has_alpha = true,
                           .alpha = alpha};
    kas_reply reply = {.size = sizeof reply};
    must(kas_engine_call(engine, &request, &reply), "load");
    must(kas_engine_wait_operation(engine, reply.operation, INT64_MAX), "load");
    kas_reply_finish(&reply);
}

static void change(kas_engine *engine, kas_request_kind kind, unsigned seed, float alpha)
{
    kas_request request = {.size = sizeof request,
                           .kind = kind,
                           .layer = "bench",
                           .seed = seed,
                           .has_alpha = kind == KAS_REQUEST_SET_ALPHA,
                           .alpha = alpha};
    must(kas_engine_call(engine, &request, NULL), "change");
}

typedef struct traffic {
    kas_forward_request request;
    kas_forward_result result;
} traffic;

static traffic make_traffic(unsigned rows, unsigned inputs, unsigned outputs)
{
    float *x = aligned_alloc(64, ((size_t)rows * inputs * sizeof *x + 63) & ~(size_t)63);
    float *y = aligned_alloc(64, ((size_t)rows * outputs * sizeof *y + 63) & ~(size_t)63);
    if (!x || !y) exit(1);
    for (size_t i = 0; i < (size_t)rows * inputs; ++i)
        x[i] = (float)((int)(i * 2654435761u >> 16 & 0xffff) - 32768) / 32768.0f;
    return (traffic){
        .request = {.size = sizeof(kas_forward_request),
                    .layer = "bench",
                    .input = {.data = x, .rank = 2, .shape = {rows, inputs}},
                    .output = {.data = y, .rank = 2, .shape = {rows, outputs}}},
        .result = {.size = sizeof(kas_forward_result)},
    };
}

/* Runs passes for a while and fills *times with µs of each; gives their number, at least 1. */
static size_t run_passes(kas_engine *engine, traffic *to, int64_t duration_ns, double *times, size_t capacity)
{
    const int64_t end = now_ns() + duration_ns;
    size_t count = 0;
    for (int64_t start = now_ns(); count == 0 || (start < end && count < capacity);) {
        must(kas_forward(engine, &to->request, &to->result), "forward");
        int64_t stop = now_ns();
        times[count++] = (double)(stop - start) * 1e-3;
        start = stop;
    }
    return count;
}

enum { TIMES_MAX = 1 << 20, WARM_UP_NS = 3000000 };
static double times[TIMES_MAX];

static int bench_forward(char **argv)
{
    const unsigned threads = (unsigned)atoi(argv[3]), seeds = (unsigned)atoi(argv[4]),
                   rows = (unsigned)atoi(argv[5]), inputs = (unsigned)atoi(argv[6]),
                   outputs = (unsigned)atoi(argv[7]);
    kas_engine *engine = open_engine(argv[2], threads, "host:0");
    create_layer(engine, inputs, outputs);
    for (unsigned seed = 0; seed < seeds; ++seed) {
        char artifact[64];
        snprintf(artifact, sizeof artifact, "adapter-%u-%u-%u", inputs, outputs, seed);
        load(engine, seed, artifact, 0.2f);
    }
    traffic to = make_traffic(rows, inputs, outputs);
    char line[32];
    while (fgets(line, sizeof line, stdin)) {
        run_passes(engine, &to, WARM_UP_NS, times, TIMES_MAX);
        int64_t before = clock_ns(CLOCK_THREAD_CPUTIME_ID);
        size_t count = run_passes(engine, &to, atoll(line) * 1000000, times, TIMES_MAX);
        double processor = (double)(clock_ns(CLOCK_THREAD_CPUTIME_ID) - before) * 1e-3 / (double)count;
        qsort(times, count, sizeof *times, compare);
        printf("{\"us\": %.3f, \"best_us\": %.3f, \"processor_us\": %.3f}\n", quantile(times, count, 0.5),
               times[0], processor);
        fflush(stdout);
    }
    kas_engine_destroy(engine);
    return 0;
}

static kas_request load_request(const char *artifact)
{
    return (kas_request){.size = sizeof(kas_request),
                         .kind = KAS_REQUEST_LOAD,
                         .layer = "bench",
                         .artifact_id = artifact,
                         .has_alpha = true,
                         .alpha = 0.2f};
}

static void note_reply(void *user, kas_status status, const kas_reply *reply)
{
    must(status, "load");
    if (!reply->finished) {
        fprintf(stderr, "kas_bench: the kernel was not on the device\n");
        exit(1);
    }
    atomic_store((atomic_bool *)user, true);
}

/* Passes of no rows tell the generation and cost nothing: the load is published when they see a new one. */
static double time_to_published(kas_engine *engine, traffic *probe)
{
    const kas_request request = load_request("adapter-512-256-0");
    atomic_bool replied = false;
    must(kas_forward(engine, &probe->request, &probe->result), "forward");
    uint64_t before = probe->result.generation;
    int64_t start = now_ns();
    must(kas_engine_submit(engine, &request, note_reply, &replied), "load");
    while (probe->result.generation == before)
        must(kas_forward(engine, &probe->request, &probe->result), "forward");
    int64_t stop = now_ns();
    while (!atomic_load(&replied))
        sched_yield();
    return (double)(stop - start) * 1e-3;
}

static double time_to_acknowledged(kas_engine *engine)
{
    const kas_request request = load_request("adapter-512-256-0");
    int64_t start = now_ns();
    must(kas_engine_call(engine, &request, NULL), "load");
    return (double)(now_ns() - start) * 1e-3;
}

/* A number above 0, or the end of the program; so below. */
static size_t count_of(const char *argument)
{
    int count = atoi(argument);
    if (count > 0) return (size_t)count;
    fprintf(stderr, "kas_bench: \"%s\" is not a number above 0\n", argument);
    exit(2);
}

/* In microseconds, of `count` measurements; free(). */
static double *make_times(size_t count)
{
    double *made = calloc(count, sizeof *made);
    if (made) return made;
    fprintf(stderr, "kas_bench: no memory for %zu measurements\n", count);
    exit(1);
}

static int bench_load(char **argv)
{
    const size_t loads = count_of(argv[3]);
    double *published = make_times(loads), *acknowledged = make_times(loads);
    kas_engine *engine = open_engine(argv[2], 1, "host:0");
    create_layer(engine, 512, 256);
    load(engine, 0, "adapter-512-256-0", 0.2f); /* brings it to the device */
    change(engine, KAS_REQUEST_UNLOAD, 0, 0);
    traffic probe = make_traffic(0, 512, 256);
    for (size_t i = 0; i < loads; ++i) {
        published[i] = time_to_published(engine, &probe);
        change(engine, KAS_REQUEST_UNLOAD, 0, 0);
        acknowledged[i] = time_to_acknowledged(engine);
        change(engine, KAS_REQUEST_UNLOAD, 0, 0);
    }
    qsort(published, loads, sizeof *published, compare);
    qsort(acknowledged, loads, sizeof *acknowledged, compare);
    printf("{\"published_us\": %.2f, \"acknowledged_us\": %.2f, \"acknowledged_p99_us\": %.2f}\n",
           quantile(published, loads, 0.5), quantile(acknowledged, loads, 0.5),
           quantile(acknowledged, loads, 0.99));
    free(published);
    free(acknowledged);
    kas_engine_destroy(engine);
    return 0;
}

typedef struct swapper {
    kas_engine *engine;
    atomic_bool stop;
    unsigned long swaps;
} swapper;

static void *swap_in_a_loop(void *user)
{
    swapper *self = user;
    for (unsigned i = 0; !atomic_load(&self->stop); ++i) {
        char artifact[64];
        snprintf(artifact, sizeof artifact, "adapter-512-256-%u", i % 4);
        load(self->engine, 1, artifact, 0.1f);
        change(self->engine, KAS_REQUEST_SET_ALPHA, 1, 0.3f);
        change(self->engine, KAS_REQUEST_UNLOAD, 1, 0);
        ++self->swaps;
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
    }
    return NULL;
}

static int bench_swap(char **argv)
{
    kas_engine *engine = open_engine(argv[2], 1, "host:0");
    create_layer(engine, 512, 256);
    load(engine, 0, "adapter-512-256-0", 0.2f);
    traffic to = make_traffic(32, 512, 256);
    swapper client = {.engine = engine};
    pthread_t thread;
    const bool with = atoi(argv[4]) != 0;
    if (with && pthread_create(&thread, NULL, swap_in_a_loop, &client)) return 1;
    run_passes(engine, &to, 100000000, times, TIMES_MAX);
    size_t count = run_passes(engine, &to, atoll(argv[3]) * 1000000, times, TIMES_MAX);
    atomic_store(&client.stop, true);
    if (with) pthread_join(thread, NULL);
    qsort(times, count, sizeof *times, compare);
    printf("{\"p50_us\": %.2f, \"p99_us\": %.2f, \"passes\": %zu, \"swaps\": %lu}\n",
           quantile(times, count, 0.5), quantile(times, count, 0.99), count, client.swaps);
    kas_engine_destroy(engine);
    return 0;
}

enum { PASSES_AROUND = 9 };

typedef struct change_times {
    double *before, *first, *after, *request;
} change_times;

static double median_pass(kas_engine *engine, traffic *to)
{
    for (size_t i = 0; i < PASSES_AROUND; ++i)
        run_passes(engine, to, 0, &times[i], 1);
    qsort(times, PASSES_AROUND, sizeof *times, compare);
    return times[PASSES_AROUND / 2];
}

static void time_change(kas_engine *engine, traffic *to, const char *artifact, change_times *out, size_t at)
{
    const kas_request request = load_request(artifact);
    atomic_bool replied = false;
    out->before[at] = median_pass(engine, to);
    const uint64_t before = to->result.generation;
    const int64_t start = now_ns();
    must(kas_engine_submit(engine, &request, note_reply, &replied), "load");
    while (to->result.generation == before)
        run_passes(engine, to, 0, &out->first[at], 1);
    out->request[at] = (double)(now_ns() - start) * 1e-3;
    while (!atomic_load(&replied))
        sched_yield();
    out->after[at] = median_pass(engine, to);
}

static double median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, compare);
    return quantile(values, count, 0.5);
}

static int bench_change(char **argv)
{
    const size_t count = count_of(argv[3]);
    kas_engine *engine = open_engine(argv[2], 1, argv[4]);
    change_times out = {make_times(count), make_times(count), make_times(count), make_times(count)};
    traffic to = make_traffic(32, 512, 256);
    create_layer(engine, 512, 256);
    for (unsigned seed = 0; seed < 4; ++seed) { /* all of them to the device */
        char artifact[64];
        snprintf(artifact, sizeof artifact, "adapter-512-256-%u", seed);
        load(engine, 0, artifact, 0.2f);
        run_passes(engine, &to, WARM_UP_NS, times, TIMES_MAX);
    }
    for (size_t i = 0; i < count; ++i) {
        char artifact[64];
        snprintf(artifact, sizeof artifact, "adapter-512-256-%zu", i % 4);
        time_change(engine, &to, artifact, &out, i);
    }
    printf("{\"before_us\": %.2f, \"first_us\": %.2f, \"after_us\": %.2f, \"request_us\": %.2f}\n",
           median(out.before, count), median(out.first, count), median(out.after, count),
           median(out.request, count));
    free(out.before);
    free(out.first);
    free(out.after);
    free(out.request);
    kas_engine_destroy(engine);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 8 && !strcmp(argv[1], "forward")) return bench_forward(argv);
    if (argc == 4 && !strcmp(argv[1], "load")) return bench_load(argv);
    if (argc == 5 && !strcmp(argv[1], "swap")) return bench_swap(argv);
    if (argc == 5 && !strcmp(argv[1], "change")) return bench_change(argv);
    fprintf(stderr, "usage: see the head of bench/inprocess.c\n");
    return 2;
}
