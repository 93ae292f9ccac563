#include "backends/cuda/replay.h"

#include "backends/cuda/product.h"
#include "backends/cuda/tensor.h"

#include <string.h>

#include "base/alloc.h"

/* ---- lists ---- */

static kas_status init_list(kas_list *list)
{
    static atomic_uint_fast64_t last;
    cuda_list *mine = (cuda_list *)list;
    mine->id = atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) + 1;
    for (size_t i = 0; i < list->count; ++i) {
        mine->fast |= kas_cuda_is_fast(list, i);
        if (kas_cuda_is_tensor(list, i))
            KAS_TRY(kas_cuda_tensor_load(kas_cuda_device_of(list->device), list->launches[i].kernel));
    }
    return NULL;
}

static void finish_list(kas_list *list)
{
    (void)list; /* a queue's graph of it goes when its place is needed: until then it names memory, but nobody
                   runs it */
}

const kas_list_ops kas_cuda_list_ops = {
    .size_bytes = sizeof(cuda_list),
    .init = init_list,
    .finish = finish_list,
};

/* ---- graphs ---- */

static void forget(cuda_recorded_graph *recorded)
{
    kas_free(recorded->nodes);
    kas_free(recorded->bound);
    *recorded = (cuda_recorded_graph){0};
}

static void drop(const kas_cuda_device *device, cuda_recorded_graph *recorded)
{
    if (recorded->exec) (void)device->cuda->exec_destroy(recorded->exec);
    if (recorded->graph) (void)device->cuda->graph_destroy(recorded->graph);
    forget(recorded);
}

void kas_cuda_graphs_finish(const kas_cuda_device *device, cuda_graphs *graphs)
{
    for (size_t i = 0; i < CUDA_GRAPHS_MAX; ++i)
        drop(device, &graphs->places[i]);
}

void kas_cuda_graphs_forget(cuda_graphs *graphs)
{
    for (size_t i = 0; i < CUDA_GRAPHS_MAX; ++i)
        forget(&graphs->places[i]);
}

/* One node after the other: a list is a sequence. */
static cuda_code add_nodes(const kas_cuda_device *device, cuda_recorded_graph *recorded,
                           const kas_submission *submission, uint32_t rows)
{
    for (size_t i = 0; i < recorded->count; ++i) {
        kas_cuda_bind(submission, i, rows, &recorded->bound[i]);
        cuda_kernel_node node = kas_cuda_node_of(&recorded->bound[i]);
        const cuda_node *before = i ? &recorded->nodes[i - 1] : NULL; /* wait */
        cuda_code code = device->cuda->graph_add_kernel(&recorded->nodes[i], recorded->graph, before,
                                                        before ? 1 : 0, &node);
        if (code != CUDA_SUCCESS) return code;
    }
    return CUDA_SUCCESS;
}

static kas_status record(const kas_cuda_device *device, cuda_recorded_graph *recorded,
                         const kas_submission *submission, uint32_t rows)
{
    recorded->count = submission->list->count;
    recorded->nodes = kas_alloc_array(recorded->count, sizeof *recorded->nodes);
    recorded->bound = kas_alloc_array(recorded->count, sizeof *recorded->bound);
    if (!recorded->nodes || !recorded->bound) return kas_out_of_memory();
    cuda_code code = device->cuda->graph_create(&recorded->graph, 0);
    if (code == CUDA_SUCCESS) code = add_nodes(device, recorded, submission, rows);
    if (code == CUDA_SUCCESS) code = device->cuda->graph_instantiate(&recorded->exec, recorded->graph, 0);
    if (code != CUDA_SUCCESS) return kas_cuda_fail(device->cuda, code, "recording a graph");
    recorded->list_id = ((const cuda_list *)submission->list)->id;
    return NULL;
}

static bool same(const cuda_bound_launch *a, const cuda_bound_launch *b, uint32_t buffers)
{
    return a->function == b->function && a->grid_x == b->grid_x && a->grid_y == b->grid_y &&
           memcmp(a->addresses, b->addresses, buffers * sizeof *a->addresses) == 0;
}

/* Tells the nodes that differ from the last replay. The launches of an earlier replay are not touched. */
static cuda_code update(const kas_cuda_device *device, cuda_recorded_graph *recorded,
                        const kas_submission *submission, uint32_t rows)
{
    for (size_t i = 0; i < recorded->count; ++i) {
        cuda_bound_launch now;
        kas_cuda_bind(submission, i, rows, &now);
        if (same(&recorded->bound[i], &now,
                 kas_kernel_get_info(submission->list->launches[i].kernel)->buffers))
            continue;
        cuda_kernel_node node = kas_cuda_node_of(&now);
        cuda_code code = device->cuda->exec_set_kernel(recorded->exec, recorded->nodes[i], &node);
        if (code != CUDA_SUCCESS) return code;
        recorded->bound[i] = now;
    }
    return CUDA_SUCCESS;
}

/* The list's graph, or the place that was used longest ago. */
static cuda_recorded_graph *find(cuda_graphs *graphs, uint64_t list_id)
{
    cuda_recorded_graph *oldest = &graphs->places[0];
    for (size_t i = 0; i < CUDA_GRAPHS_MAX; ++i) {
        cuda_recorded_graph *place = &graphs->places[i];
        if (place->list_id == list_id) return place;
        if (place->last_use < oldest->last_use) oldest = place;
    }
    return oldest;
}

static kas_status prepare(const kas_cuda_device *device, cuda_recorded_graph *place,
                          const kas_submission *submission, uint32_t rows)
{
    if (place->list_id == ((const cuda_list *)submission->list)->id) {
        cuda_code code = update(device, place, submission, rows);
        return code == CUDA_SUCCESS ? NULL : kas_cuda_fail(device->cuda, code, "updating a graph's nodes");
    }
    drop(device, place);
    return record(device, place, submission, rows);
}

kas_status kas_cuda_replay(const kas_cuda_device *device, cuda_graphs *graphs,
                           const kas_submission *submission, uint32_t rows, cuda_stream stream)
{
    cuda_recorded_graph *place = find(graphs, ((const cuda_list *)submission->list)->id);
    kas_status status = prepare(device, place, submission, rows);
    cuda_code code = status ? CUDA_SUCCESS : device->cuda->exec_launch(place->exec, stream);
    if (code != CUDA_SUCCESS) status = kas_cuda_fail(device->cuda, code, "cuGraphLaunch");
    if (status) {
        drop(device, place); /* half told: recorded anew next time */
        return status;
    }
    place->last_use = ++graphs->uses;
    return NULL;
}
