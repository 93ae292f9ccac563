/* Argument structs of the kernels, shared by device code and the host code that launches them, and the layout
 * of the two blocks of 32-bit words that passes read and write.
 *
 * Only 4-byte int and float members: the layout is then the same in C, CUDA, OpenCL and GLSL. At most 128
 * bytes. This file is valid in all four languages: no #include, no comments but these, no initialisers.
 *
 * Parameter block (buffer 0 of every kernel, read-only words):
 *
 *   P[0]                rows of this pass
 *   P[1], P[2]          seeds that have failed as a whole: bit i of contribution i, low word first
 *   P[3]                rows already done of a split pass (for messages only)
 *   P[4 … 7]            zero
 *   P[8 + r * n + i]    alpha of contribution i for row r, the bits of a float32 (n contributions)
 *
 * Result block (words), for rows r and n contributions:
 *
 *   R[4r], R[4r + 1]    contributions that failed on row r: those with alpha > 0 there that failed as a
 * whole, or whose row is non-finite while the input row is finite R[4r + 2]           1: the input row is
 * non-finite R[4r + 3]           1: the base's row is non-finite, so nobody is to blame for what the mask
 * says; raised by blend and linear_blend; stays 0 where c = 0, as the base is then not read C[(n + 1) r] c,
 * from word C = `coefficients` = 4 * capacity_rows on (float bits) C[(n + 1) r + 1 + i]  s·αᵢ; 0 where alpha
 * is 0 or the contribution failed
 *
 * Contributions' outputs: Kᵢ starts at i * k_stride floats and has rows of n floats, one after the other. */
/* clang-format off: columns of comments */
#ifndef KAS_KERNELS_ARGS_H
#define KAS_KERNELS_ARGS_H

#define PARAMS_HEAD 8 /* words of the parameter block before the alphas */
#define RESULT_HEAD 4 /* words of the result block for a row, before the coefficients */

/* linear, linear_blend: per pass row there are `m` product rows of `k` inputs and `n` outputs. The grid:
 * columns in x, `n` fixed over LINEAR_TILE_COLUMNS; product rows in y, `m` per row over LINEAR_TILE_ROWS. */
#define LINEAR_TILE_COLUMNS 64
#define LINEAR_TILE_ROWS    64
struct linear_args {
    int k, n, m;
    int ldx, ldy;       /* floats from one product row to the next */
    int act;            /* ACT_… of kernels/act.h */
    float act_a, act_b; /* its parameters */
    int has_bias;       /* 0: the bias buffer is not read, but something must be bound */
    int contributions;  /* linear_blend: how many Kᵢ; their rows are the pass's, of m * n floats */
    int k_stride;       /* linear_blend: floats from Kᵢ to Kᵢ₊₁ */
    int coefficients;   /* linear_blend: word of the result block where they start */
};

/* judge: one group a row (x: 1 per row). */
struct judge_args {
    int k, n;          /* floats of a row of X, and of a row of each Kᵢ */
    int contributions; /* 1 … 64 */
    int k_stride;      /* floats from Kᵢ to Kᵢ₊₁ */
    int coefficients;  /* word of the result block where they start */
};

/* blend: one item an output (x: n per row over BLEND_GROUP). */
#define BLEND_GROUP 256
struct blend_args {
    int n;             /* floats of a row of B, Y and each Kᵢ */
    int contributions; /* 1 … 64 */
    int k_stride;      /* floats from Kᵢ to Kᵢ₊₁ */
    int coefficients;  /* word of the result block where they start */
};

/* The graph's operators. An activation's rows are dense and follow one another; a NAME_row of 0 stands for a
 * constant, the same for every row. For every buffer, rows times elements stay below 2^30: indices are ints.
 */

/* unary: x: elements per row over LINES_TILE. */
#define LINES_TILE  1024 /* elements that a group of an elementwise kernel takes */
#define LINES_GROUP 256
struct unary_args {
    int elements; /* of a row */
    int act;
    float act_a, act_b;
};

/* binary, where, strided: see kernels/lines.h. x, for LINES_FLAT: inner per row over LINES_TILE; for
 * LINES_LONG: lines_per_row (times the tiles of a line, where it is longer than one) over lines_per_group;
 * for LINES_SHORT: elements per row over LINES_TILE. */
