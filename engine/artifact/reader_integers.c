/* Arithmetic on shapes, as exporters write it for chunk, view and the like: known numbers and multiples of
 * the batch. Division truncates, as ONNX's does on integers. */
#include "engine/artifact/onnx_tensor.h"
#include "engine/artifact/reader.h"
#include "engine/artifact/refuse.h"

kas_status kas_reader_value_of_integers(kas_reader *reader, int rank, size_t count, kas_reader_value **out)
{
    void *room;
    if (count > KAS_ONNX_MAX_LIST)
        return kas_refuse(KAS_REASON_LIMIT, "%zu integers are over the limit of %d", count,
                          (int)KAS_ONNX_MAX_LIST);
    KAS_TRY(kas_reader_value_new(reader, NULL, out));
    KAS_TRY(kas_arena_take(reader->source.arena, count, sizeof(kas_integer), &room));
    (*out)->type = KAS_ONNX_INT64;
    (*out)->rank = rank;
    (*out)->dims[0] = (int64_t)count;
    (*out)->integers = room;
    (*out)->integer_count = count;
    return NULL;
}

static kas_status load_integers(kas_reader *reader, kas_reader_value *value)
{
    const kas_onnx_tensor *tensor = value->initializer;
    int64_t numbers[KAS_ONNX_MAX_LIST];
    void *room;
    KAS_TRY(kas_onnx_tensor_integers(reader->file, tensor, numbers));
    KAS_TRY(kas_arena_take(reader->source.arena, tensor->elements, sizeof(kas_integer), &room));
    kas_integer *integers = room;
    for (size_t i = 0; i < tensor->elements; ++i)
        integers[i].value = numbers[i];
    value->integers = integers;
    value->integer_count = tensor->elements;
    return NULL;
}

kas_status kas_reader_integers(kas_reader *reader, kas_reader_value *value, const kas_integer **out,
                               size_t *count)
{
    const kas_onnx_tensor *tensor = value->initializer;
    if (!value->integers && tensor && kas_onnx_type_is_integer(tensor->type) &&
        tensor->elements <= KAS_ONNX_MAX_LIST)
        KAS_TRY(kas_annotate(load_integers(reader, value), "\"%.*s\"", KAS_SPAN_ARGS(value->name)));
    *out = value->integers;
    *count = value->integer_count;
    return NULL;
}

kas_status kas_reader_known_integers(kas_reader *reader, kas_reader_value *value, const char *what,
                                     int64_t *out, size_t *count)
{
    const kas_integer *integers;
    KAS_TRY(kas_reader_integers(reader, value, &integers, count));
    if (!integers)
        return kas_refuse(KAS_REASON_UNSUPPORTED, "%s (\"%.*s\") must be a constant list of integers", what,
                          KAS_SPAN_ARGS(value->name));
    for (size_t i = 0; i < *count; ++i) {
        if (integers[i].kind != KAS_INTEGER_KNOWN)
            return kas_refuse(KAS_REASON_MIXES_ROWS, "%s depends on the size of the batch", what);
        out[i] = integers[i].value;
    }
    return NULL;
}

kas_status kas_reader_are_integers(kas_reader *reader, kas_reader_value *const *values, size_t count,
                                   bool *out)
{
    *out = true;
    for (size_t i = 0; *out && i < count; ++i) {
        const kas_integer *integers;
        size_t n;
        *out = kas_onnx_type_is_integer(values[i]->type);
        if (!*out) return NULL;
        KAS_TRY(kas_reader_integers(reader, values[i], &integers, &n));
        *out = integers != NULL && values[i]->rank <= 1;
    }
    return NULL;
}

static bool compare(kas_binary op, int64_t a, int64_t b)
{
    switch (op) {
    case KAS_EQUAL:
        return a == b;
    case KAS_GREATER:
        return a > b;
    case KAS_GREATER_EQUAL:
        return a >= b;
    case KAS_LESS:
        return a < b;
    case KAS_LESS_EQUAL:
        return a <= b;
    case KAS_AND:
        return a && b;
    case KAS_OR:
        return a || b;
    default:
        return !a != !b; /* KAS_XOR */
    }
}

