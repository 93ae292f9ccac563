/* How long work is expected to take, and what is learned of that from work that is done.
 *
 * A *pace* is the time that an operation (cost.h) takes. A device begins with what its limits promise of one
 * compute unit's products, or with a gigaflop a second where they promise nothing: slow enough for any. Each
 * time that a list took tells more: a slower pace is believed at once where it was long enough to show one, a
 * faster one in halves, so that one lucky measurement does not make the next submission long. A list has the
 * pace of its device until it has one of its own; the device learns from lists that take long. */
#ifndef KAS_CORE_PACE_H
#define KAS_CORE_PACE_H

#include "backends/core/backend.h"

/* It has taken so long on its device. Any thread. */
void kas_list_took(kas_list *list, uint32_t rows, double elapsed_ns);

#endif
