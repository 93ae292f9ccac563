/* Nodes that read constants only are computed once, by the float64 evaluator, and rounded to float32.
 *
 * What it costs is bounded: a node is left to be computed for each row when its result would be much larger
 * than what it reads (an expanded constant), when it would take too long, or when the result is not finite.
 */
#include <math.h>

#include "base/alloc.h"
#include "engine/graph/reference.h"
#include "engine/graph/rules.h"
#include "engine/graph/shape.h"

enum {
    GROWTH_ELEMENTS = 4096,       /* by which a result may exceed what it is made of */
    DOUBLE_ELEMENTS_MAX = 1 << 21 /* held in float64 at once */
};

static bool reads_constants_only(const kas_rewrite *rewrite, const kas_node *node, size_t *elements)
{
    *elements = 0;
    for (int i = 0; i < node->input_count; ++i) {
        if (node->inputs[i] < 0) continue;
        const kas_tensor *tensor = kas_rewrite_tensor(rewrite, node->inputs[i]);
        if (!tensor->constant) return false;
        *elements += tensor->elements;
    }
    return true;
}

/* Multiply-adds for each element of the result, about. */
static uint64_t work_of_element(const kas_rewrite *rewrite, const kas_node *node, size_t read, size_t made)
{
    const uint64_t multiply_adds = kas_node_multiply_adds(rewrite->graph, node);
    if (multiply_adds > 0) return multiply_adds;
    return node->op == KAS_OP_REDUCE ? read / made : 4;
}

/* Moving elements needs no float64, and weights may be large: a transposed one is the common case. */
static float *copy_strided(const kas_rewrite *rewrite, const kas_node *node)
{
    const kas_tensor *x = kas_rewrite_tensor(rewrite, node->inputs[0]);
    const kas_tensor *output = kas_rewrite_tensor(rewrite, node->output);
    float *values = kas_alloc_array(output->elements, sizeof *values);
    kas_cursor cursor = {.offset = node->offset};
    for (int d = 0; d < output->shape.rank; ++d)
        cursor.stride[d] = node->stride[d];
    for (size_t i = 0; values && i < output->elements; ++i) {
        values[i] = x->constant[cursor.offset];
        kas_cursor_next(&cursor, &output->shape);
    }
    return values;
}

static void evaluate(const kas_rewrite *rewrite, const kas_node *node, double *pool, double *out)
{
    const double *in[KAS_MAX_NODE_INPUTS] = {0};
    for (int i = 0; i < node->input_count; ++i) {
        if (node->inputs[i] < 0) continue;
        const kas_tensor *tensor = kas_rewrite_tensor(rewrite, node->inputs[i]);
        in[i] = pool;
        for (size_t k = 0; k < tensor->elements; ++k)
            *pool++ = (double)tensor->constant[k];
    }
    kas_reference reference = {.graph = rewrite->graph, .node = node, .in = in, .out = out};
    kas_reference_node(&reference);
}

/* Rounded results of the node; *out stays NULL where one of them is not finite. */
static kas_status compute(const kas_rewrite *rewrite, const kas_node *node, size_t read, float **out)
{
    size_t made = kas_rewrite_tensor(rewrite, node->output)->elements;
    double *pool = kas_alloc_array(read + made, sizeof *pool);
    float *values = kas_alloc_array(made, sizeof *values);
    kas_status status = pool && values ? NULL : kas_out_of_memory();
    bool finite = !status;
    if (!status) {
        double *results = pool + read;
        evaluate(rewrite, node, pool, results);
        for (size_t i = 0; i < made; ++i) {
            values[i] = (float)results[i];
            finite = finite && isfinite(values[i]);
        }
    }
    kas_free(pool);
    if (finite)
        *out = values;
    else
        kas_free(values);
    return status;
}

/* A result in the place of what only this node reads takes no more memory; another counts as a copy. */
static bool may_be_stored(kas_rewrite *rewrite, const kas_node *node, size_t made)
{
    size_t freed = 0;
    for (int i = 0; i < node->input_count; ++i)
        if (node->inputs[i] >= 0 && rewrite->reads[node->inputs[i]] == 1)
            freed += kas_rewrite_tensor(rewrite, node->inputs[i])->elements;
    if (made <= freed) return true;
    if (made - freed > rewrite->copy_budget) return false;
    rewrite->copy_budget -= made - freed;
    return true;
}

kas_status kas_fold_constant(kas_rewrite *rewrite, int index)
{
    const kas_node *node = kas_rewrite_node(rewrite, index);
    size_t read, made = kas_rewrite_tensor(rewrite, node->output)->elements;
    if (!reads_constants_only(rewrite, node, &read) || made > read + GROWTH_ELEMENTS) return NULL;
    bool moves = node->op == KAS_OP_STRIDED;
    if (node->output == rewrite->graph->output &&
        ((moves && kas_node_is_reshape(rewrite->graph, node)) || !kas_rewrite_has_room(rewrite, 1)))
        return NULL;
    uint64_t work = moves ? 1 : work_of_element(rewrite, node, read, made);
    if ((!moves && read + made > DOUBLE_ELEMENTS_MAX) || !kas_rewrite_spend(rewrite, work, made)) return NULL;
    if (!may_be_stored(rewrite, node, made)) return NULL;
    float *values = NULL;
    if (moves) {
        values = copy_strided(rewrite, node);
        if (!values) return kas_out_of_memory();
    } else {
        KAS_TRY(compute(rewrite, node, read, &values));
    }
    return values ? kas_rewrite_make_constant(rewrite, index, values) : NULL;
}
