/* The language of the control plane: everything that can happen to it (commands) and everything that it asks
 * of the world in answer (effects). apply(state, command) → state, effects is the only way that state
 * changes; see state.h.
 *
 * Commands are plain data without pointers to live objects, so that they can be journaled and replayed: what
 * lives elsewhere (a segment, packed weights) is named by a number that whoever made it handed in. */
#ifndef KAS_STATE_COMMAND_H
#define KAS_STATE_COMMAND_H

#include <kasmina/types.h>

#include "base/hash.h"
#include "base/status.h"
#include "engine/state/kinds.h"

typedef uint64_t
    kas_resource; /* a layer's weights or a kernel on a device, kept by the carrier of effects; 0 = none */
typedef uint64_t kas_ticket; /* whom to answer; 0 = nobody */

/* Value of a ramp after the part t of it in [0, 1]: from + (to − from)·t, or (1 − cos πt)/2 in place of t. */
float kas_ramp_value(float from, float to, float t, kas_curve curve);

/* What the control plane must know of a kernel to decide; the rest of the metadata stays where the bytes are.
 */
typedef struct kas_kernel_facts {
    uint32_t input_size, output_size;       /* product of the shape's dimensions */
    char input_shape[48], output_shape[48]; /* "[512]": for messages */
    uint64_t parameter_count;
    double memory_footprint_mb;
    uint32_t device_kinds;   /* KAS_KIND_… bits that device_requirements names; 0 = any */
    float confidence, score; /* of the performance profile */
    bool affine;             /* y = xWᵀ + b: may be folded when fossilized */
} kas_kernel_facts;

/* Devices, as opened, beside a layer's own. */
typedef struct kas_replica_list {
    uint32_t count;
    uint32_t device_kinds[KAS_REPLICAS_MAX];
    char devices[KAS_REPLICAS_MAX][32];
} kas_replica_list;

/* ---- commands ---- */

typedef enum kas_command_kind {
    /* asked for by callers; answered by exactly one KAS_EFFECT_REPLY when ticket ≠ 0 */
    KAS_COMMAND_CREATE_LAYER = 0,
    KAS_COMMAND_DELETE_LAYER,
    KAS_COMMAND_SET_WEIGHTS,  /* at once, or staged with at_epoch */
    KAS_COMMAND_MOVE_LAYER,   /* to another device, while it serves; its operation tells when it is there */
    KAS_COMMAND_SET_REPLICAS, /* the devices that a layer is on besides its own: all of them */
    KAS_COMMAND_SET_SERVING,  /* a layer is taken out of service or back in; its seeds can still be changed */
    KAS_COMMAND_LOAD,
    KAS_COMMAND_UNLOAD,
    KAS_COMMAND_RESET,
    KAS_COMMAND_FOSSILIZE,
    KAS_COMMAND_SET_ALPHA,
    KAS_COMMAND_DROP_STAGED,
    KAS_COMMAND_CANCEL_OPERATION,
    KAS_COMMAND_ADVANCE_EPOCH,
    KAS_COMMAND_PRELOAD,       /* one artifact to one device */
    KAS_COMMAND_BIND_ARTIFACT, /* an upload: this id has this checksum from now on (conflict if it has
                                  another) */
    KAS_COMMAND_EVICT,         /* all device entries of an artifact id; conflict while in use */
    KAS_COMMAND_PIN,
    KAS_COMMAND_UNPIN,
    KAS_COMMAND_LIFT_QUARANTINE,
    /* answers of those who carry out effects */
    KAS_COMMAND_PROGRESS,     /* of a make: stage, bytes */
    KAS_COMMAND_RESOLVED,     /* of a make: bytes found, verified, decoded, planned */
    KAS_COMMAND_KERNEL_READY, /* of a make: uploaded */
    KAS_COMMAND_MAKE_FAILED,
    /* No pass and no published view uses this kernel any more (after EFFECT_PUBLISH dropped it). Said only
     * while it is true: of a kernel that was published again meanwhile it is said after it has been dropped
     * again. */
    KAS_COMMAND_KERNEL_DRAINED,
    KAS_COMMAND_FOLDED, /* of a fold: folded weights are on the device */
    KAS_COMMAND_FOLD_FAILED,
    KAS_COMMAND_MOVE_WEIGHTS_READY, /* of a move: a copy of weights is on its device */
    KAS_COMMAND_MOVE_TRIED,         /* of a move: a plan was composed there */
    KAS_COMMAND_MOVE_FAILED,        /* of a move: one of these could not be */
    KAS_COMMAND_DEVICE_LOST,        /* for good: layers leave it */
    KAS_COMMAND_PUBLISHED, /* what an operation has brought is published: it lasted until now. Said after that
                              publication, and before whoever asked for the operation is answered */
    KAS_COMMAND_PASS_RESULTS,
    KAS_COMMAND_RAMP_STEPS, /* passes that a layer's pass-counted ramps have seen since its last publication:
                             * in all, so that it may be said again */
    KAS_COMMAND_TICK,       /* time has passed: kas_state_next_wakeup was reached */
    KAS_COMMAND_KIND_COUNT
} kas_command_kind;

