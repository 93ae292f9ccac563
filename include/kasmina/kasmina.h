/* Kasmina's C API: an engine that serves layers, grafts kernels into their seeds while passes run, and
 * answers every forward pass. docs/semantics.md says what each word and operation means; examples/embed/ has
 * a whole program.
 *
 *     kas_engine *engine;
 *     kas_status status = kas_engine_create(&(kas_engine_options){.size = sizeof(kas_engine_options)},
 * &engine);
 *
 * Conventions: every struct leads with `size`, set by the caller to its sizeof; members that are zero take
 * their default. Every call that can fail returns a kas_status (see <kasmina/status.h>): NULL is success.
 * Changes are requests: kas_engine_submit answers by a callback, kas_engine_call waits. Reads are copies and
 * do not block passes. All calls may be made from any thread, but for create and destroy. */
#ifndef KASMINA_H
#define KASMINA_H

#include <kasmina/forward.h>
#include <kasmina/log.h>
#include <kasmina/types.h>

typedef struct kas_engine kas_engine;

KAS_API const char *kas_version(void); /* "0.1.0" */

/* ---- engine ---- */

typedef struct kas_engine_options {
    size_t size;
    const char *data_dir;     /* for uploaded artifacts and what drivers compile; NULL: in memory only */
    const char *artifact_dir; /* the embedded registry; NULL: none */
    const char *trusted_keys; /* Ed25519 public keys in hex, separated by commas: the registry's artifacts
                                 must be signed by one of them; NULL: signatures are not asked for */
    const char *device;       /* what "auto" means: "host:0"; NULL: the first device that has room */
    uint32_t threads;         /* of the host device's pool; number of cores */
    uint32_t loaders;         /* threads that fetch, decode and upload; 2 */
    uint64_t cache_bytes;     /* of kernels on devices; 512 MiB */
    uint32_t cache_entries;   /* 128 */
    uint64_t artifact_bytes;  /* largest artifact; 256 MiB */
    int64_t deadline_ns;      /* of a kernel in a pass; 10 s */
    int64_t grace_ns; /* beyond a deadline: a device that is still away then is lost; 30 s. Of the process */
} kas_engine_options;

KAS_API kas_status kas_engine_create(const kas_engine_options *options, kas_engine **out) KAS_MUST_USE;
/* Ends what runs and frees everything. What was handed over before (submitted passes and requests, watches of
 * operations) gets its one answer, in its callback, before this returns: passes that had begun their result,
 * the others KAS_UNAVAILABLE; loads are cancelled. A callback may submit more even then: it is refused with
 * KAS_UNAVAILABLE by the call itself, or accepted and answered like the rest.
 *
 * Threads must have come back from their own calls first, and begin no more: a kas_forward that is inside, or
 * begins, while the engine is being destroyed may use memory that is gone. Accepts NULL. */
KAS_API void kas_engine_destroy(kas_engine *engine);

/* ---- changes ---- */

typedef enum kas_request_kind {
    KAS_REQUEST_CREATE_LAYER = 0,
    KAS_REQUEST_DELETE_LAYER,
    KAS_REQUEST_SET_WEIGHTS,
    KAS_REQUEST_SET_SERVING,
    KAS_REQUEST_LOAD,
    KAS_REQUEST_UNLOAD,
    KAS_REQUEST_RESET,
    KAS_REQUEST_FOSSILIZE,
    KAS_REQUEST_SET_ALPHA,
    KAS_REQUEST_DROP_STAGED,
    KAS_REQUEST_CANCEL_OPERATION,
    KAS_REQUEST_ADVANCE_EPOCH,
    KAS_REQUEST_PRELOAD,
    KAS_REQUEST_PUT_KERNEL,   /* decode, check, keep */
    KAS_REQUEST_EVICT_KERNEL, /* from every tier */
    KAS_REQUEST_PIN,
    KAS_REQUEST_UNPIN,
    KAS_REQUEST_VALIDATE, /* decode, check, report, keep nothing */
    KAS_REQUEST_LIFT_QUARANTINE,
    KAS_REQUEST_MOVE_LAYER,   /* to another device, while it serves; answers when it has begun */
    KAS_REQUEST_SET_REPLICAS, /* the devices that it is on besides its own; answers when it has begun */
    KAS_REQUEST_KIND_COUNT
} kas_request_kind;

