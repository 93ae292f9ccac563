/* The host's product Y = act(X Wᵀ + b), with the blend in its epilogue where asked; built once for each
 * instruction set.
 *
 * Weights are packed into panels of PANEL outputs: panel p holds, for each input k, the PANEL weights of its
 * outputs next to each other (the last panel padded with zeros). A tile computes `rows` rows of a panel with
 * every sum in a register: for each k, PANEL / VEC_FLOATS loads, and for each row one broadcast and as many
 * multiply-adds. Heights 1 … TILE_ROWS are all instances of one function; rows are spread evenly over tiles,
 * so that 32 rows are 11 + 11 + 10 and not 12 + 12 + 8. One to three rows have too few sums to keep the
 * multipliers busy: they take several panels at once. For long rows the depth is cut into blocks; sums wait
 * in Y.
 *
 * What is blended goes by way of a tile's own memory: Y is written once. A tile fetches the contributions
 * that it will need in pauses of its last steps; all at once, they wait for each other, and the product for
 * them. Computing contributions within the base's tiles instead, in registers, wins nothing (measured: 0.99
 * to 1.02 of the time); likely because their weights then come from the second-level cache for each tile.
 *
 * Bits: a result is always x₀w₀, + x₁w₁, …, one at a time in ascending k, then + b, whatever the height, the
 * panels taken at once, the depth block or the thread. A sum kept in Y comes back as it was. */
#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "backends/host/packed.h"
#include "base/alloc.h"
#include "kernels/dialect.h"

enum {
    HEIGHT_MAX = 12,      /* of any instruction set's tiles */
    DEPTH = 2048,         /* inputs of a block: a row group's stay near while it passes over the panels */
    AHEAD = 64,           /* steps of the depth between fetching weights and using them */
    PAUSES = 8,           /* of a tile, at most, in which it fetches what it needs at its end, */
    PAUSE_STEPS = 64,     /* and how many steps of the depth they are apart, at most */
    PART_PANELS = 4,      /* panels of a part, at most: as many as are computed at once */
    PART_BYTES = 1 << 19, /* of their weights of one block, which stay in the second-level cache */
    READING_ROWS = 4,     /* that take as long as fewer, which wait for their weights */
    PARTS_PER_THREAD = 4  /* so that a late helper costs little */
};

/* Where a row group is, for one block of the depth. */
typedef struct block {
    const float *x;
    size_t ldx;
    const float *w; /* the first panel's weights of this block */
    size_t w_step;  /* floats to the next panel */
    float *sums;    /* where they wait and end: Y, or memory of a tile's own */
    size_t ld_sums;
    size_t depth;
    bool resume;       /* there are sums so far */
    const float *bias; /* of the first panel, in the last block; NULL: nothing to add */
    /* to be brought near meanwhile, in so many pauses: where results go, and what is blended with them */
    const float *y, *k;
    size_t ldy, ldk, k_stride, contributions, pauses, pause_steps;
} block;

#define ALWAYS_INLINE inline __attribute__((always_inline))

/* Brings near what a row of a tile needs after the last steps, and its first inputs for the next panel. */
static ALWAYS_INLINE void fetch_row(const block *b, size_t row)
{
    const float *y = b->y + row * b->ldy;
    __builtin_prefetch(b->x + row * b->ldx);
    __builtin_prefetch(y, 1);
    __builtin_prefetch(y + VEC_FLOATS, 1);
    for (size_t s = 0; s < b->contributions; ++s) {
        const float *k = b->k + row * b->ldk + s * b->k_stride;
        __builtin_prefetch(k);
        __builtin_prefetch(k + VEC_FLOATS);
    }
}