#define LINES_FLAT  0
#define LINES_LONG  1
#define LINES_SHORT 2
#define LINES_OUTER 5

/* Functions of two numbers, numbered as kas_binary of engine/graph/graph.h. */
#define PAIR_ADD           0
#define PAIR_SUB           1
#define PAIR_MUL           2
#define PAIR_DIV           3
#define PAIR_POW           4
#define PAIR_MIN           5
#define PAIR_MAX           6
#define PAIR_EQUAL         7
#define PAIR_GREATER       8
#define PAIR_GREATER_EQUAL 9
#define PAIR_LESS          10
#define PAIR_LESS_EQUAL    11
#define PAIR_AND           12
#define PAIR_OR            13
#define PAIR_XOR           14
#define PAIR_COUNT         15

struct binary_args {
    int op; /* PAIR_… */
    int act;
    float act_a, act_b;
    int form, inner, lines_per_row, lines_per_group;
    int rank, size[LINES_OUTER]; /* of the dimensions outside of the lines */
    int a_row, a_inner, a_stride[LINES_OUTER];
    int b_row, b_inner, b_stride[LINES_OUTER];
};

struct where_args {
    int form, inner, lines_per_row, lines_per_group;
    int rank, size[LINES_OUTER];
    int c_row, c_inner, c_stride[LINES_OUTER];
    int a_row, a_inner, a_stride[LINES_OUTER];
    int b_row, b_inner, b_stride[LINES_OUTER];
};

struct strided_args {
    int form, inner, lines_per_row, lines_per_group;
    int rank, size[LINES_OUTER];
    int x_offset, x_row, x_inner, x_stride[LINES_OUTER];
    int y_offset, y_row, y_inner, y_stride[LINES_OUTER];
};

/* matmul: x: matrices per row times bands of MATMUL_ROWS times strips of MATMUL_COLUMNS. */
#define MATMUL_ROWS    4
#define MATMUL_COLUMNS 64
#define MATMUL_OUTER   4
struct matmul_args {
    int m, k, n;
    int rank, size[MATMUL_OUTER]; /* of the matrices of a row */
    int a_row, a_stride[MATMUL_OUTER];
    int b_row, b_stride[MATMUL_OUTER];
};

/* softmax, reduce: x: lines per row. softmax_across, reduce_across: x: blocks of lines per row times strips
 * of ACROSS_GROUP lines. */
#define ACROSS_GROUP 64
struct softmax_args {
    int size, inner; /* elements of a line; from one of them to the next (1: softmax) */
};

/* What a reduction folds with, numbered as kas_reduce of engine/graph/graph.h. */
#define FOLD_SUM  0
#define FOLD_MEAN 1
#define FOLD_MAX  2
#define FOLD_MIN  3
#define FOLD_PROD 4
struct reduce_args {
    int op; /* FOLD_… */
    int size, inner;
};

/* layernorm: x: lines per row. */
struct layernorm_args {
    int size, lines_per_row;
    int centred;
    float epsilon;
    int has_scale, has_shift; /* 0: the buffer is not read, but something must be bound */
    int scale_row, shift_row; /* floats from one row's parameters to the next's */
};

/* conv: x: strips of CONV_GROUP positions, times blocks of CONV_CHANNELS output channels of each group, per
 * row. */
#define CONV_CHANNELS 8
#define CONV_GROUP    64
struct conv_args {
    int groups, group_inputs, group_outputs; /* channels */
    int height, width, out_height, out_width;
    int kernel_height, kernel_width, stride_height, stride_width;
    int dilation_height, dilation_width, before_height, before_width;
    int act;
    float act_a, act_b;
    int has_bias; /* 0: the bias buffer is not read, but something must be bound */
};

/* pool, gather, pad: x: output elements per row over SCATTER_GROUP. */
#define SCATTER_GROUP 256
struct pool_args {
    int channels, height, width, out_height, out_width;
    int kernel_height, kernel_width, stride_height, stride_width;
    int dilation_height, dilation_width, before_height, before_width;
    int average, count_padding;
};

struct gather_args {
    int outer, size, inner; /* of a row of X: the gathered dimension and what stands around it */
    int count;              /* of the list */
};

#define PAD_RANK 6
struct pad_args {
    int elements; /* of a row of Y */
    float value;
    int rank, size[PAD_RANK], x_size[PAD_RANK], before[PAD_RANK];
};

#endif
