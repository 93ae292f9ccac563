/* Names and what they mean in a run. */
#include <string.h>

#include "tests/sim/sim.h"

const char *sim_artifact_id(int artifact)
{
    static const char *const ids[SIM_ARTIFACTS] = {"k0", "k1", "k2",      "k3",     "k4",
                                                   "k5", "k6", "also/k0", "also/k1"};
    return ids[artifact];
}

int sim_artifact_of(const char *id)
{
    for (int i = 0; i < SIM_ARTIFACTS; ++i)
        if (!strcmp(sim_artifact_id(i), id)) return i;
    return -1;
}

int sim_layer_of(const sim *s, uint64_t uid)
{
    for (int i = 0; i < SIM_LAYERS; ++i)
        if (s->model.layers[i].exists && s->model.layers[i].uid == uid) return i;
    return -1;
}

int sim_layer_named(const sim *s, const char *name)
{
    for (int i = 0; i < SIM_LAYERS; ++i)
        if (s->model.layers[i].exists && !strcmp(sim_layer_names[i], name)) return i;
    return -1;
}

int sim_device_named(const char *name)
{
    return strcmp(name, sim_device_names[0]) != 0;
}
