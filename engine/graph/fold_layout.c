/* Views: gathering evenly spaced indices is a view, a view of a view is often one view, and functions of each
 * element pass a view that only gives the elements another shape, to meet the product before it. */
#include "engine/graph/rules.h"
#include "engine/graph/shape.h"

kas_status kas_fold_gather(kas_rewrite *rewrite, int index)
{
    const kas_node *node = kas_rewrite_node(rewrite, index);
    if (node->op != KAS_OP_GATHER) return NULL;
    int64_t first = node->indices[0], step = node->index_count > 1 ? node->indices[1] - first : 0;
    for (size_t i = 1; i < node->index_count; ++i)
        if (node->indices[i] != first + (int64_t)i * step) return NULL;
    kas_node view = {.op = KAS_OP_STRIDED, .inputs = {node->inputs[0]}, .input_count = 1};
    kas_shape_strides(&kas_rewrite_tensor(rewrite, node->inputs[0])->shape, view.stride);
    view.offset = first * view.stride[node->axis];
    view.stride[node->axis] *= step;
    kas_rewrite_replace(rewrite, index, &view);
    return NULL;
}

/* Where the elements of a view come from, as an odometer: digit d counts to dims[d] and moves by stride[d].
 * Dimensions that follow each other without a gap are one digit, those of size 1 none. */
typedef struct odometer {
    int count;
    int64_t dims[KAS_MAX_RANK], stride[KAS_MAX_RANK];
} odometer;

static odometer odometer_of(const int64_t stride[KAS_MAX_RANK], const kas_shape *shape)
{
    odometer result = {0};
    for (int d = 0; d < shape->rank; ++d) {
        if (shape->dims[d] == 1) continue;
        int last = result.count - 1;
        if (last >= 0 && result.stride[last] == stride[d] * shape->dims[d]) {
            result.dims[last] *= shape->dims[d];
            result.stride[last] = stride[d];
            continue;
        }
        result.dims[result.count] = shape->dims[d];
        result.stride[result.count++] = stride[d];
    }
    return result;
}

static void digits_of(const odometer *meter, int64_t element, int64_t digits[KAS_MAX_RANK])
{
    for (int d = meter->count - 1; d >= 0; --d) {
        digits[d] = element % meter->dims[d];
        element /= meter->dims[d];
    }
}

/* Adds, digit by digit, what the outer view's steps may reach: without a carry, a step of the outer view
 * moves each digit evenly, and the two views are one. Gives that view's stride for each outer dimension. */
static bool compose(const odometer *inner, const kas_node *outer, const kas_shape *shape, kas_node *view)
{
    int64_t least[KAS_MAX_RANK], greatest[KAS_MAX_RANK], start[KAS_MAX_RANK], next[KAS_MAX_RANK];
    digits_of(inner, outer->offset, start);
    for (int j = 0; j < inner->count; ++j) {
        least[j] = greatest[j] = start[j];
        view->offset += start[j] * inner->stride[j];
    }
    for (int d = 0; d < shape->rank; ++d) {
        view->stride[d] = 0;
        if (shape->dims[d] == 1) continue;
        digits_of(inner, outer->offset + outer->stride[d], next); /* the view reads it, so it is in range */
        for (int j = 0; j < inner->count; ++j) {
            int64_t step = next[j] - start[j], reach = step * (shape->dims[d] - 1);
            view->stride[d] += step * inner->stride[j];
            *(reach < 0 ? &least[j] : &greatest[j]) += reach;
        }
    }
    for (int j = 0; j < inner->count; ++j)
        if (least[j] < 0 || greatest[j] >= inner->dims[j]) return false;
    return true;
}

kas_status kas_fold_strided_pair(kas_rewrite *rewrite, int index)
{
    const kas_node *outer = kas_rewrite_node(rewrite, index);
    if (outer->op != KAS_OP_STRIDED) return NULL;
    const kas_node *inner = kas_rewrite_producer(rewrite, outer->inputs[0], KAS_OP_STRIDED);
    if (!inner) return NULL;
    odometer meter = odometer_of(inner->stride, &kas_rewrite_tensor(rewrite, inner->output)->shape);
    kas_node view = {
        .op = KAS_OP_STRIDED, .inputs = {inner->inputs[0]}, .input_count = 1, .offset = inner->offset};
    if (compose(&meter, outer, &kas_rewrite_tensor(rewrite, outer->output)->shape, &view))
        kas_rewrite_replace(rewrite, index, &view);
    return NULL;
}

/* Whether a constant meets the same elements when it broadcasts to either of two shapes of one tensor. */
static bool meets_the_same(const kas_shape *constant, const kas_shape *a, const kas_shape *b)
{
    kas_shape together;
    if (!kas_shape_broadcast(constant, a, &together) || !kas_shape_equal(&together, a)) return false;
    int64_t over_a[KAS_MAX_RANK], over_b[KAS_MAX_RANK];
    kas_shape_broadcast_strides(constant, a, over_a);
    kas_shape_broadcast_strides(constant, b, over_b);
    odometer left = odometer_of(over_a, a), right = odometer_of(over_b, b);
    bool same = left.count == right.count;
    for (int d = 0; same && d < left.count; ++d)
        same = left.dims[d] == right.dims[d] && left.stride[d] == right.stride[d];
    return same;
}

/* Which input of a function of one, or of two with a constant, is the view it may pass; -1: none. */
static int passable_input(const kas_rewrite *rewrite, const kas_node *node)
{
    if (node->op != KAS_OP_UNARY && node->op != KAS_OP_BINARY) return -1;
    for (int i = 0; i < node->input_count; ++i) {
        const kas_node *view = kas_rewrite_producer(rewrite, node->inputs[i], KAS_OP_STRIDED);
        if (!view || !kas_node_is_reshape(rewrite->graph, view) || rewrite->reads[view->output] != 1)
            continue;
        const kas_shape *seen = &kas_rewrite_tensor(rewrite, view->output)->shape;
        if (!kas_shape_equal(seen, &kas_rewrite_tensor(rewrite, node->output)->shape)) continue;
        if (node->op == KAS_OP_UNARY) return i;
        const kas_tensor *other = kas_rewrite_tensor(rewrite, node->inputs[1 - i]);
        const kas_shape *x = &kas_rewrite_tensor(rewrite, view->inputs[0])->shape;
        if (other->constant && meets_the_same(&other->shape, x, seen)) return i;
    }
    return -1;
}

kas_status kas_fold_reshape(kas_rewrite *rewrite, int index)
{
    kas_node function = *kas_rewrite_node(rewrite, index);
    int input = passable_input(rewrite, &function);
    if (input < 0) return NULL;
    int between = function.inputs[input], before = rewrite->producer[between];
    function.inputs[input] = kas_rewrite_node(rewrite, before)->inputs[0];
    kas_node view = {.op = KAS_OP_STRIDED, .inputs = {between}, .input_count = 1};
    kas_shape_strides(&kas_rewrite_tensor(rewrite, function.output)->shape, view.stride);
    rewrite->graph->tensors[between].shape = kas_rewrite_tensor(rewrite, function.inputs[input])->shape;
    kas_rewrite_replace(rewrite, before, &function);
    kas_rewrite_replace(rewrite, index, &view);
    return NULL;
}