struct kas_validation;

typedef struct kas_device_names { /* each named, not "auto" */
    uint32_t count;
    const char *names[KAS_REPLICAS_MAX];
} kas_device_names;

typedef struct kas_request {
    size_t size;
    kas_request_kind kind;
    const char *layer;
    uint32_t seed;
    uint32_t at_epoch; /* 0: at once */
    uint64_t
        revision; /* that the seed or layer must have; 0: any. Else KAS_CONFLICT, reason "precondition" */
    const char *artifact_id;
    bool has_alpha;
    float alpha; /* [0, 1] */
    kas_ramp ramp;
    union {
        struct {
            int64_t layer_id; /* −1: the smallest unused */
            uint32_t input_size, output_size, num_seeds;
            bool bias;
            kas_math math;
            const char *device; /* "auto", "host:0", "vulkan:UUID", "vulkan:part of its name"; NULL: "auto" */
            uint64_t init_seed; /* of PyTorch's Linear initialisation */
            kas_device_names replicas; /* begun with the layer; operations tell when they are there */
        } create_layer;
        struct {
            bool force;
        } delete_layer;
        struct {
            const void *bytes;
            size_t size_bytes;
        } set_weights; /* safetensors; borrowed until the answer */
        struct {
            bool serving;
        } set_serving;
        struct {
            uint64_t operation;
        } cancel;
        struct {
            uint32_t epoch;
            bool skip_unready;
        } advance;
        struct {
            const char *device;
        } preload; /* NULL: "auto" */
        struct {
            const char *device;
        } move_layer; /* NULL: "auto": the first that has room for all that the layer has, or has it already
                       */
        struct {
            kas_device_names replicas; /* all that are to be; those there already stay as they are */
        } set_replicas;                /* reply.operation: of the last that is being made */
        struct {
            const void *bytes;
            size_t size_bytes;
        } put_kernel; /* borrowed until the answer */
        struct {      /* artifact_id, or bytes (borrowed until the answer); `layer` may be NULL */
            const void *bytes;
            size_t size_bytes;
            struct kas_validation *result; /* filled before the answer; kas_validation_finish */
        } validate;
        struct {
            char checksum[KAS_CHECKSUM_HEX_SIZE];
        } lift;
    };
} kas_request;

/* `status` is the receiver's; `reply` is borrowed for the call and never NULL. On a thread of the engine: the
 * callback must not block and must not make a blocking call. */
typedef void (*kas_reply_fn)(void *user, kas_status status, const kas_reply *reply);

/* Checks what can be checked at once (a failure is returned and `done` is not called), then answers by
 * `done`, once. The texts of the request are copied. A load answers when it has been accepted; its operation
 * tells the rest. */
KAS_API kas_status kas_engine_submit(kas_engine *engine, const kas_request *request, kas_reply_fn done,
                                     void *user) KAS_MUST_USE;
/* The same, waited for. `reply` may be NULL; else finish it with kas_reply_finish, also after a failure. */
KAS_API kas_status kas_engine_call(kas_engine *engine, const kas_request *request,
                                   kas_reply *reply) KAS_MUST_USE;
KAS_API void kas_reply_finish(kas_reply *reply); /* accepts empty */

/* Calls `done` when the operation has finished, or at the monotonic time deadline_ns with KAS_DEADLINE; a
 * failed operation gives the status that ended it. Returns a failure at once for an unknown operation. */
KAS_API kas_status kas_engine_watch_operation(kas_engine *engine, uint64_t operation, int64_t deadline_ns,
                                              kas_forward_done done, void *user) KAS_MUST_USE;
/* The same, waited for. */
KAS_API kas_status kas_engine_wait_operation(kas_engine *engine, uint64_t operation,
                                             int64_t deadline_ns) KAS_MUST_USE;

/* ---- passes ---- */

/* See <kasmina/forward.h>. KAS_NOT_FOUND, KAS_INVALID_ARGUMENT (the message has both shapes),
 * KAS_UNAVAILABLE, KAS_DEADLINE. */
