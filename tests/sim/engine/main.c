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
        (sim_options){.seed = 1, .runs = 50, .steps = 1000, .steps_max = 100000});
    kas_log_set_level(KAS_LOG_OFF);
    uint64_t passes = 0;
    for (uint32_t i = 0; i < o.runs; ++i) {
        es_outcome first = es_run(o.seed + i, o.steps, o.verbose);
        passes += first.passes;
        if (i % REPEAT_EVERY) continue;
        es_outcome again = es_run(o.seed + i, o.steps, false);
        if (kas_sha256_equal(&first.history, &again.history)) continue;
        fprintf(stderr, "seed %llu: the same requests gave another history\n",
                (unsigned long long)(o.seed + i));
        return 1;
    }
    printf("%u runs of %u steps from seed %llu, %llu passes: all that must hold held\n", o.runs, o.steps,
           (unsigned long long)o.seed, (unsigned long long)passes);
    return 0;
}
