/* The command line of the simulations. */
#ifndef KAS_SIM_OPTIONS_H
#define KAS_SIM_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct sim_options {
    uint64_t seed; /* of the first run; the others have the seeds after it */
    uint32_t runs, steps;
    uint32_t steps_max;
    bool verbose;
} sim_options;

/* Prints what is wrong and how to call it, and exits with 2, when the arguments (with the program's name
 * before them) cannot be read. */
sim_options sim_options_parse(char **arguments, const char *program, const char *purpose,
                              sim_options defaults);

#endif