static ALWAYS_INLINE void tile(const block *b, const int rows, const int panels)
{
    const int vectors = 2 * panels;
    vec sum[2 * HEIGHT_MAX];
    UNROLL for (int i = 0; i < rows; ++i) UNROLL for (int v = 0; v < vectors; ++v) sum[i * vectors + v] =
        b->resume ? vec_load(b->sums + (size_t)i * b->ld_sums + (size_t)(v * VEC_FLOATS)) : vec_zero();
    const float *w = b->w, *ahead = w + (size_t)AHEAD * PANEL;
    size_t k = 0, row = 0, pauses = rows > 3 ? b->pauses : 0;
    for (size_t end = b->depth - pauses * b->pause_steps;; end += b->pause_steps, --pauses) {
        for (; k < end; ++k, w += PANEL, ahead += PANEL) {
            vec weights[8];
            UNROLL for (int v = 0; v < vectors; ++v)
            {
                weights[v] = vec_load(w + (size_t)(v / 2) * b->w_step + (size_t)(v % 2 * VEC_FLOATS));
                if (rows > 3) __builtin_prefetch(ahead + v * VEC_FLOATS);
            }
            UNROLL for (int i = 0; i < rows; ++i)
            {
                vec input = vec_splat(b->x[(size_t)i * b->ldx + k]);
                UNROLL for (int v = 0; v < vectors; ++v) sum[i * vectors + v] =
                    vec_madd(input, weights[v], sum[i * vectors + v]);
            }
        }
        if (pauses == 0) break;
        for (size_t share = ((size_t)rows - row + pauses - 1) / pauses; share > 0; --share)
            fetch_row(b, row++);
    }
    UNROLL for (int v = 0; v < vectors; ++v)
    {
        vec bias = b->bias ? vec_load(b->bias + v * VEC_FLOATS) : vec_zero();
        UNROLL for (int i = 0; i < rows; ++i)
        {
            vec result = b->bias ? vec_add(sum[i * vectors + v], bias) : sum[i * vectors + v];
            vec_store(b->sums + (size_t)i * b->ld_sums + (size_t)(v * VEC_FLOATS), result);
        }
    }
}

/* One panel and `rows` rows, at most TILE_ROWS. What TILE_ROWS excludes is not compiled. */
static void tile_of_height(const block *b, size_t rows)
{
    _Static_assert((int)TILE_ROWS <= (int)HEIGHT_MAX, "a height without a case");
#define HEIGHT(n)                                                                                            \
    case n:                                                                                                  \
        if (TILE_ROWS >= n) tile(b, n, 1);                                                                   \
        return
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
}

/* Panels, of so many, that are computed at once. */
static size_t panels_at_once(size_t rows, size_t panels)
{
    if (rows == 1 && panels >= 4) return 4;
    if (panels >= 2 && (rows <= 2 || (rows == 3 && TILE_ROWS >= 6))) return 2;
    return 1;
}

static void multiply(const block *b, size_t rows, size_t panels)
{
    if (panels == 4)
        tile(b, 1, 4);
    else if (panels == 2 && rows == 1)
        tile(b, 1, 2);
    else if (panels == 2 && rows == 2)
        tile(b, 2, 2);
    else if (panels == 2 && TILE_ROWS >= 6)
        tile(b, 3, 2);
    else
        tile_of_height(b, rows);
}

static void copy_columns(const float *from, size_t from_ld, float *to, size_t to_ld, size_t rows,
                         size_t columns)
{
    for (size_t i = 0; i < rows; ++i)
        memcpy(to + i * to_ld, from + i * from_ld, columns * sizeof *to);
}

/* ---- a row group over the panels of a part ---- */

typedef struct product {
    const struct linear_args *args;
    const float *x, *w, *bias, *k;
    uint *result; /* NULL: no blend */
    float *y;
    size_t inputs, outputs;
    const kas_host_witness *witness; /* or NULL */
} product;

static product product_of(const kas_host_task *task)
{
    const struct linear_args *args = task->args;
    bool blends = args->contributions > 0;
    return (product){
        .args = args,
        .x = task->buffers[1],
        .w = task->buffers[2],
        .bias = args->has_bias ? task->buffers[3] : NULL,
        .k = blends ? task->buffers[4] : NULL,
        .result = blends ? task->buffers[5] : NULL,
        .y = task->buffers[blends ? 6 : 4],
        .inputs = (size_t)args->k,
        .outputs = (size_t)args->n,
        .witness = task->witness,
    };
}

static const uint *coefficients_of(const product *p, size_t row)
{
    return p->result + p->args->coefficients +
           (size_t)(p->args->contributions + 1) * (row / (size_t)p->args->m);
}

/* `columns` outputs of some rows, from column `column` on. Whole rows that follow each other are one long
 * one. */
static void activate_rows(const product *p, size_t row, size_t rows, size_t column, size_t columns)
{
    const struct linear_args *args = p->args;
    size_t ldy = (size_t)args->ldy;
    if (columns == ldy) {
        columns *= rows;
        rows = 1;
    }
    float *y = p->y + row * ldy + column;
    for (size_t i = 0; i < rows; ++i, y += ldy)
        PACKED(activate_row)(y, columns, args->act, args->act_a, args->act_b);
}

