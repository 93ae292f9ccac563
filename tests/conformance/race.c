#include "tests/conformance/race.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>

#include "base/random.h"
#include "tests/conformance/runner.h"

enum { ITEMS_MAX = 1024, STACK_BYTES = 64 * 1024, WARP_ITEMS = 32 };

typedef enum item_state { RUNNING, AT_SYNC, MEETING, ENDED } item_state;

/* The group that is running. */
static struct {
    ucontext_t scheduler, fibers[ITEMS_MAX];
    item_state states[ITEMS_MAX];
    uint32_t order[ITEMS_MAX];
    uint32_t meeting[ITEMS_MAX / WARP_ITEMS]; /* items of each warp */
    uint32_t current;
    const race_kernel *kernel;
    int x, y;
    void *const *buffers;
    const void *args;
} group;
static char *stacks;
static kas_rng rng;

/* Called by kernels; declared to them in kernels/dialect.h and kernels/cuda/mma.h. */
void kas_race_sync(void);
int kas_race_item(void);
bool kas_race_arrive(void);
void kas_race_meet(void);

int kas_race_item(void)
{
    return (int)group.current;
}

static void stop(item_state state)
{
    group.states[group.current] = state;
    swapcontext(&group.fibers[group.current], &group.scheduler);
}

void kas_race_sync(void)
{
    stop(AT_SYNC);
}

bool kas_race_arrive(void)
{
    return ++group.meeting[group.current / WARP_ITEMS] == WARP_ITEMS;
}

void kas_race_meet(void)
{
    stop(MEETING);
}

static void item_main(void)
{
    group.kernel->run(group.x, group.y, group.buffers, group.args);
    group.states[group.current] = ENDED;
}

static void make_fibers(uint32_t items)
{
    for (uint32_t i = 0; i < items; ++i) {
        getcontext(&group.fibers[i]);
        group.fibers[i].uc_stack.ss_sp = stacks + (size_t)i * STACK_BYTES;
        group.fibers[i].uc_stack.ss_size = STACK_BYTES;
        group.fibers[i].uc_link = &group.scheduler;
        makecontext(&group.fibers[i], item_main, 0);
        group.states[i] = AT_SYNC;
        group.order[i] = i;
    }
}

static void shuffle(uint32_t items)
{
    for (uint32_t i = items - 1; i > 0; --i) {
        uint32_t j = kas_rng_below(&rng, i + 1), other = group.order[j];
        group.order[j] = group.order[i];
        group.order[i] = other;
    }
}

static void resume(uint32_t item)
{
    group.current = item;
    group.states[item] = RUNNING;
    swapcontext(&group.scheduler, &group.fibers[item]);
}

/* Whoever came last takes the others of its warp along, again and again until one does not come. */
static void go_on_from_meetings(uint32_t warp)
{
    while (group.meeting[warp] == WARP_ITEMS) {
        group.meeting[warp] = 0;
        uint32_t rotation = kas_rng_below(&rng, WARP_ITEMS);
        for (uint32_t i = 0; i < WARP_ITEMS; ++i)
            resume(warp * WARP_ITEMS + (i + rotation) % WARP_ITEMS);
    }
}

static uint32_t count(item_state state, uint32_t items)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < items; ++i)
        found += group.states[i] == state;
    return found;
}

/* One phase of all items. */
static void run_phase(uint32_t items)
{
    shuffle(items);
    for (uint32_t i = 0; i < items; ++i) {
        uint32_t item = group.order[i];
        resume(item);
        go_on_from_meetings(item / WARP_ITEMS);
    }
}

static void run_group(void)
{
    uint32_t items = group.kernel->items, ended, meeting;
    make_fibers(items);
    do {
        run_phase(items);
        ended = count(ENDED, items);
        meeting = count(MEETING, items);
    } while (ended == 0 && meeting == 0);
    if (ended == items) return;
    fprintf(
        stderr,
        "%s: items part: %u of %u ended, and %u wait for others of their warp, where the rest is at a SYNC\n",
        group.kernel->name, ended, items, meeting);
    exit(1);
}

void race_run(const race_kernel *kernel, uint32_t groups_x, uint32_t groups_y, void *const *buffers,
              const void *args)
{
    if (!stacks) {
        stacks = conformance_alloc(ITEMS_MAX, STACK_BYTES);
        rng = kas_rng_make(12345, 7);
    }
    group.kernel = kernel;
    group.buffers = buffers;
    group.args = args;
    for (uint32_t y = 0; y < groups_y; ++y)
        for (uint32_t x = 0; x < groups_x; ++x) {
            group.x = (int)x;
            group.y = (int)y;
            run_group();
        }
}
