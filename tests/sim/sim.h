/* A simulation of the control plane: engine/state is driven by random commands under a virtual clock, in a
 * world that carries its effects out late, in another order or not at all; after each command everything that
 * must hold is checked, against a model that knows only the rules of docs/semantics.md.
 *
 * All that happens in a run follows from its seed. What is broken ends the program (sim_fail).
 *
 *     commands.c   what callers ask for
 *     world.c      the carrier of effects; views.c: what it publishes; answers.c: what it answers
 *     verdict.c    what must be answered
 *     model.c      what must follow; layers.c, changes.c, seeds.c, operations.c, moves.c, replicas.c, loss.c
 *     checks.c     compares state, world and model
 */
#ifndef KAS_SIM_H
#define KAS_SIM_H

#include "base/random.h"
#include "engine/state/state.h"

enum {
    SIM_LAYERS = 3, /* names; not all exist at any time */
    SIM_SEEDS = 3,  /* at most, of a layer */
    SIM_DEVICES = 2,
    SIM_CONTENTS = 7, /* different bytes */
    SIM_ARTIFACTS = 9,
    SIM_MAKES = 32,
    SIM_FOLDS = 16,
    SIM_ASKED = 64,
    SIM_PUBLISHED = 256,
    SIM_PASSES = 8,
    SIM_RESULTS = 32,
    SIM_RESOURCES = 4096, /* handed out in a run */
    SIM_OPERATIONS = 4096,
    SIM_TRACE_LINES = 40,
    SIM_LINE_SIZE = 200,
};

/* ---- the world: world.c ---- */

typedef struct sim_content { /* bytes of an artifact */
    kas_sha256 checksum;
    kas_kernel_facts facts;
    uint64_t device_bytes;
    double value; /* what its kernel answers; stands in for the function */
} sim_content;

typedef enum sim_owner { SIM_NOBODY = 0, SIM_CARRIER, SIM_STATE } sim_owner;

typedef struct sim_resource {
    sim_owner owner; /* SIM_NOBODY: given back */
    bool is_kernel;
    uint8_t content, device; /* of a kernel; weights have a device too */
    bool undrained;          /* a publication has dropped it; KERNEL_DRAINED is owed */
    bool doomed;             /* evicted by request, or lost: released once drained */
    bool lost;               /* with its device: it does not count */
    uint32_t idle_since;     /* step since which nothing needs it; 0: something does */
    double value;
} sim_resource;

typedef struct sim_make {
    uint64_t id; /* 0: free */
    uint8_t artifact, device;
    bool uploading, known; /* known: which bytes it makes */
    uint8_t content;       /* once known */
    bool over;             /* nobody waits for its answer: it comes late */
    uint32_t due;          /* step before which it does not answer */
} sim_make;

typedef struct sim_fold {
    uint64_t id; /* 0: free */
    double value;
    uint8_t device;
} sim_fold;

typedef struct sim_asked { /* of the carrier, for a layer that moves */
    uint64_t operation;    /* 0: free */
    kas_resource from;     /* 0: a trial */
    uint8_t device;
    bool over; /* the move is: the answer comes too late */
} sim_asked;

typedef struct sim_use { /* a kernel that a pass runs */
    uint64_t binding;
    kas_resource kernel;
    uint16_t seed;
} sim_use;

typedef struct sim_pass {
    uint64_t layer_uid; /* 0: free */
    uint32_t count;
    sim_use uses[2 * SIM_SEEDS];
} sim_pass;

/* What passes of a layer see. */
typedef struct sim_view {
    bool shown;
    kas_published_layer is;
    bool replicated; /* and `there`, the same on the other device: */
    kas_published_layer there;
    uint32_t steps;                         /* passes that have begun under it, as far as they move a ramp */
    uint32_t told;                          /* of them, told to the state */
    uint64_t last_generation, last_meaning; /* of the layer's last pass */
} sim_view;

