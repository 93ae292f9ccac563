#ifndef KAS_CLI_LAYER_H
#define KAS_CLI_LAYER_H

#include "cli/table.h"

/* What a table of seeds shows. */
extern const cli_column cli_seed_columns[];
extern const size_t cli_seed_column_count;

#endif
