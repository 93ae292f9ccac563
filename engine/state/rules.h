/* What the files of this folder do for each other, by file. Everything that returns a status may refuse (the
 * whole command is then undone) or be out of memory; nothing here needs undoing by its caller. */
#ifndef KAS_STATE_RULES_H
#define KAS_STATE_RULES_H

#include "engine/state/model.h"

/* Why a load ended without its kernel. */
typedef struct kas_failure {
    kas_code code;
    kas_error_type type;
    const char *reason; /* static storage */
    char detail[KAS_DETAIL_SIZE];
} kas_failure;

/* ---- effects.c ---- */

/* A new effect of this apply, zero but for its kind and place (layer may be NULL); valid until the next one.
 */
kas_status kas_emit(kas_state *state, kas_effect_kind kind, const kas_layer *layer, uint32_t seed,
                    kas_effect **out) KAS_MUST_USE;
/* An effect that has nothing to say but its kind and layer. */
kas_status kas_emit_plain(kas_state *state, kas_effect_kind kind, const kas_layer *layer) KAS_MUST_USE;
kas_status kas_emit_release(kas_state *state, kas_resource weights) KAS_MUST_USE; /* of weights; 0: nothing */
/* KAS_EFFECT_ERROR or _ALERT. */
kas_status kas_emit_error(kas_state *state, kas_effect_kind kind, const kas_layer *layer, uint32_t seed,
                          const char *artifact_id, const kas_error_info *error) KAS_MUST_USE;
/* Moves what was gathered to `effects`, in the order in which it must be carried out. */
kas_status kas_effects_deliver(kas_state *state, kas_effects *effects) KAS_MUST_USE;
void kas_effects_discard(kas_state *state); /* of a change that is undone */

/* ---- layers.c ---- */

kas_layer *kas_layer_find(const kas_state *state, const char *name); /* NULL: none */
kas_layer *kas_layer_by_uid(const kas_state *state, uint64_t uid);   /* NULL: none */
kas_status kas_layer_of(kas_state *state, const kas_command *command, kas_layer **out) KAS_MUST_USE;
kas_status kas_layer_edit(kas_state *state, kas_layer *layer) KAS_MUST_USE;
kas_status kas_layer_mark(kas_state *state, kas_layer *layer, uint8_t marks) KAS_MUST_USE; /* edits it */
kas_status kas_layer_set_weights(kas_state *state, kas_layer *layer, kas_resource weights,
                                 const kas_sha256 *sha256) KAS_MUST_USE;
kas_status kas_create_layer(kas_state *state, const kas_command *command) KAS_MUST_USE;
kas_status kas_delete_layer(kas_state *state, const kas_command *command) KAS_MUST_USE;
kas_status kas_set_weights(kas_state *state, const kas_command *command) KAS_MUST_USE;
kas_status kas_set_serving(kas_state *state, const kas_command *command) KAS_MUST_USE;

/* ---- seeds.c ---- */

typedef enum kas_request { /* what may be asked of a seed */
                           KAS_REQUEST_LOAD = 0,
                           KAS_REQUEST_UNLOAD,
                           KAS_REQUEST_ALPHA,
                           KAS_REQUEST_FOSSILIZE,
                           KAS_REQUEST_RESET,
                           KAS_REQUEST_COUNT
} kas_request;

void kas_seeds_lay_out(kas_layer *layer,
                       void *block); /* block: num_seeds · KAS_SEED_BYTES, aligned for u64 */
uint32_t kas_seeds_control_crc(const kas_layer *layer);
kas_lifecycle kas_seed_state(const kas_layer *layer, uint32_t seed);
KAS_API const char *kas_lifecycle_name(kas_lifecycle state); /* as <kasmina/kasmina.h> declares it */
bool kas_lifecycle_allows(kas_lifecycle state, kas_request request);
bool kas_lifecycle_reaches(kas_lifecycle from, kas_lifecycle to);
/* Its kernel is part of the layer's view, as a seed or as a fossil that is not folded. */
bool kas_seed_shows(const kas_layer *layer, uint32_t seed);
bool kas_seed_live(const kas_layer *layer, uint32_t seed); /* contributes, or would with alpha above 0 */
/* The layer and seed that a command names, with its precondition. */
kas_status kas_seed_of(kas_state *state, const kas_command *command, kas_layer **layer) KAS_MUST_USE;
/* Refuses with the state and what it allows. */
kas_status kas_seed_check(kas_state *state, const kas_layer *layer, uint32_t seed,
                          kas_request request) KAS_MUST_USE;