/* By squaring: few steps, whatever the exponent. */
static bool power(int64_t base, int64_t exponent, int64_t *out)
{
    if (exponent < 0) return false;
    *out = 1;
    for (;;) {
        if (exponent & 1 && __builtin_mul_overflow(*out, base, out)) return false;
        exponent >>= 1;
        if (exponent == 0) return true;
        if (__builtin_mul_overflow(base, base, &base)) return false;
    }
}

/* False when the result does not fit 64 bits or is not defined. */
static bool of_known(kas_binary op, int64_t a, int64_t b, int64_t *out)
{
    switch (op) {
    case KAS_ADD:
        return !__builtin_add_overflow(a, b, out);
    case KAS_SUB:
        return !__builtin_sub_overflow(a, b, out);
    case KAS_MUL:
        return !__builtin_mul_overflow(a, b, out);
    case KAS_DIV:
        if (b == 0 || (b == -1 && a == INT64_MIN)) return false;
        *out = a / b;
        return true;
    case KAS_POW:
        return power(a, b, out);
    case KAS_MIN:
        *out = a < b ? a : b;
        return true;
    case KAS_MAX:
        *out = a > b ? a : b;
        return true;
    default:
        *out = compare(op, a, b);
        return true;
    }
}

/* With at least one multiple of the batch. */
static kas_integer of_batch(kas_binary op, kas_integer a, kas_integer b)
{
    const bool both = a.kind == b.kind;
    kas_integer result = {.kind = KAS_INTEGER_BATCH};
    bool known = false;
    if (both && (op == KAS_ADD || op == KAS_SUB)) known = of_known(op, a.value, b.value, &result.value);
    if (!both && op == KAS_MUL) known = of_known(op, a.value, b.value, &result.value);
    if (op == KAS_DIV && b.value != 0 && a.kind == KAS_INTEGER_BATCH && a.value % b.value == 0) {
        known = of_known(op, a.value, b.value, &result.value);
        if (both) result.kind = KAS_INTEGER_KNOWN;
    }
    if (!known) return (kas_integer){.kind = KAS_INTEGER_UNKNOWN};
    return result;
}

kas_status kas_reader_integer_combine(kas_binary op, kas_integer a, kas_integer b, kas_integer *out)
{
    *out = (kas_integer){0};
    if (a.kind == KAS_INTEGER_UNKNOWN || b.kind == KAS_INTEGER_UNKNOWN) {
        out->kind = KAS_INTEGER_UNKNOWN;
    } else if (a.kind == KAS_INTEGER_BATCH || b.kind == KAS_INTEGER_BATCH) {
        *out = of_batch(op, a, b);
    } else if (!of_known(op, a.value, b.value, &out->value)) {
        return kas_refuse(KAS_REASON_UNSUPPORTED,
                          "arithmetic on shapes overflows or is not defined: %lld and %lld",
                          (long long)a.value, (long long)b.value);
    }
    return NULL;
}

kas_status kas_reader_integer_binary(kas_reader *reader, kas_binary op, kas_reader_value *a,
                                     kas_reader_value *b, kas_reader_value **out)
{
    const kas_integer *x, *y;
    size_t nx, ny;
    KAS_TRY(kas_reader_integers(reader, a, &x, &nx));
    KAS_TRY(kas_reader_integers(reader, b, &y, &ny));
    if (nx != ny && nx != 1 && ny != 1)
        return kas_refuse(KAS_REASON_SHAPE, "%zu integers and %zu do not broadcast", nx, ny);
    const size_t count = nx == 1 ? ny : nx;
    KAS_TRY(kas_reader_value_of_integers(reader, a->rank > b->rank ? a->rank : b->rank, count, out));
    if (op >= KAS_EQUAL) (*out)->type = KAS_ONNX_BOOL;
    for (size_t i = 0; i < count; ++i)
        KAS_TRY(kas_reader_integer_combine(op, x[nx == 1 ? 0 : i], y[ny == 1 ? 0 : i], &(*out)->integers[i]));
    return NULL;
}
