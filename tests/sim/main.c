/* kas_sim: runs of the simulation of the control plane. */
#include <stdio.h>

#include "tests/sim/options.h"
#include "tests/sim/sim.h"

enum { REPEAT_EVERY = 20 };

int main(int count, char **arguments)
{
    (void)count;
    sim_options o = sim_options_parse(
        arguments, "kas_sim",
        "Drives the control plane by random commands in a simulated world and checks it after each.",
        (sim_options){.seed = 1, .runs = 200, .steps = 150, .steps_max = SIM_OPERATIONS / 2});
    for (uint32_t i = 0; i < o.runs; ++i) {
        kas_sha256 history = sim_run(o.seed + i, o.steps, o.verbose);
        if (i % REPEAT_EVERY) continue;
        kas_sha256 again = sim_run(o.seed + i, o.steps, false);
        if (kas_sha256_equal(&history, &again)) continue;
        fprintf(stderr, "seed %llu: the same commands gave another history\n",
                (unsigned long long)(o.seed + i));
        return 1;
    }
    printf("%u runs of %u steps from seed %llu: all that must hold held\n", o.runs, o.steps,
           (unsigned long long)o.seed);
    return 0;
}
