/* While one client loads, unloads and changes alphas at random, four others get answers: each is, bit for
 * bit, what its generation implies, and none fails. KASMINA_SWAP_ANSWERS says how many; labelled `threads`.
 */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/engine/engine_world.h"

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
enum { DEFAULT_ANSWERS = 8000, CHANGES_MIN = 200 };
#else
enum { DEFAULT_ANSWERS = 100000, CHANGES_MIN = 2000 };
#endif

enum {
    CLIENTS = 4,
    SEEDS = 2,
    KERNELS = 3,
    ALPHAS = 3,
    SEED_STATES = 1 + KERNELS * ALPHAS, /* nothing, or a kernel with an alpha */
    STATES = SEED_STATES * SEED_STATES,
    CHANGES_MAX = 1 << 20,
    ROWS_MAX = 4,
    OUTPUTS = ROWS_MAX * FEATURES
};

static const char *const kernel_names[KERNELS] = {"k0", "k1", "k2"};
static const float alphas[ALPHAS] = {0.25f, 0.5f, 1};

/* ---- what each state answers ---- */

static float inputs[ROWS_MAX + 1][OUTPUTS];
static float expected[STATES][ROWS_MAX + 1][OUTPUTS];
static uint32_t state_of_generation[CHANGES_MAX]; /* + 1; 0: no such generation was made */

static kas_forward_request pass_of(uint32_t rows, float *y)
{
    return (kas_forward_request){.size = sizeof(kas_forward_request),
                                 .layer = "swapped",
                                 .input = {.data = inputs[rows], .rank = 2, .shape = {rows, FEATURES}},
                                 .output = {.data = y, .rank = 2, .shape = {rows, FEATURES}}};
}

static kas_engine *make_engine(void)
{
    kas_engine *engine = open_engine(NULL);
    for (uint64_t k = 0; k < KERNELS; ++k)
        put_kernel(engine, kernel_names[k], onnx_network(FEATURES, 11, k));
    create_layer(engine, "swapped", SEEDS, 1.5f, 0.25f);
    return engine;
}

static void enter_seed_state(kas_engine *engine, uint32_t seed, uint32_t state)
{
    if (state == 0)
        unload(engine, "swapped", seed);
    else
        load(engine, "swapped", seed, kernel_names[(state - 1) / ALPHAS], alphas[(state - 1) % ALPHAS]);
}

static void answer_all(kas_engine *engine, uint32_t state)
{
    for (uint32_t rows = 1; rows <= ROWS_MAX; ++rows) {
        kas_forward_request request = pass_of(rows, expected[state][rows]);
        kas_forward_result result = {.size = sizeof result};
        ok(kas_forward(engine, &request, &result));
    }
}

/* Another engine goes through every state at leisure. */
static void compute_expected(void)
{
    for (uint32_t rows = 1; rows <= ROWS_MAX; ++rows)
        for (uint32_t i = 0; i < rows * FEATURES; ++i)
            inputs[rows][i] = (float)((int)(i * 37 + rows * 11) % 29 - 14) / 8;
    kas_engine *engine = make_engine();
    for (uint32_t first = 0; first < SEED_STATES; ++first) {
        if (first > 0) enter_seed_state(engine, 0, first);
        for (uint32_t second = 0; second < SEED_STATES; ++second) {
            if (second > 0) enter_seed_state(engine, 1, second);
            answer_all(engine, first * SEED_STATES + second);
        }
        unload(engine, "swapped", 1);
    }
    kas_engine_destroy(engine);
}

/* ---- the client that changes ---- */

typedef struct show {
    kas_engine *engine;
    uint32_t answers_wanted;
    atomic_uint answers;
    atomic_bool changed_enough;
    uint32_t seed_states[SEEDS];
    uint64_t generation; /* the newest that is known */
    uint32_t changes;
} show;

static void log_generation(show *s)
{
    uint64_t now = layer_of(s->engine, "swapped").generation;
    cr_assert_lt(now, CHANGES_MAX);
    cr_assert_eq(now, s->generation + 1, "one change, one generation");
    s->generation = now;
    state_of_generation[now] = 1 + s->seed_states[0] * SEED_STATES + s->seed_states[1];
}

static void change_something(show *s, uint32_t random)
{
    uint32_t seed = random % SEEDS, present = s->seed_states[seed], action = random / SEEDS % 3;
    uint32_t state = 1 + random / 16 % (SEED_STATES - 1);
    if (present && action == 0) {
        state = 0;
        unload(s->engine, "swapped", seed);
    } else if (present && action == 1) {
        state = 1 + (present - 1) / ALPHAS * ALPHAS + state % ALPHAS;
        if (state == present) return;
        set_alpha(s->engine, "swapped", seed, alphas[(state - 1) % ALPHAS]);
    } else {
        enter_seed_state(s->engine, seed, state);
    }
    s->seed_states[seed] = state;
    log_generation(s);
    ++s->changes;
}

