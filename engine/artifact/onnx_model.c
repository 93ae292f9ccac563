/* ModelProto, GraphProto and FunctionProto. Each message is walked twice: once to count its repeated fields,
 * so that arrays are made in their final size and limits are checked before memory is taken, and once to read
 * them. */
#include "engine/artifact/onnx_model.h"

#include "engine/artifact/refuse.h"

enum {
    MODEL_IR_VERSION = 1,
    MODEL_PRODUCER = 2,
    MODEL_PRODUCER_VERSION = 3,
    MODEL_GRAPH = 7,
    MODEL_OPSET = 8,
    MODEL_FUNCTION = 25,
    OPSET_DOMAIN = 1,
    OPSET_VERSION = 2,
    GRAPH_NODE = 1,
    GRAPH_INITIALIZER = 5,
    GRAPH_INPUT = 11,
    GRAPH_OUTPUT = 12,
    GRAPH_SPARSE_INITIALIZER = 15,
    FUNCTION_NAME = 1,
    FUNCTION_INPUT = 4,
    FUNCTION_OUTPUT = 5,
    FUNCTION_NODE = 7,
    FUNCTION_OPSET = 9,
    FUNCTION_DOMAIN = 10,
    FUNCTION_DEFAULT = 11,
};

/* Room for a repeated field: an array in the arena, of as many elements as the message has. */
static kas_status make_array(const kas_onnx_source *source, kas_span message, uint32_t field,
                             const char *what, size_t max, size_t element_bytes, void **out)
{
    size_t count;
    KAS_TRY(kas_wire_count(source->file, message, field, &count));
    if (count > max)
        return kas_refuse(KAS_REASON_LIMIT, "%zu %s are more than the limit of %zu", count, what, max);
    return kas_arena_take(source->arena, count, element_bytes, out);
}

kas_status kas_onnx_read_texts(const kas_onnx_source *source, kas_span message, uint32_t field,
                               const char *what, size_t max, const kas_span **out, size_t *count)
{
    void *room;
    KAS_TRY(make_array(source, message, field, what, max, sizeof(kas_span), &room));
    kas_span *texts = room;
    kas_wire wire = kas_wire_of(source->file, message);
    kas_wire_field got;
    size_t n = 0;
    bool more;
    for (;;) {
        KAS_TRY(kas_wire_next(&wire, &got, &more));
        if (!more) break;
        if (got.number != field) continue;
        KAS_TRY(kas_wire_expect(&got, KAS_WIRE_BYTES, what));
        texts[n++] = got.bytes;
    }
    *out = texts;
    *count = n;
    return NULL;
}

static kas_status read_opset(const kas_onnx_source *source, kas_span bytes, kas_onnx_opset *out)
{
    kas_wire wire = kas_wire_of(source->file, bytes);
    kas_wire_field field;
    bool more;
    for (;;) {
        KAS_TRY(kas_wire_next(&wire, &field, &more));
        if (!more) return NULL;
        if (field.number == OPSET_DOMAIN) {
            KAS_TRY(kas_wire_expect(&field, KAS_WIRE_BYTES, "opset_import.domain"));
            out->domain = field.bytes;
        } else if (field.number == OPSET_VERSION) {
            KAS_TRY(kas_wire_expect(&field, KAS_WIRE_VARINT, "opset_import.version"));
            out->version = (int64_t)field.value;
        }
    }
}

static kas_status read_opsets(const kas_onnx_source *source, kas_span message, uint32_t field,
                              const kas_onnx_opset **out, size_t *count)
{
    const kas_span *imports;
    void *room;
    KAS_TRY(
        kas_onnx_read_texts(source, message, field, "opset imports", KAS_ONNX_MAX_OPSETS, &imports, count));
    KAS_TRY(kas_arena_take(source->arena, *count, sizeof(kas_onnx_opset), &room));
    kas_onnx_opset *opsets = room;
    for (size_t i = 0; i < *count; ++i) {
        KAS_TRY(read_opset(source, imports[i], &opsets[i]));
        for (size_t k = 0; k < i; ++k)
            if (kas_span_equal(opsets[k].domain, opsets[i].domain) && opsets[k].version != opsets[i].version)
                return kas_refuse(KAS_REASON_MALFORMED,
                                  "the opset of domain \"%.*s\" is imported twice, as %lld and as %lld",
                                  KAS_SPAN_ARGS(opsets[i].domain), (long long)opsets[k].version,
                                  (long long)opsets[i].version);
    }
    *out = opsets;
    return NULL;
}

static kas_status read_value_infos(const kas_onnx_source *source, kas_span message, uint32_t field,
                                   const char *what, const kas_onnx_value_info **out, size_t *count)
{
    const kas_span *texts;
    void *room;
    KAS_TRY(kas_onnx_read_texts(source, message, field, what, KAS_GRAPH_MAX_TENSORS, &texts, count));
    KAS_TRY(kas_arena_take(source->arena, *count, sizeof(kas_onnx_value_info), &room));
    kas_onnx_value_info *infos = room;
    for (size_t i = 0; i < *count; ++i)
        KAS_TRY(kas_annotate(kas_onnx_read_value_info(source, texts[i], &infos[i]), "%s %zu", what, i));
    *out = infos;
    return NULL;
}

