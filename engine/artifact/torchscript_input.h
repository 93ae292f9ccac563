/* An example of the input, where the archive holds one. */
#ifndef KAS_ARTIFACT_TORCHSCRIPT_INPUT_H
#define KAS_ARTIFACT_TORCHSCRIPT_INPUT_H

#include "engine/artifact/torch_archive.h"
#include "engine/graph/graph.h"

typedef struct kas_script_example {
    int64_t batch; /* rows of the example; 0: there is none */
    kas_shape row;
} kas_script_example;

/* What is there but has another form than a traced module's is no example. */
kas_status kas_script_read_example(kas_torch_archive *archive, kas_script_example *out) KAS_MUST_USE;

#endif
