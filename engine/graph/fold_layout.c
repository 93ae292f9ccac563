/* Views: gathering evenly spaced indices is a view, and a view of a view is often one view. */
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

static odometer odometer_of(const kas_node *view, const kas_shape *shape)
{
    odometer result = {0};
    for (int d = 0; d < shape->rank; ++d) {
        if (shape->dims[d] == 1) continue;
        int last = result.count - 1;
        if (last >= 0 && result.stride[last] == view->stride[d] * shape->dims[d]) {
            result.dims[last] *= shape->dims[d];
            result.stride[last] = view->stride[d];
            continue;
        }
        result.dims[result.count] = shape->dims[d];
        result.stride[result.count++] = view->stride[d];
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
    odometer meter = odometer_of(inner, &kas_rewrite_tensor(rewrite, inner->output)->shape);
    kas_node view = {
        .op = KAS_OP_STRIDED, .inputs = {inner->inputs[0]}, .input_count = 1, .offset = inner->offset};
    if (compose(&meter, outer, &kas_rewrite_tensor(rewrite, outer->output)->shape, &view))
        kas_rewrite_replace(rewrite, index, &view);
    return NULL;
}
