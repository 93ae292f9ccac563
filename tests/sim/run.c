/* One run: random commands and answers for some steps, then everything that is owed, then the end of all
 * layers. */
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "tests/sim/sim.h"

#define WALL_START_NS (1700000000 * KAS_NS_PER_S)

enum { SETTLE_ROUNDS = 2000 };

/* ---- applying ---- */

static void note_history(sim *s)
{
    struct {
        kas_sha256 before, state;
        uint8_t kinds[64];
    } block = {.before = s->history, .state = s->digest};
    for (size_t i = 0; i < s->effects.count; ++i)
        block.kinds[i % sizeof block.kinds] ^= (uint8_t)(s->effects.items[i].kind + 1 + i);
    s->history = kas_sha256_of(&block, sizeof block);
}

static void require_same(sim *s, const char *what)
{
    kas_sha256 now = kas_state_digest(s->state);
    SIM_REQUIRE(s, kas_sha256_equal(&now, &s->digest), "%s has changed the state", what);
}

/* Applies the command, now and then with memory that is out at first: that must leave no trace. */
static void apply(sim *s, const kas_command *command)
{
    if (sim_chance(s, s->fail_percent)) {
        kas_alloc_fail_at(1 + sim_below(s, 12));
        kas_status status = kas_state_apply(s->state, command, &s->effects);
        kas_alloc_fail_at(0);
        if (!status) return;
        SIM_REQUIRE(s, kas_status_code(status) == KAS_OUT_OF_MEMORY, "out of memory is told as \"%s\"",
                    kas_status_message(status));
        SIM_REQUIRE(s, !s->effects.count, "a command that had no memory asks for effects");
        kas_status_free(status);
        require_same(s, "a command that had no memory");
        sim_trace(s, "   (memory was out; again)");
    }
    kas_status status = kas_state_apply(s->state, command, &s->effects);
    SIM_REQUIRE(s, !status, "command %d: %s", (int)command->kind, kas_status_message(status));
}

/* Who asked is answered once, last; nobody else is. */
static const kas_effect *find_reply(sim *s, const kas_command *command)
{
    const kas_effect *reply = NULL;
    for (size_t i = 0; i < s->effects.count; ++i) {
        const kas_effect *effect = &s->effects.items[i];
        if (effect->kind != KAS_EFFECT_REPLY) continue;
        SIM_REQUIRE(s, !reply, "a command is answered twice");
        SIM_REQUIRE(s, i + 1 == s->effects.count, "an answer comes before other effects");
        SIM_REQUIRE(s, effect->reply.ticket == command->ticket, "somebody else is answered");
        reply = effect;
    }
    SIM_REQUIRE(s, (reply != NULL) == (command->ticket != 0), "a command is %s",
                reply ? "answered that nobody asked" : "not answered");
    return reply;
}

static void stamp(sim *s, kas_command *command)
{
    kas_effects_finish(&s->effects);
    command->now_ns = s->now_ns;
    command->wall_ns = s->now_ns + WALL_START_NS;
    s->asked_ns = s->now_ns;
    if (command->kind >= KAS_COMMAND_PROGRESS) return;
    command->ticket = ++s->last_ticket;
    s->asked_ns -= sim_below(s, 100) * KAS_NS_PER_US; /* it waited for its turn */
    command->asked_ns = s->asked_ns;
}

static void check_refusal(sim *s, const kas_command *command)
{
    (void)command;
    require_same(s, "a refused command");
    SIM_REQUIRE(s, s->effects.count == 1, "a refused command asks for effects");
    bool illegal = kas_status_code(s->reply->reply.status) == KAS_ILLEGAL_TRANSITION;
    SIM_REQUIRE(s, illegal == (s->reply->reply.reply->state != NULL), "an illegal transition names no state");
}

