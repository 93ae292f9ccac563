/* What a forward pass costs beside its product, with all seeds dormant.
 *
 *     dormant INPUTS OUTPUTS ROWS           the same product by kas_forward and by a direct call of the
 * host's product: check.py has callgrind count the instructions of each dormant --asked INPUTS OUTPUTS ROWS
 * what passes ask of the system: nothing, or it exits 1 (77: cannot tell) */
#include <kasmina/kasmina.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/host/driver.h"
#include "backends/host/isa.h"
#include "base/alloc.h"
#include "tests/overhead/asked.h"

enum { CALLS = 100 };

static void must(kas_status status)
{
    if (!status) return;
    fprintf(stderr, "dormant: %s\n", kas_status_message(status));
    exit(1);
}

static void *need(void *memory)
{
    if (!memory) must(kas_out_of_memory());
    return memory;
}

/* ---- by the engine ---- */

typedef struct setting {
    uint32_t inputs, outputs, rows;
    float *x, *y;
    kas_engine *engine;
    kas_forward_request request;
} setting;

static kas_engine *make_engine(uint32_t inputs, uint32_t outputs)
{
    const kas_engine_options options = {.size = sizeof options, .device = "host:0"};
    const kas_request request = {
        .size = sizeof request,
        .kind = KAS_REQUEST_CREATE_LAYER,
        .layer = "dormant",
        .create_layer = {.layer_id = -1, .input_size = inputs, .output_size = outputs, .bias = true}};
    kas_engine *engine;
    must(kas_engine_create(&options, &engine));
    must(kas_engine_call(engine, &request, NULL));
    return engine;
}

__attribute__((noinline)) void measured_passes(kas_engine *engine, const kas_forward_request *request,
                                               int calls);

void measured_passes(kas_engine *engine, const kas_forward_request *request, int calls)
{
    kas_forward_result result = {.size = sizeof result};
    for (int i = 0; i < calls; ++i)
        must(kas_forward(engine, request, &result));
}

/* Whatever is done once is done; not counted. */
static void warm_up(kas_engine *engine, const kas_forward_request *request)
{
    kas_forward_result result = {.size = sizeof result};
    for (int i = 0; i < 4; ++i)
        must(kas_forward(engine, request, &result));
}

/* ---- directly ---- */

typedef struct direct {
    struct linear_args args;
    kas_host_task task;
    kas_host_plan *plan;
} direct;

/* The host's product as anything else would call it: cut into parts for this many rows, then run. */
__attribute__((noinline)) void measured_products(direct *d, int calls);

void measured_products(direct *d, int calls)
{
    for (int i = 0; i < calls; ++i) {
        d->plan(&d->task, 1);
        d->task.run(&d->task, 0, d->task.parts);
    }
}

static void plan_direct(direct *d, const setting *s)
{
    uint32_t inputs = s->inputs, outputs = s->outputs;
    kas_device *device;
    const kas_host_isa *isa;
    must(kas_device_open("host:0", &device));
    must(kas_host_isa_choose(NULL, &isa));
    float *weight = need(kas_calloc((size_t)inputs * outputs, sizeof *weight));
    float *bias = need(kas_calloc(outputs, sizeof *bias));
    void *packed =
        need(kas_alloc_aligned(64, kas_device_packed_bytes(device, KAS_WEIGHT_F32, inputs, outputs)));
    kas_device_pack(device, KAS_WEIGHT_F32, weight, inputs, outputs, packed);
    kas_free(weight);
    kas_device_release(device);
    d->args = (struct linear_args){
        .k = (int)inputs, .n = (int)outputs, .m = 1, .ldx = (int)inputs, .ldy = (int)outputs, .has_bias = 1};
    d->task = (kas_host_task){.buffers = {NULL, s->x, packed, bias, s->y}, .args = &d->args, .rows = s->rows};
    d->plan = isa->plans[KAS_KERNEL_linear];
}

/* ---- the two measurements ---- */

static int count_asked(const setting *s)
{
    if (!asked_begin()) {
        fprintf(stderr, "dormant: SKIPPED: this kernel does not dispatch system calls to the program\n");
        return 77;
    }
    measured_passes(s->engine, &s->request, CALLS);
    asked found = asked_end();
    printf("%d passes: %lu allocations, %lu locks, system calls: ", CALLS, found.memory, found.locks);
    printf(found.any_system_call ? "number %ld\n" : "none\n", found.first_system_call);
    return found.memory || found.locks || found.any_system_call;
}

static int run_both(const setting *s)
{
    direct d;
    plan_direct(&d, s);
    measured_passes(s->engine, &s->request, CALLS);
    measured_products(&d, CALLS);
    return 0;
}

static setting make_setting(char **sizes)
{
    setting s = {.inputs = (uint32_t)atoi(sizes[0]),
                 .outputs = (uint32_t)atoi(sizes[1]),
                 .rows = (uint32_t)atoi(sizes[2])};
    s.x = need(kas_calloc((size_t)s.rows * s.inputs, sizeof *s.x));
    s.y = need(kas_calloc((size_t)s.rows * s.outputs, sizeof *s.y));
    s.engine = make_engine(s.inputs, s.outputs);
    s.request = (kas_forward_request){.size = sizeof s.request,
                                      .layer = "dormant",
                                      .input = {.data = s.x, .rank = 2, .shape = {s.rows, s.inputs}},
                                      .output = {.data = s.y, .rank = 2, .shape = {s.rows, s.outputs}}};
    return s;
}

int main(int argc, char **argv)
{
    bool asked_for = argc == 5 && strcmp(argv[1], "--asked") == 0;
    if (argc != 4 && !asked_for) return 2;
    setenv("KASMINA_THREADS", "1", 1);
    setting s = make_setting(argv + 1 + asked_for);
    warm_up(s.engine, &s.request);
    return asked_for ? count_asked(&s) : run_both(&s);
}