typedef struct sim_world {
    sim_content contents[SIM_CONTENTS];
    uint8_t registry[SIM_ARTIFACTS]; /* which content the registry has for each id */
    sim_resource resources[SIM_RESOURCES];
    kas_resource last_resource;
    sim_make makes[SIM_MAKES];
    sim_fold folds[SIM_FOLDS];
    sim_asked asked[SIM_ASKED];
    uint64_t published[SIM_PUBLISHED]; /* operations, shown and not told of yet */
    uint32_t published_count;
    sim_pass passes[SIM_PASSES];
    kas_pass_result results[SIM_RESULTS]; /* reported, not told yet */
    uint32_t result_count;
    sim_view views[SIM_LAYERS];
    bool lost[SIM_DEVICES]; /* everything on it fails */
} sim_world;

/* ---- the model: model.c ---- */

typedef struct sim_wish {
    int artifact;
    bool has_alpha;
    float alpha;
    kas_ramp ramp;
} sim_wish;

typedef struct sim_staged {
    kas_change change; /* KAS_CHANGE_NONE: nothing, or weights */
    bool present;
    uint32_t at_epoch;
    uint64_t order;
    sim_wish wish;
    uint64_t operation;   /* of a load that runs; 0: it has ended */
    kas_resource kernel;  /* of a load that is ready */
    kas_resource weights; /* of a layer */
    kas_sha256 weights_sha256;
} sim_staged;

typedef struct sim_seed {
    kas_lifecycle state;
    int artifact; /* −1: none */
    kas_resource kernel;
    uint16_t alpha; /* half precision */
    kas_ramp ramp;  /* unit KAS_RAMP_NONE: none runs */
    float ramp_from, ramp_to;
    int64_t ramp_start_ns;
    uint16_t errors, own_errors, load_failures;
    bool fallback;
    uint32_t epoch, epoch_back; /* epoch_back: where a load that fails returns to */
    float fossil_alpha;
    uint64_t load;
    sim_wish wish;
    bool from_recovery, retry;
    int64_t retry_ns;
    sim_staged staged;
    kas_error_type last_error;
    float health; /* accumulator; valid once has_health */
    bool has_health;
    uint16_t latency_us;
    uint8_t recent[100]; /* ring of the last executions: failed */
    uint32_t recent_count, recent_at;
    kas_lifecycle told;           /* as transitions have told it */
    uint64_t binding;             /* that passes name in their results; 0: none, or not published yet */
    uint64_t revision, signature; /* as last seen: of the interface, and of what must change it */
} sim_seed;

typedef struct sim_layer {
    bool exists;
    uint64_t uid, revision;
    int64_t layer_id;
    uint8_t device, num_seeds;
    uint32_t input_size, output_size;
    bool serving;
    kas_resource weights;
    kas_sha256 weights_sha256;
    uint8_t fossils[SIM_SEEDS];
    uint32_t fossil_count;
    sim_staged staged; /* weights */
    uint64_t move;     /* its operation; 0: it stays */
    bool refuge;       /* there was another device to go to when its own was lost */
    uint32_t tries;    /* moves off its lost device that failed */
    kas_code failure;  /* of the last of them */
    int64_t again_ns;  /* when the next is due; 0: none is */
    uint8_t move_to;
    bool replica;                 /* on the other device, as far as it was not dropped */
    bool joined;                  /* it has been ready */
    bool lost;                    /* it had been, and its device is lost */
    bool gave_up;                 /* it could not be made ready for what is staged */
    bool was_ready, was_prepared; /* its replica, before the command at hand */
    sim_seed seeds[SIM_SEEDS];
} sim_layer;

typedef struct sim_operation {
    bool known, ended, preload, staged, move, replica, may_be_cancelled;
    bool flees; /* a move that was not asked for, or that would be begun if it were not */
    int layer;
    uint32_t seed;
    uint8_t artifact, device;
    int64_t begun_ns; /* when it was asked for */
} sim_operation;

