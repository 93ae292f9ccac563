/* Around the evaluation: what an archive must hold before it, and what must have come out after it. */
#include "engine/artifact/torchscript.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/artifact/refuse.h"
#include "engine/artifact/torchscript_input.h"
#include "engine/artifact/torchscript_reader.h"

enum { VERSION_MAX = 10, VERSION_DIGITS_MAX = 6 };

/* ---- the archive ---- */

static kas_span text_span(const char *text)
{
    return (kas_span){(const uint8_t *)text, strlen(text)};
}

static bool parse_version(kas_span text, unsigned *out)
{
    *out = 0;
    while (text.size > 0 && text.data[text.size - 1] == '\n')
        --text.size;
    if (text.size == 0 || text.size > VERSION_DIGITS_MAX) return false;
    for (size_t i = 0; i < text.size; ++i) {
        if (text.data[i] < '0' || text.data[i] > '9') return false;
        *out = *out * 10 + (unsigned)(text.data[i] - '0');
    }
    return true;
}

/* "version" of older and ".data/version" of newer archives: of the file's format and of the operators in its
 * code. */
static kas_status check_version(kas_script_reader *reader)
{
    const bool is_newer = kas_torch_archive_has(&reader->archive, text_span(".data/version"));
    kas_span text;
    unsigned version;
    KAS_TRY(
        kas_torch_archive_read(&reader->archive, text_span(is_newer ? ".data/version" : "version"), &text));
    if (!parse_version(text, &version))
        return kas_refuse(KAS_REASON_MALFORMED, "the version \"%.*s\" is no number", KAS_SPAN_ARGS(text));
    if (version >= 1 && version <= VERSION_MAX) return NULL;
    return kas_refuse(KAS_REASON_UNSUPPORTED, "the version %u of the format is not supported; 1 to %d are",
                      version, (int)VERSION_MAX);
}

static kas_status read_root(kas_script_reader *reader)
{
    const kas_pickle_value *root;
    char text[KAS_PICKLE_DESCRIBED];
    KAS_TRY(kas_torch_archive_unpickle(&reader->archive, "data.pkl", KAS_PICKLE_CLOSED, &root));
    if (root->kind != KAS_PICKLE_OBJECT)
        return kas_refuse(KAS_REASON_MALFORMED, "data.pkl holds %s, not a module",
                          kas_pickle_describe(root, text, sizeof text));
    reader->root = &root->object;
    return NULL;
}

/* ---- input and output ---- */

static kas_status make_input(kas_script_reader *reader, const kas_shape *row, kas_span name,
                             kas_script_value *out)
{
    kas_reader_value *value;
    char text[KAS_SPAN_SHOWN + 1];
    KAS_TRY(kas_reader_value_new(&reader->lower, NULL, &value));
    value->rank = row->rank + 1;
    value->batch_axis = 0;
    value->dims[0] = 1;
    for (int i = 0; i < row->rank; ++i)
        value->dims[i + 1] = row->dims[i];
    snprintf(text, sizeof text, "%.*s", KAS_SPAN_ARGS(name));
    KAS_TRY(kas_graph_add_tensor(reader->lower.graph, text, row, &value->tensor));
    reader->lower.graph->input = value->tensor;
    return kas_script_of_tensor(reader, value, false, out);
}

/* Besides `self`, one parameter without a default. */
static kas_status find_input_parameter(const kas_script_function *forward, const kas_script_parameter **out)
{
    const kas_script_parameter *self = forward->parameters;
    *out = self ? self->next : NULL;
    if (!*out) return kas_refuse(KAS_REASON_UNSUPPORTED, "forward takes no input");
    for (const kas_script_parameter *other = (*out)->next; other; other = other->next)
        if (!other->absent)
            return kas_refuse(KAS_REASON_UNSUPPORTED,
                              "forward takes more than one input, \"%.*s\" and \"%.*s\"; a "
                              "kernel has one",
                              KAS_SPAN_ARGS((*out)->name), KAS_SPAN_ARGS(other->name));
    return NULL;
}

static kas_status set_output(kas_script_reader *reader, const kas_script_value *output)
{
    char text[KAS_READER_SHAPE_TEXT];
    int tensor;
    if (output->kind != KAS_SCRIPT_VALUE_TENSOR)
        return kas_refuse(KAS_REASON_UNSUPPORTED, "forward returns %s; a kernel has one output, a tensor",
                          kas_script_kind_name(output->kind));
    kas_reader_value *value = output->tensor->value;
    KAS_TRY(kas_reader_tensor_index(&reader->lower, value, &tensor));
    if (reader->lower.graph->tensors[tensor].constant)
        return kas_refuse(KAS_REASON_UNSUPPORTED, "the output does not depend on the input");
    if (value->batch_axis != 0 || value->dims[0] != 1)
        return kas_refuse(KAS_REASON_MIXES_ROWS,
                          "the output's shape %s does not have one row for each of the batch",
                          kas_reader_shape_text(value, text));
    if (value->rank == 1) {
        const kas_shape one = {.rank = 1, .dims = {1}};
        KAS_TRY(kas_reader_emit_view(&reader->lower, tensor, &one, &tensor));
    }
    reader->lower.graph->output = tensor;
    return NULL;
}

