/* Products by cuBLASLt: launches of `linear` whose precision may be less than float32.
 *
 * A queue keeps what cuBLASLt chose for each shape and bucket of rows (up to a power of two), as choosing
 * takes longer than multiplying. Where it has nothing for a shape the launch is the portable product's. */
#ifndef KAS_CUDA_PRODUCT_H
#define KAS_CUDA_PRODUCT_H

#include "backends/cuda/cublaslt.h"
#include "backends/cuda/launch.h"

enum { CUDA_PRODUCTS_MAX = 64 };

typedef struct cuda_product {
    int inputs, outputs, compute; /* compute: CUBLASLT_32F_…; 0: the place is free */
    uint32_t epilogue, bucket;    /* bucket: product rows that it was chosen for */
    uint64_t last_use;
    bool refused; /* cuBLASLt has nothing for it */
    cublaslt_desc desc;
    cublaslt_layout weights, x, y; /* columns of x and y: as in the last product */
    cublaslt_choice choice;
} cuda_product;

typedef struct cuda_products {
    cuda_product places[CUDA_PRODUCTS_MAX];
    uint64_t uses;
    kas_buffer *workspace; /* of product_workspace_bytes, once some choice needs one; products of a queue take
                              turns in it */
} cuda_products;

/* Whether the index-th launch of a list is for cuBLASLt. */
bool kas_cuda_is_fast(const kas_list *list, size_t index);

/* Enqueues Y = act(X Wᵀ + b) for a launch that is; *done: false where the portable product must do it. */
kas_status kas_cuda_multiply(kas_cuda_device *device, cuda_products *products, const kas_launch *launch,
                             const cuda_bound_launch *bound, uint32_t rows, cuda_stream stream,
                             bool *done) KAS_MUST_USE;
void kas_cuda_products_finish(const kas_cuda_device *device, cuda_products *products);

#endif
