/* A tile of the host's product: a few rows over one panel of packed weights, or over several, with every sum
 * in a register. Built once for each instruction set. */
#ifndef KAS_HOST_TILE_H
#define KAS_HOST_TILE_H

#include <stdbool.h>

#include "backends/host/packed.h"

/* One block of the depth of a tile. Where a row's next one is, is given in floats. */
typedef struct host_tile {
    const float *x;
    size_t ldx;
    const float *w; /* the first panel's weights of this block */
    size_t w_step;  /* to the next panel's */
    size_t depth;   /* inputs of this block */
    float *sums;    /* where they wait for the next block, and where results go */
    size_t ld_sums;
    bool resume;       /* there are sums so far */
    bool watched;      /* the caller wants to know of results that are not finite */
    const float *bias; /* of the first panel, in the last block; NULL: nothing to add */
    /* what is blended with results: K₀, the floats to K₁, … and the coefficients */
    const float *k;
    size_t ldk, k_stride, contributions;
    const float *coefficients; /* of the first row: c, w₀, …, the next row's after them; NULL: no blend */
    const float *y;            /* where the caller puts results, to be brought near, as K₀ … are */
    size_t ldy;
} host_tile;

/* Computes `rows` rows, at most TILE_ROWS, of so many panels (panels_at_once). False: some result that is
 * watched, or some sum that a blend uses (c is not 0), is not finite; a blend has then written nothing. */
bool PACKED(compute_tile)(const host_tile *tile, size_t rows, size_t panels);

/* Panels, of so many, that are computed at once. */
size_t PACKED(panels_at_once)(size_t rows, size_t panels);

#endif
