/* What blending needs of a segment that is a single product. For the files of this room only. */
#ifndef KAS_GRAPH_PRODUCT_H
#define KAS_GRAPH_PRODUCT_H

#include "engine/graph/segment.h"

/* The segment's one launch of kernels/linear.k; NULL when it is not a single linear. Borrowed. */
const kas_launch *kas_segment_product(const kas_segment *segment);

#endif
