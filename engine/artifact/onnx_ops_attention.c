/* Attention (opset 23): softmax(Q·Kᵀ·scale + mask)·V, written out as the products that it is. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/artifact/onnx_reader.h"
#include "engine/artifact/refuse.h"

enum { INPUT_MASK = 3, INPUT_COUNT = 7 };

typedef struct attention {
    kas_reader_value *q, *k, *v; /* [batch, heads, positions, size of a head] */
    int64_t heads, positions, keys, head;
    float scale, softcap;
    bool causal;
} attention;

static kas_status refuse_extras(const kas_onnx_call *call)
{
    for (size_t i = INPUT_MASK + 1; i < INPUT_COUNT; ++i)
        if (kas_onnx_input(call, i))
            return kas_refuse(KAS_REASON_UNSUPPORTED,
                              "the input %zu (a cache of keys and values) is not supported", i);
    for (size_t i = 1; i < 4; ++i)
        if (kas_onnx_has_output(call, i))
            return kas_refuse(KAS_REASON_UNSUPPORTED, "the output %zu is not supported", i);
    return NULL;
}

/* [batch, positions, heads·size] to [batch, heads, positions, size] */
static kas_status split_heads(kas_reader *reader, kas_reader_value *x, int64_t heads, kas_reader_value **out)
{
    static const int order[4] = {0, 2, 1, 3};
    kas_reader_value *shape;
    if (heads < 1 || x->dims[2] % heads)
        return kas_refuse(KAS_REASON_SHAPE, "%lld values do not divide into %lld heads",
                          (long long)x->dims[2], (long long)heads);
    KAS_TRY(kas_reader_value_new(reader, x, &shape));
    shape->rank = 4;
    shape->dims[2] = heads;
    shape->dims[3] = x->dims[2] / heads;
    KAS_TRY(kas_reader_reshape(reader, x, shape, out));
    return kas_reader_transpose(reader, *out, order, out);
}

/* Heads of keys and values that serve several heads of queries are repeated. */
static kas_status repeat_heads(kas_reader *reader, kas_reader_value *x, int64_t heads, kas_reader_value **out)
{
    int tensor;
    *out = x;
    const int64_t own = x->dims[1];
    if (own == heads) return NULL;
    if (heads % own)
        return kas_refuse(KAS_REASON_SHAPE, "%lld heads of queries over %lld of keys", (long long)heads,
                          (long long)own);
    KAS_TRY(kas_reader_tensor_index(reader, x, &tensor));
    const kas_shape shape = {.rank = 4, .dims = {own, heads / own, x->dims[2], x->dims[3]}};
    const int64_t stride[4] = {x->dims[2] * x->dims[3], 0, x->dims[3], 1};
    KAS_TRY(kas_reader_emit_strided(reader, tensor, &shape, 0, stride, &tensor));
    KAS_TRY(kas_reader_value_new(reader, x, out));
    (*out)->dims[1] = heads;
    return kas_reader_settle(reader, tensor, *out);
}

static kas_status check_factors(const attention *all)
{
    const kas_reader_value *const factors[3] = {all->q, all->k, all->v};
    char text[KAS_READER_SHAPE_TEXT];
    for (int i = 0; i < 3; ++i)
        if (factors[i]->rank != 4 || factors[i]->batch_axis != 0 || factors[i]->dims[0] != 1)
            return kas_refuse(KAS_REASON_SHAPE,
                              "input %d has the shape %s, not [batch, heads, positions, size]", i,
                              kas_reader_shape_text(factors[i], text));
    return NULL;
}

static kas_status read_factors(kas_onnx_call *call, attention *out)
{
    int64_t q_heads, kv_heads;
    kas_reader_value **const factors[3] = {&out->q, &out->k, &out->v};
    KAS_TRY(kas_onnx_attribute_int(call, "q_num_heads", 0, &q_heads));
    KAS_TRY(kas_onnx_attribute_int(call, "kv_num_heads", 0, &kv_heads));
    for (size_t i = 0; i < 3; ++i) {
        *factors[i] = call->inputs[i];
        if (call->inputs[i]->rank == 3)
            KAS_TRY(split_heads(call->reader, call->inputs[i], i ? kv_heads : q_heads, factors[i]));
    }
    KAS_TRY(check_factors(out));
    out->heads = out->q->dims[1];
    out->positions = out->q->dims[2];
    out->head = out->q->dims[3];
    out->keys = out->k->dims[2];
    KAS_TRY(repeat_heads(call->reader, out->k, out->heads, &out->k));
    return repeat_heads(call->reader, out->v, out->heads, &out->v);
}

static kas_status read_attention(kas_onnx_call *call, attention *out)
{
    int64_t causal, mode;
    *out = (attention){0};
    KAS_TRY(refuse_extras(call));
    KAS_TRY(kas_onnx_attribute_int(call, "is_causal", 0, &causal));
    KAS_TRY(kas_onnx_attribute_int(call, "qk_matmul_output_mode", 0, &mode));
    KAS_TRY(kas_onnx_attribute_float(call, "softcap", 0, &out->softcap));
    out->causal = causal != 0;
    KAS_TRY(read_factors(call, out));
    return kas_onnx_attribute_float(call, "scale", 1.0f / sqrtf((float)out->head), &out->scale);
}

/* What is added to a score that must not count: exp of it is 0 beside any other. */
#define MASKED (-1e30f)

