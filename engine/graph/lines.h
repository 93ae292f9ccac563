/* Collapsing the dimensions of an elementwise operator into lines, as kernels/lines.h walks over them. Pure.
 */
#ifndef KAS_GRAPH_LINES_H
#define KAS_GRAPH_LINES_H

#include "backends/core/device.h"
#include "engine/graph/graph.h"

enum { KAS_LINES_OPERANDS = 3 };

typedef struct kas_lines_operand {
    int64_t row;                  /* elements from one row to the next; 0: a constant */
    int64_t stride[KAS_MAX_RANK]; /* elements per step of each dimension of the operator's shape */
} kas_lines_operand;

/* The members that the argument structs of kernels/args.h share, and the launch's grid. */
typedef struct kas_lines {
    int form, inner, lines_per_row, lines_per_group;
    int rank, size[LINES_OUTER];
    struct {
        int row, inner, stride[LINES_OUTER];
    } operand[KAS_LINES_OPERANDS];
    kas_grid_rule grid;
} kas_lines;

kas_lines kas_lines_collapse(const kas_shape *shape, const kas_lines_operand *operands, int count);

#endif