KAS_API kas_status kas_forward(kas_engine *engine, const kas_forward_request *request,
                               kas_forward_result *result) KAS_MUST_USE;
/* Several passes, each as kas_forward would do it and with its own status; those of one layer are computed
 * together where they fit, so that its weights are read once. Their bits are the same. */
KAS_API void kas_forward_together(kas_engine *engine, kas_forward_call *calls, size_t count);
KAS_API kas_status kas_forward_submit(kas_engine *engine, const kas_forward_request *request,
                                      kas_forward_result *result, kas_forward_done done,
                                      void *user) KAS_MUST_USE;
/* True when kas_forward would take well under a millisecond, so that a serving thread may call it. */
KAS_API bool kas_forward_is_small(kas_engine *engine, const char *layer, uint64_t rows);

/* ---- reading: layers, seeds, operations ---- */

KAS_API uint32_t kas_engine_epoch(kas_engine *engine,
                                  uint32_t *staged); /* staged: changes that wait; may be NULL */
KAS_API kas_status kas_engine_layer(kas_engine *engine, const char *name, kas_layer_info *out) KAS_MUST_USE;
KAS_API kas_status kas_engine_seed(kas_engine *engine, const char *layer, uint32_t seed,
                                   kas_seed_info *out) KAS_MUST_USE;
/* A layer with all its seeds, of one moment: fills min(capacity, num_seeds) of `seeds`. */
KAS_API kas_status kas_engine_layer_seeds(kas_engine *engine, const char *name, kas_layer_info *layer,
                                          kas_seed_info *seeds, uint32_t capacity) KAS_MUST_USE;
KAS_API kas_status kas_engine_operation(kas_engine *engine, uint64_t operation,
                                        kas_operation_info *out) KAS_MUST_USE;
/* Pages: up to `capacity` that come after `after` ("" or 0: from the start), in order of name or number;
 * returns how many. */
KAS_API size_t kas_engine_list_layers(kas_engine *engine, const char *after, kas_layer_info *out,
                                      size_t capacity);
KAS_API size_t kas_engine_list_operations(kas_engine *engine, uint64_t after, kas_operation_info *out,
                                          size_t capacity);
/* The layer's own weights (without fossils) as safetensors; *bytes is freed with kas_release. */
KAS_API kas_status kas_engine_weights(kas_engine *engine, const char *layer, void **bytes,
                                      size_t *size_bytes) KAS_MUST_USE;
KAS_API void kas_release(void *block); /* what a call gave out; accepts NULL */

/* ---- reading: kernels ---- */

enum { KAS_KERNEL_USES_MAX = 16, KAS_DEVICES_MAX = 16 };

typedef struct kas_kernel_use {
    char layer[KAS_NAME_SIZE];
    uint32_t seed;
} kas_kernel_use;

typedef struct kas_cached_kernel { /* an artifact that the engine knows, by id */
    size_t size;
    char artifact_id[KAS_NAME_SIZE];
    uint64_t kernel_id;
    char checksum[KAS_CHECKSUM_HEX_SIZE];
    char format[16]; /* "onnx" … */
    bool on_device, on_host, on_disk;
    char devices[KAS_DEVICES_MAX][32];
    uint32_t device_count;
    bool quarantined, pinned;
    uint32_t use_count; /* all; the first KAS_KERNEL_USES_MAX are listed */
    kas_kernel_use uses[KAS_KERNEL_USES_MAX];
    uint64_t size_bytes;   /* of the artifact */
    uint64_t device_bytes; /* on all devices */
    uint64_t hits;
    int64_t last_accessed_ns;
    uint64_t parameter_count;
    double score;        /* of the performance profile */
    char *metadata_json; /* the object of docs/semantics.md, complete; owned */
} kas_cached_kernel;

KAS_API void kas_cached_kernel_finish(kas_cached_kernel *kernel); /* accepts empty */
KAS_API kas_status kas_engine_kernel(kas_engine *engine, const char *artifact_id,
                                     kas_cached_kernel *out) KAS_MUST_USE;
