/* Argument structs of the kernels, shared by device code and the host code that launches them, and the layout of
 * the two blocks of 32-bit words that passes read and write.
 *
 * Only 4-byte int and float members: the layout is then the same in C, CUDA, OpenCL and GLSL. At most 128 bytes.
 * This file is valid in all four languages: no #include, no comments but these, no initialisers.
 *
 * Parameter block (buffer 0 of every kernel, read-only words):
 *   P[0] rows of this pass      P[1], P[2] seeds that have failed as a whole (bit i of contribution i, low word first)
 *   P[3] rows already done of a split pass (for messages only)      P[4..7] zero
 *   P[8 + r * n + i] alpha of contribution i for row r, the bits of a float32 (n contributions)
 *
 * Result block (words), for R rows and n contributions:
 *   R[4 * r + 0], R[4 * r + 1] mask of contributions that failed on row r      R[4 * r + 2] 1: the input row is
 *   non-finite      R[4 * r + 3] 0
 *   then, from word 4 * capacity_rows on, coefficients: [(n + 1) * r] = c, [(n + 1) * r + 1 + i] = s·αᵢ (float bits; 0 if failed)
 */
#ifndef KAS_KERNELS_ARGS_H
#define KAS_KERNELS_ARGS_H

/* linear, linear_blend: per pass row there are `m` product rows of `k` inputs and `n` outputs. */
struct linear_args {
    int k, n, m;
    int ldx, ldy;       /* floats from one product row to the next */
    int act;            /* ACT_… of kernels/act.h */
    float act_a, act_b; /* its parameters */
    int has_bias;
    int contributions;  /* linear_blend: how many Kᵢ */
    int k_stride;       /* linear_blend: floats from Kᵢ to Kᵢ₊₁ */
    int coefficients;   /* linear_blend: word of the result block where they start */
};

#endif
