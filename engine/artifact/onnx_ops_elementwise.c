/* Operators on pairs of elements, broadcast as NumPy does; on integers about shapes they are evaluated. */
#include "engine/artifact/onnx_reader.h"
#include "engine/artifact/refuse.h"

kas_status kas_reader_binary(kas_reader *reader, kas_binary op, kas_reader_value *x, kas_reader_value *y,
                             kas_reader_value **out)
{
    kas_reader_value *operands[2] = {x, y};
    bool integers;
    int tensors[2], tensor;
    KAS_TRY(kas_reader_are_integers(reader, operands, 2, &integers));
    if (integers) return kas_reader_integer_binary(reader, op, x, y, out);
    KAS_TRY(kas_reader_value_new(reader, NULL, out));
    KAS_TRY(kas_reader_broadcast(reader, operands, 2, tensors, *out));
    KAS_TRY(kas_reader_emit_binary(reader, op, tensors[0], tensors[1], &tensor));
    if (op == KAS_DIV && kas_onnx_type_is_integer(x->type))
        KAS_TRY(kas_reader_emit_truncate(reader, tensor, &tensor));
    if (op >= KAS_EQUAL) (*out)->type = KAS_ONNX_BOOL;
    return kas_reader_settle(reader, tensor, *out);
}

/* ONNX wants one type; of floats any will do here, all are computed alike. */
static kas_status check_types(const kas_reader_value *x, const kas_reader_value *y)
{
    if (kas_onnx_type_is_float(x->type) == kas_onnx_type_is_float(y->type)) return NULL;
    return kas_refuse(KAS_REASON_MALFORMED, "its operands \"%.*s\" and \"%.*s\" are of the types %s and %s",
                      KAS_SPAN_ARGS(x->name), KAS_SPAN_ARGS(y->name), kas_onnx_type_name(x->type),
                      kas_onnx_type_name(y->type));
}

static kas_status lower_binary(kas_onnx_call *call)
{
    kas_reader_value *value;
    if (call->op->variant != KAS_POW) KAS_TRY(check_types(call->inputs[0], call->inputs[1]));
    KAS_TRY(kas_reader_binary(call->reader, (kas_binary)call->op->variant, call->inputs[0], call->inputs[1],
                              &value));
    return kas_onnx_output(call, 0, value);
}

/* x to a constant power is one function of x. */
static kas_status lower_pow(kas_onnx_call *call)
{
    kas_reader *reader = call->reader;
    kas_reader_value *x = call->inputs[0], *value;
    int tensor, exponent;
    size_t count;
    bool integers;
    KAS_TRY(kas_reader_are_integers(reader, call->inputs, 2, &integers));
    if (integers) return lower_binary(call);
    KAS_TRY(kas_reader_tensor_index(reader, call->inputs[1], &exponent));
    const float *power = kas_reader_constant(reader, call->inputs[1], &count);
    if (!power || count != 1 || call->inputs[1]->rank > x->rank) return lower_binary(call);
    const kas_act act = *power == 2.0f ? KAS_ACT_SQUARE : *power == 0.5f ? KAS_ACT_SQRT : KAS_ACT_POW;
    KAS_TRY(kas_reader_tensor_index(reader, x, &tensor));
    KAS_TRY(kas_reader_value_new(reader, x, &value));
    KAS_TRY(kas_reader_emit_unary(reader, act, act == KAS_ACT_POW ? *power : 0, 0, tensor, &value->tensor));
    return kas_onnx_output(call, 0, value);
}

/* ⌊x / y⌋, or towards zero. */
static kas_status whole_quotient(kas_reader *reader, kas_reader_value *x, kas_reader_value *y, bool truncate,
                                 kas_reader_value **out)
{
    int tensor;
    KAS_TRY(kas_reader_binary(reader, KAS_DIV, x, y, out));
    KAS_TRY(kas_reader_tensor_index(reader, *out, &tensor));
    if (truncate) return kas_reader_emit_truncate(reader, tensor, &(*out)->tensor);
    return kas_reader_emit_unary(reader, KAS_ACT_FLOOR, 0, 0, tensor, &(*out)->tensor);
}

/* x − y · (x / y), with the sign of y, or of x where fmod is set. Integers about shapes are not negative: for
 * them the two are the same. */
static kas_status lower_mod(kas_onnx_call *call)
{
    kas_reader *reader = call->reader;
    kas_reader_value *x = call->inputs[0], *y = call->inputs[1], *value;
    int64_t fmod;
    bool integers;
    KAS_TRY(kas_onnx_attribute_int(call, "fmod", 0, &fmod));
    KAS_TRY(kas_reader_are_integers(reader, call->inputs, 2, &integers));
    if (integers) {
        KAS_TRY(kas_reader_binary(reader, KAS_DIV, x, y, &value));
    } else {
        kas_reader_value *exact; /* as a float, so that the quotient is not rounded before it is floored */
        KAS_TRY(kas_reader_tensor_index(reader, x, &(int){0}));
        KAS_TRY(kas_reader_value_alias(reader, x, &exact));
        exact->type = KAS_ONNX_FLOAT;
        KAS_TRY(whole_quotient(reader, exact, y, fmod != 0, &value));
        value->type = x->type;
    }
    KAS_TRY(kas_reader_binary(reader, KAS_MUL, value, y, &value));
    KAS_TRY(kas_reader_binary(reader, KAS_SUB, x, value, &value));
    return kas_onnx_output(call, 0, value);
}

