/* Calls of the allow-list: finding the operator, and binding arguments to its parameters. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "engine/artifact/refuse.h"
#include "engine/artifact/torchscript_reader.h"

static const kas_script_op *find_exactly(kas_span name)
{
    static const kas_script_op *const tables[] = {
        kas_script_ops_language,
        kas_script_ops_activation,
        kas_script_ops_elementwise,
        kas_script_ops_product,
        kas_script_ops_norm,
        kas_script_ops_shape,
        kas_script_ops_index,
        kas_script_ops_reduce,
        kas_script_ops_window,
        kas_script_ops_fill,
        NULL,
    };
    for (const kas_script_op *const *table = tables; *table; ++table)
        for (const kas_script_op *op = *table; op->name; ++op)
            if (kas_span_is(name, op->name)) return op;
    return NULL;
}

kas_status kas_script_find_op(kas_span name, const kas_script_op **out, bool *in_place)
{
    const bool marked = name.size > 1 && name.data[name.size - 1] == '_' && name.data[name.size - 2] != '_';
    *out = find_exactly(name);
    *in_place = !*out && marked;
    if (*in_place) *out = find_exactly((kas_span){name.data, name.size - 1});
    if (*out) return NULL;
    return kas_refuse(KAS_REASON_OPERATOR,
                      "the call of \"%.*s\" is unsupported: it is not on the list of known operators",
                      KAS_SPAN_ARGS(name));
}

/* ---- binding ---- */

/* Gives the next word of a parameter list without its '?', and moves on. */
static kas_span next_parameter(const char **list, bool *optional)
{
    const size_t length = strcspn(*list, " ");
    kas_span word = {(const uint8_t *)*list, length};
    *list += length;
    *list += **list == ' ';
    *optional = length > 0 && word.data[length - 1] == '?';
    if (*optional) --word.size;
    return word;
}

static int find_parameter(const kas_script_op *op, kas_span name)
{
    const char *list = op->parameters;
    for (int i = 0; *list; ++i) {
        bool optional;
        if (kas_span_equal(next_parameter(&list, &optional), name)) return i;
    }
    return -1;
}

static int count_parameters(const kas_script_op *op)
{
    const char *list = op->parameters;
    int count = 0;
    for (bool optional; *list; ++count)
        next_parameter(&list, &optional);
    return count;
}

static kas_span parameter_name(const kas_script_call *call, int index)
{
    const char *list = call->op->parameters;
    bool optional;
    kas_span name = next_parameter(&list, &optional);
    for (int i = 0; i < index; ++i)
        name = next_parameter(&list, &optional);
    return name;
}

static kas_status bind_arguments(kas_script_call *call, const kas_script_arguments *arguments)
{
    const int parameters = count_parameters(call->op);
    for (size_t i = 0; i < arguments->count; ++i) {
        const kas_span keyword = arguments->keywords[i];
        const int at = keyword.size ? find_parameter(call->op, keyword) : (int)i;
        if (at < 0)
            return kas_refuse(KAS_REASON_UNSUPPORTED, "the argument \"%.*s\" is not supported",
                              KAS_SPAN_ARGS(keyword));
        if (at >= parameters)
            return kas_refuse(KAS_REASON_UNSUPPORTED, "%zu arguments, where up to %d are supported",
                              arguments->count, parameters);
        if (call->arguments[at])
            return kas_refuse(KAS_REASON_MALFORMED, "the argument \"%.*s\" is given twice",
                              KAS_SPAN_ARGS(parameter_name(call, at)));
        call->arguments[at] = &arguments->values[i];
    }
    const char *list = call->op->parameters;
    for (int i = 0; i < parameters; ++i) {
        bool optional;
        const kas_span name = next_parameter(&list, &optional);
        if (!optional && !call->arguments[i])
            return kas_refuse(KAS_REASON_MALFORMED, "the argument \"%.*s\" is missing", KAS_SPAN_ARGS(name));
    }
    return NULL;
}

/* ---- calling ---- */

