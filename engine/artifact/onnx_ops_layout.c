/* Operators that rearrange or repeat elements in ways of their own: blocks of images, tiles, triangles. */
#include "engine/artifact/onnx_reader.h"
#include "engine/artifact/refuse.h"

/* ---- Tile ---- */

/* [a, b] tiled [2, 3] is [2, a, 3, b] with strides of 0, joined to [2·a, 3·b]: one axis after the other. */
static kas_status tile_axis(kas_reader *reader, kas_reader_value *x, int axis, int64_t times,
                            kas_reader_value **out)
{
    int64_t strides[KAS_MAX_RANK], stride[KAS_MAX_RANK];
    kas_shape repeated = {0};
    int tensor, row_axis;
    KAS_TRY(kas_reader_row_axis(x, axis, &row_axis));
    KAS_TRY(kas_reader_tensor_index(reader, x, &tensor));
    const kas_shape from = reader->graph->tensors[tensor].shape;
    if (from.rank == KAS_MAX_RANK)
        return kas_refuse(KAS_REASON_LIMIT, "tiling a row of rank %d, the limit is %d", from.rank,
                          (int)KAS_MAX_RANK - 1);
    kas_shape_strides(&from, strides);
    for (int i = 0; i < from.rank; ++i) {
        if (i == row_axis) {
            stride[repeated.rank] = 0;
            repeated.dims[repeated.rank++] = times;
        }
        stride[repeated.rank] = strides[i];
        repeated.dims[repeated.rank++] = from.dims[i];
    }
    KAS_TRY(kas_reader_emit_strided(reader, tensor, &repeated, 0, stride, &tensor));
    KAS_TRY(kas_reader_value_new(reader, x, out));
    (*out)->dims[axis] *= times;
    return kas_reader_settle(reader, tensor, *out);
}

static kas_status lower_tile(kas_onnx_call *call)
{
    kas_reader_value *value = call->inputs[0];
    int64_t times[KAS_ONNX_MAX_LIST];
    size_t count;
    KAS_TRY(kas_reader_known_integers(call->reader, call->inputs[1], "repeats", times, &count));
    if (count != (size_t)value->rank)
        return kas_refuse(KAS_REASON_SHAPE, "%zu repeats for rank %d", count, value->rank);
    for (int i = 0; i < value->rank; ++i) {
        if (times[i] < 1 || times[i] > (int64_t)KAS_GRAPH_MAX_ELEMENTS)
            return kas_refuse(KAS_REASON_LIMIT, "%lld repeats of axis %d: none, or over the limit",
                              (long long)times[i], i);
        if (times[i] > 1) KAS_TRY(tile_axis(call->reader, value, i, times[i], &value));
    }
    KAS_TRY(kas_reader_value_alias(call->reader, value, &value));
    return kas_onnx_output(call, 0, value);
}

/* ---- DepthToSpace and SpaceToDepth ---- */

enum { SPACE_TO_DEPTH = 0, DEPTH_TO_SPACE = 1 };

/* A view of six dimensions, transposed, and joined again; all of a row of [channels, height, width]. */
static kas_status rearrange(kas_onnx_call *call, const kas_shape *split, const int *order,
                            const int64_t *dims)
{
    kas_reader *reader = call->reader;
    kas_reader_value *value;
    int tensor;
    KAS_TRY(kas_reader_tensor_index(reader, call->inputs[0], &tensor));
    KAS_TRY(kas_reader_emit_view(reader, tensor, split, &tensor));
    KAS_TRY(kas_reader_emit_transpose(reader, tensor, order, &tensor));
    KAS_TRY(kas_reader_value_new(reader, call->inputs[0], &value));
    for (int i = 0; i < 3; ++i)
        value->dims[1 + i] = dims[i];
    KAS_TRY(kas_reader_settle(reader, tensor, value));
    return kas_onnx_output(call, 0, value);
}

static kas_status read_block(const kas_onnx_call *call, int64_t *block)
{
    const kas_reader_value *x = call->inputs[0];
    const bool deep = call->op->variant == DEPTH_TO_SPACE;
    KAS_TRY(kas_onnx_attribute_int(call, "blocksize", 0, block));
    if (x->rank != 4 || x->batch_axis != 0 || x->dims[0] != 1)
        return kas_refuse(KAS_REASON_MIXES_ROWS, "the input must be a batch of [channels, height, width]");
    if (*block < 1 || *block > x->dims[1] * x->dims[2] * x->dims[3])
        return kas_refuse(KAS_REASON_SHAPE, "a blocksize of %lld", (long long)*block);
    if (deep ? x->dims[1] % (*block * *block) == 0 : x->dims[2] % *block == 0 && x->dims[3] % *block == 0)
        return NULL;
    return kas_refuse(KAS_REASON_SHAPE, "the shape does not divide into blocks of %lld", (long long)*block);
}

