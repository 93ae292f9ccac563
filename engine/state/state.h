/* The control plane's whole state, and the one function that changes it.
 *
 * Pure: no device, no I/O, no clock, no lock, no randomness; what it needs comes in with the command. The
 * same commands in the same order give the same state and effects, byte for byte (kas_state_digest), on every
 * machine.
 *
 * apply is all or nothing: a refused command (its REPLY carries the status) changes nothing; when memory is
 * out it returns that status, and neither state nor effects have changed.
 *
 * Threads: one writer; readers only while the writer is kept out (the engine holds a read-write lock around
 * it). */
#ifndef KAS_STATE_H
#define KAS_STATE_H

#include "engine/state/command.h"

typedef struct kas_state kas_state;

typedef struct kas_state_limits { /* zero: the default */
    uint64_t cache_bytes;         /* 512 MiB: of kernels on all devices */
    uint32_t cache_entries;       /* 128 */
    uint32_t layers;              /* 10,000 */
    uint64_t parameters;          /* 10,000,000 a kernel */
    double memory_footprint_mb;   /* 2048 a kernel */
    uint32_t operations_kept;     /* 1,024 finished ones */
} kas_state_limits;

kas_status kas_state_create(const kas_state_limits *limits, kas_state **out) KAS_MUST_USE;
void kas_state_destroy(kas_state *state); /* accepts NULL */

/* Applies one command; appends what it asks for to `effects`, in an order that is safe to carry out: memory
 * is given back before anything asks for some, views are published before what they no longer show is
 * released, and answers come last. */
kas_status kas_state_apply(kas_state *state, const kas_command *command, kas_effects *effects) KAS_MUST_USE;

/* Monotonic time at which a TICK is due (ramps by time: every 10 ms while one runs; retries; windows);
 * KAS_NEVER. */
int64_t kas_state_next_wakeup(const kas_state *state);

/* SHA-256 over everything that apply can read or change, in a canonical order. For tests and replay. */
kas_sha256 kas_state_digest(const kas_state *state);

/* Checks every invariant of the semantics that can be seen in one state (counts, references, arrays, limits,
 * CRC of the control fields); a broken one is described. For simulations and debug builds. */
kas_status kas_state_check(const kas_state *state) KAS_MUST_USE;

/* ---- reading ---- */

uint32_t kas_state_epoch(const kas_state *state);
uint32_t kas_state_staged(const kas_state *state); /* staged changes */
size_t kas_state_layer_count(const kas_state *state);

/* KAS_NOT_FOUND names the thing. */
kas_status kas_state_layer_info(const kas_state *state, const char *name, kas_layer_info *out) KAS_MUST_USE;
/* Bytes of the kernels on its device that its seeds and staged loads hold, each once; and its own weights. 0
 * and no weights: no such layer. */
uint64_t kas_state_layer_kernel_bytes(const kas_state *state, const char *name, kas_resource *weights);
bool kas_state_layer_uid(const kas_state *state, const char *name, uint64_t *uid); /* false: no such layer */
kas_status kas_state_seed_info(const kas_state *state, const char *name, uint32_t seed,
                               kas_seed_info *out) KAS_MUST_USE;
kas_status kas_state_operation_info(const kas_state *state, uint64_t operation,
                                    kas_operation_info *out) KAS_MUST_USE;

/* Paging, in order of name (layers, artifacts) or number (operations): fills up to `capacity` that come after
 * `after`
 * ("" or 0: from the start) and returns how many. */
size_t kas_state_list_layers(const kas_state *state, const char *after, kas_layer_info *out, size_t capacity);
size_t kas_state_list_operations(const kas_state *state, uint64_t after, kas_operation_info *out,
                                 size_t capacity);

typedef struct kas_cache_entry_info {
    char artifact_id[KAS_NAME_SIZE]; /* the first id bound to it */
    kas_sha256 checksum;
    char device[32];
    bool ready, pinned, quarantined;
    uint64_t device_bytes;
    uint64_t hits;
    int64_t last_accessed_ns; /* wall */
    kas_kernel_facts facts;
    uint32_t uses;      /* seeds (and staged loads, fossils) that hold it */
    uint32_t use_count; /* filled below */
    struct {
        char layer[KAS_NAME_SIZE];
        uint32_t seed;
    } used_by[16];
} kas_cache_entry_info;

