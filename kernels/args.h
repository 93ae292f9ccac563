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
 *   R[4r], R[4r + 1]    contributions that failed on row r: those with alpha > 0 there that failed as a whole, or
 *                       whose row is non-finite while the input row is finite
 *   R[4r + 2]           1: the input row is non-finite
 *   R[4r + 3]           1: the base's row is non-finite, so nobody is to blame for what the mask says; raised by
 *                       blend and linear_blend; stays 0 where c = 0, as the base is then not read
 *   C[(n + 1) r]        c, from word C = `coefficients` = 4 * capacity_rows on (float bits)
 *   C[(n + 1) r + 1 + i]  s·αᵢ; 0 where alpha is 0 or the contribution failed
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

#endif
