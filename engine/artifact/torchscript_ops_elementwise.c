/* Operators on two values: tensors (broadcast as NumPy does), numbers, sizes, lists. */
#include <math.h>
#include <string.h>

#include "engine/artifact/refuse.h"
#include "engine/artifact/torchscript_reader.h"
#include "engine/graph/reference.h"

/* Axes are aligned at the last; one of a single element fits any width. */
static kas_status show_width(kas_script_call *call, const kas_reader_value *x, const kas_reader_value *y)
{
    for (int i = x->rank - 1, k = y->rank - 1; i >= 0 && k >= 0; --i, --k)
        if (y->dims[k] != 1) KAS_TRY(kas_script_show_width(call->reader, x, i, y->dims[k]));
    return NULL;
}

kas_status kas_script_binary(kas_script_call *call, kas_binary op, kas_reader_value *x, kas_reader_value *y,
                             kas_reader_value **out)
{
    KAS_TRY(show_width(call, x, y));
    KAS_TRY(show_width(call, y, x));
    return kas_reader_binary(call->lower, op, x, y, out);
}

/* ---- numbers ---- */

static bool is_tensor(const kas_script_value *value)
{
    return value->kind == KAS_SCRIPT_VALUE_TENSOR;
}

/* Of an int or a bool; 0 of what is neither. */
static kas_integer as_integer(const kas_script_value *value)
{
    if (value->kind == KAS_SCRIPT_VALUE_INT) return value->integer;
    return (kas_integer){.value = value->kind == KAS_SCRIPT_VALUE_BOOL && value->boolean};
}

static bool is_integer(const kas_script_value *value)
{
    return value->kind == KAS_SCRIPT_VALUE_INT || value->kind == KAS_SCRIPT_VALUE_BOOL;
}

/* k·B against n, where B is at least 1 whatever the batch: true where the answer is the same for all of them.
 */
static bool compare_multiple(kas_binary op, int64_t k, int64_t n, bool *out)
{
    const bool above = k > n, at_least = k >= n;
    switch (op) {
    case KAS_EQUAL:
        *out = false;
        return above;
    case KAS_GREATER:
    case KAS_LESS_EQUAL:
        *out = op == KAS_GREATER;
        return above;
    case KAS_GREATER_EQUAL:
    case KAS_LESS:
        *out = op == KAS_GREATER_EQUAL;
        return at_least;
    default:
        return false;
    }
}

/* A multiple of the batch with a number: n > k·B is k·B < n. */
static bool compare_with_batch(kas_binary op, kas_integer a, kas_integer b, bool *out)
{
    static const kas_binary turned[KAS_BINARY_COUNT] = {[KAS_EQUAL] = KAS_EQUAL,
                                                        [KAS_GREATER] = KAS_LESS,
                                                        [KAS_LESS] = KAS_GREATER,
                                                        [KAS_GREATER_EQUAL] = KAS_LESS_EQUAL,
                                                        [KAS_LESS_EQUAL] = KAS_GREATER_EQUAL};
    if (a.kind == KAS_INTEGER_BATCH && b.kind == KAS_INTEGER_KNOWN && a.value > 0)
        return compare_multiple(op, a.value, b.value, out);
    if (b.kind == KAS_INTEGER_BATCH && a.kind == KAS_INTEGER_KNOWN && b.value > 0)
        return compare_multiple(turned[op], b.value, a.value, out);
    return false;
}

/* The quotient of integers is a float, as in Python. */
static kas_status of_integers(kas_script_call *call, kas_binary op)
{
    call->result.kind = KAS_SCRIPT_VALUE_INT;
    const kas_integer a = as_integer(call->arguments[0]), b = as_integer(call->arguments[1]);
    bool holds;
    if (op == KAS_EQUAL && a.kind == KAS_INTEGER_KNOWN && b.kind == KAS_INTEGER_KNOWN) { /* as asserts ask */
        KAS_TRY(kas_script_show_size(call->reader, a.value, b.value));
        KAS_TRY(kas_script_show_size(call->reader, b.value, a.value));
    }
    if (compare_with_batch(op, a, b, &holds)) {
        call->result = kas_script_of_bool(holds);
        return NULL;
    }
    KAS_TRY(kas_reader_integer_combine(op, a, b, &call->result.integer));
    const kas_integer found = call->result.integer;
    if (op >= KAS_EQUAL && found.kind == KAS_INTEGER_KNOWN)
        call->result = kas_script_of_bool(found.value != 0);
    return NULL;
}