size_t kas_state_list_cache(const kas_state *state, size_t from, kas_cache_entry_info *out, size_t capacity);
/* The checksum an artifact id is bound to; false if it never was. */
bool kas_state_binding(const kas_state *state, const char *artifact_id, kas_sha256 *out);
bool kas_state_pinned(const kas_state *state, const char *artifact_id); /* by an operator; unknown: false */
size_t kas_state_list_bindings(const kas_state *state, const char *after, char (*ids)[KAS_NAME_SIZE],
                               kas_sha256 *checksums, size_t capacity);

typedef struct kas_cache_stats {
    uint32_t entries, max_entries;
    uint64_t total_bytes, max_bytes;
    uint64_t hits, misses, evictions;
    uint64_t compatibility_checks, compatibility_failures;
    uint64_t total_parameters;
} kas_cache_stats;

void kas_state_cache_stats(const kas_state *state, kas_cache_stats *out);

typedef struct kas_quarantine_info {
    kas_sha256 checksum;
    char reason[KAS_DETAIL_SIZE];
    int64_t since_ns; /* wall */
} kas_quarantine_info;

size_t kas_state_list_quarantine(const kas_state *state, size_t from, kas_quarantine_info *out,
                                 size_t capacity);

/* Does this kernel fit that layer? NULL, or KAS_INCOMPATIBLE_KERNEL with the first reason of semantics.md's
 * list. max_memory_mb ≤ 0: the default limit. Counts nothing. */
kas_status kas_state_compatible(const kas_state *state, const char *layer, const kas_kernel_facts *facts,
                                double max_memory_mb) KAS_MUST_USE;

/* ---- what a publication is composed from ---- */

/* One live seed, ascending by index: one that contributes, or would with alpha above 0 (a request may bring
 * its own alpha, and a ramp may start at 0). */
typedef struct kas_published_seed {
    uint32_t seed;
    uint64_t binding;
    kas_resource kernel;
    float alpha; /* half-precision value as float: now, or where a pass ramp has got to */
    bool ramp;   /* a ramp over passes runs: */
    float ramp_from, ramp_to;
    uint32_t ramp_done, ramp_length; /* steps taken before this publication, and in all */
    kas_curve ramp_curve;
} kas_published_seed;

typedef struct kas_published_fossil {
    kas_resource kernel;
    float alpha; /* α′ */
    uint64_t binding;
    uint32_t seed;
} kas_published_fossil;

typedef struct kas_published_layer {
    uint64_t uid;
    char name[KAS_NAME_SIZE];
    uint32_t input_size, output_size;
    char device[32];
    kas_math math;
    bool serving;
    uint64_t generation; /* of a pass before any ramp step; pass k of running ramps has generation + k */
    uint32_t epoch;
    kas_resource weights; /* W and b with the first folded_fossils fossils in them */
    uint32_t folded_fossils;
    uint32_t fossil_count; /* those that are steps: not folded, in order */
    kas_published_fossil fossils[KAS_MAX_SEEDS];
    uint32_t seed_count;
    kas_published_seed seeds[KAS_MAX_SEEDS];
} kas_published_layer;

/* False when there is no such layer. */
bool kas_state_published(const kas_state *state, uint64_t layer_uid, kas_published_layer *out);

/* The same on the next device, from the `from`-th replica on, that has one which lacks nothing. False: none
 * has. */
bool kas_state_replica(const kas_state *state, uint64_t layer_uid, uint32_t from, kas_published_layer *out,
                       uint32_t *next);

/* What the view of a layer that moves (KAS_EFFECT_MOVE_TRY) would be on the other device now. False: no such
 * move. */
bool kas_state_moving(const kas_state *state, uint64_t operation, kas_published_layer *out);

/* Everything a fold needs: the original weights and all fossils in order (folded or not). False: no such
 * layer. */
bool kas_state_fold_source(const kas_state *state, uint64_t layer_uid, kas_resource *weights,
                           kas_published_fossil *fossils, uint32_t *count);

#endif
