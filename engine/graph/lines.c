/* Neighbouring dimensions become one where every operand crosses them with one step; what is left innermost
 * is the line. The row is the outermost dimension: where it joins too, a pass is a single line (LINES_FLAT).
 */
#include "engine/graph/lines.h"

enum { LINE_LEAST = 32 }; /* elements; below, working out where lines start costs more than it saves */

/* Dimensions that are left, outermost first. */
typedef struct dimensions {
    int rank;
    int64_t size[KAS_MAX_RANK];
    int64_t stride[KAS_LINES_OPERANDS][KAS_MAX_RANK];
} dimensions;

static bool joins(const dimensions *dims, const kas_lines_operand *operands, int count, int d, int64_t size)
{
    for (int i = 0; i < count; ++i)
        if (dims->stride[i][dims->rank - 1] != operands[i].stride[d] * size) return false;
    return true;
}

static dimensions join_dimensions(const kas_shape *shape, const kas_lines_operand *operands, int count)
{
    dimensions dims = {0};
    for (int d = 0; d < shape->rank; ++d) {
        int64_t size = shape->dims[d];
        if (size == 1) continue;
        if (dims.rank > 0 && joins(&dims, operands, count, d, size)) {
            dims.size[dims.rank - 1] *= size;
        } else {
            dims.size[dims.rank++] = size;
        }
        for (int i = 0; i < count; ++i)
            dims.stride[i][dims.rank - 1] = operands[i].stride[d];
    }
    if (dims.rank == 0) dims.size[dims.rank++] = 1; /* one element; strides 0 */
    return dims;
}

static bool rows_join(const kas_lines *lines, int count)
{
    if (lines->rank > 0) return false;
    for (int i = 0; i < count; ++i)
        if (lines->operand[i].row != lines->operand[i].inner * lines->inner) return false;
    return true;
}

static void choose_form(kas_lines *lines, int count)
{
    lines->lines_per_group = 1;
    if (rows_join(lines, count)) {
        lines->form = LINES_FLAT;
        lines->grid = (kas_grid_rule){.per_row = (uint32_t)lines->inner, .divisor = LINES_TILE};
    } else if (lines->inner >= LINE_LEAST) {
        lines->form = LINES_LONG;
        int tiles = (lines->inner + LINES_TILE - 1) / LINES_TILE;
        if (tiles == 1) lines->lines_per_group = LINES_TILE / lines->inner;
        lines->grid = (kas_grid_rule){.per_row = (uint32_t)(lines->lines_per_row * tiles),
                                      .divisor = (uint32_t)lines->lines_per_group};
    } else {
        lines->form = LINES_SHORT;
        lines->grid = (kas_grid_rule){.per_row = (uint32_t)(lines->lines_per_row * lines->inner),
                                      .divisor = LINES_TILE};
    }
}

kas_lines kas_lines_collapse(const kas_shape *shape, const kas_lines_operand *operands, int count)
{
    dimensions dims = join_dimensions(shape, operands, count);
    kas_lines lines = {.lines_per_row = 1, .rank = dims.rank - 1};
    lines.inner = (int)dims.size[lines.rank];
    for (int d = 0; d < lines.rank; ++d) {
        lines.size[d] = (int)dims.size[d];
        lines.lines_per_row *= lines.size[d];
    }
    for (int i = 0; i < count; ++i) {
        lines.operand[i].row = (int)operands[i].row;
        lines.operand[i].inner = (int)dims.stride[i][lines.rank];
        for (int d = 0; d < lines.rank; ++d)
            lines.operand[i].stride[d] = (int)dims.stride[i][d];
    }
    choose_form(&lines, count);
    return lines;
}
