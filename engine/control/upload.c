/* Uploads, each on a queue of its own, so that they share nothing with passes or with each other. */
#include "engine/control/upload.h"

#include "base/alloc.h"
#include "base/clock.h"

/* Far beyond what any upload takes: a device that does not come back is not waited for. By the device's own
 * clock. */
#define UPLOAD_DEADLINE_NS (60 * KAS_NS_PER_S)

kas_status kas_upload(kas_engine *engine, kas_device *device, const kas_segment_plan *plan, kas_segment **out)
{
    kas_queue *queue;
    KAS_TRY(kas_queue_create(device, "upload", &queue));
    kas_status status = kas_segment_create(plan, queue, kas_monotonic_ns() + UPLOAD_DEADLINE_NS, out);
    if (!kas_devices_put_away(&engine->devices, device, queue)) kas_loss_trouble(engine);
    return status;
}

static kas_status add_constant(kas_graph *graph, const char *name, const kas_shape *shape,
                               const float *values, size_t count, int *out)
{
    size_t size_bytes;
    if (!kas_mul(count, sizeof *values, &size_bytes)) return kas_out_of_memory();
    float *copy = kas_memdup(values, size_bytes);
    return copy ? kas_graph_add_constant(graph, name, shape, copy, out) : kas_out_of_memory();
}

static kas_status fill_linear(kas_graph *graph, const float *weight, const float *bias, size_t inputs,
                              size_t outputs)
{
    const kas_shape x = {.rank = 1, .dims = {(int64_t)inputs}}, y = {.rank = 1, .dims = {(int64_t)outputs}};
    const kas_shape w = {.rank = 2, .dims = {(int64_t)outputs, (int64_t)inputs}};
    kas_node node = {.op = KAS_OP_LINEAR, .input_count = 3, .inputs = {-1, -1, -1}};
    KAS_TRY(kas_graph_add_tensor(graph, "x", &x, &graph->input));
    node.inputs[0] = graph->input;
    KAS_TRY(add_constant(graph, "weight", &w, weight, inputs * outputs, &node.inputs[1]));
    if (bias) KAS_TRY(add_constant(graph, "bias", &y, bias, outputs, &node.inputs[2]));
    KAS_TRY(kas_graph_add_tensor(graph, "y", &y, &graph->output));
    node.output = graph->output;
    graph->parameter_count = inputs * outputs + (bias ? outputs : 0);
    KAS_TRY(kas_graph_add_node(graph, &node));
    return kas_graph_check(graph);
}

kas_status kas_plan_linear(kas_device *device, const float *weight, const float *bias, size_t inputs,
                           size_t outputs, kas_segment_plan **out)
{
    kas_graph *graph;
    KAS_TRY(kas_graph_create(&graph));
    kas_status status = fill_linear(graph, weight, bias, inputs, outputs);
    if (!status) status = kas_segment_plan_create(device, graph, KAS_ROWS_MAX, out);
    kas_graph_destroy(graph);
    return status;
}

kas_status kas_upload_linear(kas_engine *engine, kas_device *device, const float *weight, const float *bias,
                             size_t inputs, size_t outputs, kas_segment **out)
{
    kas_segment_plan *plan;
    KAS_TRY(kas_plan_linear(device, weight, bias, inputs, outputs, &plan));
    kas_status status = kas_upload(engine, device, plan, out);
    kas_segment_plan_destroy(plan);
    return status;
}
