/* What the state is made of. Only files of this folder see it; rules.h says who changes what.
 *
 * Objects are linked both by pointers (for speed) and by numbers that are given out in order (for effects,
 * digests and whoever reads). An object is changed in three steps: its edit call saves an image in the undo
 * log, its fields are written, and where the change shows in a published view the layer is marked
 * (kas_layer_mark). */
#ifndef KAS_STATE_MODEL_H
#define KAS_STATE_MODEL_H

#include "engine/state/list.h"
#include "engine/state/map.h"
#include "engine/state/sorted.h"
#include "engine/state/state.h"

typedef struct kas_layer kas_layer;
typedef struct kas_make kas_make;
typedef struct kas_entry kas_entry;
typedef struct kas_staged kas_staged;

enum {
    KAS_FAULTS_IN_WINDOW = 3, /* own-fault entries into ERROR_RECOVERY that put a kernel into quarantine */
    KAS_CONSECUTIVE_FAILURES = 3,
    KAS_RECENT_PASSES = 100,   /* executions that the recent error rate is over */
    KAS_DEVICE_NAME_SIZE = 32, /* as in the contracts: "host:0" */
};

/* Somebody's use of a cache entry: in its list of users while it lasts. */
typedef struct kas_hold {
    kas_link link;    /* in entry->users */
    kas_entry *entry; /* NULL: holds nothing */
    kas_layer *layer;
    uint32_t seed;
} kas_hold;

/* ---- artifacts and the cache ---- */

/* Bytes, known by their checksum: for good once an id is bound to them. */
typedef struct kas_content {
    kas_map_node by_checksum;
    kas_link all; /* in order of number */
    uint64_t touched;
    uint64_t number;
    kas_sha256 checksum;
    kas_link entries; /* of kas_entry.of_content: at most one a device that is not doomed */
    kas_link makes;   /* of kas_make.of_content */
    uint32_t pins;    /* ids of it that are pinned */
    bool quarantined;
    int64_t quarantined_at_ns; /* wall */
    char reason[KAS_DETAIL_SIZE];
    int64_t
        faults_ns[KAS_FAULTS_IN_WINDOW]; /* monotonic, oldest first: the last entries into ERROR_RECOVERY */
    uint32_t fault_count;
    char first_id[KAS_NAME_SIZE];
} kas_content;

/* An artifact id and the bytes that it means for good. */
typedef struct kas_binding {
    kas_map_node by_id;
    uint64_t touched;
    kas_content *content;
    uint64_t kernel_id;
    bool pinned;
    char artifact_id[KAS_NAME_SIZE];
} kas_binding;

/* A kernel in the device tier: being uploaded (make ≠ NULL) or on the device (kernel ≠ 0). */
struct kas_entry {
    kas_map_node by_kernel; /* once on the device */
    kas_link all;           /* in order of number */
    kas_link of_content;    /* not when doomed */
    kas_link cold;          /* in state->cold while it may be evicted */
    uint64_t touched;
    uint64_t number;
    kas_content *content;
    kas_make *make;
    kas_resource kernel;
    uint64_t device_bytes, hits;
    int64_t last_accessed_ns; /* wall */
    kas_link users;           /* of kas_hold.link */
    uint32_t uses;            /* length of users */
    uint32_t published;       /* views' bindings of it */
    bool draining;            /* a publication dropped it; passes in flight may still use it */
    bool doomed;              /* evicted by request while draining, or lost: released once it is idle */
    bool lost;                /* with its device: it counts against no limit any more */
    char device[KAS_DEVICE_NAME_SIZE];
    kas_kernel_facts facts;
};

/* One artifact on its way to one device, however many loads wait for it. */
struct kas_make {
    kas_map_node by_id, by_artifact; /* the latter: hash of artifact id and device */
    kas_link all;                    /* in order of id */
    kas_link of_content;             /* while the bytes' checksum is known */
    uint64_t touched;
    uint64_t id;
    kas_content *content; /* NULL: the id was not bound when it began */
    kas_entry *entry;     /* once memory is reserved */
    kas_link waiters;     /* of kas_operation.waiting; never empty between commands */
    uint64_t hits;
    kas_stage stage;
    kas_tier tier;
    uint64_t bytes_done, bytes_total;
    bool started; /* somebody has reported progress */
    uint32_t device_kind;
    char artifact_id[KAS_NAME_SIZE];
    char device[KAS_DEVICE_NAME_SIZE];
};

/* ---- operations ---- */