/* Saves the seed's elements and slot, and its layer. */
kas_status kas_seed_edit(kas_state *state, kas_layer *layer, uint32_t seed) KAS_MUST_USE;
/* A controlled change: revisions of seed and layer. The seed is being edited. */
void kas_seed_revise(kas_layer *layer, uint32_t seed);
/* Its kernel or alpha has changed in this epoch; a load that runs, and fails, does not turn that back. */
void kas_seed_stamp(const kas_state *state, kas_layer *layer, uint32_t seed);
/* Changes the lifecycle state, tells of it, counts a revision; edits the seed. */
kas_status kas_seed_move(kas_state *state, kas_layer *layer, uint32_t seed, kas_lifecycle to,
                         const char *reason) KAS_MUST_USE;
/* Takes the kernel away, if there is one: no kernel id, alpha 0, no ramp; edits the seed. */
kas_status kas_seed_unbind(kas_state *state, kas_layer *layer, uint32_t seed) KAS_MUST_USE;
/* Makes a ready kernel the seed's, as its wish says, and the seed ACTIVE. */
kas_status kas_seed_bind(kas_state *state, kas_layer *layer, uint32_t seed, kas_entry *entry,
                         const kas_wish *wish) KAS_MUST_USE;

/* ---- changes.c: unload, reset, alpha; each also as a staged change ---- */

kas_status kas_change_seed(kas_state *state, const kas_command *command, kas_change change) KAS_MUST_USE;
/* Is the change allowed now? May refuse with the state and what it allows. */
kas_status kas_change_check(kas_state *state, const kas_layer *layer, uint32_t seed,
                            kas_change change) KAS_MUST_USE;
/* Makes a change (not a load) that was checked. wish: of an alpha. */
kas_status kas_change_make(kas_state *state, kas_layer *layer, uint32_t seed, kas_change change,
                           const kas_wish *wish) KAS_MUST_USE;
kas_status kas_unload(kas_state *state, kas_layer *layer, uint32_t seed) KAS_MUST_USE;
kas_status kas_reset(kas_state *state, kas_layer *layer, uint32_t seed) KAS_MUST_USE;
kas_status kas_set_alpha(kas_state *state, kas_layer *layer, uint32_t seed,
                         const kas_wish *wish) KAS_MUST_USE;
kas_status kas_check_wish(const kas_wish *wish) KAS_MUST_USE; /* alpha and ramp in range */

/* ---- load.c ---- */

kas_status kas_load(kas_state *state, const kas_command *command) KAS_MUST_USE;
kas_status kas_preload(kas_state *state, const kas_command *command) KAS_MUST_USE;
/* Begins to load what the seed's wish says: LOADING, an operation, and the kernel if it is on the device. */
kas_status kas_load_begin(kas_state *state, kas_layer *layer, uint32_t seed, const kas_wish *wish,
                          const char *reason, uint64_t *operation) KAS_MUST_USE;
/* LOADING and ACTIVE in one go, with a kernel that was made ready before. */
kas_status kas_load_at_once(kas_state *state, kas_layer *layer, uint32_t seed, const kas_wish *wish,
                            kas_entry *entry) KAS_MUST_USE;
/* Of an operation that waits for this kernel; a move takes what its layer has already. */
kas_status kas_load_check_quarantine(const kas_operation *operation, const kas_content *content) KAS_MUST_USE;
/* Does the operation take this kernel? NULL, or what it is refused with. */
kas_status kas_load_check(kas_state *state, const kas_operation *operation, uint32_t device_kind,
                          const kas_content *content, const kas_kernel_facts *facts) KAS_MUST_USE;