/* `columns` outputs of some rows, from column `column` on, over products that are in `base`. */
static void blend_rows(const product *p, size_t row, size_t rows, size_t column, size_t columns,
                       const float *base, size_t ld_base)
{
    const struct linear_args *args = p->args;
    size_t m = (size_t)args->m, ldy = (size_t)args->ldy;
    blend_part part = {
        .rows = m == 1 ? rows : 1, /* with coefficients that follow each other */
        .columns = columns,
        .ldy = ldy,
        .ld_base = ld_base,
        .ldk = p->outputs,
        .k_stride = (size_t)args->k_stride,
        .ld_coefficients = (size_t)args->contributions + 1,
        .contributions = (size_t)args->contributions,
    };
    for (size_t end = row + rows; row < end; row += part.rows, base += ld_base) {
        part.y = p->y + row * ldy + column;
        part.base = base;
        part.k = p->k + row * p->outputs + column;
        part.coefficients = (const float *)coefficients_of(p, row);
        part.flags = p->result + RESULT_HEAD * (row / m) + 3;
        PACKED(blend_rows)(&part);
    }
}

/* True when a blend uses the product on none of these rows. */
static bool unused(const product *p, size_t row, size_t rows)
{
    if (!p->result) return false;
    for (size_t i = 0; i < rows; ++i)
        if (FROM_BITS(coefficients_of(p, row + i)[0]) != 0.0f) return false;
    return true;
}

/* Some panels by way of memory of their own: the last one, of which some outputs may not exist, and what is
 * blended. */
static void multiply_apart(const product *p, const block *b, size_t row, size_t rows, size_t column,
                           size_t panels, bool last)
{
    float sums[HEIGHT_MAX * PANEL], bias[PART_PANELS * PANEL];
    size_t ld = panels * PANEL, left = p->outputs - column, columns = left < ld ? left : ld;
    block apart = *b;
    apart.sums = sums;
    apart.ld_sums = ld;
    if (columns < ld) memset(sums, 0, sizeof sums);
    if (b->bias && columns < ld) {
        memset(bias, 0, sizeof bias);
        memcpy(bias, b->bias, columns * sizeof *bias);
        apart.bias = bias;
    }
    if (b->resume) copy_columns(b->sums, b->ld_sums, sums, ld, rows, columns);
    multiply(&apart, rows, panels);
    if (p->result && last) {
        PACKED(activate_row)(sums, rows * ld, p->args->act, p->args->act_a, p->args->act_b);
        blend_rows(p, row, rows, column, columns, sums, ld);
    } else {
        copy_columns(sums, ld, b->sums, b->ld_sums, rows, columns);
    }
}

/* Contributions may come from far: not all at once. */
static void choose_pauses(block *b, size_t rows)
{
    b->pause_steps = b->depth / PAUSES < PAUSE_STEPS ? b->depth / PAUSES : PAUSE_STEPS;
    b->pauses = b->contributions == 0 ? 1 : (rows < PAUSES ? rows : PAUSES);
}

static void multiply_group(const product *p, size_t row, size_t rows, size_t panel, size_t end_panel,
                           size_t k0)
{
    size_t left = p->inputs - k0, depth = left < DEPTH ? left : DEPTH, ldy = (size_t)p->args->ldy;
    bool last = depth == left, blends = p->result && last;
    block b = {
        .x = p->x + row * (size_t)p->args->ldx + k0,
        .ldx = (size_t)p->args->ldx,
        .w_step = p->inputs * PANEL,
        .ld_sums = ldy,
        .depth = depth,
        .resume = k0 > 0,
        .ldy = ldy,
        .ldk = p->outputs,
        .k_stride = (size_t)p->args->k_stride,
        .contributions = blends ? (size_t)p->args->contributions : 0,
    };
    choose_pauses(&b, rows);
    size_t whole_panels = p->outputs / PANEL;
    for (size_t panels; panel < end_panel; panel += panels) {
        size_t column = panel * PANEL, whole = end_panel < whole_panels ? end_panel : whole_panels;
        panels = panel < whole ? panels_at_once(rows, whole - panel) : 1;
        b.w = p->w + panel * b.w_step + k0 * PANEL;
        b.sums = p->y + row * ldy + column;
        b.y = b.sums;
        b.k = blends ? p->k + row * p->outputs + column : NULL;
        b.bias = last && p->bias ? p->bias + column : NULL;
        if (panel < whole && !blends)
            multiply(&b, rows, panels);
        else
            multiply_apart(p, &b, row, rows, column, panels, last);
    }
}

/* ---- what a judge wants to know ---- */

static void tell(_Atomic uint8_t *flag)
{
    atomic_store_explicit(flag, 1, memory_order_relaxed); /* read after all parts have ended */
}