typedef struct kas_pass_result { /* one contribution of one pass, in order of completion */
    uint64_t layer_uid;
    uint64_t binding; /* which load of which kernel it was: stale ones are dropped */
    uint16_t seed;
    uint16_t latency_us; /* saturating */
    uint8_t outcome;     /* kas_outcome */
    float dead_ratio;    /* share of dead output units of a sampled pass; < 0: not sampled */
} kas_pass_result;

typedef enum kas_outcome {
    KAS_OUTCOME_OK = 0,
    KAS_OUTCOME_NON_FINITE, /* some row; the kernel is to blame */
    KAS_OUTCOME_DEADLINE,   /* the deadline passed while it ran */
    KAS_OUTCOME_DEVICE,     /* launch, memory or device error: not the kernel's fault */
} kas_outcome;

typedef struct kas_command {
    kas_command_kind kind;
    int64_t now_ns;   /* monotonic: what ramps, windows and retries go by */
    int64_t wall_ns;  /* what is shown */
    int64_t asked_ns; /* monotonic: when a caller asked, which operations last from; 0: now */
    kas_ticket ticket;
    char layer[KAS_NAME_SIZE]; /* name, where a caller names one */
    uint32_t seed;
    uint32_t at_epoch; /* 0: at once */
    uint64_t revision; /* that the seed (a seed's command) or layer must have; 0: any. Else KAS_CONFLICT,
                          reason "precondition" */
    char artifact_id[KAS_NAME_SIZE];
    bool has_alpha;
    float alpha;
    kas_ramp ramp;
    union {
        struct {              /* CREATE_LAYER */
            int64_t layer_id; /* −1: the smallest unused */
            uint32_t input_size, output_size, num_seeds;
            bool bias;
            kas_math math;
            char device[32];      /* as opened: "host:0" */
            uint32_t device_kind; /* KAS_KIND_… bit */
            kas_resource weights; /* the state's from here on, unless the command is refused */
            kas_sha256 weights_sha256;
            kas_replica_list replicas; /* begun to be made with the layer */
        } create;
        struct {
            bool force;
        } delete_layer;
        struct {
            bool serving;
        } set_serving;
        struct {
            kas_resource weights; /* the state's from here on, unless the command is refused */
            kas_sha256 sha256;
        } set_weights;
        struct {
            char device[32]; /* as opened */
            uint32_t device_kind;
        } move;
        kas_replica_list replicas; /* SET_REPLICAS: all that are to be */
        struct {
            uint64_t operation;
        } cancel;
        struct {
            uint64_t operation;
        } published;
        struct {
            uint32_t epoch;
            bool skip_unready;
        } advance;
        struct {
            char device[32];
            uint32_t device_kind;
        } preload;
        struct {
            kas_sha256 checksum;
        } bind;
        struct {
            kas_sha256 checksum;
        } lift;
        struct { /* PROGRESS */
            uint64_t make;
            kas_stage stage;
            kas_tier tier;
            uint64_t bytes_done, bytes_total;
        } progress;
        struct { /* RESOLVED */
            uint64_t make;
            kas_tier tier;
            kas_sha256 checksum;
            kas_kernel_facts facts;
            uint64_t device_bytes; /* exactly what KERNEL_READY will occupy */
        } resolved;
        struct {
            uint64_t make;
            kas_resource kernel;
        } ready;
        struct {           /* MAKE_FAILED, MOVE_FAILED */
            uint64_t make; /* of a move: its operation */
            kas_code code;
            kas_blame blame;
            kas_error_type error_type;
            const char *reason; /* static storage */
            char detail[KAS_DETAIL_SIZE];
        } failed;
        struct {
            kas_resource kernel;
        } drained;
        struct {
            uint64_t fold;
            kas_resource weights;
        } folded; /* FOLD_FAILED: weights = 0 */
        struct {
            uint64_t operation;
            kas_resource weights; /* MOVE_WEIGHTS_READY */
        } moved;
        struct {
            char device[32];
            char refuge[32]; /* where layers without a ready replica go; "": nowhere, they stay */
            uint32_t refuge_kind;
            char reason[KAS_DETAIL_SIZE]; /* for a person */
        } lost;
        struct {
            const kas_pass_result *results;
            size_t count;
        } passes; /* borrowed for the call; never journaled */
        struct {
            uint64_t layer_uid;
            uint32_t steps;
        } ramp_steps;
    };
} kas_command;