/* The operation's kernel is on the device: the end of it. */
kas_status kas_load_succeed(kas_state *state, kas_operation *operation, kas_entry *entry) KAS_MUST_USE;
/* The end of it by a failure; the seed goes back to where it came from. */
kas_status kas_load_fail(kas_state *state, kas_operation *operation, const kas_failure *failure) KAS_MUST_USE;
/* The same with what a check refused it with; consumes `refusal`, which is passed on when memory was out. */
kas_status kas_load_refuse(kas_state *state, kas_operation *operation, kas_status refusal) KAS_MUST_USE;
/* Somebody does not want it any more. `why` for a person. */
kas_status kas_load_cancel(kas_state *state, kas_operation *operation, const char *why) KAS_MUST_USE;

/* ---- makes.c ---- */

kas_status kas_make_edit(kas_state *state, kas_make *make) KAS_MUST_USE;
/* Lets the operation wait for this artifact on this device; begins to make it if nobody has. */
kas_status kas_make_wait(kas_state *state, kas_operation *operation, const char *artifact_id,
                         const char *device, uint32_t device_kind) KAS_MUST_USE;
kas_make *kas_make_find(const kas_state *state, const char *artifact_id, const char *device); /* NULL: none */
/* The operation no longer waits; a make that nobody waits for is abandoned. */
kas_status kas_make_leave(kas_state *state, kas_operation *operation) KAS_MUST_USE;
kas_status kas_make_progress(kas_state *state, const kas_command *command) KAS_MUST_USE;
kas_status kas_make_resolved(kas_state *state, const kas_command *command) KAS_MUST_USE;
kas_status kas_make_ready(kas_state *state, const kas_command *command) KAS_MUST_USE;
kas_status kas_make_failed(kas_state *state, const kas_command *command) KAS_MUST_USE;

/* The operation, which waits for a make, waits for the same artifact on another device. */
kas_status kas_make_redirect(kas_state *state, kas_operation *operation, const char *device,
                             uint32_t device_kind) KAS_MUST_USE;

/* ---- move.c ---- */

kas_status kas_move_layer(kas_state *state, const kas_command *command) KAS_MUST_USE;
/* Answers of the carrier. */
kas_status kas_move_weights_ready(kas_state *state, const kas_command *command) KAS_MUST_USE;
kas_status kas_move_tried(kas_state *state, const kas_command *command) KAS_MUST_USE;
kas_status kas_move_failed(kas_state *state, const kas_command *command) KAS_MUST_USE;
/* A kernel that its operation waited for is on the device, or will not be. */
kas_status kas_move_kernel_ready(kas_state *state, kas_operation *operation, kas_entry *entry) KAS_MUST_USE;
kas_status kas_move_kernel_failed(kas_state *state, kas_operation *operation,
                                  const kas_failure *failure) KAS_MUST_USE;
/* Somebody does not want it any more; `failure` says why. */
kas_status kas_move_cancel(kas_state *state, kas_operation *operation,
                           const kas_failure *failure) KAS_MUST_USE;
/* The layer's device is lost: it goes to this one, unless it is on its way to another. */
kas_status kas_move_flee(kas_state *state, kas_layer *layer, const char *device,
                         uint32_t device_kind) KAS_MUST_USE;
/* A move to this device, which is lost, has failed. */
kas_status kas_move_device_lost(kas_state *state, kas_layer *layer, const char *device) KAS_MUST_USE;
/* What moves and replicas have in common: the making of what a layer needs elsewhere. */
kas_move *kas_move_of(const kas_operation *operation); /* NULL: it is over, or none of these */
kas_status kas_move_edit(kas_state *state, kas_move *move) KAS_MUST_USE;
kas_status kas_move_create(kas_state *state, kas_layer *layer, const char *device, uint32_t device_kind,
                           kas_move **out) KAS_MUST_USE;
kas_status kas_move_begin(kas_state *state, kas_move *move, kas_operation_kind kind) KAS_MUST_USE;
/* The next thing, or the end: `move` may be gone then. Nothing is waited for. */
kas_status kas_move_go_on(kas_state *state, kas_move *move) KAS_MUST_USE;
kas_status kas_move_let_go(kas_state *state, kas_move *move) KAS_MUST_USE; /* of kernels and weights */
kas_status kas_move_end_operation(kas_state *state, kas_move *move, kas_operation_state how,
                                  const kas_failure *failure) KAS_MUST_USE;

