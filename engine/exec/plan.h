/* Plans: what passes read of one layer. Immutable from its publication on, but for the counter of a ramp's
 * passes.
 *
 * Composing takes segments that are already on the device, records the three short lists of blending, lays
 * out the arena, and counts the resources that it uses; nothing is computed, copied or waited for. */
#ifndef KAS_EXEC_PLAN_H
#define KAS_EXEC_PLAN_H

#include "engine/exec/layer.h"
#include "engine/exec/workspace.h"

typedef struct kas_plan_seed { /* a contribution; its number is its place in the plan */
    uint32_t seed;
    float alpha;
    uint64_t binding;
    kas_segment *segment; /* retained */
    kas_list *list;
    bool ramp;
    float ramp_from, ramp_to;
    uint32_t ramp_done, ramp_length;
    kas_curve ramp_curve;
} kas_plan_seed;

typedef struct kas_plan_fossil {
    uint32_t seed;
    float alpha; /* α′ */
    uint64_t binding;
    kas_segment *segment; /* retained */
    kas_list *list;
} kas_plan_fossil;

/* Byte offsets into an arena for `rows` rows. What is mirrored in host memory stands first. */
typedef struct kas_arena_layout {
    uint32_t rows;        /* of one submission with seeds, fossils or staging */
    uint32_t staged_rows; /* that x and y have room for */
    size_t params;        /* of the seeds */
    size_t fossil_params, fossil_params_stride;
    size_t x, y;
    size_t result; /* of the seeds */
    size_t fossil_result, fossil_result_stride;
    size_t sample,
        sample_stride; /* outputs of contributions, downloaded for statistics; no host pointers only */
    size_t mirror_bytes;
    size_t blend, blend_stride; /* contributions' outputs */
    size_t fossil_blend;        /* the output of one fossil */
    size_t base[2];             /* the base's output, before and after a fossil in turn */
    size_t work, work_stride;   /* of the segment that runs; of each contribution, where they are apart */
    bool apart; /* contributions have workspaces of their own: they may run at the same time */
    size_t total_bytes;
} kas_arena_layout;

enum { KAS_SAMPLE_ROWS = 64 };

typedef struct kas_ramp_counter { /* passes of the plan's ramps */
    _Atomic uint32_t steps;
    uint32_t taken; /* that the control plane was told of; control thread only */
} kas_ramp_counter;

struct kas_plan {
    /* what a dormant pass reads */
    kas_list *base_list;
    const kas_workspace_pool *pool;
    kas_context_set *set;
    kas_layer_record *record;
    kas_counters *counters; /* one a context of the set */
    uint64_t generation;
    uint32_t inputs, outputs;
    uint32_t base_rows; /* of one submission of the base alone */
    bool serving;
    bool fast;       /* segments run as their fast lists */
    bool dormant;    /* no fossil steps, and without overrides nothing contributes */
    bool needs_work; /* the base's list uses workspace */
    bool replicated; /* the layer is on several devices: `holder` has the list */
    uint32_t name_length;
    char name[KAS_NAME_SIZE];

    kas_exec *exec;
    uint64_t uid, name_hash;
    uint64_t born, died; /* sequence of the first root with it, of the first without */
    kas_plan *next_retired;
    kas_plan *holder;       /* what roots have and passes announce: this one, or the one it is a replica of */
    kas_plan *next_replica; /* of the same holder, which owns them */
    kas_segment *base;      /* retained */
    kas_list *judge, *blend,
        *linear_blend; /* of the seeds; linear_blend: NULL where the base is more than a product */
    kas_list *fossil_judge, *fossil_blend;
    kas_arena_layout layout;
    double base_ns_per_row, full_ns_per_row; /* estimates, for kas_exec_is_small */
    uint32_t ramp_steps_max;                 /* passes until the last ramp has ended; 0: none runs */
    kas_ramp_counter *ramp;                  /* NULL: none runs */
    uint32_t seed_count, fossil_count;
    kas_plan_seed *seeds;
    kas_plan_fossil *fossils;
    uint32_t resource_count;
    kas_resource *resources; /* one reference each in exec->resources */
};

/* Alpha of a contribution in the step-th pass of the plan's ramps. */
float kas_plan_alpha(const kas_plan_seed *seed, uint32_t step);
/* Passes of the plan's ramps so far. */
uint32_t kas_plan_steps(const kas_plan *plan);
/* The seeds of contributions. */
uint64_t kas_plan_seeds(const kas_plan *plan, uint64_t contributions);
/* True when a ramp of `old` goes on in `plan`. */
bool kas_plan_same_ramp(const kas_plan *plan, const kas_plan *old);

/* Of a replicated layer: its plan on the device that has the fewest rows of it in flight; the holder's where
 * that is as good. Devices on which work hangs come last, and lost ones after them. */
kas_plan *kas_plan_least_busy(kas_plan *holder);
/* Its plan on that device; NULL: there is none, or it has one on a better device. */
kas_plan *kas_plan_on(kas_plan *holder, const kas_context_set *set);
/* Whether it is on a device that is not lost; and on one where nothing hangs either. */
bool kas_plan_has_device(const kas_plan *holder);
bool kas_plan_has_sound_device(const kas_plan *holder);

/* piece.c: rows of `wanted` (> 0) that the device is expected to be done with in one piece (kas_piece_ns),
 * with these contributions; at least 1, and no fewer than are computed at once. All of them where the device
 * looks at the deadline by itself. */
uint32_t kas_plan_rows_of_a_piece(const kas_plan *plan, uint64_t contributing, uint32_t wanted);

/* Fills in plan->layout from segments and counts; rows_limit bounds the rows. small: contributions share one
 * workspace, whatever its size. */
kas_status kas_plan_lay_out(kas_plan *plan, uint32_t rows_limit, bool small) KAS_MUST_USE;

#endif