static kas_status of_numbers(kas_script_call *call, kas_binary op)
{
    double a, b;
    const kas_script_value *x = call->arguments[0], *y = call->arguments[1];
    if (is_integer(x) && is_integer(y) && op != KAS_DIV && op != KAS_POW) return of_integers(call, op);
    if (!kas_script_number(x, &a) || !kas_script_number(y, &b))
        return kas_refuse(KAS_REASON_UNSUPPORTED, "of %s and %s, or of a size that depends on the batch",
                          kas_script_kind_name(x->kind), kas_script_kind_name(y->kind));
    const double result = kas_reference_binary(op, a, b);
    if (!isfinite(result)) return kas_refuse(KAS_REASON_NOT_FINITE, "of %g and %g gives %g", a, b, result);
    call->result = op >= KAS_EQUAL ? kas_script_of_bool(result != 0) : kas_script_of_float(result);
    return NULL;
}

/* Joins two lists. */
static kas_status of_lists(kas_script_call *call)
{
    const kas_script_list *x, *y;
    KAS_TRY(kas_script_list_at(call, 0, &x));
    KAS_TRY(kas_script_list_at(call, 1, &y));
    KAS_TRY(kas_script_spend(call->reader, x->count + y->count));
    KAS_TRY(kas_script_list_new(call->reader, call->arguments[0]->kind, x->count + y->count, &call->result));
    for (size_t i = 0; i < x->count + y->count; ++i)
        KAS_TRY(kas_script_list_append(call->reader, call->result.list,
                                       i < x->count ? x->items[i] : y->items[i - x->count]));
    return NULL;
}

static bool are_texts(const kas_script_call *call)
{
    return call->arguments[0]->kind == KAS_SCRIPT_VALUE_TEXT &&
           call->arguments[1]->kind == KAS_SCRIPT_VALUE_TEXT;
}

/* ---- tensors ---- */

static kas_status give_binary(kas_script_call *call, kas_binary op)
{
    kas_reader_value *x, *y, *value;
    if (!is_tensor(call->arguments[0]) && !is_tensor(call->arguments[1])) return of_numbers(call, op);
    KAS_TRY(kas_script_operand_at(call, 0, &x));
    KAS_TRY(kas_script_operand_at(call, 1, &y));
    KAS_TRY(kas_script_binary(call, op, x, y, &value));
    return kas_script_give(call, value);
}

static kas_status lower_binary(kas_script_call *call)
{
    return give_binary(call, (kas_binary)call->op->variant);
}

/* x ± alpha·y, and the other way round for rsub. */
static kas_status add_scaled(kas_script_call *call, kas_binary op, int first, int second)
{
    kas_reader_value *x, *y, *value;
    double alpha;
    KAS_TRY(kas_script_float_at(call, 2, 1, &alpha));
    KAS_TRY(kas_script_operand_at(call, first, &x));
    KAS_TRY(kas_script_operand_at(call, second, &y));
    if (!isfinite(alpha)) return kas_refuse(KAS_REASON_NOT_FINITE, "alpha is not finite");
    if (alpha != 1) KAS_TRY(kas_script_unary(call, KAS_ACT_AFFINE, alpha, 0, y, &y));
    KAS_TRY(kas_script_binary(call, op, x, y, &value));
    return kas_script_give(call, value);
}

