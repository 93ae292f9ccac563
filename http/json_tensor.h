/* Reading {"shape": […], "data": […]} without a tree: a tensor in JSON may have millions of numbers, and a
 * tree of them would take twenty times their memory. */
#ifndef KAS_HTTP_JSON_TENSOR_H
#define KAS_HTTP_JSON_TENSOR_H

#include <kasmina/forward.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

struct kas_json_scan;

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
/* A list of numbers, flat or nested, at the scanner: appends to `out`, whose rank and shape say what is
 * wanted. Faults as above; the scanner stands after the list unless the text is malformed. */
kas_status kas_json_tensor_read_data(struct kas_json_scan *scan, kas_json_tensor *out) KAS_MUST_USE;
/* Whether `count` values are what rank and shape of `out` ask for. */
kas_status kas_json_tensor_check(const kas_json_tensor *tensor) KAS_MUST_USE;
/* A list of whole numbers at the scanner: sets rank and shape. */
kas_status kas_json_tensor_read_shape(struct kas_json_scan *scan, kas_json_tensor *out) KAS_MUST_USE;
void kas_json_tensor_finish(kas_json_tensor *tensor); /* accepts empty */

#endif