/* Sum, Min, Max and Mean of any number of operands. */
static kas_status lower_variadic(kas_onnx_call *call)
{
    kas_reader_value *value;
    int tensor;
    KAS_TRY(kas_reader_value_alias(call->reader, call->inputs[0], &value));
    for (size_t i = 1; i < call->input_count; ++i) {
        if (!call->inputs[i]) return kas_refuse(KAS_REASON_MALFORMED, "the input %zu is left out", i);
        KAS_TRY(check_types(call->inputs[0], call->inputs[i]));
        KAS_TRY(
            kas_reader_binary(call->reader, (kas_binary)call->op->variant, value, call->inputs[i], &value));
    }
    if (!kas_span_is(call->node->operator_type, "Mean")) return kas_onnx_output(call, 0, value);
    KAS_TRY(kas_reader_tensor_index(call->reader, value, &tensor));
    KAS_TRY(kas_reader_emit_unary(call->reader, KAS_ACT_AFFINE, 1.0f / (float)call->input_count, 0, tensor,
                                  &value->tensor));
    return kas_onnx_output(call, 0, value);
}

static kas_status where_integers(kas_onnx_call *call)
{
    const kas_integer *lists[3];
    size_t counts[3], count = 1;
    kas_reader_value *value;
    for (size_t i = 0; i < 3; ++i) {
        KAS_TRY(kas_reader_integers(call->reader, call->inputs[i], &lists[i], &counts[i]));
        if (counts[i] != 1) count = counts[i];
    }
    for (size_t i = 0; i < 3; ++i)
        if (counts[i] != 1 && counts[i] != count)
            return kas_refuse(KAS_REASON_SHAPE, "%zu integers do not broadcast to %zu", counts[i], count);
    KAS_TRY(kas_reader_value_of_integers(call->reader, count == 1 && !call->inputs[1]->rank ? 0 : 1, count,
                                         &value));
    for (size_t i = 0; i < count; ++i) {
        const kas_integer condition = lists[0][counts[0] == 1 ? 0 : i];
        if (condition.kind != KAS_INTEGER_KNOWN)
            return kas_refuse(KAS_REASON_MIXES_ROWS, "the condition depends on the size of the batch");
        const size_t chosen = condition.value ? 1 : 2;
        value->integers[i] = lists[chosen][counts[chosen] == 1 ? 0 : i];
    }
    return kas_onnx_output(call, 0, value);
}

static kas_status lower_where(kas_onnx_call *call)
{
    kas_reader_value *value;
    int tensors[3], tensor;
    bool integers;
    KAS_TRY(kas_reader_are_integers(call->reader, call->inputs, 3, &integers));
    if (integers) return where_integers(call);
    KAS_TRY(check_types(call->inputs[1], call->inputs[2]));
    KAS_TRY(kas_reader_value_new(call->reader, NULL, &value));
    KAS_TRY(kas_reader_broadcast(call->reader, call->inputs, 3, tensors, value));
    value->type = call->inputs[1]->type;
    KAS_TRY(kas_reader_emit_select(call->reader, tensors[0], tensors[1], tensors[2], &tensor));
    KAS_TRY(kas_reader_settle(call->reader, tensor, value));
    return kas_onnx_output(call, 0, value);
}

/* x < 0 ? slope·x : x */
static kas_status lower_prelu(kas_onnx_call *call)
{
    kas_reader *reader = call->reader;
    kas_reader_value *value;
    int tensors[2], scaled, zero, negative, tensor;
    KAS_TRY(kas_reader_value_new(reader, NULL, &value));
    KAS_TRY(kas_reader_broadcast(reader, call->inputs, 2, tensors, value));
    KAS_TRY(kas_reader_emit_binary(reader, KAS_MUL, tensors[0], tensors[1], &scaled));
    KAS_TRY(kas_reader_emit_scalar(reader, 0, &zero));
    KAS_TRY(kas_reader_emit_binary(reader, KAS_LESS, tensors[0], zero, &negative));
    KAS_TRY(kas_reader_emit_select(reader, negative, scaled, tensors[0], &tensor));
    KAS_TRY(kas_reader_settle(reader, tensor, value));
    return kas_onnx_output(call, 0, value);
}

const kas_onnx_op kas_onnx_ops_elementwise[] = {
    {"Add", lower_binary, "", 2, 2, KAS_ADD},
    {"And", lower_binary, "", 2, 2, KAS_AND},
    {"Div", lower_binary, "", 2, 2, KAS_DIV},
    {"Equal", lower_binary, "", 2, 2, KAS_EQUAL},
    {"Greater", lower_binary, "", 2, 2, KAS_GREATER},
    {"GreaterOrEqual", lower_binary, "", 2, 2, KAS_GREATER_EQUAL},
    {"Less", lower_binary, "", 2, 2, KAS_LESS},
    {"LessOrEqual", lower_binary, "", 2, 2, KAS_LESS_EQUAL},
    {"Max", lower_variadic, "", 1, KAS_ONNX_MAX_ARGUMENTS, KAS_MAX},
    {"Mean", lower_variadic, "", 1, KAS_ONNX_MAX_ARGUMENTS, KAS_ADD},
    {"Min", lower_variadic, "", 1, KAS_ONNX_MAX_ARGUMENTS, KAS_MIN},
    {"Mod", lower_mod, "fmod", 2, 2, 0},
    {"Mul", lower_binary, "", 2, 2, KAS_MUL},
    {"Or", lower_binary, "", 2, 2, KAS_OR},
    {"PRelu", lower_prelu, "", 2, 2, 0},
    {"Pow", lower_pow, "", 2, 2, KAS_POW},
    {"Sub", lower_binary, "", 2, 2, KAS_SUB},
    {"Sum", lower_variadic, "", 1, KAS_ONNX_MAX_ARGUMENTS, KAS_ADD},
    {"Where", lower_where, "", 3, 3, 0},
    {"Xor", lower_binary, "", 2, 2, KAS_XOR},
    {NULL, NULL, NULL, 0, 0, 0},
};