static void *run_changes(void *user)
{
    show *s = user;
    uint64_t random = 1;
    while (atomic_load(&s->answers) < s->answers_wanted || s->changes < CHANGES_MIN) {
        random = random * 6364136223846793005ull + 1442695040888963407ull;
        change_something(s, (uint32_t)(random >> 33));
        if (s->generation + 1 == CHANGES_MAX) break;
    }
    atomic_store(&s->changed_enough, true);
    return NULL;
}

/* ---- the clients that ask ---- */

typedef struct answer {
    uint64_t generation;
    uint32_t rows;
    float y[OUTPUTS];
} answer;

typedef struct client {
    show *all;
    uint32_t number;
    answer *kept; /* distinct (generation, rows): compared when the log is whole */
    size_t count, capacity;
    uint64_t newest;
} client;

static void keep(client *self, const answer *given)
{
    cr_assert_geq(given->generation, self->newest, "a generation from the past");
    self->newest = given->generation;
    for (size_t i = self->count; i-- > 0 && self->kept[i].generation == given->generation;) {
        if (self->kept[i].rows != given->rows) continue;
        cr_assert_eq(memcmp(self->kept[i].y, given->y, given->rows * FEATURES * sizeof *given->y), 0,
                     "generation %llu gave two answers", (unsigned long long)given->generation);
        return;
    }
    if (self->count == self->capacity) {
        self->capacity = self->capacity ? 2 * self->capacity : 1024;
        self->kept = realloc(self->kept, self->capacity * sizeof *self->kept);
        cr_assert_not_null(self->kept);
    }
    self->kept[self->count++] = *given;
}

static void note_done(void *user, kas_status status)
{
    cr_assert_null(status, "%s", kas_status_message(status));
    atomic_store((atomic_bool *)user, true);
}

static void ask(client *self, uint32_t rows, answer *out)
{
    kas_forward_request request = pass_of(rows, out->y);
    kas_forward_result result = {.size = sizeof result};
    if (self->number > 0) {
        ok(kas_forward(self->all->engine, &request, &result));
    } else {
        atomic_bool done = false;
        ok(kas_forward_submit(self->all->engine, &request, &result, note_done, &done));
        while (!atomic_load(&done))
            sched_yield();
    }
    cr_assert_eq(result.seeds_failed, 0);
    out->generation = result.generation;
    out->rows = rows;
}

static void *run_client(void *user)
{
    client *self = user;
    show *s = self->all;
    for (uint32_t i = self->number;
         atomic_fetch_add(&s->answers, 1) < s->answers_wanted || !atomic_load(&s->changed_enough); ++i) {
        answer given;
        ask(self, 1 + i % ROWS_MAX, &given);
        keep(self, &given);
    }
    return NULL;
}

/* Every kept answer is that of its generation's state. */
static void check_client(const client *self)
{
    for (size_t i = 0; i < self->count; ++i) {
        const answer *given = &self->kept[i];
        uint32_t state = state_of_generation[given->generation];
        cr_assert_gt(state, 0, "generation %llu was never made", (unsigned long long)given->generation);
        cr_assert_eq(
            memcmp(given->y, expected[state - 1][given->rows], given->rows * FEATURES * sizeof *given->y), 0,
            "generation %llu, %u rows: other bits", (unsigned long long)given->generation, given->rows);
    }
}

static uint32_t wanted(void)
{
    const char *text = getenv("KASMINA_SWAP_ANSWERS");
    return text && atoi(text) > 0 ? (uint32_t)atoi(text) : DEFAULT_ANSWERS;
}

Test(engine_swap, each_answer_is_what_its_generation_implies, .timeout = 1000)
{
    static show s;
    client clients[CLIENTS] = {0};
    pthread_t threads[CLIENTS + 1];
    compute_expected();
    s.engine = make_engine();
    s.answers_wanted = wanted();
    s.generation = layer_of(s.engine, "swapped").generation - 1;
    log_generation(&s);
    for (uint32_t i = 0; i < CLIENTS; ++i) {
        clients[i].all = &s;
        clients[i].number = i;
        cr_assert_eq(pthread_create(&threads[i], NULL, run_client, &clients[i]), 0);
    }
    cr_assert_eq(pthread_create(&threads[CLIENTS], NULL, run_changes, &s), 0);
    for (uint32_t i = 0; i <= CLIENTS; ++i)
        pthread_join(threads[i], NULL);
    size_t distinct = 0;
    for (uint32_t i = 0; i < CLIENTS; ++i) {
        check_client(&clients[i]);
        distinct += clients[i].count;
        free(clients[i].kept);
    }
    kas_layer_stats stats = {.size = sizeof stats};
    ok(kas_engine_layer_stats(s.engine, "swapped", &stats));
    cr_expect_geq(stats.forward_calls, s.answers_wanted);
    cr_expect_eq(stats.failed_calls, 0);
    fprintf(stderr, "%llu answers, %u changes, %zu distinct answers compared\n",
            (unsigned long long)stats.forward_calls, s.changes, distinct);
    kas_engine_destroy(s.engine);
}
