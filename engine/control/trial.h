/* A plan that is composed before anything depends on it: so it is known that it can be, and while it is kept,
 * what its passes need beside weights (workspaces, execution contexts) is on the device for the plan that is
 * published after it. Any thread. */
#ifndef KAS_CONTROL_TRIAL_H
#define KAS_CONTROL_TRIAL_H

#include "engine/control/engine.h"

/* Of a layer that is nothing but this base. kas_plan_destroy ends it. math: the layer's; where it is fast,
 * the device's fast product is started here and not when the layer is published. */
kas_status kas_trial_base(kas_engine *engine, const char *layer, kas_math math, kas_device *device,
                          kas_segment *base, kas_plan **out) KAS_MUST_USE;

/* Of the layer that moves, as it would be where it goes (kas_state_moving). On the control thread. */
kas_status kas_trial_move(kas_engine *engine, uint64_t operation, kas_plan **out) KAS_MUST_USE;

#endif
