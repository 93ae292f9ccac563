/* What a device is, whichever API drives it: driver → device → buffers, programs, lists, queues.
 *
 * The engine records work once and replays it many times. A *launch* is one run of one program over buffers;
 * a *list* is an immutable sequence of launches. A launch does not name the memory that changes from pass to
 * pass: it names a *slot* (input, output, workspace …), and each submission says what the slots are bound to.
 * Its grid is a rule of the number of rows. So one list serves every batch size, request and execution
 * context; a backend may make of it a loop (host), plain enqueues (OpenCL), a command buffer (Vulkan) or an
 * updated graph (CUDA).
 *
 * Calls here validate and trace, then dispatch through small const vtables (backends/core/backend.h); a
 * backend only translates. Capabilities are plain data (kas_device_limits, zero = absent): nobody asks which
 * backend it is.
 *
 * Errors: KAS_OUT_OF_MEMORY (blame device) when device memory is out; KAS_DEVICE_LOST is sticky: once
 * reported, every later call on that device reports it. A device is lost when its driver says so, or when it
 * has not come back from work long after that work's deadline. Nothing here retries, aborts or logs.
 *
 * Threads: a device may be used by any number of threads at once; a queue by one thread at a time. */
#ifndef KAS_CORE_DEVICE_H
#define KAS_CORE_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "kernels/kernels.h"

typedef struct kas_driver kas_driver;   /* an API that may offer devices; static */
typedef struct kas_device kas_device;   /* one opened device; reference-counted */
typedef struct kas_buffer kas_buffer;   /* device memory; reference-counted (work in flight keeps it) */
typedef struct kas_program kas_program; /* one operator's kernel, compiled; owned by its device */
typedef struct kas_list kas_list;       /* recorded launches; reference-counted, immutable */
typedef struct kas_queue kas_queue;     /* executes submissions in order; single owner */

/* ---- devices ---- */

enum {
    KAS_DEVICE_ID_SIZE = 32,
    KAS_DEVICE_NAME_SIZE = 128,
    KAS_DEVICE_UUID_SIZE = 37,
    KAS_DEVICE_FAST_SIZE = 96,
    KAS_DEVICE_CHOICE_SIZE = 128 /* of what names a device to kas_device_open; longer ones name none */
};

typedef enum kas_device_state {
    KAS_DEVICE_READY = 0,
    KAS_DEVICE_IS_LOST,
    KAS_DEVICE_REBUILDING
} kas_device_state;

/* What a device can do; zero = absent. Constant for a device's life. Core keeps to those of buffers and
 * grids; those of groups are told to whoever asks, and a program that they are too small for is refused when
 * it is made. */
typedef struct kas_device_limits {
    size_t max_buffer_bytes; /* largest single buffer; > 0 */
    size_t buffer_alignment; /* bytes, a power of two from 4 on; offsets bound to slots are multiples of it */
    size_t max_shared_bytes; /* memory shared by a work group */
    uint32_t max_group_items; /* work items of a group */
    uint32_t max_groups_x;    /* of a launch's grid; zero: 2³¹ − 1 */
    uint32_t max_groups_y;
    uint32_t compute_units;  /* cores or multiprocessors that work can spread over */
    uint32_t product_gflops; /* what the `linear` kernels reach on one of them at least; 0: not known */
    bool host_pointers;      /* a slot may be bound to plain host memory, at no cost */
    bool immediate;          /* work runs inside kas_queue_wait, on the calling thread: nothing to launch */
    bool fp16, bf16;         /* weights are stored in these types where they lose nothing by it: both, unless
                                float32 ones have a layout of the device's own */
    bool subgroups;          /* items of a group hand values to each other without its memory */
    uint64_t fast_acts[KAS_WEIGHT_TYPES]; /* bit of each ACT_… that the device's fast product over weights of
                                             that type can end in, where it turns out to have one
                                             (kas_device_fast_types); 0: launches of that type are always
                                             the portable product */
} kas_device_limits;