void sim_give(sim *s, kas_command *command)
{
    stamp(s, command);
    for (int i = 0; i < SIM_LAYERS; ++i) {
        s->model.layers[i].was_ready = s->world.views[i].replicated;
        s->model.layers[i].was_prepared = sim_replica_is_prepared(s, i);
    }
    kas_code expected = command->ticket ? sim_model_verdict(s, command) : KAS_OK;
    apply(s, command);
    s->reply = find_reply(s, command);
    kas_code code = s->reply ? kas_status_code(s->reply->reply.status) : KAS_OK;
    SIM_REQUIRE(s, code == expected, "it is answered %s (%s), but must be %s", kas_code_name(code),
                s->reply ? kas_status_message(s->reply->reply.status) : "", kas_code_name(expected));
    if (code) {
        sim_trace(s, "   refused: %s", kas_status_message(s->reply->reply.status));
        check_refusal(s, command);
    } else {
        s->digest = kas_state_digest(s->state);
        sim_world_carry(s, command);
        sim_model_accept(s, command);
    }
    note_history(s);
    sim_check_all(s, command);
}

void sim_give_late(sim *s, kas_command *command)
{
    kas_command tick = {.kind = KAS_COMMAND_RAMP_STEPS}; /* of no layer: nothing but the time */
    sim_give(s, &tick);
    stamp(s, command);
    apply(s, command);
    require_same(s, "an answer that came too late");
    for (size_t i = 0; i < s->effects.count; ++i)
        SIM_REQUIRE(s, s->effects.items[i].kind == KAS_EFFECT_RELEASE_WEIGHTS,
                    "an answer that came too late asks for effect %d", (int)s->effects.items[i].kind);
    sim_world_carry(s, command);
    sim_check_all(s, command);
}

/* ---- the clock ---- */

static void tick(sim *s)
{
    int64_t wakeup_ns = kas_state_next_wakeup(s->state);
    if (wakeup_ns > s->now_ns || sim_chance(s, 30)) return; /* or it is late */
    sim_trace(s, "tick");
    kas_command command = {.kind = KAS_COMMAND_TICK};
    sim_give(s, &command);
}

static void pass_time(sim *s)
{
    int64_t wakeup_ns = kas_state_next_wakeup(s->state);
    if (sim_chance(s, 60))
        s->now_ns += sim_below(s, 3000) * KAS_NS_PER_US;
    else if (sim_chance(s, 50) && wakeup_ns != KAS_NEVER && wakeup_ns > s->now_ns)
        s->now_ns = wakeup_ns;
    else if (sim_chance(s, s->trouble ? 8 : 25))
        s->now_ns += sim_below(s, 40) * KAS_NS_PER_S;
    tick(s);
}

/* ---- the run ---- */

static void make_limits(sim *s)
{
    bool tight = sim_chance(s, 60);
    s->limits = (kas_state_limits){
        .cache_bytes = tight ? 150 + sim_below(s, 400) : 1 << 20,
        .cache_entries = tight ? 1 + sim_below(s, 5) : 128,
        .operations_kept = 64,
        .parameters = 1000,
        .memory_footprint_mb = 10,
    };
    s->trouble = sim_chance(s, 30);
    s->fail_percent = sim_chance(s, 50) ? 15 : 0;
}

static void start(sim *s)
{
    s->now_ns = KAS_NS_PER_S;
    make_limits(s);
    sim_world_make(s);
    sim_model_make(s);
    kas_status status = kas_state_create(&s->limits, &s->state);
    SIM_REQUIRE(s, !status, "%s", kas_status_message(status));
    s->digest = kas_state_digest(s->state);
}

/* Everything that is owed is given, until nothing is: then no operation may be left. */
static void settle(sim *s)
{
    for (int round = 0; sim_world_answer_all(s); ++round)
        SIM_REQUIRE(s, round < SETTLE_ROUNDS, "the world does not come to rest");
}

kas_sha256 sim_run(uint64_t seed, uint32_t steps, bool verbose)
{
    static sim whole; /* large; one run at a time */
    sim *s = &whole;
    memset(s, 0, sizeof *s);
    s->seed = seed;
    s->steps = steps;
    s->verbose = verbose;
    s->rng = kas_rng_make(seed, 1);
    start(s);
    while (s->step < steps) {
        ++s->step;
        pass_time(s);
        if (sim_chance(s, 55))
            sim_ask(s);
        else
            sim_world_answer(s);
    }
    ++s->step;
    sim_trace(s, "the end: everything that is owed, then all layers go");
    settle(s);
    sim_ask_all_to_go(s);
    settle(s);
    sim_check_gone(s);
    kas_effects_finish(&s->effects);
    kas_state_destroy(s->state);
    return s->history;
}
