/* What kasmina says of an artifact: as JSON, as lines for people, as a picture. Local: no server takes part.
 */
#ifndef KAS_CLI_DESCRIBE_H
#define KAS_CLI_DESCRIBE_H

#include <jansson.h>
#include <stdio.h>

#include "engine/artifact/artifact.h"

/* Format, producer, checksum, shapes, counts and one object a node. NULL when memory is out. */
json_t *cli_describe_artifact(const kas_artifact *artifact);

/* How each device of this machine runs the graph, or why it cannot: one object a device. Opens every device.
 */
json_t *cli_describe_devices(const kas_graph *graph);

/* The graph for Graphviz's dot. */
void cli_print_dot(FILE *out, const kas_graph *graph);

#endif
