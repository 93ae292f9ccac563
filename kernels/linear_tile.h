/* The product that linear.k and linear_blend.k share: a group computes a tile of LINEAR_TILE_ROWS by
 * LINEAR_TILE_COLUMNS results, an item RM by RN of them. Every result is summed over k in ascending order
 * with one accumulator, so the bits of a row do not depend on where in the batch it stands. Macros, as GLSL
 * has no pointers. Needs kernels/stored.h. */
#ifndef KAS_KERNELS_LINEAR_TILE_H
#define KAS_KERNELS_LINEAR_TILE_H

#define BM LINEAR_TILE_ROWS
#define BN LINEAR_TILE_COLUMNS
#define BK 16 /* depth of what is staged at a time */
#define RM 4
#define RN 4
#define TX (BN / RN)
#define WG ((BM / RM) * TX)

/* Row and column of an item's result (i, j): neighbouring items write neighbouring columns. */
#define TILE_ROW(row0, i)    ((row0) + (LID / TX) * RM + (i))
#define TILE_COLUMN(col0, j) ((col0) + (j)*TX + LID % TX)

#define TILE_STAGE(rows, row0, col0, k0)                                                                     \
    for (int e = LID; e < BM * BK; e += WG) {                                                                \
        int row = row0 + e / BK, k = k0 + e % BK;                                                            \
        xs[(e % BK) * BM + e / BK] = (row < rows && k < args.k) ? X[row * args.ldx + k] : 0.0f;              \
    }                                                                                                        \
    for (int e = LID; e < BN * BK; e += WG) {                                                                \
        int k = k0 + e / BN, col = col0 + e % BN;                                                            \
        ws[e] = (k < args.k && col < args.n) ? WEIGHT(W, k * STORED_COLUMNS(args.n) + col) : 0.0f;           \
    }

#define TILE_MULTIPLY(acc, depth)                                                                            \
    {                                                                                                        \
        float sum[RM * RN]; /* registers, also where the host keeps an item's memory on its stack */         \
        UNROLL for (int i = 0; i < RM * RN; ++i) sum[i] = MY(acc)[i];                                        \
        for (int k = 0; k < depth; ++k) {                                                                    \
            float w[RN];                                                                                     \
            UNROLL for (int j = 0; j < RN; ++j) w[j] = ws[k * BN + j * TX + LID % TX];                       \
            UNROLL for (int i = 0; i < RM; ++i)                                                              \
            {                                                                                                \
                float x = xs[k * BM + (LID / TX) * RM + i];                                                  \
                UNROLL for (int j = 0; j < RN; ++j) sum[i * RN + j] += x * w[j];                             \
            }                                                                                                \
        }                                                                                                    \
        UNROLL for (int i = 0; i < RM * RN; ++i) MY(acc)[i] = sum[i];                                        \
    }

/* acc (PRIVATE, RM * RN floats) = the item's part of X Wᵀ. The staged depth stops at k: a padded 0 · Inf is
 * NaN. */
#define TILE_PRODUCT(acc, rows, row0, col0)                                                                  \
    ITEMS                                                                                                    \
    {                                                                                                        \
        UNROLL for (int i = 0; i < RM * RN; ++i) MY(acc)[i] = 0.0f;                                          \
    }                                                                                                        \
    for (int k0 = 0; k0 < args.k; k0 += BK) {                                                                \
        SYNC;                                                                                                \
        ITEMS{TILE_STAGE(rows, row0, col0, k0)} SYNC;                                                        \
        ITEMS TILE_MULTIPLY(acc, (args.k - k0 < BK ? args.k - k0 : BK))                                      \
    }

#endif
