/* A safetensors file: its header, checked, and the values of its tensors. */
#ifndef KAS_ARTIFACT_SAFETENSORS_FILE_H
#define KAS_ARTIFACT_SAFETENSORS_FILE_H

#include <jansson.h>
#include <stdint.h>

#include "base/status.h"
#include "engine/artifact/elements.h"

enum { KAS_SAFETENSORS_LENGTH_BYTES = 8, KAS_SAFETENSORS_MAX_RANK = 8 };

typedef struct kas_safetensors_tensor {
    const char *name; /* the header's */
    const char *dtype_name;
    kas_element dtype;
    size_t begin, end; /* within the data */
    int rank;
    uint64_t dims[KAS_SAFETENSORS_MAX_RANK];
} kas_safetensors_tensor;

typedef struct kas_safetensors_file { /* start with {0} */
    json_t *header;
    const unsigned char *data;
    size_t data_bytes;
    kas_safetensors_tensor *tensors;
    size_t count;
} kas_safetensors_file;

/* The bytes must outlive `out`, which is to be closed also when this fails. Every value of __metadata__ is a
 * string. */
kas_status kas_safetensors_open(const void *bytes, size_t size_bytes, kas_safetensors_file *out) KAS_MUST_USE;
void kas_safetensors_close(kas_safetensors_file *file);

/* NULL: there is none of this name. */
const kas_safetensors_tensor *kas_safetensors_find(const kas_safetensors_file *file, const char *name);

/* The values of a tensor of a floating-point type, all finite; to be freed with kas_free, also when this
 * fails. */
kas_status kas_safetensors_floats(const kas_safetensors_file *file, const kas_safetensors_tensor *tensor,
                                  float **out) KAS_MUST_USE;

#endif
