/* Reading an inference request of the Open Inference Protocol: one JSON object, whose tensors may follow it
 * as raw bytes (the binary tensor extension). Numbers are read straight into the tensor; nothing is made into
 * a tree. Names of members are compared as they stand, so that one with an escape is none that is known. */
#ifndef KAS_HTTP_INFER_READ_H
#define KAS_HTTP_INFER_READ_H

#include <kasmina/forward.h>
#include <kasmina/types.h>

#include "http/json_tensor.h"

typedef struct kas_infer { /* zero before; kas_infer_finish */
    const char *id; /* as it stands between the quotes, escapes and all; borrowed from the body; NULL: none */
    size_t id_length;
    bool has_input;
    kas_json_tensor input; /* shape always; values where they came as JSON */
    bool binary;           /* the input's values are raw bytes after the JSON */
    size_t binary_bytes;
    bool binary_output;                       /* the output is wanted as raw bytes */
    kas_alpha_override alphas[KAS_MAX_SEEDS]; /* seeds ascending */
    size_t alpha_count;
} kas_infer;

/* json_bytes: where the JSON ends (the body's size where there is nothing else). KAS_MALFORMED,
 * KAS_INVALID_ARGUMENT naming the member. */
kas_status kas_infer_read(const char *body, size_t json_bytes, kas_infer *out) KAS_MUST_USE;
void kas_infer_finish(kas_infer *infer); /* accepts empty */

#endif
