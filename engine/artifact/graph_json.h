/* One node of a graph as JSON, without its tensors' names: the operator and its attributes. */
#ifndef KAS_ARTIFACT_GRAPH_JSON_H
#define KAS_ARTIFACT_GRAPH_JSON_H

#include <jansson.h>

#include "engine/graph/graph.h"

/* Fills all of `out` but its inputs and its output. Refuses members that the operator does not have, those
 * that it lacks, and values of a wrong type; whether they make sense together, kas_graph_check says. On
 * failure out->indices is NULL. */
kas_status kas_graph_json_node(const json_t *object, kas_node *out) KAS_MUST_USE;

/* An array of integers as a shape. */
kas_status kas_graph_json_shape(const json_t *value, kas_shape *out) KAS_MUST_USE;

#endif