static kas_status lower_add(kas_script_call *call)
{
    const kas_binary op = (kas_binary)call->op->variant;
    if (call->arguments[0]->kind == KAS_SCRIPT_VALUE_LIST && op == KAS_ADD) return of_lists(call);
    if (!is_tensor(call->arguments[0]) && !is_tensor(call->arguments[1])) return of_numbers(call, op);
    return add_scaled(call, op, 0, 1);
}

static kas_status lower_rsub(kas_script_call *call)
{
    return add_scaled(call, KAS_SUB, 1, 0);
}

/* ⌊a / b⌋ of integers */
static kas_status lower_floordiv(kas_script_call *call)
{
    const kas_script_value *x = call->arguments[0], *y = call->arguments[1];
    if (!is_integer(x) || !is_integer(y))
        return kas_refuse(KAS_REASON_UNSUPPORTED, "of %s and %s", kas_script_kind_name(x->kind),
                          kas_script_kind_name(y->kind));
    KAS_TRY(of_integers(call, KAS_DIV));
    const kas_integer a = as_integer(x), b = as_integer(y);
    const bool known = a.kind == KAS_INTEGER_KNOWN && b.kind == KAS_INTEGER_KNOWN;
    if (known && a.value % b.value != 0 && (a.value < 0) != (b.value < 0)) --call->result.integer.value;
    return NULL;
}

/* Integers may be rounded either way; of tensors the graph knows floor only. */
static kas_status round_quotient(kas_script_call *call)
{
    kas_span mode;
    kas_reader_value *x;
    KAS_TRY(kas_script_text_at(call, 2, "", &mode));
    const bool floors = kas_span_is(mode, "floor"), truncates = kas_span_is(mode, "trunc");
    const bool integers = is_integer(call->arguments[0]) && is_integer(call->arguments[1]);
    if (integers && truncates) return of_integers(call, KAS_DIV);
    if (integers && floors) return lower_floordiv(call);
    if (!floors) return kas_refuse(KAS_REASON_UNSUPPORTED, "rounding_mode \"%.*s\"", KAS_SPAN_ARGS(mode));
    KAS_TRY(give_binary(call, KAS_DIV));
    if (!is_tensor(&call->result)) return kas_refuse(KAS_REASON_UNSUPPORTED, "rounding_mode of floats");
    x = call->result.tensor->value;
    KAS_TRY(kas_script_unary(call, KAS_ACT_FLOOR, 0, 0, x, &x));
    return kas_script_give(call, x);
}

static kas_status lower_div(kas_script_call *call)
{
    return kas_script_given(call, 2) ? round_quotient(call) : give_binary(call, KAS_DIV);
}

static kas_status lower_remainder(kas_script_call *call)
{
    const kas_script_value *x = call->arguments[0], *y = call->arguments[1];
    const kas_integer a = as_integer(x), b = as_integer(y);
    if (!is_integer(x) || !is_integer(y) || a.kind != KAS_INTEGER_KNOWN || b.kind != KAS_INTEGER_KNOWN ||
        b.value < 1)
        return kas_refuse(KAS_REASON_UNSUPPORTED, "of what are no known integers");
    const int64_t rest = a.value % b.value;
    call->result = kas_script_of_int(rest < 0 ? rest + b.value : rest);
    return NULL;
}

/* A constant power is one function of x. */
static kas_status lower_pow(kas_script_call *call)
{
    kas_reader_value *x, *value;
    double power;
    if (!is_tensor(call->arguments[0]) || !kas_script_number(call->arguments[1], &power))
        return give_binary(call, KAS_POW);
    if (!isfinite(power)) return kas_refuse(KAS_REASON_NOT_FINITE, "the exponent is not finite");
    const kas_act act = power == 2 ? KAS_ACT_SQUARE : power == 0.5 ? KAS_ACT_SQRT : KAS_ACT_POW;
    KAS_TRY(kas_script_tensor_at(call, 0, &x));
    KAS_TRY(kas_script_unary(call, act, act == KAS_ACT_POW ? power : 0, 0, x, &value));
    return kas_script_give(call, value);
}

