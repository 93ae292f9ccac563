#include "engine/artifact/safetensors_graph.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/artifact/graph_json.h"
#include "engine/artifact/json.h"
#include "engine/artifact/refuse.h"

enum { SCHEMA_VERSION = 1, NAME_BYTES_MAX = 128 };

typedef struct graph_reader {
    const kas_safetensors_file *file;
    const kas_artifact_limits *limits;
    kas_artifact *out;
    json_t *tensors; /* name → index in the graph */
} graph_reader;

/* ---- names ---- */

static kas_status read_name(const json_t *value, const char **out)
{
    *out = json_string_value(value);
    if (*out && json_string_length(value) > 0 && json_string_length(value) <= NAME_BYTES_MAX) return NULL;
    return kas_refuse(KAS_REASON_MALFORMED, "a tensor's name is no string of 1 to %d bytes",
                      (int)NAME_BYTES_MAX);
}

static kas_status bind(graph_reader *reader, const char *name, int tensor)
{
    return json_object_set_new(reader->tensors, name, json_integer(tensor)) ? kas_out_of_memory() : NULL;
}

/* A tensor that a node makes, or the input: of a name that nothing has yet. */
static kas_status define(graph_reader *reader, const char *name, const json_t *dims, int *out)
{
    kas_shape shape;
    if (json_object_get(reader->tensors, name) || kas_safetensors_find(reader->file, name))
        return kas_refuse(KAS_REASON_MALFORMED, "the tensor \"%s\" is there twice", name);
    KAS_TRY(kas_annotate(kas_graph_json_shape(dims, &shape), "the shape of \"%s\"", name));
    KAS_TRY(kas_graph_add_tensor(reader->out->graph, name, &shape, out));
    return bind(reader, name, *out);
}

/* ---- constants ---- */

static kas_status constant_shape(const kas_safetensors_tensor *tensor, kas_shape *out)
{
    if (tensor->rank > KAS_MAX_RANK)
        return kas_refuse(KAS_REASON_LIMIT, "tensor \"%.64s\": its rank is %d, the limit is %d", tensor->name,
                          tensor->rank, (int)KAS_MAX_RANK);
    out->rank = tensor->rank;
    for (int i = 0; i < tensor->rank; ++i)
        out->dims[i] = (int64_t)tensor->dims[i];
    return NULL;
}

static kas_status add_constant(graph_reader *reader, const kas_safetensors_tensor *tensor, int *out)
{
    kas_shape shape;
    size_t elements;
    float *values = NULL;
    const uint64_t left = reader->limits->parameters - reader->out->parameter_count;
    KAS_TRY(constant_shape(tensor, &shape));
    if (!kas_shape_elements(&shape, &elements) || elements > left)
        return kas_refuse(KAS_REASON_LIMIT,
                          "tensor \"%.64s\" is empty, or the parameters are over the limit of %llu",
                          tensor->name, (unsigned long long)reader->limits->parameters);
    reader->out->parameter_count += elements;
    kas_status status = kas_safetensors_floats(reader->file, tensor, &values);
    if (!status) return kas_graph_add_constant(reader->out->graph, tensor->name, &shape, values, out);
    kas_free(values);
    return status;
}

/* A tensor that a node reads: made before, or the file's. */
static kas_status resolve(graph_reader *reader, const char *name, int *out)
{
    const json_t *known = json_object_get(reader->tensors, name);
    if (known) {
        *out = (int)json_integer_value(known);
        return NULL;
    }
    const kas_safetensors_tensor *tensor = kas_safetensors_find(reader->file, name);
    if (!tensor)
        return kas_refuse(KAS_REASON_MALFORMED,
                          "nothing before makes the tensor \"%s\", and the file has none of this name", name);
    KAS_TRY(add_constant(reader, tensor, out));
    return bind(reader, name, *out);
}

/* ---- nodes ---- */

