/* What the control plane takes from the world: time, files, and somebody to do slow work. Production uses the
 * operating system's and a pool of loader threads; a simulation puts a virtual clock, a faulty disk and a
 * seeded queue of tasks in their place and runs the whole engine on one thread. */
#ifndef KAS_CONTROL_ENV_H
#define KAS_CONTROL_ENV_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/cache/files.h"

/* Slow work, embedded in what it works for. It must stay valid until `run` has been called. */
typedef struct kas_task {
    struct kas_task *next; /* for the executor */
    void (*run)(struct kas_task *task);
} kas_task;

typedef struct kas_env {
    int64_t (*monotonic_ns)(void *self);
    int64_t (*wall_ns)(void *self);
    /* Has the task run once, later, never on the caller's stack. Cannot fail. Any thread. */
    void (*post)(void *self, kas_task *task);
    /* NULL where tasks run on threads of their own; else runs one that waits on the calling thread; false:
     * none waits. */
    bool (*help)(void *self);
    const kas_files *files;
    void *self;
} kas_env;

#endif
