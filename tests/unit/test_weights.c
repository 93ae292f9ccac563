/* engine/graph/weights.c: a segment's constants, each once, where launches look for them. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/graph/weights.h"
#include "tests/unit/graph_fixture.h"

enum { ALIGNMENT = 256 };

TestSuite(weights, .fini = expect_no_leaks);

/* Weights for the host device, and a graph to take constants from. */
typedef struct rig {
    kas_device *device;
    kas_graph *graph;
    kas_weights weights;
} rig;

static void open_rig(rig *r)
{
    cr_assert_null(kas_device_open("host:0", &r->device));
    r->graph = graph_new(SHAPE(4));
    r->weights = (kas_weights){.device = r->device, .alignment = ALIGNMENT};
    random_restart(2);
}

static void close_rig(rig *r)
{
    kas_weights_finish(&r->weights);
    kas_graph_destroy(r->graph);
    kas_device_release(r->device);
}

static size_t add(rig *r, kas_piece piece)
{
    size_t offset;
    cr_assert_null(kas_weights_add(&r->weights, piece, &offset));
    cr_assert_eq(offset % ALIGNMENT, 0u);
    return offset;
}

static kas_weights_image *image_of(const rig *r)
{
    kas_weights_image *image;
    cr_assert_null(kas_weights_make_image(&r->weights, &image));
    cr_assert_not_null(image);
    cr_assert_eq(image->bytes, r->weights.bytes);
    return image;
}

static const float *floats_at(const kas_weights_image *image, size_t offset)
{
    return (const float *)(const void *)(image->data + offset);
}

Test(weights, no_constants_make_no_image)
{
    rig r;
    kas_weights_image *image;
    open_rig(&r);
    cr_assert_null(kas_weights_make_image(&r.weights, &image));
    cr_expect_null(image);
    kas_weights_image_release(image);
    close_rig(&r);
}

Test(weights, a_constant_that_many_read_is_there_once)
{
    rig r;
    open_rig(&r);
    int a = constant_random(r.graph, SHAPE(5), 1), b = constant_random(r.graph, SHAPE(70), 1);
    const kas_tensor *first = &r.graph->tensors[a], *second = &r.graph->tensors[b];
    size_t one = add(&r, (kas_piece){.tensor = first}), two = add(&r, (kas_piece){.tensor = second});
    cr_expect_neq(one, two);
    cr_expect_eq(add(&r, (kas_piece){.tensor = first}), one);
    cr_expect_eq(r.weights.bytes, ALIGNMENT + kas_align_up(70 * sizeof(float), ALIGNMENT));
    kas_weights_image *image = image_of(&r);
    cr_expect_eq(memcmp(floats_at(image, one), first->constant, 5 * sizeof(float)), 0);
    cr_expect_eq(memcmp(floats_at(image, two), second->constant, 70 * sizeof(float)), 0);
    kas_weights_image_release(kas_weights_image_retain(image));
    kas_weights_image_release(image);
    close_rig(&r);
}

/* [n, k] and its transpose are packed to the same bytes, as the device packs them. */
Test(weights, products_are_packed_as_the_device_has_them)
{
    enum { N = 7, K = 5 };
    rig r;
    float turned[N * K];
    open_rig(&r);
    int w = constant_random(r.graph, SHAPE(N, K), 1);
    for (size_t n = 0; n < N; ++n)
        for (size_t k = 0; k < K; ++k)
            turned[k * N + n] = r.graph->tensors[w].constant[n * K + k];
    int t = constant_of(r.graph, SHAPE(K, N), turned);
    const kas_tensor *weight = &r.graph->tensors[w], *transposed = &r.graph->tensors[t];
    size_t one = add(&r, (kas_piece){.kind = KAS_PIECE_LINEAR, .tensor = weight, .n = N, .k = K});
    size_t two = add(&r, (kas_piece){.kind = KAS_PIECE_TRANSPOSED, .tensor = transposed, .n = N, .k = K});
    size_t plain = add(&r, (kas_piece){.tensor = weight}),
           bytes = kas_device_packed_bytes(r.device, KAS_WEIGHT_F32, K, N);
    cr_expect_neq(plain, one, "packed and plain are two pieces");
    kas_weights_image *image = image_of(&r);
    unsigned char *want = kas_calloc(1, bytes);
    kas_device_pack(r.device, KAS_WEIGHT_F32, weight->constant, K, N, want);
    cr_expect_eq(memcmp(image->data + one, want, bytes), 0);
    cr_expect_eq(memcmp(image->data + two, want, bytes), 0);
    kas_free(want);
    kas_weights_image_release(image);
    close_rig(&r);
}

