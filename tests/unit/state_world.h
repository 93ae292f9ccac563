/* A world around a control-plane state, for tests: it makes commands with few words, keeps the effects of the
 * last one, and checks every invariant of the state after each. */
#ifndef KAS_TESTS_STATE_WORLD_H
#define KAS_TESTS_STATE_WORLD_H

#include "engine/state/state.h"

typedef struct world {
    kas_state *state;
    kas_effects effects; /* of the last command */
    kas_reply reply;     /* of the last command that was answered, without its list */
    kas_code code;       /* of its status */
    char reason[32];
    kas_epoch_failure failed[8];
    int64_t now_ns;
    kas_ticket last_ticket;
    kas_resource last_resource;
} world;

world world_make(const kas_state_limits *limits); /* with a layer "a": 8 → 4, four seeds, on host:0 */
void world_finish(world *w);

/* Applies a command with the world's time and a new ticket; returns the code of its answer. */
kas_code give(world *w, kas_command command);
void pass_time(world *w, int64_t ns);

kas_code create_layer(world *w, const char *name, uint32_t seeds);
kas_code ask(world *w, kas_command_kind kind, const char *layer, uint32_t seed);
kas_code load(world *w, const char *layer, uint32_t seed, const char *artifact,
              float alpha); /* alpha < 0: none */
kas_code set_alpha(world *w, const char *layer, uint32_t seed, float alpha);
kas_code advance(world *w, uint32_t epoch, bool skip);

kas_kernel_facts facts_for(uint32_t input_size, uint32_t output_size);
kas_sha256 checksum_of(const char *artifact);
/* The make that RESOLVE or UPLOAD of the last command asks for; 0: it did not. */
uint64_t asked_make(const world *w, kas_effect_kind kind);
void resolve(world *w, uint64_t make, const char *artifact, uint64_t device_bytes); /* facts fit layer "a" */
void resolve_with(world *w, uint64_t make, const char *artifact, uint64_t device_bytes,
                  const kas_kernel_facts *facts);
kas_resource ready(world *w, uint64_t make); /* the kernel's number */
void fail_make(world *w, uint64_t make, kas_code code, kas_error_type type);
void drain(world *w, kas_resource kernel);
/* The whole way of a load of an artifact that is not on the device; returns the kernel. */
kas_resource load_whole(world *w, const char *layer, uint32_t seed, const char *artifact, float alpha);
void pass(world *w, const char *layer, uint32_t seed,
          kas_outcome outcome); /* one result of the present binding */

size_t count_effects(const world *w, kas_effect_kind kind);
kas_seed_info seed_of(const world *w, const char *layer, uint32_t seed);
kas_layer_info layer_of(const world *w, const char *layer);
kas_operation_info operation_of(const world *w, uint64_t operation);
kas_published_layer view_of(const world *w, const char *layer);
kas_cache_stats cache_of(const world *w);
bool same_digest(kas_sha256 a, kas_sha256 b);

/* ---- making what a layer has on another device ---- */

const kas_effect *asked(const world *w, kas_effect_kind kind); /* the last command's first effect of a kind */
void tried(world *w);                                          /* the plan that it asks to be tried fits */
kas_resource made(world *w, const char *artifact);             /* the kernel that it asks for, ready */

#endif
