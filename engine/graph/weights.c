/* Laying out and packing a segment's constants. */
#include "engine/graph/weights.h"

#include <string.h>

#include "base/alloc.h"

/* Two constants for each input of a node, and its indices, at most. */
enum { PIECES_MAX = KAS_GRAPH_MAX_NODES * (KAS_MAX_NODE_INPUTS + 1) };

static size_t conv_taps(const kas_piece *piece)
{
    const kas_window *window = &piece->node->window;
    return (size_t)(window->kernel[0] * (window->spatial == 2 ? window->kernel[1] : 1));
}

/* Blocks of CONV_CHANNELS outputs in one group. */
static size_t conv_blocks(const kas_piece *piece)
{
    size_t outputs = (size_t)(piece->tensor->shape.dims[0] / piece->node->window.groups);
    return (outputs + CONV_CHANNELS - 1) / CONV_CHANNELS;
}

/* 0: too large. All but packed products are bounded by the limits of a graph. */
static size_t piece_bytes(const kas_weights *weights, const kas_piece *piece)
{
    switch (piece->kind) {
    case KAS_PIECE_LINEAR:
    case KAS_PIECE_TRANSPOSED:
        return kas_device_packed_bytes(weights->device, piece->type, piece->k, piece->n);
    case KAS_PIECE_CONV:
        return (size_t)piece->node->window.groups * conv_blocks(piece) *
               (size_t)piece->tensor->shape.dims[1] * conv_taps(piece) * CONV_CHANNELS *
               (piece->type == KAS_WEIGHT_F32 ? sizeof(float) : sizeof(uint16_t));
    case KAS_PIECE_INDICES:
        return piece->node->index_count * sizeof(int32_t);
    default:
        return piece->tensor->elements * sizeof(float);
    }
}

static bool same_piece(const kas_piece *a, const kas_piece *b)
{
    return a->kind == b->kind && a->tensor == b->tensor && a->node == b->node && a->type == b->type &&
           a->n == b->n && a->k == b->k;
}

void kas_weights_begin(kas_weights *weights, kas_device *device)
{
    size_t alignment = kas_device_get_limits(device)->buffer_alignment;
    *weights = (kas_weights){.device = device, .alignment = alignment < 256 ? 256 : alignment};
}

kas_status kas_weights_add(kas_weights *weights, kas_piece piece, size_t *offset)
{
    for (size_t i = 0; i < weights->count; ++i) {
        if (!same_piece(&weights->pieces[i], &piece)) continue;
        *offset = weights->pieces[i].offset;
        return NULL;
    }
    piece.offset = weights->bytes;
    piece.bytes = piece_bytes(weights, &piece);
    size_t end;
    if (piece.bytes == 0 || !kas_add(piece.offset, piece.bytes, &end) ||
        !kas_add(end, weights->alignment, &end))
        return kas_fail(KAS_TOO_LARGE, KERNEL, "%zu constants take more bytes than the address space has",
                        weights->count + 1);
    if (!kas_grow((void **)&weights->pieces, &weights->capacity, weights->count + 1, PIECES_MAX,
                  sizeof *weights->pieces))
        return kas_out_of_memory();
    weights->pieces[weights->count++] = piece;
    weights->bytes = kas_align_up(piece.offset + piece.bytes, weights->alignment);
    *offset = piece.offset;
    return NULL;
}

void kas_weights_finish(kas_weights *weights)
{
    kas_free(weights->pieces);
    *weights = (kas_weights){0};
}

static kas_status pack_transposed(kas_device *device, const kas_piece *piece, void *out)
{
    float *turned = kas_alloc_array(piece->tensor->elements, sizeof *turned);
    if (!turned) return kas_out_of_memory();
    for (size_t o = 0; o < piece->n; ++o)
        for (size_t i = 0; i < piece->k; ++i)
            turned[o * piece->k + i] = piece->tensor->constant[i * piece->n + o];
    kas_device_pack(device, piece->type, turned, piece->k, piece->n, out);
    kas_free(turned);
    return NULL;
}

/* `out` is zeroed: where a block has fewer outputs than CONV_CHANNELS, nothing is written. */
static void pack_blocks(const kas_piece *piece, float *out)
{
    size_t groups = (size_t)piece->node->window.groups,
           outputs = (size_t)piece->tensor->shape.dims[0] / groups;
    size_t lanes = (size_t)piece->tensor->shape.dims[1] * conv_taps(piece); /* weights of one output */
    const float *from = piece->tensor->constant;
    for (size_t group = 0; group < groups; ++group)
        for (size_t o = 0; o < outputs; ++o, from += lanes) {
            size_t block = group * conv_blocks(piece) + o / CONV_CHANNELS;
            float *to = out + block * lanes * CONV_CHANNELS + o % CONV_CHANNELS;
            for (size_t i = 0; i < lanes; ++i)
                to[i * CONV_CHANNELS] = from[i];
        }
}

static kas_status pack_conv(const kas_piece *piece, void *out)
{
    if (piece->type == KAS_WEIGHT_F32) {
        pack_blocks(piece, out);
        return NULL;
    }
    size_t words = piece->bytes / sizeof(uint32_t);
    float *blocks = kas_calloc(2 * words, sizeof *blocks);
    if (!blocks) return kas_out_of_memory();
    pack_blocks(piece, blocks);
    for (size_t i = 0; i < words; ++i)
        ((uint32_t *)out)[i] = kas_weight_pair(piece->type, blocks[2 * i], blocks[2 * i + 1]);
    kas_free(blocks);
    return NULL;
}

static kas_status write_piece(kas_device *device, const kas_piece *piece, unsigned char *out)
{
    switch (piece->kind) {
    case KAS_PIECE_LINEAR:
        kas_device_pack(device, piece->type, piece->tensor->constant, piece->k, piece->n, out);
        return NULL;
    case KAS_PIECE_TRANSPOSED:
        return pack_transposed(device, piece, out);
    case KAS_PIECE_CONV:
        return pack_conv(piece, out);
    case KAS_PIECE_INDICES:
        memcpy(out, piece->node->indices, piece->bytes);
        return NULL;
    default:
        memcpy(out, piece->tensor->constant, piece->bytes);
        return NULL;
    }
}

kas_status kas_weights_make_image(const kas_weights *weights, kas_weights_image **out)
{
    *out = NULL;
    if (weights->bytes == 0) return NULL;
    size_t size_bytes;
    kas_weights_image *image = NULL;
    if (kas_add(sizeof *image, weights->bytes, &size_bytes)) image = kas_calloc(1, size_bytes);
    if (!image) return kas_out_of_memory();
    atomic_init(&image->references, 1);
    image->bytes = weights->bytes;
    for (size_t i = 0; i < weights->count; ++i) {
        const kas_piece *piece = &weights->pieces[i];
        kas_status status = write_piece(weights->device, piece, image->data + piece->offset);
        if (!status) continue;
        kas_weights_image_release(image);
        return status;
    }
    *out = image;
    return NULL;
}

kas_weights_image *kas_weights_image_retain(kas_weights_image *image)
{
    atomic_fetch_add_explicit(&image->references, 1, memory_order_relaxed);
    return image;
}

void kas_weights_image_release(kas_weights_image *image)
{
    if (!image) return;
    if (atomic_fetch_sub_explicit(&image->references, 1, memory_order_acq_rel) == 1) kas_free(image);
}
