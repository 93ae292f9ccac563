/* What a backend implements: a driver and a few small tables of functions. For backends and backends/core
 * only.
 *
 * Core owns the objects' life: it allocates each (of the size that the backend states, zeroed), fills in the
 * part declared here, calls `init`, counts references, and calls `finish` before it frees. A backend's struct
 * begins with core's. Where `init` fails, it has undone what it did; `finish` is not called.
 *
 * Core validates everything first: a slot below never sees an offset out of range, a foreign device's object,
 * an unbound slot or a device that was lost before the call. `finish` slots and a queue's `idle` are called
 * on a lost device too: they wait for nothing there, and what its work may still use they leave to the driver
 * for good. A backend never retries, logs or aborts; a device that is gone is reported as KAS_DEVICE_LOST and
 * core makes that sticky. A device whose work has not come back (kas_device_use_grace) is lost too, and
 * silent: none of its slots is called any more, `finish` slots included.
 *
 * Slots are required unless marked optional; an optional one is NULL where its default will do. A queue's are
 * called by one thread at a time, which need not be the same each time; all others by any number of threads
 * at once. What a queue was given (lists, buffers, their device) lives until a wait has returned, after
 * KAS_DEADLINE until `idle` has said true. No lock of core is held in any slot, but the registry's in init
 * and finish of a device and finish of a program, and the device's program lock in a program's init and in
 * start_fast_product. */
#ifndef KAS_CORE_BACKEND_H
#define KAS_CORE_BACKEND_H

#include <pthread.h>
#include <stdatomic.h>

#include "backends/core/device.h"

enum { KAS_LABEL_SIZE = 64 };

typedef struct kas_device_ops kas_device_ops;

struct kas_driver {
    const char *name; /* "host": of its devices' ids and their info.api; letters and digits */
    /* Fills at most `capacity` infos (NULL: 0) with what there is, and *count with how many there are, which
     * may be more. infos[i] is "NAME:i", all of it as init would say but for memory in use and free; a device
     * keeps its index for the life of the process. Opens nothing. A missing vendor library is 0 devices, not
     * a failure. */
    kas_status (*list)(kas_device_info *infos, size_t capacity, size_t *count);
    const kas_device_ops *device;
};

/* ---- device ---- */

/* What nobody has any more and may not be freed yet (lost.h). */
typedef struct kas_kept {
    struct kas_kept *next;
    void (*free)(struct kas_kept *thing);
} kas_kept;

struct kas_device {
    const kas_device_ops *ops;
    kas_device_info info; /* by init: id, kind, api, name, uuid, software, memory_total_bytes; else core's */
    kas_device_limits limits; /* by init, constant afterwards */

    /* core's own */
    uint32_t index;
    atomic_size_t references; /* the last goes, and one of a listed device comes, under the registry's lock */
    kas_device *next;         /* in the registry, guarded by its lock */
    atomic_size_t used_bytes;
    atomic_bool lost;
    atomic_bool silent; /* and its work may still run: nothing is given back to its driver, or asked of it */
    atomic_uint late_queues;   /* whose work has passed its deadline and runs on */
    _Atomic(kas_kept *) kept;  /* what is not freed while there are any */
    kas_device *next_silent;   /* once silent */
    pthread_mutex_t loss_lock; /* guards lost_reason until it is lost */
    _Atomic(float) pace;       /* pace.h; 0: as at first */
    pthread_mutex_t lock;      /* guards programs, what a backend loads beside them, and the fast
                                  product's name and types */
    _Atomic(kas_program *) programs[KAS_KERNEL_COUNT]; /* set once under the lock, read without */
    char fast_product[KAS_DEVICE_FAST_SIZE];           /* read without the lock once fast_is_known */
    uint32_t fast_types;                               /* so too */
    atomic_bool fast_is_known;
    char lost_reason[256];
};

typedef struct kas_buffer_ops kas_buffer_ops;
typedef struct kas_program_ops kas_program_ops;
typedef struct kas_list_ops kas_list_ops;
typedef struct kas_queue_ops kas_queue_ops;