/* One sum of a row vouches for its inputs. */
static void tell_of_inputs(const product *p, size_t row, size_t rows)
{
    for (size_t end = row + rows; row < end; ++row)
        if (!IS_FINITE(p->y[row * (size_t)p->args->ldy])) tell(&p->witness->input[row]);
}

static void tell_of_outputs(const product *p, size_t row, size_t rows, size_t column, size_t columns)
{
    for (size_t end = row + rows; row < end; ++row)
        if (PACKED(any_nonfinite)(p->y + row * (size_t)p->args->ldy + column, columns))
            tell(&p->witness->output[row]);
}

/* ---- a row group over the panels of a part, with what comes after it ---- */

static void run_group(const product *p, size_t row, size_t rows, size_t panel, size_t end_panel, size_t k0)
{
    bool last = p->inputs - k0 <= DEPTH;
    size_t column = panel * PANEL, end = end_panel * PANEL;
    size_t columns = (end < p->outputs ? end : p->outputs) - column;
    if (!unused(p, row, rows))
        multiply_group(p, row, rows, panel, end_panel, k0);
    else if (last)
        blend_rows(p, row, rows, column, columns, p->y, 0);
    if (!last || p->result) return;
    const kas_host_witness *witness = p->witness;
    if (witness && witness->input && panel == 0) tell_of_inputs(p, row, rows);
    if (p->args->act != 0) activate_rows(p, row, rows, column, columns);
    if (witness && witness->output) tell_of_outputs(p, row, rows, column, columns);
}

/* ---- parts ---- */

static size_t divide_up(size_t a, size_t b)
{
    return (a + b - 1) / b;
}

static size_t product_rows(const kas_host_task *task)
{
    const struct linear_args *args = task->args;
    return (size_t)task->rows * (size_t)args->m;
}

static void run_part(const product *p, size_t row, size_t rows, size_t panel, size_t end_panel)
{
    size_t groups = divide_up(rows, TILE_ROWS);
    for (size_t k0 = 0; k0 < p->inputs; k0 += DEPTH) {
        size_t at = row;
        for (size_t g = 0; g < groups; ++g) { /* the first rows % groups of them are a row higher */
            size_t height = rows / groups + (g < rows % groups);
            run_group(p, at, height, panel, end_panel, k0);
            at += height;
        }
    }
}

static void run_product(const kas_host_task *task, size_t begin, size_t end)
{
    const product p = product_of(task);
    size_t first = (size_t)task->row * (size_t)p.args->m, rows = product_rows(task);
    size_t panels = divide_up(p.outputs, PANEL), row_parts = divide_up(rows, task->part_rows);
    for (size_t part = begin; part < end; ++part) { /* neighbouring parts share panels */
        size_t row = part % row_parts * task->part_rows, panel = part / row_parts * task->part_panels;
        size_t rows_left = rows - row, end_panel = panel + task->part_panels;
        run_part(&p, first + row, rows_left < task->part_rows ? rows_left : task->part_rows, panel,
                 end_panel < panels ? end_panel : panels);
    }
}

static size_t panels_of_part(size_t rows, size_t inputs)
{
    size_t depth = inputs < DEPTH ? inputs : DEPTH, fitting = PART_BYTES / (depth * PANEL * sizeof(float));
    if (rows < READING_ROWS || fitting > PART_PANELS) return PART_PANELS;
    return fitting > 0 ? fitting : 1;
}

/* Parts: a range of panels over as many rows as possible; cut further, rows first, until every thread has a
 * few. */
void PACKED(plan_product)(kas_host_task *task, unsigned threads)
{
    const struct linear_args *args = task->args;
    size_t rows = product_rows(task), panels = divide_up((size_t)args->n, PANEL);
    assert(rows > 0 && panels > 0);
    size_t wanted = threads > 1 ? threads * PARTS_PER_THREAD : 1;
    size_t part_rows = rows, part_panels = panels_of_part(rows, (size_t)args->k);
    if (part_panels > panels) part_panels = panels;
    size_t least_panels = rows == 1 ? 4 : 1;
    while (divide_up(rows, part_rows) * divide_up(panels, part_panels) < wanted) {
        if (part_rows >= 4 * TILE_ROWS)
            part_rows = divide_up(part_rows, 2);
        else if (part_panels > least_panels)
            part_panels = divide_up(part_panels, 2);
        else
            break;
    }
    task->run = run_product;
    task->part_rows = part_rows;
    task->part_panels = part_panels;
    task->parts = divide_up(rows, part_rows) * divide_up(panels, part_panels);
    task->work = (double)(rows < READING_ROWS ? READING_ROWS : rows) * (double)args->k * (double)args->n;
}
