/* The CUDA driver by itself: copies of pinned memory, and a graph of kernels that do nothing. */
#include <stdio.h>
#include <stdlib.h>

#include "bench/devices/contest.h"
#include "bench/devices/vendor_cuda.h"

/* The parameters of ours (kernels/unary.k), so that the driver has as much to pass; nothing is done. */
static const char empty_kernel[] = ".version 6.4\n"
                                   ".target sm_50\n"
                                   ".address_size 64\n"
                                   ".visible .entry unary(\n"
                                   ".param .u64 unary_param_0,\n"
                                   ".param .u64 unary_param_1,\n"
                                   ".param .u64 unary_param_2,\n"
                                   ".param .align 4 .b8 unary_param_3[16]\n"
                                   ")\n"
                                   ".maxntid 256, 1, 1\n"
                                   "{\n"
                                   "ret;\n"
                                   "}\n";
enum { GROUP_ITEMS = 256, GRAPH_BYTES = 4096 };

static vendor_cuda world;

void vendor_cuda_must(cuda_code code, const char *what)
{
    if (code == CUDA_SUCCESS) return;
    fprintf(stderr, "kas_device_bench: %s: CUDA error %d\n", what, (int)code);
    exit(1);
}

const vendor_cuda *vendor_cuda_open(void)
{
    if (world.driver) return &world;
    cuda_device_id device;
    cuda_context context;
    world.driver = kas_cuda_load();
    if (!world.driver) must(kas_fail(KAS_NOT_FOUND, DEVICE, "there is no driver"), "CUDA");
    vendor_cuda_must(world.driver->device_get(&device, 0), "cuDeviceGet");
    vendor_cuda_must(world.driver->context_retain(&context, device), "cuDevicePrimaryCtxRetain");
    vendor_cuda_must(world.driver->context_push(context), "cuCtxPushCurrent"); /* for the program's life */
    vendor_cuda_must(world.driver->stream_create(&world.stream, CUDA_STREAM_NON_BLOCKING), "cuStreamCreate");
    return &world;
}

void vendor_cuda_wait(void)
{
    cuda_code code;
    do
        code = world.driver->stream_query(world.stream);
    while (code == CUDA_ERROR_NOT_READY);
    vendor_cuda_must(code, "what the stream ran");
}

/* ---- copies ---- */

typedef struct copy {
    cuda_address memory;
    void *pinned;
    size_t size_bytes;
} copy;

static void run_upload(void *user)
{
    const copy *self = user;
    vendor_cuda_must(world.driver->copy_in(self->memory, self->pinned, self->size_bytes, world.stream),
                     "cuMemcpyHtoDAsync");
    vendor_cuda_wait();
}

static void run_download(void *user)
{
    const copy *self = user;
    vendor_cuda_must(world.driver->copy_out(self->pinned, self->memory, self->size_bytes, world.stream),
                     "cuMemcpyDtoHAsync");
    vendor_cuda_wait();
}

static void finish_copy(void *user)
{
    copy *self = user;
    vendor_cuda_must(world.driver->memory_free(self->memory), "cuMemFree");
    vendor_cuda_must(world.driver->pinned_free(self->pinned), "cuMemFreeHost");
    free(self);
}

static copy *make_copy(size_t size_bytes)
{
    const vendor_cuda *cuda = vendor_cuda_open();
    copy *self = must_alloc(sizeof *self);
    self->size_bytes = size_bytes;
    vendor_cuda_must(cuda->driver->memory_alloc(&self->memory, size_bytes), "cuMemAlloc");
    vendor_cuda_must(cuda->driver->pinned_alloc(&self->pinned, size_bytes, 0), "cuMemHostAlloc");
    return self;
}

void vendor_cuda_copies(size_t size_bytes, vendor_run *upload, vendor_run *download)
{
    *upload =
        (vendor_run){"cuMemcpyHtoDAsync of pinned memory", run_upload, finish_copy, make_copy(size_bytes)};
    *download =
        (vendor_run){"cuMemcpyDtoHAsync to pinned memory", run_download, finish_copy, make_copy(size_bytes)};
}

/* ---- a bare graph ---- */

typedef struct bare_graph {
    cuda_address memory;
    cuda_module module;
    cuda_graph graph;
    cuda_exec exec;
} bare_graph;

static void run_graph(void *user)
{
    const bare_graph *self = user;
    vendor_cuda_must(world.driver->exec_launch(self->exec, world.stream), "cuGraphLaunch");
    vendor_cuda_wait();
}

static void finish_graph(void *user)
{
    bare_graph *self = user;
    vendor_cuda_must(world.driver->exec_destroy(self->exec), "cuGraphExecDestroy");
    vendor_cuda_must(world.driver->graph_destroy(self->graph), "cuGraphDestroy");
    vendor_cuda_must(world.driver->module_unload(self->module), "cuModuleUnload");
    vendor_cuda_must(world.driver->memory_free(self->memory), "cuMemFree");
    free(self);
}

static void add_kernels(const kas_cuda_symbols *driver, bare_graph *self, unsigned kernels)
{
    struct {
        int words[4];
    } args = {{1}};
    void *parameters[] = {&self->memory, &self->memory, &self->memory, &args};
    cuda_kernel_node node = {.grid_x = 1,
                             .grid_y = 1,
                             .grid_z = 1,
                             .block_x = GROUP_ITEMS,
                             .block_y = 1,
                             .block_z = 1,
                             .parameters = parameters};
    vendor_cuda_must(driver->module_function(&node.function, self->module, "unary"), "cuModuleGetFunction");
    cuda_node last = NULL;
    for (unsigned i = 0; i < kernels; ++i) {
        const cuda_node after = last;
        vendor_cuda_must(driver->graph_add_kernel(&last, self->graph, &after, i > 0, &node),
                         "cuGraphAddKernelNode");
    }
}

void vendor_cuda_graph(unsigned kernels, vendor_run *out)
{
    const kas_cuda_symbols *driver = vendor_cuda_open()->driver;
    bare_graph *self = must_alloc(sizeof *self);
    vendor_cuda_must(driver->memory_alloc(&self->memory, GRAPH_BYTES), "cuMemAlloc");
    vendor_cuda_must(driver->fill(self->memory, 0, GRAPH_BYTES / 4, world.stream), "cuMemsetD32Async");
    vendor_cuda_must(driver->module_load(&self->module, empty_kernel), "cuModuleLoadData");
    vendor_cuda_must(driver->graph_create(&self->graph, 0), "cuGraphCreate");
    add_kernels(driver, self, kernels);
    vendor_cuda_must(driver->graph_instantiate(&self->exec, self->graph, 0), "cuGraphInstantiate");
    *out = (vendor_run){"bare graph launch", run_graph, finish_graph, self};
}
