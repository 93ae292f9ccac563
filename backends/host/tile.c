/* For each input k of a panel: PANEL / VEC_FLOATS loads of weights, and for each row one broadcast and as
 * many multiply-adds. Heights 1 … TILE_ROWS are all instances of one function. One to three rows have too few
 * sums to keep the multipliers busy: they take several panels at once.
 *
 * The loop over the depth has next to nothing but these: what else is in it is felt. A tile fetches the
 * memory that it will need at its end between its last steps, a row at a time; all at once, the rows wait for
 * each other, and the product for them.
 *
 * Computing contributions within the base's tiles as well, from registers to registers, wins nothing
 * (measured: 0.99 to 1.02 of the time); likely because their weights then come from the second-level cache
 * for each tile. */
#include "backends/host/tile.h"

#include <assert.h>

#include "kernels/dialect.h"

enum {
    HEIGHT_MAX = 12,  /* of any instruction set's tiles */
    WIDTH_MAX = 8,    /* vectors of a row, of all panels at once */
    FEW_ROWS = 3,     /* that wait for their weights in any case: nothing is fetched ahead of time */
    AHEAD = 64,       /* steps of the depth between fetching weights and using them */
    FETCH_STEPS = 10, /* from fetching a row's place in Y, or in one of Kᵢ, to fetching the next one's */
    POINTER_ROWS = 3, /* rows that one pointer serves: with a stride, twice a stride */
    POINTERS = HEIGHT_MAX / POINTER_ROWS
};

#define ALWAYS_INLINE inline __attribute__((always_inline))

/* Keeps compilers from replacing a pointer by an offset from another one: they would compute every row's
 * address in every step. */
#define OWN_REGISTER(pointer) __asm__("" : "+r"(pointer))

/* Brings near what a row of a tile needs after the last steps, and its first inputs for the next panel. */
static ALWAYS_INLINE void fetch_row(const host_tile *t, size_t row)
{
    const float *y = t->y + row * t->ldy;
    __builtin_prefetch(t->x + row * t->ldx);
    __builtin_prefetch(y, 1);
    __builtin_prefetch(y + VEC_FLOATS, 1);
    for (size_t s = 0; s < t->contributions; ++s) {
        const float *k = t->k + row * t->ldk + s * t->k_stride;
        __builtin_prefetch(k);
        __builtin_prefetch(k + VEC_FLOATS);
    }
}

static ALWAYS_INLINE void run_steps(const host_tile *t, size_t steps, const float **x, const float **w,
                                    vec *sum, const int rows, const int vectors)
{
    _Pragma("GCC unroll 1") for (; steps > 0; --steps, *w += PANEL)
    {
        vec weights[WIDTH_MAX];
        UNROLL for (int v = 0; v < vectors; ++v)
        {
            const float *at = *w + (size_t)(v / 2) * t->w_step + (size_t)(v % 2 * VEC_FLOATS);
            weights[v] = vec_load(at);
            if (rows > FEW_ROWS) __builtin_prefetch(at + (size_t)AHEAD * PANEL);
        }
        UNROLL for (int i = 0; i < rows; ++i)
        {
            vec input = vec_splat(x[i / POINTER_ROWS][(size_t)(i % POINTER_ROWS) * t->ldx]);
            UNROLL for (int v = 0; v < vectors; ++v) sum[i * vectors + v] =
                vec_madd(input, weights[v], sum[i * vectors + v]);
        }
        UNROLL for (int i = 0; i < rows; i += POINTER_ROWS)
        {
            ++x[i / POINTER_ROWS];
            OWN_REGISTER(x[i / POINTER_ROWS]);
        }
    }
}

static ALWAYS_INLINE void multiply(const host_tile *t, vec *sum, const int rows, const int vectors)
{
    const float *w = t->w, *x[POINTERS];
    UNROLL for (int i = 0; i < rows; i += POINTER_ROWS) x[i / POINTER_ROWS] = t->x + (size_t)i * t->ldx;
    if (rows <= FEW_ROWS) {
        run_steps(t, t->depth, x, &w, sum, rows, vectors);
        return;
    }
    size_t pause = FETCH_STEPS * (1 + t->contributions), longest = t->depth / (2 * (size_t)rows);
    if (pause > longest) pause = longest;
    run_steps(t, t->depth - (size_t)rows * pause, x, &w, sum, rows, vectors);
    for (size_t row = 0; row < (size_t)rows; ++row) {
        fetch_row(t, row);
        run_steps(t, pause, x, &w, sum, rows, vectors);
    }
}

/* ---- after the last step ---- */

static ALWAYS_INLINE const float *coefficients_of(const host_tile *t, int row)
{
    return t->coefficients + (size_t)row * (t->contributions + 1);
}

