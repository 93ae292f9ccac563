#include "tests/conformance/race.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>

#include "base/random.h"
#include "tests/conformance/runner.h"

typedef void race_kernel(int x, int y, void *const *buffers, const void *args);
#define DECLARE(name, buffers, args, items) race_kernel kas_race_kernel_##name;
KAS_KERNELS(DECLARE)
#undef DECLARE

static race_kernel *const race_kernels[KAS_KERNEL_COUNT] = {
#define ENTRY(name, buffers, args, items) kas_race_kernel_##name,
    KAS_KERNELS(ENTRY)
#undef ENTRY
};

enum { ITEMS_MAX = 1024, STACK_BYTES = 64 * 1024 };

/* The group that is running. */
static struct {
    ucontext_t scheduler, fibers[ITEMS_MAX];
    bool done[ITEMS_MAX];
    uint32_t order[ITEMS_MAX];
    uint32_t current;
    kas_kernel kernel;
    int x, y;
    void *const *buffers;
    const void *args;
} group;
static char *stacks;
static kas_rng rng;

/* Called by kernels; declared to them in kernels/dialect.h. */
void kas_race_sync(void);
int kas_race_item(void);

int kas_race_item(void)
{
    return (int)group.current;
}

void kas_race_sync(void)
{
    swapcontext(&group.fibers[group.current], &group.scheduler);
}

static void item_main(void)
{
    race_kernels[group.kernel](group.x, group.y, group.buffers, group.args);
    group.done[group.current] = true;
}

static void make_fibers(uint32_t items)
{
    for (uint32_t i = 0; i < items; ++i) {
        getcontext(&group.fibers[i]);
        group.fibers[i].uc_stack.ss_sp = stacks + (size_t)i * STACK_BYTES;
        group.fibers[i].uc_stack.ss_size = STACK_BYTES;
        group.fibers[i].uc_link = &group.scheduler;
        makecontext(&group.fibers[i], item_main, 0);
        group.done[i] = false;
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

/* One phase of all items; how many have come to their end. */
static uint32_t run_phase(uint32_t items)
{
    uint32_t ended = 0;
    shuffle(items);
    for (uint32_t i = 0; i < items; ++i) {
        group.current = group.order[i];
        if (!group.done[group.current]) swapcontext(&group.scheduler, &group.fibers[group.current]);
        ended += group.done[group.current];
    }
    return ended;
}

static void run_group(void)
{
    const kas_kernel_info *info = kas_kernel_get_info(group.kernel);
    make_fibers(info->group_items);
    uint32_t ended;
    do {
        ended = run_phase(info->group_items);
    } while (ended == 0);
    if (ended == info->group_items) return;
    fprintf(stderr, "%s: %u of %u items ended before a SYNC that the others reached\n", info->name, ended,
            info->group_items);
    exit(1);
}

void race_run(kas_kernel kernel, uint32_t groups_x, uint32_t groups_y, void *const *buffers, const void *args)
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