static void note_operator(kas_reader *lower, const char *name)
{
    for (size_t i = 0; i < *lower->operator_count; ++i)
        if (lower->operators[i] == name) return;
    if (*lower->operator_count < KAS_ARTIFACT_MAX_OPERATORS)
        lower->operators[(*lower->operator_count)++] = name;
}

/* The tensor takes the result's value, for all that know it. Views would have to follow: they are refused.
 * What is no tensor is a buffer of rank 0, as the count of batches that BatchNorm keeps. */
static kas_status change_in_place(kas_script_call *call)
{
    const kas_script_value *self = call->arguments[0];
    if (!self || self->kind != KAS_SCRIPT_VALUE_TENSOR)
        return kas_refuse(KAS_REASON_UNSUPPORTED,
                          "it changes the module's own state in place, as modules do in training");
    if (call->op->is_view || call->result.kind != KAS_SCRIPT_VALUE_TENSOR)
        return kas_refuse(KAS_REASON_UNSUPPORTED, "in place it is not supported");
    if (call->result.tensor == self->tensor) return NULL;
    if (self->tensor->shared)
        return kas_refuse(KAS_REASON_UNSUPPORTED, "it changes in place what other tensors may share");
    self->tensor->value = call->result.tensor->value;
    call->result = *self;
    return NULL;
}

static void mark_shared(const kas_script_value *value)
{
    if (value->kind == KAS_SCRIPT_VALUE_TENSOR) value->tensor->shared = true;
    if (value->kind != KAS_SCRIPT_VALUE_LIST && value->kind != KAS_SCRIPT_VALUE_TUPLE) return;
    for (size_t i = 0; i < value->list->count; ++i)
        if (value->list->items[i].kind == KAS_SCRIPT_VALUE_TENSOR)
            value->list->items[i].tensor->shared = true;
}

static kas_status check_nodes(const kas_reader *lower)
{
    if (lower->graph->node_count <= lower->limits->nodes) return NULL;
    return kas_refuse(KAS_REASON_LIMIT, "the graph has more nodes than the limit of %u",
                      (unsigned)lower->limits->nodes);
}

static kas_status lower_call(kas_script_call *call, const kas_script_arguments *arguments, bool in_place)
{
    KAS_TRY(bind_arguments(call, arguments));
    KAS_TRY(call->op->lower(call));
    KAS_TRY(check_nodes(call->lower));
    if (in_place) return change_in_place(call);
    if (!call->op->is_view) return NULL;
    mark_shared(call->arguments[0]);
    mark_shared(&call->result);
    return NULL;
}

kas_status kas_script_call_op(kas_script_reader *reader, const kas_script_op *op, bool in_place,
                              const kas_script_arguments *arguments, kas_script_value *out)
{
    kas_script_call call = {.reader = reader, .lower = &reader->lower, .op = op};
    KAS_TRY(kas_annotate(lower_call(&call, arguments, in_place), "%s%s", op->name, in_place ? "_" : ""));
    if (call.result.kind == KAS_SCRIPT_VALUE_TENSOR || op->is_view) note_operator(call.lower, op->name);
    *out = call.result;
    return NULL;
}

/* ---- arguments ---- */

bool kas_script_given(const kas_script_call *call, int index)
{
    return call->arguments[index] && call->arguments[index]->kind != KAS_SCRIPT_VALUE_NONE;
}

static kas_status refuse_kind(const kas_script_call *call, int index, const char *wanted)
{
    return kas_refuse(KAS_REASON_UNSUPPORTED, "the argument \"%.*s\" is %s, not %s",
                      KAS_SPAN_ARGS(parameter_name(call, index)),
                      kas_script_kind_name(call->arguments[index]->kind), wanted);
}

kas_status kas_script_tensor_at(const kas_script_call *call, int index, kas_reader_value **out)
{
    *out = NULL;
    const kas_script_value *argument = call->arguments[index];
    if (!argument) return kas_refuse(KAS_REASON_MALFORMED, "a tensor is missing");
    if (argument->kind != KAS_SCRIPT_VALUE_TENSOR) return refuse_kind(call, index, "a tensor");
    *out = argument->tensor->value;
    if (kas_onnx_type_is_float((*out)->type) || (*out)->type == KAS_ONNX_BOOL) return NULL;
    return kas_refuse(KAS_REASON_UNSUPPORTED, "the argument \"%.*s\" is a tensor of integers",
                      KAS_SPAN_ARGS(parameter_name(call, index)));
}