/* 0 on and below the diagonal, MASKED above. */
static kas_status causal_mask(kas_reader *reader, int64_t positions, int64_t keys, kas_reader_value **out)
{
    const kas_shape shape = {.rank = 2, .dims = {positions, keys}};
    size_t elements;
    float *values;
    if (!kas_shape_elements(&shape, &elements))
        return kas_refuse(KAS_REASON_LIMIT, "the causal mask is too large");
    KAS_TRY(kas_reader_value_new(reader, NULL, out));
    (*out)->rank = 2;
    (*out)->dims[0] = positions;
    (*out)->dims[1] = keys;
    KAS_TRY(kas_reader_emit_constant_room(reader, elements, &values));
    for (int64_t i = 0; i < positions; ++i)
        for (int64_t k = 0; k < keys; ++k)
            values[i * keys + k] = k > i ? MASKED : 0;
    return kas_reader_emit_constant(reader, NULL, &shape, values, &(*out)->tensor);
}

/* A mask of booleans: true where a key counts. */
static kas_status additive_mask(kas_reader *reader, kas_reader_value *mask, kas_reader_value **out)
{
    int tensor;
    *out = mask;
    if (mask->type != KAS_ONNX_BOOL) return NULL;
    KAS_TRY(kas_reader_tensor_index(reader, mask, &tensor));
    KAS_TRY(kas_reader_value_new(reader, mask, out));
    KAS_TRY(kas_reader_emit_unary(reader, KAS_ACT_NOT, 0, 0, tensor, &tensor));
    return kas_reader_emit_unary(reader, KAS_ACT_AFFINE, MASKED, 0, tensor, &(*out)->tensor);
}

/* c·tanh(scores / c) */
static kas_status cap_scores(kas_reader *reader, float cap, kas_reader_value *scores)
{
    int tensor;
    if (cap == 0) return NULL;
    KAS_TRY(kas_reader_emit_unary(reader, KAS_ACT_AFFINE, 1.0f / cap, 0, scores->tensor, &tensor));
    KAS_TRY(kas_reader_emit_unary(reader, KAS_ACT_TANH, 0, 0, tensor, &tensor));
    return kas_reader_emit_unary(reader, KAS_ACT_AFFINE, cap, 0, tensor, &scores->tensor);
}

static kas_status score(kas_onnx_call *call, const attention *all, kas_reader_value **scores)
{
    static const int swap[4] = {0, 1, 3, 2};
    kas_reader *reader = call->reader;
    kas_reader_value *keys, *query, *mask = kas_onnx_input(call, INPUT_MASK);
    int tensor;
    KAS_TRY(kas_reader_tensor_index(reader, all->q, &tensor));
    KAS_TRY(kas_reader_value_new(reader, all->q, &query));
    KAS_TRY(kas_reader_emit_unary(reader, KAS_ACT_AFFINE, all->scale, 0, tensor, &query->tensor));
    KAS_TRY(kas_reader_transpose(reader, all->k, swap, &keys));
    KAS_TRY(kas_reader_matmul(reader, query, keys, scores));
    KAS_TRY(cap_scores(reader, all->softcap, *scores));
    if (mask) {
        KAS_TRY(additive_mask(reader, mask, &mask));
        KAS_TRY(kas_reader_binary(reader, KAS_ADD, *scores, mask, scores));
    }
    if (!all->causal) return NULL;
    KAS_TRY(causal_mask(reader, all->positions, all->keys, &mask));
    return kas_reader_binary(reader, KAS_ADD, *scores, mask, scores);
}

/* A position that may see no key at all gets zeros: softmax gave it the mean of what is masked. */
static kas_status drop_masked(kas_onnx_call *call, const attention *all, kas_reader_value **weights)
{
    kas_reader *reader = call->reader;
    kas_reader_value *mask = kas_onnx_input(call, INPUT_MASK), *causal;
    int tensor;
    if (!mask || mask->type != KAS_ONNX_BOOL) return NULL;
    KAS_TRY(kas_reader_binary(reader, KAS_MUL, *weights, mask, weights));
    if (!all->causal) return NULL;
    KAS_TRY(causal_mask(reader, all->positions, all->keys, &causal));
    KAS_TRY(kas_reader_tensor_index(reader, causal, &tensor));
    KAS_TRY(kas_reader_emit_unary(reader, KAS_ACT_NOT, 0, 0, tensor, &causal->tensor));
    return kas_reader_binary(reader, KAS_MUL, *weights, causal, weights);
}

/* Back to [batch, positions, heads·size] where the inputs came so. */
static kas_status join_heads(kas_reader *reader, kas_reader_value *x, kas_reader_value **out)
{
    static const int order[4] = {0, 2, 1, 3};
    kas_reader_value *shape;
    KAS_TRY(kas_reader_transpose(reader, x, order, &x));
    KAS_TRY(kas_reader_value_new(reader, x, &shape));
    shape->rank = 3;
    shape->dims[2] = x->dims[2] * x->dims[3];
    return kas_reader_reshape(reader, x, shape, out);
}

static kas_status lower_attention(kas_onnx_call *call)
{
    kas_reader *reader = call->reader;
    attention all;
    kas_reader_value *scores, *value;
    int axis, tensor;
    KAS_TRY(read_attention(call, &all));
    KAS_TRY(score(call, &all, &scores));
    KAS_TRY(kas_reader_row_axis(scores, scores->rank - 1, &axis));
    KAS_TRY(kas_reader_emit_softmax(reader, scores->tensor, axis, &tensor));
    scores->tensor = tensor;
    KAS_TRY(drop_masked(call, &all, &scores));
    KAS_TRY(kas_reader_matmul(reader, scores, all.v, &value));
    if (call->inputs[0]->rank == 3) KAS_TRY(join_heads(reader, value, &value));
    return kas_onnx_output(call, 0, value);
}

const kas_onnx_op kas_onnx_ops_attention[] = {
    {"Attention", lower_attention,
     "is_causal kv_num_heads q_num_heads qk_matmul_output_mode scale softcap softmax_precision", 3,
     INPUT_COUNT, 0},
    {NULL, NULL, NULL, 0, 0, 0},
};
