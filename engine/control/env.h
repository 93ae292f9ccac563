/* What the control plane takes from the world: time, files, devices, and somebody to do slow work. Production
 * uses the operating system's and a pool of loader threads; a simulation puts a virtual clock, a faulty disk,
 * devices of its own and a seeded queue of tasks in their place and runs the whole engine on one thread. */
#ifndef KAS_CONTROL_ENV_H
#define KAS_CONTROL_ENV_H

#include <stdbool.h>
#include <stdint.h>

#include "backends/core/device.h"
#include "engine/cache/files.h"

/* Slow work, embedded in what it works for. It must stay valid until `run` has been called. */
typedef struct kas_task {
    struct kas_task *next; /* for the executor */
    void (*run)(struct kas_task *task);
} kas_task;

/* Which devices there are, and how one is opened. Any thread. */
typedef struct kas_device_source {
    /* As kas_driver_list, of all of them, in the order in which "auto" takes them. */
    kas_status (*list)(void *self, kas_device_info *infos, size_t capacity, size_t *count);
    kas_status (*open)(void *self, const char *id, kas_device **out); /* as kas_device_open */
    void *self;
} kas_device_source;

typedef struct kas_env { /* without `post`: the operating system's time, tasks and files */
    int64_t (*monotonic_ns)(void *self);
    int64_t (*wall_ns)(void *self);
    /* Has the task run once, later, never on the caller's stack. Cannot fail. Any thread. */
    void (*post)(void *self, kas_task *task);
    /* NULL where tasks run on threads of their own; else runs one that waits on the calling thread; false:
     * none waits. */
    bool (*help)(void *self);
    const kas_files *files;
    const kas_device_source *devices; /* must outlive the engine; NULL: those of this machine's drivers */
    void *self;
} kas_env;

#endif