kas_status kas_script_optional_tensor(const kas_script_call *call, int index, kas_reader_value **out)
{
    *out = NULL;
    return kas_script_given(call, index) ? kas_script_tensor_at(call, index, out) : NULL;
}

kas_status kas_script_operand_at(const kas_script_call *call, int index, kas_reader_value **out)
{
    double number;
    *out = NULL;
    if (!call->arguments[index]) return kas_refuse(KAS_REASON_MALFORMED, "an operand is missing");
    if (!kas_script_number(call->arguments[index], &number)) {
        if (call->arguments[index]->kind == KAS_SCRIPT_VALUE_INT)
            return kas_refuse(KAS_REASON_MIXES_ROWS, "the argument \"%.*s\" depends on the size of the batch",
                              KAS_SPAN_ARGS(parameter_name(call, index)));
        return kas_script_tensor_at(call, index, out);
    }
    if (isinf(number)) number = copysign((double)FLT_MAX, number); /* of masks: beside it nothing counts */
    KAS_TRY(kas_reader_value_new(call->lower, NULL, out));
    return kas_reader_emit_scalar(call->lower, (float)number, &(*out)->tensor);
}

kas_status kas_script_int_at(const kas_script_call *call, int index, int64_t absent, int64_t *out)
{
    *out = absent;
    if (!kas_script_given(call, index)) return NULL;
    const kas_script_value *argument = call->arguments[index];
    if (argument->kind != KAS_SCRIPT_VALUE_INT) return refuse_kind(call, index, "an int");
    *out = argument->integer.value;
    if (argument->integer.kind == KAS_INTEGER_KNOWN) return NULL;
    return kas_refuse(KAS_REASON_MIXES_ROWS, "the argument \"%.*s\" depends on the size of the batch",
                      KAS_SPAN_ARGS(parameter_name(call, index)));
}

kas_status kas_script_float_at(const kas_script_call *call, int index, double absent, double *out)
{
    *out = absent;
    if (!kas_script_given(call, index)) return NULL;
    return kas_script_number(call->arguments[index], out) ? NULL : refuse_kind(call, index, "a number");
}

kas_status kas_script_bool_at(const kas_script_call *call, int index, bool absent, bool *out)
{
    *out = absent;
    if (!kas_script_given(call, index)) return NULL;
    if (call->arguments[index]->kind != KAS_SCRIPT_VALUE_BOOL) return refuse_kind(call, index, "a bool");
    *out = call->arguments[index]->boolean;
    return NULL;
}

kas_status kas_script_text_at(const kas_script_call *call, int index, const char *absent, kas_span *out)
{
    *out = (kas_span){(const uint8_t *)absent, absent ? strlen(absent) : 0};
    if (!kas_script_given(call, index)) return NULL;
    if (call->arguments[index]->kind != KAS_SCRIPT_VALUE_TEXT) return refuse_kind(call, index, "a string");
    *out = call->arguments[index]->text;
    return NULL;
}

kas_status kas_script_list_at(const kas_script_call *call, int index, const kas_script_list **out)
{
    *out = NULL;
    const kas_script_value *argument = call->arguments[index];
    if (!argument) return kas_refuse(KAS_REASON_MALFORMED, "a list is missing");
    if (argument->kind != KAS_SCRIPT_VALUE_LIST && argument->kind != KAS_SCRIPT_VALUE_TUPLE)
        return refuse_kind(call, index, "a list");
    *out = argument->list;
    return NULL;
}

