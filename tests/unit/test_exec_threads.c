/* Publications, reclaiming and passes at the same time: every answer is, bit for bit, what its generation
 * implies, and nothing is touched after it was drained. Labelled `threads`; smaller under sanitizers, where
 * each pass is slow. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "engine/exec/exec.h"
#include "tests/unit/exec_world.h"
#include "tests/unit/graph_fixture.h"

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
enum { PUBLICATIONS = 1000 };
#else
enum { PUBLICATIONS = 10000 };
#endif
enum { CLIENTS = 4, VARIANTS = 6, ROWS_MAX = 5 };

TestSuite(exec_threads, .fini = expect_no_leaks);

/* Generation g shows variant g % VARIANTS: none, one or two of three kernels, with two alphas. */
typedef struct show {
    exec_world *w;
    kas_published_layer variants[VARIANTS];
    probe expected[VARIANTS][ROWS_MAX + 1];
    atomic_bool stop;
    atomic_uint_fast64_t published; /* the newest generation that passes may see already */
} show;

typedef struct client {
    show *all;
    uint32_t number;
    uint64_t passes, newest;
    pthread_t thread;
} client;

static void make_variants(show *s)
{
    exec_world *w = s->w;
    kas_resource base = make_product(w, 2, 0.5f), root = make_sqrt(w), a = make_network(w, 1),
                 b = make_network(w, 2);
    for (int v = 0; v < VARIANTS; ++v)
        s->variants[v] = a_layer("a", 1, base);
    add_seed(&s->variants[1], 0, a, 0.25f);
    add_seed(&s->variants[2], 0, a, 0.75f);
    add_seed(&s->variants[2], 1, b, 0.75f);
    add_seed(&s->variants[3], 1, b, 1);
    add_seed(&s->variants[4], 2, root, 0.5f);
    add_seed(&s->variants[4], 3, a, 0.5f);
    add_fossil(&s->variants[5], 0, b, 0.25f);
    add_seed(&s->variants[5], 1, root, 0.5f);
}

static void compute_expected(show *s)
{
    for (uint32_t v = 0; v < VARIANTS; ++v) {
        s->variants[v].generation = VARIANTS + v;
        publish(s->w, &s->variants[v]);
        for (uint32_t rows = 1; rows <= ROWS_MAX; ++rows) {
            probe_init(&s->expected[v][rows], "a", rows, rows);
            probe_ok(s->w, &s->expected[v][rows]);
        }
    }
    atomic_store(&s->published, 2 * VARIANTS - 1);
}

static void check_answer(client *self, const probe *p, uint32_t rows)
{
    uint64_t generation = p->result.generation;
    const probe *want = &self->all->expected[generation % VARIANTS][rows];
    cr_assert_leq(generation, atomic_load(&self->all->published), "from the future");
    cr_assert_geq(generation, self->newest, "from the past");
    self->newest = generation;
    cr_assert_eq(memcmp(p->y, want->y, sizeof p->y), 0, "generation %llu", (unsigned long long)generation);
    cr_assert_eq(memcmp(p->failed_rows, want->failed_rows, sizeof p->failed_rows), 0);
    cr_assert_eq(p->result.seeds_used, want->result.seeds_used);
    cr_assert_eq(p->result.seeds_failed, want->result.seeds_failed);
}

static void *run_client(void *user)
{
    client *self = user;
    uint32_t i = self->number;
    do { /* at least once, however late this thread comes to run */
        probe p;
        uint32_t rows = 1 + i++ % ROWS_MAX;
        probe_init(&p, "a", rows, rows);
        probe_ok(self->all->w, &p);
        check_answer(self, &p, rows);
        ++self->passes;
    } while (!atomic_load(&self->all->stop));
    return NULL;
}

static void note_submitted(void *user, kas_status status)
{
    cr_assert_null(status);
    atomic_store((atomic_bool *)user, true);
}

static void *run_submitter(void *user)
{
    client *self = user;
    do {
        atomic_bool done = false;
        probe p;
        probe_init(&p, "a", 3, 3);
        memset(p.y, 0xff, sizeof p.y);
        memset(p.failed_rows, 0xff, sizeof p.failed_rows);
        ok(kas_exec_submit(self->all->w->exec, &p.request, &p.result, note_submitted, &done));
        while (!atomic_load(&done))
            sched_yield();
        check_answer(self, &p, 3);
        ++self->passes;
    } while (!atomic_load(&self->all->stop));
    return NULL;
}

static void publish_all(show *s)
{
    kas_pass_result results[256];
    for (uint64_t g = 2 * VARIANTS; g < 2 * VARIANTS + PUBLICATIONS; ++g) {
        kas_published_layer *layer = &s->variants[g % VARIANTS];
        layer->generation = g;
        atomic_store(&s->published, g); /* before it can be seen */
        publish(s->w, layer);
        (void)kas_exec_reclaim(s->w->exec);
        while (kas_exec_take_results(s->w->exec, results, 256) == 256)
            ;
        if (g % 7 == 0) sched_yield();
    }
}

/* With fewer contexts than clients batches form; with more every pass goes straight through. */
static void run_show(uint32_t contexts)
{
    static show s;
    client clients[CLIENTS] = {0};
    memset(&s, 0, sizeof s);
    s.w = exec_world_open(NULL, &(kas_exec_options){.contexts = contexts, .runners = 1});
    make_variants(&s);
    compute_expected(&s);
    for (uint32_t i = 0; i < CLIENTS; ++i) {
        clients[i].all = &s;
        clients[i].number = i;
        void *(*run)(void *) = i == 0 ? run_submitter : run_client;
        cr_assert_eq(pthread_create(&clients[i].thread, NULL, run, &clients[i]), 0);
    }
    publish_all(&s);
    atomic_store(&s.stop, true);
    for (uint32_t i = 0; i < CLIENTS; ++i) {
        pthread_join(clients[i].thread, NULL);
        cr_expect_gt(clients[i].passes, 0);
    }
    cr_expect_not(kas_exec_reclaim(s.w->exec), "nobody holds anything any more");
    exec_world_close(s.w);
}

Test(exec_threads, each_answer_is_of_one_generation, .timeout = 100)
{
    run_show(8);
}

Test(exec_threads, each_answer_is_of_one_generation_in_batches_too, .timeout = 100)
{
    run_show(2);
}