/* ---- places.c ---- */

/* Kernels that it is to have: those of seeds, then those of staged loads, which a replica gets once it is
 * ready. */
uint32_t kas_move_places(const kas_move *move);
const char *kas_move_artifact(const kas_layer *layer, uint32_t place); /* of a kernel that is needed */
bool kas_move_needs(const kas_move *move, const kas_content *content); /* at any of its places; NULL: no */
bool kas_move_has_all(const kas_move *move);           /* that its layer has now, and its plan was tried */
bool kas_replica_is_prepared(const kas_move *replica); /* for what is staged, as far as it can be */
/* Holds what is there and lets go of what is not needed any more. Returns the first place that lacks its
 * kernel in *missing; their number: none does. The move is being edited. */
kas_status kas_move_hold(kas_state *state, kas_move *move, uint32_t *missing) KAS_MUST_USE;

/* ---- replicas.c ---- */

/* Begins those of the list that there are not yet. */
kas_status kas_replicas_add(kas_state *state, kas_layer *layer, const kas_replica_list *list) KAS_MUST_USE;
kas_status kas_set_replicas(kas_state *state, const kas_command *command) KAS_MUST_USE;
/* The layer has changed: replicas that lack something are out of its view until they have it. */
kas_status kas_replicas_settle(kas_state *state, kas_layer *layer) KAS_MUST_USE;
/* The layer's weights are about to be these, which are the same elsewhere. */
kas_status kas_replicas_keep_weights(kas_state *state, kas_layer *layer, kas_resource weights) KAS_MUST_USE;
kas_status kas_replicas_drop_all(kas_state *state, kas_layer *layer) KAS_MUST_USE;
/* There is no replica where the layer itself is. */
kas_status kas_replica_make_way(kas_state *state, kas_layer *layer, const char *device) KAS_MUST_USE;
/* Its device is lost: one that had joined stays in the list with nothing, another is dropped. failure: of
 * what is being made there. */
kas_status kas_replica_lose(kas_state *state, kas_move *replica, const kas_failure *failure) KAS_MUST_USE;
kas_status kas_replica_device_lost(kas_state *state, kas_layer *layer, const char *device) KAS_MUST_USE;
/* What is staged has changed, or a staged load is ready: so are the layer's replicas to be before its epoch
 * comes.
 */
kas_status kas_replicas_prepare(kas_state *state, kas_layer *layer) KAS_MUST_USE;
/* It cannot: it serves on, and catches up when the epoch has come. */
kas_status kas_replica_give_up(kas_state *state, kas_move *replica, const kas_failure *failure) KAS_MUST_USE;
kas_status kas_replica_arrive(kas_state *state, kas_move *replica) KAS_MUST_USE;
kas_status kas_replica_drop(kas_state *state, kas_move *replica, kas_operation_state how,
                            const kas_failure *failure) KAS_MUST_USE;

const kas_move *kas_replica_ready(const kas_layer *layer); /* the first that is; NULL: none */

/* ---- flight.c ---- */

/* Where it goes to when no replica of it is ready; "": nowhere. */
kas_status kas_flight_to(kas_state *state, kas_layer *layer, const char *device,
                         uint32_t device_kind) KAS_MUST_USE;
/* Begins a move to where it can go now, unless one runs; if there is such a place. */
kas_status kas_flight_try(kas_state *state, kas_layer *layer) KAS_MUST_USE;
/* A try has failed: the next one comes later. */
kas_status kas_flight_put_off(kas_state *state, kas_layer *layer, kas_code code) KAS_MUST_USE;
bool kas_flight_is_news(const kas_layer *layer,
                        kas_code code); /* the first failure, or another than the last */
/* A move of the layer begins: *flees becomes true when it is one of those that are tried again. */
kas_status kas_flight_go_on(kas_state *state, kas_layer *layer, bool *flees) KAS_MUST_USE;
kas_status kas_flight_end(kas_state *state, kas_layer *layer) KAS_MUST_USE; /* nothing is tried any more */
kas_status kas_flight_tick(kas_state *state) KAS_MUST_USE;