static ALWAYS_INLINE void add_bias(const host_tile *t, vec *sum, const int rows, const int vectors)
{
    UNROLL for (int v = 0; v < vectors; ++v)
    {
        vec bias = vec_load(t->bias + v * VEC_FLOATS);
        UNROLL for (int i = 0; i < rows; ++i) sum[i * vectors + v] = vec_add(sum[i * vectors + v], bias);
    }
}

static ALWAYS_INLINE bool all_finite(const host_tile *t, const vec *sum, const int rows, const int vectors)
{
    vec zero = vec_zero(), bad[2] = {zero, zero};
    UNROLL for (int i = 0; i < rows; ++i)
    {
        if (t->coefficients && coefficients_of(t, i)[0] == 0.0f) continue;
        UNROLL for (int v = 0; v < vectors; ++v) bad[v % 2] =
            vec_madd(sum[i * vectors + v], zero, bad[v % 2]);
    }
    return !vec_any_nan(vec_add(bad[0], bad[1]));
}

/* As blend_rows does it. */
static ALWAYS_INLINE void blend(const host_tile *t, vec *sum, const int rows, const int vectors)
{
    UNROLL for (int i = 0; i < rows; ++i)
    {
        float c = coefficients_of(t, i)[0];
        UNROLL for (int v = 0; v < vectors; ++v) sum[i * vectors + v] =
            c != 0.0f ? vec_mul(sum[i * vectors + v], vec_splat(c)) : vec_zero();
    }
    const float *k = t->k;
    for (size_t s = 1; s <= t->contributions; ++s, k += t->k_stride) {
        UNROLL for (int i = 0; i < rows; ++i)
        {
            float w = coefficients_of(t, i)[s];
            if (w == 0.0f) continue;
            UNROLL for (int v = 0; v < vectors; ++v)
            {
                vec contribution = vec_load(k + (size_t)i * t->ldk + (size_t)(v * VEC_FLOATS));
                sum[i * vectors + v] = vec_add(sum[i * vectors + v], vec_mul(vec_splat(w), contribution));
            }
        }
    }
}

static ALWAYS_INLINE bool compute(const host_tile *t, const int rows, const int panels)
{
    const int vectors = 2 * panels;
    vec sum[2 * HEIGHT_MAX];
    UNROLL for (int i = 0; i < rows; ++i) UNROLL for (int v = 0; v < vectors; ++v) sum[i * vectors + v] =
        t->resume ? vec_load(t->sums + (size_t)i * t->ld_sums + (size_t)(v * VEC_FLOATS)) : vec_zero();
    multiply(t, sum, rows, vectors);
    if (t->bias) add_bias(t, sum, rows, vectors);
    bool finite = !(t->watched || t->coefficients) || all_finite(t, sum, rows, vectors);
    if (t->coefficients && !finite) return false;
    if (t->coefficients) blend(t, sum, rows, vectors);
    UNROLL for (int i = 0; i < rows; ++i) UNROLL for (int v = 0; v < vectors; ++v)
        vec_store(t->sums + (size_t)i * t->ld_sums + (size_t)(v * VEC_FLOATS), sum[i * vectors + v]);
    return finite;
}

/* ---- heights ---- */

size_t PACKED(panels_at_once)(size_t rows, size_t panels)
{
    if (rows == 1 && panels >= 4) return 4;
    if (panels >= 2 && (rows <= 2 || (rows == 3 && TILE_ROWS >= 6))) return 2;
    return 1;
}

/* One panel. What TILE_ROWS excludes is not compiled. */
static bool compute_panel(const host_tile *t, size_t rows)
{
    _Static_assert((int)TILE_ROWS <= (int)HEIGHT_MAX, "a height without a case");
    assert(rows > 0 && rows <= TILE_ROWS);
#define HEIGHT(n)                                                                                            \
    case n:                                                                                                  \
        if (TILE_ROWS >= n) return compute(t, n, 1);                                                         \
        break
    switch (rows) {
        HEIGHT(1);
        HEIGHT(2);
        HEIGHT(3);
        HEIGHT(4);
        HEIGHT(5);
        HEIGHT(6);
        HEIGHT(7);
        HEIGHT(8);
        HEIGHT(9);
        HEIGHT(10);
        HEIGHT(11);
        HEIGHT(12);
    }
#undef HEIGHT
    __builtin_unreachable();
}

bool PACKED(compute_tile)(const host_tile *t, size_t rows, size_t panels)
{
    if (panels == 4) return compute(t, 1, 4);
    if (panels == 2 && rows == 1) return compute(t, 1, 2);
    if (panels == 2 && rows == 2) return compute(t, 2, 2);
    if (panels == 2 && TILE_ROWS >= 6) return compute(t, 3, 2);
    return compute_panel(t, rows);
}
