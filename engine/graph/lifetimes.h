/* Where the values between launches lie in a segment's workspace. Pure.
 *
 * A value lives from the launch that writes it to the last that reads it, both counted: a launch's output
 * never shares memory with its inputs. Values whose lifetimes do not meet may share, if their rows are of one
 * size: a row of one then never touches another row of the other, so a device may take some rows through
 * several launches while others are elsewhere. The layout is made for one number of rows and holds for every
 * smaller one. */
#ifndef KAS_GRAPH_LIFETIMES_H
#define KAS_GRAPH_LIFETIMES_H

#include <stddef.h>

#include "base/status.h"

typedef struct kas_value {
    size_t elements; /* floats of a row */
    size_t first;    /* launch that writes it; values are in order of `first` */
    size_t last;     /* last launch that reads it; `first` where none does */
    size_t offset;   /* bytes; set by kas_lifetimes_place */
} kas_value;

/* Sets every offset (multiples of `alignment`, a power of two) and *bytes to what all of it takes for `rows`
 * rows. KAS_TOO_LARGE when that does not fit size_t. */
kas_status kas_lifetimes_place(kas_value *values, size_t count, size_t rows, size_t alignment,
                               size_t *bytes) KAS_MUST_USE;

#endif
