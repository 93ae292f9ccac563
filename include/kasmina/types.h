/* What the engine tells of its layers, seeds, kernels, operations and devices: plain structs, copied out,
 * owned by the caller, with no pointers to free. Every struct begins with its size, so that it can grow: set
 * `size` to sizeof before a call that reads or fills one. The words are those of docs/semantics.md.
 *
 * Times are nanoseconds since 1970-01-01T00:00:00Z; 0 = never. Texts are UTF-8 and NUL-terminated. */
#ifndef KASMINA_TYPES_H
#define KASMINA_TYPES_H

#include <kasmina/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    KAS_NAME_SIZE = 129,        /* names of layers, artifact ids: 128 characters and a NUL */
    KAS_MAX_SEEDS = 64,         /* of a layer */
    KAS_REPLICAS_MAX = 3,       /* of a layer, besides the one on its own device */
    KAS_DETAIL_SIZE = 256,      /* a sentence for a person, cut to fit */
    KAS_CHECKSUM_HEX_SIZE = 65, /* SHA-256 in hex */
};

/* ---- seeds ---- */

typedef enum kas_lifecycle {
    KAS_SEED_DORMANT = 0,
    KAS_SEED_LOADING = 1,
    KAS_SEED_ACTIVE = 2,
    KAS_SEED_ERROR_RECOVERY = 3,
    KAS_SEED_FOSSILIZED = 4,
} kas_lifecycle;

/* The engine's classification of an error. */
typedef enum kas_error_type {
    KAS_ERROR_NONE = 0,
    KAS_ERROR_KERNEL_EXECUTION,
    KAS_ERROR_KERNEL_LOADING,
    KAS_ERROR_KERNEL_VALIDATION,
    KAS_ERROR_MEMORY_OVERFLOW,
    KAS_ERROR_DEVICE_ERROR,
    KAS_ERROR_NETWORK_ERROR,
    KAS_ERROR_CIRCUIT_BREAKER,
    KAS_ERROR_TIMEOUT,
    KAS_ERROR_UNKNOWN,
    KAS_ERROR_TYPE_COUNT
} kas_error_type;

typedef struct kas_error_info {
    kas_error_type type; /* KAS_ERROR_NONE: there is none */
    kas_code code;       /* of the status that told it; KAS_OK where none did, as in a pass */
    int64_t at_ns;
    char detail[KAS_DETAIL_SIZE];
} kas_error_info;

typedef enum kas_change {
    KAS_CHANGE_NONE = 0,
    KAS_CHANGE_LOAD,
    KAS_CHANGE_UNLOAD,
    KAS_CHANGE_RESET,
    KAS_CHANGE_FOSSILIZE,
    KAS_CHANGE_ALPHA,
} kas_change;

typedef enum kas_ramp_unit { KAS_RAMP_NONE = 0, KAS_RAMP_MS, KAS_RAMP_PASSES } kas_ramp_unit;
typedef enum kas_curve { KAS_CURVE_LINEAR = 0, KAS_CURVE_COSINE } kas_curve;

/* How alpha gets from where it is to its target; all zero: at once. */
typedef struct kas_ramp {
    kas_ramp_unit unit;
    uint32_t length; /* milliseconds or passes, > 0 */
    kas_curve curve; /* cosine: (1 − cos πt)/2 in place of t */
} kas_ramp;

typedef struct kas_staged_info {
    kas_change change; /* KAS_CHANGE_NONE: nothing is staged */
    uint32_t at_epoch;
    char artifact_id[KAS_NAME_SIZE]; /* a load's; "" otherwise */
    bool has_alpha;
    float alpha;
} kas_staged_info;

typedef struct kas_seed_info {
    size_t size;
    char layer[KAS_NAME_SIZE];
    uint32_t index;
    kas_lifecycle lifecycle_state;
    char artifact_id[KAS_NAME_SIZE]; /* "" = none */
    uint64_t active_kernel_id;       /* 0 = none */
    float alpha_blend;               /* the half-precision value that is computed with */
    bool has_alpha_target;           /* a ramp is running */
    float alpha_target;
    float health_accumulator;
    uint32_t last_update_epoch;
    uint16_t exec_latency_us;
    uint16_t error_count;
    bool fallback_active;
    bool pinned;
    bool contributing;
    uint64_t operation; /* that works on this seed; 0 = none */
    uint64_t revision;  /* grows with each controlled change of this seed: for ETags */
    kas_staged_info staged;
    kas_error_info last_error;
} kas_seed_info;

/* ---- layers ---- */

typedef enum kas_math { KAS_MATH_INVARIANT = 0, KAS_MATH_FAST } kas_math;

