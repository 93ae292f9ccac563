/* kas_device_bench DEVICE THREADS ROUNDS MILLISECONDS ROWSxINPUTSxOUTPUTS…
 *
 * What a device (which uses that many of this machine's threads, where it computes on those) costs beside
 * what it is made of: launches, replay of lists, copies, products; through the device interface alone. JSON
 * on stdout (contest.h); ./dev bench runs it. What a vendor's library is wanted for and is not installed is
 * said on stderr. Exit code 1: something failed, or a product was wrong; 2: not called like that. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/core/device.h"
#include "base/clock.h"
#include "bench/devices/contest.h"
#include "bench/devices/vendor.h"

enum { QUEUED = 100, STEPS = 3, COPY_BYTES = 16 << 20, ELEMENTS = 256 };

typedef struct rig {
    kas_device *device;
    kas_queue *queue;
    kas_device_info info;
    uint32_t threads;
} rig;

static bool is_cuda(const rig *self)
{
    return strcmp(self->info.api, "cuda") == 0;
}

static void wait_for(kas_queue *queue)
{
    must(kas_queue_wait(queue, KAS_NEVER, NULL), "waiting");
}

static kas_buffer *make_zeroed(const rig *self, size_t size_bytes)
{
    kas_buffer *buffer;
    must(kas_buffer_create(self->device, size_bytes, "bench", &buffer), "buffer");
    must(kas_queue_fill(self->queue, buffer, 0, 0, size_bytes), "fill");
    wait_for(self->queue);
    return buffer;
}

static kas_buffer *make_buffer(const rig *self, const void *content, size_t size_bytes)
{
    kas_buffer *buffer;
    must(kas_buffer_create(self->device, size_bytes, "bench", &buffer), "buffer");
    must(kas_queue_upload(self->queue, buffer, 0, content, size_bytes), "upload");
    wait_for(self->queue);
    return buffer;
}

/* ---- launches ---- */

/* Submissions of one list of small launches: `count` at once, waited for. */
typedef struct submissions {
    kas_queue *queue;
    size_t count;
    kas_submission all[QUEUED];
} submissions;

static void submit_and_wait(void *user)
{
    const submissions *self = user;
    must(kas_queue_submit(self->queue, self->all, self->count, 1), "submit");
    wait_for(self->queue);
}

static kas_list *record_small(const rig *self, size_t launches)
{
    kas_launch all[STEPS] = {0};
    const struct unary_args args = {.elements = ELEMENTS};
    for (size_t i = 0; i < launches; ++i) {
        all[i] = (kas_launch){
            .kernel = KAS_KERNEL_unary,
            .bindings = {{.slot = KAS_SLOT_PARAMS}, {.slot = KAS_SLOT_X}, {.slot = KAS_SLOT_Y}},
            .grid_x = {.fixed = 1, .divisor = 1},
            .grid_y = {.fixed = 1, .divisor = 1},
        };
        memcpy(all[i].args, &args, sizeof args);
    }
    kas_list *list;
    must(kas_list_create(self->device, all, launches, "bench", &list), "list");
    return list;
}

static void fill_submissions(submissions *out, const rig *self, kas_list *list, kas_buffer *const slots[3],
                             size_t count)
{
    *out = (submissions){.queue = self->queue, .count = count};
    for (size_t i = 0; i < count; ++i) {
        out->all[i].list = list;
        out->all[i].slots[KAS_SLOT_PARAMS].buffer = slots[0];
        out->all[i].slots[KAS_SLOT_X].buffer = slots[1];
        out->all[i].slots[KAS_SLOT_Y].buffer = slots[2];
    }
}

