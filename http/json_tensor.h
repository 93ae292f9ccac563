/* Reading {"shape": […], "data": […]} without a tree: a tensor in JSON may have millions of numbers, and a
 * tree of them would take twenty times their memory. */
#ifndef KAS_HTTP_JSON_TENSOR_H
#define KAS_HTTP_JSON_TENSOR_H

#include <kasmina/forward.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

typedef struct kas_json_tensor {
    float *values; /* dense, row-major, aligned to KAS_CACHE_LINE; owned; NULL when there are none */
    size_t count, capacity;
    uint32_t rank; /* 0: no shape was given, nor could one be told from nested data */
    int64_t shape[KAS_TENSOR_MAX_RANK];
} kas_json_tensor;

/* Data may be flat or nested as the shape says. KAS_MALFORMED: not JSON, not an object, a member twice.
 * KAS_INVALID_ARGUMENT: another member (reason "unknown-member"), null or another type among the numbers, a
 * number that no float holds, data that do not fit the shape. The tensor is to be finished in any case. */
kas_status kas_json_tensor_read(const char *bytes, size_t size_bytes, kas_json_tensor *out) KAS_MUST_USE;
void kas_json_tensor_finish(kas_json_tensor *tensor); /* accepts empty */

#endif
