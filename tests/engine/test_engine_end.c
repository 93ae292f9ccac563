/* The end of an engine while all kinds of work run: everybody gets exactly one answer. Labelled `threads`. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "tests/engine/engine_world.h"
#include "tests/unit/graph_fixture.h"

TestSuite(engine_end, .fini = expect_no_leaks);

enum { SUBMITTED = 64, LOADS = 12, CALLERS = 3, ROUNDS = 10 };

static atomic_uint replies, ended, watched, refused;

static void note_reply(void *user, kas_status status, const kas_reply *reply)
{
    (void)user;
    cr_assert_not_null(reply);
    if (status) cr_assert_eq(kas_status_code(status), KAS_UNAVAILABLE, "%s", kas_status_message(status));
    kas_status_free(status);
    atomic_fetch_add(&replies, 1);
}

static void note_end(void *user, kas_status status)
{
    (void)user;
    kas_code code = kas_status_code(status);
    cr_assert(code == KAS_OK || code == KAS_UNAVAILABLE || code == KAS_CANCELLED, "%s",
              kas_status_message(status));
    if (status) atomic_fetch_add(&refused, 1);
    kas_status_free(status);
    atomic_fetch_add(&ended, 1);
}

static void note_watched(void *user, kas_status status)
{
    (void)user;
    kas_status_free(status);
    atomic_fetch_add(&watched, 1);
}

typedef struct submitted_pass {
    float x[FEATURES], y[FEATURES];
    kas_forward_request request;
    kas_forward_result result;
} submitted_pass;

static void prepare_pass(submitted_pass *pass)
{
    pass->request = (kas_forward_request){.size = sizeof pass->request,
                                          .layer = "a",
                                          .input = {.data = pass->x, .rank = 2, .shape = {1, FEATURES}},
                                          .output = {.data = pass->y, .rank = 2, .shape = {1, FEATURES}}};
    pass->result.size = sizeof pass->result;
}

static unsigned submit_passes(kas_engine *engine, submitted_pass *passes)
{
    for (unsigned i = 0; i < SUBMITTED; ++i) {
        submitted_pass *pass = &passes[i];
        prepare_pass(pass);
        ok(kas_forward_submit(engine, &pass->request, &pass->result, note_end, NULL));
    }
    return SUBMITTED;
}

static unsigned submit_loads(kas_engine *engine)
{
    for (uint32_t i = 0; i < LOADS; ++i) {
        char id[16];
        snprintf(id, sizeof id, "k%u", i);
        kas_request request = request_of(KAS_REQUEST_LOAD, "a", i);
        request.artifact_id = id;
        ok(kas_engine_submit(engine, &request, note_reply, NULL));
    }
    return LOADS;
}

static void end_in_the_middle(unsigned round)
{
    static submitted_pass passes[SUBMITTED];
    memset(passes, 0, sizeof passes);
    kas_engine *engine = open_engine(&(kas_engine_options){.loaders = 2});
    for (uint32_t i = 0; i < LOADS; ++i) {
        char id[16];
        snprintf(id, sizeof id, "k%u", i);
        put_kernel(engine, id, onnx_network(FEATURES, 16, i));
    }
    create_layer(engine, "a", LOADS + 1, 1, 0);
    kas_request staged = request_of(KAS_REQUEST_LOAD, "a", LOADS);
    staged.artifact_id = "k0";
    staged.at_epoch = 3;
    kas_reply reply = must_call(engine, &staged);
    ok(kas_engine_watch_operation(engine, reply.operation, 0, note_watched, NULL));
    replies = ended = watched = 0;
    unsigned loads = submit_loads(engine), submitted = submit_passes(engine, passes);
    for (unsigned i = 0; i < round; ++i)
        sched_yield();
    kas_engine_destroy(engine);
    cr_expect_eq(replies, loads);
    cr_expect_eq(ended, submitted);
    cr_expect_leq(watched, 1);
}

Test(engine_end, whoever_waits_gets_one_answer, .timeout = 100)
{
    for (unsigned round = 0; round < ROUNDS; ++round)
        end_in_the_middle(round);
}

/* ---- callbacks that submit more ---- */

enum { CHAINS = 8 };

typedef struct chain {
    kas_engine *engine;
    submitted_pass pass;
    atomic_uint accepted, answered;
    atomic_bool over;
} chain;

