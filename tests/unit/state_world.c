#include "tests/unit/state_world.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

static void note_reply(world *w)
{
    for (size_t i = 0; i < w->effects.count; ++i) {
        const kas_effect *effect = &w->effects.items[i];
        if (effect->kind != KAS_EFFECT_REPLY) continue;
        cr_assert_eq(effect->reply.ticket, w->last_ticket);
        w->code = kas_status_code(effect->reply.status);
        snprintf(w->reason, sizeof w->reason, "%s", kas_status_reason(effect->reply.status));
        w->reply = *effect->reply.reply;
        for (uint32_t f = 0; f < w->reply.failed_count && f < 8; ++f)
            w->failed[f] = effect->reply.reply->failed[f];
        w->reply.failed = NULL;
    }
}

kas_code give(world *w, kas_command command)
{
    kas_effects_finish(&w->effects);
    command.now_ns = w->now_ns;
    command.wall_ns = w->now_ns + 1700000000 * KAS_NS_PER_S;
    command.ticket = ++w->last_ticket;
    w->code = KAS_OK;
    kas_status status = kas_state_apply(w->state, &command, &w->effects);
    cr_assert_null(status, "%s", kas_status_message(status));
    note_reply(w);
    size_t replies = command.kind < KAS_COMMAND_PROGRESS;
    cr_assert_eq(count_effects(w, KAS_EFFECT_REPLY), replies, "exactly one answer for who asked");
    status = kas_state_check(w->state);
    cr_assert_null(status, "%s", kas_status_message(status));
    return w->code;
}

world world_make(const kas_state_limits *limits)
{
    world w = {.now_ns = KAS_NS_PER_S, .last_resource = 100};
    kas_status status = kas_state_create(limits, &w.state);
    cr_assert_null(status);
    cr_assert_eq(create_layer(&w, "a", 4), KAS_OK);
    return w;
}

void world_finish(world *w)
{
    kas_effects_finish(&w->effects);
    kas_state_destroy(w->state);
}

void pass_time(world *w, int64_t ns)
{
    w->now_ns += ns;
    give(w, (kas_command){.kind = KAS_COMMAND_TICK});
}

static kas_command about(kas_command_kind kind, const char *layer, uint32_t seed)
{
    kas_command command = {.kind = kind, .seed = seed};
    snprintf(command.layer, sizeof command.layer, "%s", layer);
    return command;
}

kas_code create_layer(world *w, const char *name, uint32_t seeds)
{
    kas_command command = about(KAS_COMMAND_CREATE_LAYER, name, 0);
    command.create.layer_id = -1;
    command.create.input_size = 8;
    command.create.output_size = 4;
    command.create.num_seeds = seeds;
    command.create.bias = true;
    command.create.device_kind = KAS_KIND_CPU;
    command.create.weights = ++w->last_resource;
    snprintf(command.create.device, sizeof command.create.device, "host:0");
    return give(w, command);
}

kas_code ask(world *w, kas_command_kind kind, const char *layer, uint32_t seed)
{
    return give(w, about(kind, layer, seed));
}

kas_code load(world *w, const char *layer, uint32_t seed, const char *artifact, float alpha)
{
    kas_command command = about(KAS_COMMAND_LOAD, layer, seed);
    snprintf(command.artifact_id, sizeof command.artifact_id, "%s", artifact);
    command.has_alpha = alpha >= 0;
    command.alpha = alpha >= 0 ? alpha : 0;
    return give(w, command);
}

kas_code set_alpha(world *w, const char *layer, uint32_t seed, float alpha)
{
    kas_command command = about(KAS_COMMAND_SET_ALPHA, layer, seed);
    command.has_alpha = true;
    command.alpha = alpha;
    return give(w, command);
}

kas_code advance(world *w, uint32_t epoch, bool skip)
{
    kas_command command = {.kind = KAS_COMMAND_ADVANCE_EPOCH};
    command.advance.epoch = epoch;
    command.advance.skip_unready = skip;
    return give(w, command);
}

kas_kernel_facts facts_for(uint32_t input_size, uint32_t output_size)
{
    kas_kernel_facts facts = {.input_size = input_size,
                              .output_size = output_size,
                              .parameter_count = 100,
                              .memory_footprint_mb = 1,
                              .confidence = 0.5f};
    snprintf(facts.input_shape, sizeof facts.input_shape, "[%u]", input_size);
    snprintf(facts.output_shape, sizeof facts.output_shape, "[%u]", output_size);
    return facts;
}

kas_sha256 checksum_of(const char *artifact)
{
    return kas_sha256_of(artifact, strlen(artifact));
}

uint64_t asked_make(const world *w, kas_effect_kind kind)
{
    for (size_t i = 0; i < w->effects.count; ++i)
        if (w->effects.items[i].kind == kind) return w->effects.items[i].make.make;
    return 0;
}