/* ---- comparing ---- */

static kas_status lower_compare(kas_script_call *call)
{
    const kas_binary op = (kas_binary)call->op->variant;
    if (!are_texts(call)) return give_binary(call, op);
    if (op != KAS_EQUAL) return kas_refuse(KAS_REASON_UNSUPPORTED, "of two texts");
    call->result = kas_script_of_bool(kas_span_equal(call->arguments[0]->text, call->arguments[1]->text));
    return NULL;
}

static kas_status lower_not_equal(kas_script_call *call)
{
    kas_reader_value *x;
    bool equal;
    KAS_TRY(lower_compare(call));
    if (is_tensor(&call->result)) {
        KAS_TRY(kas_script_unary(call, KAS_ACT_NOT, 0, 0, call->result.tensor->value, &x));
        x->type = KAS_ONNX_BOOL;
        return kas_script_give(call, x);
    }
    if (call->result.kind == KAS_SCRIPT_VALUE_INT) return NULL; /* depends on the batch */
    KAS_TRY(kas_script_truth(&call->result, &equal));
    call->result = kas_script_of_bool(!equal);
    return NULL;
}

/* condition ? x : y, broadcast. */
static kas_status give_select(kas_script_call *call, kas_reader_value *condition, kas_reader_value *x,
                              kas_reader_value *y)
{
    kas_reader_value *operands[3] = {condition, x, y}, *value;
    int tensors[3], tensor;
    KAS_TRY(kas_reader_value_new(call->lower, NULL, &value));
    KAS_TRY(kas_reader_broadcast(call->lower, operands, 3, tensors, value));
    value->type = KAS_ONNX_FLOAT;
    KAS_TRY(kas_reader_emit_select(call->lower, tensors[0], tensors[1], tensors[2], &tensor));
    KAS_TRY(kas_reader_settle(call->lower, tensor, value));
    return kas_script_give(call, value);
}

/* Which argument is the condition, and which are taken where it holds and where not. */
static kas_status lower_select(kas_script_call *call, int condition, int x, int y)
{
    kas_reader_value *operands[3];
    KAS_TRY(kas_script_operand_at(call, condition, &operands[0]));
    KAS_TRY(kas_script_operand_at(call, x, &operands[1]));
    KAS_TRY(kas_script_operand_at(call, y, &operands[2]));
    return give_select(call, operands[0], operands[1], operands[2]);
}

static kas_status lower_where(kas_script_call *call)
{
    return lower_select(call, 0, 1, 2);
}

static kas_status lower_masked_fill(kas_script_call *call)
{
    return lower_select(call, 1, 2, 0);
}

/* x > threshold ? x : value */
static kas_status lower_threshold(kas_script_call *call)
{
    kas_reader_value *x, *least, *value, *above;
    KAS_TRY(kas_script_tensor_at(call, 0, &x));
    KAS_TRY(kas_script_operand_at(call, 1, &least));
    KAS_TRY(kas_script_operand_at(call, 2, &value));
    KAS_TRY(kas_script_binary(call, KAS_GREATER, x, least, &above));
    return give_select(call, above, x, value);
}

/* x beyond ±lambda, moved towards 0 by lambda if soft; 0 between them. */
static kas_status lower_shrink(kas_script_call *call)
{
    kas_reader_value *x, *between, *limit, *zero, *moved, *sign;
    double lambda;
    KAS_TRY(kas_script_tensor_at(call, 0, &x));
    KAS_TRY(kas_script_float_at(call, 1, 0.5, &lambda));
    if (!isfinite(lambda)) return kas_refuse(KAS_REASON_NOT_FINITE, "lambda is not finite");
    KAS_TRY(kas_reader_value_new(call->lower, NULL, &limit));
    KAS_TRY(kas_reader_value_new(call->lower, NULL, &zero));
    KAS_TRY(kas_reader_emit_scalar(call->lower, (float)lambda, &limit->tensor));
    KAS_TRY(kas_reader_emit_scalar(call->lower, 0, &zero->tensor));
    KAS_TRY(kas_script_unary(call, KAS_ACT_ABS, 0, 0, x, &moved));
    KAS_TRY(kas_script_binary(call, KAS_LESS_EQUAL, moved, limit, &between));
    moved = x;
    if (call->op->variant) {
        KAS_TRY(kas_script_unary(call, KAS_ACT_SIGN, 0, 0, x, &sign));
        KAS_TRY(kas_script_unary(call, KAS_ACT_AFFINE, lambda, 0, sign, &sign));
        KAS_TRY(kas_script_binary(call, KAS_SUB, x, sign, &moved));
    }
    return give_select(call, between, zero, moved);
}

