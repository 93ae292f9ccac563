/* What every decoded artifact must stand, whatever bytes it came from. For fuzz targets. */
#ifndef KAS_FUZZ_DECODED_H
#define KAS_FUZZ_DECODED_H

#include <stdlib.h>

#include "base/alloc.h"
#include "engine/artifact/artifact.h"

/* Less than the engine's own, so that one input takes milliseconds under the sanitizers. */
static const kas_artifact_limits fuzz_limits = {.parameters = 100000, .memory_bytes = 16 << 20, .nodes = 512};

enum { FUZZ_ROW_ELEMENTS = 2048, FUZZ_NODES = 64 };

static bool is_small(const kas_graph *graph)
{
    bool small = graph->node_count <= FUZZ_NODES;
    for (size_t i = 0; i < graph->tensor_count; ++i)
        small = small && graph->tensors[i].elements <= FUZZ_ROW_ELEMENTS;
    return small;
}

/* It is valid, and can be evaluated. */
static void use_graph(const kas_graph *graph)
{
    static float x[FUZZ_ROW_ELEMENTS];
    static double y[FUZZ_ROW_ELEMENTS];
    if (kas_graph_check(graph)) abort();
    if (is_small(graph) && kas_graph_reference(graph, x, 1, y)) abort();
}

/* A refusal has a reason that is on the list; one for its size has a code of its own. */
static void expect_refusal(kas_status status)
{
    const bool refused = kas_status_code(status) == KAS_INVALID_ARTIFACT && *kas_status_reason(status);
    if (!refused && kas_status_code(status) != KAS_TOO_LARGE) abort();
    kas_status_free(status);
}

static inline void fuzz_decode(const uint8_t *bytes, size_t size, const char *name)
{
    kas_artifact artifact;
    kas_status status = kas_artifact_decode(bytes, size, name, &fuzz_limits, &artifact);
    if (status) {
        expect_refusal(status);
        return;
    }
    use_graph(artifact.graph);
    kas_artifact_finish(&artifact);
}

#endif