typedef struct kas_operation {
    kas_map_node by_id;
    kas_link all;     /* in order of id */
    kas_link ended;   /* in order of end, oldest first */
    kas_link waiting; /* in make->waiters */
    uint64_t touched;
    kas_make *make;   /* while it waits */
    kas_layer *layer; /* while it runs; NULL for a preload */
    uint32_t seed;
    kas_staged *staged; /* while it runs, of a staged load */
    int64_t started_ns; /* monotonic */
    kas_operation_info info;
} kas_operation;

/* ---- layers and seeds ---- */

/* What a load is to give to its seed. */
typedef struct kas_wish {
    char artifact_id[KAS_NAME_SIZE];
    bool has_alpha; /* else what the kernel's confidence gives */
    float alpha;
    kas_ramp ramp;
} kas_wish;

/* A change that waits for its epoch: of a seed, or of a layer's weights (seed < 0). */
struct kas_staged {
    kas_link all;  /* in state->staged: by epoch, then in order of arrival */
    kas_hold hold; /* of a load that is ready */
    uint64_t touched;
    kas_layer *layer;
    int32_t seed;
    kas_change change;
    uint32_t at_epoch;
    uint64_t load;          /* number of a load's operation */
    kas_operation *running; /* while that runs */
    kas_wish wish;          /* of a load or an alpha */
    kas_resource weights;
    kas_sha256 weights_sha256;
};

/* Alpha on its way. */
typedef struct kas_ramp_run {
    kas_ramp_unit unit; /* KAS_RAMP_NONE: none runs */
    kas_curve curve;
    float from, to;
    uint32_t length;
    uint32_t done;      /* passes that were seen */
    uint32_t published; /* of them, before the present view */
    int64_t start_ns;   /* monotonic */
} kas_ramp_run;

/* What a seed has beside its elements of the arrays. */
typedef struct kas_slot {
    kas_hold hold;    /* the bound kernel: of ACTIVE, ERROR_RECOVERY, FOSSILIZED, and LOADING over a kernel */
    kas_link ramping; /* in state->ramping while a ramp over time runs */
    kas_link recovering; /* in state->recovering until the one retry */
    uint64_t touched;
    kas_entry *shown; /* the kernel that the present view has for this seed */
    uint64_t binding; /* which load of which kernel passes name in their results; 0: none is live */
    uint64_t revision;
    kas_operation *load; /* of LOADING */
    kas_wish wish;       /* of that load; in ERROR_RECOVERY, of the retry */
    bool from_recovery;  /* LOADING came from ERROR_RECOVERY */
    uint32_t epoch_before_load;
    kas_ramp_run ramp;
    int64_t recover_at_ns;
    kas_staged *staged;
    kas_error_info last_error;
    char artifact_id[KAS_NAME_SIZE]; /* of the bound kernel */
    uint16_t load_failures;          /* consecutive unexpected ones */
    uint16_t kernel_faults;          /* of the consecutive failures, those that are the kernel's own */
    bool has_health;
    uint64_t recent[2]; /* ring of the last executions, a bit each: 1 = failed */
    uint32_t recent_count, recent_at;
    float fossil_alpha; /* α′ */
} kas_slot;

/* 24 bytes a seed. The control fields (state, kernel, alpha, fallback) have their counterpart on the device.
 */
typedef struct kas_seed_arrays {
    uint64_t *active_kernel_id;
    float *health_accumulator;
    uint32_t *last_update_epoch;
    uint16_t *alpha_blend; /* half precision */
    uint16_t *exec_latency_us;
    uint16_t *error_count;
    uint8_t *lifecycle_state; /* kas_lifecycle */
    uint8_t *fallback_active;
} kas_seed_arrays;

enum { KAS_SEED_BYTES = 24 };

enum {                      /* what a layer is marked with until the change is settled */
       KAS_MARK_ARRAYS = 1, /* seed arrays were written: the checksum is to be renewed */
       KAS_MARK_VIEW = 2,   /* to be published again */
       KAS_MARK_CHANGED = 4 /* and what it publishes is new: a generation */
};

/* What a move waits for, besides kernels (for which its operation waits as a load does). */
typedef enum kas_move_wait {
    KAS_MOVE_WAITS_NOT = 0,
    KAS_MOVE_WAITS_WEIGHTS,
    KAS_MOVE_WAITS_TRIAL
} kas_move_wait;

/* A layer on its way to another device: what it needs there is made, one thing after the other, and held
 * until it is all there. A replica is one that stays: what it holds is not exchanged for what the layer has,
 * but published beside it. */
