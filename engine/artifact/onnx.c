/* Around the walk: what a model must declare before it, and what must have come out after it. */
#include "engine/artifact/onnx.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/artifact/onnx_reader.h"
#include "engine/artifact/refuse.h"

enum { OPSET_MIN = 7, OPSET_MAX = 28 };

static kas_status check_opsets(const kas_onnx_model *model)
{
    for (size_t i = 0; i < model->opset_count; ++i) {
        const kas_onnx_opset *opset = &model->opsets[i];
        if (opset->domain.size > 0 && !kas_span_is(opset->domain, "ai.onnx")) continue;
        if (opset->version >= OPSET_MIN && opset->version <= OPSET_MAX) return NULL;
        return kas_refuse(KAS_REASON_UNSUPPORTED, "opset %lld is not supported; %d to %d are",
                          (long long)opset->version, (int)OPSET_MIN, (int)OPSET_MAX);
    }
    return kas_refuse(KAS_REASON_MALFORMED, "the model imports no opset of the domain ai.onnx");
}

/* ---- the input ---- */

static bool is_initializer(const kas_onnx_graph *graph, kas_span name)
{
    for (size_t i = 0; i < graph->initializer_count; ++i)
        if (kas_span_equal(graph->initializers[i].name, name)) return true;
    return false;
}

/* Below IR version 4 initializers are listed among the inputs. */
static kas_status find_input(const kas_onnx_graph *graph, const kas_onnx_value_info **out)
{
    *out = NULL;
    for (size_t i = 0; i < graph->input_count; ++i) {
        const kas_onnx_value_info *info = &graph->inputs[i];
        if (is_initializer(graph, info->name)) continue;
        if (*out)
            return kas_refuse(KAS_REASON_UNSUPPORTED,
                              "more than one graph input without a value: \"%.*s\" and "
                              "\"%.*s\"; a kernel has one input",
                              KAS_SPAN_ARGS((*out)->name), KAS_SPAN_ARGS(info->name));
        *out = info;
    }
    return *out ? NULL : kas_refuse(KAS_REASON_MALFORMED, "the graph has no input");
}

/* A vector of known size is one row: such a model was exported without a batch, and nothing in it mixes rows.
 */
static bool is_row(const kas_onnx_value_info *info)
{
    return info->rank == 1 && info->dims[0] > 0;
}

static kas_status check_input_type(const kas_onnx_value_info *info)
{
    if (!info->is_tensor) return kas_refuse(KAS_REASON_UNSUPPORTED, "its type is not a tensor's");
    if (!kas_onnx_type_is_float(info->type))
        return kas_refuse(KAS_REASON_UNSUPPORTED, "its type is %s; a kernel's input is float",
                          kas_onnx_type_name(info->type));
    if (!info->has_shape) return kas_refuse(KAS_REASON_SHAPE, "it declares no shape");
    if (info->rank < 2 && !is_row(info))
        return kas_refuse(
            KAS_REASON_SHAPE,
            "its shape has rank %d; a batch and at least one more dimension are needed, or one known "
            "dimension without a batch",
            info->rank);
    for (int i = 1; i < info->rank; ++i)
        if (info->dims[i] < 1)
            return kas_refuse(
                KAS_REASON_SHAPE,
                "its dimension %d is symbolic (\"%.*s\") or zero; only the batch may be dynamic", i,
                KAS_SPAN_ARGS(info->symbols[i]));
    return NULL;
}

static kas_status make_input(kas_reader *reader, const kas_onnx_value_info *info)
{
    kas_reader_value *value;
    kas_shape shape;
    char name[KAS_SPAN_SHOWN + 1];
    KAS_TRY(kas_reader_value_new(reader, NULL, &value));
    value->name = info->name;
    value->type = info->type;
    value->rank = info->rank;
    memcpy(value->dims, info->dims, sizeof value->dims);
    if (!is_row(info)) {
        reader->fixed_batch = info->dims[0] > 0 ? info->dims[0] : 0;
        reader->has_batch = true;
        value->batch_axis = 0;
        value->dims[0] = 1;
    }
    KAS_TRY(kas_reader_row_shape(value, &shape));
    snprintf(name, sizeof name, "%.*s", KAS_SPAN_ARGS(info->name));
    KAS_TRY(kas_graph_add_tensor(reader->graph, name, &shape, &value->tensor));
    reader->graph->input = value->tensor;
    return kas_onnx_bind(reader, value->name, value);
}

/* ---- the output ---- */

static kas_status check_declared(const kas_onnx_value_info *info, const kas_reader_value *value)
{
    char text[KAS_READER_SHAPE_TEXT];
    if (!info->has_shape) return NULL;
    if (info->rank != value->rank)
        return kas_refuse(KAS_REASON_SHAPE, "it is declared with rank %d and computed with shape %s",
                          info->rank, kas_reader_shape_text(value, text));
    for (int i = 0; i < value->rank; ++i)
        if (i != value->batch_axis && info->dims[i] >= 0 && info->dims[i] != value->dims[i])
            return kas_refuse(KAS_REASON_SHAPE, "dimension %d is declared as %lld and computed as %lld", i,
                              (long long)info->dims[i], (long long)value->dims[i]);
    return NULL;
}