static kas_status read_initializers(const kas_onnx_source *source, kas_span message, kas_onnx_graph *out)
{
    const kas_span *texts;
    void *room;
    KAS_TRY(kas_onnx_read_texts(source, message, GRAPH_INITIALIZER, "initializers", KAS_GRAPH_MAX_TENSORS,
                                &texts, &out->initializer_count));
    KAS_TRY(kas_arena_take(source->arena, out->initializer_count, sizeof(kas_onnx_tensor), &room));
    kas_onnx_tensor *tensors = room;
    for (size_t i = 0; i < out->initializer_count; ++i) {
        kas_status status = kas_onnx_read_tensor(source, texts[i], &tensors[i]);
        if (status)
            return kas_annotate(status, "initializer %zu \"%.*s\"", i, KAS_SPAN_ARGS(tensors[i].name));
    }
    out->initializers = tensors;
    return NULL;
}

kas_status kas_onnx_read_graph(const kas_onnx_source *source, kas_span bytes, kas_onnx_graph *out)
{
    size_t sparse;
    *out = (kas_onnx_graph){0};
    KAS_TRY(kas_wire_count(source->file, bytes, GRAPH_SPARSE_INITIALIZER, &sparse));
    if (sparse)
        return kas_refuse(KAS_REASON_UNSUPPORTED, "%zu sparse initializers; weights must be dense", sparse);
    KAS_TRY(kas_onnx_read_nodes(source, bytes, GRAPH_NODE, &out->nodes, &out->node_count));
    KAS_TRY(read_initializers(source, bytes, out));
    KAS_TRY(read_value_infos(source, bytes, GRAPH_INPUT, "graph input", &out->inputs, &out->input_count));
    return read_value_infos(source, bytes, GRAPH_OUTPUT, "graph output", &out->outputs, &out->output_count);
}

static kas_status read_function(const kas_onnx_source *source, kas_span bytes, kas_onnx_function *out)
{
    kas_wire wire = kas_wire_of(source->file, bytes);
    kas_wire_field field;
    bool more;
    for (;;) {
        KAS_TRY(kas_wire_next(&wire, &field, &more));
        if (!more) break;
        if (field.number != FUNCTION_NAME && field.number != FUNCTION_DOMAIN) continue;
        KAS_TRY(kas_wire_expect(&field, KAS_WIRE_BYTES, "function name or domain"));
        *(field.number == FUNCTION_NAME ? &out->name : &out->domain) = field.bytes;
    }
    KAS_TRY(kas_onnx_read_texts(source, bytes, FUNCTION_INPUT, "function inputs", KAS_ONNX_MAX_ARGUMENTS,
                                &out->inputs, &out->input_count));
    KAS_TRY(kas_onnx_read_texts(source, bytes, FUNCTION_OUTPUT, "function outputs", KAS_ONNX_MAX_ARGUMENTS,
                                &out->outputs, &out->output_count));
    KAS_TRY(kas_onnx_read_attributes(source, bytes, FUNCTION_DEFAULT, &out->defaults, &out->default_count));
    KAS_TRY(kas_onnx_read_nodes(source, bytes, FUNCTION_NODE, &out->nodes, &out->node_count));
    return read_opsets(source, bytes, FUNCTION_OPSET, &out->opsets, &out->opset_count);
}

static kas_status read_functions(const kas_onnx_source *source, kas_span message, kas_onnx_model *out)
{
    const kas_span *texts;
    void *room;
    KAS_TRY(kas_onnx_read_texts(source, message, MODEL_FUNCTION, "functions", KAS_ONNX_MAX_FUNCTIONS, &texts,
                                &out->function_count));
    KAS_TRY(kas_arena_take(source->arena, out->function_count, sizeof(kas_onnx_function), &room));
    kas_onnx_function *functions = room;
    for (size_t i = 0; i < out->function_count; ++i) {
        kas_status status = read_function(source, texts[i], &functions[i]);
        if (status) return kas_annotate(status, "function %zu \"%.*s\"", i, KAS_SPAN_ARGS(functions[i].name));
    }
    out->functions = functions;
    return NULL;
}

static kas_status read_model_field(const kas_wire_field *field, kas_onnx_model *out, kas_span *graph)
{
    switch (field->number) {
    case MODEL_IR_VERSION:
        KAS_TRY(kas_wire_expect(field, KAS_WIRE_VARINT, "ir_version"));
        out->ir_version = (int64_t)field->value;
        return NULL;
    case MODEL_PRODUCER:
        KAS_TRY(kas_wire_expect(field, KAS_WIRE_BYTES, "producer_name"));
        out->producer = field->bytes;
        return NULL;
    case MODEL_PRODUCER_VERSION:
        KAS_TRY(kas_wire_expect(field, KAS_WIRE_BYTES, "producer_version"));
        out->producer_version = field->bytes;
        return NULL;
    case MODEL_GRAPH:
        KAS_TRY(kas_wire_expect(field, KAS_WIRE_BYTES, "graph"));
        if (graph->data)
            return kas_refuse(KAS_REASON_MALFORMED, "byte %zu: the model has two graphs", field->offset);
        *graph = field->bytes;
        return NULL;
    default:
        return NULL;
    }
}

kas_status kas_onnx_read_model(const kas_onnx_source *source, kas_span bytes, kas_onnx_model *out)
{
    kas_wire wire = kas_wire_of(source->file, bytes);
    kas_wire_field field;
    kas_span graph = {0};
    bool more;
    *out = (kas_onnx_model){0};
    for (;;) {
        KAS_TRY(kas_wire_next(&wire, &field, &more));
        if (!more) break;
        KAS_TRY(read_model_field(&field, out, &graph));
    }
    if (!graph.data) return kas_refuse(KAS_REASON_MALFORMED, "not an ONNX model: there is no graph in it");
    KAS_TRY(read_opsets(source, bytes, MODEL_OPSET, &out->opsets, &out->opset_count));
    KAS_TRY(read_functions(source, bytes, out));
    return kas_onnx_read_graph(source, graph, &out->graph);
}