static void measure_launches(const rig *self)
{
    static submissions one, queued, replay, singles;
    const uint32_t params[PARAMS_HEAD] = {1};
    kas_buffer *slots[] = {make_buffer(self, params, sizeof params),
                           make_zeroed(self, ELEMENTS * sizeof(float)),
                           make_zeroed(self, ELEMENTS * sizeof(float))};
    kas_list *single = record_small(self, 1), *steps = record_small(self, STEPS);
    fill_submissions(&one, self, single, slots, 1);
    fill_submissions(&queued, self, single, slots, QUEUED);
    fill_submissions(&replay, self, steps, slots, 1);
    fill_submissions(&singles, self, single, slots, STEPS);
    contestant all[5] = {{"", submit_and_wait, &one, 0, {0}},
                         {"", submit_and_wait, &queued, 0, {0}},
                         {"", submit_and_wait, &replay, 0, {0}},
                         {"", submit_and_wait, &singles, 0, {0}}};
    vendor_run bare = {0};
    if (is_cuda(self))
        vendor_cuda_graph(STEPS, &bare), all[4] = (contestant){bare.name, bare.run, bare.user, 0, {0}};
    contest(all, is_cuda(self) ? 5 : 4);
    figure("a launch, submitted and waited for", all[0].us, "µs", NULL, 0);
    figure("a launch of 100 that are queued", all[1].us / QUEUED, "µs", "a single one",
           contest_us_beside(&all[1], &all[0]));
    figure("replay of a list of 3 launches", all[2].us, "µs", "3 lists of one, submitted at once",
           contest_us_beside(&all[2], &all[3]));
    if (bare.finish) {
        figure("replay of a list of 3 launches", all[2].us, "µs", "bare graph launch",
               contest_us_beside(&all[2], &all[4]));
        bare.finish(bare.user);
    }
    kas_list_release(single);
    kas_list_release(steps);
    for (size_t i = 0; i < sizeof slots / sizeof *slots; ++i)
        kas_buffer_release(slots[i]);
}

/* ---- copies ---- */

typedef struct copies {
    kas_queue *queue;
    kas_buffer *buffer;
    void *host, *other;
} copies;

static void run_upload(void *user)
{
    const copies *self = user;
    must(kas_queue_upload(self->queue, self->buffer, 0, self->host, COPY_BYTES), "upload");
    wait_for(self->queue);
}

static void run_download(void *user)
{
    const copies *self = user;
    must(kas_queue_download(self->queue, self->buffer, 0, self->host, COPY_BYTES), "download");
    wait_for(self->queue);
}

static void run_memcpy(void *user)
{
    const copies *self = user;
    memcpy(self->other, self->host, COPY_BYTES);
    __asm__ volatile("" ::"r"(self->other) : "memory"); /* the copy is wanted although nobody reads it */
}

static void measure_copies(const rig *self)
{
    copies state = {.queue = self->queue,
                    .buffer = make_zeroed(self, COPY_BYTES),
                    .host = must_alloc(COPY_BYTES),
                    .other = must_alloc(COPY_BYTES)};
    vendor_run plain[2] = {{"memcpy", run_memcpy, NULL, &state}, {"memcpy", run_memcpy, NULL, &state}};
    if (is_cuda(self)) vendor_cuda_copies(COPY_BYTES, &plain[0], &plain[1]);
    contestant all[] = {{"upload", run_upload, &state, 0, {0}},
                        {plain[0].name, plain[0].run, plain[0].user, 0, {0}},
                        {"download", run_download, &state, 0, {0}},
                        {plain[1].name, plain[1].run, plain[1].user, 0, {0}}};
    contest(all, 4);
    for (size_t i = 0; i < 4; i += 2)
        figure(i ? "download of 16 MiB" : "upload of 16 MiB", COPY_BYTES / all[i].us, "MB/s", all[i + 1].name,
               COPY_BYTES / all[i + 1].us);
    for (size_t i = 0; i < 2; ++i)
        if (plain[i].finish) plain[i].finish(plain[i].user);
    kas_buffer_release(state.buffer);
    free(state.host);
    free(state.other);
}

/* ---- products ---- */

static void fill_random(float *values, size_t count)
{
    for (size_t i = 0; i < count; ++i)
        values[i] = (float)(rand() % 2001 - 1000) / 1000.0f;
}

