/* Threads of low priority that run tasks in order of arrival: fetching, decoding and uploading never take a
 * core from passes that want it. */
#ifndef KAS_CONTROL_LOADERS_H
#define KAS_CONTROL_LOADERS_H

#include "engine/control/env.h"

typedef struct kas_loaders kas_loaders;

kas_status kas_loaders_create(uint32_t threads, kas_loaders **out) KAS_MUST_USE;
void kas_loaders_destroy(kas_loaders *loaders); /* runs what was posted, then joins; accepts NULL */
void kas_loaders_post(kas_loaders *loaders, kas_task *task);

#endif
