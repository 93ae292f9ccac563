/* The walk over nodes: names, scopes, functions, and finding the operator that lowers each node. */
#include <string.h>

#include "base/hash.h"
#include "engine/artifact/onnx_reader.h"
#include "engine/artifact/refuse.h"

typedef struct scope_entry {
    kas_span name;
    kas_reader_value *value; /* NULL: free */
} scope_entry;

struct kas_onnx_scope {
    kas_onnx_scope *outer;
    bool closed;                 /* a function's: outer names are not seen */
    const kas_onnx_call *caller; /* of a function; NULL: none */
    const kas_onnx_function *function;
    const kas_onnx_opset *opsets;
    size_t opset_count;
    scope_entry *entries; /* open addressing */
    size_t capacity;      /* a power of two, at least twice the names */
};

kas_status kas_onnx_scope_enter(kas_reader *reader, size_t names, bool closed, const kas_onnx_call *caller,
                                const kas_onnx_opset *opsets, size_t opset_count)
{
    void *room;
    if (reader->nesting_left == 0)
        return kas_refuse(KAS_REASON_LIMIT, "functions or subgraphs are nested deeper than the limit of %u",
                          (unsigned)reader->limits->nesting);
    KAS_TRY(kas_arena_take(reader->source.arena, 1, sizeof(kas_onnx_scope), &room));
    kas_onnx_scope *scope = room;
    *scope = (kas_onnx_scope){.outer = reader->scope,
                              .closed = closed,
                              .caller = caller,
                              .opsets = opsets,
                              .opset_count = opset_count,
                              .capacity = 16};
    while (scope->capacity < 2 * names)
        scope->capacity *= 2;
    KAS_TRY(kas_arena_take(reader->source.arena, scope->capacity, sizeof(scope_entry), &room));
    scope->entries = room;
    reader->scope = scope;
    --reader->nesting_left;
    return NULL;
}

void kas_onnx_scope_leave(kas_reader *reader)
{
    reader->scope = reader->scope->outer;
    ++reader->nesting_left;
}

/* The entry of a name, or the free one where it would stand. */
static scope_entry *find_entry(const kas_onnx_scope *scope, kas_span name)
{
    size_t at = (size_t)kas_fnv1a(name.data, name.size) & (scope->capacity - 1);
    while (scope->entries[at].value && !kas_span_equal(scope->entries[at].name, name))
        at = (at + 1) & (scope->capacity - 1);
    return &scope->entries[at];
}

kas_reader_value *kas_onnx_lookup(const kas_reader *reader, kas_span name)
{
    for (const kas_onnx_scope *scope = reader->scope; scope; scope = scope->closed ? NULL : scope->outer) {
        const scope_entry *entry = find_entry(scope, name);
        if (entry->value) return entry->value;
    }
    return NULL;
}

kas_status kas_onnx_bind(kas_reader *reader, kas_span name, kas_reader_value *value)
{
    scope_entry *entry = find_entry(reader->scope, name);
    if (entry->value)
        return kas_refuse(KAS_REASON_MALFORMED, "\"%.*s\" is made twice: a duplicate name",
                          KAS_SPAN_ARGS(name));
    *entry = (scope_entry){.name = name, .value = value};
    return NULL;
}

kas_status kas_onnx_bind_initializers(kas_reader *reader, const kas_onnx_graph *graph)
{
    for (size_t i = 0; i < graph->initializer_count; ++i) {
        const kas_onnx_tensor *tensor = &graph->initializers[i];
        kas_reader_value *value;
        KAS_TRY(kas_reader_value_new(reader, NULL, &value));
        value->name = tensor->name;
        value->type = tensor->type;
        value->rank = tensor->rank;
        memcpy(value->dims, tensor->dims, sizeof value->dims);
        value->initializer = tensor;
        value->counted = true;
        KAS_TRY(kas_annotate(kas_onnx_bind(reader, tensor->name, value), "initializer"));
    }
    return NULL;
}

/* ---- what a node calls ---- */

static bool is_default_domain(kas_span domain)
{
    return domain.size == 0 || kas_span_is(domain, "ai.onnx");
}

static const kas_onnx_op *find_op(kas_span name)
{
    static const kas_onnx_op *const tables[] = {
        kas_onnx_ops_product, kas_onnx_ops_elementwise, kas_onnx_ops_activation, kas_onnx_ops_norm,
        kas_onnx_ops_shape,   kas_onnx_ops_index,       kas_onnx_ops_constant,   kas_onnx_ops_pool,
        kas_onnx_ops_reduce,  kas_onnx_ops_attention,   kas_onnx_ops_quantise,   kas_onnx_ops_control,
        kas_onnx_ops_cast,    kas_onnx_ops_layout,      kas_onnx_ops_pad,
    };
    for (size_t t = 0; t < sizeof tables / sizeof *tables; ++t)
        for (const kas_onnx_op *op = tables[t]; op->name; ++op)
            if (kas_span_is(name, op->name)) return op;
    return NULL;
}

