/* Lowering products: LINEAR and MATMUL. A MATMUL by a constant matrix is a LINEAR. */
#include "engine/graph/lower.h"
#include "engine/graph/shape.h"

_Static_assert(MATMUL_OUTER == KAS_MAX_RANK - 2, "a product's leading dimensions must fit matmul_args");

/* A launch of kernels/linear.k that is to be. */
typedef struct product {
    const kas_tensor *weights;
    kas_weight_type type;    /* that they are stored as */
    kas_operand operands[4]; /* X, W, b, Y */
    struct linear_args args;
} product;

static uint64_t fast_acts(const kas_lowering *lowering, kas_weight_type type)
{
    return kas_device_get_limits(lowering->device)->fast_acts[type];
}

/* Weights are stored once for the exact list and the fast one: as float32 where only the fast product over
 * float32 is there. */
static kas_weight_type type_of(const kas_lowering *lowering, const kas_tensor *weights)
{
    kas_weight_type type = kas_lower_weight_type(lowering, weights);
    return fast_acts(lowering, KAS_WEIGHT_F32) && !fast_acts(lowering, type) ? KAS_WEIGHT_F32 : type;
}

static kas_status emit_one(kas_lowering *lowering, const product *p)
{
    const struct linear_args *args = &p->args;
    kas_lower_count_product(lowering, 2 * (uint64_t)args->m * (uint64_t)args->n * (uint64_t)args->k,
                            p->operands[0].elements + p->operands[3].elements);
    return kas_lower_emit(lowering, kas_kernel_over(KAS_KERNEL_linear, p->type), p->operands, 4, args,
                          sizeof *args,
                          (kas_grid_rule){.fixed = (uint32_t)args->n, .divisor = LINEAR_TILE_COLUMNS},
                          (kas_grid_rule){.per_row = (uint32_t)args->m, .divisor = LINEAR_TILE_ROWS});
}

/* Weights that came in bfloat16 are multiplied as such: no digit of them is lost. */
static kas_precision precision_of(const kas_tensor *weights)
{
    kas_weight_type type = kas_weight_type_of(weights->constant, weights->elements);
    return type == KAS_WEIGHT_BF16 ? KAS_PRECISION_BF16 : KAS_PRECISION_TF32;
}

/* A fast product may end in few activations; others are a launch of their own. Without one over weights of
 * that type it is the portable product. */
static kas_status emit_fast(kas_lowering *lowering, product *p)
{
    const kas_ending ending = {.act = p->args.act, .a = p->args.act_a, .b = p->args.act_b};
    const kas_operand y = p->operands[3];
    const uint64_t acts = fast_acts(lowering, p->type);
    if (!acts) return emit_one(lowering, p);
    const bool apart = !(acts >> ending.act & 1);
    if (apart) {
        KAS_TRY(kas_lower_between(lowering, y.elements, &p->operands[3]));
        p->args.act = KAS_ACT_NONE;
    }
    KAS_TRY(emit_one(lowering, p));
    kas_lower_last(lowering)->precision = (uint8_t)precision_of(p->weights);
    return apart ? kas_lower_activate(lowering, &p->operands[3], &y, &ending) : NULL;
}

/* X Wᵀ + b, ended in what follows the node. piece: W, but for its type. */
static kas_status lower_product(kas_lowering *lowering, const kas_node *node, kas_piece piece, bool has_bias)
{
    product p = {.weights = piece.tensor, .type = type_of(lowering, piece.tensor)};
    piece.type = p.type;
    KAS_TRY(kas_lower_activation(lowering, node, 0, &p.operands[0]));
    KAS_TRY(kas_lower_piece(lowering, piece, &p.operands[1]));
    p.operands[2] = p.operands[1];
    if (has_bias) KAS_TRY(kas_lower_input(lowering, node, 2, &p.operands[2]));
    kas_ending ending = kas_lower_ending(lowering, node);
    KAS_TRY(kas_lower_output(lowering, ending.output, &p.operands[3]));
    p.args = (struct linear_args){.k = (int)piece.k,
                                  .n = (int)piece.n,
                                  .m = (int)(p.operands[0].elements / piece.k),
                                  .ldx = (int)piece.k,
                                  .ldy = (int)piece.n,
                                  .act = ending.act,
                                  .act_a = ending.a,
                                  .act_b = ending.b,
                                  .has_bias = has_bias};
    return lowering->fast ? emit_fast(lowering, &p) : emit_one(lowering, &p);
}