struct kas_device_ops {
    size_t size_bytes; /* of the backend's device struct */
    /* Opens the index-th device that `list` gave, or would give: a device may be opened without having been
     * listed. Fills in info and limits. KAS_NOT_FOUND when it is not there; core's message then says what is.
     */
    kas_status (*init)(kas_device *device, uint32_t index);
    void (*finish)(kas_device *device); /* everything else of the device is gone */
    /* Optional: bytes that could still be allocated. Default: memory_total_bytes less what is used. */
    size_t (*memory_free)(kas_device *device);
    /* Optional, both or none: the layout of float32 product weights. Default: Wᵀ, [inputs, outputs]
     * row-major, which is what kernels/linear.k reads; other types have no other layout. packed_bytes: 0 when
     * the size does not fit size_t. */
    size_t (*packed_bytes)(const kas_device *device, size_t inputs, size_t outputs);
    void (*pack)(const kas_device *device, const float *weight, size_t inputs, size_t outputs, void *out);
    /* Required where limits.fast_acts, else NULL: gets the fast product ready, names it in `name` and returns
     * a bit of each kas_weight_type that it multiplies by; 0, and no name: there is none. Once, under the
     * device's program lock. */
    uint32_t (*start_fast_product)(kas_device *device, char name[KAS_DEVICE_FAST_SIZE]);
    const kas_buffer_ops *buffer;
    const kas_program_ops *program;
    const kas_list_ops *list; /* optional: a list is then core's copy of its launches and nothing else */
    const kas_queue_ops *queue;
};

/* ---- buffer ---- */

struct kas_buffer {
    kas_device *device; /* retained */
    size_t size_bytes;  /* > 0 and within limits.max_buffer_bytes */
    char label[KAS_LABEL_SIZE];

    /* core's own */
    atomic_uint references;
    kas_kept kept;
};

struct kas_buffer_ops {
    size_t size_bytes;                      /* of the backend's buffer struct */
    kas_status (*init)(kas_buffer *buffer); /* KAS_OUT_OF_MEMORY, blame device, when there is no room */
    void (*finish)(kas_buffer *buffer);
    void *(*host)(kas_buffer *buffer); /* required where limits.host_pointers, else NULL */
};

/* ---- program ---- */

struct kas_program {
    kas_device *device;
    kas_kernel kernel;
};

struct kas_program_ops {
    size_t size_bytes; /* of the backend's program struct */
    /* Compiles, at a kernel's first use on the device; KAS_UNSUPPORTED when the device cannot run it (too
     * large a group, too much memory of a group). Under the device's program lock. */
    kas_status (*init)(kas_program *program);
    void (*finish)(kas_program *program); /* its device goes, too */
};

/* ---- list ---- */

struct kas_list {
    kas_device *device; /* retained */
    size_t count;
    const kas_launch *launches;         /* copied; buffers of FIXED bindings retained */
    const kas_program *const *programs; /* of each launch; the device's */
    uint32_t slots;                     /* bit of each kas_slot_index that a launch names */
    size_t slot_bytes[KAS_SLOT_COUNT];  /* what is bound there must be larger than this */
    uint32_t rows_max;                  /* rows that keep every grid within the device's limits */
    char label[KAS_LABEL_SIZE];

    /* core's own */
    atomic_uint references;
    kas_kept kept;
    _Atomic(uint64_t) priced;   /* pace.c: what it costs, for the rows that it was asked for last */
    _Atomic(float) pace;        /* pace.h; 0: its device's */
    _Atomic(kas_list **) parts; /* kas_list_parts; NULL: nobody asked yet */
};

struct kas_list_ops {
    size_t size_bytes; /* of the backend's list struct */
    /* The part declared here is filled in. Lists are made within kas_queue_submit too (kas_list_parts). */
    kas_status (*init)(kas_list *list);
    void (*finish)(kas_list *list);
};

/* ---- queue ---- */

/* What core keeps alive while it is in flight. */
typedef struct kas_hold {
    kas_list *list; /* or NULL */
    kas_buffer *buffers[KAS_SLOT_COUNT];
} kas_hold;

/* What a backend has of a piece (pieces.h), by the number of its submission there. */
typedef struct kas_handed {
    kas_list *list, *whole; /* held; the same one unless `list` is one launch of `whole` */
    uint32_t rows;
    uint16_t number; /* of core's submission since the last wait */
    bool last;       /* of its parts */
} kas_handed;

typedef struct kas_pieces {
    kas_handed handed[KAS_SUBMISSIONS_MAX];
    uint32_t count;     /* handed over since the backend was waited for last */
    double expected_ns; /* of these */
    int64_t since_ns;   /* when the first of them was handed over */
    uint32_t begun;     /* 1 + the number of the submission that completed parts were of last */
    double begun_ns;    /* that they took */
    struct kas_held
        *held; /* an array of held_capacity, held_count used, those before held_next handed over */
    size_t held_next, held_count, held_capacity;
} kas_pieces;