typedef struct kas_device_info {
    char id[KAS_DEVICE_ID_SIZE];     /* "host:0" */
    char kind[16];                   /* "cpu", "vulkan" …: what device_requirements name */
    char api[16];                    /* "host", "vulkan" …: its driver's name */
    char name[KAS_DEVICE_NAME_SIZE]; /* as the vendor calls it; never "" */
    char uuid[KAS_DEVICE_UUID_SIZE]; /* 8-4-4-4-12 hex digits in lower case; "" where its API has none */
    bool software; /* this machine's processors under another API: "auto" passes it over for host:0 */
    kas_device_state state;
    size_t memory_total_bytes; /* > 0 */
    size_t memory_used_bytes;  /* by this process's kas_buffers, to the byte */
    size_t memory_free_bytes;  /* what could still be had */
} kas_device_info;

/* How many devices a driver offers and what they are, without opening any and without waking a driver that
 * nobody uses. A missing vendor library is no error: there are then 0 devices. */
size_t kas_driver_count(void);
const kas_driver *kas_driver_at(size_t index);
const char *kas_driver_name(const kas_driver *driver); /* the "host" of "host:0" */
kas_status kas_driver_list(const kas_driver *driver, kas_device_info *infos, size_t capacity,
                           size_t *count) KAS_MUST_USE;

/* Opens the device that a name stands for: its id ("vulkan:0"), or its API with its UUID
 * ("vulkan:6d657361-…", hyphens or not) or part of its name ("vulkan:radeon", in any case); "auto" is the
 * first device of the first driver that has one, host:0 at last. The same device opened twice is the same
 * object. KAS_NOT_FOUND names what there is, KAS_INVALID_ARGUMENT the devices that a part of a name could
 * mean. */
kas_status kas_device_open(const char *id, kas_device **out) KAS_MUST_USE;
/* The id of the device that a name stands for, without opening it; fails as kas_device_open. */
kas_status kas_device_resolve(const char *name, char id[KAS_DEVICE_ID_SIZE]) KAS_MUST_USE;
kas_device *kas_device_retain(kas_device *device);
/* How many threads compute a pass on this machine's own processors, on devices opened from now on; 0: as each
 * device chooses by itself. Any thread. */
void kas_device_use_threads(uint32_t threads);
/* Where drivers' work is kept from one run to the next: compiled programs and the like (copied; the folder is
 * made when there is something to keep; NULL: nowhere, which is how a process begins). Only time depends on
 * it. Any thread. */
kas_status kas_device_use_cache_directory(const char *path) KAS_MUST_USE;
/* How long a device may stay away after a deadline has passed, on all devices from now on; 0: 30 s. Then it
 * is lost (kas_queue_give_up). Any thread. */
void kas_device_use_grace(int64_t ns);
void kas_device_release(kas_device *device); /* accepts NULL */

const kas_device_limits *kas_device_get_limits(const kas_device *device);
void kas_device_get_info(kas_device *device, kas_device_info *out);
const char *kas_device_id(const kas_device *device);
bool kas_device_is_lost(const kas_device *device);            /* sticky */
const char *kas_device_lost_reason(const kas_device *device); /* "" while it is not; lives as long as it */
/* What launches that need not be of KAS_PRECISION_F32 use, "cuBLASLt 13.1.0"; "": nothing of their own. The
 * first call may take a second, in which the vendor's library is loaded; the answer stays the same from then
 * on, and nothing else loads it. Any thread. */
const char *kas_device_fast_product(kas_device *device);
/* Bit of each kas_weight_type that it multiplies by; as kas_device_fast_product for the rest. */
uint32_t kas_device_fast_types(kas_device *device);

/* ---- buffers ---- */

/* size_bytes > 0; contents undefined. The label (copied, may be NULL) appears in messages. */
kas_status kas_buffer_create(kas_device *device, size_t size_bytes, const char *label,
                             kas_buffer **out) KAS_MUST_USE;
kas_buffer *kas_buffer_retain(kas_buffer *buffer);
void kas_buffer_release(kas_buffer *buffer); /* accepts NULL */
size_t kas_buffer_size(const kas_buffer *buffer);
kas_device *kas_buffer_device(const kas_buffer *buffer);
/* The buffer's memory where limits.host_pointers is set, else NULL. */
void *kas_buffer_host(kas_buffer *buffer);

/* ---- programs ---- */

/* The device's program for a kernel; compiled at first use, kept until the device goes. KAS_UNSUPPORTED when
 * the device cannot run it. */
kas_status kas_device_program(kas_device *device, kas_kernel kernel, const kas_program **out) KAS_MUST_USE;