/* ---- loss.c ---- */

kas_status kas_device_lost(kas_state *state, const kas_command *command) KAS_MUST_USE;

/* ---- artifacts.c: ids, checksums, pins, quarantine ---- */

kas_binding *kas_binding_find(const kas_state *state, const char *artifact_id); /* NULL: never bound */
kas_content *kas_content_find(const kas_state *state, const kas_sha256 *checksum);
kas_status kas_content_edit(kas_state *state, kas_content *content) KAS_MUST_USE;
kas_status kas_artifact_check_name(const char *artifact_id) KAS_MUST_USE;
kas_status kas_artifact_bind(kas_state *state, const char *artifact_id, const kas_sha256 *checksum,
                             kas_content **out) KAS_MUST_USE;
kas_status kas_artifact_check_quarantine(const kas_content *content) KAS_MUST_USE; /* NULL content: fine */
kas_status kas_bind_artifact(kas_state *state, const kas_command *command) KAS_MUST_USE;
kas_status kas_pin(kas_state *state, const kas_command *command, bool pinned) KAS_MUST_USE;
kas_status kas_lift_quarantine(kas_state *state, const kas_command *command) KAS_MUST_USE;

/* ---- cache.c ---- */

kas_entry *kas_cache_find(const kas_content *content, const char *device); /* NULL: none */
kas_status kas_entry_edit(kas_state *state, kas_entry *entry) KAS_MUST_USE;
/* After anything that decides whether it may be evicted has changed. */
kas_status kas_entry_settle(kas_state *state, kas_entry *entry) KAS_MUST_USE;
kas_status kas_cache_hit(kas_state *state, kas_entry *entry) KAS_MUST_USE;
/* Reserves memory for what `make` makes, evicting as far as it must; KAS_NO_ROOM changes nothing. */
kas_status kas_cache_reserve(kas_state *state, kas_make *make, const kas_kernel_facts *facts,
                             uint64_t device_bytes) KAS_MUST_USE;
kas_status kas_cache_remove(kas_state *state, kas_entry *entry) KAS_MUST_USE;
kas_status kas_hold_take(kas_state *state, kas_hold *hold, kas_entry *entry) KAS_MUST_USE;
kas_status kas_hold_drop(kas_state *state, kas_hold *hold) KAS_MUST_USE;
kas_status kas_evict(kas_state *state, const kas_command *command) KAS_MUST_USE;
/* Kernels there are found by nobody, count against no limit, and go when nobody needs them any more. */
kas_status kas_cache_device_lost(kas_state *state, const char *device) KAS_MUST_USE;
kas_status kas_kernel_drained(kas_state *state, const kas_command *command) KAS_MUST_USE;

/* ---- compatibility.c ---- */

/* The first reason against this kernel; layer NULL: only what a device can say. */
kas_status kas_check_compatible(const kas_state *state, const kas_layer *layer, uint32_t device_kind,
                                const kas_kernel_facts *facts, double max_memory_mb) KAS_MUST_USE;

/* ---- staging.c, epoch.c ---- */

/* Of the request itself, so before anything that the state has against it: 0 (at once), or yet to come. */
kas_status kas_stage_check_epoch(const kas_state *state, uint32_t at_epoch) KAS_MUST_USE;
/* Refuses what has a change staged already; seed < 0: the layer's weights. */
kas_status kas_stage_check(const kas_layer *layer, int32_t seed) KAS_MUST_USE;
kas_status kas_stage_add(kas_state *state, kas_layer *layer, int32_t seed, kas_change change,
                         uint32_t at_epoch, const kas_wish *wish, kas_staged **out) KAS_MUST_USE;
kas_status kas_staged_edit(kas_state *state, kas_staged *staged) KAS_MUST_USE;
bool kas_staged_ready(const kas_staged *staged);
/* Takes it out: its kernel, its operation if that still runs (cancelled), and, when dropped, its weights. */
kas_status kas_staged_remove(kas_state *state, kas_staged *staged, bool dropped) KAS_MUST_USE;
kas_status kas_drop_staged(kas_state *state, const kas_command *command) KAS_MUST_USE;
kas_status kas_advance_epoch(kas_state *state, const kas_command *command) KAS_MUST_USE;