/* x < 0 ? weight·x : x, the weight one number or one for each channel. */
static kas_status lower_prelu(kas_script_call *call)
{
    kas_reader_value *x, *weight, *scaled, *zero, *negative, *shape;
    KAS_TRY(kas_script_tensor_at(call, 0, &x));
    KAS_TRY(kas_script_operand_at(call, 1, &weight));
    if (weight->rank == 1 && x->rank > 1) { /* channels are the second axis */
        KAS_TRY(kas_reader_value_new(call->lower, weight, &shape));
        shape->rank = x->rank - 1;
        for (int i = 1; i < shape->rank; ++i)
            shape->dims[i] = 1;
        KAS_TRY(kas_reader_reshape(call->lower, weight, shape, &weight));
    }
    KAS_TRY(kas_script_binary(call, KAS_MUL, x, weight, &scaled));
    KAS_TRY(kas_reader_value_new(call->lower, NULL, &zero));
    KAS_TRY(kas_reader_emit_scalar(call->lower, 0, &zero->tensor));
    KAS_TRY(kas_script_binary(call, KAS_LESS, x, zero, &negative));
    return give_select(call, negative, scaled, x);
}

const kas_script_op kas_script_ops_elementwise[] = {
    {"torch.__and__", lower_binary, "self other", KAS_AND, false},
    {"torch.__or__", lower_binary, "self other", KAS_OR, false},
    {"torch.add", lower_add, "self other alpha?", KAS_ADD, false},
    {"torch.div", lower_div, "self other rounding_mode?", 0, false},
    {"torch.eq", lower_compare, "self other", KAS_EQUAL, false},
    {"torch.floor_divide", lower_floordiv, "self other", 0, false},
    {"torch.floordiv", lower_floordiv, "self other", 0, false},
    {"torch.ge", lower_compare, "self other", KAS_GREATER_EQUAL, false},
    {"torch.gt", lower_compare, "self other", KAS_GREATER, false},
    {"torch.hardshrink", lower_shrink, "self lambd?", 0, false},
    {"torch.le", lower_compare, "self other", KAS_LESS_EQUAL, false},
    {"torch.lt", lower_compare, "self other", KAS_LESS, false},
    {"torch.masked_fill", lower_masked_fill, "self mask value", 0, false},
    {"torch.maximum", lower_binary, "self other", KAS_MAX, false},
    {"torch.minimum", lower_binary, "self other", KAS_MIN, false},
    {"torch.mul", lower_binary, "self other", KAS_MUL, false},
    {"torch.ne", lower_not_equal, "self other", KAS_EQUAL, false},
    {"torch.pow", lower_pow, "self exponent", 0, false},
    {"torch.prelu", lower_prelu, "self weight", 0, false},
    {"torch.remainder", lower_remainder, "self other", 0, false},
    {"torch.rsub", lower_rsub, "self other alpha?", 0, false},
    {"torch.softshrink", lower_shrink, "self lambd?", 1, false},
    {"torch.sub", lower_add, "self other alpha?", KAS_SUB, false},
    {"torch.threshold", lower_threshold, "self threshold value", 0, false},
    {"torch.where", lower_where, "condition self other", 0, false},
    {NULL, NULL, NULL, 0, false},
};
