#ifndef KAS_CLI_LAYER_H
#define KAS_CLI_LAYER_H

#include "cli/table.h"

/* A table of a layer's seeds (an array; what is staged is put into words in it). Returns an exit code. */
int cli_print_seeds(json_t *seeds);

#endif