/* ---- ramps.c ---- */

kas_status kas_ramp_begin(kas_state *state, kas_layer *layer, uint32_t seed, float from, float to,
                          const kas_ramp *ramp) KAS_MUST_USE; /* edits the seed */
kas_status kas_ramp_end(kas_state *state, kas_layer *layer,
                        uint32_t seed) KAS_MUST_USE;             /* where it has got to */
float kas_ramp_alpha(const kas_ramp_run *ramp, uint32_t passes); /* of one over passes, after so many */
/* A new view begins: from here its passes count. Edits the seeds whose ramps go by passes. */
kas_status kas_ramp_rebase(kas_state *state, kas_layer *layer) KAS_MUST_USE;
kas_status kas_ramp_steps(kas_state *state, const kas_command *command) KAS_MUST_USE;
kas_status kas_ramp_tick(kas_state *state) KAS_MUST_USE;

/* ---- fossils.c ---- */

kas_status kas_fossilize_check(const kas_layer *layer, uint32_t seed) KAS_MUST_USE;
kas_status kas_fossilize(kas_state *state, kas_layer *layer, uint32_t seed) KAS_MUST_USE;
kas_status kas_fold_begin(kas_state *state,
                          kas_layer *layer) KAS_MUST_USE; /* what can be folded, if it grows */
kas_status kas_fold_cancel(kas_state *state, kas_layer *layer) KAS_MUST_USE;
kas_status kas_folded(kas_state *state, const kas_command *command, bool failed) KAS_MUST_USE;

/* ---- results.c, recovery.c ---- */

kas_status kas_pass_results(kas_state *state, const kas_command *command) KAS_MUST_USE;
/* A seed whose kernel failed too often: out of service, with a retry to come. */
kas_status kas_recovery_enter(kas_state *state, kas_layer *layer, uint32_t seed,
                              const char *reason) KAS_MUST_USE;
/* One more entry into ERROR_RECOVERY by the kernel's own fault; the third in the window puts it into
 * quarantine. */
kas_status kas_recovery_count_fault(kas_state *state, kas_content *content) KAS_MUST_USE;
kas_status kas_recovery_tick(kas_state *state) KAS_MUST_USE;

/* ---- operations.c ---- */

kas_operation *kas_operation_find(const kas_state *state, uint64_t id); /* NULL: none */
bool kas_operation_moves(const kas_operation *operation); /* of a layer to a device: waits as moves do */
kas_status kas_operation_edit(kas_state *state, kas_operation *operation) KAS_MUST_USE;
enum { KAS_NO_SEED = UINT32_MAX }; /* of operations that are no seed's */

/* layer NULL: a preload. */
kas_status kas_operation_begin(kas_state *state, kas_operation_kind kind, kas_layer *layer, uint32_t seed,
                               const char *artifact_id, kas_operation **out) KAS_MUST_USE;
/* failure: NULL when it succeeded. It no longer waits; its layer's or staged change's pointer to it is the
 * caller's. */
kas_status kas_operation_end(kas_state *state, kas_operation *operation, kas_operation_state how,
                             const kas_failure *failure) KAS_MUST_USE;
kas_status kas_operation_changed(kas_state *state, const kas_operation *operation) KAS_MUST_USE;
/* It lasted until now. One that is not kept any more is no matter. */
kas_status kas_operation_published(kas_state *state, const kas_command *command) KAS_MUST_USE;
kas_status kas_operations_trim(kas_state *state) KAS_MUST_USE;
kas_status kas_cancel_operation(kas_state *state, const kas_command *command) KAS_MUST_USE;

/* ---- publish.c ---- */

/* Settles all marked layers: checksums, generations, what is shown, PUBLISH effects. */
kas_status kas_publish_marked(kas_state *state) KAS_MUST_USE;
/* The layer is about to go: nothing of it is shown any more. */
kas_status kas_publish_nothing(kas_state *state, kas_layer *layer) KAS_MUST_USE;
/* The replica is about to go. */
kas_status kas_publish_hide_replica(kas_state *state, kas_move *replica) KAS_MUST_USE;

#endif
