/* Matrix products. With constant weights they become LINEAR, with two activations MATMUL. */
#include <string.h>

#include "engine/artifact/onnx_reader.h"
#include "engine/artifact/refuse.h"

static const kas_shape *shape_of(const kas_reader *reader, int tensor)
{
    return &reader->graph->tensors[tensor].shape;
}

static bool is_constant(const kas_reader *reader, int tensor)
{
    return reader->graph->tensors[tensor].constant != NULL;
}

/* x[…, k] by w[n, k], plus bias[n] unless it is −1. */
static kas_status emit_linear(kas_reader *reader, int x, int weight, int bias, int *out)
{
    kas_node node = {.op = KAS_OP_LINEAR, .inputs = {x, weight, bias}, .input_count = bias < 0 ? 2 : 3};
    kas_shape shape = *shape_of(reader, x);
    shape.dims[shape.rank - 1] = shape_of(reader, weight)->dims[0];
    return kas_reader_emit(reader, &node, &shape, out);
}

/* ---- MatMul ---- */

static kas_status check_inner(const kas_reader_value *a, const kas_reader_value *b)
{
    char x[KAS_READER_SHAPE_TEXT], y[KAS_READER_SHAPE_TEXT];
    const int inner_a = a->rank - 1, inner_b = b->rank - 2;
    if (a->batch_axis == inner_a || b->batch_axis == inner_b)
        return kas_refuse(KAS_REASON_MIXES_ROWS, "the product %s by %s sums over the batch",
                          kas_reader_shape_text(a, x), kas_reader_shape_text(b, y));
    if (a->dims[inner_a] == b->dims[inner_b]) return NULL;
    return kas_refuse(KAS_REASON_SHAPE,
                      "the shapes %s and %s do not fit: the inner dimensions are %lld and %lld",
                      kas_reader_shape_text(a, x), kas_reader_shape_text(b, y), (long long)a->dims[inner_a],
                      (long long)b->dims[inner_b]);
}

/* The full shape of a product: leading dimensions broadcast (checked where rows are), then a's rows and b's
 * columns. */
static kas_status product_shape(const kas_reader_value *a, const kas_reader_value *b, kas_reader_value *out)
{
    const kas_reader_value *const operands[2] = {a, b};
    out->rank = a->rank > b->rank ? a->rank : b->rank;
    out->batch_axis = -1;
    for (int i = 0; i < out->rank; ++i)
        out->dims[i] = 1;
    for (int o = 0; o < 2; ++o) {
        const int lead = out->rank - operands[o]->rank;
        for (int i = 0; i < operands[o]->rank - 2; ++i)
            if (operands[o]->dims[i] != 1) out->dims[lead + i] = operands[o]->dims[i];
        if (operands[o]->batch_axis < 0) continue;
        const int axis = lead + operands[o]->batch_axis;
        if (out->batch_axis >= 0 && out->batch_axis != axis)
            return kas_refuse(KAS_REASON_MIXES_ROWS,
                              "the batch is at different axes of the factors: every row would "
                              "meet every other");
        out->batch_axis = axis;
    }
    out->dims[out->rank - 2] = a->dims[a->rank - 2];
    out->dims[out->rank - 1] = b->dims[b->rank - 1];
    return NULL;
}

static kas_status check_leading(const kas_reader_value *operand, const kas_reader_value *result)
{
    char text[KAS_READER_SHAPE_TEXT];
    const int at = result->batch_axis - (result->rank - operand->rank);
    if (operand->batch_axis >= 0 || result->batch_axis < 0 || result->batch_axis >= result->rank - 2)
        return NULL;
    if (at < 0 || operand->dims[at] == 1) return NULL;
    return kas_refuse(KAS_REASON_MIXES_ROWS, "a factor of shape %s has rows of its own where the batch is",
                      kas_reader_shape_text(operand, text));
}

/* An operand whose batch is one of the two axes of the product keeps it, with k elements a row. */
static kas_status factor(kas_reader *reader, kas_reader_value *operand, const kas_reader_value *result,
                         int *out)
{
    kas_shape kept;
    KAS_TRY(check_leading(operand, result));
    if (result->batch_axis < result->rank - 2) return kas_reader_align(reader, operand, result, out);
    KAS_TRY(kas_reader_tensor_index(reader, operand, out));
    if (operand->batch_axis < 0) return NULL;
    KAS_TRY(kas_reader_kept_shape(operand, &kept));
    return kas_reader_emit_view(reader, *out, &kept, out);
}

static kas_status product_of_two(kas_reader *reader, kas_reader_value *a, kas_reader_value *b,
                                 kas_reader_value *out)
{
    int x, y, tensor;
    KAS_TRY(factor(reader, a, out, &x));
    KAS_TRY(factor(reader, b, out, &y));
    KAS_TRY(kas_reader_emit_matmul(reader, x, y, &tensor));
    return kas_reader_settle(reader, tensor, out);
}

