/* A segment's constants: which there are, where they lie in its one device buffer, and that buffer's image on
 * the host.
 *
 * Lowering adds pieces; each is laid out at once, so launches can be bound to it. The image is made when all
 * pieces are known, in the exact size. */
#ifndef KAS_GRAPH_WEIGHTS_H
#define KAS_GRAPH_WEIGHTS_H

#include <stdatomic.h>

#include "backends/core/device.h"
#include "engine/graph/graph.h"

typedef enum kas_piece_kind {
    KAS_PIECE_PLAIN = 0,  /* a tensor's floats */
    KAS_PIECE_LINEAR,     /* [n, k], packed for the device's product */
    KAS_PIECE_TRANSPOSED, /* [k, n] → [n, k], packed */
    KAS_PIECE_CONV, /* [outputs, inputs of a group, …] → blocks of CONV_CHANNELS outputs, see kernels/conv.k
                     */
    KAS_PIECE_INDICES, /* a gather's list */
} kas_piece_kind;

typedef struct kas_piece {
    kas_piece_kind kind;
    const kas_tensor *tensor; /* all but INDICES; borrowed from the graph */
    const kas_node *node;     /* CONV, INDICES */
    kas_weight_type type;     /* LINEAR, TRANSPOSED, CONV: what it is stored as */
    size_t n, k;              /* LINEAR, TRANSPOSED */
    size_t offset, bytes;
} kas_piece;

typedef struct kas_weights {
    kas_device *device; /* borrowed */
    size_t alignment;
    kas_piece *pieces;
    size_t count, capacity;
    size_t bytes; /* of all, with gaps */
} kas_weights;

/* None yet. kas_weights_finish must follow. */
void kas_weights_begin(kas_weights *weights, kas_device *device);
/* Adds a piece (kind, tensor, node, n, k given), or finds the same one; gives its offset. */
kas_status kas_weights_add(kas_weights *weights, kas_piece piece, size_t *offset) KAS_MUST_USE;
void kas_weights_finish(kas_weights *weights);

/* The buffer's content. Shared, because an upload that did not end in time may still read it. */
typedef struct kas_weights_image {
    atomic_uint references;
    size_t bytes;
    unsigned char data[];
} kas_weights_image;

/* NULL in *out when there are no weights. */
kas_status kas_weights_make_image(const kas_weights *weights, kas_weights_image **out) KAS_MUST_USE;
kas_weights_image *kas_weights_image_retain(kas_weights_image *image);
void kas_weights_image_release(kas_weights_image *image); /* accepts NULL */

#endif
