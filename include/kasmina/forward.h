/* The forward pass: tensors in, tensors out. */
#ifndef KASMINA_FORWARD_H
#define KASMINA_FORWARD_H

#include <kasmina/types.h>

/* ---- tensors ---- */

typedef enum kas_dtype { KAS_F32 = 0, KAS_F16, KAS_BF16 } kas_dtype;

enum { KAS_TENSOR_MAX_RANK = 8 };

/* A view of memory that somebody else owns; maps onto DLPack's DLTensor (data + byte_offset, ndim, shape,
 * strides). */
typedef struct kas_tensor_view {
    void *data;
    kas_dtype dtype;
    uint32_t rank;
    int64_t shape[KAS_TENSOR_MAX_RANK];   /* elements */
    int64_t strides[KAS_TENSOR_MAX_RANK]; /* elements; all zero: dense and row-major */
    const char *device;                   /* "host:0"; NULL: host memory */
} kas_tensor_view;

/* ---- a pass ---- */

typedef struct kas_alpha_override {
    uint32_t seed;
    float alpha; /* in [0, 1]; rounded to half precision, as a seed's own */
} kas_alpha_override;

/* Input [..., input_size], output [..., output_size], the same leading dimensions, whose product is the
 * number of rows (0 is fine). Today both are dense float32 in host memory, aligned for it; another view is
 * KAS_UNSUPPORTED. Input and output must not overlap. The memory, the name and the overrides stay the
 * caller's and must stay valid until the pass has ended. */
typedef struct kas_forward_request {
    size_t size;
    const char *layer;
    kas_tensor_view input;
    kas_tensor_view output;
    const kas_alpha_override *alphas; /* for this request alone, seeds ascending; KAS_INVALID_ARGUMENT for a
                                         seed without a kernel */
    size_t alpha_count;
    int64_t deadline_ns;   /* monotonic time at which the answer is of no use any more; 0: none */
    uint64_t *failed_rows; /* may be NULL; else one word a row: bit i is set when seed i failed on it */
} kas_forward_request;

typedef struct kas_forward_result {
    size_t size;
    uint64_t generation; /* of the layer, as this pass saw it */
    uint32_t epoch;
    uint64_t seeds_used;   /* bit i: seed i contributed to at least one row */
    uint64_t seeds_failed; /* bit i: seed i failed on at least one row */
    uint64_t rows_failed;  /* different rows on which a seed or a fossil failed */
    uint64_t queue_ns;     /* waiting for an execution context */
    uint64_t compute_ns;
    uint64_t total_ns;
} kas_forward_result;

/* One of several passes that are asked for at once. */
typedef struct kas_forward_call {
    const kas_forward_request *request;
    kas_forward_result *result;
    kas_status status; /* what became of it; the caller's */
} kas_forward_call;

typedef struct kas_latency { /* microseconds; percentiles from a histogram, error < 3 % */
    uint64_t count;
    double mean_us, p50_us, p90_us, p99_us, max_us;
} kas_latency;

/* Called once when an asynchronous call has ended, on a thread of the engine: it must not block and must not
 * call back into a blocking call. `status` is the receiver's. */
typedef void (*kas_forward_done)(void *user, kas_status status);

#endif