/* Whether blocks (DCR) or channels (CRD) come first among the channels that are deep. */
static kas_status read_mode(const kas_onnx_call *call, kas_span *mode)
{
    KAS_TRY(kas_onnx_attribute_text(call, "mode", "DCR", mode));
    if (kas_span_is(*mode, "DCR") || kas_span_is(*mode, "CRD")) return NULL;
    return kas_refuse(KAS_REASON_UNSUPPORTED, "the mode \"%.*s\" is not known", KAS_SPAN_ARGS(*mode));
}

static kas_status lower_space_to_depth(kas_onnx_call *call)
{
    static const int depth_first[5] = {2, 4, 0, 1, 3}, column_first[5] = {0, 2, 4, 1, 3};
    kas_span mode;
    int64_t b;
    KAS_TRY(read_block(call, &b));
    KAS_TRY(read_mode(call, &mode));
    const int64_t *d = call->inputs[0]->dims;
    const kas_shape split = {.rank = 5, .dims = {d[1], d[2] / b, b, d[3] / b, b}};
    return rearrange(call, &split, kas_span_is(mode, "DCR") ? depth_first : column_first,
                     (const int64_t[]){d[1] * b * b, d[2] / b, d[3] / b});
}

static kas_status lower_depth_to_space(kas_onnx_call *call)
{
    static const int depth_first[5] = {2, 3, 0, 4, 1}, column_first[5] = {0, 3, 1, 4, 2};
    kas_span mode;
    int64_t b;
    KAS_TRY(read_block(call, &b));
    KAS_TRY(read_mode(call, &mode));
    const int64_t *d = call->inputs[0]->dims, c = d[1] / (b * b);
    const int64_t dims[3] = {c, d[2] * b, d[3] * b};
    const kas_shape deep = {.rank = 5, .dims = {b, b, c, d[2], d[3]}},
                    column = {.rank = 5, .dims = {c, b, b, d[2], d[3]}};
    return kas_span_is(mode, "DCR") ? rearrange(call, &deep, depth_first, dims)
                                    : rearrange(call, &column, column_first, dims);
}

/* ---- Trilu ---- */

/* 1 where an element stays. */
static kas_status triangle(kas_reader *reader, int64_t rows, int64_t columns, int64_t k, bool upper, int *out)
{
    const kas_shape shape = {.rank = 2, .dims = {rows, columns}};
    size_t elements;
    float *values;
    if (!kas_shape_elements(&shape, &elements))
        return kas_refuse(KAS_REASON_LIMIT, "the triangle is too large");
    KAS_TRY(kas_reader_emit_constant_room(reader, elements, &values));
    for (int64_t r = 0; r < rows; ++r)
        for (int64_t c = 0; c < columns; ++c)
            values[r * columns + c] = upper ? c - r >= k : c - r <= k;
    return kas_reader_emit_constant(reader, NULL, &shape, values, out);
}

static kas_status lower_trilu(kas_onnx_call *call)
{
    kas_reader *reader = call->reader;
    kas_reader_value *x = call->inputs[0], *value;
    int64_t upper, k[KAS_ONNX_MAX_LIST] = {0};
    size_t count = 1;
    int tensor, mask, zero, axis;
    KAS_TRY(kas_onnx_attribute_int(call, "upper", 1, &upper));
    if (kas_onnx_input(call, 1)) KAS_TRY(kas_reader_known_integers(reader, call->inputs[1], "k", k, &count));
    if (count != 1 || x->rank < 2)
        return kas_refuse(KAS_REASON_SHAPE, "k has %zu values, the input rank %d", count, x->rank);
    KAS_TRY(kas_reader_row_axis(x, x->rank - 1, &axis));
    KAS_TRY(kas_reader_row_axis(x, x->rank - 2, &axis));
    if (k[0] > INT32_MAX || k[0] < INT32_MIN)
        return kas_refuse(KAS_REASON_LIMIT, "k is %lld", (long long)k[0]);
    KAS_TRY(kas_reader_tensor_index(reader, x, &tensor));
    KAS_TRY(triangle(reader, x->dims[x->rank - 2], x->dims[x->rank - 1], k[0], upper != 0, &mask));
    KAS_TRY(kas_reader_emit_scalar(reader, 0, &zero));
    KAS_TRY(kas_reader_value_new(reader, x, &value));
    KAS_TRY(kas_reader_emit_select(reader, mask, tensor, zero, &value->tensor));
    return kas_onnx_output(call, 0, value);
}

const kas_onnx_op kas_onnx_ops_layout[] = {
    {"DepthToSpace", lower_depth_to_space, "blocksize mode", 1, 1, DEPTH_TO_SPACE},
    {"SpaceToDepth", lower_space_to_depth, "blocksize mode", 1, 1, SPACE_TO_DEPTH},
    {"Tile", lower_tile, "", 2, 2, 0},
    {"Trilu", lower_trilu, "upper", 1, 2, 0},
    {NULL, NULL, NULL, 0, 0, 0},
};
