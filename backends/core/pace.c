#include "backends/core/pace.h"

#include <string.h>

#include "backends/core/cost.h"

#define NS_OF_AN_OPERATION_AT_FIRST 1.0f
/* What is shorter tells more of the way to the device and back than of the pace of its work: that it is not
 * slower. */
#define TELLING_NS 5e6
/* Nor does what should have taken nearly nothing: something else held it up. */
#define TELLING_EXPECTED_NS (TELLING_NS / 100)

static _Atomic(int64_t) piece_ns = KAS_PIECE_NS;

void kas_use_piece_ns(int64_t ns)
{
    atomic_store_explicit(&piece_ns, ns, memory_order_relaxed);
}

int64_t kas_piece_ns(void)
{
    return atomic_load_explicit(&piece_ns, memory_order_relaxed);
}

static float pace_of_device(const kas_device *device)
{
    float learned = atomic_load_explicit(&device->pace, memory_order_relaxed);
    if (learned > 0) return learned;
    uint32_t promised = device->limits.product_gflops;
    return promised > 0 ? 1.0f / (float)promised : NS_OF_AN_OPERATION_AT_FIRST;
}

static float pace_of(const kas_list *list)
{
    float own = atomic_load_explicit(&list->pace, memory_order_relaxed);
    return own > 0 ? own : pace_of_device(list->device);
}

/* Passes of one size follow each other, and lists may be long: the last answer is kept with its rows. */
static double operations(kas_list *list, uint32_t rows)
{
    struct {
        uint32_t rows;
        float operations;
    } priced;
    uint64_t word = atomic_load_explicit(&list->priced, memory_order_relaxed);
    _Static_assert(sizeof priced == sizeof word, "written at once");
    memcpy(&priced, &word, sizeof word);
    if (priced.rows == rows) return priced.operations;
    double sum = 0;
    for (size_t i = 0; i < list->count; ++i)
        sum += kas_launch_operations(&list->launches[i], rows);
    priced.rows = rows;
    priced.operations = (float)sum;
    memcpy(&word, &priced, sizeof word);
    atomic_store_explicit(&list->priced, word, memory_order_relaxed);
    return priced.operations;
}

double kas_list_expected_ns(kas_list *list, uint32_t rows)
{
    return pace_of(list) * operations(list, rows);
}

/* What is seen has the way there and back in it, so that it may be too slow, but not too fast. Two threads
 * may learn at once: either's measurement is as good. */
static void learn(_Atomic(float) *pace, float before, double work, double elapsed_ns)
{
    float seen = (float)(elapsed_ns / work);
    if (seen > before && (elapsed_ns < TELLING_NS || before * work < TELLING_EXPECTED_NS)) return;
    atomic_store_explicit(pace, seen > before / 2 ? seen : before / 2, memory_order_relaxed);
}

void kas_list_took(kas_list *list, uint32_t rows, double elapsed_ns)
{
    double work = operations(list, rows);
    float of_device = pace_of_device(list->device);
    learn(&list->pace, pace_of(list), work, elapsed_ns);
    /* The device's is for lists that nobody has seen yet: short ones must not raise hopes. */
    if (of_device * work >= TELLING_NS || elapsed_ns >= TELLING_NS)
        learn(&list->device->pace, of_device, work, elapsed_ns);
}