/* ---- effects ---- */

typedef enum kas_effect_kind {
    KAS_EFFECT_REPLY = 0, /* answer the ticket */
    KAS_EFFECT_PUBLISH,   /* layers' views are to be composed anew from the state; all of one apply in ONE
                             publication */
    KAS_EFFECT_UNPUBLISH, /* the layer is gone */
    KAS_EFFECT_RESOLVE, /* find, verify, decode and plan an artifact for a device → RESOLVED or MAKE_FAILED */
    KAS_EFFECT_UPLOAD,  /* memory is reserved: make it → KERNEL_READY or MAKE_FAILED */
    KAS_EFFECT_ABANDON, /* a make is no longer wanted: stop it, drop what it holds; its later answers are
                           ignored */
    KAS_EFFECT_RELEASE_KERNEL,  /* drop the carrier's reference: evicted */
    KAS_EFFECT_RELEASE_WEIGHTS, /* nobody needs these weights (original or folded) any more */
    KAS_EFFECT_MOVE_WEIGHTS,    /* copy a layer's weights to the move's device → MOVE_WEIGHTS_READY or
                                   MOVE_FAILED */
    KAS_EFFECT_MOVE_TRY, /* compose the plan that the layer will have there (kas_state_moving), and keep what
                            it took → MOVE_TRIED or MOVE_FAILED */
    KAS_EFFECT_MOVE_END, /* the move is over, one way or the other: what was kept for it may go; later answers
                            are too late */
    KAS_EFFECT_FOLD,     /* compute W and b of the layer's base with its first `fossils` fossils → FOLDED */
    KAS_EFFECT_OPERATION,    /* an operation changed: wake who waits for it when it has finished */
    KAS_EFFECT_TRANSITION,   /* a seed's lifecycle state changed */
    KAS_EFFECT_LAYER_UPDATE, /* a layer was made, changed or removed */
    KAS_EFFECT_ERROR,        /* for the error history */
    KAS_EFFECT_ALERT,
    KAS_EFFECT_KIND_COUNT
} kas_effect_kind;

typedef struct kas_effect {
    kas_effect_kind kind;
    uint64_t layer_uid;
    char layer[KAS_NAME_SIZE];
    uint32_t seed;
    union {
        struct {
            kas_ticket ticket;
            kas_status status; /* owned by the effect */
            kas_reply *reply;  /* owned by the effect; never NULL for a KAS_EFFECT_REPLY */
        } reply;
        struct {
            uint64_t make;
            char artifact_id[KAS_NAME_SIZE];
            bool has_checksum; /* the id is bound: other bytes are refused */
            kas_sha256 checksum;
            char device[32];
        } make; /* RESOLVE, UPLOAD, ABANDON */
        struct {
            kas_resource kernel;
        } kernel; /* RELEASE_KERNEL */
        struct {
            kas_resource weights;
        } weights; /* RELEASE_WEIGHTS */
        struct {
            uint64_t operation;
            kas_resource from; /* MOVE_WEIGHTS: what is copied; it is there when the effect is carried out */
            kas_math math;     /* the layer's */
            char device[32];
        } move;
        struct {
            uint64_t fold;
            uint32_t fossils;
        } fold;
        struct {
            uint64_t operation;
            bool finished;
            bool published; /* it has succeeded by the publication that comes before: → PUBLISHED */
        } operation;
        struct {
            kas_lifecycle from, to;
            char artifact_id[KAS_NAME_SIZE];
            const char *reason; /* static storage */
        } transition;
        struct {
            kas_error_type type;
            kas_code code;         /* as in kas_error_info */
            const char *component; /* static storage: "kernel", "cache", "registry", "device" */
            char artifact_id[KAS_NAME_SIZE];
            char detail[KAS_DETAIL_SIZE];
        } error; /* ERROR and ALERT */
    };
} kas_effect;

typedef struct kas_effects { /* in order; owned by the caller of apply */
    kas_effect *items;
    size_t count, capacity;
} kas_effects;

void kas_effects_finish(kas_effects *effects); /* frees items, statuses and replies; accepts empty */

#endif
