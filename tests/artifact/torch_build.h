/* Writes what torch.save writes, for tests: a pickle piece by piece, and the archive around it. Memory that
 * is out ends the test. */
#ifndef KAS_TESTS_TORCH_BUILD_H
#define KAS_TESTS_TORCH_BUILD_H

#include <stdint.h>

#include "tests/artifact/zip_build.h"

enum { PICKLE_MAX = 8192 };

typedef struct pickle_text {
    uint8_t bytes[PICKLE_MAX];
    size_t size;
} pickle_text;

typedef struct tensor_view { /* rank: how many sizes are not 0 */
    const char *storage;     /* "FloatStorage", or a dtype of torch ("float8_e5m2") by _rebuild_tensor_v3 */
    const char *key;
    int64_t storage_elements; /* bytes with _rebuild_tensor_v3 */
    int64_t offset;
    int64_t sizes[4], strides[4];
} tensor_view;

void pickle_begin(pickle_text *to);
void pickle_end(pickle_text *to);
void pickle_raw(pickle_text *to, const void *bytes, size_t size);
void pickle_op(pickle_text *to, char opcode);
void pickle_string(pickle_text *to, const char *text);
void pickle_integer(pickle_text *to, int64_t value);
void pickle_tensor(pickle_text *to, const tensor_view *view);

/* A member of a dict whose MARK is open. */
void pickle_member(pickle_text *to, const char *name, const char *text);
void pickle_member_integer(pickle_text *to, const char *name, int64_t value);
void pickle_member_tensor(pickle_text *to, const char *name, const tensor_view *view);

/* A dense float32 tensor of one or two dimensions that fills the storage of its key. */
tensor_view dense(const char *key, int64_t rows, int64_t columns); /* columns 0: one dimension */

/* "archive/data.pkl" and the other parts, whose names are without the root. */
zip_image torch_build(const pickle_text *pickle, const zip_part *others, size_t count);

#endif