/* A vector is a matrix of one row (as a) or column (as b), for the time of the product. */
static kas_status as_matrix(kas_reader *reader, kas_reader_value *x, bool column, kas_reader_value **out)
{
    kas_reader_value *shape;
    *out = x;
    if (x->rank == 0) return kas_refuse(KAS_REASON_SHAPE, "a factor has rank 0");
    if (x->rank > 1) return NULL;
    KAS_TRY(kas_reader_value_new(reader, x, &shape));
    shape->rank = 2;
    shape->dims[0] = column ? x->dims[0] : 1;
    shape->dims[1] = column ? 1 : x->dims[0];
    if (x->batch_axis == 0) shape->batch_axis = column ? 0 : 1;
    return kas_reader_reshape(reader, x, shape, out);
}

static kas_status drop_vector_axis(kas_reader *reader, kas_reader_value *value, bool row, bool column,
                                   kas_reader_value **out)
{
    kas_reader_value *shape;
    *out = value;
    if (!row && !column) return NULL;
    KAS_TRY(kas_reader_value_new(reader, value, &shape));
    if (column) --shape->rank;
    if (row) {
        const int gone = value->rank - 2;
        for (int i = gone; i + 1 < shape->rank; ++i)
            shape->dims[i] = shape->dims[i + 1];
        if (shape->batch_axis > gone) --shape->batch_axis;
        --shape->rank;
    }
    return kas_reader_reshape(reader, value, shape, out);
}

static kas_status multiply(kas_reader *reader, kas_reader_value *a, kas_reader_value *b,
                           kas_reader_value **out)
{
    static const int swap[2] = {1, 0};
    int x, y;
    KAS_TRY(check_inner(a, b));
    KAS_TRY(kas_reader_tensor_index(reader, a, &x));
    KAS_TRY(kas_reader_tensor_index(reader, b, &y));
    KAS_TRY(kas_reader_value_new(reader, a, out));
    KAS_TRY(product_shape(a, b, *out));
    if (is_constant(reader, x) || !is_constant(reader, y) || b->rank != 2)
        return product_of_two(reader, a, b, *out);
    KAS_TRY(kas_reader_emit_transpose(reader, y, swap, &y));
    return emit_linear(reader, x, y, -1, &(*out)->tensor);
}

kas_status kas_reader_matmul(kas_reader *reader, kas_reader_value *a, kas_reader_value *b,
                             kas_reader_value **out)
{
    kas_reader_value *x, *y;
    KAS_TRY(as_matrix(reader, a, false, &x));
    KAS_TRY(as_matrix(reader, b, true, &y));
    KAS_TRY(multiply(reader, x, y, out));
    return drop_vector_axis(reader, *out, a->rank == 1, b->rank == 1, out);
}

static kas_status lower_matmul(kas_onnx_call *call)
{
    kas_reader_value *value;
    KAS_TRY(kas_reader_matmul(call->reader, call->inputs[0], call->inputs[1], &value));
    return kas_onnx_output(call, 0, value);
}

/* ---- Gemm ---- */

typedef struct gemm {
    kas_reader_value *a, *b, *c; /* c: NULL where absent */
    bool stored_transposed;      /* b is constant and stored as [outputs, inputs], as LINEAR wants it */
    int64_t outputs;
    float alpha, beta;
} gemm;

static kas_status orient_factors(kas_onnx_call *call, gemm *out)
{
    static const int swap[2] = {1, 0};
    int64_t transpose_a, transpose_b;
    int tensor;
    KAS_TRY(kas_onnx_attribute_int(call, "transA", 0, &transpose_a));
    KAS_TRY(kas_onnx_attribute_int(call, "transB", 0, &transpose_b));
    KAS_TRY(kas_reader_tensor_index(call->reader, out->b, &tensor));
    out->stored_transposed = transpose_b && is_constant(call->reader, tensor);
    if (transpose_a) KAS_TRY(kas_reader_transpose(call->reader, out->a, swap, &out->a));
    if (transpose_b && !out->stored_transposed)
        KAS_TRY(kas_reader_transpose(call->reader, out->b, swap, &out->b));
    kas_reader_value shown = *out->b;
    if (out->stored_transposed) {
        shown.dims[0] = out->b->dims[1];
        shown.dims[1] = out->b->dims[0];
        if (shown.batch_axis >= 0) shown.batch_axis = 1 - shown.batch_axis;
    }
    out->outputs = shown.dims[1];
    return check_inner(out->a, &shown);
}