static kas_status read_inputs(graph_reader *reader, const json_t *list, kas_node *node)
{
    const char *name;
    const size_t count = json_array_size(list);
    if (count == 0 || count > KAS_MAX_NODE_INPUTS)
        return kas_refuse(KAS_REASON_MALFORMED, "\"in\" is no array of 1 to %d names",
                          (int)KAS_MAX_NODE_INPUTS);
    node->input_count = (int)count;
    for (size_t i = 0; i < count; ++i) {
        const json_t *item = json_array_get(list, i);
        node->inputs[i] = -1;
        if (json_is_null(item)) continue;
        KAS_TRY(read_name(item, &name));
        KAS_TRY(resolve(reader, name, &node->inputs[i]));
    }
    return NULL;
}

static void note_operator(kas_artifact *out, kas_op op)
{
    for (size_t i = 0; i < out->operator_count; ++i)
        if (out->operators[i] == kas_op_name(op)) return;
    out->operators[out->operator_count++] = kas_op_name(op); /* there are fewer than the array holds */
}

static kas_status connect(graph_reader *reader, const json_t *object, kas_node *node)
{
    const char *name;
    KAS_TRY(read_inputs(reader, json_object_get(object, "in"), node));
    KAS_TRY(read_name(json_object_get(object, "out"), &name));
    return define(reader, name, json_object_get(object, "shape"), &node->output);
}

static kas_status read_node(graph_reader *reader, const json_t *object)
{
    kas_node node;
    KAS_TRY(kas_graph_json_node(object, &node));
    kas_status status = connect(reader, object, &node);
    if (status) {
        kas_free(node.indices);
        return status;
    }
    KAS_TRY(kas_graph_add_node(reader->out->graph, &node));
    note_operator(reader->out, node.op);
    return NULL;
}

/* ---- the graph ---- */

static kas_status read_ends(graph_reader *reader, const json_t *root, const char **output)
{
    const char *name;
    const json_t *input = json_object_get(root, "input");
    if (json_integer_value(json_object_get(root, "version")) != SCHEMA_VERSION)
        return kas_refuse(KAS_REASON_UNSUPPORTED, "its version is not %d", (int)SCHEMA_VERSION);
    KAS_TRY(kas_annotate(read_name(json_object_get(root, "output"), output), "\"output\""));
    KAS_TRY(kas_annotate(read_name(json_object_get(input, "name"), &name), "\"input\""));
    return define(reader, name, json_object_get(input, "shape"), &reader->out->graph->input);
}

static kas_status read_nodes(graph_reader *reader, const json_t *nodes)
{
    if (!json_is_array(nodes)) return kas_refuse(KAS_REASON_MALFORMED, "\"nodes\" is no array");
    if (json_array_size(nodes) > reader->limits->nodes)
        return kas_refuse(KAS_REASON_LIMIT, "%zu nodes are over the limit of %u", json_array_size(nodes),
                          reader->limits->nodes);
    for (size_t i = 0; i < json_array_size(nodes); ++i)
        KAS_TRY(kas_annotate(read_node(reader, json_array_get(nodes, i)), "node %zu", i));
    return NULL;
}

static kas_status read_graph(graph_reader *reader, const json_t *root)
{
    const char *name;
    KAS_TRY(read_ends(reader, root, &name));
    KAS_TRY(read_nodes(reader, json_object_get(root, "nodes")));
    const json_t *output = json_object_get(reader->tensors, name);
    if (!output) return kas_refuse(KAS_REASON_MALFORMED, "nothing makes its output \"%s\"", name);
    reader->out->graph->output = (int)json_integer_value(output);
    return NULL;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static kas_status read_text(graph_reader *reader, const json_t *text)
{
    json_t *root;
    KAS_TRY(kas_artifact_parse_json(json_string_value(text), json_string_length(text), KAS_REASON_MALFORMED,
                                    &root));
    reader->tensors = json_object();
    kas_status status = reader->tensors ? kas_graph_create(&reader->out->graph) : kas_out_of_memory();
    if (!status) status = read_graph(reader, root);
    json_decref(reader->tensors);
    json_decref(root);
    return status;
}

kas_status kas_safetensors_graph(const kas_safetensors_file *file, const json_t *text,
                                 const kas_artifact_limits *limits, kas_artifact *out)
{
    graph_reader reader = {.file = file, .limits = limits, .out = out};
    kas_status status = read_text(&reader, text);
    qsort(out->operators, out->operator_count, sizeof *out->operators, compare_names);
    return kas_annotate(status, KAS_SAFETENSORS_GRAPH);
}
