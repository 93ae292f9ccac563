/* kasmina devices --selftest */
#ifndef KAS_CLI_SELFTEST_H
#define KAS_CLI_SELFTEST_H

#include <stdbool.h>

/* Runs every operator on a device (its id), or (NULL) on every device of this machine, and prints the table,
 * device × operator. CLI_FAILED where a result is wrong or depends on its batch, or where a driver cannot say
 * which devices it has. */
int cli_selftest(const char *device, bool json);

#endif