kas_status kas_script_sizes_at(const kas_script_call *call, int index, size_t limit, kas_integer *out,
                               size_t *count)
{
    const kas_script_list *list;
    *count = 0;
    if (!kas_script_given(call, index)) return NULL;
    if (call->arguments[index]->kind == KAS_SCRIPT_VALUE_INT) {
        out[0] = call->arguments[index]->integer;
        *count = 1;
        return NULL;
    }
    KAS_TRY(kas_script_list_at(call, index, &list));
    if (list->count > limit)
        return kas_refuse(KAS_REASON_LIMIT, "the argument \"%.*s\" has %zu values, the limit is %zu",
                          KAS_SPAN_ARGS(parameter_name(call, index)), list->count, limit);
    for (size_t i = 0; i < list->count; ++i) {
        if (list->items[i].kind != KAS_SCRIPT_VALUE_INT)
            return kas_refuse(KAS_REASON_UNSUPPORTED, "the argument \"%.*s\" holds %s where an int is needed",
                              KAS_SPAN_ARGS(parameter_name(call, index)),
                              kas_script_kind_name(list->items[i].kind));
        out[i] = list->items[i].integer;
    }
    *count = list->count;
    return NULL;
}

kas_status kas_script_ints_at(const kas_script_call *call, int index, size_t limit, int64_t *out,
                              size_t *count)
{
    kas_integer sizes[KAS_READER_MAX_RANK];
    KAS_TRY(kas_script_sizes_at(call, index, limit < KAS_READER_MAX_RANK ? limit : KAS_READER_MAX_RANK, sizes,
                                count));
    for (size_t i = 0; i < *count; ++i) {
        out[i] = sizes[i].value;
        if (sizes[i].kind != KAS_INTEGER_KNOWN)
            return kas_refuse(KAS_REASON_MIXES_ROWS, "the argument \"%.*s\" depends on the size of the batch",
                              KAS_SPAN_ARGS(parameter_name(call, index)));
    }
    return NULL;
}

kas_status kas_script_axis_at(const kas_script_call *call, int index, int64_t absent, int rank, int *out)
{
    int64_t axis;
    KAS_TRY(kas_script_int_at(call, index, absent, &axis));
    return kas_reader_axis(axis, rank, out);
}

kas_status kas_script_check_dtype(const kas_script_call *call, int index)
{
    enum { SCALAR_TYPE_FLOAT = 6 }; /* c10::ScalarType::Float */
    int64_t dtype;
    KAS_TRY(kas_script_int_at(call, index, SCALAR_TYPE_FLOAT, &dtype));
    if (dtype == SCALAR_TYPE_FLOAT) return NULL;
    return kas_refuse(KAS_REASON_UNSUPPORTED, "the dtype %lld is not supported; float32 (6) is",
                      (long long)dtype);
}

/* ---- results ---- */

kas_status kas_script_give(kas_script_call *call, kas_reader_value *tensor)
{
    return kas_script_of_tensor(call->reader, tensor, false, &call->result);
}

kas_status kas_script_give_first(kas_script_call *call)
{
    call->result = *call->arguments[0];
    return NULL;
}

/* The unknown width, a part of it, or a multiple. */
static bool is_unknown(int64_t size)
{
    const int64_t unknown = KAS_SCRIPT_UNKNOWN_WIDTH;
    return size >= unknown / KAS_SCRIPT_UNKNOWN_PARTS && (unknown % size == 0 || size % unknown == 0);
}

kas_status kas_script_show_size(kas_script_reader *reader, int64_t unknown, int64_t size)
{
    const int64_t whole = KAS_SCRIPT_UNKNOWN_WIDTH;
    if (reader->is_width_known || !is_unknown(unknown) || size < 1 || is_unknown(size)) return NULL;
    if (unknown > whole && size % (unknown / whole)) return NULL;
    if (__builtin_mul_overflow(size, whole, &size)) return NULL;
    reader->width = size / unknown;
    return kas_out_of_memory(); /* any failure would do: this one needs no memory, and nobody reads it */
}

kas_status kas_script_show_width(kas_script_reader *reader, const kas_reader_value *x, int axis, int64_t size)
{
    return axis < 0 ? NULL : kas_script_show_size(reader, x->dims[axis], size);
}