typedef struct sim_model {
    sim_layer layers[SIM_LAYERS];
    int bound[SIM_ARTIFACTS]; /* content; −1: never bound */
    bool pinned[SIM_ARTIFACTS];
    bool quarantined[SIM_CONTENTS];
    int64_t faults_ns[SIM_CONTENTS][3];
    uint32_t fault_count[SIM_CONTENTS];
    sim_operation operations[SIM_OPERATIONS];
    uint64_t last_operation, last_order;
    uint64_t hits, misses, evictions; /* of the cache */
    uint64_t last_fetch;              /* make of a retry that was counted as a miss */
    bool load_hits;                   /* whether the load at hand does */
    uint32_t epoch;
} sim_model;

/* ---- a run ---- */

typedef struct sim {
    uint64_t seed;
    uint32_t step, steps;
    bool verbose;
    kas_rng rng;
    int64_t now_ns, asked_ns; /* asked_ns: of the command at hand */
    kas_state_limits limits;
    kas_state *state;
    kas_sha256 digest;       /* of the state */
    kas_sha256 history;      /* of all that has happened */
    kas_effects effects;     /* of the last command */
    const kas_effect *reply; /* among them; NULL: none */
    kas_ticket last_ticket;
    uint32_t fail_percent; /* of commands: an allocation fails in them */
    bool trouble;          /* many passes, and of a kernel that fails */
    sim_world world;
    sim_model model;
    char lines[SIM_TRACE_LINES][SIM_LINE_SIZE];
    uint64_t line_count;
} sim;

extern const char *const sim_layer_names[SIM_LAYERS];
extern const char *const sim_device_names[SIM_DEVICES];
extern const uint32_t sim_device_kinds[SIM_DEVICES];
const char *sim_artifact_id(int artifact);
int sim_artifact_of(const char *id);                 /* −1: none of ours */
int sim_layer_of(const sim *s, uint64_t uid);        /* −1: none that exists */
int sim_layer_named(const sim *s, const char *name); /* −1: none that exists */
int sim_device_named(const char *name);

static inline uint32_t sim_below(sim *s, uint32_t bound)
{
    return kas_rng_below(&s->rng, bound);
}

static inline bool sim_chance(sim *s, uint32_t percent)
{
    return sim_below(s, 100) < percent;
}