/* Weights of the `linear` kernels of a type, in the layout that this device's product reads. `weight` is
 * [outputs, inputs] row-major float32, as PyTorch stores it; rounded where the type does not hold a value.
 * pack writes packed_bytes bytes to `out`. Pure host work. */
size_t kas_device_packed_bytes(const kas_device *device, kas_weight_type type, size_t inputs,
                               size_t outputs); /* 0: does not fit size_t */
void kas_device_pack(const kas_device *device, kas_weight_type type, const float *weight, size_t inputs,
                     size_t outputs, void *out);
/* Two values of a type of 16 bits as a word. */
uint32_t kas_weight_pair(kas_weight_type type, float even, float odd);
/* The type of the fewest digits that holds every value exactly. */
kas_weight_type kas_weight_type_of(const float *values, size_t count);

/* ---- lists ---- */

/* What a launch's buffers may be bound to at submission. */
typedef enum kas_slot_index {
    KAS_SLOT_PARAMS = 0, /* struct kas_pass_params, see kernels/args.h */
    KAS_SLOT_X,          /* the segment's input */
    KAS_SLOT_Y,          /* the segment's output */
    KAS_SLOT_WORK,       /* the segment's workspace */
    KAS_SLOT_BLEND,      /* kernels' outputs before blending */
    KAS_SLOT_RESULT,     /* what the pass reports: masks, coefficients, statistics */
    KAS_SLOT_COUNT,
    KAS_SLOT_FIXED = 255 /* not a slot: the launch's own buffer (weights) */
} kas_slot_index;

typedef struct kas_binding {
    uint8_t slot;        /* kas_slot_index */
    kas_buffer *buffer;  /* KAS_SLOT_FIXED only; the list retains it */
    size_t offset_bytes; /* from the start of the slot or buffer; a multiple of limits.buffer_alignment */
} kas_binding;

/* groups = ceil((per_row * rows + fixed) / divisor), at least 1; divisor > 0. */
typedef struct kas_grid_rule {
    uint32_t per_row, fixed, divisor;
} kas_grid_rule;

/* What a product may round its factors to before it multiplies them; sums are float32 everywhere. */
typedef enum kas_precision {
    KAS_PRECISION_F32 = 0, /* nothing; a row's bits do not depend on its batch */
    KAS_PRECISION_TF32,    /* 11 bits of mantissa; bits may depend on the batch, here and below */
    KAS_PRECISION_BF16,    /* 8 bits of mantissa */
} kas_precision;

typedef struct kas_launch {
    kas_kernel kernel;
    uint8_t precision; /* kas_precision that is enough: a device may give more. F32 for all kernels but
                          `linear` and its types; whose activation must be one of limits.fast_acts of
                          its type for another precision to change anything, which it does once
                          kas_device_fast_types has been asked */
    const char *label; /* static or outliving the list; may be NULL */
    kas_binding bindings[KAS_KERNEL_MAX_BUFFERS]; /* as many as the kernel has buffers; binding 0 is PARAMS */
    kas_grid_rule grid_x, grid_y;
    uint32_t args[KAS_KERNEL_MAX_ARGS / 4]; /* the kernel's argument struct */
} kas_launch;

/* Rows that keep a launch's grid within the device's limits; divisors > 0. */
uint32_t kas_launch_rows_max(const kas_device *device, const kas_launch *launch);

/* Records launches (copied). Cheap: no device work is waited for. Row r of a launch's results depends on row
 * r of its operands, and memory that several of the list's launches use is laid out in rows of one size, so a
 * device may take some rows through several launches while others are elsewhere. What a list leaves in its
 * workspace means nothing to another one. */
kas_status kas_list_create(kas_device *device, const kas_launch *launches, size_t count, const char *label,
                           kas_list **out) KAS_MUST_USE;
kas_list *kas_list_retain(kas_list *list);
void kas_list_release(kas_list *list); /* accepts NULL */
size_t kas_list_length(const kas_list *list);

/* How long a list is expected to run for so many rows: from what its launches are and how fast it, or else
 * its device, turned out to be (backends/core/pace.h). Any thread. */
double kas_list_expected_ns(kas_list *list, uint32_t rows);

/* ---- queues ---- */

kas_status kas_queue_create(kas_device *device, const char *label, kas_queue **out) KAS_MUST_USE;
/* What was enqueued has been waited for, or its device is lost: then what it was given in host memory must
 * stay for good unless it is idle. One that was abandoned and is not idle is
 * kept, with all that it uses, and nothing of its device is freed from then on: whoever does not wait for it
 * gives it up first. Accepts NULL. */