void resolve_with(world *w, uint64_t make, const char *artifact, uint64_t device_bytes,
                  const kas_kernel_facts *facts)
{
    kas_command command = {.kind = KAS_COMMAND_RESOLVED};
    command.resolved.make = make;
    command.resolved.tier = KAS_TIER_DISK;
    command.resolved.checksum = checksum_of(artifact);
    command.resolved.device_bytes = device_bytes;
    command.resolved.facts = *facts;
    give(w, command);
}

void resolve(world *w, uint64_t make, const char *artifact, uint64_t device_bytes)
{
    kas_kernel_facts facts = facts_for(8, 4);
    resolve_with(w, make, artifact, device_bytes, &facts);
}

kas_resource ready(world *w, uint64_t make)
{
    kas_command command = {.kind = KAS_COMMAND_KERNEL_READY};
    command.ready.make = make;
    command.ready.kernel = ++w->last_resource;
    give(w, command);
    return command.ready.kernel;
}

void fail_make(world *w, uint64_t make, kas_code code, kas_error_type type)
{
    kas_command command = {.kind = KAS_COMMAND_MAKE_FAILED};
    command.failed.make = make;
    command.failed.code = code;
    command.failed.error_type = type;
    command.failed.reason = "";
    snprintf(command.failed.detail, sizeof command.failed.detail, "it failed");
    give(w, command);
}

void drain(world *w, kas_resource kernel)
{
    kas_command command = {.kind = KAS_COMMAND_KERNEL_DRAINED};
    command.drained.kernel = kernel;
    give(w, command);
}

kas_resource load_whole(world *w, const char *layer, uint32_t seed, const char *artifact, float alpha)
{
    cr_assert_eq(load(w, layer, seed, artifact, alpha), KAS_OK);
    uint64_t make = asked_make(w, KAS_EFFECT_RESOLVE);
    cr_assert_neq(make, 0);
    resolve(w, make, artifact, 1000);
    cr_assert_eq(asked_make(w, KAS_EFFECT_UPLOAD), make);
    return ready(w, make);
}

void pass(world *w, const char *layer, uint32_t seed, kas_outcome outcome)
{
    kas_published_layer view = view_of(w, layer);
    kas_pass_result result = {.layer_uid = view.uid,
                              .seed = (uint16_t)seed,
                              .latency_us = 7,
                              .outcome = (uint8_t)outcome,
                              .dead_ratio = -1};
    for (uint32_t i = 0; i < view.seed_count; ++i)
        if (view.seeds[i].seed == seed) result.binding = view.seeds[i].binding;
    for (uint32_t i = 0; i < view.fossil_count; ++i)
        if (view.fossils[i].seed == seed) result.binding = view.fossils[i].binding;
    cr_assert_neq(result.binding, 0, "seed %u is not published", seed);
    kas_command command = {.kind = KAS_COMMAND_PASS_RESULTS, .passes = {.results = &result, .count = 1}};
    give(w, command);
}

size_t count_effects(const world *w, kas_effect_kind kind)
{
    size_t count = 0;
    for (size_t i = 0; i < w->effects.count; ++i)
        count += w->effects.items[i].kind == kind;
    return count;
}

kas_seed_info seed_of(const world *w, const char *layer, uint32_t seed)
{
    kas_seed_info info;
    cr_assert_null(kas_state_seed_info(w->state, layer, seed, &info));
    return info;
}

kas_layer_info layer_of(const world *w, const char *layer)
{
    kas_layer_info info;
    cr_assert_null(kas_state_layer_info(w->state, layer, &info));
    return info;
}

kas_operation_info operation_of(const world *w, uint64_t operation)
{
    kas_operation_info info;
    cr_assert_null(kas_state_operation_info(w->state, operation, &info));
    return info;
}

kas_published_layer view_of(const world *w, const char *layer)
{
    static kas_published_layer view;
    uint64_t uid = 0;
    for (uint64_t id = 1; id < 64 && !uid; ++id)
        if (kas_state_published(w->state, id, &view) && !strcmp(view.name, layer)) uid = id;
    cr_assert_neq(uid, 0);
    return view;
}

kas_cache_stats cache_of(const world *w)
{
    kas_cache_stats stats;
    kas_state_cache_stats(w->state, &stats);
    return stats;
}

bool same_digest(kas_sha256 a, kas_sha256 b)
{
    return kas_sha256_equal(&a, &b);
}

const kas_effect *asked(const world *w, kas_effect_kind kind)
{
    for (size_t i = 0; i < w->effects.count; ++i)
        if (w->effects.items[i].kind == kind) return &w->effects.items[i];
    return NULL;
}

void tried(world *w)
{
    const kas_effect *effect = asked(w, KAS_EFFECT_MOVE_TRY);
    cr_assert_not_null(effect, "no plan is tried");
    give(w, (kas_command){.kind = KAS_COMMAND_MOVE_TRIED, .moved = {.operation = effect->move.operation}});
}

kas_resource made(world *w, const char *artifact)
{
    uint64_t make = asked_make(w, KAS_EFFECT_RESOLVE);
    cr_assert_neq(make, 0, "%s is not made", artifact);
    resolve(w, make, artifact, 100);
    return ready(w, make);
}