/* What is enough of a layer's product, over weights of a type; all but the first are of `math: fast`. */
typedef struct product_kind {
    const char *name;
    kas_weight_type type;
    kas_precision precision;
    double tolerance; /* of a result, times the inputs */
} product_kind;

static const product_kind product_kinds[] = {
    {"product", KAS_WEIGHT_F32, KAS_PRECISION_F32, 1e-5},
    {"fast product, TF32", KAS_WEIGHT_F32, KAS_PRECISION_TF32, 2e-4},
    {"fast product, f16 weights", KAS_WEIGHT_F16, KAS_PRECISION_TF32, 2e-4},
    {"fast product, bf16 weights", KAS_WEIGHT_BF16, KAS_PRECISION_BF16, 2e-3},
};

static kas_list *record_product(const rig *self, const product_case *of, const product_kind *kind,
                                kas_buffer *weights)
{
    const int k = (int)of->inputs, n = (int)of->outputs;
    const struct linear_args args = {.k = k, .n = n, .m = 1, .ldx = k, .ldy = n};
    kas_launch launch = {
        .kernel = kas_kernel_over(KAS_KERNEL_linear, kind->type),
        .precision = (uint8_t)kind->precision,
        .bindings = {{.slot = KAS_SLOT_PARAMS},
                     {.slot = KAS_SLOT_X},
                     {.slot = KAS_SLOT_FIXED, .buffer = weights},
                     {.slot = KAS_SLOT_FIXED, .buffer = weights},
                     {.slot = KAS_SLOT_Y}},
        .grid_x = {.fixed = of->outputs, .divisor = LINEAR_TILE_COLUMNS},
        .grid_y = {.per_row = 1, .divisor = LINEAR_TILE_ROWS},
    };
    memcpy(launch.args, &args, sizeof args);
    kas_list *list;
    must(kas_list_create(self->device, &launch, 1, "product", &list), "list");
    return list;
}

/* Some of the results, against float64: what is fast and wrong is no figure. */
static void check_product(const product_case *of, const product_kind *kind, const float *y)
{
    for (size_t i = 0; i < 64; ++i) {
        const size_t row = i * 7 % of->rows, output = i * 37 % of->outputs;
        double sum = 0;
        for (size_t k = 0; k < of->inputs; ++k)
            sum += (double)of->x[row * of->inputs + k] * of->w[output * of->inputs + k];
        if (fabs(y[row * of->outputs + output] - sum) <= kind->tolerance * of->inputs) continue;
        must(kas_fail(KAS_INTERNAL, DEVICE, "row %zu, output %zu is %.9g, not %.9g", row, output,
                      y[row * of->outputs + output], sum),
             "product");
    }
}

typedef struct product_run {
    submissions *submit;
    uint32_t rows;
} product_run;

static void run_product(void *user)
{
    const product_run *self = user;
    must(kas_queue_submit(self->submit->queue, self->submit->all, 1, self->rows), "submit");
    wait_for(self->submit->queue);
}

static void compare_product(const product_case *of, const product_kind *kind, product_run *ours,
                            const rig *self)
{
    vendor_run vendors[VENDOR_PRODUCTS_MAX];
    contestant all[1 + VENDOR_PRODUCTS_MAX] = {{"", run_product, ours, 0, {0}}};
    const size_t count = is_cuda(self) ? vendor_cuda_products(of, kind->precision, vendors)
                         : kas_device_get_limits(self->device)->host_pointers
                             ? vendor_host_products(of, self->threads, vendors)
                             : 0;
    for (size_t i = 0; i < count; ++i)
        all[1 + i] = (contestant){vendors[i].name, vendors[i].run, vendors[i].user, 0, {0}};
    contest(all, 1 + count);
    char name[96];
    const double flops = 2.0 * of->rows * of->inputs * of->outputs * 1e-3;
    snprintf(name, sizeof name, "%s %ux%ux%u", kind->name, of->rows, of->inputs, of->outputs);
    if (!count) figure(name, flops / all[0].us, "GFLOP/s", NULL, 0);
    for (size_t i = 0; i < count; ++i) {
        figure(name, flops / all[0].us, "GFLOP/s", vendors[i].name, flops / all[1 + i].us);
        vendors[i].finish(vendors[i].user);
    }
}