void kas_queue_destroy(kas_queue *queue);
/* Nobody waits any longer for work that passed its deadline (else nothing happens): its device is lost, and
 * neither its driver nor anything that it was given is touched again, as it may read and write there at any
 * time. All of it stays allocated, and counted, until the process ends. */
void kas_queue_give_up(kas_queue *queue);

/* Memory traffic, in order with submissions. `host` memory must stay valid until a later kas_queue_wait has
 * returned success, or the queue is idle. Bounds are checked. */
kas_status kas_queue_upload(kas_queue *queue, kas_buffer *to, size_t offset_bytes, const void *host,
                            size_t size_bytes) KAS_MUST_USE;
kas_status kas_queue_download(kas_queue *queue, kas_buffer *from, size_t offset_bytes, void *host,
                              size_t size_bytes) KAS_MUST_USE;
kas_status kas_queue_fill(kas_queue *queue, kas_buffer *to, size_t offset_bytes, uint32_t word,
                          size_t size_bytes) KAS_MUST_USE; /* size: a multiple of 4 */

typedef struct kas_slot {
    kas_buffer *buffer;
    size_t offset_bytes; /* a multiple of limits.buffer_alignment */
    void *host;          /* instead of a buffer, where limits.host_pointers; offset is then 0 */
} kas_slot;

typedef struct kas_submission {
    kas_list *list;
    kas_slot slots[KAS_SLOT_COUNT]; /* those that the list's launches name */
    bool apart; /* it and its neighbours that are apart too write nothing that another of them reads or
                   writes: a device may run them at the same time */
} kas_submission;

enum { KAS_SUBMISSIONS_MAX = 160 }; /* between two waits */

/* How long what a queue has on its device at one time is expected to run at most, unless a single launch
 * takes longer: a longer pass goes there in pieces, with a look at the deadline between them. Every queue of
 * the process, where limits.immediate is not set. Any thread; tests make pieces small. */
enum { KAS_PIECE_NS = 50000000 };
int64_t kas_piece_ns(void);
void kas_use_piece_ns(int64_t ns);

/* Enqueues lists for `rows` rows (> 0; P[0] of the parameter block must say the same). The queue keeps the
 * lists and buffers alive until they are done; after a failure, when part of the submission that failed may
 * run, those are the caller's to keep until a wait has returned. */
kas_status kas_queue_submit(kas_queue *queue, const kas_submission *submissions, size_t count,
                            uint32_t rows) KAS_MUST_USE;

typedef struct kas_progress {
    uint32_t completed;                       /* submissions since the last wait that ran to their end */
    uint32_t elapsed_ns[KAS_SUBMISSIONS_MAX]; /* of each completed one, saturating; 0 where not known */
} kas_progress;

/* Waits until all that was enqueued is done, or until the monotonic time deadline_ns (KAS_NEVER: no
 * deadline). KAS_DEADLINE: it was not done in time; progress->completed names the submission that is to
 * blame; what is in flight is a piece at most, and the rest never runs. Where limits.immediate is set nothing
 * runs on afterwards and the queue may be used again; elsewhere the queue and all memory bound to it must be
 * left alone (never waited for, never freed) until kas_queue_idle says so; where that takes longer than the
 * grace time, kas_queue_idle gives the queue up. KAS_DEVICE_LOST, here or from a call that enqueues: what was
 * in flight may run on for good, so kas_queue_idle never says so again where there was anything, and host
 * memory that the queue was given must stay. Another failure: the submission progress->completed failed; what
 * came after it did not run. progress may be NULL. */
kas_status kas_queue_wait(kas_queue *queue, int64_t deadline_ns, kas_progress *progress) KAS_MUST_USE;
/* Whether nothing is in flight, for all that is known. */
bool kas_queue_idle(kas_queue *queue);

/* A list over plain host memory (limits.host_pointers) in an idle queue, waited for: an address, fit for a
 * float, for each slot that the list names. The shortest way where limits.immediate is set; nothing is kept
 * alive: list and memory are the caller's until this returns. */
kas_status kas_queue_run(kas_queue *queue, kas_list *list, void *const slots[KAS_SLOT_COUNT], uint32_t rows,
                         int64_t deadline_ns) KAS_MUST_USE;

#endif
