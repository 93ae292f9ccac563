/* How elementwise kernels walk over tensors. An operator's dimensions are collapsed on the host into *lines*:
 * an inner dimension that each operand crosses with one step, and up to LINES_OUTER dimensions outside of it.
 * Three forms, `args.form`:
 *
 *   LINES_FLAT   the pass is one line, as long as all rows together
 *   LINES_LONG   lines of args.inner elements; a group takes a few short ones or LINES_TILE elements of a
 * long one LINES_SHORT  lines too short for a group: every item finds its own element
 *
 * In the first two a line's place is worked out once a group, and its elements pass through phases that hosts
 * vectorise. Operands' strides are named NAME_row, NAME_inner, NAME_stride in the argument struct. */
#ifndef KAS_KERNELS_LINES_H
#define KAS_KERNELS_LINES_H

#define WG LINES_GROUP

#define LINE_LENGTH (args.form == LINES_FLAT ? I32(P[0]) * args.inner : args.inner)
#define LINE_COUNT  (args.form == LINES_FLAT ? 1 : I32(P[0]) * args.lines_per_row)

/* Around what is done with a part of a line: `line`, and the part's start `at`, are defined within. */
#define LINES_BEGIN                                                                                          \
    int length = LINE_LENGTH, count = LINE_COUNT, tiles = (length + LINES_TILE - 1) / LINES_TILE;            \
    int first = GROUP_X / tiles * args.lines_per_group, from = GROUP_X % tiles * LINES_TILE;                 \
    for (int line = first; line < first + args.lines_per_group && line < count; ++line) {
#define LINES_PARTS for (int at = from; at < from + LINES_TILE && at < length; at += WG)
#define LINES_END   }

/* Adds to `offset` where the line (an int of its own, used up) starts in operand NAME. */
#define LINE_OFFSET(offset, line, name)                                                                      \
    {                                                                                                        \
        int rest_ = line;                                                                                    \
        for (int d = args.rank - 1; d >= 0; --d) {                                                           \
            offset += rest_ % args.size[d] * args.name##_stride[d];                                          \
            rest_ /= args.size[d];                                                                           \
        }                                                                                                    \
        offset += rest_ * args.name##_row;                                                                   \
    }

/* v = the elements T[start], T[start + step] … of the first `below` items */
#define LINE_LOAD(v, T, start, step, below)                                                                  \
    if (step == 1) {                                                                                         \
        ITEMS_BELOW(below)                                                                                   \
        {                                                                                                    \
            MY(v)[0] = T[(start) + LID];                                                                     \
        }                                                                                                    \
    } else if (step == 0) {                                                                                  \
        ITEMS_BELOW(below)                                                                                   \
        {                                                                                                    \
            MY(v)[0] = T[start];                                                                             \
        }                                                                                                    \
    } else {                                                                                                 \
        ITEMS_BELOW(below)                                                                                   \
        {                                                                                                    \
            MY(v)[0] = T[(start) + LID * step];                                                              \
        }                                                                                                    \
    }

#endif