static void link_up(void *user, kas_status status);

static void submit_link(chain *self)
{
    atomic_fetch_add(&self->accepted, 1);
    kas_status status =
        kas_forward_submit(self->engine, &self->pass.request, &self->pass.result, link_up, self);
    if (!status) return;
    cr_assert_eq(kas_status_code(status), KAS_UNAVAILABLE, "%s", kas_status_message(status));
    kas_status_free(status);
    atomic_fetch_sub(&self->accepted, 1);
    atomic_store(&self->over, true);
}

/* Goes on for as long as the engine takes passes, also with those that it has turned away. */
static void link_up(void *user, kas_status status)
{
    chain *self = user;
    kas_code code = kas_status_code(status);
    cr_assert(code == KAS_OK || code == KAS_UNAVAILABLE, "%s", kas_status_message(status));
    kas_status_free(status);
    atomic_fetch_add(&self->answered, 1);
    submit_link(self);
}

Test(engine_end, passes_that_callbacks_submit_are_answered_or_refused, .timeout = 100)
{
    static chain chains[CHAINS];
    for (unsigned round = 0; round < ROUNDS; ++round) {
        kas_engine *engine = open_engine(NULL);
        create_layer(engine, "a", 1, 1, 0);
        for (unsigned i = 0; i < CHAINS; ++i) {
            chain *self = &chains[i];
            *self = (chain){.engine = engine};
            prepare_pass(&self->pass);
            submit_link(self);
        }
        for (unsigned i = 0; i < round; ++i)
            sched_yield();
        kas_engine_destroy(engine);
        for (unsigned i = 0; i < CHAINS; ++i) {
            cr_expect(chains[i].over);
            cr_expect_eq(chains[i].accepted, chains[i].answered);
        }
    }
}

/* ---- callers that are inside ---- */

typedef struct caller {
    kas_engine *engine;
    atomic_uint *inside;
    uint32_t seed;
} caller;

static void *wait_for_a_staged_load(void *user)
{
    caller *self = user;
    kas_request request = request_of(KAS_REQUEST_LOAD, "a", self->seed);
    request.artifact_id = "missing";
    request.at_epoch = 1;
    kas_reply reply = {.size = sizeof reply};
    kas_status status = kas_engine_call(self->engine, &request, &reply);
    atomic_fetch_add(self->inside, 1);
    kas_status_free(status);
    kas_reply_finish(&reply);
    return NULL;
}

Test(engine_end, an_engine_that_never_worked_ends)
{
    for (int i = 0; i < 5; ++i)
        kas_engine_destroy(open_engine(NULL));
    kas_engine_destroy(NULL);
}

Test(engine_end, calls_that_have_returned_hold_nothing, .timeout = 60)
{
    kas_engine *engine = open_engine(NULL);
    create_layer(engine, "a", CALLERS, 1, 0);
    atomic_uint inside = 0;
    caller callers[CALLERS];
    pthread_t threads[CALLERS];
    for (uint32_t i = 0; i < CALLERS; ++i) {
        callers[i] = (caller){.engine = engine, .inside = &inside, .seed = i};
        cr_assert_eq(pthread_create(&threads[i], NULL, wait_for_a_staged_load, &callers[i]), 0);
    }
    for (uint32_t i = 0; i < CALLERS; ++i)
        pthread_join(threads[i], NULL);
    cr_expect_eq(inside, CALLERS);
    kas_engine_destroy(engine);
}

/* ---- listeners ---- */

static atomic_uint wakes;

static void note_wake(void *user)
{
    (void)user;
    atomic_fetch_add(&wakes, 1);
}

Test(engine_end, a_listener_is_called_until_it_is_removed, .timeout = 60)
{
    kas_engine *engine = open_engine(NULL);
    kas_engine_on_events(engine, note_wake, NULL);
    create_layer(engine, "a", 1, 1, 0);
    while (atomic_load(&wakes) == 0)
        sched_yield();
    kas_engine_on_events(engine, NULL, NULL);
    unsigned before = atomic_load(&wakes);
    set_weights(engine, "a", 2, 0);
    cr_expect_eq(atomic_load(&wakes), before);
    kas_engine_destroy(engine);
}
