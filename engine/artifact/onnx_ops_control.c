/* If whose condition is known once shapes are, and lists of tensors. */
#include "engine/artifact/onnx_reader.h"
#include "engine/artifact/refuse.h"

static kas_status run_branch(kas_onnx_call *call, const kas_onnx_graph *graph, kas_reader_value **outputs)
{
    kas_reader *reader = call->reader;
    KAS_TRY(kas_onnx_bind_initializers(reader, graph));
    KAS_TRY(kas_onnx_walk(reader, graph->nodes, graph->node_count));
    for (size_t i = 0; i < graph->output_count; ++i) {
        kas_reader_value *made = kas_onnx_lookup(reader, graph->outputs[i].name);
        if (!made)
            return kas_refuse(KAS_REASON_MALFORMED, "its output \"%.*s\" is made by no node",
                              KAS_SPAN_ARGS(graph->outputs[i].name));
        KAS_TRY(kas_reader_value_alias(reader, made, &outputs[i]));
    }
    return NULL;
}

static kas_status enter_branch(kas_onnx_call *call, const kas_onnx_attribute *branch)
{
    kas_reader *reader = call->reader;
    kas_onnx_graph graph;
    kas_reader_value *outputs[KAS_ONNX_MAX_ARGUMENTS];
    KAS_TRY(kas_onnx_read_graph(&reader->source, branch->graph, &graph));
    if (graph.output_count > KAS_ONNX_MAX_ARGUMENTS || graph.output_count < call->node->output_count)
        return kas_refuse(KAS_REASON_MALFORMED, "the branch has %zu outputs, the node %zu",
                          graph.output_count, call->node->output_count);
    size_t names = graph.initializer_count;
    for (size_t i = 0; i < graph.node_count; ++i)
        names += graph.nodes[i].output_count;
    KAS_TRY(kas_onnx_scope_enter(reader, names, false, NULL, NULL, 0));
    kas_status status = run_branch(call, &graph, outputs);
    kas_onnx_scope_leave(reader);
    KAS_TRY(status);
    for (size_t i = 0; i < call->node->output_count; ++i)
        KAS_TRY(kas_onnx_output(call, i, outputs[i]));
    return NULL;
}

static kas_status lower_if(kas_onnx_call *call)
{
    int64_t condition[KAS_ONNX_MAX_LIST];
    size_t count;
    KAS_TRY(kas_reader_known_integers(call->reader, call->inputs[0], "the condition", condition, &count));
    if (count != 1) return kas_refuse(KAS_REASON_SHAPE, "the condition has %zu values", count);
    const char *name = condition[0] ? "then_branch" : "else_branch";
    const kas_onnx_attribute *branch = kas_onnx_attribute_find(call, name);
    if (!branch || branch->type != KAS_ONNX_ATTRIBUTE_GRAPH || !branch->graph.data)
        return kas_refuse(KAS_REASON_MALFORMED, "the attribute %s is missing or holds no graph", name);
    return kas_annotate(enter_branch(call, branch), "%s", name);
}

/* ---- sequences ---- */

static kas_status make_sequence(kas_onnx_call *call, size_t count, kas_reader_value ***items)
{
    kas_reader_value *value;
    void *room;
    KAS_TRY(kas_reader_value_new(call->reader, NULL, &value));
    KAS_TRY(kas_arena_take(call->reader->source.arena, count, sizeof(kas_reader_value *), &room));
    value->items = room;
    value->item_count = count;
    *items = room;
    return kas_onnx_output(call, 0, value);
}

