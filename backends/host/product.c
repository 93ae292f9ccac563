/* The host's product Y = act(X Wᵀ + b), with the blend in its epilogue where asked; built once for each
 * instruction set.
 *
 * Weights are packed into panels of PANEL outputs: panel p holds, for each input k, the PANEL weights of its
 * outputs next to each other (the last panel padded with zeros). A tile (tile.c) computes some rows of a
 * panel; rows are spread evenly over tiles, so that 32 rows are 11 + 11 + 10 and not 12 + 12 + 8. For long
 * rows the depth is cut into blocks; sums wait in Y.
 *
 * What is blended is blended by the tiles: Y is written once. Tiles that cannot go by way of memory of their
 * own: the last panel, of which some outputs may not exist, a blend after an activation or of several product
 * rows a pass row, and sums that are not finite.
 *
 * Bits: a result is always x₀w₀, + x₁w₁, …, one at a time in ascending k, then + b, whatever the height, the
 * panels taken at once, the depth block or the thread. A sum kept in Y comes back as it was. */
#include <assert.h>
#include <string.h>

#include "backends/host/tile.h"
#include "kernels/dialect.h"

enum {
    DEPTH = 2048,         /* inputs of a block: a row group's stay near while it passes over the panels */
    PART_PANELS = 4,      /* panels of a part, at most: as many as are computed at once */
    PART_BYTES = 1 << 19, /* of their weights of one block, which stay in the second-level cache */
    READING_ROWS = 4,     /* that take as long as fewer, which wait for their weights */
    PARTS_PER_THREAD = 8  /* so that a late helper costs little */
};

static void copy_columns(const float *from, size_t from_ld, float *to, size_t to_ld, size_t rows,
                         size_t columns)
{
    for (size_t i = 0; i < rows; ++i)
        memcpy(to + i * to_ld, from + i * from_ld, columns * sizeof *to);
}

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

/* Outputs of so many panels that exist. */
static size_t columns_of(const product *p, size_t column, size_t panels)
{
    size_t left = p->outputs - column;
    return left < panels * PANEL ? left : panels * PANEL;
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

/* ---- a row group over the panels of a part ---- */

/* Some panels by way of memory of their own. */
static void multiply_apart(const product *p, const host_tile *t, size_t row, size_t rows, size_t column,
                           size_t panels, bool last)
{
    float sums[TILE_ROWS * PANEL], bias[PART_PANELS * PANEL];
    _Static_assert((int)PART_PANELS <= (int)TILE_ROWS, "one row of as many panels does not fit");
    size_t ld = panels * PANEL, columns = columns_of(p, column, panels);
    host_tile apart = *t;
    apart.sums = sums;
    apart.ld_sums = ld;
    apart.coefficients = NULL;
    apart.watched = false;
    if (columns < ld) memset(sums, 0, sizeof sums);
    if (t->bias && columns < ld) {
        memset(bias, 0, sizeof bias);
        memcpy(bias, t->bias, columns * sizeof *bias);
        apart.bias = bias;
    }
    if (t->resume) copy_columns(t->sums, t->ld_sums, sums, ld, rows, columns);
    (void)PACKED(compute_tile)(&apart, rows, panels); /* unwatched */
    if (p->result && last) {
        PACKED(activate_row)(sums, rows * ld, p->args->act, p->args->act_a, p->args->act_b);
        blend_rows(p, row, rows, column, columns, sums, ld);
    } else {
        copy_columns(sums, ld, t->sums, t->ld_sums, rows, columns);
    }
}

/* Whether tiles of whole panels blend by themselves. */
static bool blends_in_tiles(const product *p)
{
    return p->result && p->args->m == 1 && p->args->act == 0;
}

/* Whether a judge wants to know of a product that is final as tiles have it. */
static bool is_watched(const product *p)
{
    return !p->result && p->args->act == 0 && p->witness && p->witness->output;
}

static void multiply_group(const product *p, size_t row, size_t rows, size_t panel, size_t end_panel,
                           size_t k0)
{
    size_t left = p->inputs - k0, depth = left < DEPTH ? left : DEPTH, ldy = (size_t)p->args->ldy;
    bool last = depth == left, blends = p->result && last, watched = is_watched(p) && last;
    host_tile t = {
        .x = p->x + row * (size_t)p->args->ldx + k0,
        .ldx = (size_t)p->args->ldx,
        .w_step = p->inputs * PANEL,
        .depth = depth,
        .ld_sums = ldy,
        .resume = k0 > 0,
        .watched = watched,
        .ldy = ldy,
        .ldk = p->outputs,
        .k_stride = (size_t)p->args->k_stride,
        .contributions = blends ? (size_t)p->args->contributions : 0,
        .coefficients = blends && blends_in_tiles(p) ? (const float *)coefficients_of(p, row) : NULL,
    };
    size_t whole_panels = p->outputs / PANEL, whole = end_panel < whole_panels ? end_panel : whole_panels;
    for (size_t panels; panel < end_panel; panel += panels) {
        size_t column = panel * PANEL;
        bool direct = panel < whole && (t.coefficients || !blends);
        panels = panel < whole ? PACKED(panels_at_once)(rows, whole - panel) : 1;
        t.w = p->w + panel * t.w_step + k0 * PANEL;
        t.sums = p->y + row * ldy + column;
        t.y = t.sums;
        t.k = blends ? p->k + row * p->outputs + column : NULL;
        t.bias = last && p->bias ? p->bias + column : NULL;
        bool finite = direct && PACKED(compute_tile)(&t, rows, panels);
        if (!finite && (!direct || blends)) multiply_apart(p, &t, row, rows, column, panels, last);
        if (!finite && watched) tell_of_outputs(p, row, rows, column, columns_of(p, column, panels));
    }
}

/* ---- what comes after it ---- */

static void run_group(const product *p, size_t row, size_t rows, size_t panel, size_t end_panel, size_t k0)
{
    bool last = p->inputs - k0 <= DEPTH;
    size_t column = panel * PANEL, columns = columns_of(p, column, end_panel - panel);
    if (!unused(p, row, rows))
        multiply_group(p, row, rows, panel, end_panel, k0);
    else if (last)
        blend_rows(p, row, rows, column, columns, p->y, 0);
    if (!last || p->result) return;
    const kas_host_witness *witness = p->witness;
    if (witness && witness->input && panel == 0) tell_of_inputs(p, row, rows);
    if (p->args->act == 0) return;
    activate_rows(p, row, rows, column, columns);
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
