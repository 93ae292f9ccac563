/* For backends: which devices an API offers, without waking its drivers here. Asked, they start threads and
 * take tens of megabytes, for good; so a child process asks, and ends. It also takes the blow where a
 * vendor's library crashes or hangs. */
#ifndef KAS_CORE_PROBE_H
#define KAS_CORE_PROBE_H

#include <pthread.h>

#include "backends/core/device.h"

enum { KAS_PROBE_DEVICES_MAX = 64 };

typedef struct kas_probe_answer {
    size_t count; /* devices; those beyond KAS_PROBE_DEVICES_MAX are not described */
    kas_device_info infos[KAS_PROBE_DEVICES_MAX];
} kas_probe_answer;

typedef struct kas_probe { /* static, one an API: KAS_PROBE("OpenCL", list_here) */
    const char *api;       /* for messages */
    /* As kas_driver.list, asking the drivers in this process; runs in the child. */
    kas_status (*list_here)(kas_device_info *infos, size_t capacity, size_t *count);
    pthread_mutex_t lock; /* guards the rest; held while a child is asked, so that there is one at a time */
    bool known;
    int64_t retry_ns; /* after a failure, nobody is kept waiting for the next one before this time */
    kas_probe_answer answer;
} kas_probe;

#define KAS_PROBE(api_, list_here_)                                                                          \
    {                                                                                                        \
        .api = (api_), .list_here = (list_here_), .lock = PTHREAD_MUTEX_INITIALIZER                          \
    }

/* As kas_driver.list. The first answer is kept: which devices a machine has does not change while a process
 * runs. KAS_UNAVAILABLE when the child did not answer, or not in time, and for a minute after that. Any
 * thread. */
kas_status kas_probe_list(kas_probe *probe, kas_device_info *infos, size_t capacity,
                          size_t *count) KAS_MUST_USE;

#endif
