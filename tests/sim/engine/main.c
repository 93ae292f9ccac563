/* kas_sim_engine: runs of the simulation of the whole engine. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "tests/sim/engine/world.h"
#include "tests/sim/options.h"

enum { REPEAT_EVERY = 20 };

int main(int count, char **arguments)
{
    (void)count;
    sim_options o = sim_options_parse(
        arguments, "kas_sim_engine",
        "Drives a whole engine on the host device by random requests and passes, with a faulty disk\n"
        "and memory that runs out, and checks it after each step.",
        (sim_options){.seed = 1, .runs = 50, .steps = 400, .steps_max = 100000});
    kas_log_set_level(KAS_LOG_CRITICAL + 1);
    for (uint32_t i = 0; i < o.runs; ++i) {
        kas_sha256 history = es_run(o.seed + i, o.steps, o.verbose);
        if (i % REPEAT_EVERY) continue;
        kas_sha256 again = es_run(o.seed + i, o.steps, false);
        if (kas_sha256_equal(&history, &again)) continue;
        fprintf(stderr, "seed %llu: the same requests gave another history\n",
                (unsigned long long)(o.seed + i));
        return 1;
    }
    printf("%u runs of %u steps from seed %llu: all that must hold held\n", o.runs, o.steps,
           (unsigned long long)o.seed);
    return 0;
}