struct kas_queue {
    kas_device *device; /* retained */
    char label[KAS_LABEL_SIZE];

    /* core's own */
    kas_hold *holds; /* an array of hold_capacity, hold_count used */
    size_t hold_count, hold_capacity;
    kas_pieces pieces;
    uint32_t submitted;   /* since the last successful wait */
    bool abandoned;       /* a deadline passed with work in flight: only idle and destroy are left */
    int64_t abandoned_ns; /* since then; monotonic */
    kas_kept kept;
};

struct kas_queue_ops {
    size_t size_bytes; /* of the backend's queue struct */
    kas_status (*init)(kas_queue *queue);
    /* Idle, or its device reported lost (then without waiting for anything). */
    void (*finish)(kas_queue *queue);
    /* What fails below, up to `wait`, leaves what was enqueued before as it is. Where part of it has gone to
     * the device already, the next wait waits for that, too.
     *
     * Traffic, in order with submissions; `host` stays valid until a wait has succeeded. Sizes > 0, within
     * bounds; any number of them between two waits. `word` in the host's order of bytes; offset and size of a
     * fill are multiples of 4. */
    kas_status (*upload)(kas_queue *queue, kas_buffer *to, size_t offset, const void *host,
                         size_t size_bytes);
    kas_status (*download)(kas_queue *queue, kas_buffer *from, size_t offset, void *host, size_t size_bytes);
    kas_status (*fill)(kas_queue *queue, kas_buffer *to, size_t offset, uint32_t word, size_t size_bytes);
    /* Enqueues one submission for `rows` rows: its launches in order, each of kas_grid_groups groups along x
     * and y, over the slots' memory at slot's plus binding's offset. At most KAS_SUBMISSIONS_MAX between two
     * waits. `submission` itself does not outlive the call; what it names does. */
    kas_status (*submit)(kas_queue *queue, const kas_submission *submission, uint32_t rows);
    /* As kas_queue_wait, for what was enqueued since the last one, which may be nothing; progress is never
     * NULL, its `completed` is 0. Counts submissions that ran to their end from the first on, and sets the
     * elapsed_ns of each. KAS_DEADLINE is the kernel's blame. Where limits.immediate is not set, what is in
     * flight may be so still after KAS_DEADLINE, and after KAS_DEVICE_LOST, which is told, too, where a
     * driver does not say what is under way; after success and any other failure nothing is. After
     * KAS_DEADLINE nothing but `idle` and `finish` is called until `idle` has said true. */
    kas_status (*wait)(kas_queue *queue, int64_t deadline_ns, kas_progress *progress);
    /* Optional, for immediate devices: runs a list over host memory at once, on the calling thread alone,
     * with nothing else in the queue. False where that is not the best way to run it: nothing has been done.
     */
    bool (*run)(kas_queue *queue, const kas_list *list, void *const *slots, uint32_t rows,
                int64_t deadline_ns, kas_status *outcome);
    /* Optional where nothing runs outside `wait` (default: true): after KAS_DEADLINE, whether nothing is in
     * flight any more; false where the driver does not say. True makes the queue as new: what was enqueued is
     * forgotten, downloads that were not delivered never are. */
    bool (*idle)(kas_queue *queue);
};

/* For backends: what kas_device_use_threads asked for; 0: nothing. */
uint32_t kas_threads_wanted(void);

/* For backends: a UUID as kas_device_info has it; one of zeros is none. */
void kas_device_uuid_text(const uint8_t uuid[16], char out[KAS_DEVICE_UUID_SIZE]);

/* For core: a list of each of a list's launches, in order; made when it is asked for first, and kept by the
 * list. Any thread. */
kas_status kas_list_parts(kas_list *list, kas_list *const **out) KAS_MUST_USE;

/* For backends: groups of a launch along one direction; 0 when there are more than 2³¹ − 1. */
uint32_t kas_grid_groups(const kas_grid_rule *rule, uint32_t rows);

/* ---- registration ---- */

/* Every driver of this build, host last; defined in backends/registry.c, the only file that names backends.
 */
extern const kas_driver *const kas_drivers[];
extern const size_t kas_driver_total;

#endif
