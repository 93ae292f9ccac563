/* What several threads ask of a device at once: each thing is made once, and whoever sees that it is there
 * sees all of it. Labelled `threads`. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "backends/core/backend.h"
#include "backends/core/lost.h"
#include "tests/unit/remote_device.h"

enum { THREADS = 4, ROUNDS = 50 };

typedef struct crowd {
    kas_device *device;
    void (*ask)(struct crowd *crowd);
    pthread_barrier_t start;
    atomic_uint entered, wrong;
    _Atomic(const kas_program *) program;
} crowd;

static void *enter(void *user)
{
    crowd *all = user;
    pthread_barrier_wait(&all->start);
    all->ask(all);
    return NULL;
}

/* On a new device, again and again. fast: it is said to have a fast product. */
static void ask_at_once(void (*ask)(crowd *crowd), bool fast)
{
    for (int round = 0; round < ROUNDS; ++round) {
        crowd all = {.device = remote_device_open(), .ask = ask};
        pthread_t threads[THREADS];
        remote_device_say_fast(all.device, fast, true);
        cr_assert_eq(pthread_barrier_init(&all.start, NULL, THREADS), 0);
        for (int i = 0; i < THREADS; ++i)
            cr_assert_eq(pthread_create(&threads[i], NULL, enter, &all), 0);
        for (int i = 0; i < THREADS; ++i)
            pthread_join(threads[i], NULL);
        pthread_barrier_destroy(&all.start);
        cr_expect_eq(atomic_load(&all.wrong), 0u);
        cr_expect_eq(remote_device_fast_starts(), fast ? 1u : 0u);
        kas_device_release(all.device);
    }
}

static void ask_fast_product(crowd *all)
{
    for (int i = 0; i < 2; ++i)
        if (strcmp(kas_device_fast_product(all->device), "the host's own") != 0)
            atomic_fetch_add(&all->wrong, 1);
}

Test(device_threads, a_fast_product_is_started_once)
{
    ask_at_once(ask_fast_product, true);
}

static void ask_program(crowd *all)
{
    const kas_program *program = NULL, *first = NULL;
    kas_status status = kas_device_program(all->device, KAS_KERNEL_linear, &program);
    bool right = !status && program->device == all->device && program->kernel == KAS_KERNEL_linear;
    right &= atomic_compare_exchange_strong_explicit(&all->program, &first, program, memory_order_relaxed,
                                                     memory_order_relaxed) ||
             first == program;
    kas_status_free(status);
    atomic_fetch_add_explicit(&all->wrong, !right, memory_order_relaxed);
}

Test(device_threads, a_program_is_made_once)
{
    ask_at_once(ask_program, false);
}

/* The first to come loses the device; the others see why. */
static void lose_or_look(crowd *all)
{
    if (atomic_fetch_add_explicit(&all->entered, 1, memory_order_relaxed) == 0) {
        remote_device_lose(all->device);
        return;
    }
    kas_status status;
    while (!(status = kas_device_check(all->device)))
        sched_yield();
    bool right = kas_status_code(status) == KAS_DEVICE_LOST &&
                 strstr(kas_status_message(status), "it fell off its bus");
    kas_status_free(status);
    atomic_fetch_add_explicit(&all->wrong, !right, memory_order_relaxed);
}

Test(device_threads, who_sees_a_loss_sees_the_reason)
{
    ask_at_once(lose_or_look, false);
}