/* report.c */
void sim_trace(sim *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
_Noreturn void sim_fail(sim *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define SIM_REQUIRE(s, condition, ...)                                                                       \
    do {                                                                                                     \
        if (!(condition)) sim_fail((s), __VA_ARGS__);                                                        \
    } while (0)

/* run.c */
kas_sha256 sim_run(uint64_t seed, uint32_t steps, bool verbose); /* the digest of all that has happened */
void sim_give(sim *s, kas_command *command);                     /* applies it and checks everything */
/* The same for an answer that comes too late: nothing may change. */
void sim_give_late(sim *s, kas_command *command);

/* commands.c */
void sim_ask(sim *s);           /* a random request of a caller */
void sim_ask_all_to_go(sim *s); /* the end: layers deleted, artifacts evicted */

/* world.c */
void sim_world_make(sim *s);
kas_resource sim_world_weights(sim *s, int device);       /* a new resource, the carrier's */
void sim_world_carry(sim *s, const kas_command *command); /* the effects of the command */
void sim_world_answer(sim *s);                            /* one random answer of the world */
bool sim_world_answer_all(sim *s);                        /* everything that is owed; false: nothing was */
kas_resource sim_world_resident(const sim *s, int content, int device); /* 0: none that loads find */
bool sim_world_in_use(const sim *s, kas_resource kernel);               /* a view or a pass has it */
const sim_make *sim_world_make_for(const sim *s, int artifact,
                                   int device);                /* that a load waits for; NULL: none */
bool sim_world_asked(const sim *s, uint64_t operation);        /* the carrier owes an answer to this move */
bool sim_world_uploads(const sim *s, int content, int device); /* these bytes are being made */

/* views.c */
bool sim_views_have(const sim *s, kas_resource kernel);
void sim_views_publish(sim *s); /* all that the effects name, at once; what no view has any more drains */

/* model.c, verdict.c */
void sim_model_make(sim *s);
kas_code sim_model_verdict(sim *s,
                           const kas_command *command); /* what a caller's command must be answered with */
void sim_model_accept(sim *s,
                      const kas_command *command); /* what follows from it, operations' ends included */
bool sim_model_fits(const sim *s, const sim_layer *layer, int device,
                    int content);                        /* compatible; layer NULL: a preload */
bool sim_model_needs(const sim *s, kas_resource kernel); /* a seed, a fossil, a staged load or a pin */
bool sim_model_pins(const sim *s, int content);
bool sim_model_is_quarantined(const sim *s, int artifact);
kas_code sim_model_check_change(const sim_layer *layer, uint32_t seed, kas_change change); /* of 409 */
bool sim_seed_live(const sim_seed *seed);
uint32_t sim_model_unready(const sim *s, uint32_t epoch); /* staged loads due by then that have no kernel */
double sim_model_base(const sim *s, const sim_layer *layer); /* D̂ */

/* layers.c */
void sim_accept_create(sim *s, const kas_command *command);
void sim_accept_delete(sim *s, sim_layer *layer);
void sim_accept_move(sim *s, int layer, const kas_command *command);
void sim_accept_replicas(sim *s, sim_layer *layer, const kas_replica_list *list);

/* changes.c */
void sim_accept_change(sim *s, const kas_command *command, kas_change change);
void sim_accept_load(sim *s, const kas_command *command);
void sim_accept_weights(sim *s, sim_layer *layer, const kas_command *command);
void sim_accept_advance(sim *s, const kas_command *command);
void sim_accept_retries(sim *s); /* after TICK: loads of seeds in ERROR_RECOVERY, again */
void sim_drop_staged(sim *s, sim_staged *staged);

/* moves.c */
void sim_move_ended(sim *s, int layer, bool arrived);   /* the state has ended it */
bool sim_move_holds(const sim *s, kas_resource kernel); /* a layer that moves does, as the state tells */
bool sim_move_makes(const sim *s, int device);          /* kernels are being made there */
bool sim_move_fits(const sim *s, const sim_layer *layer, int device); /* every kernel of it does, there */

/* replicas.c */
int sim_replica_device(const sim_layer *layer); /* where it may have one */
void sim_replicas_begun(sim *s);                /* operations that nobody asked for by name */
void sim_replica_ended(sim *s, const sim_operation *operation, const kas_operation_info *info,
                       const kas_command *command, bool justified);
void sim_replica_check(sim *s, int layer);
bool sim_replica_is_prepared(const sim *s, int layer);    /* for the epoch, by all that is known of it */
void sim_replica_forget(sim_layer *layer);                /* it was dropped */
bool sim_replica_works(const sim *s, uint64_t operation); /* something works on what it waits for */

/* loss.c */
void sim_tell_lost(sim *s, int device); /* the state, that it is lost */
void sim_accept_lost(sim *s, const kas_command *command);
void sim_put_off(sim *s, sim_layer *layer, kas_code code); /* such a move has failed: one later */
void sim_accept_tries(sim *s);                             /* after TICK: moves off lost devices, again */

/* operations.c: the ends of loads and preloads */
void sim_operation_published(sim *s, uint64_t id); /* the state has been told */
void sim_operation_begun(sim *s, uint64_t id, sim_operation operation);
void sim_operations_ended(sim *s,
                          const kas_command *command); /* as the effects tell; each must be justified */

/* seeds.c: what happens to a seed of the model */
void sim_seed_begin_load(sim *s, sim_seed *seed, const sim_wish *wish, uint64_t operation);
void sim_seed_bind(sim *s, sim_layer *layer, uint32_t index, const sim_wish *wish, kas_resource kernel);
void sim_seed_send_back(sim *s, sim_seed *seed, bool unexpected);
void sim_seed_unload(sim *s, sim_seed *seed);
void sim_seed_reset(sim *s, sim_seed *seed);
void sim_seed_set_alpha(sim *s, sim_seed *seed, const sim_wish *wish);
void sim_seed_fossilize(sim *s, sim_layer *layer, uint32_t index);
void sim_seed_note_result(sim *s, const kas_pass_result *result);

/* checks.c */
void sim_check_all(sim *s, const kas_command *command);
void sim_check_gone(sim *s); /* at the end: nothing is left */

#endif
