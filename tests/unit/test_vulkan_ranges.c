/* backends/vulkan/ranges: against a model that knows the owner of every unit. */
#include <criterion/criterion.h>
#include <string.h>

#include "backends/vulkan/ranges.h"
#include "base/alloc.h"
#include "base/random.h"

enum { UNITS = 3000, PARTS_MAX = 400, STEPS = 40000 };

typedef struct part {
    kas_range range;
    uint32_t first, units;
} part;

typedef struct world {
    kas_ranges ranges;
    bool taken[UNITS]; /* the model */
    part parts[PARTS_MAX];
    uint32_t part_count, free_units;
    kas_rng random;
} world;

static world w;

static void begin(uint64_t seed)
{
    memset(&w, 0, sizeof w);
    w.random = kas_rng_make(seed, 1);
    cr_assert(kas_ranges_init(&w.ranges, (uint64_t)UNITS * KAS_RANGE_UNIT));
    w.free_units = UNITS;
}

static bool model_has_room(uint32_t units, uint32_t alignment)
{
    for (uint32_t first = 0; first + units <= UNITS; first += alignment) {
        uint32_t n = 0;
        while (n < units && !w.taken[first + n])
            ++n;
        if (n == units) return true;
    }
    return false;
}

static void take(uint32_t bytes, uint32_t alignment_bytes)
{
    const uint32_t units = (bytes + KAS_RANGE_UNIT - 1) / KAS_RANGE_UNIT;
    const uint32_t alignment = alignment_bytes > KAS_RANGE_UNIT ? alignment_bytes / KAS_RANGE_UNIT : 1;
    part *p = &w.parts[w.part_count];
    if (!kas_ranges_take(&w.ranges, bytes, alignment_bytes, &p->range)) {
        cr_assert_not(model_has_room(units, alignment), "refused %u bytes though there is room", bytes);
        return;
    }
    cr_assert_eq(p->range.offset_bytes % alignment_bytes, 0u);
    cr_assert_eq(p->range.offset_bytes % KAS_RANGE_UNIT, 0u);
    p->first = (uint32_t)(p->range.offset_bytes / KAS_RANGE_UNIT);
    p->units = units;
    cr_assert_leq(p->first + units, (uint32_t)UNITS);
    for (uint32_t i = p->first; i < p->first + units; ++i) {
        cr_assert_not(w.taken[i], "unit %u is given out twice", i);
        w.taken[i] = true;
    }
    w.free_units -= units;
    ++w.part_count;
}

static void give(uint32_t which)
{
    const part p = w.parts[which];
    memset(&w.taken[p.first], 0, p.units * sizeof *w.taken);
    w.free_units += p.units;
    w.parts[which] = w.parts[--w.part_count];
    kas_ranges_give(&w.ranges, p.range.node);
}

static void check_counts(void)
{
    cr_assert_eq(kas_ranges_free_bytes(&w.ranges), (uint64_t)w.free_units * KAS_RANGE_UNIT);
    cr_assert_eq(w.ranges.taken, w.part_count);
}

static void end(void)
{
    while (w.part_count)
        give(kas_rng_below(&w.random, w.part_count));
    check_counts();
    take(UNITS * KAS_RANGE_UNIT, 1);
    cr_expect_eq(w.part_count, 1u, "what was given back is one part again");
    kas_ranges_finish(&w.ranges);
}

/* Sizes of all magnitudes; how full the range is swings, so that refusals are as common as takes. */
static void run(uint64_t seed)
{
    begin(seed);
    for (uint32_t step = 0; step < STEPS; ++step) {
        const uint32_t keep = step / 500 % 2 ? 20 : 80;
        if (w.part_count < PARTS_MAX && kas_rng_below(&w.random, 100) < keep)
            take(1 + kas_rng_below(&w.random, (uint32_t)KAS_RANGE_UNIT << kas_rng_below(&w.random, 11)),
                 1u << kas_rng_below(&w.random, 13));
        else if (w.part_count)
            give(kas_rng_below(&w.random, w.part_count));
        check_counts();
    }
    end();
}

Test(vulkan_ranges, a_model_agrees)
{
    for (uint64_t seed = 1; seed <= 5; ++seed)
        run(seed);
}

Test(vulkan_ranges, fills_to_the_last_unit)
{
    begin(1);
    for (uint32_t i = 0; i < 3; ++i)
        take(UNITS / 3 * KAS_RANGE_UNIT, 1);
    check_counts();
    cr_expect_eq(w.free_units, 0u);
    take(1, 1);
    cr_expect_eq(w.part_count, 3u);
    give(1);
    take(UNITS / 3 * KAS_RANGE_UNIT + 1, 1);
    cr_expect_eq(w.part_count, 2u, "one unit more than the gap");
    take(UNITS / 3 * KAS_RANGE_UNIT, 1);
    cr_expect_eq(w.part_count, 3u);
    end();
}

Test(vulkan_ranges, without_host_memory_nothing_has_changed)
{
    begin(1);
    kas_range range;
    uint32_t refused = 0;
    for (uint32_t i = 0; i < 64; ++i) {
        const uint64_t before = kas_ranges_free_bytes(&w.ranges);
        kas_alloc_fail_at(1);
        const bool had = kas_ranges_take(&w.ranges, 1, 1, &range);
        kas_alloc_fail_at(0);
        if (had) continue;
        ++refused;
        cr_assert_eq(kas_ranges_free_bytes(&w.ranges), before);
        cr_assert(kas_ranges_take(&w.ranges, 1, 1, &range));
    }
    cr_expect_gt(refused, 0u);
    cr_expect_eq(w.ranges.taken, 64u);
    kas_ranges_finish(&w.ranges);
}

Test(vulkan_ranges, the_largest_range)
{
    kas_ranges ranges;
    kas_range whole, one;
    cr_assert(kas_ranges_init(&ranges, KAS_RANGES_BYTES_MAX));
    cr_expect(kas_ranges_take(&ranges, KAS_RANGES_BYTES_MAX, 1, &whole));
    cr_expect_not(kas_ranges_take(&ranges, 1, 1, &one));
    kas_ranges_give(&ranges, whole.node);
    cr_expect(kas_ranges_take(&ranges, 1, 1, &one));
    cr_expect_not(kas_ranges_take(&ranges, KAS_RANGES_BYTES_MAX, 1, &whole));
    cr_expect_not(kas_ranges_take(&ranges, 1, (uint64_t)1 << 62, &whole));
    kas_ranges_finish(&ranges);
}