/* Two groups of three outputs: each group has a block of CONV_CHANNELS, of which three are used. */
Test(weights, convolutions_are_packed_in_blocks_of_outputs)
{
    enum { GROUPS = 2, EACH = 3, LANES = 2 * 3 };
    rig r;
    open_rig(&r);
    int w = constant_random(r.graph, SHAPE(GROUPS * EACH, 2, 3), 1);
    const kas_node node = {.op = KAS_OP_CONV, .window = {.spatial = 1, .kernel = {3}, .groups = GROUPS}};
    size_t at = add(&r, (kas_piece){.kind = KAS_PIECE_CONV, .tensor = &r.graph->tensors[w], .node = &node});
    kas_weights_image *image = image_of(&r);
    const float *packed = floats_at(image, at), *from = r.graph->tensors[w].constant;
    for (size_t group = 0; group < GROUPS; ++group)
        for (size_t lane = 0; lane < LANES; ++lane)
            for (size_t o = 0; o < CONV_CHANNELS; ++o) {
                float want = o < EACH ? from[(group * EACH + o) * LANES + lane] : 0;
                cr_expect_eq(packed[(group * LANES + lane) * CONV_CHANNELS + o], want);
            }
    kas_weights_image_release(image);
    close_rig(&r);
}

/* The same numbers as float32 has them, two in a word, in half the bytes. */
Test(weights, convolutions_of_16_bits_have_the_same_blocks)
{
    enum { OUTPUTS = 5, LANES = 2 * 3, WORDS = LANES * CONV_CHANNELS / 2 };
    rig r;
    open_rig(&r);
    int w = constant_random(r.graph, SHAPE(OUTPUTS, 2, 3), 1);
    const kas_node node = {.op = KAS_OP_CONV, .window = {.spatial = 1, .kernel = {3}, .groups = 1}};
    kas_piece piece = {.kind = KAS_PIECE_CONV, .tensor = &r.graph->tensors[w], .node = &node};
    size_t plain = add(&r, piece);
    piece.type = KAS_WEIGHT_BF16;
    size_t half = add(&r, piece);
    cr_expect_eq(r.weights.pieces[1].bytes, WORDS * sizeof(uint32_t));
    kas_weights_image *image = image_of(&r);
    const float *floats = floats_at(image, plain);
    const uint32_t *words = (const uint32_t *)(const void *)(image->data + half);
    for (size_t i = 0; i < WORDS; ++i)
        cr_expect_eq(words[i], kas_weight_pair(KAS_WEIGHT_BF16, floats[2 * i], floats[2 * i + 1]));
    kas_weights_image_release(image);
    close_rig(&r);
}

Test(weights, what_is_too_large_is_refused)
{
    rig r;
    size_t offset;
    open_rig(&r);
    int c = scalar(r.graph, 1);
    kas_piece piece = {
        .kind = KAS_PIECE_LINEAR, .tensor = &r.graph->tensors[c], .n = SIZE_MAX / 8, .k = SIZE_MAX / 8};
    kas_status status = kas_weights_add(&r.weights, piece, &offset);
    cr_expect_eq(kas_status_code(status), KAS_TOO_LARGE);
    kas_status_free(status);
    close_rig(&r);
}