typedef struct kas_move {
    uint64_t touched;
    kas_layer *layer;
    kas_operation *operation; /* NULL: a replica that lacks nothing */
    kas_move_wait wait;
    bool stays;  /* a replica */
    bool ready;  /* a replica that lacks nothing, with a plan that was tried: part of the layer's view */
    bool joined; /* a replica that has been ready */
    bool lost;   /* a replica that had joined, on a lost device: it has nothing, and nothing is made for it */
    bool flees;  /* a move that nobody asked for, or need ask for again: the layer's device is lost */
    bool tried;  /* a plan of what is held now was composed */
    bool ahead;  /* and, of a ready replica, one with the staged loads' kernels in place of what their seeds
                    have */
    bool gave_up; /* a ready replica, on these: it could not be */
    bool stale;   /* what is held has changed since a trial was asked for */
    uint32_t device_kind;
    char device[KAS_DEVICE_NAME_SIZE];
    struct {
        kas_resource of, copy; /* copy = 0: none yet, or being made */
    } weights, staged;
    kas_hold *holds;   /* 2 · num_seeds: of each seed's kernel, and of its staged load's */
    kas_entry **shown; /* num_seeds, of a replica: what the present view has there */
} kas_move;

/* What a layer that has to leave its device, which is lost, has beside its move. */
typedef struct kas_flight {
    kas_link waiting; /* in state->fleeing, from a try that failed to the next; no move runs then */
    uint32_t tries, device_kind;       /* tries: that have failed */
    kas_code code;                     /* of the last failure */
    int64_t at_ns;                     /* of the next try, monotonic */
    char device[KAS_DEVICE_NAME_SIZE]; /* where it goes unless a replica is ready; "": nowhere */
} kas_flight;

struct kas_layer {
    kas_map_node by_name, by_uid, by_layer_id;
    kas_map_node by_fold; /* while a fold runs */
    uint64_t touched, arrays_touched;
    uint64_t uid;
    int64_t layer_id;
    uint32_t input_size, output_size, num_seeds;
    uint32_t device_kind;
    kas_math math;
    bool bias, serving;
    uint8_t marks;
    uint32_t control_crc; /* CRC-32C of the control fields */
    uint64_t generation, published_generation;
    uint32_t view_steps; /* ramp steps that passes can take under the present view: each is a generation */
    uint64_t revision;
    kas_resource weights, folded_weights; /* folded_weights: 0 when no fossil is folded */
    kas_sha256 weights_sha256;
    int64_t created_at_ns;
    uint64_t fold; /* the running one, 0: none */
    uint32_t fold_fossils;
    uint32_t folded_fossils;
    uint32_t fossil_count;
    uint8_t fossils[KAS_MAX_SEEDS]; /* seeds, in order of fossilization */
    kas_staged *staged_weights;
    kas_move *move; /* while it runs */
    kas_flight flight;
    uint32_t replica_count;
    kas_move *replicas[KAS_REPLICAS_MAX];
    kas_seed_arrays seeds;
    kas_slot *slots;
    char name[KAS_NAME_SIZE];
    char device[KAS_DEVICE_NAME_SIZE];
};

/* ---- the whole ---- */

typedef struct kas_counters {
    int64_t now_ns, wall_ns; /* of the present command; now never goes back */
    int64_t asked_ns;        /* of the present command: not after now */
    uint32_t epoch;
    uint32_t staged;
    int64_t free_layer_id; /* every smaller one is taken */
    uint64_t last_uid, last_binding, last_operation, last_make, last_fold, last_entry, last_content;
    uint32_t ended_operations;
    int64_t next_ramp_ns;             /* when ramps over time move again; meaningless while none runs */
    uint64_t cache_bytes, cold_bytes; /* of all entries; of those that may be evicted */
    uint32_t cache_entries, cold_entries;
    uint64_t hits, misses, evictions;
    uint64_t compatibility_checks, compatibility_failures;
} kas_counters;

/* What one apply gathers before it is kept. */
typedef struct kas_pending {
    uint64_t serial; /* of this apply: objects that it has saved carry it */
    kas_effect *effects;
    size_t effect_count, effect_capacity;
    kas_layer **marked;
    size_t marked_count, marked_capacity;
    kas_reply reply;
} kas_pending;

struct kas_state {
    kas_state_limits limits;
    kas_counters now; /* saved at the begin of each apply */
    kas_map layers_by_name, layers_by_uid, layers_by_id, layers_by_fold;
    kas_map contents, bindings, entries_by_kernel, makes, makes_by_artifact, operations;
    kas_sorted layers_in_order, bindings_in_order;
    kas_link contents_in_order, entries_in_order, makes_in_order, operations_in_order;
    kas_link ended;      /* operations, oldest end first */
    kas_link cold;       /* entries that may be evicted, least recently used first */
    kas_link staged;     /* changes, by epoch */
    kas_link ramping;    /* slots with a ramp over time */
    kas_link recovering; /* slots that wait for their retry, by time */
    kas_link fleeing;    /* layers that wait to leave a lost device, by time */
    kas_undo undo;
    kas_pending pending;
};

#endif