typedef struct kas_replica_info {
    char device[32];
    bool ready; /* it serves; else it is being made, or what the layer got lately is, or its device is lost */
    bool lost;  /* its device is: it stays in the list until it is dropped */
} kas_replica_info;

typedef struct kas_layer_info {
    size_t size;
    char name[KAS_NAME_SIZE];
    int64_t layer_id;
    uint32_t input_size, output_size; /* features of a row */
    uint32_t num_seeds;
    bool bias;
    kas_math math;
    char device[32]; /* "host:0" */
    bool serving;    /* false after a repository unload */
    uint64_t generation;
    uint32_t epoch;
    uint32_t active_seeds;
    bool has_active_seeds;
    uint32_t fossils;
    uint64_t
        revision; /* grows with each controlled change (state, kernel, alpha target, weights): for ETags */
    char weights_sha256[KAS_CHECKSUM_HEX_SIZE];
    int64_t created_at_ns;
    uint32_t replica_count; /* devices that it is on besides `device` */
    kas_replica_info replicas[KAS_REPLICAS_MAX];
} kas_layer_info;

/* ---- operations ---- */

typedef enum kas_operation_state {
    KAS_OPERATION_QUEUED = 0,
    KAS_OPERATION_RUNNING,
    KAS_OPERATION_SUCCEEDED,
    KAS_OPERATION_FAILED,
    KAS_OPERATION_CANCELLED,
} kas_operation_state;

typedef enum kas_stage {
    KAS_STAGE_LOOKUP = 0,
    KAS_STAGE_FETCH,
    KAS_STAGE_VERIFY,
    KAS_STAGE_DECODE,
    KAS_STAGE_CHECK,
    KAS_STAGE_COMPILE,
    KAS_STAGE_PUBLISH,
    KAS_STAGE_DONE,
} kas_stage;

typedef enum kas_tier {
    KAS_TIER_NONE = 0,
    KAS_TIER_DEVICE,
    KAS_TIER_HOST,
    KAS_TIER_DISK,
    KAS_TIER_REGISTRY
} kas_tier;

typedef enum kas_operation_kind {
    KAS_OPERATION_LOAD = 0,
    KAS_OPERATION_PRELOAD,
    KAS_OPERATION_MOVE,     /* of a layer to another device; artifact_id: the kernel that is made there now */
    KAS_OPERATION_REPLICATE /* of what a replica of a layer lacks; artifact_id as of a move */
} kas_operation_kind;

typedef struct kas_operation_info {
    size_t size;
    uint64_t id;
    kas_operation_kind kind;
    kas_operation_state state;
    kas_stage stage;
    kas_tier tier; /* where the artifact was found */
    uint64_t bytes_done, bytes_total;
    char layer[KAS_NAME_SIZE]; /* "" for a preload */
    int32_t seed;              /* -1 for a preload and a move */
    char artifact_id[KAS_NAME_SIZE];
    int64_t created_at_ns, finished_at_ns;
    int64_t duration_ns; /* once finished: from the request to the end, publication included */
    /* Of a failed one; KAS_OK otherwise. */
    kas_code error_code;
    const char *error_reason; /* static storage: a short stable word, "" if none */
    kas_error_type error_type;
    char error_detail[KAS_DETAIL_SIZE];
    char device[32]; /* of a move and of a replica: where it is made; "" otherwise */
} kas_operation_info;

/* ---- replies ---- */

enum { KAS_ALLOWED_MAX = 6 };

/* One change that an epoch boundary did not apply. */
typedef struct kas_epoch_failure {
    char layer[KAS_NAME_SIZE];
    int32_t seed;       /* −1: the layer's weights */
    uint64_t operation; /* an unready load's; 0 = none */
    char reason[96];
} kas_epoch_failure;

/* What a change answers beside its status. */
typedef struct kas_reply {
    size_t size;
    uint64_t operation;  /* of a load, preload or move: its number; 0 = none */
    bool finished;       /* of a load: its operation has ended already, as the kernel was on the device (or it
                          * turned out not to fit: the operation tells); of a move: so has this one, or the
                          * layer is there */
    uint64_t generation; /* of the layer afterwards */
    bool created;        /* of a put kernel: the id was new (the same bytes again: false) */
    uint32_t epoch;      /* of the engine afterwards */
    uint32_t applied;    /* of an epoch's advance: changes that took effect */
    kas_epoch_failure
        *failed; /* and those that did not (with KAS_CONFLICT: the unready ones); owned by the reply */
    uint32_t failed_count;
    const char *state; /* with KAS_ILLEGAL_TRANSITION: the seed's state, static storage; else NULL */
    const char *allowed[KAS_ALLOWED_MAX]; /* and what that state allows; unused ones NULL; static storage */
} kas_reply;

#endif
