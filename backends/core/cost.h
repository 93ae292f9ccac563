/* What launches cost, estimated from what they are: the kernel, its arguments, its grid. The unit is an
 * *operation*: a floating-point operation (a multiply-add is two), or half a byte that goes to or comes from
 * memory, whichever are more. It is the portable kernel's work that is counted, groups that are not full
 * included: a device's own products do less. Pure. */
#ifndef KAS_CORE_COST_H
#define KAS_CORE_COST_H

#include "backends/core/device.h"

/* Operations of a launch for so many rows. It must be one that kas_list_create accepts. */
double kas_launch_operations(const kas_launch *launch, uint32_t rows);

#endif