/* A page, in order of id; each one filled is to be finished. */
KAS_API kas_status kas_engine_list_kernels(kas_engine *engine, const char *after, kas_cached_kernel *out,
                                           size_t capacity, size_t *count) KAS_MUST_USE;
/* Cached kernels that fit the layer, best score first, then the most recent. max_memory_mb ≤ 0: the default
 * limit. */
KAS_API kas_status kas_engine_compatible_kernels(kas_engine *engine, const char *layer, double max_memory_mb,
                                                 kas_cached_kernel *out, size_t capacity,
                                                 size_t *count) KAS_MUST_USE;

enum { KAS_OPERATORS_MAX = 64, KAS_REASONS_MAX = 8 };

typedef struct kas_validation {
    size_t size;
    bool valid;                      /* decoded and checked */
    bool has_compatible, compatible; /* with the layer that was named */
    char reasons[KAS_REASONS_MAX][KAS_DETAIL_SIZE];
    uint32_t reason_count;
    char format[16];                       /* "" where unknown */
    char operators[KAS_OPERATORS_MAX][32]; /* in the artifact's own terms, sorted */
    uint32_t operator_count;
    char *metadata_json; /* NULL when not valid; owned */
} kas_validation;

KAS_API void kas_validation_finish(kas_validation *validation); /* accepts empty */

typedef struct kas_quarantined {
    size_t size;
    char checksum[KAS_CHECKSUM_HEX_SIZE];
    char artifact_ids[4][KAS_NAME_SIZE]; /* the first four bound to it */
    uint32_t artifact_count;
    char reason[KAS_DETAIL_SIZE];
    int64_t since_ns;
} kas_quarantined;

KAS_API size_t kas_engine_list_quarantine(kas_engine *engine, size_t from, kas_quarantined *out,
                                          size_t capacity);

/* ---- reading: statistics, health, history ---- */

typedef struct kas_layer_stats {
    size_t size;
    uint64_t forward_calls, rows, failed_calls;  /* forward_calls and rows were answered */
    uint64_t kernel_executions, kernel_failures; /* runs of seeds' kernels */
    double kernel_ms;                            /* in all */
    kas_latency latency;
    double queue_ms; /* waiting for execution contexts, in all: a part of the latency */
    int64_t last_ns; /* when the last call was answered, since 1970-01-01T00:00:00Z; 0: none was */
} kas_layer_stats;

KAS_API kas_status kas_engine_layer_stats(kas_engine *engine, const char *layer,
                                          kas_layer_stats *out) KAS_MUST_USE;
KAS_API void kas_engine_total_stats(kas_engine *engine, kas_layer_stats *out);

typedef struct kas_tier_stats {
    uint32_t entries, max_entries; /* max 0: unlimited */
    uint64_t total_bytes, max_bytes;
    uint64_t hits, misses, evictions;
} kas_tier_stats;

typedef struct kas_cache_report {
    size_t size;
    kas_tier_stats device, host, disk;
    uint32_t metadata_entries;
    uint64_t compatibility_checks, compatibility_failures;
    uint64_t total_parameters; /* of the device tier's entries */
} kas_cache_report;

KAS_API void kas_engine_cache_stats(kas_engine *engine, kas_cache_report *out);

typedef struct kas_error_record {
    size_t size;
    int64_t at_ns;
    kas_error_type type;
    kas_code code; /* as in kas_error_info */
    char component[32];
    char layer[KAS_NAME_SIZE]; /* "" where none */
    int32_t seed;              /* −1 where none */
    char artifact_id[KAS_NAME_SIZE];
    char detail[KAS_DETAIL_SIZE];
} kas_error_record;

typedef struct kas_recovery_stats {
    size_t size;
    uint64_t total_errors;
    uint64_t error_counts[KAS_ERROR_TYPE_COUNT];
    double error_rate_5min; /* errors a second */
    uint64_t total_recoveries, recent_recoveries, successful_recoveries;
    uint32_t active_recoveries;
    char problematic_kernels[8][KAS_NAME_SIZE]; /* with 3 errors or more in the window */
    uint32_t problematic_kernel_count;
    char problematic_components[8][32]; /* with 10 */
    uint32_t problematic_component_count;
} kas_recovery_stats;

