/* Names of operators and scalar functions, for messages and for what an operator of the engine reads. */
#include "engine/graph/graph.h"

const char *kas_op_name(kas_op op)
{
    static const char *const names[KAS_OP_COUNT] = {
        [KAS_OP_LINEAR] = "linear", [KAS_OP_MATMUL] = "matmul",   [KAS_OP_UNARY] = "unary",
        [KAS_OP_BINARY] = "binary", [KAS_OP_SELECT] = "select",   [KAS_OP_SOFTMAX] = "softmax",
        [KAS_OP_NORM] = "norm",     [KAS_OP_REDUCE] = "reduce",   [KAS_OP_CONV] = "conv",
        [KAS_OP_POOL] = "pool",     [KAS_OP_STRIDED] = "strided", [KAS_OP_CONCAT] = "concat",
        [KAS_OP_GATHER] = "gather", [KAS_OP_PAD] = "pad",
    };
    return (unsigned)op < KAS_OP_COUNT ? names[op] : "unknown";
}

const char *kas_act_name(kas_act act)
{
    static const char *const names[KAS_ACT_COUNT] = {
        [KAS_ACT_NONE] = "none",
        [KAS_ACT_RELU] = "relu",
        [KAS_ACT_GELU] = "gelu",
        [KAS_ACT_GELU_TANH] = "gelu_tanh",
        [KAS_ACT_SIGMOID] = "sigmoid",
        [KAS_ACT_TANH] = "tanh",
        [KAS_ACT_SILU] = "silu",
        [KAS_ACT_LEAKY_RELU] = "leaky_relu",
        [KAS_ACT_ELU] = "elu",
        [KAS_ACT_SELU] = "selu",
        [KAS_ACT_CELU] = "celu",
        [KAS_ACT_SOFTPLUS] = "softplus",
        [KAS_ACT_SOFTSIGN] = "softsign",
        [KAS_ACT_MISH] = "mish",
        [KAS_ACT_HARD_SIGMOID] = "hard_sigmoid",
        [KAS_ACT_HARD_SWISH] = "hard_swish",
        [KAS_ACT_CLIP] = "clip",
        [KAS_ACT_THRESHOLDED_RELU] = "thresholded_relu",
        [KAS_ACT_EXP] = "exp",
        [KAS_ACT_LOG] = "log",
        [KAS_ACT_SQRT] = "sqrt",
        [KAS_ACT_RSQRT] = "rsqrt",
        [KAS_ACT_RECIPROCAL] = "reciprocal",
        [KAS_ACT_ERF] = "erf",
        [KAS_ACT_ABS] = "abs",
        [KAS_ACT_NEG] = "neg",
        [KAS_ACT_SIGN] = "sign",
        [KAS_ACT_FLOOR] = "floor",
        [KAS_ACT_CEIL] = "ceil",
        [KAS_ACT_ROUND] = "round",
        [KAS_ACT_SQUARE] = "square",
        [KAS_ACT_AFFINE] = "affine",
        [KAS_ACT_POW] = "pow",
        [KAS_ACT_NOT] = "not",
    };
    return (unsigned)act < KAS_ACT_COUNT ? names[act] : "unknown";
}

const char *kas_binary_name(kas_binary function)
{
    static const char *const names[KAS_BINARY_COUNT] = {
        [KAS_ADD] = "add",         [KAS_SUB] = "sub",
        [KAS_MUL] = "mul",         [KAS_DIV] = "div",
        [KAS_POW] = "pow",         [KAS_MIN] = "min",
        [KAS_MAX] = "max",         [KAS_EQUAL] = "equal",
        [KAS_GREATER] = "greater", [KAS_GREATER_EQUAL] = "greater_equal",
        [KAS_LESS] = "less",       [KAS_LESS_EQUAL] = "less_equal",
        [KAS_AND] = "and",         [KAS_OR] = "or",
        [KAS_XOR] = "xor",
    };
    return (unsigned)function < KAS_BINARY_COUNT ? names[function] : "unknown";
}

const char *kas_reduce_name(kas_reduce function)
{
    static const char *const names[] = {
        [KAS_REDUCE_SUM] = "sum", [KAS_REDUCE_MEAN] = "mean", [KAS_REDUCE_MAX] = "max",
        [KAS_REDUCE_MIN] = "min", [KAS_REDUCE_PROD] = "prod",
    };
    return (unsigned)function <= KAS_REDUCE_PROD ? names[function] : "unknown";
}