static const kas_onnx_function *find_function(const kas_reader *reader, const kas_onnx_node *node)
{
    for (size_t i = 0; i < reader->model->function_count; ++i) {
        const kas_onnx_function *function = &reader->model->functions[i];
        if (kas_span_equal(function->name, node->operator_type) &&
            kas_span_equal(function->domain, node->domain))
            return function;
    }
    return NULL;
}

/* The scope whose opsets and attributes hold: a subgraph has those of what it stands in. */
static const kas_onnx_scope *governing(const kas_reader *reader)
{
    const kas_onnx_scope *scope = reader->scope;
    while (!scope->opsets)
        scope = scope->outer;
    return scope;
}

static int64_t opset_of(const kas_reader *reader)
{
    const kas_onnx_scope *scope = governing(reader);
    for (size_t i = 0; i < scope->opset_count; ++i)
        if (is_default_domain(scope->opsets[i].domain)) return scope->opsets[i].version;
    return 0;
}

static const kas_onnx_attribute *find_by_name(const kas_onnx_attribute *attributes, size_t count,
                                              kas_span name)
{
    for (size_t i = 0; i < count; ++i)
        if (kas_span_equal(attributes[i].name, name)) return &attributes[i];
    return NULL;
}

/* In a function an attribute may stand for one of the caller's, or for the function's default. */
static kas_status resolve_attributes(kas_onnx_call *call)
{
    const kas_onnx_scope *scope = governing(call->reader);
    for (size_t i = 0; i < call->node->attribute_count; ++i) {
        const kas_onnx_attribute *attribute = &call->node->attributes[i];
        if (attribute->reference.size > 0) {
            const kas_span name = attribute->name;
            if (!scope->caller)
                return kas_refuse(KAS_REASON_MALFORMED,
                                  "the attribute %.*s refers to a function's, outside of one",
                                  KAS_SPAN_ARGS(name));
            const kas_span reference = attribute->reference;
            attribute = find_by_name(scope->caller->attributes, scope->caller->attribute_count, reference);
            if (!attribute)
                attribute =
                    find_by_name(scope->function->defaults, scope->function->default_count, reference);
            if (!attribute) continue;
            call->attributes[call->attribute_count] = *attribute;
            call->attributes[call->attribute_count++].name = name;
            continue;
        }
        call->attributes[call->attribute_count++] = *attribute;
    }
    return NULL;
}

static kas_status resolve_inputs(kas_onnx_call *call)
{
    call->input_count = call->node->input_count;
    for (size_t i = 0; i < call->input_count; ++i) {
        const kas_span name = call->node->inputs[i];
        if (name.size == 0) continue;
        call->inputs[i] = kas_onnx_lookup(call->reader, name);
        if (!call->inputs[i])
            return kas_refuse(KAS_REASON_MALFORMED,
                              "the input \"%.*s\" is not defined before it is read: nothing "
                              "makes it, or the nodes are not in order (a cycle?)",
                              KAS_SPAN_ARGS(name));
    }
    return NULL;
}

/* ---- functions ---- */

static kas_status run_function(kas_onnx_call *call, const kas_onnx_function *function,
                               kas_reader_value **outputs)
{
    kas_reader *reader = call->reader;
    reader->scope->function = function;
    for (size_t i = 0; i < function->input_count; ++i)
        if (kas_onnx_input(call, i))
            KAS_TRY(kas_onnx_bind(reader, function->inputs[i], kas_onnx_input(call, i)));
    KAS_TRY(kas_onnx_walk(reader, function->nodes, function->node_count));
    for (size_t i = 0; i < function->output_count; ++i) {
        kas_reader_value *made = kas_onnx_lookup(reader, function->outputs[i]);
        if (!made)
            return kas_refuse(KAS_REASON_MALFORMED, "its output \"%.*s\" is made by no node",
                              KAS_SPAN_ARGS(function->outputs[i]));
        KAS_TRY(kas_reader_value_alias(reader, made, &outputs[i]));
    }
    return NULL;
}

/* Names that nodes can make. */
static size_t count_names(const kas_onnx_node *nodes, size_t count)
{
    size_t names = 0;
    for (size_t i = 0; i < count; ++i)
        names += nodes[i].output_count;
    return names;
}