/* The newest first; the history holds 1,000. */
KAS_API size_t kas_engine_list_errors(kas_engine *engine, kas_error_record *out, size_t capacity);
KAS_API void kas_engine_recovery_stats(kas_engine *engine, kas_recovery_stats *out);

typedef enum kas_health_status {
    KAS_HEALTH_OK = 0,
    KAS_HEALTH_DEGRADED,
    KAS_HEALTH_FAILED
} kas_health_status;

typedef struct kas_health {
    size_t size;
    kas_health_status status;
    bool ready;
    struct {
        char component[32];
        char reason[KAS_DETAIL_SIZE];
        int64_t since_ns;
    } degraded[8];
    uint32_t degraded_count;
    double uptime_s;
} kas_health;

KAS_API void kas_engine_health(kas_engine *engine, kas_health *out);

typedef struct kas_device_report {
    size_t size;
    char id[32];
    char kind[16]; /* "cpu", "cuda", "opencl", "vulkan" */
    char api[16];
    char name[128];
    char state[16]; /* "ready", "lost", "rebuilding" */
    bool opened;    /* some layer has used it */
    uint64_t memory_total_bytes, memory_used_bytes, memory_free_bytes;
    uint32_t layers;
    uint64_t max_buffer_bytes, max_shared_bytes;
    uint32_t max_group_items, compute_units;
    bool fp16, bf16, subgroups, host_pointers;
    char uuid[37];         /* "" where its API has none */
    char fast_product[96]; /* what multiplies for layers of KAS_MATH_FAST, "cuBLASLt 13.1.0"; "": the product
                              that all layers have */
} kas_device_report;

/* Every device that the machine offers; opens none. */
KAS_API size_t kas_engine_list_devices(kas_engine *engine, kas_device_report *out, size_t capacity);

/* ---- events ---- */

typedef enum kas_event_kind {
    KAS_EVENT_TRANSITION = 0,
    KAS_EVENT_OPERATION,
    KAS_EVENT_ERROR,
    KAS_EVENT_ALERT,
    KAS_EVENT_LAYER_UPDATE,
} kas_event_kind;

typedef struct kas_event {
    size_t size;
    uint64_t sequence; /* from 1, without gaps */
    int64_t at_ns;
    kas_event_kind kind;
    char layer[KAS_NAME_SIZE];
    int32_t seed;
    kas_lifecycle from, to;
    char artifact_id[KAS_NAME_SIZE];
    char reason[64];
    uint64_t operation;
    kas_error_type error_type;
    char component[32];
    char detail[KAS_DETAIL_SIZE];
} kas_event;

/* Events after `after`, oldest first; the last 4,096 are kept. Returns how many; *missed (may be NULL) says
 * how many between `after` and the first returned are gone. */
KAS_API size_t kas_engine_events(kas_engine *engine, uint64_t after, kas_event *out, size_t capacity,
                                 uint64_t *missed);
KAS_API uint64_t
kas_engine_last_event(kas_engine *engine); /* sequence of the newest; 0: there was none yet */
/* Called on the control thread after new events; must not block. One listener; NULL removes it (and waits
 * until a running call has returned). */
KAS_API void kas_engine_on_events(kas_engine *engine, void (*wake)(void *user), void *user);

/* ---- words ---- */

KAS_API const char *kas_lifecycle_name(kas_lifecycle state);  /* "DORMANT" … */
KAS_API const char *kas_error_type_name(kas_error_type type); /* "kernel_execution" …; "" for none */
KAS_API const char *kas_operation_state_name(kas_operation_state state); /* "queued" … */
KAS_API const char *kas_stage_name(kas_stage stage);                     /* "lookup" … */
KAS_API const char *kas_tier_name(kas_tier tier);                        /* "device" …; "" for none */
KAS_API const char *kas_change_name(kas_change change);                  /* "load" … */
/* 1 to 128 of A-Z a-z 0-9 . _ - and neither "." nor ".."; an artifact id may also hold ':' and '/'. */
KAS_API bool kas_name_is_valid(const char *name);
KAS_API bool kas_artifact_id_is_valid(const char *id);

#endif