static kas_status read_gemm(kas_onnx_call *call, gemm *out)
{
    *out = (gemm){.a = call->inputs[0], .b = call->inputs[1], .c = kas_onnx_input(call, 2)};
    KAS_TRY(kas_onnx_attribute_float(call, "alpha", 1, &out->alpha));
    KAS_TRY(kas_onnx_attribute_float(call, "beta", 1, &out->beta));
    if (out->a->rank != 2 || out->b->rank != 2)
        return kas_refuse(KAS_REASON_SHAPE, "the factors have rank %d and %d, a Gemm's have 2 (shape)",
                          out->a->rank, out->b->rank);
    if (out->beta == 0) out->c = NULL;
    return orient_factors(call, out);
}

static kas_status scaled(kas_reader *reader, int tensor, float by, int *out)
{
    *out = tensor;
    return by == 1.0f ? NULL : kas_reader_emit_unary(reader, KAS_ACT_AFFINE, by, 0, tensor, out);
}

/* True where c is constant and the same for every row: a bias. */
static bool is_bias(const kas_reader *reader, const kas_reader_value *c)
{
    size_t count;
    return kas_reader_constant(reader, c, &count) && c->batch_axis < 0 && c->rank <= 2 &&
           (c->rank < 2 || c->dims[0] == 1);
}

static kas_status emit_bias(kas_reader *reader, const gemm *product, int64_t outputs, int *out)
{
    const kas_shape shape = {.rank = 1, .dims = {outputs}};
    int tensor;
    KAS_TRY(kas_reader_tensor_index(reader, product->c, &tensor));
    const int64_t count = (int64_t)reader->graph->tensors[tensor].elements, stride = count != 1;
    if (count != 1 && count != outputs)
        return kas_refuse(KAS_REASON_SHAPE, "the bias of %lld values does not broadcast to %lld outputs",
                          (long long)count, (long long)outputs);
    if (count == 1 && outputs > 1)
        KAS_TRY(kas_reader_emit_strided(reader, tensor, &shape, 0, &stride, &tensor));
    else
        KAS_TRY(kas_reader_emit_view(reader, tensor, &shape, &tensor));
    return scaled(reader, tensor, product->beta, out);
}

static kas_status add_c(kas_reader *reader, const gemm *product, kas_reader_value **value)
{
    kas_reader_value *c;
    int tensor;
    if (!product->c) return NULL;
    KAS_TRY(kas_reader_tensor_index(reader, product->c, &tensor));
    KAS_TRY(kas_reader_value_new(reader, product->c, &c));
    KAS_TRY(scaled(reader, tensor, product->beta, &c->tensor));
    return kas_reader_binary(reader, KAS_ADD, *value, c, value);
}

static kas_status gemm_of_constant(kas_onnx_call *call, gemm *product)
{
    static const int swap[2] = {1, 0};
    kas_reader *reader = call->reader;
    kas_reader_value *value;
    int x, weight, bias = -1;
    KAS_TRY(kas_reader_tensor_index(reader, product->a, &x));
    KAS_TRY(kas_reader_tensor_index(reader, product->b, &weight));
    if (!product->stored_transposed) KAS_TRY(kas_reader_emit_transpose(reader, weight, swap, &weight));
    KAS_TRY(scaled(reader, weight, product->alpha, &weight));
    KAS_TRY(kas_reader_value_new(reader, product->a, &value));
    value->dims[1] = product->outputs;
    if (product->c && is_bias(reader, product->c)) {
        KAS_TRY(emit_bias(reader, product, product->outputs, &bias));
        product->c = NULL;
    }
    KAS_TRY(emit_linear(reader, x, weight, bias, &value->tensor));
    KAS_TRY(add_c(reader, product, &value));
    return kas_onnx_output(call, 0, value);
}

static kas_status lower_gemm(kas_onnx_call *call)
{
    kas_reader *reader = call->reader;
    gemm product;
    static const int swap[2] = {1, 0};
    kas_reader_value *value;
    int x, y, tensor;
    KAS_TRY(read_gemm(call, &product));
    KAS_TRY(kas_reader_tensor_index(reader, product.a, &x));
    KAS_TRY(kas_reader_tensor_index(reader, product.b, &y));
    if (product.c) KAS_TRY(kas_reader_tensor_index(reader, product.c, &tensor));
    if (!is_constant(reader, x) && is_constant(reader, y) && product.b->batch_axis < 0)
        return gemm_of_constant(call, &product);
    if (product.stored_transposed) KAS_TRY(kas_reader_transpose(reader, product.b, swap, &product.b));
    KAS_TRY(multiply(reader, product.a, product.b, &value));
    KAS_TRY(scaled(reader, value->tensor, product.alpha, &value->tensor));
    KAS_TRY(add_c(reader, &product, &value));
    return kas_onnx_output(call, 0, value);
}

const kas_onnx_op kas_onnx_ops_product[] = {
    {"Gemm", lower_gemm, "alpha beta transA transB", 2, 3, 0},
    {"MatMul", lower_matmul, "", 2, 2, 0},
    {NULL, NULL, NULL, 0, 0, 0},
};