/* One size for all parts (the last may be smaller), or a list of sizes. */
static kas_status part_sizes(kas_onnx_call *call, int64_t dim, int64_t *sizes, size_t *count)
{
    int64_t sum = 0;
    *count = 0;
    kas_reader_value *split = kas_onnx_input(call, 1);
    if (split) KAS_TRY(kas_reader_known_integers(call->reader, split, "split", sizes, count));
    if (!split || split->rank == 0) {
        const int64_t size = *count ? sizes[0] : 1;
        if (size < 1) return kas_refuse(KAS_REASON_SHAPE, "a split of %lld", (long long)size);
        *count = 0;
        for (int64_t at = 0; at < dim && *count < KAS_ONNX_MAX_ARGUMENTS; at += size)
            sizes[(*count)++] = dim - at < size ? dim - at : size;
    }
    for (size_t i = 0; i < *count; ++i) {
        if (sizes[i] < 1 || sizes[i] > dim)
            return kas_refuse(KAS_REASON_SHAPE, "part %zu has a size out of range", i);
        sum += sizes[i];
    }
    if (sum == dim && *count <= KAS_ONNX_MAX_ARGUMENTS) return NULL;
    return kas_refuse(KAS_REASON_SHAPE, "%zu parts with a sum of %lld for %lld values", *count,
                      (long long)sum, (long long)dim);
}

static kas_status lower_split_to_sequence(kas_onnx_call *call)
{
    kas_reader_value *x = call->inputs[0], **items, *part;
    int64_t axis, keep, sizes[KAS_ONNX_MAX_LIST], begin = 0;
    size_t count;
    int at;
    KAS_TRY(kas_onnx_attribute_int(call, "axis", 0, &axis));
    KAS_TRY(kas_onnx_attribute_int(call, "keepdims", 1, &keep));
    KAS_TRY(kas_reader_axis(axis, x->rank, &at));
    if (!keep && !kas_onnx_input(call, 1))
        return kas_refuse(KAS_REASON_UNSUPPORTED, "keepdims = 0 is not supported");
    KAS_TRY(part_sizes(call, x->dims[at], sizes, &count));
    KAS_TRY(make_sequence(call, count, &items));
    for (size_t i = 0; i < count; ++i) {
        KAS_TRY(kas_reader_slice(call->reader, x, at, begin, 1, sizes[i], &part));
        items[i] = part;
        begin += sizes[i];
    }
    return NULL;
}

static kas_status lower_sequence_construct(kas_onnx_call *call)
{
    kas_reader_value **items;
    KAS_TRY(make_sequence(call, call->input_count, &items));
    for (size_t i = 0; i < call->input_count; ++i) {
        if (!call->inputs[i]) return kas_refuse(KAS_REASON_MALFORMED, "the input %zu is left out", i);
        items[i] = call->inputs[i];
    }
    return NULL;
}

static kas_status lower_sequence_at(kas_onnx_call *call)
{
    const kas_reader_value *sequence = call->inputs[0];
    kas_reader_value *value;
    int64_t position[KAS_ONNX_MAX_LIST];
    size_t count;
    if (!sequence->items) return kas_refuse(KAS_REASON_MALFORMED, "the input is no sequence");
    KAS_TRY(kas_reader_known_integers(call->reader, call->inputs[1], "the position", position, &count));
    const int64_t length = (int64_t)sequence->item_count;
    if (count != 1 || position[0] < -length || position[0] >= length)
        return kas_refuse(KAS_REASON_SHAPE, "the position is out of range of %lld items", (long long)length);
    KAS_TRY(kas_reader_value_alias(
        call->reader, sequence->items[position[0] < 0 ? position[0] + length : position[0]], &value));
    return kas_onnx_output(call, 0, value);
}

const kas_onnx_op kas_onnx_ops_control[] = {
    {"If", lower_if, "then_branch else_branch", 1, 1, 0},
    {"SequenceAt", lower_sequence_at, "", 2, 2, 0},
    {"SequenceConstruct", lower_sequence_construct, "", 1, KAS_ONNX_MAX_ARGUMENTS, 0},
    {"SplitToSequence", lower_split_to_sequence, "axis keepdims", 1, 2, 0},
    {NULL, NULL, NULL, 0, 0, 0},
};