/* Weights that are exact in every type. */
static void fill_short(float *values, size_t count)
{
    for (size_t i = 0; i < count; ++i)
        values[i] = (float)(rand() % 257 - 128) / 128.0f;
}

static void measure_product(const rig *self, const product_kind *kind, uint32_t rows, uint32_t inputs,
                            uint32_t outputs)
{
    static submissions submit;
    const size_t x_bytes = (size_t)rows * inputs * sizeof(float),
                 y_bytes = (size_t)rows * outputs * sizeof(float), w_count = (size_t)inputs * outputs,
                 packed_bytes = kas_device_packed_bytes(self->device, kind->type, inputs, outputs);
    float *x = must_alloc(x_bytes), *w = must_alloc(w_count * sizeof *w), *y = must_alloc(y_bytes);
    void *packed = must_alloc(packed_bytes);
    fill_random(x, x_bytes / sizeof *x);
    fill_short(w, w_count);
    kas_device_pack(self->device, kind->type, w, inputs, outputs, packed);
    const uint32_t params[PARAMS_HEAD] = {rows};
    kas_buffer *weights = make_buffer(self, packed, packed_bytes);
    kas_buffer *slots[] = {make_buffer(self, params, sizeof params), make_buffer(self, x, x_bytes),
                           make_zeroed(self, y_bytes)};
    const product_case of = {rows, inputs, outputs, x, w, y};
    kas_list *list = record_product(self, &of, kind, weights);
    fill_submissions(&submit, self, list, slots, 1);
    product_run ours = {&submit, rows};
    run_product(&ours);
    must(kas_queue_download(self->queue, slots[2], 0, y, y_bytes), "download");
    wait_for(self->queue);
    check_product(&of, kind, y);
    compare_product(&of, kind, &ours, self);
    kas_list_release(list);
    kas_buffer_release(weights);
    for (size_t i = 0; i < sizeof slots / sizeof *slots; ++i)
        kas_buffer_release(slots[i]);
    free(x), free(w), free(y), free(packed);
}

int main(int count, char **arguments)
{
    if (count < 5) {
        fprintf(stderr, "usage: kas_device_bench DEVICE THREADS ROUNDS MILLISECONDS ROWSxINPUTSxOUTPUTS…\n");
        return 2;
    }
    rig self;
    kas_device_use_threads((uint32_t)atoi(arguments[2]));
    must(kas_device_open(arguments[1], &self.device), arguments[1]);
    must(kas_queue_create(self.device, "bench", &self.queue), "queue");
    kas_device_get_info(self.device, &self.info);
    self.threads = kas_device_get_limits(self.device)->compute_units;
    contest_set_turns((unsigned)atoi(arguments[3]), (unsigned)atoi(arguments[4]));
    figures_begin(self.info.id, self.info.name);
    measure_launches(&self);
    measure_copies(&self);
    for (int i = 5; i < count; ++i) {
        unsigned rows, inputs, outputs;
        if (sscanf(arguments[i], "%ux%ux%u", &rows, &inputs, &outputs) != 3 || !rows || !inputs || !outputs) {
            fprintf(stderr, "kas_device_bench: %s: ROWSxINPUTSxOUTPUTS is wanted\n", arguments[i]);
            return 2;
        }
        for (size_t kind = 0; kind < sizeof product_kinds / sizeof *product_kinds; ++kind)
            if (!kind || kas_device_fast_types(self.device) >> product_kinds[kind].type & 1)
                measure_product(&self, &product_kinds[kind], rows, inputs, outputs);
    }
    figures_end();
    kas_queue_destroy(self.queue);
    kas_device_release(self.device);
    return 0;
}