/* ---- evaluation ---- */

static kas_status call_forward(kas_script_reader *reader, const kas_shape *row)
{
    kas_span by_position[2] = {{NULL, 0}, {NULL, 0}};
    const kas_script_function *forward;
    const kas_script_parameter *parameter;
    kas_script_value values[2] = {{.kind = KAS_SCRIPT_VALUE_OBJECT, .object = reader->root}}, output;
    KAS_TRY(kas_script_find_method(reader, reader->root, text_span("forward"), &forward));
    KAS_TRY(find_input_parameter(forward, &parameter));
    KAS_TRY(make_input(reader, row, parameter->name, &values[1]));
    const kas_script_arguments arguments = {.values = values, .keywords = by_position, .count = 2};
    KAS_TRY(kas_script_run(reader, forward, &arguments, &output));
    return set_output(reader, &output);
}

/* A graph of its own for each evaluation. */
static kas_status evaluate(kas_script_reader *reader, const kas_shape *row, kas_artifact *out)
{
    kas_graph_destroy(out->graph);
    out->graph = NULL;
    KAS_TRY(kas_graph_create(&out->graph));
    kas_script_forget_weights(reader);
    reader->lower.graph = out->graph;
    reader->steps_left = KAS_SCRIPT_MAX_STEPS;
    reader->depth_left = KAS_SCRIPT_MAX_DEPTH;
    reader->calls_left = reader->lower.limits->nesting;
    reader->weight_elements = 0;
    reader->frame = NULL;
    reader->is_located = false;
    *reader->lower.operator_count = 0;
    return call_forward(reader, row);
}

/* What does not fit, or is too large, once something was computed may be so because of the width that stands
 * for the unknown one. */
static kas_status explain_width(const kas_script_reader *reader, kas_status status)
{
    const char *reason = kas_status_reason(status);
    const bool is_size = strcmp(reason, KAS_REASON_SHAPE) == 0 || strcmp(reason, KAS_REASON_LIMIT) == 0;
    const bool computes = reader->lower.graph && reader->lower.graph->tensor_count > 1;
    return is_size && computes ? kas_annotate(status, "before any call shows how wide the input is") : status;
}

/* Without an example: the first evaluation is to end where the width shows. */
static kas_status evaluate_without_example(kas_script_reader *reader, kas_artifact *out)
{
    kas_shape row = {.rank = 1, .dims = {KAS_SCRIPT_UNKNOWN_WIDTH}};
    kas_status status = evaluate(reader, &row, out);
    if (!status) return kas_refuse(KAS_REASON_SHAPE, "no call in the code shows how wide the input is");
    if (reader->width == 0) return explain_width(reader, status);
    kas_status_free(status);
    row.dims[0] = reader->width;
    reader->is_width_known = true;
    return evaluate(reader, &row, out);
}

static kas_status read_all(kas_script_reader *reader, const void *bytes, size_t size_bytes, kas_artifact *out)
{
    kas_script_example example;
    KAS_TRY(kas_torch_archive_open(bytes, size_bytes, reader->arena, &reader->archive));
    KAS_TRY(check_version(reader));
    KAS_TRY(read_root(reader));
    KAS_TRY(kas_script_read_example(&reader->archive, &example));
    reader->lower.fixed_batch = example.batch;
    reader->is_width_known = example.batch > 0;
    KAS_TRY(example.batch ? evaluate(reader, &example.row, out) : evaluate_without_example(reader, out));
    snprintf(out->producer, sizeof out->producer, "pytorch");
    return kas_script_count_parameters(reader, &out->parameter_count);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

kas_status kas_torchscript_read(const void *bytes, size_t size_bytes, const kas_artifact_limits *limits,
                                kas_artifact *out)
{
    kas_arena arena;
    kas_arena_init_for_file(&arena, size_bytes, limits->memory_bytes);
    kas_script_reader reader = {
        .lower = {.source = {.arena = &arena, .max_nodes = limits->nodes},
                  .limits = limits,
                  .operators = out->operators,
                  .operator_count = &out->operator_count},
        .arena = &arena,
    };
    kas_status status = read_all(&reader, bytes, size_bytes, out);
    kas_arena_finish(&arena);
    qsort(out->operators, out->operator_count, sizeof *out->operators, compare_names);
    return status;
}