static kas_status call_function(kas_onnx_call *call, const kas_onnx_function *function)
{
    kas_reader_value *outputs[KAS_ONNX_MAX_ARGUMENTS];
    const size_t names = function->input_count + count_names(function->nodes, function->node_count);
    KAS_TRY(kas_onnx_scope_enter(call->reader, names, true, call, function->opsets, function->opset_count));
    kas_status status = run_function(call, function, outputs);
    kas_onnx_scope_leave(call->reader);
    if (status) return kas_annotate(status, "function %.*s", KAS_SPAN_ARGS(function->name));
    for (size_t i = 0; i < function->output_count; ++i)
        KAS_TRY(kas_onnx_output(call, i, outputs[i]));
    return NULL;
}

/* ---- operators ---- */

/* True when `name` is one of the words of `list`. */
static bool is_listed(kas_span name, const char *list)
{
    while (*list) {
        const size_t length = strcspn(list, " ");
        if (length == name.size && memcmp(list, name.data, length) == 0) return true;
        list += length;
        list += *list == ' ';
    }
    return false;
}

static kas_status check_call(const kas_onnx_call *call)
{
    const kas_onnx_op *op = call->op;
    if (call->input_count < op->min_inputs || call->input_count > op->max_inputs)
        return kas_refuse(KAS_REASON_MALFORMED, "%s has %zu inputs, it takes %zu to %zu", op->name,
                          call->input_count, op->min_inputs, op->max_inputs);
    for (size_t i = 0; i < op->min_inputs; ++i)
        if (!call->inputs[i]) return kas_refuse(KAS_REASON_MALFORMED, "%s lacks its input %zu", op->name, i);
    for (size_t i = 0; i < call->attribute_count; ++i)
        if (!is_listed(call->attributes[i].name, op->attributes))
            return kas_refuse(KAS_REASON_MALFORMED, "%s has no attribute \"%.*s\"", op->name,
                              KAS_SPAN_ARGS(call->attributes[i].name));
    return NULL;
}

static void note_operator(kas_reader *reader, const char *name)
{
    for (size_t i = 0; i < *reader->operator_count; ++i)
        if (reader->operators[i] == name) return;
    if (*reader->operator_count < KAS_ARTIFACT_MAX_OPERATORS)
        reader->operators[(*reader->operator_count)++] = name;
}

static kas_status lower_operator(kas_onnx_call *call)
{
    const kas_onnx_node *node = call->node;
    if (node->operator_type.size == 0)
        return kas_refuse(KAS_REASON_MALFORMED, "the node names no operator: its op_type is empty");
    call->op = is_default_domain(node->domain) ? find_op(node->operator_type) : NULL;
    if (!call->op)
        return kas_refuse(
            KAS_REASON_OPERATOR, "the operator \"%.*s\" of domain \"%.*s\" is not supported",
            KAS_SPAN_ARGS(node->operator_type),
            KAS_SPAN_ARGS(node->domain.size ? node->domain : ((kas_span){(const uint8_t *)"ai.onnx", 7})));
    call->opset = opset_of(call->reader);
    if (call->opset == 0)
        return kas_refuse(KAS_REASON_MALFORMED, "no opset of the domain ai.onnx is imported here");
    KAS_TRY(resolve_inputs(call));
    KAS_TRY(resolve_attributes(call));
    KAS_TRY(check_call(call));
    note_operator(call->reader, call->op->name);
    return call->op->lower(call);
}

static kas_status lower_node(kas_reader *reader, const kas_onnx_node *node)
{
    kas_onnx_call call = {.reader = reader, .node = node};
    if (reader->nodes_left == 0)
        return kas_refuse(KAS_REASON_LIMIT,
                          "with functions and subgraphs there are more nodes than the limit of %u",
                          (unsigned)reader->limits->nodes);
    --reader->nodes_left;
    const kas_onnx_function *function = find_function(reader, node);
    if (!function) return lower_operator(&call);
    KAS_TRY(resolve_inputs(&call));
    KAS_TRY(resolve_attributes(&call));
    return call_function(&call, function);
}

kas_status kas_onnx_walk(kas_reader *reader, const kas_onnx_node *nodes, size_t count)
{
    for (size_t i = 0; i < count; ++i)
        KAS_TRY(kas_annotate(lower_node(reader, &nodes[i]), "node %zu %.*s \"%.*s\"", i,
                             KAS_SPAN_ARGS(nodes[i].operator_type), KAS_SPAN_ARGS(nodes[i].name)));
    return NULL;
}