kas_status kas_lower_linear(kas_lowering *lowering, const kas_node *node)
{
    const kas_tensor *w = kas_lower_constant(lowering, node, 1);
    const kas_piece piece = {
        .kind = KAS_PIECE_LINEAR, .tensor = w, .n = (size_t)w->shape.dims[0], .k = (size_t)w->shape.dims[1]};
    return lower_product(lowering, node, piece, node->input_count > 2 && node->inputs[2] >= 0);
}

static kas_status lower_by_constant(kas_lowering *lowering, const kas_node *node, size_t k, size_t n)
{
    const kas_tensor *b = kas_lower_constant(lowering, node, 1);
    const kas_piece piece = {.kind = KAS_PIECE_TRANSPOSED, .tensor = b, .n = n, .k = k};
    return lower_product(lowering, node, piece, false);
}

static int last(const kas_tensor *tensor, int back)
{
    return (int)tensor->shape.dims[tensor->shape.rank - back];
}

/* Leading dimensions of the product, with the elements that a step in each takes in A and in B. */
static void matrices(const kas_tensor *a, const kas_tensor *b, const kas_tensor *y, struct matmul_args *args)
{
    kas_shape left = a->shape, right = b->shape, leading = y->shape;
    int64_t a_stride[KAS_MAX_RANK], b_stride[KAS_MAX_RANK];
    left.rank -= 2;
    right.rank -= 2;
    leading.rank -= 2;
    kas_shape_broadcast_strides(&left, &leading, a_stride);
    kas_shape_broadcast_strides(&right, &leading, b_stride);
    args->rank = leading.rank;
    for (int d = 0; d < leading.rank; ++d) {
        args->size[d] = (int)leading.dims[d];
        args->a_stride[d] = (int)a_stride[d] * args->m * args->k;
        args->b_stride[d] = (int)b_stride[d] * args->k * args->n;
    }
}

kas_status kas_lower_matmul(kas_lowering *lowering, const kas_node *node)
{
    const kas_tensor *a = kas_lower_tensor(lowering, node->inputs[0]);
    const kas_tensor *b = kas_lower_tensor(lowering, node->inputs[1]);
    const kas_tensor *y = kas_lower_tensor(lowering, node->output);
    struct matmul_args args = {.m = last(a, 2), .k = last(a, 1), .n = last(b, 1)};
    bool one_matrix = b->elements == (size_t)args.k * (size_t)args.n;
    if (one_matrix && kas_lower_constant(lowering, node, 1))
        return lower_by_constant(lowering, node, (size_t)args.k, (size_t)args.n);
    if (one_matrix)
        args.m = (int)(a->elements / (size_t)args.k); /* all matrices of A are one, above each other */
    else
        matrices(a, b, y, &args);
    kas_operand operands[3];
    KAS_TRY(kas_lower_input(lowering, node, 0, &operands[0]));
    KAS_TRY(kas_lower_input(lowering, node, 1, &operands[1]));
    KAS_TRY(kas_lower_output(lowering, node->output, &operands[2]));
    args.a_row = (int)operands[0].row;
    args.b_row = (int)operands[1].row;
    uint32_t bands = (uint32_t)(args.m + MATMUL_ROWS - 1) / MATMUL_ROWS;
    uint32_t strips = (uint32_t)(args.n + MATMUL_COLUMNS - 1) / MATMUL_COLUMNS;
    uint32_t count = (uint32_t)(y->elements / ((size_t)args.m * (size_t)args.n));
    kas_lower_count(lowering, 2 * (uint64_t)y->elements * (uint64_t)args.k,
                    a->elements + b->elements + y->elements);
    return kas_lower_emit_x(lowering, KAS_KERNEL_matmul, operands, 3, &args, sizeof args,
                            (kas_grid_rule){.per_row = count * bands * strips, .divisor = 1});
}