static kas_status check_batch(const kas_reader *reader, const kas_reader_value *value)
{
    char text[KAS_READER_SHAPE_TEXT];
    if (!reader->has_batch) return NULL;
    if (value->batch_axis != 0)
        return kas_refuse(KAS_REASON_MIXES_ROWS, "its shape %s does not begin with the batch",
                          kas_reader_shape_text(value, text));
    if (value->dims[0] != 1)
        return kas_refuse(KAS_REASON_MIXES_ROWS, "its shape %s has %lld rows for each row of the batch",
                          kas_reader_shape_text(value, text), (long long)value->dims[0]);
    return NULL;
}

static kas_status set_output(kas_reader *reader, const kas_onnx_value_info *info)
{
    kas_reader_value *value = kas_onnx_lookup(reader, info->name);
    int tensor;
    if (!value) return kas_refuse(KAS_REASON_MALFORMED, "it is made by no node");
    if (!kas_onnx_type_is_float(value->type))
        return kas_refuse(KAS_REASON_UNSUPPORTED, "its type is %s; a kernel's output is float",
                          kas_onnx_type_name(value->type));
    KAS_TRY(kas_reader_tensor_index(reader, value, &tensor));
    KAS_TRY(check_batch(reader, value));
    KAS_TRY(check_declared(info, value));
    if (reader->graph->tensors[tensor].constant)
        return kas_refuse(KAS_REASON_UNSUPPORTED, "it does not depend on the input");
    if (reader->graph->tensors[tensor].shape.rank == 0) {
        const kas_shape one = {.rank = 1, .dims = {1}};
        KAS_TRY(kas_reader_emit_view(reader, tensor, &one, &tensor));
    }
    reader->graph->output = tensor;
    return NULL;
}

static kas_status find_output(const kas_onnx_graph *graph)
{
    if (graph->output_count == 1) return NULL;
    return kas_refuse(graph->output_count ? KAS_REASON_UNSUPPORTED : KAS_REASON_MALFORMED,
                      "the graph has %zu outputs; a kernel has one output", graph->output_count);
}

/* ---- all of it ---- */

static kas_status read_graph(kas_reader *reader)
{
    const kas_onnx_model *model = reader->model;
    const kas_onnx_graph *graph = &model->graph;
    const kas_onnx_value_info *input;
    size_t names = graph->initializer_count + 1;
    KAS_TRY(find_input(graph, &input));
    KAS_TRY(kas_annotate(check_input_type(input), "graph input \"%.*s\"", KAS_SPAN_ARGS(input->name)));
    KAS_TRY(find_output(graph));
    if (graph->node_count == 0)
        return kas_refuse(KAS_REASON_MALFORMED, "the graph has no nodes: nothing makes its output");
    for (size_t i = 0; i < graph->node_count; ++i)
        names += graph->nodes[i].output_count;
    KAS_TRY(kas_onnx_scope_enter(reader, names, true, NULL, model->opsets, model->opset_count));
    KAS_TRY(kas_onnx_bind_initializers(reader, graph));
    KAS_TRY(kas_annotate(make_input(reader, input), "graph input \"%.*s\"", KAS_SPAN_ARGS(input->name)));
    KAS_TRY(kas_onnx_walk(reader, graph->nodes, graph->node_count));
    return kas_annotate(set_output(reader, &graph->outputs[0]), "graph output \"%.*s\"",
                        KAS_SPAN_ARGS(graph->outputs[0].name));
}

static kas_status check_parameters(const kas_onnx_graph *graph, uint64_t limit)
{
    uint64_t total = 0;
    for (size_t i = 0; i < graph->initializer_count; ++i)
        total += graph->initializers[i].elements;
    if (total <= limit) return NULL;
    return kas_refuse(KAS_REASON_LIMIT, "%llu parameters are over the limit of %llu",
                      (unsigned long long)total, (unsigned long long)limit);
}

static void describe_producer(const kas_onnx_model *model, char *out, size_t size)
{
    const char *space = model->producer.size && model->producer_version.size ? " " : "";
    snprintf(out, size, "%.*s%s%.*s", KAS_SPAN_ARGS(model->producer), space,
             KAS_SPAN_ARGS(model->producer_version));
    for (char *c = out; *c; ++c)
        if (*c < 0x20 || *c > 0x7e) *c = '?';
}

static kas_status read_all(kas_arena *arena, const uint8_t *bytes, size_t size_bytes,
                           const kas_artifact_limits *limits, kas_artifact *out)
{
    kas_onnx_model model;
    kas_reader reader = {.file = bytes,
                         .source = {.file = bytes, .arena = arena, .max_nodes = limits->nodes},
                         .limits = limits,
                         .model = &model,
                         .nodes_left = limits->nodes,
                         .nesting_left = limits->nesting,
                         .operators = out->operators,
                         .operator_count = &out->operator_count};
    KAS_TRY(kas_onnx_read_model(&reader.source, (kas_span){.data = bytes, .size = size_bytes}, &model));
    describe_producer(&model, out->producer, sizeof out->producer);
    KAS_TRY(check_opsets(&model));
    KAS_TRY(check_parameters(&model.graph, limits->parameters));
    KAS_TRY(kas_graph_create(&out->graph));
    reader.graph = out->graph;
    KAS_TRY(read_graph(&reader));
    out->parameter_count = reader.parameter_count;
    return NULL;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

kas_status kas_onnx_read(const void *bytes, size_t size_bytes, const kas_artifact_limits *limits,
                         kas_artifact *out)
{
    kas_arena arena;
    kas_arena_init_for_file(&arena, size_bytes, limits->memory_bytes);
    kas_status status = read_all(&arena, bytes, size_bytes, limits, out);
    kas_arena_finish(&arena);
    qsort(out->operators, out->operator_count, sizeof *out->operators, compare_names);
    return status;
}
